package rotation

import (
	"slices"
	"time"

	"wso2agent/internal/trust"
)

// server brings the server in step with what is on disk. In an init it requests what the server starts with. Otherwise it lets the
// running server load its certificate, or restarts it if it has to.
func (p *pass) server() {
	s := p.s
	if s.Settings.Init {
		p.prepare()
		return
	}
	p.claims()
	if p.rotate() {
		return
	}
	started, generation := s.Server, p.d.Generation
	inStep, starting := started.Known && started.Generation == generation, started.Known && started.Starting
	switch {
	case inStep && starting:
		p.d.Memory.Starts = true
		p.condition(RestartCondition, false, "the server has started with what is on disk, and does not serve yet")
		p.withdraw()
	case inStep && len(started.Loading) == 0:
		p.inStep()
	case starting && s.Memory.Asked == generation:
		p.asked("the agent has asked for a restart, and the server is about to stop")
	case starting && s.Now.Sub(started.Since) < s.Settings.RotateTimeout:
		// To stop a start halfway wastes time. One restart later is enough for everything that comes meanwhile.
		p.wake(started.Since.Add(s.Settings.RotateTimeout))
		p.hold("a restart is due, and waits until the server serves")
	case p.load():
	case inStep: // it may serve another certificate than the one with which it started, and a restart needs another generation
		p.log(Warn, "", "the server has to restart, because some ports may serve a certificate whose keystore is not on disk any more", "server", s.Settings.Server)
		p.then(RaiseEdition{"some ports may serve a certificate whose keystore is not on disk any more"})
	case p.upgrading():
		// One restart then serves for all settings.
		p.wake(p.d.Memory.Upgrade.Add(s.Settings.RotateTimeout))
		p.hold("a restart is due, and waits until all applications are authorized for the scopes of APIs")
		if !s.Settings.Supervised {
			p.condition(RestartCondition, true, "a restart by hand is due when all applications are authorized for the scopes of APIs")
		}
	case len(p.d.Missing) > 0 && s.Now.Before(s.Memory.Patience):
		// One restart then serves for all peers. Later than that the ones that came count.
		p.wake(s.Memory.Patience)
		p.hold("a restart is due, and waits for the missing peers")
	case !s.Settings.Supervised: // nobody can tell whether a server runs, or restart it
		p.request()
		p.leaveTurn(p.d.Memory.Wish)
	case !started.Known:
		p.unknown()
	case p.maintenance():
	case p.takeTurn():
		if !p.d.Again {
			p.request()
		}
	case !p.d.Again:
		p.keepOff()
		p.condition(RestartCondition, false, "a restart is due, and waits until others serve again: "+p.queue)
	}
}

// prepare reports to agent exec what a start of the server reads. A running server goes on, and the sidecar decides about it. While
// a peer is missing, prepare reports nothing, unless the server may start anyway.
func (p *pass) prepare() {
	s, generation := p.s, p.d.Generation
	switch started := s.Server; {
	case len(p.d.Missing) > 0 && !s.Settings.StartAnyway:
	case !s.Settings.Supervised:
		p.do(Note{generation}) // nobody needs to restart it for this
	case !started.Runs:
		p.do(Request{generation})
	case started.Generation != "" && started.Wish.OnDisk != generation: // else a restart for it may be asked for already
		p.do(Hold{started.Generation, generation})
	}
}

// upgrading reports whether the restart of a running IS waits because one more setting is about to change:
// authorize_all_scopes, once all applications are authorized. It waits for as long as a rotation waits for a peer.
func (p *pass) upgrading() bool {
	s := p.s
	if s.Deployment.Closing.AllScopes != trust.AllScopesWaits {
		p.d.Memory.Upgrade = time.Time{}
		return false
	}
	if p.d.Memory.Upgrade.IsZero() || p.d.Memory.Upgrade.After(s.Now) { // the clock was put back
		p.d.Memory.Upgrade = s.Now
	}
	runs := s.Server.Known && s.Server.Process || !s.Settings.Supervised
	return runs && s.Now.Sub(p.d.Memory.Upgrade) < s.Settings.RotateTimeout
}

// inStep acknowledges to the peers what the running server trusts. It serves with that, so its turn to restart is over.
func (p *pass) inStep() {
	s := p.s
	if s.Settings.Supervised && len(s.Settings.Peers) > 0 && s.Keystore.Path != "" && !s.Keystore.Fresh {
		p.do(KeepServed{})
	}
	said := trust.Trusts{Generation: p.d.Generation, Fingerprints: p.trustedNow()}
	own := s.Own.Trusts
	changed := s.Own.TrustsErr != nil || own.Generation != said.Generation || !own.After.IsZero() || !slices.Equal(own.Fingerprints, said.Fingerprints)
	if changed {
		p.do(Acknowledge{said})
	}
	if changed || s.Memory.Asked != "" || s.Memory.Starts {
		p.log(Info, "", "the running server trusts what is on disk", "server", s.Settings.Server, "generation", p.d.Generation, "trusts", len(said.Fingerprints))
	}
	p.d.Memory.Starts, p.d.Memory.Reload = false, Reload{}
	p.condition(RestartCondition, true, "the server runs with what is on disk")
	p.withdraw()
}

