package scopes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

func TestAnApplicationGetsTheScopesOfAPIsAndNoOthers(t *testing.T) {
	s := newServer(t)
	s.resource("pay:read", "pay:write")
	ours, foreign := s.key(1), s.register("a client of its own")
	if got := s.granted(ours, "pay:read", "pay:write"); got != "" {
		t.Fatalf("granted without an authorization: %q", got)
	}
	k := keeper()
	if report := s.poll(k); report.Changes != 1 || report.Applications != 1 || report.Scopes != 2 {
		t.Errorf("report %+v", report)
	}
	if got := s.granted(ours, "pay:read", "pay:write", "internal_user_mgt_create"); got != "pay:read pay:write" {
		t.Errorf("granted %q", got)
	}
	if got := s.granted(foreign, "pay:read"); got != "" {
		t.Errorf("a client that is not the connector's got %q", got)
	}
	if report := s.poll(k); report.Changes != 0 {
		t.Errorf("a second poll made %d changes", report.Changes)
	}
}

func TestTheNextPollSeesWhatIsNew(t *testing.T) {
	s := newServer(t)
	k := keeper()
	if report := s.poll(k); report.Changes != 0 || report.Scopes != 0 {
		t.Errorf("without a resource: %+v", report)
	}
	resource := s.resource("a:one")
	first := s.key(1)
	s.poll(k)
	for name, change := range map[string]func(){
		"a new application": func() { s.key(2) },
		"a further scope": func() {
			s.call("PATCH", "/api/server/v1/api-resources/"+resource, map[string]any{"addedScopes": named([]string{"a:two"})}, nil)
		},
		"a scope that was made again": func() { s.remake(resource, "a:one") },
		"one application for another": func() { s.delete(first); first = s.key(3) },
		"a resource that was made new": func() {
			s.call("DELETE", "/api/server/v1/api-resources/"+resource, nil, nil)
			resource = s.resource("a:one", "a:three")
		},
	} {
		change()
		if report := s.poll(k); report.Changes == 0 || report.Err() != nil {
			t.Errorf("%s: %+v", name, report)
		}
		s.allAuthorized()
	}
	if report := s.poll(k); report.Changes != 0 {
		t.Errorf("at rest: %+v", report)
	}
}

func TestTheQuietPollCostsAtMostThreeRequestsWithAnyNumberOfApplications(t *testing.T) {
	s := newServer(t)
	resource := s.resource("a:one")
	k := keeper()
	for have, want := 0, 0; want <= 250; want += 125 {
		for ; have < want; have++ {
			s.key(have)
		}
		if report := s.poll(k); report.Applications != want || report.Err() != nil {
			t.Fatalf("%d applications: %+v", want, report)
		}
		before := s.requests.Load()
		s.poll(k)
		if n := s.requests.Load() - before; n == 0 || n > 3 {
			t.Errorf("%d applications: %d requests", want, n)
		}
	}
	s.remake(resource, "a:one")
	before := s.requests.Load()
	if report := s.poll(k); report.Changes != 250 {
		t.Errorf("report %+v", report)
	}
	if n := s.requests.Load() - before; n > 3*250+20 { // read, authorize, read again
		t.Errorf("%d requests for 250 applications", n)
	}
	s.allAuthorized()
}

func TestMappedClientsAreManagedAndAMissingOneIsReported(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	mapped := s.register("mapped by hand")
	k := keeper()
	k.Clients = []string{mapped.ID, "nobody-has-this"}
	report := s.poll(k)
	if report.Changes != 1 || len(report.Missing) != 1 || report.Missing[0] != "nobody-has-this" {
		t.Errorf("report %+v", report)
	}
	if got := s.granted(mapped, "a:one"); got != "a:one" {
		t.Errorf("granted %q", got)
	}
}

