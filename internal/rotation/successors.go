package rotation

import (
	"fmt"
	"slices"
	"time"
)

// successor returns the identity to switch to next: the one that a killed agent has taken already, else the oldest successor that
// every running server trusts, else the oldest one, or nil for none.
func (p *pass) successor() *Identity {
	if i := p.taken(); i != nil {
		return i
	}
	good := p.goodSuccessors()
	for _, i := range good {
		if p.trustedByAll(i.Leaf) {
			return i
		}
	}
	if len(good) == 0 {
		return nil
	}
	return good[0]
}

// taken returns the successor that an agent has staged for a request, and that is still in the pool because the agent was killed
// before it answered the request; nil for none. Another successor for the same request would waste this one.
func (p *pass) taken() *Identity {
	for _, i := range p.s.TLS.Successors {
		if p.s.TLS.Asked && !p.s.TLS.Stolen && i.Stale == "" && same(i, p.staged) {
			return i
		}
	}
	return nil
}

// goodSuccessors returns the successors that can still be used, in the order of their turns.
func (p *pass) goodSuccessors() (good []*Identity) {
	for _, i := range p.s.TLS.Successors {
		if i.Stale == "" && !same(i, p.s.TLS.Installed) && !same(i, p.s.TLS.Staged) {
			good = append(good, i)
		}
	}
	return good
}

// trustedByAll reports whether every running server, the own one too, trusts a certificate.
func (p *pass) trustedByAll(c Certificate) bool {
	return p.trustedByPeers(c, "") && (!p.s.Server.Runs || slices.Contains(p.s.Server.Trusts, c.Fingerprint))
}

// dropSuccessors drops identities that cannot be used any more. A request after a theft drops all.
func (p *pass) dropSuccessors() {
	if p.d.Trouble != nil || p.d.Memory.AheadErr != nil {
		return
	}
	kept := 0
	for _, i := range p.s.TLS.Successors {
		reason := i.Stale
		switch {
		case i == p.taken():
			continue
		case same(i, p.s.TLS.Installed), same(i, p.s.TLS.Staged):
			reason = "is the server's own now"
		case reason != "":
		case p.s.TLS.Stolen:
			reason = "may be known to others"
		case kept == p.s.Settings.Successors:
			reason = "is one more than TLS_SUCCESSORS"
		default:
			kept++
			continue
		}
		p.then(DropSuccessor{i.Leaf.Fingerprint, reason})
	}
}

// fillPool issues a further successor, which servers trust from their next start on. It does so before a switch too: peers that
// restart for the switch then read the whole pool.
func (p *pass) fillPool() {
	turn := len(p.goodSuccessors()) + 1
	full := turn > p.s.Settings.Successors || p.s.Memory.Ahead >= p.s.Settings.Successors // else a successor that is stale at once would be issued again and again
	if full || p.s.TLS.Asked || p.installed == nil || p.d.Trouble != nil || p.d.Memory.AheadErr != nil {
		return
	}
	if p.staged != nil {
		turn++
	}
	p.d.Memory.Ahead++
	p.then(IssueSuccessor{turn})
}

// ahead returns the fingerprints that peers may trust in advance, in the order of their turns. The installed and the staged identity
// are among them, so that none is missing while it moves from this list to the published certificates.
func (p *pass) ahead() (fingerprints []string) {
	if p.s.Settings.Successors == 0 || p.s.TLS.Refused != "" {
		return nil
	}
	for _, i := range slices.Concat([]*Identity{p.installed, p.staged}, p.goodSuccessors()) {
		if i != nil && !slices.Contains(fingerprints, i.Leaf.Fingerprint) {
			fingerprints = append(fingerprints, i.Leaf.Fingerprint)
		}
	}
	return fingerprints[:min(len(fingerprints), maxPublished)]
}

