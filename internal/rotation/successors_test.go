package rotation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

const year = 365 * 24 * time.Hour

// ahead is issuing with TLS_SUCCESSORS=2 and a full pool, which all running servers trust.
func ahead() Snapshot {
	s := issuing()
	s.Settings.Successors, s.Settings.Reload = 2, true
	s.Keystore.Own = lasting("B1", 1)
	s.Keystore.Served = &s.Keystore.Own
	s.TLS.Installed.Leaf = s.Keystore.Own
	s.Own.Certificates = []Certificate{lasting("B1", 1)}
	s.Server.Presented, s.Server.Reloads = "B1", true
	s.Truststore.Own = []Certificate{lasting("B1", 1)}
	s.Own.Trusts.Fingerprints = []string{"A1", "B1", "C1"}
	s.Own.Successors = []Certificate{lasting("B1", 1)}
	for i, f := range []string{"B2", "B3"} {
		c := lasting(f, i+2)
		s.TLS.Successors = append(s.TLS.Successors, &Identity{Leaf: c, Chain: f})
		s.Own.Successors = append(s.Own.Successors, c)
		s.Truststore.Own = append(s.Truststore.Own, c)
		s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-" + c.Short(), Fingerprint: f})
		s.Own.Trusts.Fingerprints = append(s.Own.Trusts.Fingerprints, f)
		s.trusting(f, "a", "c")
	}
	slices.Sort(s.Own.Trusts.Fingerprints)
	s.Server.Trusts = slices.Clone(s.Own.Trusts.Fingerprints)
	return s
}

// lasting is a certificate that ends so many years after t0.
func lasting(fingerprint string, years int) Certificate {
	return Certificate{Fingerprint: fingerprint, NotBefore: t0, NotAfter: t0.Add(time.Duration(years) * year)}
}

// knows makes the running server trust what is in the truststore, and says so.
func (s *Snapshot) knows(fingerprints ...string) {
	s.Server.Trusts = fingerprints
	s.Own.Trusts.Fingerprints = fingerprints
}

// entry adds an entry to the truststore.
func (s *Snapshot) entry(alias, fingerprint string) {
	s.Truststore.Entries = append(slices.Clone(s.Truststore.Entries), trust.Entry{Alias: alias, Fingerprint: fingerprint})
}

// waiting stages an identity that is announced. It is no longer in the pool.
func waiting() Snapshot {
	s := ahead()
	s.TLS.Staged, s.TLS.IsStaged = &Identity{Leaf: lasting("B9", 9), Chain: "B9"}, true
	s.Own.Certificates = append(s.Own.Certificates, lasting("B9", 9))
	s.Own.Successors = []Certificate{{Fingerprint: "B1"}, {Fingerprint: "B9"}, {Fingerprint: "B2"}, {Fingerprint: "B3"}}
	s.Records.Rotation = trust.Rotation{Announced: "B9", Since: t0.Add(-time.Minute)}
	s.entry("b-b9", "B9")
	return s
}

