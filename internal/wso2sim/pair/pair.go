// Package pair starts a stand-in of each server for a test.
package pair

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// homes are those of both stand-ins, which trust each other. A test binary unpacks them once, because their keys take longest.
var homes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pair")
	if err != nil {
		return "", err
	}
	stores := map[string][2]string{
		wso2sim.ProductIS: {"wso2carbon.p12", "client-truststore.p12"}, wso2sim.ProductAM: {"wso2carbon.jks", "client-truststore.jks"},
	}
	leaves := map[string]keystore.Certificate{}
	path := func(product string, i int) string {
		return filepath.Join(dir, product, "repository/resources/security", stores[product][i])
	}
	for product := range stores {
		if err := wso2sim.UnpackWith(filepath.Join(dir, product), product, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
			return dir, err
		}
		store, err := open(path(product, 0))
		if err != nil {
			return dir, err
		}
		if leaves[product], err = store.Leaf(""); err != nil {
			return dir, err
		}
	}
	for product, peer := range map[string]string{wso2sim.ProductIS: wso2sim.ProductAM, wso2sim.ProductAM: wso2sim.ProductIS} {
		store, err := open(path(product, 1))
		if err != nil {
			return dir, err
		}
		if err := store.SetTrusted("peer", leaves[peer], time.Time{}); err != nil {
			return dir, err
		}
		data, err := store.Encode()
		if err != nil {
			return dir, err
		}
		if err := os.WriteFile(path(product, 1), data, 0o600); err != nil {
			return dir, err
		}
	}
	return dir, nil
})

func open(path string) (*keystore.Store, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return keystore.Open(data, "wso2carbon")
}

// Main runs the tests of a package that calls [Start], and returns the exit code. TestMain calls it.
func Main(m *testing.M) int {
	code := m.Run()
	if dir, err := homes(); err == nil {
		os.RemoveAll(dir)
	}
	return code
}

// Servers are both stand-ins, what they have been asked, and the failures that a test gives them. They run until the test ends.
type Servers struct {
	AM                     *wso2sim.AM
	IS                     wso2sim.Server
	AMRequests, ISRequests *wso2sim.RequestLog
	AMFaults, ISFaults     *wso2sim.Faults
	// Client reaches both. It verifies no certificate: those of the stand-ins are not what such a test is about.
	Client *http.Client
}

// Start starts both stand-ins. Every request is held against the products' specifications. change changes the options of API-M, and may
// be nil.
func Start(t *testing.T, change func(*wso2sim.Options)) *Servers {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := homes()
	must(err)
	s := &Servers{AMRequests: wso2sim.NewRequestLog(), ISRequests: wso2sim.NewRequestLog(), AMFaults: wso2sim.NewFaults(), ISFaults: wso2sim.NewFaults()}
	options := func(product string, log *wso2sim.RequestLog, faults *wso2sim.Faults) wso2sim.Options {
		home := filepath.Join(t.TempDir(), product)
		must(os.CopyFS(home, os.DirFS(filepath.Join(dir, product))))
		return wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Requests: log, Faults: faults, Wrap: speccheck.Wrap(t)}
	}
	s.IS, err = wso2sim.StartIS(t.Context(), options(wso2sim.ProductIS, s.ISRequests, s.ISFaults))
	must(err)
	t.Cleanup(func() { s.IS.Close() })
	o := options(wso2sim.ProductAM, s.AMRequests, s.AMFaults)
	if change != nil {
		change(&o)
	}
	s.AM, err = wso2sim.StartAM(t.Context(), o)
	must(err)
	t.Cleanup(func() { s.AM.Close() })
	must(s.IS.Wait(t.Context()))
	must(s.AM.Wait(t.Context()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8} // of this test's own stand-ins
	t.Cleanup(transport.CloseIdleConnections)
	s.Client = &http.Client{Transport: transport}
	return s
}
