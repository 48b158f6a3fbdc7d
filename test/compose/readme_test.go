//go:build compose

package compose

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README's section on Compose says, to the letter and in its order: in a clean clone, where there is nothing but a
// shell, Docker and curl. Only the port differs, which may be somebody's, and the image's name and version, which save a build.
func TestTheREADMEsSectionOnCompose(t *testing.T) {
	w := newWorld(t)
	root := w.dir
	w.dir = filepath.Join(t.TempDir(), "clone")
	run(t, "git", "clone", "-q", root, w.dir)
	w.env["PATH"] = t.TempDir()
	for _, program := range []string{"sh", "docker", "curl"} {
		path, err := exec.LookPath(program)
		if err == nil {
			err = os.Symlink(path, filepath.Join(w.env["PATH"], program))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.env["AGENT_IMAGE"], w.env["VERSION"], w.env["SOURCE_DATE_EPOCH"] = "wso2agent-test/readme", "test", "1700000000"
	exec.Command("docker", "image", "rm", w.env["AGENT_IMAGE"]).Run() // of the last time

	readme, err := os.ReadFile(filepath.Join(w.dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## With Docker Compose")
	section, _, _ = strings.Cut(section, "\n## ")
	answers := 0
	for _, m := range regexp.MustCompile(`(?m)^ {4}(\S.*)$`).FindAllStringSubmatch(section, -1) {
		command := m[1]
		if strings.Contains(command, "localhost:8243") {
			command = strings.ReplaceAll(command, "https://localhost:8243", strings.ReplaceAll(w.published(8243), "127.0.0.1", "localhost"))
		}
		out := w.shell(command)
		switch {
		case strings.HasPrefix(command, "docker compose up"):
			w.wantStarts(1, 1)
		case strings.HasPrefix(command, "curl"):
			if answers++; !strings.Contains(out, `"host":"payment-service:8080"`) {
				t.Errorf("%s answers\n%s", command, out)
			}
		}
	}
	if answers != 2 {
		t.Errorf("the section calls %d times, want 2: with -k and without", answers)
	}
	var keys struct{ Production struct{ ConsumerKey string } }
	data, err := os.ReadFile(filepath.Join(w.dir, "application-keys.json"))
	if err == nil {
		err = json.Unmarshal(data, &keys)
	}
	if err != nil || keys.Production.ConsumerKey == "" {
		t.Errorf("the application's keys do not come out: %v", err)
	}
	if left := run(t, "git", "-C", w.dir, "status", "--short"); left != "" {
		t.Errorf("git would take what the commands leave behind:\n%s", left)
	}
	if running := w.must("ps", "-a", "-q"); running != "" {
		t.Errorf("containers are left: %s", running)
	}
}

// shell runs a command as a person types it, which must succeed.
func (w *world) shell(command string) string {
	w.t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(sh, "-c", command)
	cmd.Dir, cmd.Env = w.dir, w.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}
