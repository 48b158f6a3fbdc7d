package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Kubernetes restarts the pods of the workload that the pod of the agent belongs to, as kubectl rollout restart does. It needs the rights of
// deploy/kubernetes/components/restart. The agent ends with its pod, and the one in the next pod goes on.
type Kubernetes struct {
	Getenv    func(string) string
	Account   string // folder of the service account in the container; empty: the usual one
	Container string // name of the server's container, SERVER_NAME; see container
	Limit     time.Duration
	Poll      time.Duration // between two looks at a rollout; 0: 2 s

	client *http.Client
	base   string
	space  string
	pod    string
	owner  owner
}

// owner is the workload of a pod. Another one that gets the same name later has another UID.
type owner struct{ Kind, Name, UID string }

// resource is its plural in the path of the API.
func (o owner) resource() string { return strings.ToLower(o.Kind) + "s" }

// The folder of the service account (Kubernetes, "Accessing the Kubernetes API from a Pod"), and the annotation of kubectl rollout restart.
const (
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"
	restartedAt    = "kubectl.kubernetes.io/restartedAt"
	defaultChoice  = "kubectl.kubernetes.io/default-container"
)

const (
	apiLimit   = 4 << 20 // of an answer, in bytes
	apiTimeout = 30 * time.Second
)

// Name is the value of RESTART.
func (*Kubernetes) Name() string { return "kubernetes" }

// meta is the part of an object that all kinds have.
type meta struct {
	UID             string
	Generation      int64
	Annotations     map[string]string
	OwnerReferences []struct {
		APIVersion string
		owner
		Controller bool
	}
}

// podObject is the part of a pod that the agent reads.
type podObject struct {
	Metadata meta
	Spec     struct{ Containers []struct{ Name string } }
	Status   struct{ ContainerStatuses []containerStatus }
}

type containerStatus struct {
	Name, ContainerID string
	State             struct {
		Running *struct{ StartedAt time.Time }
	}
}

// workload is the part of a Deployment or a StatefulSet that the agent reads.
type workload struct {
	Metadata meta
	Spec     struct {
		Replicas       *int
		UpdateStrategy struct{ Type string } // of a StatefulSet
	}
	Status struct {
		ObservedGeneration                       int64
		Replicas, UpdatedReplicas, ReadyReplicas int
		CurrentRevision, UpdateRevision          string
	}
}

// Usable returns nil if the pod belongs to a Deployment or a StatefulSet that the agent may change.
func (k *Kubernetes) Usable(ctx context.Context) (why string, err error) {
	if err := k.connect(); err != nil {
		return "", err
	}
	const rights = "use deploy/kubernetes/components/restart, which gives the service account these rights"
	p, err := k.getPod(ctx)
	if err != nil {
		return "", remedy.Add(err, rights)
	}
	if _, err := k.container(p); err != nil {
		return "", err
	}
	if k.owner, err = k.findOwner(ctx, p.Metadata); err != nil {
		return "", err
	}
	var w workload
	if err := k.call(ctx, http.MethodGet, k.workloadPath(), "", nil, &w); err != nil {
		return "", remedy.Add(err, rights)
	}
	if w.Metadata.UID != k.owner.UID {
		return "", k.replaced(k.owner)
	}
	if w.Spec.UpdateStrategy.Type == "OnDelete" {
		return "", remedy.Add(fmt.Errorf("%s %s replaces no pod by itself (updateStrategy OnDelete)", k.owner.Kind, k.owner.Name), "set updateStrategy RollingUpdate")
	}
	if err := k.mayPatch(ctx); err != nil {
		return "", remedy.Add(err, rights)
	}
	return fmt.Sprintf("the agent may restart %s %s, which owns pod %s", k.owner.Kind, k.owner.Name, k.pod), nil
}

