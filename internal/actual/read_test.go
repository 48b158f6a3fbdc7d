package actual

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"

	"wso2agent/internal/plan"
)

const oneAPI = `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]
applications: [{name: Shop, subscriptions: [Orders]}]
`

// TestAFailureNamesWhatWasRead: each failure has one error, with what was read and what to do.
func TestAFailureNamesWhatWasRead(t *testing.T) {
	s := start(t, nil)
	withIS := "identity_server: {users: [{username: ann}], groups: [{name: staff}], roles: [{name: clerk}]}\n" + oneAPI
	s.bootstrap(oneAPI)
	want := s.read(withIS, t.TempDir())
	connect := func(password wso2.Secret) Clients {
		settings := s.settings
		for _, account := range []*wso2.Credentials{&settings.AMCredentials, &settings.ISCredentials} {
			account.Password, account.Lockout = password, &wso2.Lockout{}
		}
		return Connect(s.client, settings)
	}
	fails := func(c Clients, moving, permanent bool, parts ...string) {
		t.Helper()
		have, err := Read(t.Context(), c, want)
		if err == nil || have.APIs != nil {
			t.Fatalf("no error, and %v", have.APIs)
		}
		if errors.Is(err, ErrMoving) != moving || wso2.IsPermanent(err) != permanent {
			t.Errorf("moving %t, permanent %t: %v", errors.Is(err, ErrMoving), wso2.IsPermanent(err), err)
		}
		message, hints := remedy.Split(err)
		for _, part := range parts {
			if !strings.Contains(message, part) && !strings.Contains(strings.Join(hints, "\n"), part) {
				t.Errorf("the error lacks %q: %s\nhints %q", part, message, hints)
			}
		}
	}

	s.amRequests.Reset()
	s.isRequests.Reset()
	fails(connect("wrong"), false, true, "HTTP 401", "check ", "_ADMIN_PASS")
	for name, log := range map[string]*wso2sim.RequestLog{"API-M": s.amRequests, "IS": s.isRequests} {
		if n := len(log.List()); n > 2 {
			t.Errorf("%s got a wrong password %d times", name, n)
		}
	}

	vanish := func(path string) func() {
		id, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: path, Status: 500})
		must(t, err)
		return func() { s.amFaults.Remove(id) }
	}
	restore := vanish("/api/am/publisher/v4/apis/*/revisions")
	fails(connect("admin"), false, false, `read the deployments of API "Orders" 1: list revisions of API`, "HTTP 500")
	restore()
	restore = vanish("/api/am/devportal/v3/applications/*/oauth-keys")
	fails(connect("admin"), false, false, `read the keys of application "Shop": list keys`, "HTTP 500")
	restore()

	must(t, s.is.Close())
	fails(connect("admin"), false, false, "(GET "+s.settings.ISURL+"/scim2/", "connection refused", "check that IS runs, and IS_HOST and IS_PORT")
	must(t, s.am.Close())
	fails(connect("admin"), false, false, "connection refused", "check that")
}

// TestAnAPIThatVanishesInBetweenIsNoMistakeOfTheFile deletes an API between the list and the read of it.
func TestAnAPIThatVanishesInBetweenIsNoMistakeOfTheFile(t *testing.T) {
	var vanish atomic.Pointer[func()]
	s := start(t, func(o *wso2sim.Options) {
		wrap := o.Wrap
		o.Wrap = func(next http.Handler) http.Handler {
			return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if do := vanish.Load(); do != nil && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/am/publisher/v4/apis/") && vanish.CompareAndSwap(do, nil) {
					(*do)()
				}
				next.ServeHTTP(w, r)
			}))
		}
	})
	file := `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]`
	want := s.read(file, t.TempDir())
	c := Connect(s.client, s.settings)
	s.create(want)
	id := s.have(want).Versions[0].ID
	remove := func() { must(t, c.Publisher.DeleteAPI(t.Context(), id)) }
	vanish.Store(&remove)
	_, err := Read(t.Context(), c, want)
	if !errors.Is(err, ErrMoving) || wso2.IsPermanent(err) || !strings.Contains(err.Error(), `read API "Orders" 1: it is in the server's list`) || strings.Contains(err.Error(), "run it again") {
		t.Errorf("the error is %v", err)
	}
}

