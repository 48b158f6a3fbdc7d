package telemetry

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestTheExposition holds every byte: dashboards and alarms of users go by these names, labels and types.
func TestTheExposition(t *testing.T) {
	h := NewHealth(time.Hour, "trust", "restart")
	h.Set("trust", true, "own certificate published")
	h.Advise("imports", false, "one is withheld")
	h.Gauge("wso2agent_scopes_unauthorized_applications", "Applications of API-M that lack scopes of APIs in IS.", 3)
	h.Count("wso2agent_revocation_gaps_total", "Times in which API-M did not serve.", 0)
	h.Count("wso2agent_revocation_gap_seconds_total", "Length of all those times together.", 12.25)
	h.Count("wso2agent_revocation_gap_seconds_total", "Length of all those times together.", 2e6)
	const certificates = `# HELP wso2agent_certificate_not_after_seconds Unix time at which a server's certificate in use expires.
# TYPE wso2agent_certificate_not_after_seconds gauge
`
	const others = `# HELP wso2agent_condition Whether a condition holds (1) or not (0).
# TYPE wso2agent_condition gauge
wso2agent_condition{name="imports"} 0
wso2agent_condition{name="restart"} 0
wso2agent_condition{name="trust"} 1
# HELP wso2agent_revocation_gap_seconds_total Length of all those times together.
# TYPE wso2agent_revocation_gap_seconds_total counter
wso2agent_revocation_gap_seconds_total 2000012.25
# HELP wso2agent_revocation_gaps_total Times in which API-M did not serve.
# TYPE wso2agent_revocation_gaps_total counter
wso2agent_revocation_gaps_total 0
`
	const applications = `# HELP wso2agent_scopes_unauthorized_applications Applications of API-M that lack scopes of APIs in IS.
# TYPE wso2agent_scopes_unauthorized_applications gauge
wso2agent_scopes_unauthorized_applications 3
`
	assertExposition(t, h, certificates+others+applications)
	h.DropGauge("wso2agent_scopes_unauthorized_applications")
	h.SetExpiries(map[string]time.Time{"wso2is": time.Unix(1900000000, 500), "wso2am": time.Unix(1, 0)})
	assertExposition(t, h, certificates+"wso2agent_certificate_not_after_seconds{server=\"wso2am\"} 1\nwso2agent_certificate_not_after_seconds{server=\"wso2is\"} 1900000000\n"+others)
	h.SetExpiries(map[string]time.Time{"wso2is": time.Unix(1900000001, 0)})
	assertExposition(t, h, certificates+"wso2agent_certificate_not_after_seconds{server=\"wso2is\"} 1900000001\n"+others)
}

func assertExposition(t *testing.T, h *Health, want string) {
	t.Helper()
	if _, got := get(t, h.Handler(), "/metrics"); got != want {
		t.Errorf("/metrics has\n%s\nwant\n%s", got, want)
	}
}

// TestMetricsBelongToOneHealth: `agent bootstrap` has two in one process.
func TestMetricsBelongToOneHealth(t *testing.T) {
	one, other := NewHealth(time.Hour, "trust"), NewHealth(time.Hour, "trust")
	_, before := get(t, other.Handler(), "/metrics")
	one.Set("trust", true, "exchanged")
	one.Gauge("wso2agent_example", "An example.", 3)
	assertExposition(t, other, before)
}

// FuzzLabels holds that no value of a label, such as the name of a peer, makes a page that Prometheus refuses.
func FuzzLabels(f *testing.F) {
	for _, value := range []string{"wso2is", "", `a "quoted" \ name`, "two\nlines", "\t\x00\x7f", "{a=\"b\"} 7", "\xff\xfe", "é\u2028", `\`, `"`} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := NewHealth(time.Hour, value)
		h.SetExpiries(map[string]time.Time{value: time.Unix(7, 0)})
		h.Gauge("wso2agent_example", "An example.", 1, "a", value, "b", "plain")
		samples := parseExposition(t, string(h.metrics.text()))
		valid := strings.ToValidUTF8(value, "\uFFFD")
		for _, want := range []string{
			fmt.Sprintf("wso2agent_condition [[name %s]] 0", valid),
			fmt.Sprintf("wso2agent_certificate_not_after_seconds [[server %s]] 7", valid),
			fmt.Sprintf("wso2agent_example [[a %s] [b plain]] 1", valid),
		} {
			if !slices.Contains(samples, want) {
				t.Errorf("no %q among %q", want, samples)
			}
		}
	})
}

var (
	sampleForm = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)",?`)
	headForm   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$`)
)

// parseExposition reads the text format 0.0.4 as Prometheus' documentation describes it, and fails where the text breaks a
// rule: HELP and TYPE once for each name, right before all samples of that name. It returns the samples.
func parseExposition(t *testing.T, text string) (samples []string) {
	t.Helper()
	if !utf8.ValidString(text) || !strings.HasSuffix(text, "\n") {
		t.Errorf("not UTF-8, or no line break at the end: %q", text)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	seen, current := map[string]bool{}, ""
	for i := 0; i < len(lines); i++ {
		if head := headForm.FindStringSubmatch(lines[i]); head != nil {
			current = head[1]
			if i++; seen[current] || i == len(lines) || !slices.Contains([]string{"# TYPE " + current + " gauge", "# TYPE " + current + " counter"}, lines[i]) {
				t.Fatalf("%s: HELP twice, or no TYPE after it: %q", current, text)
			}
			seen[current] = true
			continue
		}
		sample := sampleForm.FindStringSubmatch(lines[i])
		if sample == nil || sample[1] != current {
			t.Fatalf("line %d is no sample of %s: %q", i+1, current, lines[i])
		}
		if _, err := strconv.ParseFloat(sample[3], 64); err != nil {
			t.Errorf("%q: %v", lines[i], err)
		}
		var labels [][]string
		for rest := sample[2]; rest != ""; {
			label := labelForm.FindStringSubmatch(rest)
			if label == nil {
				t.Fatalf("%q is no label", rest)
			}
			labels = append(labels, []string{label[1], strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(label[2])})
			rest = rest[len(label[0]):]
		}
		samples = append(samples, fmt.Sprintf("%s %v %s", sample[1], labels, sample[3]))
	}
	return samples
}
