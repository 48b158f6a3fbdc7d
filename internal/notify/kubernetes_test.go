package notify

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// cluster is a stand-in of an API server with one workload and one pod.
type cluster struct {
	*httptest.Server
	account string

	mu         sync.Mutex
	owner      string // kind and name, as the pod names it: "StatefulSet/wso2is"
	version    string // of the owner's API
	uid        string // of the workload now
	set        string // UID of the ReplicaSet now
	brief      bool   // after the patch no pod is there, and the answers leave out the counts
	strategy   string
	allowed    bool
	annotation string
	containers []string
	chosen     string
	stuck      bool // no pod becomes ready
	looks      int  // at the workload since the patch
	requests   []string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{account: t.TempDir(), owner: "StatefulSet/wso2is", version: "apps/v1", uid: "w1", set: "r1", allowed: true, containers: []string{"wso2is"}}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	for name, data := range map[string][]byte{
		"token": []byte("secret-token\n"), "namespace": []byte("wso2"),
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}),
	} {
		if err := os.WriteFile(filepath.Join(c.account, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// method is that of an agent in the pod wso2is-0.
func (c *cluster) method() *Kubernetes {
	u, _ := url.Parse(c.URL)
	host, port, _ := net.SplitHostPort(u.Host)
	env := map[string]string{"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "POD_NAME": "wso2is-0"}
	return &Kubernetes{Getenv: func(name string) string { return env[name] }, Account: c.account, Container: "wso2is", Limit: time.Minute, Poll: time.Millisecond}
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Method+" "+r.URL.Path)
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "message": text})
	}
	if r.Header.Get("Authorization") != "Bearer secret-token" {
		refuse(http.StatusUnauthorized, "Unauthorized")
		return
	}
	kind, name, _ := strings.Cut(c.owner, "/")
	uid := map[bool]string{true: "r1", false: "w1"}[kind == "ReplicaSet"]
	reference := fmt.Sprintf(`[{"apiVersion":"v1","kind":"Node","name":"n","uid":"n1"},{"apiVersion":%q,"kind":%q,"name":%q,"uid":%q,"controller":true}]`, c.version, kind, name, uid)
	switch r.Method + " " + r.URL.Path {
	case "GET /api/v1/namespaces/wso2/pods/wso2is-0":
		var specs, states []string
		for i, name := range c.containers {
			specs = append(specs, fmt.Sprintf(`{"name":%q}`, name))
			states = append(states, fmt.Sprintf(`{"name":%q,"containerID":"containerd://%d","state":{"running":{"startedAt":"2026-01-02T03:04:0%dZ"}}}`, name, i, i))
		}
		fmt.Fprintf(w, `{"metadata":{"uid":"u1","annotations":{"kubectl.kubernetes.io/default-container":%q},"ownerReferences":%s},"spec":{"containers":[%s]},"status":{"containerStatuses":[%s]}}`,
			c.chosen, reference, strings.Join(specs, ","), strings.Join(states, ","))
	case "GET /apis/apps/v1/namespaces/wso2/replicasets/wso2is-5d9":
		fmt.Fprintf(w, `{"metadata":{"uid":%q,"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"wso2is","uid":"w1","controller":true}]}}`, c.set)
	case "GET /apis/apps/v1/namespaces/wso2/statefulsets/wso2is", "GET /apis/apps/v1/namespaces/wso2/deployments/wso2is":
		c.workload(w)
	case "PATCH /apis/apps/v1/namespaces/wso2/statefulsets/wso2is", "PATCH /apis/apps/v1/namespaces/wso2/deployments/wso2is":
		var patch struct {
			Metadata struct{ UID string }
			Spec     struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" || !c.allowed {
			refuse(http.StatusForbidden, "cannot patch")
			return
		}
		if patch.Metadata.UID != c.uid {
			refuse(http.StatusUnprocessableEntity, "the UID is another one")
			return
		}
		c.annotation, c.looks = patch.Spec.Template.Metadata.Annotations["kubectl.kubernetes.io/restartedAt"], 0
		c.workload(w)
	case "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
		fmt.Fprintf(w, `{"status":{"allowed":%v}}`, c.allowed)
	default:
		refuse(http.StatusNotFound, r.URL.Path+" not found")
	}
}

// workload writes the workload: the rollout takes some looks.
func (c *cluster) workload(w http.ResponseWriter) {
	c.looks++
	generation, observed, updated, ready, current, update := 2, 1, 0, 1, "r1", "r2"
	if c.looks > 2 {
		observed, updated, ready = 2, 1, 0
	}
	if c.looks > 3 && !c.stuck {
		ready, current = 1, "r2"
	}
	if c.brief && c.looks > 1 { // an API server leaves out the counts while no pod is there (omitempty)
		fmt.Fprintf(w, `{"metadata":{"uid":%q,"generation":2},"spec":{"replicas":1},"status":{"observedGeneration":2,"replicas":1}}`, c.uid)
		return
	}
	if c.brief {
		observed, updated, ready, current = 1, 1, 1, "r2"
	}
	if !strings.HasPrefix(c.owner, "StatefulSet") { // a Deployment has no revisions
		current, update = "", ""
	}
	fmt.Fprintf(w, `{"metadata":{"uid":%q,"generation":%d},"spec":{"replicas":1,"updateStrategy":{"type":%q}},"status":{"observedGeneration":%d,"replicas":1,"updatedReplicas":%d,"readyReplicas":%d,"currentRevision":%q,"updateRevision":%q}}`,
		c.uid, generation, c.strategy, observed, updated, ready, current, update)
}

