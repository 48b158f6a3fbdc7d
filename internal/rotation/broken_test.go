package rotation

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

// TestTheModelFindsDecisionsThatAreWrong breaks Decide in many ways, and the model finds each of them.
func TestTheModelFindsDecisionsThatAreWrong(t *testing.T) {
	testenv.WithoutRace(t)
	drop := func(d Decision, unwanted func(Action) bool) Decision {
		d.Actions = slices.DeleteFunc(slices.Clone(d.Actions), unwanted)
		return d
	}
	for name, broken := range map[string]struct {
		finds  string // a part of what the model says
		decide func(Snapshot) Decision
		server string // what both servers are in the model; empty: with the one or the other TLS_MODE
	}{
		"it switches to a new certificate before the peers trust it": {"refuses", func(s Snapshot) Decision {
			for name, peer := range s.Peers {
				for _, waits := range []*Identity{s.TLS.Staged, s.TLS.Files} {
					if waits != nil {
						peer.Trusts.Fingerprints = append(slices.Clone(peer.Trusts.Fingerprints), waits.Leaf.Fingerprint)
					}
				}
				s.Peers[name] = peer
			}
			return Decide(s)
		}, ""},
		"it restarts the server without its turn": {"two agents restart their servers at a time", func(s Snapshot) Decision {
			peers := map[string]Peer{}
			for name, peer := range s.Peers {
				peer.Turn = trust.Turn{}
				peers[name] = peer
			}
			s.Peers = peers
			return Decide(s)
		}, ""},
		"it keeps its turn": {"still claims the turn", func(s Snapshot) Decision {
			return drop(Decide(s), func(a Action) bool { said, is := a.(SayTurn); return is && said.Turn.Wants == "" })
		}, ""},
		"it says that the server trusts what is only on disk": {"refuses", func(s Snapshot) Decision {
			d := Decide(s)
			if d.Generation != "" && !d.Again && !slices.Equal(s.Own.Trusts.Fingerprints, d.Trusted) {
				d.Actions = append(slices.Clone(d.Actions), Acknowledge{trust.Trusts{Generation: s.Server.Generation, Fingerprints: d.Trusted}})
			}
			return d
		}, ""},
		"it publishes only the next certificate": {"refuses", func(s Snapshot) Decision {
			d := Decide(s)
			for i, a := range d.Actions {
				if p, is := a.(Publish); is {
					d.Actions[i] = Publish{p.Fingerprints[len(p.Fingerprints)-1:]}
				}
			}
			return drop(d, func(a Action) bool {
				p, is := a.(Publish)
				return is && slices.Equal(p.Fingerprints, fingerprints(s.Own.Certificates))
			})
		}, ""},
		"it forgets to announce": {"switches before its peers trust it", func(s Snapshot) Decision {
			d := Decide(s)
			for i, a := range d.Actions {
				if p, is := a.(Publish); is && len(p.Fingerprints) > 1 && d.Rotation.Announced == p.Fingerprints[1] {
					d.Actions[i] = Publish{slices.Delete(slices.Clone(p.Fingerprints), 1, 2)}
				}
			}
			return drop(d, func(a Action) bool {
				p, is := a.(Publish)
				return is && slices.Equal(p.Fingerprints, fingerprints(s.Own.Certificates))
			})
		}, ""},
		"it does not let the server read what it imports": {"refuses", func(s Snapshot) Decision {
			s.Server.Trusts = nil
			d := Decide(s)
			for i, a := range d.Actions {
				if do, is := a.(Import); is {
					changes := slices.Clone(do.Changes)
					for n := range changes {
						changes[n].Fresh = false
					}
					d.Actions[i] = Import{changes}
				}
			}
			return d
		}, ""},
		"it does not keep off the restart while peers do not trust the new certificate": {"refuses", func(s Snapshot) Decision {
			d := Decide(s)
			for i, a := range d.Actions {
				if do, is := a.(Hold); is {
					d.Actions[i] = Request{do.OnDisk}
				}
			}
			return drop(d, func(a Action) bool { do, is := a.(Request); return is && do.Generation == s.Server.Wish.Running })
		}, ""},
		"it restarts a server that can load the new certificate": {"restarts for a rotation", func(s Snapshot) Decision {
			s.Settings.Reload = false
			return Decide(s)
		}, "issue ahead"},
		"it takes another successor when an agent was killed that has taken one for the same request": {"restarts for a rotation", func(s Snapshot) Decision {
			for _, i := range s.TLS.Successors {
				if same(i, s.TLS.Staged) && s.TLS.Asked {
					return Decision{Memory: s.Memory, Actions: []Action{DropSuccessor{i.Leaf.Fingerprint, "is the server's own now"}}, Again: true}
				}
			}
			return Decide(s)
		}, "issue ahead"},
		"it says that the server trusts successors that came after its start": {"refuses", func(s Snapshot) Decision {
			trusts := slices.Clone(s.Server.Trusts)
			for _, e := range s.Truststore.Entries {
				if slices.ContainsFunc(slices.Collect(maps.Values(s.Peers)), func(peer Peer) bool {
					return contains(peer.Successors, e.Fingerprint) || contains(peer.Certificates, e.Fingerprint)
				}) {
					trusts = append(trusts, e.Fingerprint)
				}
			}
			if s.Server.Trusts != nil {
				s.Server.Trusts = trusts
			}
			return Decide(s)
		}, "issue ahead"},
		"it takes the new certificate for served when one port serves it": {"retires", func(s Snapshot) Decision {
			s.Server.Listeners = s.Server.Listeners[:min(1, len(s.Server.Listeners))]
			return Decide(s)
		}, "issue ahead"},
		"it retires a certificate that a port may still serve": {"retires", func(s Snapshot) Decision {
			s.Server.Loading = nil
			return Decide(s)
		}, "issue ahead"},
		"it leaves a server as it is that loads a certificate which somebody has taken back": {"does not come to rest", func(s Snapshot) Decision {
			return drop(Decide(s), func(a Action) bool {
				do, is := a.(Load)
				_, raises := a.(RaiseEdition)
				return raises && len(s.Server.Loading) > 0 || is && do.Generation == s.Server.Generation
			})
		}, "issue ahead"},
		"it loads a certificate that the server does not trust itself": {"does not trust itself", func(s Snapshot) Decision {
			if s.TLS.Installed != nil && s.Server.Trusts != nil {
				s.Server.Trusts = append(slices.Clone(s.Server.Trusts), s.TLS.Installed.Leaf.Fingerprint)
			}
			return Decide(s)
		}, "issue ahead"},
		"it removes what a starting server is to read": {"refuses", func(s Snapshot) Decision {
			d := Decide(s)
			s.Server.Starting = false
			for _, a := range Decide(s).Actions {
				if _, is := a.(Import); is && len(d.Actions) == 0 {
					d.Actions = []Action{a}
				}
			}
			return d
		}, "issue restored"},
		"it restarts the server outside of its maintenance window": {"outside of its maintenance window", func(s Snapshot) Decision {
			s.Maintenance = Maintenance{}
			return Decide(s)
		}, "issue closed"},
		"it does not tell peers that its restart waits": {"switches before its peers trust it", func(s Snapshot) Decision {
			return drop(Decide(s), func(a Action) bool { said, is := a.(Acknowledge); return is && !said.Trusts.After.IsZero() })
		}, "issue closed"},
		"it restarts the server again and again": {"restarts until all is at rest", func(s Snapshot) Decision {
			s.Deployment.Text = append(slices.Clone(s.Deployment.Text), s.Server.Generation...)
			return Decide(s)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var bad string
			worlds := [][]string{{"issue", "issue"}, {"none", "none"}}
			if broken.server != "" {
				worlds = [][]string{{broken.server, broken.server}}
			}
			for _, servers := range worlds {
				first := newModel(servers...)
				first.decideBy = broken.decide
				x, _ := explore(first, 2, time.Now().Add(time.Minute))
				if bad = x.bad; strings.Contains(bad, broken.finds) {
					return
				}
			}
			t.Errorf("the model finds %q", bad)
		})
	}
}