func TestThePoolIsKeptFull(t *testing.T) {
	decides(t, []situation{
		{"it is full", ahead, nil, `
			wake after 8040h0m0s`},
		{"the last one is missing", ahead, func(s *Snapshot) { s.TLS.Successors = s.TLS.Successors[:1] }, `
			do IssueSuccessor{Turn:2}
			again`},
		{"all are missing", ahead, func(s *Snapshot) { s.TLS.Successors = nil }, `
			do IssueSuccessor{Turn:1}
			again`},
		{"TLS_SUCCESSORS is raised", ahead, func(s *Snapshot) { s.Settings.Successors = 3 }, `
			do IssueSuccessor{Turn:3}
			again`},
		{"one is missing, and another waits for the switch", waiting, func(s *Snapshot) { s.TLS.Successors = s.TLS.Successors[:1] }, `
			do IssueSuccessor{Turn:3}
			again`},
		{"one is missing before the first start", ahead, func(s *Snapshot) { s.stopped(); s.TLS.Successors = s.TLS.Successors[:1] }, `
			do IssueSuccessor{Turn:2}
			again`},
		{"TLS_SUCCESSORS is lowered", ahead, func(s *Snapshot) { s.Settings.Successors = 1 }, `
			do DropSuccessor{Fingerprint:B3 Reason:is one more than TLS_SUCCESSORS}
			again`},
		{"TLS_SUCCESSORS is 0", ahead, func(s *Snapshot) { s.Settings.Successors = 0 }, `
			do DropSuccessor{Fingerprint:B2 Reason:is one more than TLS_SUCCESSORS}
			do DropSuccessor{Fingerprint:B3 Reason:is one more than TLS_SUCCESSORS}
			again`},
		{"TLS_SUCCESSORS is 0, and the pool is empty", ahead, func(s *Snapshot) { s.Settings.Successors, s.TLS.Successors = 0, nil }, `
			do PublishSuccessors[]
			do Import[removed b-b2 b2 removed b-b3 b3]
			INFO trusted certificate removed
			INFO trusted certificate removed
			again`},
		{"TLS_MODE is files now", ahead, func(s *Snapshot) {
			s.Settings.TLSMode, s.Settings.Successors, s.TLS.Files = "files", 0, s.TLS.Installed
		}, `
			do DropSuccessor{Fingerprint:B2 Reason:is one more than TLS_SUCCESSORS}
			do DropSuccessor{Fingerprint:B3 Reason:is one more than TLS_SUCCESSORS}
			again`},
		{"one lacks a name", ahead, func(s *Snapshot) { s.TLS.Successors[0].Stale = "lacks a name" }, `
			do DropSuccessor{Fingerprint:B2 Reason:lacks a name}
			again`},
		{"one is installed, because the agent was killed", ahead, func(s *Snapshot) { s.TLS.Successors[0] = s.TLS.Installed }, `
			do DropSuccessor{Fingerprint:B1 Reason:is the server's own now}
			again`},
		{"one is staged, because the agent was killed", waiting, func(s *Snapshot) { s.TLS.Successors[1] = s.TLS.Staged }, `
			do DropSuccessor{Fingerprint:B9 Reason:is the server's own now}
			again`},
		{"one is staged, because the agent was killed, and somebody asks for another one after a theft", waiting, func(s *Snapshot) {
			s.TLS.Successors = []*Identity{s.TLS.Staged}
			s.TLS.Asked, s.TLS.Stolen, s.Records.Rotation.Hurry = true, true, true
		}, `
			do DropSuccessor{Fingerprint:B9 Reason:is the server's own now}
			again`},
		{"a stale one is installed", ahead, func(s *Snapshot) { s.TLS.Successors[0] = s.TLS.Installed; s.TLS.Installed.Stale = "is old" }, `
			do DropSuccessor{Fingerprint:B1 Reason:is the server's own now}
			again`},
		{"a request after a theft is recorded first", ahead, func(s *Snapshot) { s.TLS.Asked, s.TLS.Stolen = true, true }, `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:true}}
			again`},
		{"somebody asks for another one after a theft", ahead, func(s *Snapshot) { s.TLS.Asked, s.TLS.Stolen, s.Records.Rotation.Hurry = true, true, true }, `
			do DropSuccessor{Fingerprint:B2 Reason:may be known to others}
			do DropSuccessor{Fingerprint:B3 Reason:may be known to others}
			again`},
		{"one is missing, and somebody asks for another one that was issued in this round", ahead, func(s *Snapshot) {
			s.TLS.Asked, s.Memory.Issued, s.TLS.Successors = true, true, s.TLS.Successors[:1]
		}, `
			do PublishSuccessors[b1 b2]
			do Import[removed b-b3 b3]
			INFO trusted certificate removed
			again`},
		{"one is missing, though as many as there are to be were issued in this round", ahead, func(s *Snapshot) {
			s.TLS.Successors, s.Memory.Ahead = s.TLS.Successors[:1], s.Settings.Successors
		}, `
			do PublishSuccessors[b1 b2]
			do Import[removed b-b3 b3]
			INFO trusted certificate removed
			again`},
		{"one is missing, and the issuing has failed in this round", ahead, func(s *Snapshot) { s.TLS.Successors, s.Memory.Trouble = s.TLS.Successors[:1], errTest }, `
			ERROR identity
			not ready identity: the test says so
			do PublishSuccessors[b1 b2]
			do Import[removed b-b3 b3]
			INFO trusted certificate removed
			trouble: the test says so
			again`},
		{"one is missing, and so is the first identity", ahead, func(s *Snapshot) {
			s.stopped()
			s.TLS, s.Memory.Issued = TLS{}, true
			s.Own, s.Records.Rotation = Own{}, trust.Rotation{}
		}, `
			do Publish[b1]
			INFO own certificate published
			do Import[removed b-b2 b2 removed b-b3 b3]
			INFO trusted certificate removed
			INFO trusted certificate removed
			again`},
		{"TLS_MODE has no effect", ahead, func(s *Snapshot) { s.TLS.Refused = "it has a listener of its own" }, `
			WARN TLS_MODE
			ready identity: TLS_MODE has no effect on this server: it has a listener of its own
			do PublishSuccessors[]
			do Import[removed b-b2 b2 removed b-b3 b3]
			INFO trusted certificate removed
			INFO trusted certificate removed
			again`},
	})
}