func TestARolloutRestartsTheOwnWorkloadAndWaitsForItsPods(t *testing.T) {
	for kind, owner := range map[string]string{"StatefulSet": "StatefulSet/wso2is", "Deployment": "ReplicaSet/wso2is-5d9"} {
		c := newCluster(t)
		c.owner = owner
		k := c.method()
		why, err := k.Usable(t.Context())
		if err != nil || why != "the agent may restart "+kind+" wso2is, which owns pod wso2is-0" {
			t.Fatal(why, err)
		}
		p, err := k.Process(t.Context())
		if want := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC); err != nil || p.ID != "u1 containerd://0" || !p.Since.Equal(want) {
			t.Fatalf("%+v, %v", p, err)
		}
		at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
		if err := k.Restart(t.Context(), Order{At: at}); err != nil {
			t.Fatal(err)
		}
		if c.annotation != "2026-05-06T07:08:09Z" || c.looks != 4 {
			t.Errorf("%s: annotation %q, and %d looks until all pods are ready", kind, c.annotation, c.looks)
		}
	}
}

func TestWhatARolloutLacks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cluster, *Kubernetes)
		want   string
	}{
		"no pod":             {func(_ *cluster, k *Kubernetes) { k.Getenv = func(string) string { return "" } }, "the agent runs in no pod"},
		"no account":         {func(c *cluster, _ *Kubernetes) { os.Remove(filepath.Join(c.account, "ca.crt")) }, "set automountServiceAccountToken: true"},
		"another name":       {func(_ *cluster, k *Kubernetes) { k.Getenv = podNamed(k.Getenv, "node-7") }, "set POD_NAME by the downward API"},
		"another token":      {func(c *cluster, _ *Kubernetes) { os.WriteFile(filepath.Join(c.account, "token"), []byte("x"), 0o600) }, "the API server answers 401: Unauthorized; use deploy/kubernetes/components/restart"},
		"no right":           {func(c *cluster, _ *Kubernetes) { c.allowed = false }, "may not patch StatefulSet wso2is; use deploy/kubernetes/components/restart"},
		"a Job":              {func(c *cluster, _ *Kubernetes) { c.owner = "Job/wso2is" }, "belongs to no Deployment and no StatefulSet"},
		"on delete":          {func(c *cluster, _ *Kubernetes) { c.strategy = "OnDelete" }, "set updateStrategy RollingUpdate"},
		"another owner":      {func(c *cluster, _ *Kubernetes) { c.uid = "w2" }, "StatefulSet wso2is is not the one that owns pod wso2is-0: it has another UID"},
		"another ReplicaSet": {func(c *cluster, _ *Kubernetes) { c.owner, c.set = "ReplicaSet/wso2is-5d9", "r2" }, "ReplicaSet wso2is-5d9 is not the one that owns pod wso2is-0"},
		"of an operator":     {func(c *cluster, _ *Kubernetes) { c.version = "apps.example.com/v1" }, "belongs to no Deployment and no StatefulSet"},
		"two containers":     {func(c *cluster, _ *Kubernetes) { c.containers = []string{"agent", "server"} }, "pod wso2is-0 has no container wso2is; name the server's container in the annotation"},
		"not its CA": {func(c *cluster, _ *Kubernetes) {
			os.WriteFile(filepath.Join(c.account, "ca.crt"), []byte("none"), 0o600)
		}, "has no certificate"},
	} {
		cl := newCluster(t)
		k := cl.method()
		c.change(cl, k)
		_, err := k.Usable(t.Context())
		contains(t, name, err, c.want)
		if err != nil && strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: the token is in %v", name, err)
		}
		for _, r := range cl.requests {
			if strings.HasPrefix(r, "PATCH") {
				t.Errorf("%s: it has changed something", name)
			}
		}
	}
}

func podNamed(getenv func(string) string, pod string) func(string) string {
	return func(name string) string {
		if name == "POD_NAME" {
			return pod
		}
		return getenv(name)
	}
}

func TestARolloutThatDoesNotEndNamesItsPods(t *testing.T) {
	c := newCluster(t)
	k := c.method()
	if _, err := k.Usable(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.stuck, k.Limit = true, 20*time.Millisecond
	contains(t, "no pod is ready", k.Restart(t.Context(), Order{}), "StatefulSet wso2is has 0 of 1 new pods ready after 20ms; kubectl describe")
	c.brief = true
	contains(t, "the old counts are gone", k.Restart(t.Context(), Order{}), "StatefulSet wso2is has 0 of 1 new pods ready after 20ms")
	c.uid = "w2"
	contains(t, "another one has its name now", k.Restart(t.Context(), Order{}), "the API server answers 422: the UID is another one")
	c.allowed = false
	contains(t, "no right any more", k.Restart(t.Context(), Order{}), "the API server answers 403: cannot patch")
}

func TestTheServersContainerIsFoundAmongOthers(t *testing.T) {
	c := newCluster(t)
	k := c.method()
	for id, list := range map[string][]string{"u1 containerd://1": {"agent", "wso2is", "proxy"}, "u1 containerd://2": {"agent", "proxy", "server"}, "u1 containerd://0": {"server"}} {
		c.containers, c.chosen = list, "server"
		if _, err := k.Usable(t.Context()); err != nil {
			t.Fatal(list, err)
		}
		if p, err := k.Process(t.Context()); err != nil || p.ID != id {
			t.Errorf("%v: %+v, %v", list, p, err)
		}
	}
}
