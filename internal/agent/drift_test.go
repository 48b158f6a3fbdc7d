package agent

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/drift"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// publisher returns a client with which a test changes API-M by hand.
func (p *place) publisher() *wso2.Publisher {
	p.t.Helper()
	a := p.agent(config.AM)
	s := a.servers()
	hc, err := s.connect(a.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return bootstrap.Connect(hc, bootstrap.SettingsOf(a.cfg, a.accounts)).Publisher
}

// api returns the only API.
func (p *place) api() wso2.Object {
	p.t.Helper()
	publisher := p.publisher()
	list, err := publisher.APIs(p.t.Context())
	if err != nil || len(list) != 1 {
		p.t.Fatalf("%v, %v", list, err)
	}
	o, err := publisher.APIObject(p.t.Context(), list[0].ID)
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

// backendOf returns the address to which the gateway sends calls.
func backendOf(o wso2.Object) map[string]any {
	return o.Fields["endpointConfig"].(map[string]any)["production_endpoints"].(map[string]any)
}

// byHand gives the only API another backend, and returns the former one.
func (p *place) byHand(backend string) (before string) {
	p.t.Helper()
	o := p.api()
	before = backendOf(o)["url"].(string)
	backendOf(o)["url"] = backend
	if _, err := p.publisher().UpdateAPIObject(p.t.Context(), o.ID, o.Fields); err != nil {
		p.t.Fatal(err)
	}
	return before
}

func (p *place) logged(text string) int { return strings.Count(p.log.String(), text) }

const (
	differs  = "drift: an object differs from the API configuration"
	noLonger = "drift: an object no longer differs"
)

func metrics(t *testing.T, health *telemetry.Health) string {
	t.Helper()
	w := httptest.NewRecorder()
	health.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAChangeByHandIsReportedOnceAndTheAgentStaysReady, until another change ends it.
func TestAChangeByHandIsReportedOnceAndTheAgentStaysReady(t *testing.T) {
	p := newPlace(t)
	p.amRequests = wso2sim.NewRequestLog()
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Compare = 50 * time.Millisecond })
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("nothing differs", func() bool {
		return strings.HasPrefix(p.message(health, drift.Condition), "both servers have") && health.Ready()
	})
	if text := metrics(t, health); !strings.Contains(text, `wso2agent_drift{kind="API"} 0`) {
		t.Error(text)
	}
	before := p.byHand("http://other.example")
	p.until("it is reported", func() bool { return !p.ok(health, drift.Condition) })
	if c := p.condition(health, drift.Condition); !c.Advisory || !health.Ready() || !strings.Contains(c.Message, ": 1 (API Payment API 1.0.0 differs in endpoints.production.url") {
		t.Errorf("ready %t, %+v", health.Ready(), c)
	}
	if text := metrics(t, health); !strings.Contains(text, `wso2agent_drift{kind="API"} 1`) || !strings.Contains(text, `wso2agent_condition{name="drift"} 0`) {
		t.Error(text)
	}
	if log := p.log.String(); !strings.Contains(log, `http://other.example\" -> \"`+before) {
		t.Errorf("the log does not have both values:\n%s", log)
	}
	p.passes(12)
	if n := p.logged(differs); n != 1 {
		t.Errorf("it is reported %d times", n)
	}
	if was := p.byHand(before); was != "http://other.example" {
		t.Errorf("without DRIFT=fix, the backend has become %s", was)
	}
	p.until("it is over", func() bool { return p.ok(health, drift.Condition) && p.logged(noLonger) > 0 })
}

// TestTheBootstrapOfAnAgentThatStartsEndsDrift, whatever DRIFT is: a start brings the servers to the desired state.
func TestTheBootstrapOfAnAgentThatStartsEndsDrift(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Compare = 50 * time.Millisecond })
	p.initBoth()
	p.startServers()
	health, stop := p.runAndStop()
	p.until("nothing differs", func() bool { return strings.HasPrefix(p.message(health, drift.Condition), "both servers have") })
	stop()
	before := p.byHand("http://other.example")
	again := p.run()
	p.until("nothing differs again", func() bool { return strings.HasPrefix(p.message(again, drift.Condition), "both servers have") })
	if now := backendOf(p.api())["url"]; now != before || p.logged(differs) > 0 {
		t.Errorf("the backend is %s, and %d differences are logged", now, p.logged(differs))
	}
}

// passes waits for this number of further lists of APIs. Only comparisons list them all the time.
func (p *place) passes(n int) {
	p.t.Helper()
	lists := func() int { return p.amRequests.Counts()["GET /api/am/publisher/v4/apis"] }
	until := lists() + n
	p.until("some more passes", func() bool { return lists() >= until })
}

