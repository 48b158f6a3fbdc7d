package agent

import (
	"fmt"
	"time"

	"wso2agent/internal/trust"
)

// expiryWarning is how long before its end a certificate is told of; agent certs check does the same.
const expiryWarning = 30 * 24 * time.Hour

// tellExpiries warns of certificates that have expired or soon will, once for each state that they are in, and once a day
// while the agent runs.
func (k *trustKeeper) tellExpiries(a Agent, v view) {
	ends := map[string]time.Time{}
	for _, o := range v.inUseBy {
		if c, err := o.Certificate.Parse(); err == nil {
			ends[o.Owner] = c.NotAfter
		}
	}
	k.health.SetExpiries(ends)
	now := time.Now()
	found := trust.Expiring(v.inUseBy, now, expiryWarning)
	state := now.Format(time.DateOnly)
	for _, e := range found {
		state += fmt.Sprint(e.Certificate.Fingerprint(), e.Severity)
	}
	if state == k.expiring {
		return
	}
	k.expiring = state
	for _, e := range found {
		if e.Severity == trust.Error {
			a.log.Error(e.Message, "server", e.Owner, "expires", e.Until.Format(time.RFC3339))
		} else {
			a.log.Warn(e.Message, "server", e.Owner, "expires", e.Until.Format(time.RFC3339))
		}
	}
}