// trustedNow returns those fingerprints on disk that the running server trusts.
func (p *pass) trustedNow() (fingerprints []string) {
	needed, spares := map[string]bool{}, map[string]bool{} // a CA can be both, of two servers
	for name, certs := range p.peers {
		for _, c := range certs {
			if p.spare(name, c.Fingerprint) {
				spares[c.Fingerprint] = true
			} else {
				needed[c.Fingerprint] = true
			}
		}
	}
	for _, f := range p.d.Trusted {
		known := p.s.Server.Trusts != nil
		if known && slices.Contains(p.s.Server.Trusts, f) || !known && (needed[f] || !spares[f]) {
			fingerprints = append(fingerprints, f)
		}
	}
	return fingerprints
}

// wish writes a wish for agent exec, unless it is there already.
func (p *pass) wish(w Wish) {
	switch {
	case p.s.Server.Wish == w:
	case !p.s.Settings.Supervised && w.Running != w.OnDisk: // nobody was asked
	case w.Running == w.OnDisk:
		p.do(Request{w.OnDisk})
	default:
		p.do(Hold(w))
	}
	p.d.Memory.Wish = w
}

// withdraw takes back a wish for a server with something else than is on disk, and leaves the turn to restart to others.
func (p *pass) withdraw() {
	p.wish(Wish{p.d.Generation, p.d.Generation})
	p.d.Memory.Asked = ""
	p.leaveTurn(p.d.Memory.Wish)
}

// keepOff keeps the server running with what it has started with.
func (p *pass) keepOff() {
	p.wish(Wish{p.s.Server.Generation, p.d.Generation})
	p.d.Memory.Asked = ""
}

// hold keeps the server running with what it has started with, and leaves the turn to restart to others.
func (p *pass) hold(why string) { p.wait(false, why) }

// wait is hold, and says whether the agent is ready meanwhile.
func (p *pass) wait(ready bool, why string) {
	p.keepOff()
	p.condition(RestartCondition, ready, why)
	p.leaveTurn(p.d.Memory.Wish)
}

// request asks for a restart, once for each generation.
func (p *pass) request() {
	s, generation := p.s, p.d.Generation
	fresh := s.Memory.Asked != generation || s.Settings.Supervised && s.Server.Wish != (Wish{generation, generation}) // somebody else has told agent exec
	if fresh {
		p.wish(Wish{generation, generation})
		p.d.Memory.Asked = generation
	}
	switch {
	case !s.Settings.Supervised:
		// Nothing can confirm a restart by hand. The log has reported that one is due.
		p.condition(RestartCondition, true, "not known, since RESTART is none: the log says when a restart by hand is due")
		return
	}
	p.asked("the agent has asked for a restart, which is not done yet")
	if fresh {
		p.log(Info, "", "restart of the server asked for", "server", s.Settings.Server, "generation", generation)
	}
}

// unknown says what a start of the server reads, while nobody has reported one: in a pod the sidecar is there first. It asks for no restart, because
// a server may run that somebody else than agent exec restarts, and nobody knows yet with what it has started.
func (p *pass) unknown() {
	s, wish := p.s, Wish{OnDisk: p.d.Generation}
	if s.Server.Wish != wish {
		p.log(Info, "", "no start of the server is reported yet", "server", s.Settings.Server, "generation", p.d.Generation)
	}
	p.wish(wish)
	p.condition(RestartCondition, false, "the server has not started yet, or not under agent exec: run it so, name in RESTART what restarts it, or set RESTART=none and restart it by hand")
	p.leaveTurn(p.d.Memory.Wish)
}

// asked reports a restart that was asked for, with what keeps it from happening.
func (p *pass) asked(text string) {
	if t := p.s.Server.Trouble; t != "" {
		text += ": " + t
	}
	p.condition(RestartCondition, false, text)
}

// rotate continues a rotation. The switch waits while peers do not trust the new certificate, and then rotate makes it. decided is
// true if the server must not restart now, or if another pass follows.
func (p *pass) rotate() (decided bool) {
	waits := p.unready()
	limit := p.deadline(waits)
	switch {
	case len(waits) > 0 && p.s.Now.Before(limit):
		p.wake(limit)
		return p.awaitPeers(waits, limit)
	case len(waits) > 0:
		p.remark(Error, "pressed", p.d.Rotation.Announced, "the server switches to the new certificate though not every peer trusts it: their connections may fail until they do", "server", p.s.Settings.Server,
			"peers", waits, "waited", p.s.Now.Sub(p.d.Rotation.Since).Round(time.Second).String())
	}
	switch {
	case !p.stays():
		return false
	case p.waits != nil:
		p.then(InstallReplaced{})
	default:
		p.then(Install{})
	}
	return true
}

