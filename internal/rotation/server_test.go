package rotation

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

func TestAnInitTellsWhatAStartReads(t *testing.T) {
	initial := func() Snapshot {
		s := atRest()
		s.Settings.Init = true
		return s
	}
	decides(t, []situation{
		{"no server runs", initial, (*Snapshot).stopped, `
			do Request{Generation:disk}`},
		{"nobody can restart the server", initial, func(s *Snapshot) { s.stopped(); s.Settings.Supervised = false }, `
			do Note{Generation:disk}`},
		{"a server runs with what is on disk", initial, nil, nothing},
		{"a server runs with something else", initial, (*Snapshot).due, `
			do Hold{Running:running OnDisk:disk}`},
		{"a server runs with something else, and agent exec knows", initial, func(s *Snapshot) { s.due(); s.Server.Wish.OnDisk = Generation(1, s.Keystore.Own, s.Deployment.Text) }, nothing},
		{"a server runs of which nothing is known", initial, func(s *Snapshot) { s.due(); s.Server.Generation = "" }, nothing},
		{"a peer is missing", initial, func(s *Snapshot) { s.stopped(); s.silent("a") }, `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			missing [a]`},
		{"a peer is missing, and the server may start anyway", initial, func(s *Snapshot) { s.stopped(); s.silent("a"); s.Settings.StartAnyway = true }, `
			DEBUG peer a
			ready trust: own certificate published, 2 trusted
			do Request{Generation:disk}
			missing [a]`},
	})
}

func TestAServerThatRunsWithWhatIsOnDiskIsAcknowledged(t *testing.T) {
	decides(t, []situation{
		{"what it trusts was acknowledged", nil, nil, nothing},
		{"it has restarted", nil, func(s *Snapshot) {
			s.Own.Trusts.Generation = "before"
			s.Memory.Asked = s.Server.Generation
			s.Memory.Starts = true
			s.Keystore.Fresh = false
		}, `
			do KeepServed
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk
			asked nothing
			starts false`},
		{"it trusts something else than was acknowledged", nil, func(s *Snapshot) { s.distrusting("C1") }, `
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk`},
		{"what was acknowledged cannot be read", nil, func(s *Snapshot) { s.Own.TrustsErr = errTest }, `
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk`},
		{"it has restarted by itself", nil, func(s *Snapshot) { s.Memory.Starts = true }, `
			INFO the running server trusts what is on disk
			starts false`},
		{"its keystore is not kept yet", nil, func(s *Snapshot) { s.Keystore.Fresh = false }, `
			do KeepServed`},
		{"it has no peers", nil, func(s *Snapshot) {
			s.Keystore.Fresh, s.Settings.Peers = false, nil
			s.without("a")
			s.without("c")
			s.Own.Trusts.Fingerprints = []string{"B1"}
		}, `
			ready trust: own certificate published, 1 trusted`},
		{"its keystore is elsewhere", nil, func(s *Snapshot) { s.Keystore = Keystore{Own: s.Keystore.Own} }, nothing},
		{"people restart it", nil, func(s *Snapshot) { s.Keystore.Fresh, s.Settings.Supervised = false, false }, nothing},
		{"it does not serve yet", nil, func(s *Snapshot) { s.Server.Starting = true; s.Own.Trusts.Generation = "before" }, `
			not ready restart: the server has started with what is on disk, and does not serve yet
			starts true`},
		{"a restart that was wanted is not any more", nil, func(s *Snapshot) {
			s.Memory.Asked, s.Memory.Wish, s.Server.Wish = "other", Wish{"other", "other"}, Wish{"other", "other"}
		}, `
			INFO the running server trusts what is on disk
			do Request{Generation:disk}
			wish {disk disk}
			asked nothing`},
		{"an init has told agent exec something else", nil, func(s *Snapshot) { s.Server.Wish.OnDisk = "other" }, `
			do Request{Generation:disk}`},
	})
}

// waitingFor is a snapshot in which a restart is due, and the agent has the turn.
func waitingFor() Snapshot {
	s := atRest()
	s.due()
	s.Own.Turn = trust.Turn{Wants: Generation(1, s.Keystore.Own, s.Deployment.Text), Has: true, Since: t0.Add(-time.Minute)}
	return s
}

