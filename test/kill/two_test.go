package kill

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestTwoAgentsBesideOneServerAreInNobodysWay: a second agent, left from an update or started by mistake, does the same work
// on the same files.
func TestTwoAgentsBesideOneServerAreInNobodysWay(t *testing.T) {
	w := newWorld(t, "issue")
	w.run()
	var second []*process
	for _, s := range w.sides() {
		second = append(second, start(t, w.log(s), w.environment(s, 0), w.program, "run"))
	}
	defer func() {
		for _, p := range second {
			p.end(syscall.SIGTERM)
		}
	}()
	for range 3 {
		for _, s := range w.sides() {
			before := w.presented(s).Fingerprint()
			w.rotate(s)
			w.until("the rotation is done", func() string {
				if w.presented(s).Fingerprint() == before {
					return s.name + " presents what it did before"
				}
				return w.unsettled()
			})
		}
	}
	w.until("no temporary file is left", w.leftBehind)
	for _, s := range w.sides() {
		text, err := os.ReadFile(w.log(s))
		w.must(err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "certificates are not in step") {
				t.Error(line)
			}
		}
	}
	w.probed.report(w)
}
