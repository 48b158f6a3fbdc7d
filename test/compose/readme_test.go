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

	"wso2agent/internal/testenv/pages"
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

	answers, answer := 0, ""
	for _, block := range pages.Blocks(t) {
		if m := documentedAnswer.FindStringSubmatch(block.After); m != nil {
			answer = m[1]
		}
		for _, command := range block.Commands {
			line := command.Line
			if strings.Contains(line, "localhost:8243") {
				line = strings.ReplaceAll(line, "https://localhost:8243", strings.ReplaceAll(w.published(8243), "127.0.0.1", "localhost"))
			}
			out := w.shell(line)
			switch {
			case strings.HasPrefix(line, "docker compose up"):
				w.wantStarts(1, 1)
			case strings.HasPrefix(line, "curl"):
				if answers++; answer == "" || !strings.Contains(out, answer) {
					t.Errorf("%s answers without %s:\n%s", line, answer, out)
				}
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

// documentedAnswer is what the text after a call says of its answer.
var documentedAnswer = regexp.MustCompile("answers, with `([^`]+)`")

// shell runs a command as a person types it, which must succeed.
func (w *world) shell(command string) string {
	w.t.Helper()
	return w.shellIn(w.dir, command)
}

// shellWith runs a command of a page, in a folder with these files of a person's own.
func (w *world) shellWith(files map[string][]byte, command pages.Command) string {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.shellIn(dir, command.Line, "COMPOSE_FILE="+filepath.Join(w.dir, "compose.yml")+":"+filepath.Join(w.dir, "compose.override.yml"))
}

func (w *world) shellIn(dir, command string, env ...string) string {
	w.t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(sh, "-c", command)
	cmd.Dir, cmd.Env = dir, append(w.environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// one is the only command of a test's blocks.
func one(t *testing.T) pages.Command {
	t.Helper()
	commands := pages.Commands(t)
	if len(commands) != 1 {
		t.Fatalf("the page has %d commands for this test, want 1: %v", len(commands), commands)
	}
	return commands[0]
}
