package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/remedy"
)

// Condition is a thing that must hold before the agent is ready, such as "trust" or "bootstrap".
type Condition struct {
	Name    string    `json:"name"`
	OK      bool      `json:"ok"`
	Message string    `json:"message"` // what holds, or what is missing and what to do
	Since   time.Time `json:"since"`   // when OK last changed
	// Advisory reports whether the agent is ready without this condition. A person must look, but traffic need not stop.
	Advisory bool `json:"advisory,omitempty"`
}

// Health is the state of a running agent. It is safe for concurrent use.
type Health struct {
	stale   time.Duration
	metrics *exposition

	mu         sync.Mutex
	conditions []Condition
	beats      map[string]time.Time
	expiring   []string // the servers of which /metrics has the end of the certificate
}

// NewHealth returns the health of an agent whose named conditions do not hold yet. The agent counts as dead if a loop has
// not called Beat for longer than stale.
func NewHealth(stale time.Duration, conditions ...string) *Health {
	h := &Health{stale: stale, metrics: newExposition(), beats: map[string]time.Time{}}
	for _, name := range conditions {
		h.Set(name, false, "not yet known")
	}
	return h
}

// Set sets whether the named condition holds. message is one sentence: what holds, or what is missing and what to do.
func (h *Health) Set(name string, ok bool, message string) { h.set(name, ok, message, false) }

// Advise is Set for an advisory condition. It reports whether the condition or its message changed.
func (h *Health) Advise(name string, ok bool, message string) (changed bool) {
	return h.set(name, ok, message, true)
}

func (h *Health) set(name string, ok bool, message string, advisory bool) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.conditions, func(c Condition) bool { return c.Name == name })
	if i < 0 {
		h.conditions = append(h.conditions, Condition{Name: name})
		i = len(h.conditions) - 1
	}
	c := &h.conditions[i]
	if c.OK != ok || c.Since.IsZero() {
		c.Since = time.Now()
	}
	changed = c.OK != ok || c.Message != message
	c.OK, c.Message, c.Advisory = ok, message, advisory
	h.Gauge(conditionMetric, conditionHelp, map[bool]float64{true: 1}[ok], "name", name)
	return changed
}

// Beat records that the named loop is alive. The loop itself calls it, so that /livez reports on the work and not only on
// the HTTP server.
func (h *Health) Beat(loop string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beats[loop] = time.Now()
}

// Conditions returns a copy of all conditions.
func (h *Health) Conditions() []Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.conditions)
}

// Ready reports whether every condition holds that is not advisory.
func (h *Health) Ready() bool { return !slices.ContainsFunc(h.Conditions(), Condition.missing) }

// missing reports whether the condition keeps the agent from being ready.
func (c Condition) missing() bool { return !c.OK && !c.Advisory }

// dead returns the names of the loops that have not called Beat for longer than stale, sorted.
func (h *Health) dead() (loops []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for loop, last := range h.beats {
		if time.Since(last) > h.stale {
			loops = append(loops, loop)
		}
	}
	slices.Sort(loops)
	return loops
}

// Serve starts an HTTP server on address that runs until ctx ends, and returns the address on which it listens:
//
//	/livez        200 while every loop is alive, else 503
//	/readyz       200 while every condition holds that is not advisory, else 503 with what is missing
//	/readyz/NAME  the same for one condition, advisory or not; 404 if there is none of that name
//	/status       the conditions as JSON
//	/metrics      the metrics in the text format of Prometheus
//
// If the server cannot listen, the error names LISTEN_ADDR.
func (h *Health) Serve(ctx context.Context, address string) (listening string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", remedy.Add(fmt.Errorf("listen on %s: %w", address, err), "set LISTEN_ADDR to a free address")
	}
	// The limits are low, because anybody who reaches the address can send anything, and the agent has little memory.
	server := &http.Server{Handler: h.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.Serve(newLimited(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			h.Set("health", false, "the health server stopped: "+err.Error())
		}
	}()
	return l.Addr().String(), nil
}

// Handler returns the handler of the server that Serve starts.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if dead := h.dead(); len(dead) > 0 {
			http.Error(w, "no sign of life from: "+strings.Join(dead, ", "), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, h.Conditions()) })
	mux.HandleFunc("GET /readyz/{condition}", func(w http.ResponseWriter, r *http.Request) {
		named := slices.DeleteFunc(h.Conditions(), func(c Condition) bool { return c.Name != r.PathValue("condition") })
		if len(named) == 0 {
			http.NotFound(w, r)
			return
		}
		named[0].Advisory = false // the client asks for this very condition
		answer(w, named)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"ready": h.Ready(), "conditions": h.Conditions()})
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Write(h.metrics.text())
	})
	return mux
}

// answer writes one line for each condition. The status is 503 if a condition is missing, else 200.
func answer(w http.ResponseWriter, conditions []Condition) {
	if slices.ContainsFunc(conditions, Condition.missing) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, c := range conditions {
		word := "ok"
		switch {
		case c.missing():
			word = "not ok"
		case !c.OK:
			word = "warning"
		}
		fmt.Fprintf(w, "%s %s: %s\n", word, c.Name, c.Message)
	}
}
