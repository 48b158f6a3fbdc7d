package identity

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stale says why an identity does not fit s, worded to follow "the certificate"; it is empty if the identity fits. It does not
// fit if it lacks one of the names or localhost, has another kind of key, comes from another issuer, or expires in less than
// s.RenewBefore. The last reason does not count if a new one could not live longer, because its CA does not: the agent would
// issue it again and again.
func (i Identity) Stale(s Spec, now time.Time) (reason string) {
	if s.CA != nil && !s.CA.own.end().After(i.leaf.NotAfter) {
		return i.misfit(s)
	}
	return i.StaleSuccessor(s, now)
}

// StaleSuccessor is Stale for a successor, whose life is longer than s.Validity. About dates it only says that the agent would
// have to replace the successor at once, if the server presented it.
func (i Identity) StaleSuccessor(s Spec, now time.Time) (reason string) {
	if reason := i.misfit(s); reason != "" || now.Before(i.RenewAt(s.RenewBefore)) {
		return reason
	}
	return "expires on " + i.leaf.NotAfter.UTC().Format(time.DateOnly)
}

// misfit is Stale without what depends on the time.
func (i Identity) misfit(s Spec) (reason string) {
	missing := i.Missing(withLocalhost(s.Names))
	switch {
	case len(missing) > 0:
		return "lacks " + strings.Join(missing, ", ")
	case kindOf(i.key.Public()) != s.kind():
		return fmt.Sprintf("has a key of another kind than %s", s.kind())
	case s.CA == nil && !selfIssued(i.leaf):
		return "was signed by a CA, and no CA is set any more"
	case s.CA != nil && !slices.EqualFunc(i.Chain[1:], s.CA.own.Chain, sameCertificate):
		return fmt.Sprintf("does not come from the CA that is set, %s", s.CA.own.leaf.Subject)
	}
	return ""
}

// RenewAt returns the time from which on the agent issues the certificate again: before ahead of its end, but never in the
// first half of its life. So the agent does not renew a short-lived one, as a CA close to its end gives, at once.
func (i Identity) RenewAt(before time.Duration) time.Time {
	half := i.leaf.NotAfter.Sub(i.leaf.NotBefore) / 2
	return i.leaf.NotAfter.Add(-min(before, half))
}
