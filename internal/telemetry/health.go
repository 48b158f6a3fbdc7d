package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Condition is one thing that must hold before the agent is ready, such as "trust" or "bootstrap".
type Condition struct {
	Name    string    `json:"name"`
	OK      bool      `json:"ok"`
	Message string    `json:"message"` // what holds, or what is missing and what to do
	Since   time.Time `json:"since"`   // when OK last changed
	// Advisory says that the agent is ready without it: a person has to look, and traffic need not stop.
	Advisory bool `json:"advisory,omitempty"`
}

// Health is the state of a running agent. It is safe for concurrent use.
type Health struct {
	stale time.Duration

	mu         sync.Mutex
	conditions []Condition
	beats      map[string]time.Time
	expiries   map[string]time.Time // ends of certificates, by the server's name
	gauges     map[string]gauge     // by name
}

// gauge is a number for Prometheus, and the sentence that explains it.
type gauge struct {
	kind  string // of Prometheus
	help  string
	value float64
}

// NewHealth returns the health of an agent whose named conditions do not hold yet. A loop that has not called Beat for
// longer than stale makes the agent count as dead.
func NewHealth(stale time.Duration, conditions ...string) *Health {
	h := &Health{stale: stale, beats: map[string]time.Time{}}
	for _, name := range conditions {
		h.conditions = append(h.conditions, Condition{Name: name, Message: "not yet known", Since: time.Now()})
	}
	return h
}

// Set notes whether the named condition holds, and says in a sentence what does or what is missing.
func (h *Health) Set(name string, ok bool, message string) { h.set(name, ok, message, false) }

// Advise is Set for a condition that does not keep the agent from being ready. It tells whether anything changed.
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
	return changed
}

// Beat notes that the named loop is alive. It is called from the loop itself, so that liveness tells of the work and
// not only of the HTTP server beside it.
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

// Ready tells whether every condition holds that is not advisory.
func (h *Health) Ready() bool { return !slices.ContainsFunc(h.Conditions(), Condition.missing) }

// missing tells whether a condition keeps the agent from being ready.
func (c Condition) missing() bool { return !c.OK && !c.Advisory }

// dead are the loops that have not been heard of for too long.
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

// Serve answers on address until ctx ends: /livez (200 while every loop lives), /readyz (200 while every condition
// holds that is not advisory; else 503 with what is missing), /readyz/NAME (the same of one condition), /status (the conditions as JSON) and
// /metrics (for Prometheus). It returns once it listens; an address that cannot be listened on is an error that names
// LISTEN_ADDR.
func (h *Health) Serve(ctx context.Context, address string) (listening string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w; set LISTEN_ADDR to a free address", address, err)
	}
	// Small bounds: everybody who can reach the address may send what they like, and the agent has little memory.
	server := &http.Server{Handler: h.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.Serve(newLimited(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			h.Set("health", false, "the health server has ended: "+err.Error())
		}
	}()
	return l.Addr().String(), nil
}

// SetExpiries notes when the servers' certificates in use expire, by the servers' names.
func (h *Health) SetExpiries(expiries map[string]time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expiries = maps.Clone(expiries)
}

// Gauge notes a number for /metrics, under a name that no other metric has.
func (h *Health) Gauge(name, help string, value float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gauges == nil {
		h.gauges = map[string]gauge{}
	}
	h.gauges[name] = gauge{"gauge", help, value}
}

// Count adds to a number for /metrics that only grows, under a name that ends in _total. It is 0 at first: calling it with 0
// shows it before anything has happened.
func (h *Health) Count(name, help string, more float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gauges == nil {
		h.gauges = map[string]gauge{}
	}
	h.gauges[name] = gauge{"counter", help, h.gauges[name].value + more}
}

// DropGauge takes a number off /metrics, because it is not known.
func (h *Health) DropGauge(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.gauges, name)
}

// writeGauges writes all numbers that Gauge and Count noted.
func (h *Health) writeGauges(w io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.gauges)) {
		g := h.gauges[name]
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[4]s\n%[1]s %[3]g\n", name, g.help, g.value, g.kind)
	}
}

// Expiries are what SetExpiries noted last.
func (h *Health) Expiries() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.expiries)
}

// Handler is what Serve answers with.
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
		named[0].Advisory = false // whoever asks for this one wants to know it
		answer(w, named)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"ready": h.Ready(), "conditions": h.Conditions()})
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, "# HELP wso2agent_condition Whether a condition holds (1) or not (0).")
		fmt.Fprintln(w, "# TYPE wso2agent_condition gauge")
		for _, c := range h.Conditions() {
			fmt.Fprintf(w, "wso2agent_condition{name=%q} %d\n", c.Name, map[bool]int{true: 1}[c.OK])
		}
		fmt.Fprintln(w, "# HELP wso2agent_certificate_not_after_seconds Unix time at which a server's certificate in use expires.")
		fmt.Fprintln(w, "# TYPE wso2agent_certificate_not_after_seconds gauge")
		expiries := h.Expiries()
		for _, server := range slices.Sorted(maps.Keys(expiries)) {
			fmt.Fprintf(w, "wso2agent_certificate_not_after_seconds{server=%q} %d\n", server, expiries[server].Unix())
		}
		h.writeGauges(w)
	})
	return mux
}

// answer says line by line what holds and what does not: 503 if anything is missing, else 200.
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