// connect reads where the API server is, and whom it is to trust.
func (k *Kubernetes) connect() error {
	host, port := k.Getenv("KUBERNETES_SERVICE_HOST"), k.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return errors.New("the agent runs in no pod: KUBERNETES_SERVICE_HOST is not set")
	}
	ca, err := file.Read(k.accountFile("ca.crt"), apiLimit)
	if err == nil {
		var space []byte
		space, err = file.Read(k.accountFile("namespace"), 4096)
		k.space = strings.TrimSpace(string(space))
	}
	if err != nil {
		return remedy.Add(fmt.Errorf("read the service account: %w", err), "set automountServiceAccountToken: true in the pod")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("%s has no certificate", k.accountFile("ca.crt"))
	}
	if k.pod = k.Getenv("POD_NAME"); k.pod == "" {
		if k.pod, err = os.Hostname(); err != nil {
			return err
		}
	}
	k.base = "https://" + net.JoinHostPort(host, port)
	k.client = &http.Client{Timeout: apiTimeout, Transport: &http.Transport{ // without a proxy
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, IdleConnTimeout: 30 * time.Second}}
	return nil
}

func (k *Kubernetes) accountFile(name string) string {
	if k.Account != "" {
		return filepath.Join(k.Account, name)
	}
	return filepath.Join(serviceAccount, name)
}

func (k *Kubernetes) getPod(ctx context.Context) (p podObject, err error) {
	err = k.call(ctx, http.MethodGet, "/api/v1/namespaces/"+k.space+"/pods/"+url.PathEscape(k.pod), "", nil, &p)
	if isStatus(err, http.StatusNotFound) {
		err = remedy.Add(err, "set POD_NAME by the downward API (metadata.name), if the pod has another host name")
	}
	return p, err
}

// container returns the status of the server's container: the one with the name of the server, else the default container, else the only one.
// It is the zero value before kubelet has reported any.
func (k *Kubernetes) container(p podObject) (s containerStatus, err error) {
	name := ""
	for _, c := range p.Spec.Containers {
		if c.Name == k.Container || len(p.Spec.Containers) == 1 || name == "" && c.Name == p.Metadata.Annotations[defaultChoice] {
			name = c.Name
		}
		if c.Name == k.Container {
			break
		}
	}
	if name == "" {
		return s, remedy.Add(fmt.Errorf("pod %s has no container %s", k.pod, k.Container), "name the server's container in the annotation %s of the pod", defaultChoice)
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == name {
			return s, nil
		}
	}
	return s, nil
}

// appsVersion is the API of StatefulSets, Deployments and ReplicaSets. Kinds of the same names can belong to an operator.
const appsVersion = "apps/v1"

// replaced is the error for an object that has the name of an owner, and is another one.
func (k *Kubernetes) replaced(o owner) error {
	return remedy.Add(fmt.Errorf("%s %s is not the one that owns pod %s: it has another UID", o.Kind, o.Name, k.pod), "delete the pod, if nothing owns it any more")
}

// findOwner returns the workload of the pod. A ReplicaSet belongs to a Deployment.
func (k *Kubernetes) findOwner(ctx context.Context, m meta) (owner, error) {
	for _, o := range m.OwnerReferences {
		switch {
		case !o.Controller || o.APIVersion != appsVersion:
		case o.Kind == "StatefulSet" || o.Kind == "Deployment":
			return o.owner, nil
		case o.Kind == "ReplicaSet":
			var set struct{ Metadata meta }
			if err := k.call(ctx, http.MethodGet, k.appsPath("replicasets", o.Name), "", nil, &set); err != nil {
				return owner{}, err
			}
			if set.Metadata.UID != o.UID {
				return owner{}, k.replaced(o.owner)
			}
			return k.findOwner(ctx, set.Metadata)
		}
	}
	return owner{}, remedy.Add(fmt.Errorf("pod %s belongs to no Deployment and no StatefulSet", k.pod), "use one of them")
}

func (k *Kubernetes) appsPath(resource, name string) string {
	return "/apis/" + appsVersion + "/namespaces/" + k.space + "/" + resource + "/" + url.PathEscape(name)
}

func (k *Kubernetes) workloadPath() string { return k.appsPath(k.owner.resource(), k.owner.Name) }

