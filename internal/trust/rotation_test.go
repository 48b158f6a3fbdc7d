package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

func until(t *testing.T, name string, notAfter time.Time) keystore.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.Add(-24 * time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}
}

func names(t *testing.T, certs []keystore.Certificate) string {
	t.Helper()
	var all []string
	for _, c := range certs {
		parsed, err := c.Parse()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed.Subject.CommonName)
	}
	return strings.Join(all, " ")
}

func TestARotationAnnouncesSwitchesAndRetires(t *testing.T) {
	const grace = 10 * time.Minute
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old, next, third := until(t, "old", now.Add(time.Hour)), until(t, "next", now.Add(time.Hour)), until(t, "third", now.Add(time.Hour))
	var r Rotation
	var published []keystore.Certificate
	step := func(what string, inUse, onDisk keystore.Certificate, after time.Duration, want string) {
		t.Helper()
		now = now.Add(after)
		r, published = r.Next(inUse, onDisk, published, true, now, grace)
		if got := names(t, published); got != want {
			t.Fatalf("%s: published %s, want %s", what, got, want)
		}
	}
	step("nothing is under way", old, old, 0, "old")
	step("a new one appears", old, next, time.Second, "old next")
	announced := r.Since
	step("it waits", old, next, time.Minute, "old next")
	if r.Since != announced {
		t.Errorf("the waiting began anew at %v", r.Since)
	}
	step("the server has switched", next, next, time.Second, "next old")
	if r.Announced != "" || r.Changes(grace) != now.Add(grace) {
		t.Errorf("after the switch: %+v, next change %v", r, r.Changes(grace))
	}
	step("the old one is on its way out", next, next, 9*time.Minute, "next old")
	step("a third appears meanwhile", next, third, time.Second, "next third old")
	step("the old one is gone, the third still waits", next, third, time.Minute, "next third")
	step("switched again", third, third, time.Second, "third next")
	step("all is over", third, third, grace, "third")
	if len(r.Retired) != 0 || !r.Changes(grace).IsZero() {
		t.Errorf("at the end: %+v", r)
	}
	step("an announced one", third, next, time.Second, "third next")
	step("is taken back before the switch", third, third, time.Second, "third next")
	step("and goes by the clock as well", third, third, grace, "third")
}

func TestAClockThatWasPutBackMakesNothingWaitForEver(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old, next := until(t, "old", now.Add(time.Hour)), until(t, "next", now.Add(time.Hour))
	later := now.Add(1000 * time.Hour)
	r := Rotation{Announced: next.Fingerprint().String(), Since: later}
	if got, _ := r.Next(old, next, nil, true, now, time.Minute); !got.Since.Equal(now) {
		t.Errorf("announced since %v", got.Since)
	}
	r = Rotation{Retired: map[string]time.Time{old.Fingerprint().String(): later}}
	if got, _ := r.Next(next, next, []keystore.Certificate{next, old}, true, now, time.Minute); !got.Retired[old.Fingerprint().String()].Equal(now) {
		t.Errorf("retired: %+v", got)
	}
}

func TestASwitchWaitsForPeersUntilTheOldCertificateEnds(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := Rotation{Since: since}
	for name, c := range map[string]struct {
		notAfter time.Time
		want     time.Time
	}{
		"far from its end":    {since.Add(time.Hour), since.Add(10 * time.Minute)},
		"about to end":        {since.Add(5 * time.Minute), since.Add(4 * time.Minute)},
		"expired already":     {since.Add(-time.Hour), since.Add(10 * time.Minute)},
		"ends in this minute": {since.Add(30 * time.Second), since.Add(10 * time.Minute)},
	} {
		if got := r.Deadline(until(t, "x", c.notAfter), 10*time.Minute); !got.Equal(c.want) {
			t.Errorf("%s: waits until %v, want %v", name, got, c.want)
		}
	}
}

func TestARotationIsRememberedAndADamagedMemoryIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".agent")
	if err := (Rotation{}).Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("where there is no rotation something was written")
	}
	want := Rotation{Announced: "aa", Since: time.Now().UTC().Round(0), Retired: map[string]time.Time{"bb": time.Now().UTC().Round(0)}}
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRotation(dir)
	if err != nil || got.Announced != want.Announced || !got.Since.Equal(want.Since) || !got.Retired["bb"].Equal(want.Retired["bb"]) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := (Rotation{}).Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadRotation(dir); err != nil || got.Announced != "" || len(got.Retired) != 0 {
		t.Errorf("after the end: %+v, %v", got, err)
	}
	os.WriteFile(filepath.Join(dir, rotationFile), []byte("{"), 0o600)
	if _, err := LoadRotation(dir); err == nil || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, rotationFile)) {
		t.Errorf("a damaged one: %v", err)
	}
}

func TestOnlyAdditionsToTheTruststoreMakeAnotherEdition(t *testing.T) {
	s := truststore(t, keystore.PKCS12)
	old, next := certificate(t, "old"), certificate(t, "next")
	step := func(what string, want int, certs ...keystore.Certificate) {
		t.Helper()
		if _, _, err := Import(t.Context(), s, Peers{"wso2is": certs}, "wso2am", []string{"wso2is", "wso2am"}, workDir(s)); err != nil {
			t.Fatal(err)
		}
		if got, err := Edition(workDir(s)); got != want || err != nil {
			t.Errorf("%s: edition %d, %v, want %d", what, got, err, want)
		}
	}
	step("the first", 1, old)
	step("one is announced beside it", 2, old, next)
	step("the aliases change places", 2, next, old)
	step("the old one goes", 2, next)
	step("nothing", 2, next)
	step("it comes back", 3, next, old)
}

func TestAServerTrustsItselfUnlessItDoesAlready(t *testing.T) {
	s := truststore(t, keystore.PKCS12)
	own := certificate(t, "own")
	all := []string{"wso2is", "wso2am"}
	m, changes, err := Import(t.Context(), s, Peers{"wso2am": {own}}, "wso2am", all, workDir(s))
	if err != nil || m["wso2am"] != own.Fingerprint() || len(changes) != 1 {
		t.Errorf("%v, %v, %v", m, changes, err)
	}
	_, entries, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // one that is somebody else's
		if owner(e.Alias, e.Chain[0].Fingerprint(), all) == "" {
			m, changes, err := Import(t.Context(), s, Peers{"wso2am": {e.Chain[0]}}, "wso2am", all, workDir(s))
			if _, managed := m["wso2am"]; managed || err != nil || len(changes) != 1 || changes[0].Action != "removed" {
				t.Errorf("trusted by another entry: %v, %v, %v", m, changes, err)
			}
			return
		}
	}
	t.Fatal("the store has no entry of its own")
}
