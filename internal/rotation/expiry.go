package rotation

import (
	"fmt"
	"time"

	"wso2agent/internal/trust"
)

// reportExpiries reports certificates in use that have expired or soon will: once for each state that they are in, and once a day
// while the agent runs. It makes a pass due when that changes, or when the own certificate is to be renewed.
func (p *pass) reportExpiries() {
	s := p.s
	inUse := []Owned{{Owner: s.Settings.Server, Own: true, Pinned: !s.Settings.TrustCA, Certificate: p.d.InUse}}
	for _, name := range s.Settings.Peers {
		if certs := s.Peers[name].Certificates; len(certs) > 0 {
			inUse = append(inUse, Owned{Owner: name, Pinned: true, Certificate: certs[0]})
		}
	}
	p.d.Expiries = map[string]time.Time{}
	for _, o := range inUse {
		if o.NotAfter.IsZero() {
			continue
		}
		p.d.Expiries[o.Owner] = o.NotAfter
		p.wake(later(o.NotAfter.Add(-trust.ExpiryWarning), s.Now.Add(24*time.Hour)))
	}
	if p.installed != nil && s.Settings.TLSMode == "issue" && p.installed.RenewAt.After(s.Now) {
		p.wake(p.installed.RenewAt)
	}
	for _, e := range Expiring(inUse, s.Now) {
		p.remark(e.Severity, "expiry of "+e.Owner, fmt.Sprint(s.Now.Format(time.DateOnly), e.Fingerprint, e.Severity), e.Message, "server", e.Owner, "expires", utc(e.Until))
	}
}

// Owned is a certificate with its owner.
type Owned struct {
	Owner  string // the server's name
	Own    bool   // the owner is the server next to this agent, not a peer
	Pinned bool   // clients trust exactly this certificate, and not only the CA that has signed it
	Certificate
}

// Expiry is a certificate that has expired, expires soon, or is not valid yet.
type Expiry struct {
	Owned
	Severity Level         // Warn, or Error if it keeps somebody from connecting
	Until    time.Time     // when it expires
	Left     time.Duration // until then; negative afterwards
	Message  string        // for the log: the owner, the problem, its effect and the remedy
}

// Expiring returns, in their order, the certificates that are not valid at now or expire within trust.ExpiryWarning. It skips one that
// Go cannot read: whether Java can is not known here.
//
// An expired certificate that is trusted itself still works, and the message says so: Java checks the dates of only those
// certificates for which it needs a CA (JDK, PKIXValidator.engineValidate), and the agent's own clients compare fingerprints. IS
// 7.1.0 ships with an expired one.
func Expiring(certs []Owned, now time.Time) (found []Expiry) {
	for _, o := range certs {
		if o.NotAfter.IsZero() {
			continue
		}
		e := Expiry{Owned: o, Severity: Warn, Until: o.NotAfter, Left: o.NotAfter.Sub(now)}
		day := o.NotAfter.UTC().Format(time.DateOnly)
		switch trust.PhaseOf(o.NotBefore, o.NotAfter, now) {
		case trust.Expired:
			e.Message = fmt.Sprintf("%s expired %s ago, on %s; %s; %s", o.title(), span(-e.Left), day, o.harm(), o.remedy())
		case trust.Early:
			e.Message = fmt.Sprintf("%s is not valid before %s, %s from now; %s; check the clocks of both machines",
				o.title(), o.NotBefore.UTC().Format(time.RFC3339), span(o.NotBefore.Sub(now)), o.harm())
		case trust.Expiring:
			e.Message = fmt.Sprintf("%s expires in %s, on %s; %s", o.title(), span(e.Left), day, o.remedy())
			found = append(found, e)
			continue
		default:
			continue
		}
		if !o.Pinned {
			e.Severity = Error
		}
		found = append(found, e)
	}
	return found
}

func (o Owned) title() string {
	whose := "the certificate of the peer " + o.Owner
	if o.Own {
		whose = "the own certificate of " + o.Owner
	}
	return whose + " (SHA-256 " + o.Fingerprint + ")"
}

// harm says what a wrong date causes.
func (o Owned) harm() string {
	switch {
	case !o.Pinned:
		return "clients that trust its CA refuse it"
	case o.Own:
		return "the peers, which trust exactly this certificate, still accept it, other clients do not"
	}
	return "it still works, because exactly this certificate is trusted here"
}

func (o Owned) remedy() string {
	if o.Own {
		return "replace it, or let the agent issue it (TLS_MODE=issue)"
	}
	return "replace it on the side of " + o.Owner + ", or let the agent there issue it (TLS_MODE=issue)"
}

// span writes a time in the largest unit of which there are at least two.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}
