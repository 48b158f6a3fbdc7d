//go:build kubernetes

package kubernetes

import (
	"strings"
	"testing"
	"time"
)

// TestARolloutRestartsTheServers is of the component restart: an artificial change of a setting that a server reads at its start.
func TestARolloutRestartsTheServers(t *testing.T) {
	w := newWorld(t, "restart")
	w.up()
	w.ready("wso2is", "wso2am")
	w.works()
	w.in("the agents know what they may restart, and only they have a token", func(w *world) {
		for _, server := range []string{"wso2is", "wso2am"} {
			if log := w.logs(server+"-0", "agent"); !strings.Contains(log, "the agent may restart StatefulSet "+server+", which owns pod "+server+"-0") {
				w.t.Errorf("the log of %s does not say so:\n%s", server, log)
			}
			if out, err := w.try("exec", server+"-0", "-c", server, "--", "ls", "/var/run/secrets/kubernetes.io"); err == nil {
				w.t.Errorf("the server has a token, too: %s", out)
			}
			for verb, allowed := range map[string]string{"get pod/" + server + "-0": "yes", "patch statefulset/" + server: "yes", "delete pod/" + server + "-0": "no", "list pods": "no", "get secrets": "no"} {
				args := append([]string{"auth", "can-i", "--as=system:serviceaccount:" + namespace + ":" + server + "-agent"}, strings.Fields(verb)...)
				if out, _ := w.try(args...); strings.TrimSpace(out) != allowed {
					w.t.Errorf("%s: %s: %s, want %s", server, verb, out, allowed)
				}
			}
		}
	})
	w.in("a change of the settings makes a new pod, and one only", func(w *world) {
		uid := func() string {
			return w.must("get", "pod", "wso2am-0", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}")
		}
		other := w.must("get", "pod", "wso2is-0", "-o", "jsonpath={.metadata.uid}")
		before := uid()
		w.must("exec", "wso2am-0", "-c", "wso2am", "--", "sh", "-c", `echo '# changed' >> /home/wso2carbon/wso2-config-volume/repository/conf/deployment.toml`)
		w.eventually(3*time.Minute, "there is another pod", func() bool { now := uid(); return now != "" && now != before })
		w.ready("wso2am")
		w.works()
		after := uid()
		time.Sleep(20 * time.Second) // two polls of the agent
		if now := uid(); now != after || w.must("get", "pod", "wso2is-0", "-o", "jsonpath={.metadata.uid}") != other {
			w.t.Errorf("another pod was replaced: API-M %s, then %s", after, now)
		}
		if at := w.must("get", "statefulset", "wso2am", "-o", `jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}`); at == "" {
			w.t.Error("the rollout is not the agent's")
		}
	})
}