func TestARestartIsAskedForWhenItIsDue(t *testing.T) {
	decides(t, []situation{
		{"the agent has the turn", waitingFor, nil, `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"it was asked for", waitingFor, func(s *Snapshot) {
			s.Memory.Asked = s.Own.Turn.Wants
			s.Server.Wish = Wish{s.Own.Turn.Wants, s.Own.Turn.Wants}
		}, `
			not ready restart: the agent has asked for a restart, which is not done yet`},
		{"it was asked for, and does not happen", waitingFor, func(s *Snapshot) {
			s.Memory.Asked = s.Own.Turn.Wants
			s.Server.Wish = Wish{s.Own.Turn.Wants, s.Own.Turn.Wants}
			s.Server.Trouble = "no rights"
		}, `
			not ready restart: the agent has asked for a restart, which is not done yet: no rights`},
		{"it was asked for, and somebody else has told agent exec something else since", waitingFor, func(s *Snapshot) {
			s.Memory.Asked = s.Own.Turn.Wants
		}, `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}`},
		{"the server is about to stop", waitingFor, func(s *Snapshot) { s.Memory.Asked = s.Own.Turn.Wants; s.Server.Starting = true }, `
			not ready restart: the agent has asked for a restart, and the server is about to stop`},
		{"the server has just started", waitingFor, func(s *Snapshot) {
			s.Server.Starting, s.Server.Since, s.Own.Turn = true, t0.Add(-time.Minute), trust.Turn{}
		}, `
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until the server serves
			wish {running disk}
			wake after 9m0s`},
		{"the server has just started, and agent exec was told", waitingFor, func(s *Snapshot) {
			s.Server.Wish.OnDisk = s.Own.Turn.Wants
			s.Memory.Wish, s.Server.Starting, s.Server.Since, s.Own.Turn = s.Server.Wish, true, t0.Add(-time.Minute), trust.Turn{}
		}, `
			not ready restart: a restart is due, and waits until the server serves
			wake after 9m0s`},
		{"the server has just started, and serves", waitingFor, func(s *Snapshot) { s.Server.Since = t0.Add(-time.Minute) }, `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"no peer is missing any more", waitingFor, func(s *Snapshot) { s.Memory.Patience = t0.Add(time.Minute) }, `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"the server has been starting for too long", waitingFor, func(s *Snapshot) { s.Server.Starting, s.Server.Since = true, t0.Add(-10*time.Minute) }, `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"a peer is missing", waitingFor, func(s *Snapshot) { s.silent("a"); s.Own.Turn = trust.Turn{}; s.Memory.Patience = t0.Add(time.Minute) }, `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the missing peers
			missing [a]
			wish {running disk}
			wake after 1m0s`},
		{"a peer has been missing for too long", waitingFor, func(s *Snapshot) { s.silent("a"); s.Memory.Patience = t0 }, `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			missing [a]
			wish {disk disk}
			asked disk`},
		{"no start was reported yet", nil, func(s *Snapshot) { s.Server = Server{Runs: true} }, `
			INFO no start of the server is reported yet
			do Hold{Running: OnDisk:disk}
			not ready restart: the server has not started yet, or not under agent exec*
			wish { disk}`},
		{"no start was reported yet, and agent exec was told what a start reads", nil, func(s *Snapshot) {
			s.unreported()
		}, `
			not ready restart: the server has not started yet, or not under agent exec*`},
		{"people restart the server", nil, func(s *Snapshot) { s.due(); s.Settings.Supervised, s.Server = false, Server{Runs: true} }, `
			do Request{Generation:disk}
			ready restart: not known, since RESTART is none*
			wish {disk disk}
			asked disk`},
		{"people restart the server, and agent exec has reported its start", nil, func(s *Snapshot) { s.due(); s.Settings.Supervised = false }, `
			do Request{Generation:disk}
			ready restart: not known, since RESTART is none*
			wish {disk disk}
			asked disk`},
		{"people restart the server, and an earlier agent has left a turn", nil, func(s *Snapshot) {
			s.due()
			s.Settings.Supervised, s.Server, s.Own.Turn = false, Server{Runs: true}, trust.Turn{Wants: "x", Has: true}
		}, `
			do Request{Generation:disk}
			ready restart: not known, since RESTART is none*
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			wish {disk disk}
			asked disk`},
	})
}

