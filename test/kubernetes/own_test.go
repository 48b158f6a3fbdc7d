//go:build kubernetes

package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// TestAKustomizationOfOnesOwn builds the example of docs/kubernetes.md, to the letter but for the address of the base. A
// component's settings come after those of the file that names it, so no component may have one that is the user's.
func TestAKustomizationOfOnesOwn(t *testing.T) {
	testenv.Command(t, "kubectl")
	text, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## On a cluster of yours\n")
	_, example, _ := strings.Cut(section, "```yaml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("the page has no such example")
	}
	deploy, err := filepath.Abs("../../deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"tls-files", "postgres", "artifact-source", "bootstrap-job", "backend"} {
		dir := t.TempDir()
		path, err := filepath.Rel(dir, deploy)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.NewReplacer("https://example.com/wso2agent//deploy/kubernetes/base?ref=v1", path+"/base", "components: []", "components: ["+path+"/components/"+component+"]",
			"VHOST=apis.example.com", "VHOST=apis.example.com, PGHOST=db.example.com, LOG_FORMAT=json").Replace(example)
		for name, content := range map[string]string{"kustomization.yaml": own, "api-config.yaml": "rest_apis: [] # my own\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := kubectl("", "kustomize", dir)
		if err != nil {
			t.Fatalf("%s: %v\n%s", component, err, out)
		}
		for _, part := range []string{"VHOST: apis.example.com", "PGHOST: db.example.com", "LOG_FORMAT: json", "# my own", "image: registry.example.com/wso2agent:v1"} {
			if !strings.Contains(out, part) {
				t.Errorf("with %s there is no %q", component, part)
			}
		}
		if strings.Contains(out, "image: wso2agent:") {
			t.Errorf("with %s there is an image of the agent's elsewhere", component)
		}
	}
}

// TestTheJobsOfTwoComponentsFitTogether: the component postgres names files of passwords in the settings of all agents, and a
// file that is not there ends an agent.
func TestTheJobsOfTwoComponentsFitTogether(t *testing.T) {
	testenv.Command(t, "kubectl")
	deploy, err := filepath.Abs("../../deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := filepath.Rel(dir, deploy)
	if err != nil {
		t.Fatal(err)
	}
	text := "resources: [" + path + "/base]\ncomponents: [" + path + "/components/postgres, " + path + "/components/bootstrap-job]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := kubectl("", "kustomize", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for document := range strings.SplitSeq(out, "\n---\n") {
		if !strings.Contains(document, "kind: Job\n") || !strings.Contains(document, "  name: bootstrap\n") {
			continue
		}
		for _, name := range []string{"AM_DB_PASSWORD_FILE", "IS_DB_PASSWORD_FILE"} {
			if !strings.Contains(document, "- name: "+name+"\n          value: \"\"\n") {
				t.Errorf("%s of the bootstrap's Job names a file that it does not have", name)
			}
		}
		return
	}
	t.Error("no Job bootstrap")
}