func TestTroubleWithThePoolIsNoTroubleWithTheCertificateInUse(t *testing.T) {
	failed := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Memory.Fail(IssueSuccessor{}, errTest)
			with(s)
		}
	}
	retries := func(after time.Duration) func(*Snapshot) {
		return failed(func(s *Snapshot) {
			s.TLS.Successors, s.Memory.Retry = s.TLS.Successors[:1], t0.Add(after)
		})
	}
	decides(t, []situation{
		{"one is missing", ahead, failed(func(s *Snapshot) { s.TLS.Successors = s.TLS.Successors[:1]; s.Own.Successors = s.Own.Successors[:2] }), `
			WARN pool
			do Import[removed b-b3 b3]
			INFO trusted certificate removed
			wake after 1m0s
			again`},
		{"one is missing on disk too", ahead, failed(func(s *Snapshot) {
			s.TLS.Successors, s.Own.Successors, s.Truststore.Entries = s.TLS.Successors[:1], s.Own.Successors[:2], s.Truststore.Entries[:len(s.Truststore.Entries)-1]
		}), `
			WARN pool
			advice successors: the test says so; all running servers trust 1 successor of the certificate: so many rotations need no restart of a peer, until 2028-01-02T03:04:05Z
			do Acknowledge disk[a1 b1 b2 c1]
			INFO the running server trusts what is on disk
			wake after 1m0s`},
		{"it failed half a minute ago", ahead, retries(30 * time.Second), `
			WARN pool
			do PublishSuccessors[b1 b2]
			do Import[removed b-b3 b3]
			INFO trusted certificate removed
			wake after 30s
			again`},
		{"it failed a minute ago", ahead, retries(0), `
			do IssueSuccessor{Turn:2}
			again`},
		{"it failed, and the clock was put back", ahead, retries(time.Hour), `
			do IssueSuccessor{Turn:2}
			again`},
		{"there is one too many", ahead, func(s *Snapshot) { s.Settings.Successors = 1; s.Memory.Fail(DropSuccessor{}, errTest) }, `
			WARN pool
			advice successors: the test says so; all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2029-01-01T03:04:05Z
			wake after 1m0s`},
		{"there should be none", ahead, func(s *Snapshot) {
			s.Settings.Successors, s.Own.Successors, s.TLS.Successors = 0, nil, s.TLS.Successors[:1]
			s.Truststore.Entries = s.Truststore.Entries[:len(s.Truststore.Entries)-2]
			s.Memory.Fail(DropSuccessor{}, errTest)
		}, `
			WARN pool
			advice successors: the test says so
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk
			wake after 1m0s`},
		{"a rotation goes on", ahead, failed(func(s *Snapshot) { s.TLS.Asked = true }), `
			WARN pool
			do StageSuccessor{Fingerprint:B2 Reason:somebody requested another one}
			issued true
			wake after 1m0s
			again`},
		{"those that others may know stay", ahead, func(s *Snapshot) {
			s.TLS.Asked, s.TLS.Stolen, s.Records.Rotation.Hurry = true, true, true
			s.Memory.Fail(DropSuccessor{}, errTest)
		}, `
			WARN pool
			ERROR identity
			not ready identity: the test says so
			advice successors: the test says so; all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2029-01-01T03:04:05Z
			wake after 1m0s
			trouble: the test says so`},
	})
	var m Memory
	for _, a := range []Action{Issue{}, StageSuccessor{}} {
		m = Memory{}
		if m.Fail(a, errTest); m.Trouble != errTest || m.AheadErr != nil {
			t.Errorf("after %T: %+v", a, m)
		}
	}
}

func TestARotationTakesASuccessorThatAllRunningServersTrust(t *testing.T) {
	asked := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) { s.TLS.Asked = true; with(s) }
	}
	distrust := func(f string, names ...string) func(*Snapshot) {
		return asked(func(s *Snapshot) {
			for _, name := range names {
				s.peer(name, func(p *Peer) {
					p.Trusts.Fingerprints = slices.DeleteFunc(slices.Clone(p.Trusts.Fingerprints), func(other string) bool { return other == f })
				})
			}
		})
	}
	decides(t, []situation{
		{"all trust both: the one that ends first", ahead, asked(func(*Snapshot) {}), `
			do StageSuccessor{Fingerprint:B2 Reason:somebody requested another one}
			issued true
			again`},
		{"the certificate in use is to be renewed", ahead, func(s *Snapshot) { s.TLS.Installed.Stale = "is old" }, `
			do StageSuccessor{Fingerprint:B2 Reason:the previous certificate is old}
			issued true
			again`},
		{"a peer does not trust the first", ahead, distrust("B2", "c"), `
			do StageSuccessor{Fingerprint:B3 Reason:somebody requested another one}
			issued true
			again`},
		{"the own server does not trust the first", ahead, asked(func(s *Snapshot) { s.knows("A1", "B1", "B3", "C1") }), `
			do StageSuccessor{Fingerprint:B3 Reason:somebody requested another one}
			issued true
			again`},
		{"the own server does not trust the first, and does not run", ahead, asked(func(s *Snapshot) { s.knows("A1", "B1", "B3", "C1"); s.Server.Runs = false }), `
			do StageSuccessor{Fingerprint:B2 Reason:somebody requested another one}
			issued true
			again`},
		{"nobody trusts any", ahead, asked(func(s *Snapshot) { s.knows("A1", "B1", "C1") }), `
			do StageSuccessor{Fingerprint:B2 Reason:somebody requested another one}
			issued true
			again`},
		{"one is stale and about to be dropped", ahead, asked(func(s *Snapshot) { s.TLS.Successors[0].Stale = "lacks a name" }), `
			do DropSuccessor{Fingerprint:B2 Reason:lacks a name}
			again`},
		{"the pool is empty", ahead, asked(func(s *Snapshot) { s.TLS.Successors = nil }), `
			do Issue{Reason:somebody requested another one}
			issued true
			again`},
		{"all were dropped after a theft", ahead, asked(func(s *Snapshot) { s.TLS.Successors, s.TLS.Stolen, s.Records.Rotation.Hurry = nil, true, true }), `
			do Issue{Reason:somebody requested another one}
			issued true
			again`},
		{"a killed agent has taken one, and has not answered the request", waiting, asked(func(s *Snapshot) { s.TLS.Successors = append(s.TLS.Successors, s.TLS.Staged) }), `
			do StageSuccessor{Fingerprint:B9 Reason:somebody requested another one}
			issued true
			again`},
		{"a killed agent has taken one, which is the only one", waiting, asked(func(s *Snapshot) { s.TLS.Successors = []*Identity{s.TLS.Staged} }), `
			do StageSuccessor{Fingerprint:B9 Reason:somebody requested another one}
			issued true
			again`},
		{"a killed agent has taken one, which lacks a name now", waiting, asked(func(s *Snapshot) {
			s.TLS.Staged.Stale = "lacks a name"
			s.TLS.Successors = append(s.TLS.Successors, s.TLS.Staged)
		}), `
			do DropSuccessor{Fingerprint:B9 Reason:is the server's own now}
			again`},
		{"a killed agent has taken one, and it is installed", ahead, asked(func(s *Snapshot) {
			s.TLS.Staged, s.TLS.IsStaged = s.TLS.Installed, true
			s.TLS.Successors = append(s.TLS.Successors, s.TLS.Staged)
		}), `
			do DropSuccessor{Fingerprint:B1 Reason:is the server's own now}
			again`},
		{"one was taken in this round", ahead, asked(func(s *Snapshot) { s.Memory.Issued = true }), `
			wake after 8040h0m0s`},
	})
}

