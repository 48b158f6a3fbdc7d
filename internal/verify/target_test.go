package verify

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

func TestAnAPIIsCalledInAWayThatItsDefinitionDeclares(t *testing.T) {
	op := func(verb, target string) wso2.Operation { return wso2.Operation{Verb: verb, Target: target} }
	open := func(verb, target string) wso2.Operation {
		return wso2.Operation{Verb: verb, Target: target, Open: true}
	}
	for name, tt := range map[string]struct {
		operations []wso2.Operation
		called     string // with a good token; empty: not at all
		known      string // path of a GET with a wrong token, which reaches no back end; empty: there is none
	}{
		"everything":                     {[]wso2.Operation{op("POST", "/*"), op("GET", "/*")}, "GET /", "/"},
		"a path":                         {[]wso2.Operation{op("GET", "/menu"), op("POST", "/menu")}, "GET /menu", "/menu"},
		"a path without parameters":      {[]wso2.Operation{op("GET", "/menu/{id}"), op("GET", "/menu")}, "GET /menu", "/menu"},
		"anything below a path":          {[]wso2.Operation{op("GET", "/menu/*")}, "GET /menu/", "/menu/"},
		"HEAD where there is no GET":     {[]wso2.Operation{op("POST", "/a"), op("HEAD", "/b"), op("GET", "/c/{id}")}, "HEAD /b", "/a"},
		"only methods that write":        {[]wso2.Operation{op("POST", "/orders"), op("DELETE", "/orders/{id}")}, "", "/orders"},
		"only parameters":                {[]wso2.Operation{op("GET", "/orders/{id}")}, "", "/"},
		"operations that are not known":  {nil, "GET /", "/"},
		"a topic of an event-driven API": {[]wso2.Operation{op("SUBSCRIBE", "_default")}, "", "_default"},
		"one asks for no token":          {[]wso2.Operation{open("GET", "/health"), op("GET", "/orders")}, "GET /orders", "/orders"},
		"it is the only one to read":     {[]wso2.Operation{open("GET", "/health"), op("POST", "/orders")}, "GET /health", "/orders"},
		"it is the only one":             {[]wso2.Operation{open("GET", "/health")}, "GET /health", "/"},
		"it is at the top":               {[]wso2.Operation{open("GET", "/")}, "GET /", noResource},
		"it covers a parameter":          {[]wso2.Operation{open("GET", "/{id}"), op("POST", "/orders")}, "", noResource},
		"it covers everything":           {[]wso2.Operation{open("GET", "/*"), op("GET", "/orders")}, "GET /orders", ""},
		"writing without a token":        {[]wso2.Operation{open("POST", "/*")}, "", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			called := ""
			if op, ok := readable(tt.operations); ok {
				called = op.Verb + " " + callPath(op)
			}
			if known, ok := Guarded(tt.operations); called != tt.called || known != tt.known || ok != (tt.known != "") {
				t.Errorf("called %q, want %q; known by %q %v, want %q", called, tt.called, known, ok, tt.known)
			}
		})
	}
}

func TestWhatTheGatewayShowsOfItsRevision(t *testing.T) {
	const want = "http://b:8080/v1/"
	if got := loadingOf([]string{"http://b:8080"}, ""); got != unknown {
		t.Errorf("without a backend: %d", got)
	}
	for shown, is := range map[string]loading{
		"": unknown, "http://b:8080/v1": current, "http://b:8080/v1/": current, "http://b:8080/v1/{+path}": current, "http://b:8080/v1?x=1": current,
		"http://b:8080/v10": old, "http://a:8080/v1": old, "https://b:8080/v1": old, "{uri.var.host}/v1": unknown,
		"http://b:8080/v1 http://a:8080": old, "http://b:8080/v1 http://b:8080/v1/": current,
	} {
		if got := loadingOf(strings.Fields(shown), want); got != is {
			t.Errorf("%q: %d, want %d", shown, got, is)
		}
	}
}

func TestEveryChangedAPIIsCalledAndOneOfTheOthers(t *testing.T) {
	read, write := []wso2.Operation{{Verb: "GET", Target: "/*"}}, []wso2.Operation{{Verb: "POST", Target: "/*"}}
	api := func(name string, changed, subscribed bool, ops []wso2.Operation) bootstrap.PublishedAPI {
		return bootstrap.PublishedAPI{Name: name, Changed: changed, Subscribed: subscribed, Operations: ops}
	}
	got := ""
	for _, target := range targets([]bootstrap.PublishedAPI{
		api("a", false, false, read), api("b", true, false, read), api("c", false, true, read), api("d", false, true, read), api("e", true, true, write),
		{Name: "f", Changed: true, Operations: read, OnlyKnown: true}, {Name: "g", Subscribed: true, Operations: read, OnlyKnown: true},
	}, false) {
		got += fmt.Sprintf("%s %v, ", target.api.Name, target.token)
		if target.method != http.MethodGet && target.method != http.MethodHead {
			t.Errorf("%s is called with %s", target.api.Name, target.method)
		}
	}
	if got != "a false, b true, c true, d false, e false, f false, g false, " {
		t.Errorf("got %s", got)
	}
}

