package telemetry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func TestReadinessNeedsEveryConditionAndNamesTheMissingOne(t *testing.T) {
	h := NewHealth(time.Minute, "trust", "bootstrap")
	if code, _ := get(t, h.Handler(), "/readyz"); code != 503 {
		t.Errorf("before anything is known: %d", code)
	}
	h.Set("trust", true, "all peers imported")
	h.Set("bootstrap", false, "wrong password: set AM_ADMIN_PASS")
	code, body := get(t, h.Handler(), "/readyz")
	if code != 503 || !strings.Contains(body, "not ok bootstrap: wrong password: set AM_ADMIN_PASS") {
		t.Errorf("one condition missing: %d %s", code, body)
	}
	if code, body := get(t, h.Handler(), "/readyz/trust"); code != 200 || strings.Contains(body, "bootstrap") {
		t.Errorf("the condition that holds, alone: %d %s", code, body)
	}
	if code, body := get(t, h.Handler(), "/readyz/bootstrap"); code != 503 || !strings.Contains(body, "AM_ADMIN_PASS") {
		t.Errorf("the other one, alone: %d %s", code, body)
	}
	if code, _ := get(t, h.Handler(), "/readyz/trusted"); code != 404 {
		t.Errorf("a condition that there is not: %d", code)
	}
	h.Set("bootstrap", true, "done")
	if code, _ := get(t, h.Handler(), "/readyz"); code != 200 {
		t.Errorf("all hold: %d", code)
	}
	if _, body := get(t, h.Handler(), "/metrics"); !strings.Contains(body, `wso2agent_condition{name="trust"} 1`) {
		t.Errorf("metrics: %s", body)
	}
	if _, body := get(t, h.Handler(), "/status"); !strings.Contains(body, `"ready":true`) {
		t.Errorf("status: %s", body)
	}
}

func TestALoopThatHangsMakesTheAgentCountAsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(time.Minute)
		h.Beat("trust")
		time.Sleep(59 * time.Second)
		if code, _ := get(t, h.Handler(), "/livez"); code != 200 {
			t.Errorf("a loop that beats: %d", code)
		}
		time.Sleep(2 * time.Second)
		if code, body := get(t, h.Handler(), "/livez"); code != 503 || !strings.Contains(body, "trust") {
			t.Errorf("a loop that hangs: %d %s", code, body)
		}
	})
}

func TestServeListensAndNamesTheSettingWhenItCannot(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := NewHealth(time.Minute)
	address, err := h.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + address + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "ok\n" {
		t.Errorf("livez = %q", body)
	}
	if _, err := h.Serve(ctx, address); err == nil || !strings.Contains(err.Error(), "LISTEN_ADDR") {
		t.Errorf("a taken address: %v", err)
	}
	cancel()
}

func TestTheLogIsJSONUnlessATerminalOrTextIsAskedFor(t *testing.T) {
	var b bytes.Buffer
	Logger(&b, "info", "").Info("hello")
	Logger(&b, "warn", "text").Info("unseen")
	Logger(&b, "warn", "text").Warn("seen")
	if !strings.HasPrefix(b.String(), "{") || !strings.Contains(b.String(), "msg=seen") || strings.Contains(b.String(), "unseen") {
		t.Errorf("log = %s", b.String())
	}
}

func TestAnAdvisoryConditionIsShownAndKeepsNobodyFromBeingReady(t *testing.T) {
	h := NewHealth(time.Hour, "trust")
	h.Set("trust", true, "exchanged")
	if !h.Advise("security", false, "open") || h.Advise("security", false, "open") || !h.Advise("security", false, "open wide") {
		t.Error("a change is not told, or told twice")
	}
	h.Gauge("wso2agent_example", "An example.", 3)
	h.Count("wso2agent_examples_total", "Examples.", 0)
	h.Count("wso2agent_examples_total", "Examples.", 1.5)
	h.Count("wso2agent_examples_total", "Examples.", 2)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/readyz":          {200, "warning security: open wide\n"},
		"/readyz/security": {503, "not ok security: open wide\n"},
		"/status":          {200, `"advisory":true`},
		"/metrics":         {200, "wso2agent_condition{name=\"security\"} 0\n"},
	} {
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(w.Body.String(), "# TYPE wso2agent_example gauge\nwso2agent_example 3\n") || !strings.Contains(w.Body.String(), "# TYPE wso2agent_examples_total counter\nwso2agent_examples_total 3.5\n") {
		t.Errorf("metrics: %s", w.Body)
	}
	h.Set("trust", false, "not yet")
	if h.Ready() {
		t.Error("ready without trust")
	}
}
