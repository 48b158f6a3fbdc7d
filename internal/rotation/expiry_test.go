package rotation

import (
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

func TestWhatExpiresIsNamedWithWhoseItIsAndWhatComesOfIt(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Unix(1_800_000_000, 0)
	cert := func(left time.Duration) Certificate {
		return Certificate{"AA:BB:CC", now.AddDate(-2, 0, 0), now.Add(left)}
	}
	early := Certificate{"AA:BB:CC", now.Add(3 * time.Hour), now.Add(90 * day)}
	for name, c := range map[string]struct {
		owned Owned
		want  []string // parts of the message, behind the severity
	}{
		"a good one":               {Owned{Owner: "wso2is", Certificate: cert(31 * day)}, nil},
		"one that cannot be read":  {Owned{Owner: "wso2is", Certificate: Certificate{Fingerprint: "AA:BB:CC"}}, nil},
		"a peer's, soon":           {Owned{Owner: "wso2is", Certificate: cert(30 * day)}, []string{"WARN", "the certificate of the peer wso2is", "expires in 30 days, on 2027-02-14", "on the side of wso2is"}},
		"one's own, soon":          {Owned{Owner: "wso2am", Own: true, Certificate: cert(90 * time.Minute)}, []string{"WARN", "the own certificate of wso2am", "expires in 90 minutes", "TLS_MODE=issue"}},
		"a peer's that is pinned":  {Owned{Owner: "wso2is", Pinned: true, Certificate: cert(-30 * time.Hour)}, []string{"WARN", "expired 30 hours ago, on 2027-01-14", "still works", "on the side of wso2is"}},
		"a peer's that is not":     {Owned{Owner: "wso2is", Certificate: cert(-time.Minute)}, []string{"ERROR", "expired 60 seconds ago", "clients that trust its CA refuse it"}},
		"one's own that is pinned": {Owned{Owner: "wso2am", Own: true, Pinned: true, Certificate: cert(-400 * day)}, []string{"WARN", "expired 400 days ago", "the peers, which trust exactly this certificate, still accept it", "TLS_MODE=issue"}},
		"too early, pinned":        {Owned{Owner: "wso2is", Pinned: true, Certificate: early}, []string{"WARN", "is not valid before 2027-01-15T11:00:00Z, 3 hours from now", "still works", "clocks"}},
		"too early":                {Owned{Owner: "wso2is", Certificate: early}, []string{"ERROR", "refuse it"}},
	} {
		found := Expiring([]Owned{c.owned}, now)
		if len(found) == 0 && c.want == nil {
			continue
		}
		if len(found) != 1 || c.want == nil {
			t.Errorf("%s: found %v, want %q", name, found, c.want)
			continue
		}
		text := found[0].Severity.String() + ": " + found[0].Message
		for _, part := range append(c.want, c.owned.Fingerprint) {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", name, text, part)
			}
		}
		if found[0].Owner != c.owned.Owner || !found[0].Until.Equal(now.Add(found[0].Left)) {
			t.Errorf("%s: until %s, left %s", name, found[0].Until, found[0].Left)
		}
	}
}

// TestTheExpiredCertificateThatISShipsIsReportedAsWorking: package identity has the handshake with Java that proves it.
func TestTheExpiredCertificateThatISShipsIsReportedAsWorking(t *testing.T) {
	leaf, err := trust.OwnLeaf(t.Context(), []string{testenv.Shared(t, "keystores/is-7.1.0/wso2carbon.p12")}, "wso2carbon", "")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := leaf.Parse()
	if err != nil {
		t.Fatal(err)
	}
	shipped := Certificate{leaf.Fingerprint().String(), parsed.NotBefore, parsed.NotAfter}
	found := Expiring([]Owned{{Owner: "wso2is", Pinned: true, Certificate: shipped}}, time.Now())
	if len(found) != 1 || found[0].Severity != Warn || found[0].Left > 0 || !strings.Contains(found[0].Message, "it still works") {
		t.Fatalf("found %+v", found)
	}
}

func TestASpanIsGivenInTheLargestUnitOfWhichThereAreTwo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		48 * time.Hour: "2 days", 48*time.Hour - 1: "47 hours", 2 * time.Hour: "2 hours", 2*time.Hour - 1: "119 minutes", 2 * time.Minute: "2 minutes", 2*time.Minute - 1: "119 seconds",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
