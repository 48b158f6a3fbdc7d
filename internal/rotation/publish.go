package rotation

import (
	"slices"
	"time"

	"wso2agent/internal/trust"
)

// maxPublished is how many certificates a server publishes at most.
const maxPublished = trust.MaxCertificates

// publish publishes the own server's certificates: the one in use, the one that it is to present after the switch, and those that
// are being retired.
func (p *pass) publish() {
	s := p.s
	if s.Own.Err != nil {
		p.log(Warn, "published", "what this server has published cannot be read; the agent publishes it again", "error", s.Own.Err)
	}
	inUse := p.inUse()
	known := !s.Server.Runs || s.Server.Generation != "" || s.Settings.Supervised
	next := s.Keystore.Own
	// While the server presents another certificate than the one on disk, that one comes first.
	if staged := p.stagedLeaf(); staged != nil && (!known || s.Keystore.Own.Fingerprint == inUse.Fingerprint) {
		next = *staged
	}
	p.d.InUse, p.d.Next = inUse, next
	var record trust.Rotation
	before := s.Own.Certificates
	for _, f := range s.Server.Loading {
		if c := p.ownCertificate(f); c != nil { // first, so that there is room for it
			before = slices.Concat([]Certificate{*c}, before)
		}
	}
	mayPresent := func(c Certificate) bool {
		_, retires := s.Records.Rotation.Retired[c.Fingerprint]
		return slices.Contains(s.Server.Loading, c.Fingerprint) || !known && !retires
	}
	record, p.published = nextRecord(s.Records.Rotation, inUse, next, before, mayPresent, s.Now, s.Settings.RotateGrace)
	record.Hurry = s.Records.Rotation.Hurry && (record.Announced != "" || s.TLS.Stolen)
	p.d.Rotation = record
	p.wake(retires(record, s.Settings.RotateGrace, s.Now))

	// The CA first: a peer that found the certificates alone would trust them themselves.
	if ca := p.ca(); ca != s.Own.CA {
		p.do(PublishCA{ca})
	}
	// Successors next: a peer that found the certificates alone might start without trust in the successors.
	if ahead := p.ahead(); s.Own.SuccessorsErr != nil || !slices.Equal(ahead, fingerprints(s.Own.Successors)) {
		p.do(PublishSuccessors{ahead})
	}
	changed := !slices.Equal(fingerprints(p.published), fingerprints(s.Own.Certificates))
	if changed {
		p.do(Publish{fingerprints(p.published)})
	}
	switch {
	case record.Announced != "" && record.Announced != s.Records.Rotation.Announced:
		p.log(Info, "", "the agent announces a new certificate to the peers", "server", s.Settings.Server, "fingerprint", record.Announced, "in use", inUse.Fingerprint)
	case changed:
		p.log(Info, "", "own certificate published", "server", s.Settings.Server, "fingerprint", inUse.Fingerprint, "retiring", len(record.Retired))
	}
	if !sameRecord(record, s.Records.Rotation) {
		p.do(SaveRotation{record})
	}
}

func fingerprints(certs []Certificate) (all []string) {
	for _, c := range certs {
		all = append(all, c.Fingerprint)
	}
	return all
}

// stays reports whether a start of the server still presents the certificate in use, while the next one waits in the agent's folder,
// where no start finds it.
func (p *pass) stays() bool {
	staged := p.stagedLeaf()
	return staged != nil && p.d.Next.Fingerprint == staged.Fingerprint
}

// ca is the fingerprint of what peers may trust in place of the certificates (TRUST=ca): the CA that has signed both the
// certificate in use and the next one, if there is one. With another CA peers have to trust the certificates themselves until
// the switch.
func (p *pass) ca() string {
	installed, staged := p.installed, p.staged
	switch {
	case installed == nil || installed.Leaf.Fingerprint != p.s.Keystore.Own.Fingerprint:
		return ""
	case p.waits != nil: // nobody knows who has signed what somebody has put in place
		return ""
	case staged != nil && staged.Issuer != installed.Issuer:
		return ""
	}
	return installed.Issuer
}

