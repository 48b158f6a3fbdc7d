package wso2

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// homes are those of both stand-ins, unpacked once, because their keys take longer than everything else.
var homes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wso2")
	if err != nil {
		return "", err
	}
	for _, product := range []string{wso2sim.ProductIS, wso2sim.ProductAM} {
		if err := wso2sim.UnpackWith(filepath.Join(dir, product), product, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
			return dir, err
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := homes(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var shipped = Credentials{User: "admin", Password: "admin"}

// options are those of a stand-in with a home of its own. Every request is held against the products' specifications.
func options(t *testing.T, product string) wso2sim.Options {
	t.Helper()
	dir, err := homes()
	must(t, err)
	home := filepath.Join(t.TempDir(), product)
	must(t, os.CopyFS(home, os.DirFS(filepath.Join(dir, product))))
	return wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Wrap: speccheck.Wrap(t)}
}

// pinned is a client that trusts the certificate in the keystore of a home.
func pinned(t *testing.T, home, base string) *http.Client {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "repository/resources/security/wso2carbon.*"))
	must(t, err)
	text, err := os.ReadFile(files[0])
	must(t, err)
	store, err := keystore.Open(text, "wso2carbon")
	must(t, err)
	leaf, err := store.Leaf("wso2carbon")
	must(t, err)
	hc := NewHTTPClient(pins{strings.TrimPrefix(base, "https://"): {leaf.Fingerprint()}}, nil)
	t.Cleanup(hc.CloseIdleConnections)
	return hc
}

// manager starts a stand-in of API-M.
func manager(t *testing.T) (base string, hc *http.Client) {
	t.Helper()
	o := options(t, wso2sim.ProductAM)
	am, err := wso2sim.StartAM(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { am.Close() })
	must(t, am.Wait(t.Context()))
	return am.URL(), pinned(t, o.Home, am.URL())
}

// identityServer starts a stand-in of IS.
func identityServer(t *testing.T) (base string, hc *http.Client) {
	t.Helper()
	o := options(t, wso2sim.ProductIS)
	is, err := wso2sim.StartIS(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { is.Close() })
	must(t, is.Wait(t.Context()))
	return is.URL(), pinned(t, o.Home, is.URL())
}

// simpleAPI is an API with one operation.
func simpleAPI(name, version string) map[string]any {
	return map[string]any{
		"name": name, "version": version, "context": "/" + strings.ToLower(name), "type": "HTTP", "policies": []string{"Unlimited"},
		"endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": map[string]any{"url": "http://backend.example"}},
		"operations":     []map[string]any{{"target": "/pay", "verb": "GET"}},
	}
}

// has fails the test unless an object has an id, a name, and these fields.
func (o Object) has(t *testing.T, err error, name string, fields map[string]any) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if o.ID == "" || o.Name != name {
		t.Errorf("object %q %q, want the name %q", o.ID, o.Name, name)
	}
	for field, want := range fields {
		if got := o.Fields[field]; got != want {
			t.Errorf("%s: %v, want %v", field, got, want)
		}
	}
}
