package trust

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

func TestWhatExpiresIsNamedWithWhoseItIsAndWhatComesOfIt(t *testing.T) {
	const day = 24 * time.Hour
	cert := func(left time.Duration, change func(*x509.Certificate)) keystore.Certificate {
		c := template("wso2is")
		c.NotAfter = lintDay().Add(left)
		if change != nil {
			change(c)
		}
		return self(t, c)
	}
	early := cert(90*day, func(c *x509.Certificate) { c.NotBefore = lintDay().Add(3 * time.Hour) })
	for name, c := range map[string]struct {
		owned Owned
		want  []string // parts of the message, behind the severity
	}{
		"a good one":               {Owned{Owner: "wso2is", Certificate: cert(31*day, nil)}, nil},
		"one that cannot be read":  {Owned{Owner: "wso2is", Certificate: keystore.Certificate{DER: []byte("x")}}, nil},
		"a peer's, soon":           {Owned{Owner: "wso2is", Certificate: cert(30*day, nil)}, []string{"warning", "the certificate of the peer wso2is", "expires in 30 days, on 2027-02-14", "beside wso2is"}},
		"one's own, soon":          {Owned{Owner: "wso2am", Own: true, Certificate: cert(90*time.Minute, nil)}, []string{"warning", "the own certificate of wso2am", "expires in 90 minutes", "TLS_MODE=issue"}},
		"a peer's that is pinned":  {Owned{Owner: "wso2is", Pinned: true, Certificate: cert(-30*time.Hour, nil)}, []string{"warning", "expired 30 hours ago, on 2027-01-14", "still works", "beside wso2is"}},
		"a peer's that is not":     {Owned{Owner: "wso2is", Certificate: cert(-time.Minute, nil)}, []string{"error", "expired 60 seconds ago", "who trusts its CA refuses it"}},
		"one's own that is pinned": {Owned{Owner: "wso2am", Own: true, Pinned: true, Certificate: cert(-400*day, nil)}, []string{"warning", "expired 400 days ago", "the peers, which trust this very certificate, still accept it", "TLS_MODE=issue"}},
		"too early, pinned":        {Owned{Owner: "wso2is", Pinned: true, Certificate: early}, []string{"warning", "is not valid before 2027-01-15T11:00:00Z, 3 hours from now", "still works", "clocks"}},
		"too early":                {Owned{Owner: "wso2is", Certificate: early}, []string{"error", "refuses it"}},
	} {
		found := Expiring([]Owned{c.owned}, lintDay(), 30*day)
		if len(found) == 0 && c.want == nil {
			continue
		}
		if len(found) != 1 || c.want == nil {
			t.Errorf("%s: found %v, want %q", name, found, c.want)
			continue
		}
		text := string(found[0].Severity) + ": " + found[0].Message
		for _, part := range append(c.want, c.owned.Certificate.Fingerprint().String()) {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", name, text, part)
			}
		}
		if found[0].Owner != c.owned.Owner || !found[0].Until.Equal(lintDay().Add(found[0].Left)) {
			t.Errorf("%s: until %s, left %s", name, found[0].Until, found[0].Left)
		}
	}
}

func TestTheCertificateThatISShipsHasExpiredAndStillWorks(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testenv.Shared(t, "keystores"), "is-7.1.0/wso2carbon.p12"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := LoadIdentity(data, password, "")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	found := Expiring([]Owned{{Owner: "wso2is", Pinned: true, Certificate: id.Leaf()}}, now, 0)
	if len(found) != 1 || found[0].Severity != Warning || found[0].Left > 0 || !strings.Contains(found[0].Message, "it still works") {
		t.Fatalf("found %+v", found)
	}
	t.Log(found[0].Message)
	s := &javaStores{t: t, dir: t.TempDir()}
	runHandshakes(t, testenv.Command(t, "java"), []handshake{{"as shipped", s.put(data), s.trusting(id.Leaf()), "localhost", "ok"}})
}
