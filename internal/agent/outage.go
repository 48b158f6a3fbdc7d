package agent

import (
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
)

// outage is a time in which the server did not serve, as far as agent exec says.
type outage struct {
	from, to time.Time
	planned  bool // this agent had asked for a restart
}

// outages follows the server from one look at it to the next.
type outages struct {
	now    outage // the one that goes on; its from is zero while there is none
	served notify.Started
}

// see takes note of what agent exec has said by now, and returns the outage that has ended since the last look. asked says
// that this agent has asked for a restart. The first start of a server after its container's is none: nobody can tell when the
// container before it has ended.
func (o *outages) see(started notify.Started, asked bool, now time.Time) (ended outage, ok bool) {
	switch started.Serves {
	case notify.ServesNot:
		if !o.now.from.IsZero() || o.served.PID == 0 && started.Starts < 2 {
			return outage{}, false
		}
		o.now = outage{from: now, planned: asked}
		if o.served.PID == 0 {
			o.now.from = started.Since
		}
		return outage{}, false
	case notify.ServesNow:
		ended, ok = o.now, !o.now.from.IsZero()
		if missed := o.served.PID != 0 && !o.served.Since.Equal(started.Since); !ok && missed {
			ended, ok = outage{from: started.Since, planned: asked}, true
		}
		ended.to = now
		*o = outages{served: started}
		return ended, ok
	}
	*o = outages{} // an agent exec that cannot tell
	return outage{}, false
}

// Names of the metrics of what IS could not tell API-M.
const (
	gapsMetric    = "wso2agent_revocation_gaps_total"
	gapTimeMetric = "wso2agent_revocation_gap_seconds_total"
)

// keepsNotices reports whether the server is an API-M to which IS sends a notice of each revoked token.
func (a Agent) keepsNotices() bool { return a.cfg.Product == config.AM && len(a.cfg.Peers) > 0 }

// countGap adds a time in which API-M did not serve to the metrics. None shows them.
func countGap(health *telemetry.Health, o outage, count float64) {
	health.Count(gapsMetric, "Times in which API-M did not serve and IS could not tell it of revoked tokens.", count)
	health.Count(gapTimeMetric, "Length of all those times together.", o.to.Sub(o.from).Seconds())
}

// tellGap says what an outage of API-M may have cost: IS sends the notice of a revoked token once, and nobody can ask it later
// which it has sent in vain.
func (k *trustKeeper) tellGap(a Agent, started notify.Started) {
	if !a.keepsNotices() {
		return
	}
	o, ended := k.outages.see(started, k.memory.Asked != "", time.Now())
	if !ended {
		return
	}
	countGap(k.health, o, 1)
	a.log.Warn("API-M did not serve, and IS sends its notices of revoked tokens once: a token that was revoked meanwhile stays valid at the gateway until it expires",
		"from", o.from.UTC().Format(time.RFC3339), "to", o.to.UTC().Format(time.RFC3339), "asked for by this agent", o.planned,
		"remedy", "if such a token must not work, block the subscriptions of its application until it has expired")
}