// TestDriftIsFixed: the API has what the file says again, and clients keep their keys.
func TestDriftIsFixed(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) {
		c.Bootstrap.Compare, c.Bootstrap.Drift = 50*time.Millisecond, "fix"
		c.Public.ISURL = "https://login.example" // API-M shows it; the keys file has KM_TOKEN_ENDPOINT
	})
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("nothing differs", func() bool {
		return strings.HasPrefix(p.message(health, drift.Condition), "both servers have") && health.Ready()
	})
	keys, err := os.ReadFile(p.keysFile())
	if err != nil {
		t.Fatal(err)
	}
	before := p.byHand("http://other.example")
	p.until("it is fixed", func() bool {
		return p.logged("drift: fixed") > 0 && p.logged(noLonger) > 0 && p.ok(health, drift.Condition)
	})
	p.until("the result is verified", func() bool { return p.logged("everything works") > 1 && health.Ready() })
	if now := backendOf(p.api())["url"]; now != before {
		t.Errorf("the backend is %s, not %s", now, before)
	}
	if now, err := os.ReadFile(p.keysFile()); err != nil || !bytes.Equal(now, keys) {
		t.Errorf("the keys are %s, %v; they were %s", now, err, keys)
	}
}

// watched is a Watch whose passes a test makes one by one.
type watched struct {
	*drift.Watch
	p       *place
	health  *telemetry.Health
	current bool
	reached time.Time // the end of the bootstrap
}

// watch returns a Watch next to servers that have the desired state.
func (p *place) watch(change func(*config.Config)) *watched {
	p.t.Helper()
	p.amRequests, p.amFaults = wso2sim.NewRequestLog(), wso2sim.NewFaults()
	p.initBoth()
	p.startServers()
	p.acknowledge()
	if err := p.agent(config.AM).Bootstrap(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Compare = time.Nanosecond; change(c) })
	w := &watched{p: p, health: telemetry.NewHealth(time.Hour), current: true}
	a := p.agent(config.AM)
	w.Watch = drift.New(a.log, w.health, a.accounts, func(context.Context, config.Config) (time.Time, bool) { return w.reached, w.current }, func(string) {})
	w.turn()
	return w
}

// turn takes a turn that is due, and returns the requests to API-M.
func (w *watched) turn() map[string]int {
	w.p.t.Helper()
	w.p.amRequests.Reset()
	w.Turn(w.p.t.Context(), w.p.agent(config.AM).cfg) // the first one may only set the time of the next
	time.Sleep(time.Microsecond)
	return w.p.amRequests.Counts()
}

// TestAComparisonWaitsAfterALaterBootstrap: the lists may not show yet what it has made.
func TestAComparisonWaitsAfterALaterBootstrap(t *testing.T) {
	p := newPlace(t)
	w := p.watch(asIs)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Compare = time.Hour })
	w.reached = time.Now().Add(-10 * time.Second)
	p.amRequests.Reset()
	wait := w.Turn(t.Context(), p.agent(config.AM).cfg)
	if n := len(p.amRequests.Counts()); n > 0 || wait < 17*time.Second || wait > 22*time.Second {
		t.Errorf("10 s after a bootstrap, it sends %d requests, and waits for %s", n, wait)
	}
}

func asIs(*config.Config) {}

const readAPI = "GET /api/am/publisher/v4/apis/{id}"

// TestAnUnchangedAPICostsNoRequestInNineOfTenPasses: one that differs from the file costs some in each pass, and none afterwards.
func TestAnUnchangedAPICostsNoRequestInNineOfTenPasses(t *testing.T) {
	p := newPlace(t)
	w := p.watch(asIs)
	var whole, lists int
	for range 20 {
		counts := w.turn()
		lists += counts["GET /api/am/publisher/v4/apis"]
		if counts[readAPI]+counts[readAPI+"/revisions"] > 0 {
			whole++
		}
	}
	if whole != 2 || lists != 20 {
		t.Errorf("20 passes list the APIs %d times, and %d of them read the only one", lists, whole)
	}
	for range 10 {
		if w.turn()[readAPI] > 0 { // now nine passes follow that read no unchanged API
			break
		}
	}
	before := p.byHand("http://other.example")
	if n := w.turn()[readAPI]; n == 0 || p.ok(w.health, drift.Condition) {
		t.Errorf("a changed API is read %d times: %s", n, p.message(w.health, drift.Condition))
	}
	if n := w.turn()[readAPI]; n == 0 || p.ok(w.health, drift.Condition) {
		t.Errorf("as it still differs, it is read %d times: %s", n, p.message(w.health, drift.Condition))
	}
	p.byHand(before)
	if n := w.turn()[readAPI]; n == 0 || !p.ok(w.health, drift.Condition) {
		t.Errorf("as the file has it again, it is read %d times: %s", n, p.message(w.health, drift.Condition))
	}
	if n := w.turn()[readAPI]; n != 0 {
		t.Errorf("afterwards it is read %d times", n)
	}
}

