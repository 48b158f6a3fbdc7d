package rotation

import (
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/trust"
	"wso2agent/internal/window"
)

// Maintenance is what keeps a due restart off until people want it.
type Maintenance struct {
	Opens  time.Time // when the next maintenance window opens; zero if one is open, or there are none
	Closes time.Time // when the one that is open closes; zero if none is, or never
	Manual bool      // MAINTENANCE_APPROVAL=manual: a person approves each restart
}

// MaintenanceOf returns what the settings say of restarts at a time.
func MaintenanceOf(cfg config.Config, now time.Time) Maintenance {
	m := Maintenance{Manual: cfg.Restart.Approval == "manual"}
	windows, _ := window.Parse(cfg.Restart.Windows) // its rule has parsed it before
	if next := windows.Next(now); next.After(now) {
		m.Opens = next
		return m
	}
	if len(windows) > 0 {
		m.Closes = windows.Closes(now)
	}
	return m
}

// maintenance keeps a due restart off until a maintenance window opens and, with MAINTENANCE_APPROVAL=manual, a person has approved
// it. It keeps nothing off if handshakes would fail before that, because a certificate expires. It tells peers when the restart is to
// be: a peer that waits for it switches its certificate only afterwards.
func (p *pass) maintenance() (waits bool) {
	m := p.s.Maintenance
	answer := p.answer()
	why, until := "", m.Opens
	switch {
	case answer == trust.Now, p.d.Rotation.Hurry: // who reports a stolen key wants the restart
		return false
	case answer == trust.Denied:
		why, until = "a person has denied it", trust.Never
	case m.Manual && answer != trust.Approved:
		why, until = "it waits until a person approves it", trust.Never
	case m.Opens.IsZero():
		p.wake(m.Closes) // a restart that is asked for and not done by then is held
		return false
	default:
		why = "it waits for the maintenance window that opens at " + utc(m.Opens)
	}
	if end := p.restartBy(); answer != trust.Denied && !end.IsZero() && end.Before(until) {
		if !p.s.Now.Before(end) {
			p.remark(Error, "maintenance", "overruled", "the server restarts outside of maintenance, because a certificate is about to expire and connections would fail", "server", p.s.Settings.Server,
				"although", why)
			return false
		}
		until = end
		p.wake(until)
	}
	p.wake(m.Opens)
	if said := p.s.Own.Trusts; p.s.Own.TrustsErr == nil && !said.After.Equal(until) {
		said.After = until
		p.do(Acknowledge{said})
	}
	failing := p.refusedNow()
	state := why
	for _, name := range failing {
		state += ", and the running server refuses the certificate of " + name
	}
	level := Info
	if len(failing) > 0 {
		level = Error
	}
	p.remark(level, "maintenance", state, "a restart of the server is due: "+state, "server", p.s.Settings.Server, "remedy", "agent restart approve next to this server; with --now it waits for no window")
	p.wait(len(failing) == 0, "a restart is due: "+state)
	return true
}

// answer is what a person has said about the restart that is due.
func (p *pass) answer() trust.Answer {
	if err := p.s.Records.ApprovalErr; err != nil {
		p.log(Warn, "approval", "the agent cannot read what a person has said about a restart", "error", err)
	}
	if said := p.s.Records.Approval; said.Generation == p.d.Generation {
		return said.Answer
	}
	return trust.NoAnswer
}

// restartBy returns when a restart must not wait for people any longer, since a certificate expires and the restart takes its
// turn: the own one in use, which the restart replaces, or that of a peer whose next one the running server does not trust. It is zero for
// never.
func (p *pass) restartBy() (at time.Time) {
	if p.d.Rotation.Announced != "" {
		at = hurries(p.d.Rotation, p.d.InUse)
	}
	for _, name := range p.s.Settings.Peers {
		if certs := p.s.Peers[name].Certificates; len(certs) > 0 && certs[0].NotAfter.After(p.s.Now) && len(p.unread(name)) > 0 {
			at = earliest(at, certs[0].NotAfter.Add(-margin))
		}
	}
	if at.IsZero() {
		return at
	}
	return at.Add(-p.s.Settings.RotateTimeout)
}

// unread are the certificates of a peer that the running server has to trust, and does not.
func (p *pass) unread(peer string) (fingerprints []string) {
	trusted := p.trustedNow()
	for _, c := range p.peers[peer] {
		if !p.spare(peer, c.Fingerprint) && !slices.Contains(trusted, c.Fingerprint) {
			fingerprints = append(fingerprints, c.Fingerprint)
		}
	}
	return fingerprints
}

// refusedNow are the peers whose certificate in use the running server does not trust: their connections fail until it restarts.
func (p *pass) refusedNow() (names []string) {
	for _, name := range p.s.Settings.Peers {
		if certs := p.s.Peers[name].Certificates; len(certs) > 0 && slices.Contains(p.unread(name), certs[0].Fingerprint) {
			names = append(names, name)
		}
	}
	return names
}

// restOf reports whether all the named peers have said that their restarts wait for people.
func (p *pass) restOf(names []string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !p.s.Peers[name].Trusts.After.After(p.s.Now) })
}