// changedResult is the result of a run that has changed the backend of the second API.
func changedResult() bootstrap.Result {
	r := result()
	r.APIs[1].Changed = true
	return r
}

func TestAnEarlierRevisionDoesNotPass(t *testing.T) {
	newKeys()
	for name, tt := range map[string]struct {
		status   int
		before   string // what the gateway shows until it has loaded the new one
		loads    time.Duration
		verdict  Verdict
		evidence string
		least    time.Duration // that the check takes
	}{
		"it is loaded late":             {200, shows("http://old:8080"), 20 * time.Second, Pass, "HTTP 401", 20 * time.Second},
		"it is never loaded":            {200, shows("http://old:8080"), time.Hour, Fail, "still has an earlier revision, which calls http://old:8080 and not http://payments:8080", 60 * time.Second},
		"its address has a password":    {200, shows("http://me:hunter2@old:8080"), time.Hour, Fail, "which calls http://me:xxxxx@old:8080 and not http://payments:8080", 60 * time.Second},
		"its sandbox alone is another":  {200, shows("http://payments:8080", "http://sandbox:8080"), time.Hour, Fail, "which calls http://sandbox:8080 and not http://payments:8080", 60 * time.Second},
		"the gateway shows nothing":     {200, `{"endpoints":[]}`, time.Hour, Pass, "HTTP 401", 6 * time.Second},
		"the gateway has no such list":  {404, `{"code":404,"message":"Not Found"}`, time.Hour, Pass, "HTTP 401", 6 * time.Second},
		"the list is not for this user": {401, `{"code":401,"message":"","description":"Unauthenticated request"}`, time.Hour, Pass, "HTTP 401", 6 * time.Second},
		"the list is broken":            {500, `{"code":900967,"message":"General Error"}`, time.Hour, Pass, "HTTP 401", 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, begin := newWorld(), time.Now()
				w.endpoints = func() (int, string) {
					if time.Since(begin) < tt.loads {
						return tt.status, tt.before
					}
					return 200, shows("http://payments:8080")
				}
				_, checks, _ := check(t, w, config.Config{}, Selection{}, changedResult())
				if c := of(t, checks, "api.loaded", "Payment API"); c.Verdict != tt.verdict || !strings.Contains(c.Evidence, tt.evidence) || !strings.Contains(c.Name, "Payment API") {
					t.Errorf("%+v", c)
				}
				if took := time.Since(begin); took < tt.least || took > tt.least+90*time.Second {
					t.Errorf("took %s, want at least %s", took, tt.least)
				}
			})
		})
	}
}

func TestADeadBackendIsReportedAndDelaysNoOtherAPI(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(), changedResult()
		r.APIs[0].Changed = true
		w.endpoints = func() (int, string) { return 200, `{"endpoints":[]}` }
		r.APIs[0].Made, r.APIs[1].Made = true, true
		alive := w.gateway
		w.gateway = func(req *http.Request, valid bool) (int, string) {
			if valid && strings.HasPrefix(req.URL.Path, "/other/") {
				return 500, `{"code":"101503","type":"Status report","message":"Runtime Error","description":"Error connecting to the back end"}`
			}
			return alive(req, valid)
		}
		verdicts, _, err := check(t, w, config.Config{}, Selection{}, r)
		if verdicts != "pppppppfppp" || err == nil || !strings.Contains(err.Error(), `api.called API "Other API" 1.0.0`) || !strings.Contains(err.Error(), "http://others:8080") || strings.Contains(err.Error(), "more failed") {
			t.Errorf("%s, %v", verdicts, err)
		}
	})
}

func TestAnAPIThatHasHEADAloneIsCalledWithIt(t *testing.T) {
	newKeys()
	for backend, want := range map[int]Verdict{200: Pass, 404: Pass, 503: Fail} {
		synctest.Test(t, func(t *testing.T) {
			w, r, begin := newWorld(), changedResult(), time.Now()
			r.APIs[1].Operations = []wso2.Operation{{Verb: "HEAD", Target: "/alive"}, {Verb: "POST", Target: "/orders"}}
			loaded := func() bool { return time.Since(begin) > 20*time.Second }
			w.gateway = func(req *http.Request, valid bool) (int, string) {
				switch {
				case !strings.HasPrefix(req.URL.Path, "/pay/"):
					return 401, invalid
				case req.Method == "HEAD" && !loaded():
					return 404, ""
				case !loaded():
					return 404, `{"code":"404","type":"Status report","message":"Not Found","description":"…"}`
				case req.Method != "HEAD":
					return 405, `{"code":"405","type":"Status report","message":"Runtime Error","description":"…"}`
				case !valid:
					return 401, ""
				}
				return backend, ""
			}
			_, checks, _ := check(t, w, config.Config{}, Selection{}, r)
			if c := of(t, checks, "api.called", "Payment API"); c.Verdict != want || !strings.Contains(c.Evidence, fmt.Sprintf("HEAD https://am:8243/pay/1.0.0/alive: HTTP %d", backend)) || !loaded() {
				t.Errorf("backend %d: %+v", backend, c)
			}
		})
	}
}

