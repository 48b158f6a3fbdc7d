package keystore

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"wso2agent/internal/testenv"
)

// newOpenSSL is an OpenSSL of 3.4 or newer in a container. What it is to read and write lies in the folder that it
// returns.
func newOpenSSL(t *testing.T) (dir string, openssl func(args ...string) (string, error)) {
	t.Helper()
	docker := testenv.Docker(t)
	if out, err := exec.Command(docker, "build", "-q", "-t", "wso2agent-test-openssl", "testdata/openssl").CombinedOutput(); err != nil {
		t.Fatalf("make the image with OpenSSL: %v\n%s", err, out)
	}
	dir = t.TempDir()
	return dir, func(args ...string) (string, error) {
		user := strconv.Itoa(os.Getuid()) + ":" + strconv.Itoa(os.Getgid())
		out, err := exec.Command(docker, append([]string{"run", "--rm", "--network", "none", "--user", user, "-v", dir + ":/stores", "-w", "/stores",
			"wso2agent-test-openssl", "openssl"}, args...)...).CombinedOutput()
		return string(out), err
	}
}

// TestANewOpenSSLAndThisPackageReadEachOthersPBMAC1: OpenSSL writes each, this package edits it, OpenSSL reads the
// result and verifies its MAC.
func TestANewOpenSSLAndThisPackageReadEachOthersPBMAC1(t *testing.T) {
	dir, openssl := newOpenSSL(t)
	leaf, added := newIdentity(t, "localhost", nil), newIdentity(t, "added", nil).certificate()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	put("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.cert.Raw}))
	for _, c := range []struct{ name, args, info string }{
		{"SHA-256", "-macalg sha256", "PBMAC1 using PBKDF2, Iteration 2048\nKey length: 32, Salt length: 8\nPBKDF2 PRF: hmacWithSHA256"},
		{"SHA-512", "-macalg sha512 -pbmac1_pbkdf2_md sha512", "PBKDF2 PRF: hmacWithSHA512"},
		{"SHA-384 with another derivation", "-macalg sha384 -pbmac1_pbkdf2_md sha1 -iter 1000", "PBKDF2 PRF: hmacWithSHA1"},
	} {
		if out, err := openssl(append(strings.Fields("pkcs12 -export -pbmac1_pbkdf2 -inkey key.pem -in cert.pem -name server -out made.p12 -passout pass:"+testPassword), strings.Fields(c.args)...)...); err != nil {
			t.Fatalf("%s: OpenSSL makes no store: %v\n%s", c.name, err, out)
		}
		data := readFile(t, filepath.Join(dir, "made.p12"))
		s := mustOpen(t, data, testPassword)
		mustSet(t, s, "added", added)
		edited := mustEncode(t, s)
		checkUntouched(t, data, edited, testPassword, "added")
		put("edited.p12", edited)
		read := strings.Fields("pkcs12 -in edited.p12 -info -nodes -passin pass:" + testPassword)
		out, err := openssl(read...)
		for _, want := range []string{c.info, "friendlyName: added", "friendlyName: server", "BEGIN PRIVATE KEY"} {
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("%s: OpenSSL does not see %q after the edit: %v\n%s", c.name, want, err, out)
			}
		}
		// OpenSSL does verify: it refuses a MAC with one bit changed.
		value := mustOpen(t, edited, testPassword).codec.(*pkcs12).mac.value
		edited[strings.Index(string(edited), string(value))] ^= 1
		put("edited.p12", edited)
		if out, err := openssl(read...); err == nil || !strings.Contains(strings.ToLower(out), "mac verify") {
			t.Errorf("%s: OpenSSL takes a wrong MAC: %v\n%s", c.name, err, out)
		}
	}
}

// TestGoPKCS12AndThisPackageReadEachOther: that library writes a store, this package edits it, and the library reads
// it again. Names are left out where it reads none.
func TestGoPKCS12AndThisPackageReadEachOther(t *testing.T) {
	leaf, trusted, added := newIdentity(t, "localhost", nil), newIdentity(t, "trusted", nil), newIdentity(t, "added", nil)
	for name, c := range map[string]struct {
		encoder  *gopkcs12.Encoder
		password string
	}{
		"RC2-40": {gopkcs12.LegacyRC2, testPassword}, "3DES": {gopkcs12.LegacyDES, testPassword}, "AES": {gopkcs12.Modern2023, testPassword},
		"PBMAC1": {gopkcs12.Modern2026, testPassword}, "neither MAC nor encryption": {gopkcs12.Passwordless, ""},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := c.encoder.EncodeTrustStoreEntries([]gopkcs12.TrustStoreEntry{{Cert: trusted.cert, FriendlyName: "größe"}}, c.password)
			if err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, data, c.password)
			if d := diff(view{}.with("größe", TrustedCertificate, trusted.certificate()), viewOf(s.Entries())); d != "" {
				t.Errorf("its truststore:\n%s", d)
			}
			mustSet(t, s, "added", added.certificate())
			edited := mustEncode(t, s)
			checkUntouched(t, data, edited, c.password, "added")
			certs, err := gopkcs12.DecodeTrustStore(edited, c.password)
			if err != nil || !slices.EqualFunc(certs, []*x509.Certificate{trusted.cert, added.cert}, (*x509.Certificate).Equal) {
				t.Errorf("go-pkcs12 reads %d certificates from the edited truststore, %v", len(certs), err)
			}

			if data, err = c.encoder.Encode(leaf.key, leaf.cert, nil, c.password); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, data, c.password)
			if got, err := s.PrivateKey("", c.password); err != nil || !leaf.key.Equal(got) {
				t.Errorf("its key: %v", err)
			}
			if got, err := s.Leaf(""); err != nil || got.Fingerprint() != leaf.certificate().Fingerprint() {
				t.Errorf("its leaf: %v", err)
			}
			mustSet(t, s, "added", added.certificate())
			edited = mustEncode(t, s)
			key, cert, others, err := gopkcs12.DecodeChain(edited, c.password)
			if err != nil || !leaf.key.Equal(key) || !cert.Equal(leaf.cert) || len(others) != 1 || !others[0].Equal(added.cert) {
				t.Errorf("go-pkcs12 reads another key or chain after the edit: %v", err)
			}
		})
	}
}

// TestGoPKCS12ReadsTheRealTruststoresAfterAnEdit: it reads stores without a MAC under an empty password alone, which
// API Manager's truststore does not mind.
func TestGoPKCS12ReadsTheRealTruststoresAfterAnEdit(t *testing.T) {
	for file, password := range map[string]string{"is-7.1.0/client-truststore.p12": realPassword, "apim-4.5.0/client-truststore.jks": ""} {
		s := mustOpen(t, readReal(t, file), realPassword)
		mustSet(t, s, "peer", newIdentity(t, "peer", nil).certificate())
		certs, err := gopkcs12.DecodeTrustStore(mustEncode(t, s), password)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		var want, got []string
		for _, e := range s.Entries() {
			want = append(want, e.Chain[0].Fingerprint().String())
		}
		for _, c := range certs {
			got = append(got, Certificate{c.Raw}.Fingerprint().String())
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s: go-pkcs12 reads %d certificates of %d", file, len(got), len(want))
		}
	}
}