func TestAClientThatISDoesNotHaveIsReportedWithAHint(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	cfg := config.Config{Server: config.Server{Product: config.AM}}
	cfg.Scopes = config.Scopes{Mode: "authorize", At: config.AM, Interval: time.Second, Clients: []string{"nobody-has-this"}}
	w := Watch{Keeper: *keeper()}
	_, _, err := w.Look(t.Context(), cfg, false, nil, s.authorization(), nil)
	if err == nil {
		t.Fatal("no error")
	}
	text, remedies := remedy.Split(err)
	if text != "IS has no client nobody-has-this" || !slices.Equal(remedies, []string{"correct SCOPES_CLIENTS"}) {
		t.Errorf("text %q, remedies %q", text, remedies)
	}
}

func TestEverythingIsReadAgainEveryTenMinutes(t *testing.T) {
	s := newServer(t)
	resource := s.resource("a:one")
	s.key(1)
	k := keeper()
	s.poll(k)
	state, _, err := Read(t.Context(), s.authorization(), nil)
	must(t, err)
	s.call("DELETE", "/api/server/v1/applications/"+state.Applications[0].ID+"/authorized-apis/"+resource, nil, nil) // as a person would
	if report := s.poll(k); report.Changes != 0 {
		t.Errorf("a quiet poll sees more than it can: %+v", report)
	}
	k.full = time.Now().Add(-fullEvery)
	if report := s.poll(k); report.Changes != 1 {
		t.Errorf("ten minutes later: %+v", report)
	}
	s.allAuthorized()
}

// once replaces the stand-in's answer to one write.
func once(method string, status int, code string) func(http.ResponseWriter, *http.Request) bool {
	var first sync.Once
	return func(w http.ResponseWriter, r *http.Request) (done bool) {
		if r.Method == method && strings.Contains(r.URL.Path, "/authorized-apis") {
			first.Do(func() {
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"code":%q,"message":"m","description":"d","traceId":"t"}`, code)
				done = true
			})
		}
		return done
	}
}

func TestAPassReadsAgainWhatISReportsAsChanged(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a scope is gone":                    once("POST", 400, wso2.CodeScopeUnknown),
		"another request at the same time":   once("POST", 500, wso2.CodeAuthorizeFailed),
		"somebody else was faster":           once("POST", 409, wso2.CodeAlreadyAuthorized),
		"an authorization was taken away":    once("PATCH", 400, wso2.CodeNotAuthorized),
		"another change at the same time":    once("PATCH", 500, wso2.CodeAuthorizeFailed),
		"a scope is gone from a further one": once("PATCH", 400, wso2.CodeScopeUnknown),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			resource := s.resource("a:one")
			s.key(1)
			s.poll(keeper())
			s.call("PATCH", "/api/server/v1/api-resources/"+resource, map[string]any{"addedScopes": named([]string{"a:two"})}, nil)
			s.key(2)
			s.meanwhile(answer)
			if report := s.poll(keeper()); report.Err() != nil {
				t.Errorf("report %+v", report)
			}
			s.allAuthorized()
		})
	}
}

func TestAnApplicationThatIsGoneIsDropped(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	gone, stays := s.key(1), s.key(2)
	state, _, err := Read(t.Context(), s.authorization(), nil)
	must(t, err)
	oldest := state.Applications[1]
	var first sync.Once
	s.meanwhile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" && strings.Contains(r.URL.Path, oldest.ID) {
			first.Do(func() { s.meanwhile(nil); s.delete(gone) })
		}
		return false
	})
	if report := s.poll(keeper()); report.Err() != nil || report.Applications != 1 {
		t.Errorf("report %+v", report)
	}
	if got := s.granted(stays, "a:one"); got != "a:one" {
		t.Errorf("granted %q", got)
	}
}

func TestAnApplicationThatISRefusesIsReportedAndStopsNoOther(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	for n := range 5 {
		s.key(n)
	}
	state, _, err := Read(t.Context(), s.authorization(), nil)
	must(t, err)
	bad := state.Applications[2]
	var refused atomic.Int64
	s.meanwhile(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "POST" || !strings.Contains(r.URL.Path, bad.ID) {
			return false
		}
		refused.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"code":"APP-60599","message":"no","description":"not this one","traceId":"t"}`)
		return true
	})
	k := keeper()
	report := s.poll(k)
	if report.Changes != 4 || len(report.Failures) != 1 || !strings.Contains(report.Err().Error(), bad.Name) || !strings.Contains(report.Err().Error(), "APP-60599") {
		t.Fatalf("report %+v", report)
	}
	if report := s.poll(k); report.Err() == nil || refused.Load() != 1 {
		t.Errorf("the failure is forgotten, or tried again at once (%d times): %+v", refused.Load(), report)
	}
	s.meanwhile(nil)
	k.retryAt = time.Now()
	if report := s.poll(k); report.Err() != nil {
		t.Errorf("report %+v", report)
	}
	s.allAuthorized()
}

