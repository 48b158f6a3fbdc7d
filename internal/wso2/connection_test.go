package wso2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// caPEM returns a new CA certificate in PEM.
func caPEM(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestAConnectionChangesOnlyWithTheContentOfTLSCAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	first, second := caPEM(t), caPEM(t)
	var c Connection
	steps := []struct {
		name, path string
		content    []byte
		same       bool // the client of the step before
		fails      string
	}{
		{"the first call", "", nil, false, ""},
		{"nothing has changed", "", nil, true, ""},
		{"a file is set", path, first, false, ""},
		{"the same file", path, first, true, ""},
		{"the same name with other CAs", path, second, false, ""},
		{"a file without certificates", path, []byte("no certificate"), false, "holds no certificate in PEM"},
		{"the CAs before", path, second, true, ""},
		{"no file", filepath.Join(t.TempDir(), "missing.pem"), nil, false, "TLS_CA_FILE"},
	}
	for _, s := range steps {
		if s.content != nil {
			if err := os.WriteFile(path, s.content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		before := c.client
		client, err := c.Client(pins{}, s.path)
		if s.fails != "" {
			if err == nil || !strings.Contains(err.Error(), s.fails) || c.client != before {
				t.Errorf("%s: error %v, want %q in it and the former client kept", s.name, err, s.fails)
			}
			continue
		}
		if err != nil || client == nil || (client == before) != s.same {
			t.Errorf("%s: error %v; the same client: %v, want %v", s.name, err, client == before, s.same)
		}
	}
}

func TestRootsOfNoFileAreThoseOfTheSystem(t *testing.T) {
	if roots, err := Roots(""); roots != nil || err != nil {
		t.Errorf("%v, %v", roots, err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, caPEM(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if roots, err := Roots(path); roots == nil || err != nil {
		t.Errorf("%v, %v", roots, err)
	}
}
