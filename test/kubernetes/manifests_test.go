//go:build kubernetes

package kubernetes

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/testenv"
)

// overlays are all that somebody can apply, the components within overlays of the tests.
func overlays(t *testing.T) []string {
	all, err := filepath.Glob("testdata/*/kustomization.yaml")
	if err != nil || len(all) < 5 {
		t.Fatalf("overlays of the tests: %v, %v", all, err)
	}
	dirs := []string{"../../deploy/kubernetes/overlays/single-node"}
	for _, path := range all {
		if dir := filepath.Dir(path); !slices.Contains([]string{"marked", "driver"}, filepath.Base(dir)) { // those are components
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// everyManifest asks the API server about all of them. The namespaces are there, with nothing in them: claims of another kind
// would be in the way.
func everyManifest(w *world) {
	for _, dir := range overlays(w.t) {
		if out, err := w.try("apply", "--dry-run=server", "--validate=strict", "-k", dir); err != nil || strings.Contains(out, "Warning") {
			w.t.Errorf("%s: %v\n%s", dir, err, out)
		}
	}
	manifests, err := w.try("kustomize", "../../deploy/kubernetes/base")
	if err != nil {
		w.t.Fatal(manifests)
	}
	if out, err := run(manifests, "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err != nil || strings.Contains(out, "Warning") {
		w.t.Errorf("the base alone, in a namespace that somebody has: %v\n%s", err, out)
	}
}

// container is what the rules look at.
type container struct {
	Name            string
	Image           string
	SecurityContext struct {
		ReadOnlyRootFilesystem, AllowPrivilegeEscalation bool
		Capabilities                                     struct{ Drop []string }
	}
	Resources     struct{ Requests, Limits map[string]any }
	RestartPolicy string
	VolumeMounts  []struct{ Name, MountPath, SubPath string }
}

type podSpec struct {
	EnableServiceLinks, AutomountServiceAccountToken *bool
	SecurityContext                                  struct{ FSGroupChangePolicy string }
	InitContainers, Containers                       []container
	Volumes                                          []struct {
		Name              string
		ConfigMap, Secret map[string]any
	}
}

func TestEveryPodFollowsTheRules(t *testing.T) {
	testenv.Command(t, "kubectl")
	for _, dir := range overlays(t) {
		pods := 0
		for name, spec := range specs(t, dir) {
			pods++
			complain := func(what string) { t.Errorf("%s: %s: %s", dir, name, what) }
			if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
				complain("Services in the environment, or a token of the cluster's")
			}
			for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
				checkContainer(func(what string) { complain(c.Name + ": " + what) }, spec, c)
			}
			if strings.HasPrefix(name, "StatefulSet") {
				order := []int{}
				for _, step := range []string{"install", "seed", "init", "agent"} {
					order = append(order, slices.IndexFunc(spec.InitContainers, func(c container) bool { return c.Name == step }))
				}
				if !slices.IsSorted(order) || order[0] < 0 {
					complain("the init containers are not in order")
				}
				if last := spec.InitContainers[order[3]]; last.RestartPolicy != "Always" {
					complain("the agent is no sidecar")
				}
				if spec.SecurityContext.FSGroupChangePolicy != "OnRootMismatch" {
					complain("every mount gives everything to the group")
				}
			}
		}
		if pods < 3 {
			t.Errorf("%s has %d pods", dir, pods)
		}
	}
}

// checkContainer holds a container against the rules that Pod Security does not check.
func checkContainer(complain func(what string), spec podSpec, c container) {
	ofProduct := strings.HasPrefix(c.Name, "wso2") || c.Name == "postgres"
	if !c.SecurityContext.ReadOnlyRootFilesystem && !ofProduct {
		complain("its root file system can be written")
	}
	if !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
		complain("it has capabilities")
	}
	if c.Name != "postgres" && (c.Resources.Limits["memory"] == nil || c.Resources.Requests["cpu"] == nil || c.Resources.Limits["cpu"] != nil) {
		complain("it has no limit of memory, asks for no processor, or is throttled")
	}
	for _, m := range c.VolumeMounts {
		for _, v := range spec.Volumes {
			ofChart := m.SubPath == "docker-entrypoint.sh"
			if v.Name == m.Name && (v.ConfigMap != nil || v.Secret != nil) && m.SubPath != "" && !ofChart {
				complain(m.MountPath + " never changes")
			}
		}
		if m.Name == "data" && m.SubPath == "" {
			complain("the volume's own root is mounted at " + m.MountPath)
		}
	}
}

// specs are the pods of an overlay, by the names of what makes them.
func specs(t *testing.T, dir string) map[string]podSpec {
	t.Helper()
	manifests, err := run("", "kustomize", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, manifests)
	}
	pods := map[string]podSpec{}
	for decoder := yaml.NewDecoder(strings.NewReader(manifests)); ; {
		var any map[string]any
		if err := decoder.Decode(&any); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct{ Template struct{ Spec podSpec } }
		}
		if data, err := json.Marshal(any); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(data, &object); err != nil {
			t.Fatal(err)
		}
		if len(object.Spec.Template.Spec.Containers) > 0 {
			pods[object.Kind+" "+object.Metadata.Name] = object.Spec.Template.Spec
		}
	}
	return pods
}
