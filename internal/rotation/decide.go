// Package rotation decides what an agent does: Decide turns a Snapshot into a Decision, a list of small actions. It reads no
// file, no clock and no network, so the same snapshot always gives the same decision, and a test can try every order of events.
//
// One pass takes a snapshot, decides, and executes the actions. Every action is idempotent. A pass that is killed between two
// actions is followed by one that decides the same for what is left.
package rotation

import (
	"slices"
	"strings"
	"time"

	"wso2agent/internal/trust"
)

// Decide returns what follows from a snapshot: the whole flow of a pass, step by step. A step that needs the result of an action
// ends the pass, and the next one starts anew.
func Decide(s Snapshot) Decision {
	p := pass{s: s, d: Decision{Memory: s.Memory, Messages: slices.Clone(s.Notes)}}
	steps := []func(){
		p.identity, // the TLS identity that TLS_MODE asks for is issued or read, staged, and installed if nothing speaks against it
		p.settings, // the settings that the server needs are made
		p.primary,
		p.replaced, // a keystore that somebody has replaced waits for the switch
		p.publish,  // the own certificates are published, and how far their rotation has come
		p.imports,  // the peers' certificates are imported
		p.closing,
		p.server, // the server is brought in step with what is on disk
	}
	for _, step := range steps {
		if step(); p.d.Again || p.d.Err != nil {
			break
		}
	}
	return p.d
}

// pass is one call of Decide.
type pass struct {
	s Snapshot
	d Decision

	installed, staged *Identity                // as far as they count
	waits             *Certificate             // of the keystore that somebody has put in place, and that waits for the switch
	published         []Certificate            // by the own server, after this pass
	peers             map[string][]Certificate // that they have published, and that are to be trusted

	others map[string]trust.Turn // claims of the turn to restart that stand
	over   []string              // peers whose claim has ended without another word
	queue  string                // peers for whose restart the own one waits
}

func (p *pass) do(a Action) { p.d.Actions = append(p.d.Actions, a) }

// then does an action whose result the next decision needs.
func (p *pass) then(a Action) {
	p.do(a)
	p.d.Again = true
}

func (p *pass) log(level Level, topic, text string, args ...any) {
	p.remark(level, topic, "", text, args...)
}

// remark logs a message again only if state differs, whatever its attributes are.
func (p *pass) remark(level Level, topic, state, text string, args ...any) {
	p.d.Messages = append(p.d.Messages, Message{level, text, args, topic, state, len(p.d.Actions)})
}

func (p *pass) condition(name string, ok bool, text string) {
	p.d.Conditions = append(p.d.Conditions, Condition{Name: name, OK: ok, Text: text, After: len(p.d.Actions)})
}

// wake makes another pass due at a time, if that is not zero.
func (p *pass) wake(at time.Time) { p.d.Wake = earliest(p.d.Wake, at) }

// earliest is the earlier one of two times, of which zero stands for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settings makes the needed settings, and reports those that somebody else has made otherwise.
func (p *pass) settings() {
	d := p.s.Deployment
	if d.Pending {
		p.then(MakeSettings{})
		return
	}
	if p.staged == nil && p.s.TLS.IsStaged {
		// The settings name the installed one now.
		p.do(DropStaged{})
	}
	for _, k := range d.Kept {
		text := "the agent keeps a setting of the server though another one is needed; SETTINGS=override replaces it"
		if k.Settled {
			text = "the agent keeps a setting of the server's administrator: the database has an administrator, or may have one; docs/operating.md says how to change the password"
		}
		args := []any{"setting", k.Setting, "line", k.Line}
		if !k.Secret {
			args = append(args, "is", k.Is, "needed", k.Needed)
		}
		p.log(Warn, "setting "+k.Setting, text, args...)
	}
	if d.Closing.AllScopes == trust.AllScopesWaits {
		p.remark(Info, "all scopes", "waits",
			"authorize_all_scopes stays on in IS until all applications are authorized for the scopes of their APIs; one restart follows", "server", p.s.Settings.Server)
	}
}

// primary reports a primary key that has changed. The agent changes nothing about it: what the old key has encrypted, and the
// tokens that it has signed, are lost to the new one, and somebody has to know.
func (p *pass) primary() {
	r := p.s.Records
	if r.PrimaryNow == "" || r.PrimaryNow == r.Primary {
		return
	}
	if r.Primary != "" {
		p.log(Error, "", "the server's PRIMARY keystore has another key than before, so secrets and tokens made with the old key no longer work",
			"keystore", r.PrimaryFile, "was", r.Primary, "now", r.PrimaryNow,
			"remedy", "put the old keystore back, unless you want the new key; a TLS certificate belongs in a keystore of its own ([keystore.tls], TLS_MODE)")
	}
	p.do(SavePrimary{r.PrimaryNow})
}

// closing publishes what becomes of the settings that keep API subscribers out of IS.
func (p *pass) closing() {
	s := p.s
	if !s.Settings.TellsClosing {
		return
	}
	c := s.Deployment.Closing
	switch {
	case !s.Server.Runs: // its start reads what is on disk
	case !s.Settings.Supervised:
		c.Restart = trust.RestartByHand
	case s.Server.Generation != p.d.Generation:
		c.Restart = trust.RestartDue
	}
	if !s.Own.HasClosing || s.Own.Closing != c {
		p.do(SayClosing{c})
	}
}

// trustedByPeers reports whether the running server of every peer trusts a certificate, or the CA that has signed it, empty for
// none. A server that has never run trusts it at its first start.
func (p *pass) trustedByPeers(c Certificate, ca string) bool {
	return !slices.ContainsFunc(p.s.Settings.Peers, func(name string) bool {
		peer := p.s.Peers[name]
		return peer.TrustsErr != nil || peer.Trusts.Generation != "" && !trusts(peer.Trusts, c.Fingerprint, ca)
	})
}

// trusts reports whether a running server trusts a certificate, or the CA that has signed it.
func trusts(t trust.Trusts, fingerprint, ca string) bool {
	return slices.Contains(t.Fingerprints, fingerprint) || ca != "" && slices.Contains(t.Fingerprints, ca)
}

func contains(certs []Certificate, fingerprint string) bool {
	return slices.ContainsFunc(certs, func(c Certificate) bool { return c.Fingerprint == fingerprint })
}

func names(list []string) string { return strings.Join(list, ", ") }

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
