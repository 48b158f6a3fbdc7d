// Package kill holds the proof that an agent may be killed at any moment: whatever it was doing, every file is whole, the
// running servers trust each other, and the next agent goes on. Loss of power is another matter, and nothing is claimed of it.
package kill

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const agentVariable = "KILL_TEST_AGENT"

// TestMain builds, once for all tests, an agent that can kill itself. Other users may run it.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		os.Exit(serve(os.Args[1:]))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "kill-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program := filepath.Join(dir, "agent")
		out, err := exec.Command("go", "build", "-tags", "killpoints", "-o", program, "wso2agent/cmd/agent").CombinedOutput()
		err = errors.Join(err, copyProgram(filepath.Join(dir, "server")), os.Chmod(dir, 0o755), os.Setenv(agentVariable, program))
		if err != nil {
			fmt.Fprintf(os.Stderr, "build the agent: %v\n%s\n", err, out)
			return 1
		}
		return m.Run()
	}())
}

// copyProgram copies the test's own program to where other users may run it.
func copyProgram(to string) error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(own)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// process is a running program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// start runs a program whose output goes on in the file at log.
func start(t *testing.T, log string, environment []string, program string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, log, environment, program, args...)
}

// startAs does so as a user; nil is the test's own.
func startAs(t *testing.T, user *syscall.Credential, log string, environment []string, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = environment
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.ended) }()
	return p
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// killed tells whether the process has ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// end sends a signal and waits for the process's end.
func (p *process) end(sig syscall.Signal) {
	p.cmd.Process.Signal(sig)
	<-p.ended
}