// spare reports whether the running server need not trust a certificate yet, because no server presents it or is about to.
func (p *pass) spare(owner, fingerprint string) bool {
	s := p.s
	if owner != s.Settings.Server {
		return !contains(s.Peers[owner].Certificates, fingerprint)
	}
	switch {
	case s.Server.trusts(fingerprint, p.issuerOf(fingerprint)): // it is on disk for the next start
		return true
	case fingerprint == p.d.InUse.Fingerprint, fingerprint == s.Keystore.Own.Fingerprint:
		return false
	}
	return slices.Contains(p.ahead(), fingerprint) || fingerprint == p.ca()
}

// issuerOf is the CA that has signed an identity of the own server; empty for none.
func (p *pass) issuerOf(fingerprint string) string {
	for _, i := range []*Identity{p.installed, p.staged} {
		if i != nil && i.Leaf.Fingerprint == fingerprint {
			return i.Issuer
		}
	}
	return ""
}

// trusts reports whether it is known that the running server trusts a certificate, or the CA that has signed it.
func (s Server) trusts(fingerprint, ca string) bool {
	return slices.Contains(s.Trusts, fingerprint) || ca != "" && slices.Contains(s.Trusts, ca)
}

// costs reports whether the running server has to restart for a peer's certificate.
func (p *pass) costs(peer string, c Certificate) bool {
	return p.s.Server.Runs && !p.spare(peer, c.Fingerprint) && !slices.Contains(p.s.Server.Trusts, c.Fingerprint)
}

// takesSpares reports whether the agent may import certificates that the running server trusts only after its next start. It may
// only if agent exec reports later which of them the server trusts.
func (p *pass) takesSpares() bool {
	server := p.s.Server
	switch {
	case !server.Runs, server.Trusts != nil:
		return true
	}
	return p.s.Settings.Supervised && !server.Known
}

// mustRead returns why the running server has to read its truststore again, though nothing on disk has changed. It is empty if the
// server need not. It gives each certificate as a reason only once: if a start does not read the certificate, agent exec reads
// another truststore than this agent.
func (p *pass) mustRead() string {
	server := p.s.Server
	if p.s.Settings.Init || !server.Known || server.Trusts == nil || server.Generation != p.d.Generation {
		return ""
	}
	raised := slices.DeleteFunc(slices.Clone(p.d.Memory.Raised), func(f string) bool { return slices.Contains(server.Trusts, f) && f != server.Presented })
	p.d.Memory.Raised = raised
	for _, name := range p.s.Settings.Peers {
		for _, c := range p.peers[name] {
			switch {
			case p.spare(name, c.Fingerprint) || slices.Contains(server.Trusts, c.Fingerprint):
			case slices.Contains(raised, c.Fingerprint):
				p.remark(Error, "unread "+name, c.Fingerprint, "the server has started again, and still does not trust a peer's certificate that is in its truststore", "peer", name,
					"fingerprint", c.Fingerprint, "truststore", p.s.Truststore.Path, "remedy", "give agent exec and this agent the same CONFIG_DIR, TRUSTSTORE_FILE and TRUSTSTORE_PASS")
			default:
				p.d.Memory.Raised = append(raised, c.Fingerprint)
				return fmt.Sprintf("%s uses the certificate %s, which came after the server's start", name, c.Short())
			}
		}
	}
	if at := p.presentedUntil(); !at.IsZero() && !p.s.Now.Before(at) && !slices.Contains(raised, server.Presented) {
		p.d.Memory.Raised = append(raised, server.Presented)
		return "some ports still serve the certificate of the server's start, which is about to expire"
	}
	return ""
}

// presented returns the certificate of the server's start if another one is in use now, else nil. Some ports serve it until the
// next start.
func (p *pass) presented() *Certificate {
	f := p.s.Server.Presented
	if f == "" || f == p.d.InUse.Fingerprint {
		return nil
	}
	return p.ownCertificate(f)
}

