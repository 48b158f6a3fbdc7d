package rotation

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// without takes the entries of a peer out of the truststore.
func (s *Snapshot) without(alias string) {
	s.Truststore.Entries = slices.DeleteFunc(slices.Clone(s.Truststore.Entries), func(e trust.Entry) bool { return e.Alias == alias })
}

// publishes makes a peer publish other certificates.
func (s *Snapshot) publishes(name string, list ...string) {
	s.peer(name, func(p *Peer) {
		p.Certificates = nil
		for _, f := range list {
			p.Certificates = append(p.Certificates, Certificate{Fingerprint: f})
		}
	})
}

// silent makes a peer have published nothing yet. Nothing of it is trusted.
func (s *Snapshot) silent(name string) {
	s.publishes(name)
	s.peer(name, func(p *Peer) { p.Silent = true })
	s.without(name)
	delete(s.Records.Histories, name)
	s.Own.Trusts.Fingerprints = slices.DeleteFunc(slices.Clone(s.Own.Trusts.Fingerprints), func(f string) bool {
		return !slices.ContainsFunc(s.Truststore.Entries, func(e trust.Entry) bool { return e.Fingerprint == f })
	})
}

func TestWhatPeersPublishIsTrusted(t *testing.T) {
	decides(t, []situation{
		{"a peer announces a certificate", nil, func(s *Snapshot) { s.publishes("a", "A1", "A2") }, `
			do SaveHistories{Histories:map[a:{Known:[A1 A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"a peer switches", nil, func(s *Snapshot) {
			s.publishes("a", "A2", "A1")
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "a-a2", Fingerprint: "A2"})
			s.Records.Histories["a"] = trust.History{Known: []string{"A1", "A2"}}
		}, `
			do SaveHistories{Histories:map[a:{Known:[A2 A1] Changes:[]} c:{Known:[C1] Changes:[]}]}
			do Import[removed a-a2 a2 replaced a a2 added a-a1 a1]
			INFO trusted certificate in use now
			again`},
		{"the first ones of peers, before the first start", nil, func(s *Snapshot) { s.stopped(); s.silent("a"); s.Records = Records{}; s.publishes("a", "A1") }, `
			DEBUG peer a
			do SaveHistories{Histories:map[a:{Known:[A1] Changes:[]} c:{Known:[C1] Changes:[]}]}
			do Import[added a a1]
			INFO trusted certificate added
			again`},
		{"a peer has lost what it has published", nil, func(s *Snapshot) { s.publishes("a"); s.peer("a", func(p *Peer) { p.Silent = true }) }, `
			DEBUG peer a`},
		{"a peer has published nothing yet", nil, func(s *Snapshot) { s.silent("a") }, `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			missing [a]`},
		{"no peer has published anything yet", nil, func(s *Snapshot) { s.silent("a"); s.silent("c") }, `
			DEBUG peer a
			DEBUG peer c
			not ready trust: waiting for the certificate of a, c
			missing [a c]`},
		{"a start does not wait for a peer that has published nothing", nil, func(s *Snapshot) { s.silent("a"); s.Settings.StartAnyway = true }, `
			DEBUG peer a
			ready trust: own certificate published, 2 trusted
			missing [a]`},
		{"the own one, while another one waits for the switch", staging, func(s *Snapshot) { s.without("b") }, `
			do Import[added b b1]
			INFO trusted certificate added
			again`},
		{"a peer's certificate is refused", nil, func(s *Snapshot) { s.publishes("a"); s.peer("a", func(p *Peer) { p.Err = errTest }) }, `
			ERROR peer a`},
		{"one of a peer's certificates is refused", nil, func(s *Snapshot) { s.publishes("a", "A1", "A2"); s.peer("a", func(p *Peer) { p.Err = errTest }) }, `
			ERROR peer a
			do SaveHistories{Histories:map[a:{Known:[A1 A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"a peer's CA is refused", nil, func(s *Snapshot) { s.peer("a", func(p *Peer) { p.CAErr = errTest }) }, `
			ERROR CA of a`},
		{"Java refuses an entry that an earlier version has made", nil, func(s *Snapshot) {
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "a-a9", Fingerprint: "A9", Refused: true})
		}, `
			do Import[removed a-a9 a9]
			INFO trusted certificate removed
			again`},
		{"the truststore cannot be changed", nil, func(s *Snapshot) { s.Truststore.Err = errTest; s.publishes("a", "A2") }, `
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			error: the test says so`},
	})
}

func TestACertificateWithWhichTheServerDidNotStartIsWithheld(t *testing.T) {
	refusing := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) {
			s.publishes("a", "A1", "A2")
			s.Records.Refusals.Refused = map[string][]string{"a": {"A2"}}
			with(s)
		}
	}
	decides(t, []situation{
		{"one of a peer's", nil, refusing(func(*Snapshot) {}), `
			ERROR refused a
			advice imports: certificate a2 of a is not imported, because the server did not start with it`},
		{"one of a peer's that is only suspected", nil, refusing(func(s *Snapshot) { s.Records.Refusals = trust.Refusals{Suspected: s.Records.Refusals.Refused} }), `
			ERROR refused a
			advice imports: certificate a2 of a is not imported, because the server did not start with it`},
		{"one that was acquitted", nil, refusing(func(s *Snapshot) { s.Records.Refusals = trust.Refusals{Acquitted: s.Records.Refusals.Refused} }), `
			do SaveHistories{Histories:map[a:{Known:[A1 A2] Changes:[now]} c:{Known:[C1] Changes:[]}]}
			do Import[added a-a2 a2]
			INFO trusted certificate added
			again`},
		{"all that a peer publishes: what is trusted of it stays", nil, refusing(func(s *Snapshot) { s.publishes("a", "A2") }), `
			ERROR refused a
			advice imports: certificate a2 of a is not imported, because the server did not start with it`},
		{"the first one of a peer, which counts as having published", nil, refusing(func(s *Snapshot) {
			s.silent("a")
			s.peer("a", func(p *Peer) { p.Silent = false })
			s.publishes("a", "A2")
		}), `
			ERROR refused a
			ready trust: own certificate published, 2 trusted
			advice imports: certificate a2 of a is not imported, because the server did not start with it`},
		{"those of two peers", nil, refusing(func(s *Snapshot) {
			s.publishes("c", "C2", "C3")
			s.Records.Refusals.Refused["c"] = []string{"C2", "C3"}
		}), `
			ERROR refused a
			ERROR refused c
			advice imports: certificate a2 of a is not imported, because the server did not start with it; certificate c2, c3 of c is not imported, because the server did not start with it`},
		{"and forgotten when the peer publishes others", nil, refusing(func(s *Snapshot) { s.publishes("a", "A1") }), `
			do SaveRefusals{Refusals:{Suspected:map[] Refused:map[] Acquitted:map[]}}`},
		{"a suspicion is forgotten as well", nil, refusing(func(s *Snapshot) {
			s.publishes("a", "A1")
			s.Records.Refusals = trust.Refusals{Suspected: map[string][]string{"a": {"A2"}, "c": {"C1"}}}
		}), `
			do SaveRefusals{Refusals:{Suspected:map[c:[C1]] Refused:map[] Acquitted:map[]}}
			ERROR refused c
			advice imports: certificate c1 of c is not imported, because the server did not start with it`},
	})
}

