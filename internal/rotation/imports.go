package rotation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/trust"
)

// withheld are the certificates that peers publish and the agent does not import now.
type withheld struct {
	refused map[string][]string  // because the server did not start with them: short fingerprints by the peer's name
	paced   map[string]time.Time // because the peer changes them too often: until when, by its name
	undone  []string             // because a person has undone it: a text for each peer
}

// imports makes the peers' certificates, and what the own server presents, trusted.
func (p *pass) imports() {
	s := p.s
	p.peers = map[string][]Certificate{}
	for _, name := range s.Settings.Peers {
		p.believe(name, s.Peers[name])
	}
	// The agent does not import what no start presents yet, or what none has presented: the import would cost the server a restart.
	trusted, _ := p.trusted()
	p.peers[s.Settings.Server] = slices.DeleteFunc(slices.Clone(p.published), func(c Certificate) bool {
		presented := c.Fingerprint == p.d.InUse.Fingerprint || c.Fingerprint == s.Keystore.Own.Fingerprint
		return !presented && !slices.Contains(trusted, c.Fingerprint)
	})
	p.addOwn(trusted)
	w := p.withhold()
	if s.Truststore.Err != nil {
		p.d.Err = s.Truststore.Err
		return
	}
	// No start has read what is not on disk. What an Import is to remove counts until it is gone, because the Import may fail.
	p.d.Memory.Raised = slices.DeleteFunc(slices.Clone(s.Memory.Raised), func(f string) bool {
		return !slices.ContainsFunc(s.Truststore.Entries, func(e trust.Entry) bool { return e.Fingerprint == f })
	})
	published := map[string][]string{}
	for name, certs := range p.peers {
		published[name] = fingerprints(certs)
	}
	for _, e := range s.Truststore.Entries {
		owner := trust.Owner(e, p.configured())
		if certs, said := published[owner]; said && p.isToRead(owner, e) && !slices.Contains(certs, e.Fingerprint) {
			published[owner] = append(certs, e.Fingerprint)
		}
	}
	changes := trust.PlanImport(s.Truststore.Entries, published, s.Settings.Server, p.configured())
	for i, c := range changes {
		changes[i].Spare = c.Fresh && (p.spare(c.Owner, c.Fingerprint) || slices.Contains(s.Server.Trusts, c.Fingerprint))
	}
	if len(changes) > 0 {
		p.then(Import{changes})
		p.reportImport(changes)
		return
	}
	p.reportTrust(w)
	p.reportPool()
	p.reportPorts()
	p.d.Generation = Generation(s.Records.Edition, s.Keystore.Own, s.Deployment.Text)
	if at := p.presentedUntil(); at.After(s.Now) {
		p.wake(at)
	}
	if why := p.mustRead(); why != "" {
		p.log(Info, "", "the running server has to read its truststore again", "server", s.Settings.Server, "because", why)
		p.then(RaiseEdition{why})
	}
}

// isToRead reports whether a starting server may still have to read an entry that agent exec has noted as one that it trusts.
func (p *pass) isToRead(owner string, e trust.Entry) bool {
	refusals := p.s.Records.Refusals
	return p.s.Server.Starting && slices.Contains(p.s.Server.Trusts, e.Fingerprint) && !e.Refused &&
		!slices.Contains(refusals.Suspected[owner], e.Fingerprint) && !slices.Contains(refusals.Refused[owner], e.Fingerprint)
}

// addOwn adds what the own server is to trust of itself in advance, because its parts call each other: its successors, the CA of
// its certificate, and the certificate of its start.
func (p *pass) addOwn(trusted []string) {
	name := p.s.Settings.Server
	add := func(fingerprint string, wanted bool) {
		if wanted && fingerprint != "" && !contains(p.peers[name], fingerprint) {
			p.peers[name] = append(p.peers[name], Certificate{Fingerprint: fingerprint})
		}
	}
	for _, f := range p.ahead() {
		add(f, p.takesSpares() || slices.Contains(trusted, f))
	}
	if ca := p.ca(); p.s.Settings.TrustCA {
		add(ca, p.takesSpares() || slices.Contains(trusted, ca))
	}
	if c := p.presented(); c != nil {
		add(c.Fingerprint, true)
	}
}