// TestTheAgentComparesNothingWhileAnotherWorkIsDue: a bootstrap, or the work of another agent.
func TestTheAgentComparesNothingWhileAnotherWorkIsDue(t *testing.T) {
	p := newPlace(t)
	w := p.watch(func(c *config.Config) { c.Bootstrap.Drift = "fix" })
	p.byHand("http://other.example")
	w.current = false
	if counts := w.turn(); len(counts) > 0 || !p.ok(w.health, drift.Condition) {
		t.Errorf("before a bootstrap, the agent asks %v", counts)
	}
	w.current = true
	unlock, err := file.Lock(t.Context(), filepath.Join(filepath.Dir(p.keysFile()), file.WorkDir, "bootstrap.lock"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if counts := w.turn(); len(counts) > 0 || !p.ok(w.health, drift.Condition) {
		t.Errorf("while another agent works, the agent asks %v", counts)
	}
	unlock()
	if counts := w.turn(); counts["PUT /api/am/publisher/v4/apis/{id}"] != 1 {
		t.Errorf("then it asks %v", counts)
	}
}

// TestAServerThatDoesNotAnswerIsReportedOnce, and what differs is not forgotten.
func TestAServerThatDoesNotAnswerIsReportedOnce(t *testing.T) {
	p := newPlace(t)
	w := p.watch(asIs)
	p.byHand("http://other.example")
	w.turn()
	id, err := p.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/publisher/v4/apis", Status: 503})
	if err != nil {
		t.Fatal(err)
	}
	w.turn()
	w.turn()
	if c := p.condition(w.health, drift.Condition); c.OK || !strings.Contains(c.Message, "cannot compare") || !strings.Contains(c.Message, "HTTP 503") {
		t.Errorf("%+v", c)
	}
	if text := metrics(t, w.health); !strings.Contains(text, `wso2agent_drift{kind="API"} 1`) {
		t.Error(text)
	}
	p.amFaults.Remove(id)
	w.turn()
	w.turn()
	if a, b, c := p.logged("trying again"), p.logged("configuration again"), p.logged(differs); a != 1 || b != 1 || c != 1 {
		t.Errorf("logged %d, %d and %d times", a, b, c)
	}
	if !strings.Contains(p.message(w.health, drift.Condition), ": 1 (API") {
		t.Error(p.message(w.health, drift.Condition))
	}
}

// TestAFixThatFailsStopsNoLaterPass: the log and the condition say why.
func TestAFixThatFailsStopsNoLaterPass(t *testing.T) {
	p := newPlace(t)
	w := p.watch(func(c *config.Config) { c.Bootstrap.Drift = "fix" })
	before := p.byHand("http://other.example")
	id, err := p.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "PUT", Path: "/api/am/publisher/v4/apis/*", Status: 400})
	if err != nil {
		t.Fatal(err)
	}
	w.turn()
	if p.logged("drift: the agent cannot fix an object") != 1 || !strings.Contains(p.message(w.health, drift.Condition), "the last fix failed: ") {
		t.Errorf("%s\n%s", p.message(w.health, drift.Condition), p.log)
	}
	p.amFaults.Remove(id)
	w.turn()
	w.turn()
	if !p.ok(w.health, drift.Condition) || backendOf(p.api())["url"] != before {
		t.Error(p.message(w.health, drift.Condition))
	}
}

// TestAFixRemovesOnlyWithPRUNE: a fix removes what the record has and the file no longer names, if two comparisons find that.
func TestAFixRemovesOnlyWithPRUNE(t *testing.T) {
	p := newPlace(t)
	w := p.watch(func(c *config.Config) { c.Bootstrap.Drift = "fix" })
	p.byHand("http://other.example")
	w.turn() // records all
	const removed = "msg=deleted kind=application"
	p.configure("apis: [{name: Payment API, context: /payments, version: 1.0.0, backend_url: BACKEND}]\napplications: []\n")
	w.turn()
	w.turn()
	if p.logged(removed) != 0 || !p.ok(w.health, drift.Condition) {
		t.Errorf("without PRUNE: %s\n%s", p.message(w.health, drift.Condition), p.log)
	}
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Prune = "owned" })
	w.turn()
	if p.logged(removed) != 0 || !strings.Contains(p.message(w.health, drift.Condition), "is no longer in the file") {
		t.Errorf("after one comparison: %s", p.message(w.health, drift.Condition))
	}
	w.turn()
	w.turn()
	if p.logged(removed) != 1 || !p.ok(w.health, drift.Condition) {
		t.Errorf("with PRUNE=owned: %s\n%s", p.message(w.health, drift.Condition), p.log)
	}
}

// TestIntervalZeroComparesNothing: the condition says so.
func TestIntervalZeroComparesNothing(t *testing.T) {
	p := newPlace(t)
	w := p.watch(func(c *config.Config) { c.Bootstrap.Compare = 0 })
	if counts := w.turn(); len(counts) > 0 || !strings.Contains(p.message(w.health, drift.Condition), "RECONCILE_INTERVAL is 0") {
		t.Errorf("%v, %s", counts, p.message(w.health, drift.Condition))
	}
}
