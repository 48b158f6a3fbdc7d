//go:build kubernetes

// Package kubernetes holds the tests of deploy/kubernetes, on a real cluster, with stand-ins of both products in images that
// are like the stock ones: `make test-kubernetes`. They are of the overlay for one node, whose volumes are the node's.
package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

// namespace is that of the overlay.
const namespace = "wso2"

// world is one overlay in the cluster.
type world struct {
	t       *testing.T
	overlay string
}

// newWorld is an overlay that is not applied yet, with nothing left of another one. It takes itself away in the end.
func newWorld(t *testing.T, overlay string) *world {
	t.Helper()
	testenv.Kubectl(t)
	w := &world{t: t, overlay: "testdata/" + overlay}
	if mark, err := w.try("get", "namespace", namespace, "-o", `jsonpath={.metadata.labels.wso2agent\.test}`); err == nil && mark != "true" {
		t.Fatalf("there is a namespace %s in this cluster that no test has made: delete it first, or test on another cluster", namespace)
	}
	w.down()
	t.Cleanup(func() {
		if t.Failed() {
			w.tell()
		}
		w.down()
	})
	return w
}

// down deletes everything, and what the node has kept.
func (w *world) down() {
	w.t.Helper()
	w.node("true")
	if out, err := w.try("delete", "-k", w.overlay, "--ignore-not-found", "--timeout=120s"); err != nil {
		w.t.Logf("delete %s: %v\n%s", w.overlay, err, out)
	}
	w.node("rm -rf /folders/*")
}

// tell logs what helps to understand a failure.
func (w *world) tell() {
	for _, args := range [][]string{{"get", "pods", "-o", "wide"}, {"get", "events", "--sort-by=.lastTimestamp"}} {
		out, _ := w.try(args...)
		w.t.Log(out)
	}
	for _, pod := range []string{"wso2is-0", "wso2am-0"} {
		out, _ := w.try("logs", pod, "--all-containers", "--prefix", "--tail=40")
		w.t.Log(out)
	}
}

// run runs kubectl, for everything but the overlay itself in its namespace.
func run(stdin string, args ...string) (out string, err error) {
	if !slices.Contains(args, "-k") {
		args = append([]string{"--namespace", namespace}, args...)
	}
	return kubectl(stdin, args...)
}

// kubectl runs kubectl as it is.
func kubectl(stdin string, args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(text)), err
}

func (w *world) try(args ...string) (out string, err error) { return run("", args...) }

// must runs kubectl, which must succeed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := run("", args...)
	if err != nil {
		w.t.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return out
}

// put applies an object.
func (w *world) put(object map[string]any) {
	w.t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		w.t.Fatal(err)
	}
	if out, err := run(string(data), "apply", "-f", "-"); err != nil {
		w.t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

// up applies the overlay, and returns how long it took until an API had answered.
func (w *world) up() time.Duration {
	w.t.Helper()
	began := time.Now()
	w.must("apply", "-k", w.overlay)
	w.ready("wso2is", "wso2am")
	w.proved()
	return time.Since(began)
}

// ready waits until servers work.
func (w *world) ready(servers ...string) {
	w.t.Helper()
	for _, s := range servers {
		w.must("rollout", "status", "statefulset/"+s, "--timeout=180s")
	}
}

// proved waits until API-M's sidecar says that everything works.
func (w *world) proved() {
	w.t.Helper()
	w.must("exec", "wso2am-0", "-c", "agent", "--", "/agent", "probe", "--wait", "2m")
}

// eventually waits for what the cluster brings about by itself.
func (w *world) eventually(limit time.Duration, what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// restarts are the restart counts of all containers, by pod and container, but for those that are zero.
func (w *world) restarts() map[string]int {
	w.t.Helper()
	type status struct {
		Name         string
		RestartCount int
	}
	var pods struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct{ InitContainerStatuses, ContainerStatuses []status }
		}
	}
	if err := json.Unmarshal([]byte(w.must("get", "pods", "-o", "json")), &pods); err != nil {
		w.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, p := range pods.Items {
		for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			if c.RestartCount > 0 {
				counts[p.Metadata.Name+"/"+c.Name] = c.RestartCount
			}
		}
	}
	return counts
}

