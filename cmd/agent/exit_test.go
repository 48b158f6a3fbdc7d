package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/agent"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
)

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		code   int
		stderr string
	}{
		{"done", nil, 0, ""},
		{"failed", errors.New("no disk; sorry"), 1, "error: no disk; sorry\n"},
		{"failed, with a remedy", remedy.Add(errors.New("no disk"), "buy one"), 1, "error: no disk\nhint: buy one\n"},
		{"failed, with two remedies", remedy.Add(fmt.Errorf("read: %w", remedy.Add(errors.New("no disk"), "buy one")), "stop"), 1, "error: read: no disk\nhint: buy one; stop\n"},
		{"failed, with a text of a server", remedy.Add(errors.New("HTTP 500: a\x1b]0;b\x07\u009bc\u202ed\n  Grüße\r\n\te\rf"), "ask\x1b[2J"), 1,
			"error: HTTP 500: a\\x1b]0;b\\a\\u009bc\\u202ed\n  Grüße\n\te\\rf\nhint: ask\\x1b[2J\n"},
		{"differences that stdout shows", errDifferences, 2, ""},
		{"differences that need a word", fmt.Errorf("%w: two", errDifferences), 2, "error: there are differences: two\n"},
		{"init timed out", fmt.Errorf("%w after 1s", agent.ErrTimeout), 3, "error: timed out after 1s\n"},
		{"no answer in time", fmt.Errorf("ask: %w", context.DeadlineExceeded), 3, "error: ask: context deadline exceeded\n"},
		{"a person must act", fmt.Errorf("%w: password", bootstrap.ErrPermanent), 4, "error: " + bootstrap.ErrPermanent.Error() + ": password\n"},
		{"wrong command line", usageError{errors.New("agent: unknown flag --x")}, 64, "error: agent: unknown flag --x\n"},
		{"wrong settings", fmt.Errorf("%w:\n  X is wrong", config.ErrInvalid), 64, "error: invalid settings:\n  X is wrong\nhint: \"agent help settings NAME\" describes a setting\n"},
		{"no server", fmt.Errorf("%w: not found", errNoServer), 127, "error: no server: not found\n"},
		{"stopped", fmt.Errorf("%w: %w", errStopped, context.Canceled), 130, "error: stopped before it was done: context canceled\n"},
		{"stopped while time ran out", fmt.Errorf("%w: %w", errStopped, context.DeadlineExceeded), 130, "error: stopped before it was done: context deadline exceeded\n"},
		{"the server's own code", serverExited{7}, 7, ""},
		{"the server's own code after a signal", fmt.Errorf("%w: %w", errStopped, serverExited{143}), 143, ""},
		{"the server's own 0 after a signal", fmt.Errorf("%w: %w", errStopped, serverExited{0}), 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := report(tc.err, &stderr); code != tc.code || stderr.String() != tc.stderr {
				t.Errorf("exit code %d, stderr %q; want %d, %q", code, &stderr, tc.code, tc.stderr)
			}
		})
	}
}

// The README's table is the one that the help prints.
func TestTheREADMEHasTheExitCodes(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "### Exit codes\n")
	section, _, _ = strings.Cut(section, "\n###")
	var rows []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| code") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, e := range exitCodes() {
		want = append(want, fmt.Sprintf("| %d | %s |", e.code, e.meaning))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the README has\n%s\nand the help\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

// The Job does not try again what fails until a person acts.
func TestTheJobFailsFastWhereAPersonMustAct(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/components/bootstrap-job/bootstrap.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			PodFailurePolicy struct {
				Rules []struct {
					Action      string
					OnExitCodes struct {
						ContainerName, Operator string
						Values                  []int
					} `yaml:"onExitCodes"`
				}
			} `yaml:"podFailurePolicy"`
		}
	}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&job); err != nil {
		t.Fatal(err)
	}
	if len(job.Spec.PodFailurePolicy.Rules) != 1 {
		t.Fatalf("%d rules, want one", len(job.Spec.PodFailurePolicy.Rules))
	}
	rule := job.Spec.PodFailurePolicy.Rules[0]
	if rule.Action != "FailJob" || rule.OnExitCodes.Operator != "In" || !slices.Equal(rule.OnExitCodes.Values, []int{exitDifferences, exitPermanent, exitUsage}) {
		t.Errorf("the rule is %+v", rule)
	}
}

