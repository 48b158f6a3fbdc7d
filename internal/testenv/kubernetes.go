package testenv

import (
	"os/exec"
	"testing"
)

// Kubectl returns the path of kubectl once the cluster that it is set up for answers. The test is skipped where there is
// none, and fails in CI.
func Kubectl(t testing.TB) string {
	t.Helper()
	path := Command(t, "kubectl")
	if out, err := exec.Command(path, "get", "--raw=/readyz", "--request-timeout=10s").CombinedOutput(); err != nil {
		missing(t, "needs a Kubernetes cluster, named in KUBECONFIG: "+string(out))
	}
	return path
}