// wantRestarts compares the restart counts of all containers of both servers' pods.
func (w *world) wantRestarts(want map[string]int) {
	w.t.Helper()
	if got := w.restarts(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("restarts of containers: %v, want %v", got, want)
	}
}

// wantStarts compares how often the servers have started since their containers began, those in place too.
func (w *world) wantStarts(is, am int) {
	w.t.Helper()
	for server, want := range map[string]int{"wso2is": is, "wso2am": am} {
		log := w.must("exec", server+"-0", "-c", server, "--", "cat", "/home/wso2carbon/start.log")
		if got := strings.Count(log, "Z "+strings.TrimPrefix(server, "wso2")); got != want {
			w.t.Errorf("%s has started %d times, want %d", server, got, want)
		}
	}
}

// replaced deletes pods at once, and waits until there are others of their names.
func (w *world) replaced(pods ...string) {
	w.t.Helper()
	uids := func() string {
		out, _ := w.try(append([]string{"get", "pod", "--ignore-not-found", "-o", "custom-columns=UID:.metadata.uid", "--no-headers"}, pods...)...)
		return out
	}
	before := strings.Fields(uids())
	w.must(append([]string{"delete", "pod", "--wait=false"}, pods...)...)
	w.eventually(2*time.Minute, "there are other pods", func() bool {
		now := strings.Fields(uids())
		return len(now) == len(pods) && !slices.ContainsFunc(before, func(uid string) bool { return slices.Contains(now, uid) })
	})
}

// logs are a container's log.
func (w *world) logs(pod, container string) string {
	out, _ := w.try("logs", pod, "-c", container)
	return out
}

// touch makes kubelet look at a pod at once, and so at its volumes, in place of within a minute or two.
func (w *world) touch(pod string) {
	w.must("annotate", "pod", pod, "--overwrite", fmt.Sprintf("wso2agent.test/touched=%d", time.Now().UnixNano()))
}

// nodePod is a pod that may do on the node what a person with root there may. It also uses each image of the tests: where the
// disk is nearly full (85 %), kubelet deletes every image that no pod uses, and none of these can be pulled again.
const nodePod = `
apiVersion: v1
kind: Namespace
metadata: {name: wso2-test, labels: {pod-security.kubernetes.io/enforce: privileged}}
---
apiVersion: v1
kind: Pod
metadata: {name: node, namespace: wso2-test}
spec:
  hostPID: true
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  initContainers:
    - {name: agent, image: "wso2agent:latest", imagePullPolicy: Never, args: [version]}
    - {name: am, image: "wso2/wso2am:4.5.0", imagePullPolicy: Never, command: ["true"]}
    - {name: postgres, image: "wso2agent-test/postgres:15", imagePullPolicy: Never, command: ["true"]}
  containers:
    - {name: prober, image: "wso2agent-test/prober:1", imagePullPolicy: Never}
    - name: node
      image: wso2/wso2is:7.1.0
      command: [sleep, infinity]
      securityContext: {runAsUser: 0, privileged: true}
      volumeMounts: [{name: folders, mountPath: /folders}]
  volumes: [{name: folders, hostPath: {path: /var/lib/wso2agent, type: DirectoryOrCreate}}]
`

// node runs a shell's command on the node, where its folders are below /folders.
func (w *world) node(script string) string {
	w.t.Helper()
	out, err := run("", "--namespace", "wso2-test", "exec", "node", "-c", "node", "--", "sh", "-c", script)
	if err == nil {
		return out
	}
	if out, err := run(nodePod, "--namespace", "wso2-test", "apply", "-f", "-"); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	w.must("--namespace", "wso2-test", "wait", "--for=condition=Ready", "pod/node", "--timeout=60s")
	return w.must("--namespace", "wso2-test", "exec", "node", "-c", "node", "--", "sh", "-c", script)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if _, err := exec.LookPath("kubectl"); err == nil {
		run("", "delete", "namespace", "wso2-test", "--ignore-not-found", "--timeout=60s")
	}
	os.Exit(code)
}