// mayPatch asks the API server whether the agent may change the workload. Every account may ask that about itself.
func (k *Kubernetes) mayPatch(ctx context.Context) error {
	ask := map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": map[string]any{"resourceAttributes": map[string]string{
		"namespace": k.space, "verb": "patch", "group": "apps", "resource": k.owner.resource(), "name": k.owner.Name}}}
	var answer struct{ Status struct{ Allowed bool } }
	if err := k.call(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json", ask, &answer); err != nil {
		return err
	}
	if !answer.Status.Allowed {
		return fmt.Errorf("the service account may not patch %s %s", k.owner.Kind, k.owner.Name)
	}
	return nil
}

// Process returns the process of the server's container in the own pod.
func (k *Kubernetes) Process(ctx context.Context) (Process, error) {
	p, err := k.getPod(ctx)
	if err != nil {
		return Process{}, err
	}
	s, err := k.container(p)
	if err != nil || s.State.Running == nil {
		return Process{}, err
	}
	return Process{ID: p.Metadata.UID + " " + s.ContainerID, Since: s.State.Running.StartedAt}, nil
}

// Restart changes an annotation of the pod template, and waits until all new pods are ready. The agent itself may end before that. The API
// server answers 422 to a patch with another UID than the object has (kubernetes/kubernetes, pkg/controller/controller_ref_manager.go,
// ReleasePod).
func (k *Kubernetes) Restart(ctx context.Context, o Order) error {
	patch := map[string]any{"metadata": map[string]string{"uid": k.owner.UID}, "spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]string{restartedAt: o.At.UTC().Format(time.RFC3339)}}}}}
	var w workload
	if err := k.call(ctx, http.MethodPatch, k.workloadPath(), "application/merge-patch+json", patch, &w); err != nil {
		return err
	}
	poll := k.Poll
	if poll == 0 {
		poll = 2 * time.Second
	}
	wanted := w.Metadata.Generation
	for late := time.Now().Add(k.Limit); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
		var w workload // a new one, because an answer leaves out counts that are zero
		err := k.call(ctx, http.MethodGet, k.workloadPath(), "", nil, &w)
		if err == nil && w.rolledOut(wanted) {
			return nil
		}
		if time.Now().After(late) {
			return remedy.Add(fmt.Errorf("%s %s has %d of %d new pods ready after %s", k.owner.Kind, k.owner.Name, min(w.Status.UpdatedReplicas, w.Status.ReadyReplicas), w.replicas(), k.Limit),
				"kubectl describe and kubectl logs of the new pod show the reason")
		}
	}
}

func (w workload) replicas() int {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}

// rolledOut reports whether all pods are those of a generation of the workload, and ready.
func (w workload) rolledOut(generation int64) bool {
	s, n := w.Status, w.replicas()
	return s.ObservedGeneration >= generation && s.UpdatedReplicas == n && s.ReadyReplicas == n && s.Replicas == n && s.CurrentRevision == s.UpdateRevision
}

// apiError is an answer that is no success.
type apiError struct {
	status int
	text   string
}

func (e apiError) Error() string {
	return fmt.Sprintf("the API server answers %d: %s", e.status, e.text)
}

func isStatus(err error, status int) bool {
	var e apiError
	return errors.As(err, &e) && e.status == status
}

// call makes a request. kind is the type of its content. It reads the token each time, because kubelet renews it.
func (k *Kubernetes) call(ctx context.Context, method, path, kind string, body, out any) error {
	failed := func(err error) error { return fmt.Errorf("%s %s: %w", method, path, err) }
	token, err := file.Read(k.accountFile("token"), 64<<10)
	if err != nil {
		return failed(err)
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return failed(err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, k.base+path, content)
	if err != nil {
		return failed(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return failed(remedy.Add(err, "allow the pod to reach the API server (NetworkPolicy)"))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, apiLimit))
	if err != nil {
		return failed(err)
	}
	if resp.StatusCode/100 != 2 {
		var status struct{ Message string }
		if json.Unmarshal(text, &status) != nil || status.Message == "" {
			status.Message = http.StatusText(resp.StatusCode)
		}
		return failed(apiError{resp.StatusCode, status.Message})
	}
	if err := json.Unmarshal(text, out); err != nil {
		return failed(err)
	}
	return nil
}
