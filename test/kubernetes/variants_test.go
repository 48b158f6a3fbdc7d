//go:build kubernetes

package kubernetes

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
)

func TestBootstrapAsAJob(t *testing.T) {
	w := newWorld(t, "bootstrap-job")
	began := time.Now()
	w.must("apply", "-k", w.overlay)
	w.must("wait", "--for=condition=Complete", "job/bootstrap", "--timeout=120s")
	t.Logf("from nothing to the end of the Job: %s", time.Since(began).Round(100*time.Millisecond))
	w.ready("wso2is", "wso2am")
	w.works()
	w.wantRestarts(nil)
	w.wantStarts(1, 1)
	w.wantComplete()
	if log := w.logs("wso2am-0", "agent"); strings.Contains(log, "everything works") {
		t.Error("the sidecar has bootstrapped too")
	}

	w.in("what a person has to change ends it at once, and it says what", func(w *world) {
		config := w.must("get", "configmap", "api-config", "-o", `jsonpath={.data.api-config\.yaml}`)
		w.put(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "api-config"},
			"data": map[string]any{"api-config.yaml": strings.Replace(config, "backend_url:", "backend_ulr:", 1)}})
		w.must("delete", "job", "bootstrap")
		w.must("apply", "-k", w.overlay, "-l", "app.kubernetes.io/name=bootstrap")
		w.must("wait", "--for=condition=Failed", "job/bootstrap", "--timeout=60s")
		for _, found := range []string{w.must("logs", "job/bootstrap"), w.must("get", "pods", "-l", "job-name=bootstrap", "-o", "jsonpath={..terminated.message}")} {
			if !strings.Contains(found, "backend_ulr") {
				w.t.Errorf("it does not name the mistake: %s", found)
			}
		}
		if pods := w.must("get", "pods", "-l", "job-name=bootstrap", "--no-headers"); strings.Count(pods, "bootstrap-") != 1 {
			w.t.Errorf("it was tried again: %s", pods)
		}
		w.works()
	})
	w.in("a volume whose driver gives everything to the group at each mount", func(w *world) {
		w.must("patch", "statefulset", "wso2am", "-p", `{"spec":{"template":{"spec":{"securityContext":{"fsGroupChangePolicy":"Always"}}}}}`)
		w.must("rollout", "status", "statefulset/wso2am", "--timeout=180s")
		if mode := w.node("stat -c %a /folders/wso2am/config/repository/conf/deployment.toml"); mode != "660" {
			w.t.Fatalf("the settings have the mode %s: kubelet has not changed it", mode)
		}
		w.works()
		w.wantRestarts(nil)
		w.wantStarts(1, 1)
	})
	w.in("a file that is mounted by subPath is told of", func(w *world) {
		w.must("patch", "statefulset", "wso2is", "-p", `{"spec":{"template":{"spec":{"initContainers":[{"name":"agent",
			"env":[{"name":"TLS_CA_FILE","value":"/ca/ca.crt"}],
			"volumeMounts":[{"name":"ca","mountPath":"/ca/ca.crt","subPath":"ca.crt"}]}],
			"volumes":[{"name":"ca","configMap":{"name":"kube-root-ca.crt"}}]}}}}`)
		w.must("rollout", "status", "statefulset/wso2is", "--timeout=180s")
		w.eventually(30*time.Second, "the log warns", func() bool {
			log := w.logs("wso2is-0", "agent")
			return strings.Contains(log, "by subPath, which Kubernetes never updates") && strings.Contains(log, "/ca/ca.crt")
		})
	})
}

// The stand-ins know no PostgreSQL and end at their start, so this is of what the servers find: their driver, out of a claim,
// their tables, and settings.
func TestPostgreSQL(t *testing.T) {
	w := newWorld(t, "postgres")
	blocks := pages.Blocks(t)
	if len(blocks) != 2 {
		t.Fatalf("the page has %d blocks for this test, want those of the namespace and of the artifacts", len(blocks))
	}
	for _, command := range blocks[0].Commands {
		w.documented(command)
	}
	w.wantPodSecurity()
	w.node("mkdir -p /folders/artifact-source")
	w.must("apply", "-k", w.overlay)
	if keys := w.must("get", "secret", "wso2-passwords", "-o", "go-template={{range $name, $value := .data}}{{$name}} {{end}}"); keys != "am-admin-pass is-admin-pass" {
		t.Errorf("the page's passwords have other names than the overlay's: %s", keys)
	}
	w.eventually(2*time.Minute, "both wait for the driver", func() bool {
		return strings.Contains(w.logs("wso2is-0", "init"), "does not start") && strings.Contains(w.logs("wso2am-0", "init"), "does not start")
	})
	jars := map[string][]byte{"postgresql-42.9.9.jar": jar(t, "org/postgresql/Driver.class"), "wso2is.notification.event.handlers-2.9.9.jar": jar(t, "Handler.class")}
	w.fill(blocks[1], jars)
	w.must("wait", "--for=condition=Complete", "job/databases", "--timeout=120s")
	for server, want := range map[string]string{"wso2is": "jdbc:postgresql://postgres:5432/identity_db?currentSchema=wso2is", "wso2am": "jdbc:postgresql://postgres:5432/apim_db?currentSchema=wso2am"} {
		w.must("wait", "--for=condition=Initialized", "pod/"+server+"-0", "--timeout=120s")
		if log := w.logs(server+"-0", "databases"); !strings.Contains(log, "the tables of user") {
			t.Errorf("%s has not waited for its tables: %s", server, log)
		}
		if settings := w.node("cat /folders/" + server + "/config/repository/conf/deployment.toml"); !strings.Contains(settings, want) {
			t.Errorf("%s does not get %s:\n%s", server, want, settings)
		}
		placed := strings.Fields(w.node("cd /folders/" + server + "/artifacts/repository/components && sha256sum lib/postgresql-42.9.9.jar"))
		if sum := sha256.Sum256(jars["postgresql-42.9.9.jar"]); len(placed) == 0 || placed[0] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has not got the driver: %s", server, placed)
		}
		mounted := w.must("get", "pod", server+"-0", "-o", `jsonpath={.spec.volumes[?(@.name=="database-passwords")].secret.items[*].key}`)
		if mounted != "am-db-password is-db-password" {
			t.Errorf("%s has the passwords %s", server, mounted)
		}
	}
	if log := w.must("logs", "job/databases", "-c", "databases"); !strings.Contains(log, "made by am/apimgt/postgresql.sql") {
		t.Error(log)
	}
}

// jar is a file of a jar's kind with the entry, of more than a ConfigMap holds.
func jar(t *testing.T, entry string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{entry, "padding"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(make([]byte, 600<<10))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fill puts files onto the claim artifact-source by the commands of a page, which names one file of its own.
func (w *world) fill(block pages.Block, files map[string][]byte) {
	w.t.Helper()
	dir, placed := w.t.TempDir(), 0
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, command := range block.Commands {
		before, after, names := strings.Cut(command.Line, "<postgresql-42.7.13.jar")
		if !names {
			w.documented(command)
			continue
		}
		for name := range files {
			w.documented(pages.Command{Line: strings.ReplaceAll(before, "postgresql-42.7.13.jar", name) + "<" + filepath.Join(dir, name) + after})
			placed++
		}
	}
	if placed != len(files) {
		w.t.Errorf("the page's commands have placed %d files, want %d:\n%s", placed, len(files), block.Text)
	}
}
