package telemetry

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The metrics that every agent has.
const (
	conditionMetric = "wso2agent_condition"
	conditionHelp   = "Whether a condition holds (1) or not (0)."
	expiryMetric    = "wso2agent_certificate_not_after_seconds"
	expiryHelp      = "Unix time at which a server's certificate in use expires."
)

// Gauge sets a number on /metrics that can grow and shrink. labels are pairs of a name and a value. All numbers of one name
// have the same help, which is one sentence.
func (h *Health) Gauge(name, help string, value float64, labels ...string) {
	h.metrics.mu.Lock()
	defer h.metrics.mu.Unlock()
	h.metrics.declare(name, "gauge", help).samples[series(name, labels...)] = value
}

// Count adds to a number on /metrics that only grows. Its name ends in _total. The number starts at 0: a caller that adds 0
// shows it before anything has happened. labels and help are as in Gauge.
func (h *Health) Count(name, help string, more float64, labels ...string) {
	h.metrics.mu.Lock()
	defer h.metrics.mu.Unlock()
	h.metrics.declare(name, "counter", help).samples[series(name, labels...)] += more
}

// DropGauge removes a number without labels from /metrics, because its value is not known.
func (h *Health) DropGauge(name string) { h.metrics.drop(name) }

// SetExpiries sets when the servers' certificates in use expire, by the servers' names.
func (h *Health) SetExpiries(expiries map[string]time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, server := range h.expiring {
		if _, still := expiries[server]; !still {
			h.metrics.dropSample(expiryMetric, "server", server)
		}
	}
	for server, end := range expiries {
		h.Gauge(expiryMetric, expiryHelp, float64(end.Unix()), "server", server)
	}
	h.expiring = slices.Collect(maps.Keys(expiries))
}

// exposition holds the metrics of one Health.
type exposition struct {
	mu       sync.Mutex
	families map[string]family // by the name of the metric
}

// family is a metric: all samples of one name.
type family struct {
	kind, help string
	samples    map[string]float64 // by the name with the labels
}

func newExposition() *exposition {
	e := &exposition{families: map[string]family{}}
	e.declare(conditionMetric, "gauge", conditionHelp)
	e.declare(expiryMetric, "gauge", expiryHelp)
	return e
}

// declare returns the metric of a name. The caller holds the lock.
func (e *exposition) declare(name, kind, help string) family {
	f, there := e.families[name]
	if !there {
		f = family{kind, help, map[string]float64{}}
		e.families[name] = f
	}
	return f
}

func (e *exposition) drop(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.families, name)
}

func (e *exposition) dropSample(name string, labels ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.families[name].samples, series(name, labels...))
}

// text returns all metrics in the text format of Prometheus, version 0.0.4, sorted by name: HELP, TYPE and then the samples of
// each name. It writes to no connection, because a slow client must not hold the lock.
func (e *exposition) text() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(e.families)) {
		f := e.families[name]
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, f.help, f.kind)
		for _, sample := range slices.Sorted(maps.Keys(f.samples)) {
			fmt.Fprintf(&text, "%s %s\n", sample, strconv.FormatFloat(f.samples[sample], 'f', -1, 64))
		}
	}
	return text.Bytes()
}

// series returns the name of a sample with its labels, which are pairs of a name and a value.
func series(name string, labels ...string) string {
	var pairs []string
	for pair := range slices.Chunk(labels, 2) {
		pairs = append(pairs, fmt.Sprintf(`%s="%s"`, pair[0], escape(pair[1])))
	}
	if len(pairs) == 0 {
		return name
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// escape returns the value of a label as the text format holds it.
func escape(value string) string { return escapes.Replace(strings.ToValidUTF8(value, "\uFFFD")) }

// escapes are all that the text format has. Go's %q has more, which Prometheus refuses.
var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
