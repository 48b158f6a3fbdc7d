package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"wso2agent/internal/remedy"
)

// Command restarts the server with a program of the user. No shell reads its arguments.
type Command struct {
	Line  string        // RESTART_COMMAND: the program and its arguments, separated by spaces
	Limit time.Duration // for the program
}

// Name is the value of RESTART.
func (*Command) Name() string { return "command" }

// Usable returns nil if the program is there.
func (c *Command) Usable(context.Context) (why string, err error) {
	args := strings.Fields(c.Line)
	if len(args) == 0 {
		return "", remedy.Add(errors.New("there is no command"), "set RESTART_COMMAND")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return "", remedy.Add(err, "put the program into an image of your own, or mount it: the image of the agent has no other program, and no shell")
	}
	return "RESTART_COMMAND runs " + path, nil
}

// Restart runs the program with what the order says.
func (c *Command) Restart(ctx context.Context, o Order) error {
	return c.Run(ctx, "RESTART_SERVER="+o.Server, "RESTART_PRODUCT="+o.Product, "RESTART_GENERATION="+o.Generation)
}

// Run runs the program with more variables of the form NAME=value. It succeeds by exiting with 0, also if a process that it has started
// goes on (exec.ErrWaitDelay). Only the last line of its output becomes part of an error.
func (c *Command) Run(ctx context.Context, variables ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	args := strings.Fields(c.Line)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(environment(), variables...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with what it has started
	cmd.WaitDelay = time.Second
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end within %s", c.Limit)
	}
	return remedy.Add(fmt.Errorf("run %s: %w%s", filepath.Base(args[0]), err, out.last()), "run the command by hand, as the user of the agent")
}

// environment is what the program gets of the environment of this process. The rest may be passwords: settings of the agent, those of
// PostgreSQL, and variables of the desired state.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains([]string{"PATH", "HOME", "TMPDIR"}, name) && !strings.HasPrefix(name, "DOCKER_") && !strings.HasPrefix(name, "KUBERNETES_")
	})
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

// tailLimit is how much a tail keeps, in bytes.
const tailLimit = 300

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailLimit):]
	return len(p), nil
}

// last is the last line, to follow an error.
func (t *tail) last() string {
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return ""
	}
	return ": " + strings.ToValidUTF8(text[strings.LastIndexByte(text, '\n')+1:], "?")
}
