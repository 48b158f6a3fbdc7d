package wso2

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestARunSendsItsCorrelationID: also on a connection that it uses again, and never into the caller's request.
func TestARunSendsItsCorrelationID(t *testing.T) {
	var got []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("activityid")) }))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	run := NewRun()
	for _, id := range []string{run, ""} {
		c := Connection{Run: id}
		for range 2 {
			client, err := c.Client(pins{}, path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if len(r.Header) > 0 {
				t.Errorf("the caller's request has %v", r.Header)
			}
		}
		if idle, is := c.client.Transport.(interface{ CloseIdleConnections() }); !is || idle == nil {
			t.Error("nothing closes the idle connections")
		}
		c.Close()
	}
	if want := []string{run, run, "", ""}; !slices.Equal(got, want) {
		t.Errorf("the server got %q, not %q", got, want)
	}
	if form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`); !form.MatchString(run) || run == NewRun() {
		t.Errorf("the id %q is no random UUID", run)
	}
}

// TestARouteLeadsToTheServerThatItsAddressIsPinnedFor: the address of a key manager is one that only containers reach.
func TestARouteLeadsToTheServerThatItsAddressIsPinnedFor(t *testing.T) {
	right, wrong := issue(t, nil, asIs), issue(t, nil, asIs)
	const inner = "wso2is.invalid:9443"
	for want, id := range map[error]identity{nil: right, ErrNotPinned: wrong} {
		c := Connection{Routes: map[string]string{inner: serveAs(t, id)}}
		hc, err := c.Client(pins{inner: {right.fingerprint()}}, "")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Get("https://" + inner)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		c.Close()
	}
}
