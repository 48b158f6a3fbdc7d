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

	"wso2agent/internal/testenv/pages"
)

// TestANewcomersWalk runs every command of the first section of docs/kubernetes.md, to the letter and in its order, from the
// top of the repository. The README shows the first of them.
func TestANewcomersWalk(t *testing.T) {
	w := newWorld(t, "plain")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var readme, page []string
	for _, block := range pages.Blocks(t) {
		if block.Page == "README.md" {
			readme = append(readme, block.Text)
		} else {
			page = append(page, block.Text)
		}
	}
	if len(readme) != 1 || len(page) == 0 || readme[0] != page[0] {
		t.Errorf("the README begins otherwise than docs/kubernetes.md:\n%s", strings.Join(readme, "\n"))
	}
	script := "set -e\ntrap 'kill $(jobs -p)' EXIT\n" + strings.Join(page, "\n")
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