func TestAServerRestartsInItsTurn(t *testing.T) {
	wants := func(with func(*Snapshot)) func(*Snapshot) { // it has said so a second ago
		return func(s *Snapshot) {
			s.Own.Turn.Has, s.Own.Turn.Since, s.Memory.Queued = false, t0.Add(-time.Second), t0.Add(-time.Second)
			with(s)
		}
	}
	none := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) { s.Own.Turn = trust.Turn{}; with(s) }
	}
	claims := func(name string, has bool) func(*Snapshot) {
		return func(s *Snapshot) {
			s.peer(name, func(p *Peer) { p.Turn = trust.Turn{Wants: "of " + name, Has: has, Since: t0.Add(-time.Minute)} })
		}
	}
	both := func(a, b func(*Snapshot)) func(*Snapshot) { return func(s *Snapshot) { a(s); b(s) } }
	seen := func(name string, since time.Duration) func(*Snapshot) { // it has claimed the turn since then
		return both(claims(name, true), func(s *Snapshot) {
			s.Memory.Claims = Claims{name: {s.Peers[name].Turn, t0.Add(-since)}}
		})
	}
	as := func(*Snapshot) {}
	decides(t, []situation{
		{"it says first that it wants it", waitingFor, none(as), `
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
		{"and then takes it", waitingFor, wants(as), `
			do SayTurn{Turn:{Wants:disk Has:true Since:now}}
			queued never
			again`},
		{"the clock was put back meanwhile", waitingFor, wants(func(s *Snapshot) { s.Memory.Queued = t0.Add(time.Hour); claims("c", true)(s) }), `
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: c
			wish {running disk}
			queued now
			claims [c]
			wake after 10m0s`},
		{"another generation is due meanwhile", waitingFor, func(s *Snapshot) { s.Own.Turn.Wants = "other" }, `
			do SayTurn{Turn:{Wants:disk Has:true Since:2026-01-02 03:03:05 +0000 UTC}}
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"a peer of an earlier name wants it, too", waitingFor, wants(claims("a", false)), `
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			claims [a]
			wake after 10m0s`},
		{"a peer of an earlier name wants it before", waitingFor, none(claims("a", false)), `
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			queued now
			claims [a]
			wake after 10m0s`},
		{"a peer of a later name has it", waitingFor, wants(claims("c", true)), `
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: c
			wish {running disk}
			claims [c]
			wake after 10m0s`},
		{"a peer of a later name has had it for long", waitingFor, wants(seen("c", 9*time.Minute)), `
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: c
			wish {running disk}
			wake after 1m0s`},
		{"a peer has had it for too long", waitingFor, wants(seen("c", 10*time.Minute)), `
			do SayTurn{Turn:{Wants:disk Has:true Since:now}}
			ERROR the server restarts though a peer has not finished its restart*
			queued never
			again`},
		{"peers have had it again and again for too long", waitingFor, wants(func(s *Snapshot) { seen("c", time.Minute)(s); s.Memory.Queued = t0.Add(-30 * time.Minute) }), `
			do SayTurn{Turn:{Wants:disk Has:true Since:now}}
			ERROR the server restarts though a peer has not finished its restart*
			queued never
			wake after 0s
			again`},
		{"peers have it, and the own certificate is about to expire", replacedByHand, func(s *Snapshot) {
			s.trusting("B2", "a", "c")
			claims("a", true)(s)
			s.Own.Certificates[0].NotAfter = t0.Add(time.Minute)
		}, `
			WARN expiry of b
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			claims [a]
			wake after 10m0s
			again`},
		{"peers have it, and the own certificate is not about to expire yet", replacedByHand, func(s *Snapshot) {
			s.trusting("B2", "a", "c")
			claims("a", true)(s)
			s.Own.Certificates[0].NotAfter = t0.Add(2 * time.Minute)
		}, `
			WARN expiry of b
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			queued now
			claims [a]
			wake after 10m0s`},
		{"peers have it, and nobody knows when the own certificate ends", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a", "c"); claims("a", true)(s) }, `
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			queued now
			claims [a]
			wake after 10m0s`},
		{"peers have it, and the own certificate is about to expire without another one", waitingFor, none(func(s *Snapshot) {
			claims("a", true)(s)
			s.Keystore.Own.NotAfter = t0.Add(time.Minute)
		}), `
			WARN expiry of b
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			queued now
			claims [a]
			wake after 10m0s`},
		{"it has it, and a peer's time is over", waitingFor, seen("c", 10*time.Minute), `
			do Request{Generation:disk}
			INFO restart of the server asked for
			not ready restart: the agent has asked for a restart, which is not done yet
			wish {disk disk}
			asked disk`},
		{"nobody can read what a peer says", waitingFor, none(func(s *Snapshot) { s.peer("a", func(p *Peer) { p.TurnErr = errTest }) }), `
			WARN turn of a
			INFO queue
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until others serve again: a
			wish {running disk}
			queued now
			claims [a]
			wake after 10m0s`},
		{"a peer has finished", waitingFor, none(func(s *Snapshot) { s.Memory.Claims = Claims{"a": {trust.Turn{Wants: "x"}, t0.Add(-time.Minute)}} }), `
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			claims []
			again`},
	})
}

func TestAnAgentLeavesTheTurnWhenItsServerServes(t *testing.T) {
	has := func() Snapshot {
		s := atRest()
		s.Own.Turn = trust.Turn{Wants: s.Server.Generation, Has: true, Since: t0.Add(-time.Minute)}
		s.Memory.Queued = t0.Add(-time.Minute)
		return s
	}
	decides(t, []situation{
		{"it serves", has, nil, `
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			queued never`},
		{"it serves, and agent exec was not told yet", has, func(s *Snapshot) { s.Memory.Wish = Wish{} }, `
			wish {disk disk}
			queued never
			again`},
		{"it is still starting", has, func(s *Snapshot) { s.Server.Starting, s.Memory.Starts = true, true }, `
			not ready restart: the server has started with what is on disk, and does not serve yet
			queued never`},
		{"it is still starting, and the agent only wanted it", has, func(s *Snapshot) { s.Server.Starting, s.Memory.Starts, s.Own.Turn.Has = true, true, false }, `
			not ready restart: the server has started with what is on disk, and does not serve yet
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			queued never`},
		{"it is still starting, and people restart it", has, func(s *Snapshot) { s.Server.Starting, s.Memory.Starts, s.Settings.Supervised = true, true, false }, `
			not ready restart: the server has started with what is on disk, and does not serve yet
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			queued never`},
		{"it only wanted it", has, func(s *Snapshot) { s.Own.Turn.Has = false; s.Memory.Wish = Wish{} }, `
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			wish {disk disk}
			queued never`},
	})
}

func TestTheSwitchWaitsForThePeers(t *testing.T) {
	since := func(minutes int) func(*Snapshot) {
		return func(s *Snapshot) { s.Records.Rotation.Since = t0.Add(-time.Duration(minutes) * time.Minute) }
	}
	decides(t, []situation{
		{"a new identity is announced", issuing, func(s *Snapshot) { s.TLS.Staged, s.TLS.IsStaged = identityOf("B2"), true }, `
			do Publish[b1 b2]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B2 Since:now Retired:map[] Hurry:false}}
			INFO waits
			wake after 10m0s`},
		{"no peer trusts it", staging, nil, `
			INFO waits
			wake after 9m0s`},
		{"one peer trusts it", staging, func(s *Snapshot) { s.trusting("B2", "a") }, `
			INFO waits
			wake after 9m0s`},
		{"what a peer trusts cannot be read", staging, func(s *Snapshot) {
			s.trusting("B2", "a")
			s.peer("c", func(p *Peer) { p.TrustsErr, p.Trusts = errTest, trust.Trusts{} })
		}, `
			WARN trusts of c
			INFO waits
			wake after 9m0s`},
		{"all peers trust it", staging, func(s *Snapshot) { s.trusting("B2", "a", "c") }, `
			do Install
			again`},
		{"all peers trust it, and another restart is due", staging, func(s *Snapshot) { s.due(); s.trusting("B2", "a", "c") }, `
			do Install
			again`},
		{"no start was reported yet", staging, func(s *Snapshot) {
			s.unreported()
		}, `
			INFO waits
			not ready restart: the server has not started yet*
			wake after 9m0s`},
		{"another restart is due, and only a peer of a later name waits", staging, func(s *Snapshot) { s.due(); s.trusting("B2", "a") }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by c
			wish {running disk}
			wake after 4m0s`},
		{"a peer does not trust it in time", staging, since(10), `
			ERROR pressed
			do Install
			again`},
		{"peers take turns to restart, and more time is theirs", staging, func(s *Snapshot) {
			since(10)(s)
			s.peer("a", func(p *Peer) { p.Turn = trust.Turn{Wants: "x", Since: t0} })
		}, `
			INFO waits
			claims [a]
			wake after 10m0s`},
		{"the certificate in use is about to expire", staging, func(s *Snapshot) { s.Keystore.Own.NotAfter = t0.Add(time.Minute) }, `
			WARN expiry of b
			ERROR pressed
			do Install
			wake after 24h0m0s
			again`},
		{"another restart is due: one will serve for both", staging, (*Snapshot).due, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 4m0s`},
		{"another restart is due, and halfway it waits no longer", staging, func(s *Snapshot) { s.due(); since(5)(s) }, `
			INFO waits
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 5m0s
			again`},
		{"a restart is due to trust a peer, and only a peer of a later name waits", staging, func(s *Snapshot) { s.due(); s.distrusting("C1"); s.trusting("B2", "a") }, `
			INFO waits
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 9m0s
			again`},
		{"a restart is due to trust a peer, and a peer of an earlier name waits, too", staging, func(s *Snapshot) { s.due(); s.distrusting("C1") }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 4m0s`},
	})
}

func TestAnOwnClaimThatCannotBeReadIsTakenBack(t *testing.T) {
	s := atRest()
	s.Own.TurnErr = errTest
	if d := Decide(s); !slices.Contains(d.Actions, Action(SayTurn{})) {
		t.Errorf("it decides %v", d.Actions)
	}
}
