package trust

import "time"

// ExpiryWarning is how long before its end the agent warns of a certificate, in the log and in agent certs check.
const ExpiryWarning = 30 * 24 * time.Hour

// Phase is where in its life a certificate is.
type Phase int

// The phases.
const (
	Valid Phase = iota
	Early
	Expiring // it expires within ExpiryWarning
	Expired
)

// PhaseOf returns the phase at now of a certificate that is valid from one time to another.
func PhaseOf(from, until, now time.Time) Phase {
	switch {
	case now.After(until):
		return Expired
	case now.Before(from):
		return Early
	case until.Sub(now) <= ExpiryWarning:
		return Expiring
	}
	return Valid
}
