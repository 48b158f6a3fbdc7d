package wso2sim

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// These recordings are of API Manager with its IS, joined by the agent. Beside what every replay compares, the values of
// the answers have to be the recorded ones, so that what a server drops, sorts or adds is held too.

// replayDesign replays a recording of the second round, in which the number of steps that are equal is asserted. Those
// of others are left out. Those of differing are sent as well, but of their answers nothing is compared. Both name the
// reason for each step.
func replayDesign(t *testing.T, p *pair, file string, others, differing map[string]string, equal int) {
	t.Helper()
	r := newReplayer(map[string]string{
		"https://localhost:39443": p.am.url(p.am.port), "https://localhost:38243": p.am.url(p.am.gatewayPort),
		"https://localhost:39444": p.is.url(p.is.port), "https://wso2is:9443": p.is.url(p.is.port),
	}, nil)
	r.more = func(e harEntry, got reply) []string {
		if !strings.Contains(e.Request.URL, publisherPath) {
			return nil
		}
		return otherValues("", decoded(e.Response.Content.Text), got.body, r)
	}
	steps, named := 0, map[string]bool{}
	entries := recorded(t, file)
	for i, e := range entries {
		// The stand-in's index has no lag here: of several tries the last one counts, and succeeds at once.
		if try := attempt.FindStringSubmatch(e.Comment); try != nil {
			if i+1 < len(entries) && strings.HasPrefix(entries[i+1].Comment, try[1]+", try ") {
				continue
			}
			e.Comment = try[1]
		}
		switch {
		case others[e.Comment] != "":
			named[e.Comment] = true
		case differing[e.Comment] != "":
			named[e.Comment] = true
			got := do(t, r.request(t, e))
			r.learn(decoded(e.Response.Content.Text), got.body)
		default:
			t.Run(e.Comment, func(t *testing.T) { r.step(t, e) })
			steps++
		}
	}
	if steps != equal {
		t.Errorf("the replay had %d steps, want %d", steps, equal)
	}
	if listed := len(others) + len(differing); len(named) != listed {
		t.Errorf("of the %d steps that are listed as others the recording has %d", listed, len(named))
	}
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// ofTheServer are values that a server makes, or that say when or where it works.
	ofTheServer = regexp.MustCompile(`(?i)(time|timestamp|message|description|md5)$`)
)

// otherValues lists the values that differ from the recorded ones. Lists have to have the recorded order.
func otherValues(path string, want, got any, r *replayer) []string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return nil // the types are compared elsewhere
		}
		var out []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			out = append(out, otherValues(path+"."+name, want[name], got[name], r)...)
		}
		return out
	case []any:
		got, ok := got.([]any)
		if !ok {
			return nil
		}
		if len(want) > 0 && unordered(want[0]) && len(got) == len(want) {
			return nil
		}
		if len(want) != len(got) {
			return []string{fmt.Sprintf("%s has %d items, recorded %d", path, len(got), len(want))}
		}
		var out []string
		for i := range want {
			out = append(out, otherValues(fmt.Sprintf("%s[%d]", path, i), want[i], got[i], r)...)
		}
		return out
	}
	if ofTheServer.MatchString(path) {
		return nil
	}
	w, g := fmt.Sprint(want), fmt.Sprint(got)
	if inner, ok := decoded(w).(map[string]any); ok { // a text that is JSON
		return otherValues(path, inner, decoded(g), r)
	}
	if w == g || uuidForm.MatchString(w) && uuidForm.MatchString(g) || r.translate(w) == g {
		return nil
	}
	return []string{fmt.Sprintf("%s is %.200q, recorded %.200q", path, g, w)}
}

// What other recordings show in full.
const (
	notRead   = "the agent does not read it, and the stand-in shows an excerpt"
	shortList = "the product has 32 common policies, the stand-in those that the recordings use"
)

// unordered reports whether an item is of a list that the product shows in no order.
func unordered(item any) bool {
	o, _ := item.(map[string]any)
	return o["documentId"] != nil
}

func TestReplayOfLifecycleAndVersions(t *testing.T) {
	replayDesign(t, joinedWithApplication(t), "apim-4.5.0-lifecycle.har", nil, nil, 179)
}

func TestReplayOfTheDesignOfAnAPI(t *testing.T) {
	others := map[string]string{"publisher settings": notRead}
	differing := map[string]string{
		"operation policies, first five": shortList,
		"list: index has lost it":        "the product's total counts a deleted API for a moment longer than its list shows it",
	}
	replayDesign(t, joinedWithApplication(t), "apim-4.5.0-design.har", others, differing, 432)
}

func TestReplayOfTypesDocumentsAndCertificates(t *testing.T) {
	replayDesign(t, joined(t), "apim-4.5.0-types.har", nil, nil, 195)
}

// joinedWithApplication is a joined pair on which somebody has used the DevPortal: there are DefaultApplication and an
// application of the agent.
func joinedWithApplication(t *testing.T) *pair {
	t.Helper()
	p := joined(t)
	p.application("Agent Application")
	return p
}