// believe takes what a peer has published. If it refuses or misses the statement of one peer, it still takes those of the others.
func (p *pass) believe(name string, said Peer) {
	if said.CAErr != nil {
		p.log(Error, "CA of "+name, "the agent trusts a peer's certificates themselves, because it cannot trust the peer's CA", "peer", name, "error", said.CAErr)
	}
	switch {
	case said.Err != nil:
		p.log(Error, "peer "+name, "the agent does not import a peer's certificate", "peer", name, "error", said.Err)
	case said.Silent:
		p.log(Debug, "peer "+name, "the peer has published nothing yet", "peer", name)
	}
	if len(said.Certificates) == 0 {
		return
	}
	p.peers[name] = slices.Clone(said.Certificates)
	trusted, _ := p.trusted()
	if said.SuccessorsErr != nil {
		p.log(Warn, "successors of "+name, "the agent cannot read which certificates a peer will use later, and keeps those that it has", "peer", name, "error", said.SuccessorsErr)
		for _, e := range p.s.Truststore.Entries {
			if trust.Owner(e, p.configured()) == name {
				said.Successors = append(said.Successors, Certificate{Fingerprint: e.Fingerprint})
			}
		}
	}
	for _, c := range said.Successors {
		if !contains(said.Certificates, c.Fingerprint) && (p.takesSpares() || slices.Contains(trusted, c.Fingerprint)) {
			p.peers[name] = append(p.peers[name], c)
		}
	}
}

// withhold removes from the peers' certificates those that the agent must not import now, and records the others.
func (p *pass) withhold() withheld {
	s := p.s
	w := withheld{refused: map[string][]string{}, paced: map[string]time.Time{}, undone: p.leaveUndone()}
	refusals := forget(s.Records.Refusals, p.peers)
	if !sameLists(refusals.Suspected, s.Records.Refusals.Suspected) || !sameLists(refusals.Refused, s.Records.Refusals.Refused) {
		p.do(SaveRefusals{refusals})
	}
	for _, name := range slices.Sorted(maps.Keys(p.peers)) {
		p.keep(name, func(c Certificate) bool {
			refused := slices.Contains(refusals.Suspected[name], c.Fingerprint) || slices.Contains(refusals.Refused[name], c.Fingerprint)
			if refused {
				w.refused[name] = append(w.refused[name], c.Short())
			}
			return !refused
		})
	}
	histories := maps.Clone(s.Records.Histories)
	if histories == nil {
		histories = trust.Histories{}
	}
	for _, name := range s.Settings.Peers {
		h := histories[name]
		if at, _ := s.Settings.Pace.Next(h.Changes, s.Now); s.Server.Runs && s.Now.Before(at) {
			p.keep(name, func(c Certificate) bool {
				known := slices.Contains(h.Known, c.Fingerprint) || !p.costs(name, c)
				if !known {
					w.paced[name] = at
				}
				return known
			})
		}
		certs := slices.DeleteFunc(slices.Clone(p.peers[name]), func(c Certificate) bool { return p.spare(name, c.Fingerprint) })
		if len(certs) > 0 {
			histories[name] = withChange(h, certs, func(c Certificate) bool { return p.costs(name, c) }, s.Now, s.Settings.Pace)
		}
	}
	if !sameHistories(histories, s.Records.Histories) {
		p.do(SaveHistories{histories})
	}
	return w
}

// keep keeps those of a peer's certificates that wanted accepts. If none is left, the peer counts as one that has published nothing,
// so its entries in the truststore stay.
func (p *pass) keep(name string, wanted func(Certificate) bool) {
	certs := slices.DeleteFunc(slices.Clone(p.peers[name]), func(c Certificate) bool { return !wanted(c) })
	if len(certs) == 0 {
		delete(p.peers, name)
		return
	}
	p.peers[name] = certs
}

// forget drops refusals of what the peers no longer publish: the agent believes their next statement again. Peers that have published
// nothing keep their refusals.
func forget(r trust.Refusals, peers map[string][]Certificate) trust.Refusals {
	published := func(all map[string][]string) map[string][]string {
		kept := map[string][]string{}
		for name, list := range all {
			certs, known := peers[name]
			for _, f := range list {
				if !known || contains(certs, f) {
					kept[name] = append(kept[name], f)
				}
			}
		}
		return kept
	}
	return trust.Refusals{Suspected: published(r.Suspected), Refused: published(r.Refused), Acquitted: r.Acquitted}
}

func sameLists(a, b map[string][]string) bool {
	return maps.EqualFunc(a, b, func(a, b []string) bool { return slices.Equal(a, b) })
}

// configured are the servers whose entries in the truststore are the agent's.
func (p *pass) configured() []string {
	return append(slices.Clone(p.s.Settings.Peers), p.s.Settings.Server)
}

