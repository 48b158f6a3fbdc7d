package actual

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/pair"
)

func TestMain(m *testing.M) { os.Exit(pair.Main(m)) }

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
	isFaults   *wso2sim.Faults
	client     *http.Client
	settings   bootstrap.Settings
}

// start starts the stand-ins. change may be nil.
func start(t *testing.T, change func(*wso2sim.Options)) *servers {
	t.Helper()
	p := pair.Start(t, change)
	s := &servers{t: t, am: p.AM, is: p.IS, amRequests: p.AMRequests, isRequests: p.ISRequests, amFaults: p.AMFaults, isFaults: p.ISFaults, client: p.Client}
	account := func(source string) wso2.Credentials {
		return wso2.Credentials{User: "admin", Password: "admin", Source: source, Lockout: &wso2.Lockout{}}
	}
	s.settings = bootstrap.Settings{
		AMURL: s.am.URL(), GatewayURL: s.am.GatewayURL(), ISURL: s.is.URL(), KMName: "WSO2-IS", KeyManagerName: "WSO2-IS",
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