func TestAPeerThatChangesTooOftenIsPaced(t *testing.T) {
	ago := func(minutes ...int) (times []time.Time) {
		for _, m := range minutes {
			times = append(times, t0.Add(-time.Duration(m)*time.Minute))
		}
		return times
	}
	paced := func(with func(*Snapshot)) func(*Snapshot) {
		return func(s *Snapshot) {
			s.publishes("a", "A2")
			s.Records.Histories["a"] = trust.History{Known: []string{"A1"}, Changes: ago(3, 2, 1)}
			with(s)
		}
	}
	decides(t, []situation{
		{"its next certificate waits", nil, paced(func(*Snapshot) {}), `
			WARN paced a
			advice imports: the certificate of a changes too often, and its next one is imported at 2026-01-02T03:07:05Z
			paced [a]
			wake after 3m0s`},
		{"its next certificate waits next to the one before", nil, paced(func(s *Snapshot) { s.publishes("a", "A1", "A2") }), `
			WARN paced a
			advice imports: the certificate of a changes too often, and its next one is imported at 2026-01-02T03:07:05Z
			paced [a]
			wake after 3m0s`},
		{"it is reported as long as the peer is not calm", nil, paced(func(s *Snapshot) { s.publishes("a", "A1"); s.Memory.Paced = []string{"a"} }), `
			WARN paced a`},
		{"it has changed often, and never waited", nil, paced(func(s *Snapshot) { s.publishes("a", "A1") }), nothing},
		{"it is calm again", nil, paced(func(s *Snapshot) {
			s.publishes("a", "A1")
			s.Records.Histories["a"] = trust.History{Known: []string{"A1"}, Changes: ago(63, 62, 61)}
			s.Memory.Paced = []string{"a"}
		}), `
			do SaveHistories{Histories:map[a:{Known:[A1] Changes:[]} c:{Known:[C1] Changes:[]}]}
			paced []`},
		{"its time has come", nil, paced(func(s *Snapshot) {
			s.Records.Histories["a"] = trust.History{Known: []string{"A1"}, Changes: ago(7, 6, 4)}
		}), `
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[2026-01-02 02:57:05 +0000 UTC 2026-01-02 02:58:05 +0000 UTC 2026-01-02 03:00:05 +0000 UTC now]} c:{Known:[C1] Changes:[]}]}
			do Import[replaced a a2]
			INFO trusted certificate replaced
			again`},
		{"no server runs that would restart", nil, paced((*Snapshot).stopped), `
			do SaveHistories{Histories:map[a:{Known:[A2] Changes:[2026-01-02 03:01:05 +0000 UTC 2026-01-02 03:02:05 +0000 UTC 2026-01-02 03:03:05 +0000 UTC]} c:{Known:[C1] Changes:[]}]}
			do Import[replaced a a2]
			INFO trusted certificate replaced
			again`},
	})
}