func TestSuccessorsArePublishedWithTheOwnIdentities(t *testing.T) {
	decides(t, []situation{
		{"nothing is published yet", ahead, func(s *Snapshot) { s.Own.Successors = nil }, `
			do PublishSuccessors[b1 b2 b3]
			wake after 8040h0m0s`},
		{"what is published cannot be read", ahead, func(s *Snapshot) { s.Own.SuccessorsErr = errTest }, `
			do PublishSuccessors[b1 b2 b3]
			wake after 8040h0m0s`},
		{"in another order", ahead, func(s *Snapshot) { slices.Reverse(s.Own.Successors) }, `
			do PublishSuccessors[b1 b2 b3]
			wake after 8040h0m0s`},
		{"one of them is gone", ahead, func(s *Snapshot) { s.Own.Successors = s.Own.Successors[:2] }, `
			do PublishSuccessors[b1 b2 b3]
			wake after 8040h0m0s`},
		{"one waits for the switch", waiting, nil, `
			INFO waits
			ready trust: own certificate published, 6 trusted
			wake after 9m0s`},
		{"one waits for the switch, and is not published", waiting, func(s *Snapshot) { s.Own.Successors = ahead().Own.Successors }, `
			do PublishSuccessors[b1 b9 b2 b3]
			INFO waits
			ready trust: own certificate published, 6 trusted
			wake after 9m0s`},
		{"the peers learn of the switch and of what comes after it at once", waiting, func(s *Snapshot) {
			s.Own, s.Records.Rotation = Own{Certificates: ahead().Own.Certificates, Trusts: s.Own.Trusts}, trust.Rotation{}
		}, `
			do PublishSuccessors[b1 b9 b2 b3]
			do Publish[b1 b9]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B9 Since:now Retired:map[] Hurry:false}}
			INFO waits
			ready trust: own certificate published, 6 trusted
			wake after 10m0s`},
	})
	s := ahead()
	s.Settings.Successors = 20
	for i := range 18 {
		s.TLS.Successors = append(s.TLS.Successors, identityOf(fmt.Sprintf("E%d", i)))
	}
	if i := slices.IndexFunc(Decide(s).Actions, func(a Action) bool { _, is := a.(PublishSuccessors); return is }); i < 0 || len(Decide(s).Actions[i].(PublishSuccessors).Fingerprints) != maxPublished {
		t.Errorf("of 21 certificates it publishes %v, want %d, as many as a peer reads", Decide(s).Actions, maxPublished)
	}
}

