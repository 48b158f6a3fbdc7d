package converge

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// number returns the value of an environment variable, or what counts without it.
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
// the plan is empty afterwards.
func TestRandomDesiredStates(t *testing.T) {
	w := start(t)
	for i := range number(t, "RANDOM_STATES", 30) {
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
			}
		})
	}
}
