package seed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// trustCertificate is the n-th certificate of the tests.
func trustCertificate(t *testing.T, n int) (keystore.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(n)), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}, key
}

// trustCertificates remembers certificates by number, so that several stores of a test can hold the same.
type trustCertificates map[int]keystore.Certificate

func (c trustCertificates) get(t *testing.T, n int) keystore.Certificate {
	t.Helper()
	if _, ok := c[n]; !ok {
		c[n], _ = trustCertificate(t, n)
	}
	return c[n]
}

func (c trustCertificates) store(t *testing.T, format keystore.Format, password string, entries map[string]int) string {
	t.Helper()
	s, err := keystore.New(keystore.Options{Format: format, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	for alias, n := range entries {
		if err := s.SetTrusted(alias, c.get(t, n), time.Unix(int64(n), 0)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// trustBytes is a PKCS#12 truststore in which the same alias with the same number is the same certificate in every call.
func trustBytes(t *testing.T, password string, entries map[string]int) string {
	t.Helper()
	s, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	for alias, n := range entries {
		if err := s.SetTrusted(alias, fixedCertificate(t, n), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fixedCertificate is one of the certificates of IS's own truststore.
func fixedCertificate(t *testing.T, n int) keystore.Certificate {
	t.Helper()
	data, err := os.ReadFile(testenv.Shared(t, "keystores", "apim-4.5.0", "client-truststore.jks"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keystore.Open(data, "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	return s.Entries()[n].Chain[0]
}

func assertTrusts(t *testing.T, data, password string, want map[string]int) {
	t.Helper()
	got := trustedOf(t, data, password)
	if len(got) != len(want) {
		t.Errorf("aliases = %v, want %v", got, want)
	}
	for alias, n := range want {
		if got[alias] != fixedCertificate(t, n).Fingerprint() {
			t.Errorf("%s is not certificate %d", alias, n)
		}
	}
}

func trustedOf(t *testing.T, data, password string) map[string]keystore.Fingerprint {
	t.Helper()
	s, err := keystore.Open([]byte(data), password)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]keystore.Fingerprint{}
	for _, e := range s.Entries() {
		out[e.Alias] = e.Chain[0].Fingerprint()
	}
	return out
}

func TestATruststoreIsMergedByAlias(t *testing.T) {
	for _, format := range []keystore.Format{keystore.JKS, keystore.PKCS12} {
		t.Run(string(format), func(t *testing.T) {
			c, v := trustCertificates{}, newVolume(t)
			v.TruststorePassword = "changed"
			base := map[string]int{"same": 1, "renewed": 2, "gone": 3, "mine-now": 4, "removed-here": 5, "gone-but-mine": 6}
			next := map[string]int{"same": 1, "renewed": 12, "new": 20, "mine-now": 14, "removed-here": 15, "both": 30}
			own := map[string]int{"same": 1, "renewed": 2, "gone": 3, "mine-now": 40, "gone-but-mine": 60, "users": 70, "both": 31}
			v.upgrade(seedTestStore, c.store(t, format, "wso2carbon", base), c.store(t, format, "wso2carbon", next), c.store(t, format, "changed", own))
			r := v.apply()
			want := map[string]int{"same": 1, "renewed": 12, "new": 20, "mine-now": 40, "gone-but-mine": 60, "users": 70, "both": 31}
			got := trustedOf(t, v.content(v.own(seedTestStore)), "changed")
			if len(got) != len(want) {
				t.Errorf("aliases = %v, want %v", got, want)
			}
			for alias, n := range want {
				if got[alias] != c.get(t, n).Fingerprint() {
					t.Errorf("%s is not certificate %d", alias, n)
				}
			}
			if len(r.Files) != 1 || r.Files[0].Action != FileMerged {
				t.Fatalf("report = %+v", r)
			}
			told := told(r.Files[0].Changes)
			wantTold := "both kept, gone dropped, gone-but-mine kept, mine-now kept, new added, removed-here kept, renewed replaced"
			if told != wantTold {
				t.Errorf("told: %s\nwant: %s", told, wantTold)
			}
			if s, _ := keystore.Open([]byte(v.content(v.own(seedTestStore))), "changed"); s.Format() != format {
				t.Errorf("the format became %s", s.Format())
			}
			before := v.snapshot()
			if r := v.apply(); len(r.Files) > 0 || v.snapshot() != before {
				t.Errorf("a second run did something: %+v", r)
			}
		})
	}
}

func told(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.What+" "+string(c.Action))
	}
	return strings.Join(out, ", ")
}

func TestAnUntouchedTruststoreTakesTheNewOneWhole(t *testing.T) {
	v := newVolume(t)
	old, next := trustBytes(t, "wso2carbon", map[string]int{"a": 1}), trustBytes(t, "wso2carbon", map[string]int{"a": 2, "b": 3})
	v.upgrade(seedTestStore, old, next, old)
	if r := v.apply(); r.Files[0].Action != FileReplaced || v.content(v.own(seedTestStore)) != next {
		t.Errorf("report = %+v", r)
	}
}

func TestANewPasswordOfTheStockDoesNotLockTheServerOut(t *testing.T) {
	v := newVolume(t)
	settings := func(password string) string { return "[truststore]\npassword = \"" + password + "\"\n" }
	v.upgrade(settingsFile, settings("first"), settings("second"), settings("first"))
	old := trustBytes(t, "first", map[string]int{"a": 1})
	v.upgrade(seedTestStore, old, trustBytes(t, "second", map[string]int{"a": 1, "b": 2}), old)
	v.apply()
	assertTrusts(t, v.content(v.own(seedTestStore)), "first", map[string]int{"a": 1, "b": 2})
	if got := v.content(v.own(settingsFile)); got != settings("first") {
		t.Errorf("the settings name another password than that of the store:\n%s", got)
	}
}

func TestAStoreThatDoesNotOpenIsLeftAloneUntilItDoes(t *testing.T) {
	v := newVolume(t)
	own := trustBytes(t, "unknown", map[string]int{"mine": 4})
	v.upgrade(seedTestStore, trustBytes(t, "wso2carbon", map[string]int{"a": 1}), trustBytes(t, "wso2carbon", map[string]int{"a": 2, "b": 3}), own)
	for range 2 {
		r := v.apply()
		if len(r.Files) != 1 || r.Files[0].Err == nil || strings.Contains(r.Files[0].Err.Error(), "wso2carbon") || v.content(v.own(seedTestStore)) != own {
			t.Fatalf("report = %+v", r)
		}
	}
	v.TruststorePassword = "unknown"
	v.apply()
	assertTrusts(t, v.content(v.own(seedTestStore)), "unknown", map[string]int{"mine": 4, "b": 3})
}

func TestAStoreWithAKeyAndTheTrustInItStay(t *testing.T) {
	const store = "repository/resources/security/wso2carbon.p12"
	v, c := newVolume(t), trustCertificates{}
	withKey := func(n int) (string, keystore.Certificate) {
		leaf, key := trustCertificate(t, n)
		s, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon"})
		if err == nil {
			err = s.SetKey("wso2carbon", key, []keystore.Certificate{leaf}, "wso2carbon", time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(data), leaf
	}
	old, leaf := withKey(1)
	next, nextLeaf := withKey(2)
	c[1], c[2] = leaf, nextLeaf
	v.upgrade(store, old, next, old)
	oldTrust := c.store(t, keystore.PKCS12, "wso2carbon", map[string]int{"wso2carbon": 1, "ca": 3})
	v.upgrade(seedTestStore, oldTrust, c.store(t, keystore.PKCS12, "wso2carbon", map[string]int{"wso2carbon": 2, "ca": 4}), oldTrust)
	r := v.apply()
	if v.content(v.own(store)) != old || actionFound(r, store) != FileKept {
		t.Errorf("the keystore changed: %+v", r)
	}
	got := trustedOf(t, v.content(v.own(seedTestStore)), "wso2carbon")
	if got["wso2carbon"] != leaf.Fingerprint() {
		t.Error("the server does not trust its own certificate any more")
	}
	if got["ca"] != c[4].Fingerprint() {
		t.Error("the new CA has not arrived")
	}
}

// TestWhatJavaMayNotReadIsNotTakenOver: one such certificate in a new image keeps nothing else of it out.
func TestWhatJavaMayNotReadIsNotTakenOver(t *testing.T) {
	v, c := newVolume(t), trustCertificates{}
	next := testenv.JKS("wso2carbon", map[string][]byte{"a": c.get(t, 1).DER, "new": c.get(t, 2).DER, "odd": []byte("no certificate")})
	v.upgrade(seedTestStore, c.store(t, keystore.JKS, "wso2carbon", map[string]int{"a": 1}), string(next),
		c.store(t, keystore.JKS, "wso2carbon", map[string]int{"a": 1, "mine": 3}))
	r := v.apply()
	if len(r.Files) != 1 || r.Files[0].Err != nil || told(r.Files[0].Changes) != "new added, odd kept" || !strings.Contains(r.Files[0].Changes[1].Why, "not in DER") {
		t.Fatalf("report = %+v", r)
	}
	if got := trustedOf(t, v.content(v.own(seedTestStore)), "wso2carbon"); len(got) != 3 || got["new"] != c.get(t, 2).Fingerprint() {
		t.Errorf("trusted are %v", got)
	}
}

func TestTheProductsOwnStoresAreMerged(t *testing.T) {
	for _, test := range []struct{ product, name, dir, truststore, keystore string }{
		{config.IS, "wso2is-7.1.0", "is-7.1.0", "client-truststore.p12", "wso2carbon.p12"},
		{config.AM, "wso2am-4.5.0", "apim-4.5.0", "client-truststore.jks", "wso2carbon.jks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &volume{Seed{Volume: t.TempDir(), Product: test.product}, t}
			v.write(v.seed("product"), test.name)
			truststore := "repository/resources/security/" + test.truststore
			for path, from := range map[string]string{
				truststore: testenv.Shared(t, "keystores", test.dir, test.truststore),
				"repository/resources/security/" + test.keystore: testenv.Shared(t, "keystores", test.dir, test.keystore),
				settingsFile: testenv.Shared(t, "conf", test.dir, "deployment.toml"),
			} {
				v.write(v.seed(path), v.content(from))
			}
			if r := v.apply(); len(r.Files) != 3 {
				t.Fatalf("the first run = %+v", r)
			}
			mine, cert := keystoreOf(t, v.content(v.own(truststore))), fixedCertificate(t, 7)
			aliases := mine.Entries()
			if err := mine.SetTrusted("users", cert, time.Time{}); err != nil {
				t.Fatal(err)
			}
			v.write(v.own(truststore), encoded(t, mine))
			next := keystoreOf(t, v.content(v.seed(truststore)))
			gone := aliases[slices.IndexFunc(aliases, func(e keystore.Entry) bool { return !strings.HasPrefix(e.Alias, "wso2") })].Alias
			renewed, _ := trustCertificate(t, 99)
			for _, err := range []error{next.Delete(gone), next.SetTrusted("renewed", renewed, time.Time{})} {
				if err != nil {
					t.Fatal(err)
				}
			}
			v.write(v.seed(truststore), encoded(t, next))
			r := v.apply()
			got := trustedOf(t, v.content(v.own(truststore)), "wso2carbon")
			_, stillThere := got[gone]
			if stillThere || got["renewed"] != renewed.Fingerprint() || got["users"] != cert.Fingerprint() || len(got) != len(aliases)+1 {
				t.Errorf("merged: %d entries of %d; report %+v", len(got), len(aliases), r)
			}
		})
	}
}

func keystoreOf(t *testing.T, data string) *keystore.Store {
	t.Helper()
	s, err := keystore.Open([]byte(data), "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(t *testing.T, s *keystore.Store) string {
	t.Helper()
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