// trusted are the fingerprints in all entries that the agent owns, sorted, without duplicates, and the aliases of these entries.
func (p *pass) trusted() (all []string, aliases map[string]bool) {
	aliases = map[string]bool{}
	for _, e := range p.s.Truststore.Entries {
		if trust.Owner(e, p.configured()) != "" {
			all = append(all, e.Fingerprint)
			aliases[strings.ToLower(e.Alias)] = true
		}
	}
	slices.Sort(all)
	return slices.Compact(all), aliases
}

// reportTrust reports what is trusted, what is missing, and what is withheld.
func (p *pass) reportTrust(w withheld) {
	s := p.s
	trusted, of := p.trusted()
	p.d.Trusted = trusted
	for _, name := range s.Settings.Peers {
		if said := s.Peers[name]; len(said.Certificates) == 0 && !of[name] {
			p.d.Missing = append(p.d.Missing, name)
		}
	}
	if len(p.d.Missing) > 0 && !s.Settings.StartAnyway { // else init has waited long enough
		p.condition(TrustCondition, false, "waiting for the certificate of "+names(p.d.Missing))
	} else {
		text := fmt.Sprintf("own certificate published, %d trusted", len(of))
		for _, undone := range w.undone {
			text += "; " + undone
		}
		p.condition(TrustCondition, true, text)
	}
	for _, name := range slices.Sorted(maps.Keys(w.refused)) {
		list := names(w.refused[name])
		p.remark(Error, "refused "+name, list, "the agent does not import a certificate with which the server did not start; it tries again when its owner publishes another one, or the file is removed", "server", name,
			"fingerprint", list, "remedy", "look for the reason in the server's own log, and give "+name+" another certificate", "file", s.Records.RefusalsAt)
	}
	p.d.Memory.Paced = nil
	for _, name := range s.Settings.Peers {
		_, calm := s.Settings.Pace.Next(s.Records.Histories[name].Changes, s.Now)
		at, paced := w.paced[name]
		if paced || s.Now.Before(calm) && slices.Contains(s.Memory.Paced, name) { // logged once for each peer until it is calm
			p.d.Memory.Paced = append(p.d.Memory.Paced, name)
			p.remark(Warn, "paced "+name, "paced", "a peer's certificate changes too often: the agent imports its changes less and less often, so that they do not restart the server all the time", "peer", name,
				"next", utc(at), "remedy", "find out what changes "+name+"'s certificate")
		}
		p.wake(at)
	}
	text := w.String()
	if text == "" {
		text = "every certificate that peers publish is imported"
	}
	p.d.Conditions = append(p.d.Conditions, Condition{ImportsCondition, w.String() == "", text, true, len(p.d.Actions)})
	p.reportExpiries()
}

// String is one line; empty if nothing is withheld.
func (w withheld) String() string {
	parts := slices.Clone(w.undone)
	for _, name := range slices.Sorted(maps.Keys(w.refused)) {
		parts = append(parts, fmt.Sprintf("certificate %s of %s is not imported, because the server did not start with it", names(w.refused[name]), name))
	}
	for _, name := range slices.Sorted(maps.Keys(w.paced)) {
		parts = append(parts, fmt.Sprintf("the certificate of %s changes too often, and its next one is imported at %s", name, utc(w.paced[name])))
	}
	return strings.Join(parts, "; ")
}

// reportImport reports the changes of trust.
func (p *pass) reportImport(changes []trust.Change) {
	for _, c := range reported(changes) {
		args := []any{"alias", c.Alias, "fingerprint", c.Fingerprint, "truststore", p.s.Truststore.Path}
		if c.Was != "" {
			args = append(args, "was", c.Was)
		}
		p.log(Info, "", "trusted certificate "+c.Action, args...)
	}
}

// switched says that of two certificates of a server, both of which were trusted, another one is in use now.
const switched = "in use now"

// reported are the changes of trust to report. A certificate that only gets another alias is still trusted, and no change.
func reported(changes []trust.Change) (reported []trust.Change) {
	gone, there := map[string]bool{}, map[string]bool{}
	for _, c := range changes {
		if c.Action == trust.Removed {
			gone[c.Fingerprint] = true
			continue
		}
		there[c.Fingerprint] = true
		if c.Action == trust.Replaced {
			gone[c.Was] = true
		}
	}
	for _, c := range changes {
		switch {
		case c.Action == trust.Removed && there[c.Fingerprint], c.Action == trust.Added && gone[c.Fingerprint]:
			continue
		case c.Action == trust.Replaced && gone[c.Fingerprint] && there[c.Was]:
			c.Action = switched
		}
		reported = append(reported, c)
	}
	return reported
}
