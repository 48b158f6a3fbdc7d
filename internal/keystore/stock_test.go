package keystore

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// stockStore is what a release has. The files of IS are in product-is (modules/distribution/src/repository/resources/security) at the tag of
// the release. Those of API-M are the truststore of product-apim (modules/distribution/product/src/main/resources), and the key store of
// the carbon-kernel that the release is built with: 4.9.27, 4.9.28, 4.9.33 and 4.11.18.
type stockStore struct {
	file    string
	format  Format
	entries int
	expires string // of the key's certificate; "" for a truststore
}

func stockStores() []stockStore {
	return []stockStore{
		{"is-7.0.0/wso2carbon.jks", JKS, 144, "2025-01-07"},
		{"is-7.0.0/client-truststore.jks", JKS, 144, ""},
		{"is-7.1.0/wso2carbon.p12", PKCS12, 143, "2026-01-08"},
		{"is-7.1.0/client-truststore.p12", PKCS12, 144, ""},
		{"is-7.2.0/wso2carbon.p12", PKCS12, 142, "2026-01-08"},
		{"is-7.2.0/client-truststore.p12", PKCS12, 143, ""},
		{"is-7.3.0/wso2carbon.p12", PKCS12, 142, "2028-07-09"},
		{"is-7.3.0/client-truststore.p12", PKCS12, 143, ""},
		{"apim-4.4.0/wso2carbon.jks", PKCS12, 149, "2026-12-14"},
		{"apim-4.4.0/client-truststore.jks", PKCS12, 150, ""},
		{"apim-4.5.0/wso2carbon.jks", PKCS12, 149, "2027-05-19"},
		{"apim-4.5.0/client-truststore.jks", PKCS12, 150, ""},
		{"apim-4.6.0/wso2carbon.jks", JKS, 144, "2027-12-26"},
		{"apim-4.6.0/client-truststore.jks", JKS, 145, ""},
		{"apim-4.7.0/wso2carbon.jks", JKS, 145, "2028-06-06"},
		{"apim-4.7.0/client-truststore.jks", JKS, 146, ""},
	}
}

// TestStockStoresOfEveryVersionAreReadAndEdited has every JDK that is here judge the result, with the class that keytool uses. Files of
// versions that are not with the reference material are named in the log.
func TestStockStoresOfEveryVersionAreReadAndEdited(t *testing.T) {
	peer := newIdentity(t, "peer", nil).certificate()
	base := testenv.Shared(t, "keystores")
	want := map[string]view{}
	var edited []string
	for _, stock := range stockStores() {
		data, err := os.ReadFile(filepath.Join(base, stock.file))
		if os.IsNotExist(err) && !strings.Contains(stock.file, "-7.1.0/") && !strings.Contains(stock.file, "-4.5.0/") {
			t.Logf("not here, and not read: %s", stock.file)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, data, realPassword)
		if s.Format() != stock.format || len(s.Entries()) != stock.entries {
			t.Errorf("%s is %s with %d entries, want %s with %d", stock.file, s.Format(), len(s.Entries()), stock.format, stock.entries)
		}
		if stock.expires != "" {
			leaf, err := s.Leaf("wso2carbon") // IS 7.0 has a second key
			if err != nil {
				t.Fatalf("%s: %v", stock.file, err)
			}
			if cert, err := leaf.Parse(); err != nil || cert.NotAfter.Format("2006-01-02") != stock.expires {
				t.Errorf("the certificate of %s expires %s (%v), want %s", stock.file, cert.NotAfter, err, stock.expires)
			}
		}
		before := viewOf(s.Entries())
		mustSet(t, s, "wso2peer", peer)
		after := mustEncode(t, s)
		if again := mustOpen(t, after, realPassword); again.Format() != stock.format {
			t.Errorf("an edit makes %s %s", stock.file, again.Format())
		}
		file := write(t, strings.ReplaceAll(stock.file, "/", "-"), after)
		want[file], edited = before.with("wso2peer", TrustedCertificate, peer), append(edited, file)
	}
	for version, java := range installedJDKs(t) {
		for file, seen := range javaViewsBy(t, java, realPassword, edited...) {
			if d := diff(want[file], seen); d != "" {
				t.Errorf("Java %s sees in %s after the edit:\n%s", version, filepath.Base(file), d)
			}
		}
		t.Logf("%d stores were judged by Java %s", len(edited), version)
	}
}

// installedJDKs are the programs java that are here, by their versions, such as 17.0.15.
func installedJDKs(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("/usr/lib/jvm/*/bin/java")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, java := range append(paths, testenv.Command(t, "java")) {
		out, err := exec.Command(java, "-version").CombinedOutput()
		if version := regexp.MustCompile(`version "([^"]+)"`).FindSubmatch(out); err == nil && version != nil {
			found[string(version[1])] = java
		}
	}
	return found
}

func TestOfSeveralKeysTheOneThatTheProductsUseIsTaken(t *testing.T) {
	s := mustNew(t, Options{Format: JKS, Password: realPassword})
	stock := newIdentity(t, "stock", nil)
	for alias, id := range map[string]identity{"newkey": newIdentity(t, "new", nil), "wso2carbon": stock} {
		if err := s.SetKey(alias, id.key, []Certificate{id.certificate()}, realPassword, testTime()); err != nil {
			t.Fatal(err)
		}
	}
	if leaf, err := s.Leaf(""); err != nil || leaf.Fingerprint() != stock.certificate().Fingerprint() {
		t.Errorf("%s, %v", leaf.Fingerprint(), err)
	}
}
