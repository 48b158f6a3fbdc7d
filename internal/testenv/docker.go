package testenv

import (
	"os/exec"
	"testing"
)

// Docker returns the path of docker once its daemon answers. The test is skipped where there is none, and fails in CI.
func Docker(t testing.TB) string {
	t.Helper()
	path := Command(t, "docker")
	if out, err := exec.Command(path, "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		missing(t, "needs a running Docker Engine: "+string(out))
	}
	return path
}