// ownCertificate returns the own server's certificate with a fingerprint, if the own truststore holds it or it is published; else nil.
func (p *pass) ownCertificate(fingerprint string) *Certificate {
	for _, c := range slices.Concat(p.s.Truststore.Own, p.s.Own.Certificates) {
		if c.Fingerprint == fingerprint {
			return &c
		}
	}
	return nil
}

// beforeEnd is how long before its expiry the certificate of the start makes a restart due, if its validity is long.
const beforeEnd = 7 * 24 * time.Hour

// presentedUntil returns when the server must restart because the certificate of its start is about to expire; zero for never.
func (p *pass) presentedUntil() time.Time {
	c := p.presented()
	if c == nil || c.NotAfter.IsZero() {
		return time.Time{}
	}
	return c.NotAfter.Add(-min(beforeEnd, c.NotAfter.Sub(c.NotBefore)/8))
}

// reportPorts reports which certificate is served by the ports that load no new one.
func (p *pass) reportPorts() {
	if !p.s.Settings.Reload || p.s.Server.Presented == "" || p.s.Settings.Init {
		return
	}
	text := "every port serves the certificate in use"
	if c := p.presented(); c != nil {
		text = fmt.Sprintf("some ports serve the certificate %s of the server's start until its next start", c.Short())
		if at := p.presentedUntil(); !at.IsZero() {
			text += fmt.Sprintf("; it expires at %s, and the server restarts from %s on", utc(c.NotAfter), utc(at))
		}
	}
	p.d.Conditions = append(p.d.Conditions, Condition{PortsCondition, true, text, true, len(p.d.Actions)})
}

// reportPool reports how many rotations need no restart of a peer.
func (p *pass) reportPool() {
	failed := p.d.Memory.AheadErr
	if p.s.TLS.Refused != "" || p.s.Settings.Init || p.s.Settings.Successors == 0 && failed == nil {
		return
	}
	var ready, waiting int
	var until time.Time
	for _, i := range p.goodSuccessors() {
		if !p.trustedByAll(i.Leaf) {
			waiting++
			continue
		}
		ready++
		until = later(until, i.Leaf.NotAfter)
	}
	text := "not every running server trusts a successor yet: the next rotation restarts the servers that do not trust the next certificate"
	if ready > 0 {
		successors := fmt.Sprintf("%d successors", ready)
		if ready == 1 {
			successors = "1 successor"
		}
		text = fmt.Sprintf("all running servers trust %s of the certificate: so many rotations need no restart of a peer, until %s", successors, utc(until))
	}
	if waiting > 0 {
		text += fmt.Sprintf("; %d more are trusted after the next start of each server", waiting)
	}
	switch {
	case failed != nil && p.s.Settings.Successors == 0:
		text = failed.Error()
	case failed != nil:
		text = failed.Error() + "; " + text
	}
	p.d.Conditions = append(p.d.Conditions, Condition{PoolCondition, ready > 0 && failed == nil, text, true, len(p.d.Actions)})
}

// retryPool is how soon the agent tries again to bring the pool in order. The certificate in use does not wait for it.
const retryPool = time.Minute

// reportPoolTrouble reports that the agent cannot bring the pool in order, and makes another pass due that tries again. Other passes
// do not try: a folder that cannot be written would cost each of them a new key. After a theft that is trouble with the certificate
// in use: no successor may be left when the agent answers the request.
func (p *pass) reportPoolTrouble() {
	m := &p.d.Memory
	err := m.AheadErr
	switch wait := m.Retry.Sub(p.s.Now); {
	case err == nil:
		return
	case m.Retry.IsZero():
		m.Retry = p.s.Now.Add(retryPool)
	case wait <= 0 || wait > retryPool: // the clock was put back
		m.AheadErr, m.Retry = nil, time.Time{}
		return
	}
	p.log(Warn, "pool", "the agent cannot keep the successors of the certificate in order; the certificate in use is not concerned", "error", err)
	p.wake(m.Retry)
	if p.s.TLS.Stolen && p.d.Trouble == nil {
		p.d.Trouble = err
	}
}