// inUse returns the certificate that the running server presents. It looks for the one with which the server started among those
// that were published, that the own truststore holds, or of which the agent has a copy. Before the first start, and if that is
// unknown, it is the one on disk. But if another one was published, and nobody can say whether the server has restarted since, it is
// the published one.
func (p *pass) inUse() Certificate {
	onDisk, running, published := p.s.Keystore.Own, p.s.Server, p.s.Own.Certificates
	if !running.Runs || running.Generation == "" && p.s.Settings.Supervised || RunsWith(running.Generation, onDisk) {
		return onDisk
	}
	for _, c := range slices.Concat(published, p.s.Truststore.Own) {
		if RunsWith(running.Generation, c) {
			return c
		}
	}
	if served := p.s.Keystore.Served; served != nil && RunsWith(running.Generation, *served) { // what was published is lost
		return *served
	}
	if len(published) > 0 {
		return published[0]
	}
	return onDisk
}

// nextRecord returns what a server's agent publishes: the certificate in use, the next one if it differs, and for the time grace
// those that retire. before is what it has published so far. A certificate that the running server may present, as mayPresent
// reports, does not retire. The record has the times as they are now.
func nextRecord(r trust.Rotation, inUse, next Certificate, before []Certificate, mayPresent func(Certificate) bool, now time.Time, grace time.Duration) (trust.Rotation, []Certificate) {
	publish := []Certificate{inUse}
	var after trust.Rotation
	if next.Fingerprint != inUse.Fingerprint {
		publish = append(publish, next)
		after.Announced, after.Since = next.Fingerprint, r.Since
		if r.Announced != after.Announced || r.Since.After(now) { // a clock that was put back must not make it wait for ever
			after.Since = now
		}
	}
	for _, c := range before {
		if contains(publish, c.Fingerprint) || len(publish) == maxPublished {
			continue
		}
		if mayPresent(c) {
			publish = append(publish, c)
			continue
		}
		since, retired := r.Retired[c.Fingerprint]
		if !retired || since.After(now) {
			since = now
		}
		if now.Sub(since) >= grace {
			continue
		}
		if after.Retired == nil {
			after.Retired = map[string]time.Time{}
		}
		after.Retired[c.Fingerprint] = since
		publish = append(publish, c)
	}
	return after, publish
}

func sameRecord(a, b trust.Rotation) bool {
	if a.Announced != b.Announced || a.Hurry != b.Hurry || !a.Since.Equal(b.Since) || len(a.Retired) != len(b.Retired) {
		return false
	}
	for f, since := range a.Retired {
		if other, ok := b.Retired[f]; !ok || !since.Equal(other) {
			return false
		}
	}
	return true
}

// retires is when the next retired certificate goes, at least a second from now; zero for never.
func retires(r trust.Rotation, grace time.Duration, now time.Time) (at time.Time) {
	for _, since := range r.Retired {
		at = earliest(at, later(since.Add(grace), now.Add(time.Second)))
	}
	return at
}

// deadline returns when the switch to the announced certificate stops waiting for peers: when patience has run out, or when the
// certificate in use is about to expire.
func deadline(r trust.Rotation, inUse Certificate, patience time.Duration) time.Time {
	return earliest(r.Since.Add(patience), hurries(r, inUse))
}

// margin is how long before the end of the certificate in use the switch waits for nobody: a restart takes its time, too.
const margin = time.Minute

// hurries is when the certificate in use is so near its end that the switch waits for nobody; zero for never. One that had
// expired already when the next one was announced still works, by its fingerprint, and is no reason to hurry.
func hurries(r trust.Rotation, inUse Certificate) time.Time {
	if end := inUse.NotAfter.Add(-margin); !inUse.NotAfter.IsZero() && end.After(r.Since) {
		return end
	}
	return time.Time{}
}
