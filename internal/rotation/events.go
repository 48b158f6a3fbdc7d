package rotation

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/history"
	"wso2agent/internal/trust"
)

// Events are what the audit trail says of an action that was done. Actions that only keep records are no events.
func (d Decision) Events(a Action, s Snapshot) (events []history.Event) {
	add := func(e history.Event) {
		e.At, e.Server = s.Now.UTC(), s.Settings.Server
		events = append(events, e)
	}
	switch do := a.(type) {
	case Issue:
		add(history.Event{What: history.Issued, Because: do.Reason})
	case IssueSuccessor:
		add(history.Event{What: history.Issued, Because: "a later rotation needs one that peers trust by then"})
	case StageSuccessor:
		add(history.Event{What: history.Chosen, Fingerprint: do.Fingerprint, Because: do.Reason})
	case DropSuccessor:
		add(history.Event{What: history.Dropped, Fingerprint: do.Fingerprint, Because: do.Reason})
	case Publish:
		for _, f := range do.Fingerprints {
			if !contains(s.Own.Certificates, f) {
				add(history.Event{What: history.Announced, Fingerprint: f})
			}
		}
	case Install:
		add(history.Event{What: history.Switched, Fingerprint: s.TLS.Staged.Leaf.Fingerprint, Was: s.Keystore.Own.Fingerprint})
	case InstallReplaced:
		add(history.Event{What: history.Switched, Fingerprint: s.Keystore.Next.Fingerprint, Was: s.Keystore.Own.Fingerprint})
	case PutBack:
		add(history.Event{What: history.PutBack, Fingerprint: s.Keystore.Served.Fingerprint, Was: s.Keystore.Own.Fingerprint, Because: "the server must restart before its peers trust the new one"})
	case Load:
		if !do.Served {
			add(history.Event{What: history.Loads, Fingerprint: do.Certificate, Generation: do.Generation})
		}
	case MakeSettings:
		add(history.Event{What: history.Settings})
	case SavePrimary:
		if s.Records.Primary != "" {
			add(history.Event{What: history.Primary, Fingerprint: do.Fingerprint, Was: s.Records.Primary})
		}
	case Import:
		for _, c := range do.Changes {
			e := history.Event{What: history.Trusted, Alias: c.Alias, Peer: c.Owner, Fingerprint: c.Fingerprint, Was: c.Was}
			switch c.Action {
			case trust.Replaced:
				e.What = history.Replaced
			case trust.Removed:
				e.What = history.Removed
			}
			if c.Action != trust.Added {
				e.Certificate = certificateOf(s.Truststore.Entries, c.Alias)
			}
			add(e)
		}
	case SaveRefusals:
		for _, peer := range slices.Sorted(maps.Keys(do.Refusals.Refused)) {
			for _, f := range do.Refusals.Refused[peer] {
				if !slices.Contains(s.Records.Refusals.Refused[peer], f) {
					add(history.Event{What: history.Refused, Peer: peer, Fingerprint: f, Because: "the server did not start with it"})
				}
			}
		}
	case RaiseEdition:
		add(history.Event{What: history.Requested, Because: do.Reason})
	case Request:
		if s.Server.Known && do.Generation != s.Server.Generation || !s.Settings.Supervised {
			add(history.Event{What: history.Requested, Generation: do.Generation, Because: d.because(s)})
		}
	case Acknowledge:
		if do.Trusts.Generation != s.Own.Trusts.Generation && do.Trusts.Generation != "" {
			add(history.Event{What: history.Runs, Generation: do.Trusts.Generation, Fingerprint: d.InUse.Fingerprint})
		}
	}
	return events
}

// certificateOf is the certificate under an alias of the agent's, as an event has it. One that Java refuses must not come back.
func certificateOf(entries []trust.Entry, alias string) string {
	for _, e := range entries {
		if strings.EqualFold(e.Alias, alias) && e.Certificate != nil && !e.Refused {
			return base64.StdEncoding.EncodeToString(e.Certificate.DER)
		}
	}
	return ""
}

// because says how what is on disk differs from what the server runs with.
func (d Decision) because(s Snapshot) string {
	switch {
	case s.Server.Generation == "":
		return "nobody knows what the server runs with"
	case !RunsWith(s.Server.Generation, s.Keystore.Own):
		return "the server presents another certificate than is on disk"
	case s.Server.Generation == Generation(s.Records.Edition, s.Keystore.Own, s.Deployment.Text):
		return ""
	}
	for _, f := range d.Trusted {
		if s.Server.Trusts != nil && !slices.Contains(s.Server.Trusts, f) {
			return "the truststore has certificates that the running server does not trust"
		}
	}
	return "the settings or the truststore have changed since the server's start"
}
