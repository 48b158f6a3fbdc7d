//go:build kubernetes

package kubernetes

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestBesideWhatAChartHasMade is of Deployments that are shaped as WSO2's charts shape them. No chart was run.
func TestBesideWhatAChartHasMade(t *testing.T) {
	w := newWorld(t, "chart")
	w.must("apply", "-f", "../../deploy/kubernetes/overlays/single-node/namespace.yaml")
	w.must("label", "namespace", namespace, "wso2agent.test=true")
	volumes, err := os.ReadFile("../../deploy/kubernetes/overlays/single-node/volumes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folders, _, _ := strings.Cut(string(volumes), "---")
	if out, err := kubectl(folders, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.in("the server takes every manifest, with no warning", everyManifest)

	claims := strings.NewReplacer("name: data-wso2is-0", "name: agent-wso2is", "name: data-wso2am-0", "name: agent-wso2am").Replace(string(volumes))
	if out, err := kubectl(claims, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { // claims first, for which the volumes wait
		w.down()
		kubectl(claims, "delete", "--ignore-not-found", "--timeout=60s", "-f", "-")
		w.try("delete", "namespace", namespace, "--ignore-not-found", "--timeout=60s")
	})
	w.must("apply", "-k", w.overlay)
	for _, d := range []string{"release-identity-server", "release-am-deployment-1"} {
		w.must("rollout", "status", "deployment/"+d, "--timeout=180s")
	}
	const am = "deployment/release-am-deployment-1"
	w.must("exec", am, "-c", "agent", "--", "/agent", "probe", "--wait", "2m")
	w.wantRestarts(nil)
	if log := w.must("logs", am, "-c", "agent"); !strings.Contains(log, "everything works") || !strings.Contains(log, "https://release-identity-server:9443/oauth2/token accepts the keys of") {
		t.Error(log)
	}
	if log := w.must("logs", am, "-c", "wso2am"); !strings.Contains(log, "started by the chart's entrypoint") {
		t.Errorf("the chart's entrypoint has not run: %s", log)
	}
	settings := w.must("exec", am, "-c", "wso2am", "--", "sh", "-c", "cat /home/wso2carbon/wso2am-*/repository/conf/deployment.toml")
	if !strings.HasPrefix(settings, "# The chart's own.") || !strings.Contains(settings, "wso2agent-tls.p12") {
		t.Errorf("what the server has read is not the chart's with the agent's in it:\n%s", settings)
	}
	began := time.Now()
	w.must("delete", "pod", "-l", "deployment=release-am")
	w.must("rollout", "status", am, "--timeout=180s")
	w.must("exec", am, "-c", "agent", "--", "/agent", "probe", "--wait", "2m")
	t.Logf("another pod of API-M, with an empty database of its own: %s", time.Since(began).Round(time.Second))
	w.wantRestarts(nil)
}