// unready are the peers whose servers would refuse the own server if it presented the announced certificate now.
func (p *pass) unready() (waits []string) {
	if p.d.Rotation.Announced == "" {
		return nil
	}
	for _, name := range p.s.Settings.Peers {
		peer := p.s.Peers[name]
		if peer.TrustsErr != nil {
			p.log(Warn, "trusts of "+name, "what a peer trusts cannot be read", "peer", name, "error", peer.TrustsErr)
		}
		if !trusts(peer.Trusts, p.d.Next.Fingerprint, p.ca()) {
			waits = append(waits, name)
		}
	}
	return waits
}

// deadline is when the switch stops waiting for the named peers. While peers take turns to restart, it waits for as many of them as there
// are. For a peer whose restart waits for people, it waits until that is over, too, but no longer than mostPatience: the peer may be gone.
// If somebody may have the key in use, it does not wait for people.
func (p *pass) deadline(waits []string) time.Time {
	patience := p.s.Settings.RotateTimeout
	end := deadline(p.d.Rotation, p.d.InUse, patience)
	if len(p.others) > 0 {
		end = later(end, deadline(p.d.Rotation, p.d.InUse, time.Duration(len(p.s.Settings.Peers))*patience))
	}
	if p.d.Rotation.Hurry {
		return end
	}
	most := earliest(p.d.Rotation.Since.Add(mostPatience), hurries(p.d.Rotation, p.d.InUse))
	for _, name := range waits {
		end = later(end, earliest(p.s.Peers[name].Trusts.After.Add(p.turnPatience()), most))
	}
	return end
}

// mostPatience is how long a switch waits at most for restarts of peers that wait for people. Each maintenance window opens
// within two weeks.
const mostPatience = 15 * 24 * time.Hour

// awaitPeers is rotate while peers do not trust the new certificate yet. Every restart waits for the switch, so that one restart is
// enough, with one exception. If servers wait for each other, one of them must restart first, with its current certificate, to trust
// those of the others. It is the one whose name comes first.
func (p *pass) awaitPeers(waits []string, limit time.Time) (decided bool) {
	s := p.s
	list := names(waits)
	level := Info
	if p.restOf(waits) {
		level = Warn
	}
	p.remark(level, "waits", list, "the switch to the new certificate waits until it is trusted", "server", s.Settings.Server, "by", waits, "at most until", utc(limit))
	halfway := p.d.Rotation.Since.Add(s.Settings.RotateTimeout / 2) // peers that wait for this server must not be let down by those that are gone
	first := !slices.ContainsFunc(waits, func(name string) bool { return name < s.Settings.Server })
	mustTrust := p.mustTrust()
	goes := mustTrust && first || !s.Now.Before(halfway)
	due := s.Server.Generation != "" && s.Server.Generation != p.d.Generation
	switch {
	case p.stays() && (goes || !due || !s.Settings.Supervised):
		return false
	case !p.stays() && goes && mustTrust && s.Settings.Supervised && p.canPutBack():
		// The generation on disk becomes an earlier one again. A start in between must not be noted with the one that comes back later.
		p.wish(Wish{s.Server.Generation, Generation(s.Records.Edition, *s.Keystore.Served, s.Deployment.Text)})
		p.then(PutBack{})
		p.log(Info, "", "the server must restart before its peers trust its new keystore: the old keystore is back in place until they do, and the new one follows by itself",
			"server", s.Settings.Server, "keystore", s.Keystore.Path, "new one", s.Keystore.NextAt, "fingerprint", s.Keystore.Own.Fingerprint)
		return true
	}
	if !goes {
		p.wake(halfway)
	}
	// Peers whose restarts wait for people may take days, and the server works meanwhile.
	p.wait(p.restOf(waits), "a restart is due, and waits for the new certificate to be trusted by "+list)
	return true
}

// canPutBack reports whether the agent has a copy of the keystore with which the server runs, and may put it in place.
func (p *pass) canPutBack() bool {
	k := p.s.Keystore
	return k.Path != "" && k.Mine && k.Served != nil && RunsWith(p.s.Server.Generation, *k.Served)
}

// mustTrust reports whether the running server does not trust yet what a peer has published.
func (p *pass) mustTrust() bool {
	own := p.s.Own
	if own.TrustsErr != nil {
		return true // as if it trusted nobody: at worst that is a restart too many
	}
	return slices.ContainsFunc(p.s.Settings.Peers, func(name string) bool {
		return slices.ContainsFunc(p.peers[name], func(c Certificate) bool {
			return !p.spare(name, c.Fingerprint) && !slices.Contains(own.Trusts.Fingerprints, c.Fingerprint)
		})
	})
}