func TestTheLogSaysHowManyAPIsTheGatewayStillLacks(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(), result()
		r.APIs = nil
		for i := range 20 {
			r.APIs = append(r.APIs, bootstrap.PublishedAPI{ID: fmt.Sprint(i), Name: fmt.Sprint("Serial ", i), Version: "1", Path: fmt.Sprintf("/s%d/1", i), BackendURL: "http://payments:8080", Policy: "Unlimited", Made: true, Changed: true})
		}
		begin := time.Now()
		served := w.gateway
		w.gateway = func(req *http.Request, valid bool) (int, string) { // one each 5 s
			var n int
			fmt.Sscanf(req.URL.Path, "/s%d/", &n)
			if time.Since(begin) < time.Duration(n+1)*5*time.Second {
				return 404, `{"code":"404","type":"Status report","message":"Not Found","description":"…"}`
			}
			return served(req, valid)
		}
		w.endpoints = func() (int, string) { return 200, `{"endpoints":[]}` }
		var log strings.Builder
		_, err := checkWith(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), w, config.Config{}, Selection{}, r)
		lines := strings.Count(log.String(), "waiting for the gateway")
		if err != nil || lines < 4 || lines > 7 || !strings.Contains(log.String(), `"APIs still to come"=`) || !strings.Contains(log.String(), "of=20") {
			t.Errorf("%v, %d lines:\n%s", err, lines, log.String())
		}
		if strings.Contains(log.String(), "level=WARN") {
			t.Errorf("what is to be expected is a warning:\n%s", log.String())
		}
	})
}

// TestTheAgentKnowsSoonThatTheLastAPIIsServed: with the event_waiting_time that the agent sets, a gateway takes 100 ms and 100 to 200 ms for
// each API (API-M 4.5.0 took at most 5.8 s for 20). The last of N is called within N times 0.3 s.
func TestTheAgentKnowsSoonThatTheLastAPIIsServed(t *testing.T) {
	newKeys()
	for _, n := range []int{20, 50} {
		synctest.Test(t, func(t *testing.T) {
			w, r := newWorld(), result()
			r.APIs = nil
			for i := range n {
				r.APIs = append(r.APIs, bootstrap.PublishedAPI{ID: fmt.Sprint(i), Name: fmt.Sprint("Serial ", i), Version: "1", Path: fmt.Sprintf("/s%d/1", i), BackendURL: "http://payments:8080", Policy: "Unlimited", Made: true, Changed: true})
			}
			begin, last := time.Now(), time.Time{}
			served := w.gateway
			w.gateway = func(req *http.Request, valid bool) (int, string) {
				var i int
				fmt.Sscanf(req.URL.Path, "/s%d/", &i)
				if time.Since(begin) < time.Duration(i+1)*250*time.Millisecond {
					return 404, `{"code":"404","type":"Status report","message":"Not Found","description":"…"}`
				}
				if i == n-1 && last.IsZero() {
					last = time.Now()
				}
				return served(req, valid)
			}
			w.endpoints = func() (int, string) { return 200, `{"endpoints":[]}` }
			if _, _, err := check(t, w, config.Config{}, Selection{EventWait: 100 * time.Millisecond}, r); err != nil {
				t.Error(err)
			}
			if took := last.Sub(begin); took > time.Duration(n)*300*time.Millisecond {
				t.Errorf("the agent calls the last of %d APIs after %s, and the gateway has it after %s", n, took, time.Duration(n)*250*time.Millisecond)
			}
		})
	}
}

func TestWithoutTheHandlerALateRefusalIsAWarning(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.deaf = true
		_, checks, err := check(t, w, config.Config{}, Selection{}, result())
		if c := of(t, checks, "gateway.revoked", ""); err != nil || c.Verdict != Warn || !strings.Contains(c.Evidence, StillValid) || !strings.Contains(c.Remedy, "ARTIFACTS=default") {
			t.Errorf("%v, %+v", err, c)
		}
	})
}

func TestOnlyThrowAwayApplicationsOfKilledVerificationsAreDeleted(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		name := func(age time.Duration) string {
			return fmt.Sprintf("%s%d-abcdefgh", throwAwayApplication, time.Now().Add(-age).UnixMilli())
		}
		stays := []string{name(9 * time.Minute), throwAwayApplication + "mine", "Agent Application"}
		own := strings.Replace(name(time.Minute), "abcdefgh", "ownowner", 1)
		for _, n := range append([]string{name(10 * time.Minute), own}, stays...) {
			w.apps[n] = "id of " + n
		}
		if _, _, err := check(t, w, config.Config{}, Selection{Owner: "ownowner"}, result()); err != nil {
			t.Error(err)
		}
		if len(w.apps) != len(stays) {
			t.Errorf("left are %v", w.apps)
		}
		for _, n := range stays {
			if w.apps[n] == "" {
				t.Errorf("%s was deleted", n)
			}
		}
	})
}
