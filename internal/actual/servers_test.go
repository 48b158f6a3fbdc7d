package actual

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/keystore"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// homes are those of both stand-ins, which trust each other. They are unpacked once, because their keys take longest.
var homes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "actual")
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

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := homes(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// servers are a stand-in of each server, and what the agent needs to reach them.
type servers struct {
	t          *testing.T
	am         *wso2sim.AM
	is         wso2sim.Server
	amRequests *wso2sim.RequestLog
	isRequests *wso2sim.RequestLog
	amFaults   *wso2sim.Faults
	client     *http.Client
	settings   bootstrap.Settings
}

// start starts the stand-ins. Every request is held against the products' specifications. change may be nil.
func start(t *testing.T, change func(*wso2sim.Options)) *servers {
	t.Helper()
	dir, err := homes()
	must(t, err)
	s := &servers{t: t, amRequests: wso2sim.NewRequestLog(), isRequests: wso2sim.NewRequestLog(), amFaults: wso2sim.NewFaults()}
	options := func(product string, log *wso2sim.RequestLog) wso2sim.Options {
		home := filepath.Join(t.TempDir(), product)
		must(t, os.CopyFS(home, os.DirFS(filepath.Join(dir, product))))
		return wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Requests: log, Wrap: speccheck.Wrap(t)}
	}
	is, err := wso2sim.StartIS(t.Context(), options(wso2sim.ProductIS, s.isRequests))
	must(t, err)
	t.Cleanup(func() { is.Close() })
	o := options(wso2sim.ProductAM, s.amRequests)
	o.Faults = s.amFaults
	if change != nil {
		change(&o)
	}
	s.am, err = wso2sim.StartAM(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { s.am.Close() })
	s.is = is
	must(t, is.Wait(t.Context()))
	must(t, s.am.Wait(t.Context()))
	// The stand-ins' certificates are not what these tests are about.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: atOnce} // of this test's own stand-ins
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	account := func(source string) wso2.Credentials {
		return wso2.Credentials{User: "admin", Password: "admin", Source: source, Lockout: &wso2.Lockout{}}
	}
	s.settings = bootstrap.Settings{
		AMURL: s.am.URL(), GatewayURL: s.am.GatewayURL(), ISURL: is.URL(), KMName: "WSO2-IS", KeyManagerName: "WSO2-IS",
		AMCredentials: account("AM_ADMIN_USER and AM_ADMIN_PASS"), ISCredentials: account("IS_ADMIN_USER and IS_ADMIN_PASS"),
		ISPublicURL: "https://login.example",
	}
	return s
}

// read reads a file of the desired state that has no mistakes, and what it names.
func (s *servers) read(text, folder string) plan.Wanted {
	s.t.Helper()
	source := desired.FromSystem(func(string) (string, bool) { return "", false }, func(string) bool { return false })
	f, err := desired.Parse(source, desired.Input{Name: filepath.Join(folder, "file.yaml"), Data: []byte(text)})
	must(s.t, err)
	want, err := Want(s.t.Context(), f, s.settings)
	must(s.t, err)
	return want
}

// have reads what the servers have.
func (s *servers) have(want plan.Wanted) plan.Have {
	s.t.Helper()
	have, err := Read(s.t.Context(), Connect(s.client, s.settings), want)
	must(s.t, err)
	return have
}

// plan makes the plan, and returns a line for each change and for each field that it changes.
func (s *servers) plan(want plan.Wanted) (lines []string) {
	s.t.Helper()
	changes, problems := plan.Make(want, s.have(want))
	for _, c := range changes {
		line := string(c.Action) + " " + c.Kind + " " + c.Name
		if c.Of != "" {
			line += " of " + c.Of
		}
		var fields []string
		for _, d := range c.Fields {
			have, err := json.Marshal(d.Have)
			must(s.t, err)
			want, err := json.Marshal(d.Want)
			must(s.t, err)
			fields = append(fields, d.Path+" "+string(have)+" -> "+string(want))
		}
		if len(fields) > 0 {
			line += ": " + strings.Join(fields, ", ")
		}
		lines = append(lines, line)
	}
	for _, p := range problems {
		lines = append(lines, "problem: "+p.String())
	}
	return lines
}

// planned fails the test unless the plan is these lines.
func (s *servers) planned(want plan.Wanted, lines ...string) {
	s.t.Helper()
	if got := s.plan(want); !slices.Equal(got, lines) {
		s.t.Errorf("the plan is\n  %s\nand should be\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

// bootstrap makes what a file names, on servers that have nothing of it.
func (s *servers) bootstrap(text string) {
	s.t.Helper()
	s.create(s.read(text, s.t.TempDir()))
}
