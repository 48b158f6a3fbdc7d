package rotation

import (
	"fmt"
	"strings"
	"time"
)

// loadPatience is how long the server may take to serve a new certificate. The gateway of API-M looks for one every 60 s.
const loadPatience = 90 * time.Second

// confirmPatience is how long agent exec may take after that to report that all listeners serve the certificate.
const confirmPatience = 10 * time.Second

// loadPoll is how often the agent asks the listeners meanwhile.
const loadPoll = time.Second

// load brings the new certificate into the running server without a restart, and reports whether that is going on. agent exec places
// the keystore, and the server then loads it. If a listener does not serve it within loadPatience, the server has to restart.
func (p *pass) load() bool {
	s, generation := p.s, p.d.Generation
	if !p.canLoad() {
		p.d.Memory.Reload = Reload{}
		return false
	}
	r, placed := s.Memory.Reload, s.Server.Placed
	if r.Generation != generation || r.Since.After(s.Now) { // a new request, or the clock was put back
		r = Reload{Generation: generation, Since: s.Now}
	}
	p.d.Memory.Reload = r
	if r.Failed {
		return false
	}
	next := s.Keystore.Own.Fingerprint
	answered := placed.Generation == generation && placed.Certificate == next
	waits := p.notServing(next)
	limit := loadPatience + s.Settings.Poll // agent exec may notice a request so late
	over := s.Now.Sub(r.Since) >= limit
	why := ""
	switch {
	case answered && placed.Err != "":
		why = placed.Err
	case over && !answered:
		why = "agent exec has not placed its keystore"
	case over && waits != "":
		why = "it is not served by " + waits
	case s.Memory.Reload.Served && s.Now.Sub(r.Since) >= limit+confirmPatience+s.Settings.Poll:
		why = "agent exec has not confirmed it"
	}
	if why != "" {
		p.d.Memory.Reload.Failed = true
		p.log(Error, "", "the running server does not load the new certificate, and has to restart for it", "server", s.Settings.Server,
			"fingerprint", next, "because", why, "waited", s.Now.Sub(r.Since).Round(time.Second).String())
		return false
	}
	p.keepOff() // a start in between reads the new certificate
	asked := s.Memory.Reload.Generation == generation
	if !asked {
		p.log(Info, "", "the running server loads the new certificate, without a restart", "server", s.Settings.Server, "fingerprint", next)
	}
	r.Served = answered && waits == ""
	if !asked || r.Served != s.Memory.Reload.Served {
		p.do(Load{generation, next, r.Served})
	}
	p.d.Memory.Reload = r
	p.wake(s.Now.Add(loadPoll))
	p.condition(RestartCondition, true, "the running server loads the new certificate") // it serves all the while
	p.leaveTurn(p.d.Memory.Wish)
	return true
}

// canLoad reports whether the running server needs nothing but the new certificate, can load it, and trusts it itself, because its
// own parts call each other.
func (p *pass) canLoad() bool {
	s := p.s
	next := s.Keystore.Own
	return s.Settings.Reload && s.Settings.Supervised && s.Server.Reloads && s.TLS.Named && p.installed != nil && p.installed.Leaf.Fingerprint == next.Fingerprint &&
		s.Server.Generation == Generation(s.Records.Edition, p.d.InUse, s.Deployment.Text) && s.Server.trusts(next.Fingerprint, p.installed.Issuer)
}

// notServing returns the listeners that do not serve a certificate; "any port" if none is known.
func (p *pass) notServing(fingerprint string) string {
	if len(p.s.Server.Listeners) == 0 {
		return "any port"
	}
	var not []string
	for _, l := range p.s.Server.Listeners {
		switch l.Certificate {
		case fingerprint:
		case "":
			not = append(not, l.Name+" (no answer)")
		default:
			not = append(not, fmt.Sprintf("%s (it serves %s)", l.Name, short(l.Certificate)))
		}
	}
	return strings.Join(not, ", ")
}