// TestAnAPIThatIsNotListedYetIsNotMissing: the search index lags behind the database.
func TestAnAPIThatIsNotListedYetIsNotMissing(t *testing.T) {
	s := start(t, func(o *wso2sim.Options) { o.Delays.Index = wso2sim.Span{Min: time.Hour, Max: time.Hour} })
	want := s.read(`apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"},
  {name: Orders, version: "2", context: /orders, backend_url: "http://a:1"}, {name: Other, version: "1", context: /other, backend_url: "http://a:1"}]`, t.TempDir())
	if have := s.have(want); len(have.APIs) != 0 {
		t.Errorf("the new server has %v", have.APIs)
	}
	if n := s.amRequests.Counts()["POST /api/am/publisher/v4/apis/validate"]; n != 2 {
		t.Errorf("API-M was asked %d times for two names", n)
	}
	s.create(want)
	_, err := Read(t.Context(), Connect(s.client, s.settings), want)
	if !errors.Is(err, ErrMoving) || !strings.Contains(err.Error(), "does not list it yet") {
		t.Errorf("the error is %v", err)
	}
}

// TestEightRequestsAreMadeAtTheSameTime: no server is asked more at once, and a failure ends what has not begun.
func TestEightRequestsAreMadeAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, done int
		var mu sync.Mutex
		wait := func(context.Context) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now, done = now-1, done+1
			mu.Unlock()
			return nil
		}
		begin := time.Now()
		must(t, together(t.Context(), slices.Repeat([]job{wait}, 50)))
		if took := time.Since(begin); most != 8 || done != 50 || took != 7*time.Second {
			t.Errorf("%d of 50 jobs are done, %d at the same time, in %s", done, most, took)
		}
		failed := errors.New("no answer")
		jobs := append([]job{func(context.Context) error { return failed }}, slices.Repeat([]job{func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		}}, 50)...)
		begin = time.Now()
		if err := together(t.Context(), jobs); err != failed || time.Since(begin) > 0 {
			t.Errorf("after a failure: %v, %s later", err, time.Since(begin))
		}
	})
}

// TestFiftyUnchangedAPIsCostTwoRequestsEach counts the requests of a plan.
func TestFiftyUnchangedAPIsCostTwoRequestsEach(t *testing.T) {
	s := start(t, nil)
	var file strings.Builder
	io.WriteString(&file, "apis:\n")
	for i := range 50 {
		fmt.Fprintf(&file, "  - {name: API%d, version: \"1\", context: /api%d, backend_url: \"http://a:1\"}\n", i, i)
	}
	io.WriteString(&file, "applications: [{name: Shop, subscriptions: [API0], keys: [{type: PRODUCTION}]}]\n")
	want := s.read(file.String(), t.TempDir())
	s.create(want)
	s.amRequests.Reset()
	s.isRequests.Reset()
	s.planned(want)
	expected := map[string]int{
		"GET /api/am/admin/v4/key-managers": 1, "GET /api/am/admin/v4/key-managers/{id}": 1,
		"GET /api/am/publisher/v4/apis": 1, "GET /api/am/publisher/v4/apis/{id}": 50, "GET /api/am/publisher/v4/apis/{id}/revisions": 50,
		"GET /api/am/devportal/v3/applications": 1, "GET /api/am/devportal/v3/applications/{id}": 1,
		"GET /api/am/devportal/v3/subscriptions": 1, "GET /api/am/devportal/v3/applications/{id}/oauth-keys": 1,
	}
	if got := s.amRequests.Counts(); !maps.Equal(got, expected) {
		t.Errorf("API-M got %v, not %v", got, expected)
	}
	if got := s.isRequests.Counts(); got["GET /scim2/Users"]+got["GET /scim2/v2/Roles"] > 0 {
		t.Errorf("IS got %v", got)
	}
}