// process is the agent in a process of its own, which a signal can reach. output is what it prints to stdout and stderr.
func process(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, output *os.File) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "agent") // this test's program is the agent under that name, see TestMain
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(program, args...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "LOG_FORMAT=text")
	cmd.Stdout, cmd.Stderr = input, input
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	input.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		output.Close()
	})
	return cmd, output
}

func TestASignalStopsACommand(t *testing.T) {
	notReady := newNotReady(t)
	const server = "trap 'exit 9' TERM; trap 'exit 8' INT; echo started; while :; do sleep 0.1; done"
	const stopped = "\nerror: stopped before it was done"
	for _, tc := range []struct {
		name   string
		signal syscall.Signal
		args   []string
		code   int
		says   string
	}{
		{"SIGTERM: a probe that waits", syscall.SIGTERM, []string{"probe", "--wait", "10m", notReady}, 130, stopped},
		{"SIGINT: a probe that waits", syscall.SIGINT, []string{"probe", "--wait", "10m", notReady}, 130, stopped},
		{"SIGTERM: an init that waits", syscall.SIGTERM, []string{"init"}, 130, stopped},
		{"SIGINT: a bootstrap that waits", syscall.SIGINT, []string{"bootstrap"}, 130, stopped},
		{"SIGTERM: a sidecar, whose work has no end", syscall.SIGTERM, []string{"run"}, 0, "agent stopped"},
		{"SIGTERM: a sample backend, whose work has no end", syscall.SIGTERM, []string{"backend", "127.0.0.1:0"}, 0, ""},
		{"SIGTERM: a server, which exits with its own code", syscall.SIGTERM, []string{"exec", "--", "sh", "-c", server}, 9, ""},
		{"SIGINT: a server, which gets SIGINT and not SIGTERM", syscall.SIGINT, []string{"exec", "--", "sh", "-c", server}, 8, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			config, err := filepath.Abs("../../examples/api-config.yaml")
			if err != nil {
				t.Fatal(err)
			}
			cmd, output := process(t, []string{"PRODUCT=am", "CONFIG_DIR=" + dir, "EXCHANGE_DIR=" + dir, "SERVER_HOME=" + dir, "AM_PORT=1", "API_CONFIG=" + config,
				"KEYS_FILE=" + filepath.Join(dir, "keys.json"), "LISTEN_ADDR=127.0.0.1:0", "ARTIFACTS=none", "SETTINGS=none"}, tc.args...)
			first := make([]byte, 512)
			n, err := output.Read(first)
			if err != nil { // each prints something when it is at work
				t.Fatal("no output:", err)
			}
			time.Sleep(100 * time.Millisecond) // some say what they are about to do
			cmd.Process.Signal(tc.signal)
			rest, err := io.ReadAll(output)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			said := string(first[:n]) + string(rest)
			if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(said, tc.says) || tc.code == 0 && strings.Contains(said, "error: ") {
				t.Errorf("exit code %d, want %d and %q in\n%s", code, tc.code, tc.says, said)
			}
		})
	}
}

// A lock that somebody holds keeps a command waiting; one signal stops it.
func TestASignalStopsACommandThatWaitsForALock(t *testing.T) {
	volume := t.TempDir()
	path := filepath.Join(volume, "repository/conf/deployment.toml")
	for _, folder := range []string{filepath.Dir(path), filepath.Join(volume, ".agent")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("[server]\nhostname = \"localhost\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockVolume(t.Context(), filepath.Join(volume, ".agent"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	cmd, output := process(t, []string{"CONFIG_DIR=" + volume}, "config", "apply", "--product", "is", "--file", path)
	if _, err := output.Read(make([]byte, 512)); err != nil { // it says that it waits
		t.Fatal("no output:", err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	rest, err := io.ReadAll(output)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitStopped {
		t.Errorf("exit code %d, want %d\n%s", code, exitStopped, rest)
	}
}
