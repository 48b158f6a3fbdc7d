package converge

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/dump"
)

// number returns the value of an environment variable, or what counts without it: few, because make test runs them with the race detector,
// which makes each run some times as long. make test-states and make test-crash run more.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// seed is the first seed. Another one gives other states: SEED=1000.
func seed(t *testing.T) int { return number(t, "SEED", 1) }

// TestRandomDesiredStates makes random desired states, and then changes them. Validation accepts each, the servers refuse nothing, and
// the plan is empty afterwards. So is the plan of a dump.
func TestRandomDesiredStates(t *testing.T) {
	w := start(t)
	for i := range number(t, "RANDOM_STATES", 4) {
		n := seed(t) + i
		t.Run(fmt.Sprint("seed ", n), func(t *testing.T) {
			w := w.in(t)
			w.load(w.empty)
			for _, later := range []bool{false, true} {
				s := random(uint64(n), later, w.clients)
				want := w.want(s)
				if failed := failures(w.run(t.Context(), want, w.client.Transport)); len(failed) > 0 {
					t.Fatalf("later: %v\n%s\n%s", later, strings.Join(failed, "\n"), s.text())
				}
				if lines := w.differences(want); len(lines) > 0 {
					t.Fatalf("later: %v: the second plan is\n%s\n%s", later, strings.Join(lines, "\n"), s.text())
				}
				w.dumped()
			}
		})
	}
}

// dumped fails the test unless the plan of a dump is empty. An environment that a later file leaves out keeps its revision, which a dump
// then finds behind.
func (w *world) dumped() {
	w.Helper()
	folder := w.TempDir()
	nothing, err := actual.Want(w.Context(), &desired.File{}, w.settings)
	must(w, err)
	result, err := dump.From(w.Context(), w.connect(w.client.Transport), nothing, dump.Options{Identity: true, Save: func(path string, data []byte) error {
		must(w, os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755))
		return os.WriteFile(filepath.Join(folder, path), data, 0o600)
	}})
	must(w, err)
	source := desired.FromSystem(func(string) (string, bool) { return "throwAway1", true }, nil)
	f, err := desired.Parse(source, desired.Input{Name: filepath.Join(folder, dump.FileName), Data: result.YAML})
	if err != nil {
		w.Fatalf("the dump is not valid: %v\n%s", err, result.YAML)
	}
	want, err := actual.Want(w.Context(), f, w.settings)
	must(w, err)
	if lines := w.differences(want, "revision"); len(lines) > 0 {
		w.Fatalf("the plan of the dump is\n%s\n%s", strings.Join(lines, "\n"), result.YAML)
	}
}
