package handshake

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// until waits for what other processes bring about. It fails when one of them ends meanwhile.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		for _, p := range w.started {
			if p.hasEnded() {
				w.t.Fatalf("%s has ended while waiting for this: %s", p.name, what)
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// taken are the ports that freePort has found: tests that run at the same time need different ones.
var taken sync.Map

// freePort finds a port of which no connection takes its own end: while a server is down, a client that tries it all the
// time would sooner or later be given that very port for its own, connect to itself, and keep the server from coming back.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(20000 + rand.IntN(12000))
		if _, had := taken.LoadOrStore(port, true); had {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port from 20000 to 31999")
	return ""
}

// process is a running program.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (w *world) start(name string, environment []string, program string, args ...string) *process {
	w.t.Helper()
	p := &process{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = environment
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // also when the test is killed
	log := filepath.Join(w.dir, strings.ReplaceAll(name, " ", "-")+".log")
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) // an agent that comes back goes on in it
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	p.cmd.Stdout, p.cmd.Stderr = file, file
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.ended) }()
	w.started = append(w.started, p)
	return p
}

// stop ends all processes, the last first, and shows what they said if the test has failed.
func (w *world) stop() {
	for len(w.started) > 0 {
		w.end(w.started[len(w.started)-1])
	}
	if !w.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(w.dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		w.t.Logf("--- %s\n%s", filepath.Base(path), text)
	}
}

// end ends a process as a container's end does, and waits for it.
func (w *world) end(p *process) {
	w.started = slices.DeleteFunc(w.started, func(other *process) bool { return other == p })
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(60 * time.Second):
		w.t.Errorf("%s does not end", p.name)
		p.cmd.Process.Kill()
		<-p.ended
	}
}
