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

// Versions are those of both stand-ins, such as 7.1.0 and 4.5.0; "" is the one that was recorded.
type Versions struct{ IS, AM string }

// homes are those of both stand-ins, which trust each other, by their versions. A test binary unpacks them once, because their keys take
// longest.
var homes struct {
	sync.Mutex
	dirs map[Versions]string
}

// homesOf returns the folder with the homes of a pair of versions.
func homesOf(v Versions) (string, error) {
	homes.Lock()
	defer homes.Unlock()
	if dir, ok := homes.dirs[v]; ok {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "pair")
	if err != nil {
		return "", err
	}
	if homes.dirs == nil {
		homes.dirs = map[Versions]string{}
	}
	homes.dirs[v] = dir
	return dir, unpack(dir, v)
}

func unpack(dir string, v Versions) error {
	stores, leaves := map[string]wso2sim.Behaviour{}, map[string]keystore.Certificate{}
	path := func(product, store string) string {
		return filepath.Join(dir, product, "repository/resources/security", store)
	}
	for product, version := range map[string]string{wso2sim.ProductIS: v.IS, wso2sim.ProductAM: v.AM} {
		b, err := wso2sim.BehaviourOf(product, version)
		if err != nil {
			return err
		}
		stores[product] = b
		if err := wso2sim.UnpackWith(filepath.Join(dir, product), product, wso2sim.UnpackOptions{Version: version, Rounds: 10}); err != nil {
			return err
		}
		store, err := open(path(product, b.Keystore))
		if err != nil {
			return err
		}
		if leaves[product], err = store.Leaf("wso2carbon"); err != nil {
			return err
		}
	}
	for product, peer := range map[string]string{wso2sim.ProductIS: wso2sim.ProductAM, wso2sim.ProductAM: wso2sim.ProductIS} {
		file := path(product, stores[product].Truststore)
		store, err := open(file)
		if err != nil {
			return err
		}
		if err := store.SetTrusted("peer", leaves[peer], time.Now()); err != nil {
			return err
		}
		data, err := store.Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

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
	for _, dir := range homes.dirs {
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

// Start starts both stand-ins in the versions that were recorded. Every request is held against the products' specifications. change
// changes the options of API-M, and may be nil.
func Start(t *testing.T, change func(*wso2sim.Options)) *Servers {
	t.Helper()
	return StartVersions(t, Versions{}, change)
}

// StartVersions is [Start] with other versions. Requests of a version that was not recorded are held against the specifications of the
// recorded one as far as those know the path.
func StartVersions(t *testing.T, v Versions, change func(*wso2sim.Options)) *Servers {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := homesOf(v)
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
