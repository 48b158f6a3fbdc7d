package rotation

import (
	"testing"
	"time"

	"wso2agent/internal/trust"
)

func TestAnActionIsDescribedInOneLineWithoutLongFingerprints(t *testing.T) {
	const long = "A1:B2:C3:D4:E5:F6:00:11:22:33:44:55:66:77:88:99:A1:B2:C3:D4:E5:F6:00:11:22:33:44:55:66:77:88:99"
	for want, action := range map[string]Action{
		"Issue{Reason:there is none yet}":                     Issue{"there is none yet"},
		"Install":                                             Install{},
		"PublishSuccessors[a1b2c3d4 b1]":                      PublishSuccessors{[]string{long, "B1"}},
		"IssueSuccessor{Turn:2}":                              IssueSuccessor{2},
		"Publish[a1b2c3d4 b1]":                                Publish{[]string{long, "B1"}},
		"Import[added a a1b2c3d4 replaced b b2 removed c c1]": Import{[]trust.Change{{Action: trust.Added, Alias: "a", Fingerprint: long}, {Action: trust.Replaced, Alias: "b", Fingerprint: "B2", Was: "B1"}, {Action: trust.Removed, Alias: "c", Fingerprint: "C1"}}},
		"Acknowledge g[a1b2c3d4]":                             Acknowledge{trust.Trusts{Generation: "g", Fingerprints: []string{long}}},
		"Hold{Running:g OnDisk:h}":                            Hold{"g", "h"},
		"SayTurn{Turn:{Wants:g Has:true Since:0001-01-01 00:00:00 +0000 UTC}}": SayTurn{trust.Turn{Wants: "g", Has: true}},
	} {
		if got := Describe(action); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		action.action()
	}
}

func TestCertificatesThatExpireAreReportedOnceADay(t *testing.T) {
	const day = 24 * time.Hour
	until := func(left time.Duration) Certificate {
		return Certificate{Fingerprint: "A1", NotBefore: t0.AddDate(-1, 0, 0), NotAfter: t0.Add(left)}
	}
	ofPeer := func(c Certificate) func(*Snapshot) {
		return func(s *Snapshot) { s.peer("a", func(p *Peer) { p.Certificates = []Certificate{c} }) }
	}
	decides(t, []situation{
		{"the date of a peer's is far away", nil, ofPeer(until(100 * day)), `
			wake after 1680h0m0s`},
		{"a peer's expires soon", nil, ofPeer(until(10 * day)), `
			WARN expiry of a
			wake after 24h0m0s`},
		{"a peer's has expired", nil, ofPeer(until(-day)), `
			WARN expiry of a
			wake after 24h0m0s`},
		{"the own one has expired", nil, func(s *Snapshot) { s.Keystore.Own.NotAfter = t0.Add(-day) }, `
			WARN expiry of b
			wake after 24h0m0s`},
		{"the own one has expired, and peers trust its CA", nil, func(s *Snapshot) { s.Keystore.Own.NotAfter = t0.Add(-day); s.Settings.TrustCA = true }, `
			ERROR expiry of b
			wake after 24h0m0s`},
	})
	s := atRest()
	s.Keystore.Own.NotAfter = t0.Add(10 * day)
	first := Decide(s)
	s.Now = t0.Add(time.Hour)
	same := Decide(s)
	s.Now = t0.Add(day)
	next := Decide(s)
	if first.Messages[0].State != same.Messages[0].State || first.Messages[0].State == next.Messages[0].State {
		t.Errorf("the state is %q, %q an hour later and %q a day later", first.Messages[0].State, same.Messages[0].State, next.Messages[0].State)
	}
	if end := first.Expiries["b"]; len(first.Expiries) != 1 || !end.Equal(t0.Add(10*day)) {
		t.Errorf("expiries: %v", first.Expiries)
	}
}

func TestADecisionHasTheStateThatOthersReport(t *testing.T) {
	s := staging()
	d := Decide(s)
	if d.InUse.Fingerprint != "B1" || d.Next.Fingerprint != "B2" || d.Rotation.Announced != "B2" || len(d.Trusted) != 3 || d.Generation != s.Server.Generation {
		t.Errorf("%+v", d)
	}
}