// TestAReadGetsOverFailuresOfSingleRequests: each list and each API fails once, and then a server that fails always ends the read.
func TestAReadGetsOverFailuresOfSingleRequests(t *testing.T) {
	s := start(t, nil)
	want := s.read(`apis: [{name: A, version: "1", context: /a, backend_url: "http://a:1"}, {name: B, version: "1", context: /b, backend_url: "http://b:1"}]`, t.TempDir())
	s.create(want)
	for _, path := range []string{"admin/v4/key-managers", "publisher/v4/apis", "publisher/v4/apis/*", "publisher/v4/apis/*/revisions"} {
		_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/" + path, Status: 503, Count: 1})
		must(t, err)
	}
	s.planned(want)
	for _, f := range s.amFaults.List() {
		if f.Hits != 1 {
			t.Errorf("%s has failed %d times", f.Path, f.Hits)
		}
	}
	s.amFaults.Clear()
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/publisher/v4/apis", Status: 503})
	must(t, err)
	if _, err := Read(t.Context(), Connect(s.client, s.settings), want); !wso2.HasStatus(err, 503) || s.amFaults.List()[0].Hits != wso2.ReadTries {
		t.Errorf("after %d failures: %v", s.amFaults.List()[0].Hits, err)
	}
}

// TestARevisionIsReadIfItMayLackAChange counts the requests for APIs that somebody saves after their deployment.
func TestARevisionIsReadIfItMayLackAChange(t *testing.T) {
	s := start(t, nil)
	want := s.read("apis: [{name: A, version: '1', context: /a, backend_url: 'http://a:1'}, {name: B, version: '1', context: /b, backend_url: 'http://b:1'}]\n", t.TempDir())
	s.create(want)
	p, name := Connect(s.client, s.settings).Publisher, plan.APIName{Name: "A", Version: "1"}
	object := s.have(want).APIs[name].Object
	object["description"], object["cacheTimeout"] = "Other", 7
	_, err := p.UpdateAPIObject(t.Context(), object["id"].(string), object)
	must(t, err)
	s.amRequests.Reset()
	have := s.have(want)
	if n := s.amRequests.Counts()["GET /api/am/publisher/v4/apis/{id}"]; n != 3 {
		t.Errorf("it took %d requests to read two APIs and a revision", n)
	}
	for api, read := range map[string]bool{"A": true, "B": false} {
		revisions := have.APIs[plan.APIName{Name: api, Version: "1"}].Revisions
		if len(revisions) != 1 || (revisions[0].Object != nil) != read || revisions[0].Created.IsZero() || revisions[0].Deployments[0]["name"] != "Default" {
			t.Errorf("%s has the revisions %v", api, revisions)
		}
	}
	if on := have.APIs[name].Revisions[0].Object; on["description"] != nil || on["isRevision"] != true {
		t.Errorf("the revision is %v", on)
	}
	s.planned(want, `update API A 1: revision "lacks response_caching.timeout" -> "the saved API"`)
}

// TestNothingIsAskedOfWhatTheFileDoesNotName: a file without APIs and applications costs the agent's own key manager and the issuer of IS,
// and without IS nothing.
func TestNothingIsAskedOfWhatTheFileDoesNotName(t *testing.T) {
	s := start(t, nil)
	want := s.read("gateway: {host: gw.example}", t.TempDir())
	s.amRequests.Reset()
	s.isRequests.Reset()
	s.have(want)
	if got := s.amRequests.Counts(); len(got) != 1 || got["GET /api/am/admin/v4/key-managers"] != 1 {
		t.Errorf("API-M got %v", got)
	}
	if got := s.isRequests.Counts(); len(got) != 1 || got["GET /oauth2/token/.well-known/openid-configuration"] != 1 {
		t.Errorf("IS got %v", got)
	}
	want.Own = desired.KeyManager{}
	s.amRequests.Reset()
	s.isRequests.Reset()
	s.have(want)
	if got := s.amRequests.Counts(); len(got) != 0 || len(s.isRequests.List()) != 0 {
		t.Errorf("API-M got %v, and IS %v", got, s.isRequests.Counts())
	}
}