func TestSparesAreImportedWhereSomebodyCanSayLaterWhatTheServerTrusts(t *testing.T) {
	announces := func(with func(*Snapshot)) func(*Snapshot) { // a peer has a successor
		return func(s *Snapshot) {
			s.peer("a", func(p *Peer) { p.Successors = []Certificate{{Fingerprint: "A1"}, {Fingerprint: "A2"}} })
			with(s)
		}
	}
	onDisk := func(s *Snapshot) { s.entry("a-a2", "A2") }
	decides(t, []situation{
		{"agent exec reports what a start trusts", ahead, announces(func(*Snapshot) {}), `
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"they are on disk, and the running server does not trust them", ahead, announces(onDisk), `
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
		{"they are on disk, and the running server trusts them", ahead, announces(func(s *Snapshot) {
			onDisk(s)
			s.Server.Trusts = append(s.Server.Trusts, "A2")
		}), `
			ready trust: own certificate published, 6 trusted
			do Acknowledge disk[a1 a2 b1 b2 b3 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
		{"agent exec of an older version does not", nil, announces(func(*Snapshot) {}), nothing},
		{"agent exec of an older version does not, and init has imported them", nil, announces(onDisk), nothing},
		{"no server runs", nil, announces((*Snapshot).stopped), `
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"no server runs, and nobody reports what a start trusts", nil, announces(func(s *Snapshot) { s.stopped(); s.Settings.Supervised = false }), `
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"agent exec has reported no start yet", nil, announces(func(s *Snapshot) {
			s.Server = Server{Runs: true, Wish: s.Memory.Wish}
			s.Memory.Asked = s.Memory.Wish.OnDisk
		}), `
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"nobody reports what a start trusts", nil, announces(func(s *Snapshot) {
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
			s.Memory.Asked = s.Memory.Wish.OnDisk
		}), `
			ready restart: not known, since RESTART is none: the log says when a restart by hand is due`},
		{"the peer has published no certificate in use", ahead, announces(func(s *Snapshot) { s.silent("a") }), `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			missing [a]
			wake after 8040h0m0s`},
		{"the peer uses it now", ahead, announces(func(s *Snapshot) {
			onDisk(s)
			s.publishes("a", "A2", "A1")
			s.Server.Trusts = append(s.Server.Trusts, "A2")
		}), `
			do SaveHistories{Histories:map[a:{Known:[A2 A1] Changes:[]} c:{Known:[C1] Changes:[]}]}
			do Import[removed a-a2 a2 replaced a a2 added a-a1 a1]
			INFO trusted certificate in use now
			again`},
		{"the peer's certificates change too often, and this one costs nothing", ahead, announces(func(s *Snapshot) {
			s.Records.Histories["a"] = trust.History{Known: []string{"A1"}, Changes: []time.Time{t0.Add(-3 * time.Minute), t0.Add(-2 * time.Minute), t0.Add(-time.Minute)}}
		}), `
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"the peer's certificates change too often, and the server trusts the next one already", ahead, announces(func(s *Snapshot) {
			onDisk(s)
			s.publishes("a", "A2")
			s.Server.Trusts = append(s.Server.Trusts, "A2")
			s.Records.Histories["a"] = trust.History{Known: []string{"A1"}, Changes: []time.Time{t0.Add(-3 * time.Minute), t0.Add(-2 * time.Minute), t0.Add(-time.Minute)}}
		}), `
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[2026-01-02 03:01:05 +0000 UTC 2026-01-02 03:02:05 +0000 UTC 2026-01-02 03:03:05 +0000 UTC]} c:{Known:[C1] Changes:[]}]}
			do Import[removed a-a2 a2 replaced a a2 added a-a1 a1]
			INFO trusted certificate in use now
			again`},
	})
}

func TestTheOwnServerTrustsWhatItWillPresent(t *testing.T) {
	without := func(alias string) func(*Snapshot) { return func(s *Snapshot) { s.without(alias) } }
	decides(t, []situation{
		{"a successor", ahead, without("b-b3"), `
			do Import[added b-b3 b3]
			INFO trusted certificate added
			again`},
		{"a successor that the running server of an older agent exec cannot trust", ahead, func(s *Snapshot) { s.without("b-b3"); s.Server.Trusts = nil }, `
			advice successors: *
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
		{"successors that are on disk, and agent exec is older", ahead, func(s *Snapshot) { s.Server.Trusts = nil }, `
			advice successors: *
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
		{"the CA of its certificate", byCA, func(s *Snapshot) { s.Server.Trusts = []string{"A1", "B1", "C1"} }, `
			do Import[added b-ca ca]
			INFO trusted certificate added
			again`},
		{"the CA of its certificate, which is on disk, and agent exec is older", byCA, func(s *Snapshot) { s.entry("b-ca", "CA") }, nothing},
		{"not the CA, and agent exec is older", byCA, nil, nothing},
		{"not the CA, without TRUST=ca", byCA, func(s *Snapshot) { s.Settings.TrustCA = false; s.Server.Trusts = []string{"A1", "B1", "C1"} }, nothing},
		{"the certificate of its start, which some ports still serve", ahead, startedWith("B0"), `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2027-01-02T03:04:05Z, and the server restarts from 2026-12-26T03:04:05Z on
			wake after 8040h0m0s`},
		{"a certificate of its start that nobody has any more", ahead, func(s *Snapshot) { s.Server.Presented = "BF" }, `
			wake after 8040h0m0s`},
	})
}

// startedWith makes the running server one that started with a certificate that it does not present any more. The peers have
// forgotten it.
func startedWith(fingerprint string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Server.Presented = fingerprint
		c := lasting(fingerprint, 1)
		c.NotBefore = t0.Add(-2 * year)
		s.Truststore.Own = append(slices.Clone(s.Truststore.Own), c)
		s.entry("b-"+c.Short(), fingerprint)
		s.Server.Trusts = append(slices.Clone(s.Server.Trusts), fingerprint)
		slices.Sort(s.Server.Trusts)
		s.Own.Trusts.Fingerprints = s.Server.Trusts
	}
}

func TestOnlyACertificateInUseMakesARestartDue(t *testing.T) {
	uses := func(with func(*Snapshot)) func(*Snapshot) { // a peer uses a certificate that came as a spare after the start
		return func(s *Snapshot) {
			s.publishes("a", "A2", "A1")
			s.entry("a-a1", "A1")
			s.Truststore.Entries[0] = trust.Entry{Alias: "a", Fingerprint: "A2"}
			s.Records.Histories["a"] = trust.History{Known: []string{"A2", "A1"}}
			with(s)
		}
	}
	from := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) { startedWith("B0")(s); with(s) }
	}
	ends := func(left time.Duration) func(*Snapshot) {
		return from(func(s *Snapshot) { s.Truststore.Own[len(s.Truststore.Own)-1].NotAfter = t0.Add(left) })
	}
	decides(t, []situation{
		{"a peer uses one that the running server does not trust", ahead, uses(func(*Snapshot) {}), `
			INFO the running server has to read its truststore again
			ready trust: own certificate published, 6 trusted
			do RaiseEdition{Reason:a uses the certificate a2, which came after the server's start}
			wake after 8040h0m0s
			again`},
		{"another start has not read it either", ahead, uses(func(s *Snapshot) { s.Memory.Raised = []string{"A2"} }), `
			ERROR unread a
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
		{"a peer uses one that the running server trusts", ahead, uses(func(s *Snapshot) { s.knows("A1", "A2", "B1", "B2", "B3", "C1") }), `
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
		{"a start reads it", ahead, uses(func(s *Snapshot) { s.Settings.Init = true }), `
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
		{"agent exec of an older version does not say what the server trusts", ahead, uses(func(s *Snapshot) { s.Server.Trusts = nil }), `
			ready trust: own certificate published, 6 trusted
			advice successors: *
			do Acknowledge disk[a1 a2 b1 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
		{"a restart is due anyway", ahead, uses((*Snapshot).due), `
			ready trust: own certificate published, 6 trusted
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"the certificate of the start lasts for long", ahead, from(func(*Snapshot) {}), `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2027-01-02T03:04:05Z, and the server restarts from 2026-12-26T03:04:05Z on
			wake after 8040h0m0s`},
		{"the certificate of the start ends in eight days", ahead, ends(8 * 24 * time.Hour), `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-10T03:04:05Z, and the server restarts from 2026-01-03T03:04:05Z on
			wake after 24h0m0s`},
		{"the certificate of the start ends in seven days", ahead, ends(7 * 24 * time.Hour), `
			INFO the running server has to read its truststore again
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-09T03:04:05Z, and the server restarts from 2026-01-02T03:04:05Z on
			do RaiseEdition{Reason:some ports still serve the certificate of the server's start, which is about to expire}
			wake after 8040h0m0s
			again`},
		{"a short one is near its end by an eighth of its life", ahead, from(func(s *Snapshot) {
			c := &s.Truststore.Own[len(s.Truststore.Own)-1]
			c.NotBefore, c.NotAfter = t0.Add(-7*time.Hour), t0.Add(time.Hour)
		}), `
			INFO the running server has to read its truststore again
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-02T04:04:05Z, and the server restarts from 2026-01-02T03:04:05Z on
			do RaiseEdition{Reason:some ports still serve the certificate of the server's start, which is about to expire}
			wake after 8040h0m0s
			again`},
		{"a short one is not near its end yet", ahead, from(func(s *Snapshot) {
			c := &s.Truststore.Own[len(s.Truststore.Own)-1]
			c.NotBefore, c.NotAfter = t0.Add(-6*time.Hour), t0.Add(2*time.Hour)
		}), `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-02T05:04:05Z, and the server restarts from 2026-01-02T04:04:05Z on
			wake after 1h0m0s`},
		{"the server has started even nearer to its end", ahead, ends(6*24*time.Hour - time.Second), `
			INFO the running server has to read its truststore again
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-08T03:04:04Z, and the server restarts from 2026-01-01T03:04:04Z on
			do RaiseEdition{Reason:some ports still serve the certificate of the server's start, which is about to expire}
			wake after 8040h0m0s
			again`},
		{"the edition was raised for that, and the server has not started since", ahead, func(s *Snapshot) {
			ends(6 * 24 * time.Hour)(s)
			s.Memory.Raised = []string{s.Server.Presented}
		}, `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-08T03:04:05Z, and the server restarts from 2026-01-01T03:04:05Z on
			wake after 8040h0m0s`},
		{"the server has started just then", ahead, ends(6 * 24 * time.Hour), `
			INFO the running server has to read its truststore again
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start; it expires at 2026-01-08T03:04:05Z, and the server restarts from 2026-01-01T03:04:05Z on
			do RaiseEdition{Reason:some ports still serve the certificate of the server's start, which is about to expire}
			wake after 8040h0m0s
			again`},
		{"nobody knows when the certificate of the start ends", ahead, from(func(s *Snapshot) { s.Truststore.Own[len(s.Truststore.Own)-1].NotAfter = time.Time{} }), `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start
			wake after 8040h0m0s`},
	})
}

func TestThePoolIsReported(t *testing.T) {
	decides(t, []situation{
		{"no successor is wanted", ahead, func(s *Snapshot) {
			s.Settings.Successors, s.TLS.Successors, s.Own.Successors = 0, nil, nil
			s.without("b-b2")
			s.without("b-b3")
			s.knows("A1", "B1", "C1")
		}, `
			wake after 8040h0m0s`},
		{"TLS_MODE has no effect", ahead, func(s *Snapshot) {
			s.TLS.Refused, s.Own.Successors = "it has a listener of its own", nil
			s.without("b-b2")
			s.without("b-b3")
			s.knows("A1", "B1", "C1")
		}, `
			WARN TLS_MODE
			ready identity: TLS_MODE has no effect on this server: it has a listener of its own
			wake after 8040h0m0s`},
		{"a peer trusts only one of them", ahead, func(s *Snapshot) {
			s.peer("a", func(p *Peer) { p.Trusts.Fingerprints = []string{"A1", "B1", "B3", "C1"} })
		}, `
			fine successors: all running servers trust 1 successor of the certificate: so many rotations need no restart of a peer, until 2029-01-01T03:04:05Z; 1 more are trusted after the next start of each server
			wake after 8040h0m0s`},
		{"a peer trusts none of them", ahead, func(s *Snapshot) {
			s.peer("a", func(p *Peer) { p.Trusts.Fingerprints = []string{"A1", "B1", "C1"} })
		}, `
			advice successors: *
			wake after 8040h0m0s`},
		{"the first of them ends last", ahead, func(s *Snapshot) {
			first, last := *s.TLS.Successors[0], *s.TLS.Successors[1]
			s.TLS.Successors = []*Identity{&last, &first}
			s.Own.Successors = []Certificate{{Fingerprint: "B1"}, {Fingerprint: "B3"}, {Fingerprint: "B2"}}
		}, `
			wake after 8040h0m0s`},
		{"not before a start", ahead, func(s *Snapshot) {
			startedWith("B0")(s)
			s.Settings.Init = true
			s.peer("a", func(p *Peer) { p.Trusts.Fingerprints = []string{"A1", "B1", "C1"} })
		}, `
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
		{"the ports, before agent exec says what the start has presented", ahead, func(s *Snapshot) { startedWith("B0")(s); s.Server.Presented = "" }, `
			do Import[removed b-b0 b0]
			INFO trusted certificate removed
			again`},
		{"the ports, one of which serves what is only published", ahead, func(s *Snapshot) {
			startedWith("B0")(s)
			s.Own.Certificates = append(s.Own.Certificates, Certificate{Fingerprint: "B0"})
			s.Records.Rotation.Retired = map[string]time.Time{"B0": t0.Add(-time.Minute)}
			s.Truststore.Own = s.Truststore.Own[:3]
		}, `
			ready trust: own certificate published, 6 trusted
			fine ports: some ports serve the certificate b0 of the server's start until its next start
			wake after 59m0s`},
		{"the ports, as the server does not load certificates", ahead, func(s *Snapshot) { startedWith("B0")(s); s.Settings.Reload = false }, `
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
	})
}

// The conditions of a server at rest, which the tables leave out.
func TestWhatIsReportedOfAServerWithAFullPool(t *testing.T) {
	s := ahead()
	conditions := func() (texts map[string]string) {
		texts = map[string]string{}
		for _, c := range Decide(s).Conditions {
			if texts[c.Name] = c.Text; !c.OK || c.Advisory != (c.Name == PoolCondition || c.Name == PortsCondition || c.Name == ImportsCondition) {
				t.Errorf("%+v", c)
			}
		}
		return texts
	}
	if got := conditions(); got[PortsCondition] != "every port serves the certificate in use" || got[PoolCondition] == "" {
		t.Errorf("%v", got)
	}
	s.Server.Presented = ""
	if got, there := conditions()[PortsCondition]; there {
		t.Errorf("nobody knows what the start has presented, and it says %q", got)
	}
}

func TestAnAgentAcknowledgesWhatTheRunningServerHasRead(t *testing.T) {
	decides(t, []situation{
		{"one of its own successors came after the start", ahead, func(s *Snapshot) { s.Server.Trusts = []string{"A1", "B1", "B2", "C1"} }, `
			fine successors: all running servers trust 1 successor of the certificate: so many rotations need no restart of a peer, until 2028-01-02T03:04:05Z; 1 more are trusted after the next start of each server
			do Acknowledge disk[a1 b1 b2 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
		{"one that it trusts is no longer on disk", ahead, func(s *Snapshot) { s.Server.Trusts = append(s.Server.Trusts, "C9") }, `
			wake after 8040h0m0s`},
		{"agent exec does not say, and spares are on disk", ahead, func(s *Snapshot) { s.Server.Trusts = nil }, `
			advice successors: *
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk
			wake after 8040h0m0s`},
	})
}

// TestAnImportSaysWhatTheRunningServerHasNoNeedToTrust: package trust raises the edition for the others.
func TestAnImportSaysWhatTheRunningServerHasNoNeedToTrust(t *testing.T) {
	both := func(s *Snapshot) {
		s.peer("a", func(p *Peer) {
			p.Certificates = []Certificate{{Fingerprint: "A1"}, {Fingerprint: "A2"}}
			p.Successors = []Certificate{{Fingerprint: "A3"}}
		})
	}
	for name, c := range map[string]struct {
		from func() Snapshot
		with func(*Snapshot)
		want map[string]bool // spare by alias
	}{
		"a peer's":                            {ahead, both, map[string]bool{"a-a2": false, "a-a3": true}},
		"own successors":                      {ahead, func(s *Snapshot) { s.without("b-b2"); s.knows("A1", "B1", "B3", "C1") }, map[string]bool{"b-b2": true}},
		"the own one that a start presents":   {loading, func(s *Snapshot) { s.without("b-b2"); s.knows("A1", "B1", "B3", "B4", "C1") }, map[string]bool{"b-b2": false}},
		"an own one that the server trusts":   {ahead, func(s *Snapshot) { s.without("b-b2") }, map[string]bool{"b-b2": true}},
		"the own one in use":                  {ahead, func(s *Snapshot) { s.without("b"); s.knows("A1", "B2", "B3", "C1") }, map[string]bool{"b": false}},
		"the own one in use, known":           {ahead, func(s *Snapshot) { s.without("b") }, map[string]bool{"b": true}},
		"the own CA":                          {byCA, func(s *Snapshot) { s.Server.Trusts = []string{"A1", "B1", "C1"} }, map[string]bool{"b-ca": true}},
		"the own one in use, whose CA it has": {byCA, func(s *Snapshot) { s.without("b"); s.entry("b-ca", "CA"); s.Server.Trusts = []string{"A1", "CA", "C1"} }, map[string]bool{"b": true}},
		"one that only moves":                 {ahead, func(s *Snapshot) { s.publishes("a", "B1", "A1") }, map[string]bool{"a": false, "a-a1": false}},
	} {
		s := situation{from: c.from, with: c.with}.snapshot()
		got := map[string]bool{}
		for _, a := range Decide(s).Actions {
			if a, is := a.(Import); is {
				for _, change := range a.Changes {
					got[change.Alias] = change.Spare
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestACertificateThatComesBackIsAReasonAgain: the restart for it came while it was gone.
func TestACertificateThatComesBackIsAReasonAgain(t *testing.T) {
	s := ahead()
	s.entry("a-a2", "A2")
	s.Memory.Raised = []string{"A2", "A1"}
	d := Decide(s)
	if !slices.Equal(d.Memory.Raised, []string{"A2", "A1"}) {
		t.Errorf("before %v has succeeded the reasons are %v", d.Actions, d.Memory.Raised)
	}
	gone := ahead()
	gone.Memory = d.Memory
	gone.Server.Trusts = slices.DeleteFunc(slices.Clone(gone.Server.Trusts), func(f string) bool { return f == "A1" })
	if d := Decide(gone); !slices.Equal(d.Memory.Raised, []string{"A1"}) {
		t.Errorf("after it the reasons are %v", d.Memory.Raised)
	}
}

// TestWhatAStartingServerIsToReadStays: agent exec has noted it, and reports that the server trusts it.
func TestWhatAStartingServerIsToReadStays(t *testing.T) {
	for name, c := range map[string]struct {
		with func(*Snapshot)
		want string
	}{
		"it starts":                      {func(s *Snapshot) { s.entry("a-a2", "A2") }, ""},
		"it serves":                      {func(s *Snapshot) { s.entry("a-a2", "A2"); s.Server.Starting = false }, "removed a-a2 A2"},
		"the entry came after the note":  {func(s *Snapshot) { s.entry("a-a2", "A2"); s.Server.Trusts = []string{"A1", "B1"} }, "removed a-a2 A2"},
		"the peer has another one":       {func(s *Snapshot) { s.publishes("a", "A3") }, "replaced a A3, added a-a1 A1"},
		"the peer has published nothing": {func(s *Snapshot) { s.entry("a-a2", "A2"); delete(s.Peers, "a") }, ""},
		"a server did not start with it": {func(s *Snapshot) {
			s.entry("a-a2", "A2")
			s.Records.Refusals.Refused = map[string][]string{"a": {"A2"}}
		}, "removed a-a2 A2"},
		"a start with it failed": {func(s *Snapshot) {
			s.entry("a-a2", "A2")
			s.Records.Refusals.Suspected = map[string][]string{"a": {"A2"}}
		}, "removed a-a2 A2"},
		"Java refuses the entry": {func(s *Snapshot) {
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "a-a2", Fingerprint: "A2", Refused: true})
		}, "removed a-a2 A2"},
	} {
		s := atRest()
		s.Server.Trusts, s.Server.Starting = []string{"A1", "A2", "B1", "C1"}, true
		c.with(&s)
		var got []string
		for _, a := range Decide(s).Actions {
			if a, is := a.(Import); is {
				for _, change := range a.Changes {
					got = append(got, fmt.Sprint(change.Action, " ", change.Alias, " ", change.Fingerprint))
				}
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAPeersUnreadableSuccessorsStayInTheTruststore(t *testing.T) {
	spare := func(s *Snapshot) { s.entry("a-a2", "A2") }
	decides(t, []situation{
		{"they can be read, and there are none any more", ahead, spare, `
			do Import[removed a-a2 a2]
			INFO trusted certificate removed
			again`},
		{"they cannot be read", ahead, func(s *Snapshot) {
			spare(s)
			a := s.Peers["a"]
			a.SuccessorsErr = errTest
			s.Peers["a"] = a
		}, `
			WARN successors of a
			ready trust: own certificate published, 6 trusted
			wake after 8040h0m0s`},
	})
}
