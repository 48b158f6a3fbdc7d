package rotation

import (
	"testing"

	"wso2agent/internal/trust"
)

// undone is a snapshot at rest of a server after a person has undone that a's certificate A2 took the place of A1.
func undone() Snapshot {
	s := atRest()
	s.publishes("a", "A2")
	s.peer("a", func(p *Peer) { p.Successors = []Certificate{{Fingerprint: "A3"}} })
	s.Records.Undone, s.Records.UndoneAt = trust.Undone{"a": {"A2", "A3"}}, "undone.json"
	return s
}

func TestWhatAPersonHasUndoneIsLeftAloneUntilItsPeerPublishesSomethingElse(t *testing.T) {
	const left = `
			WARN undone a
			ready trust: own certificate published, 3 trusted; a person has undone what was imported of a: the agent leaves its aliases alone until it publishes another certificate, or somebody removes undone.json
			advice imports: a person has undone what was imported of a: the agent leaves its aliases alone until it publishes another certificate, or somebody removes undone.json`
	decides(t, []situation{
		{"it is as it was", undone, nil, left},
		{"the peer restores what it published, in another order", undone, func(s *Snapshot) {
			s.publishes("a", "A3", "A2")
			s.peer("a", func(p *Peer) { p.Successors = []Certificate{{Fingerprint: "A2"}} })
		}, left},
		{"its folder is lost", undone, func(s *Snapshot) { s.Peers["a"] = Peer{Silent: true, Trusts: s.Peers["a"].Trusts} }, `
			DEBUG peer a` + left},
		{"its successors cannot be read", undone, func(s *Snapshot) {
			s.peer("a", func(p *Peer) { p.Successors, p.SuccessorsErr = nil, errTest })
		}, `
			WARN successors of a` + left},
		{"no alias of it is left", undone, func(s *Snapshot) {
			s.Truststore.Entries = s.Truststore.Entries[1:]
			s.Own.Trusts.Fingerprints = []string{"B1", "C1"}
		}, `
			WARN undone a
			ready trust: own certificate published, 2 trusted; a person has undone what was imported of a: the agent leaves its aliases alone until it publishes another certificate, or somebody removes undone.json
			advice imports: a person has undone what was imported of a: the agent leaves its aliases alone until it publishes another certificate, or somebody removes undone.json`},
		{"what was refused stays refused", undone, func(s *Snapshot) { s.Records.Refusals.Refused = map[string][]string{"a": {"A0"}} }, left},
		{"another peer publishes another certificate", undone, func(s *Snapshot) { s.publishes("c", "C2") }, `
			WARN undone a
			do SaveHistories{Histories:map[a:{Known:[A1] Changes:[]} c:{Known:[C2] Changes:[now]}]}
			do Import[replaced c c2]
			INFO trusted certificate replaced
			again`},
		{"the peer publishes another one", undone, func(s *Snapshot) { s.publishes("a", "A4") }, `
			INFO a peer publishes other certificates*
			do SaveUndone{Undone:map[]}
			do SaveHistories{Histories:map[a:{Known:[A4] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[replaced a a4]
			INFO trusted certificate replaced
			again`},
		{"the peer publishes another successor", undone, func(s *Snapshot) { s.peer("a", func(p *Peer) { p.Successors = nil }) }, `
			INFO a peer publishes other certificates*
			do SaveUndone{Undone:map[]}
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[replaced a a2]
			INFO trusted certificate replaced
			again`},
		{"the peer is none any more", undone, func(s *Snapshot) {
			s.Settings.Peers, s.Own.Trusts.Fingerprints = []string{"c"}, []string{"B1", "C1"}
		}, `
			do SaveUndone{Undone:map[]}
			ready trust: own certificate published, 2 trusted`},
		{"a person removes the file", undone, func(s *Snapshot) { s.Records.Undone = nil }, `
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[replaced a a2]
			INFO trusted certificate replaced
			again`},
		{"the server is to start", undone, func(s *Snapshot) { s.stopped() }, left + `
			do Request{Generation:disk}`},
	})
}
