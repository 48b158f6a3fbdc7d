//go:build kubernetes

package kubernetes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestANewcomersWalk runs every command of the first section of docs/kubernetes.md, to the letter and in its order, from the
// top of the repository.
func TestANewcomersWalk(t *testing.T) {
	w := newWorld(t, "plain")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## From nothing to an API that answers\n")
	section, _, ends := strings.Cut(section, "\n## ")
	if !found || !ends {
		t.Fatal("the page has no such section")
	}
	script := "set -e\ntrap 'kill $(jobs -p)' EXIT\n"
	commands := 0
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			script += command
			commands++
		}
	}
	if commands != 9 {
		t.Fatalf("the section has %d commands", commands)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bash := exec.CommandContext(ctx, "bash", "-c", script)
	bash.Dir = root
	t.Cleanup(func() { os.Remove(filepath.Join(root, "certs.pem")) })
	out, err := bash.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if answers := strings.Count(string(out), `"host":"payment-service:8080"`); answers != 2 {
		t.Errorf("the API has answered %d times, want both:\n%s", answers, out)
	}
	if left, err := w.try("get", "namespace", namespace); err == nil {
		t.Errorf("after the last command there is still %s", left)
	}
}