func TestAnAuthorizationThatISOnlyConfirmsIsAFailure(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	k := s.key(1)
	s.meanwhile(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/authorized-apis")
	}) // 200, empty, as while stopping
	report := s.poll(keeper())
	if report.Err() == nil || s.granted(k, "a:one") != "" {
		t.Errorf("report %+v", report)
	}
}

func TestABusyServerIsNotTheFailureOfOneApplication(t *testing.T) {
	for _, status := range []int{500, 502, 503, 429} {
		s := newServer(t)
		s.resource("a:one")
		for n := range 20 {
			s.key(n)
		}
		s.meanwhile(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "POST" {
				return false
			}
			w.WriteHeader(status)
			return true
		})
		if report, err := keeper().Poll(t.Context(), s.authorization()); err == nil {
			t.Errorf("%d: %+v", status, report)
		}
		s.meanwhile(nil)
	}
}

func TestAPasswordThatIsRefusedEndsAPass(t *testing.T) {
	s := newServer(t)
	s.resource("a:one")
	for n := range 20 {
		s.key(n)
	}
	before := s.requests.Load()
	is := wso2.NewAuthorization(s.http, s.is.URL(), wso2.Credentials{User: "admin", Password: "wrong", Source: "IS_ADMIN_PASS"})
	if _, err := keeper().Poll(t.Context(), is); !wso2.HasStatus(err, http.StatusUnauthorized) || !strings.Contains(err.Error(), "IS_ADMIN_PASS") {
		t.Errorf("error = %v", err)
	}
	if n := s.requests.Load() - before; n != 1 {
		t.Errorf("%d requests with a wrong password", n)
	}
}

func TestTwoPassesAtOnceComeToTheSameEnd(t *testing.T) {
	s := newServer(t)
	resource := s.resource("a:one", "a:two")
	for n := range 40 {
		s.key(n)
	}
	for range 3 {
		var passes sync.WaitGroup
		for range 2 {
			passes.Go(func() {
				report, err := keeper().Poll(context.Background(), s.authorization())
				if err != nil || report.Err() != nil {
					t.Errorf("%+v, %v", report, err)
				}
			})
		}
		passes.Wait()
		s.allAuthorized()
		s.remake(resource, "a:one")
	}
}

// The test kills a pass with SIGKILL before and after each of its requests. Another pass then reaches the same end.
func TestAPassThatIsKilledBetweenAnyTwoRequestsIsFollowedByTheSameEnd(t *testing.T) {
	s := newServer(t)
	resource := s.resource("a:one", "a:two")
	for n := range 3 {
		s.key(n)
	}
	s.poll(keeper())
	s.key(3)
	kills := 0
	for at := 1; ; at++ {
		s.remake(resource, "a:one")
		var killed atomic.Bool
		for _, before := range []bool{true, false} {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SCOPES_TEST_IS="+s.is.URL(), "SCOPES_TEST_PIN="+s.pin.String())
			must(t, cmd.Start())
			served := 0
			var mu sync.Mutex
			s.meanwhile(func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if served++; served != at {
					return false
				}
				killed.Store(true)
				if before {
					must(t, cmd.Process.Kill())
					return true // the request is lost
				}
				time.AfterFunc(0, func() { _ = cmd.Process.Kill() }) // the answer may still arrive, or not
				return false
			})
			_ = cmd.Wait()
			s.meanwhile(nil)
			if killed.Load() {
				kills++
			}
		}
		if !killed.Load() {
			break
		}
		s.poll(keeper())
		s.allAuthorized()
	}
	if kills < 16 {
		t.Errorf("only %d kills", kills)
	}
	t.Logf("%d kills", kills)
}
