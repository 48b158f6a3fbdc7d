package notify

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
)

// reaper collects every child that ends, those that other processes left behind included. os/exec's own waiting would
// compete with it and is not used.
type reaper struct {
	signals chan os.Signal
	done    chan struct{}

	mu       sync.Mutex
	children map[int]*child
}

// child is a process that was started, with its process group.
type child struct {
	pid    int
	ended  chan struct{}      // closed when the process has ended
	status syscall.WaitStatus // of the ended process
}

func newReaper() (*reaper, error) {
	if err := adoptOrphans(); err != nil {
		return nil, err
	}
	r := &reaper{signals: make(chan os.Signal, 1), done: make(chan struct{}), children: map[int]*child{}}
	signal.Notify(r.signals, syscall.SIGCHLD)
	go func() {
		defer close(r.done)
		for range r.signals {
			r.reap()
		}
	}()
	return r, nil
}

func (r *reaper) stop() {
	signal.Stop(r.signals)
	close(r.signals)
	<-r.done
}

// start starts cmd. The lock is held meanwhile, so that a child that ends at once is not reaped before it is known.
func (r *reaper) start(cmd *exec.Cmd) (*child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{pid: cmd.Process.Pid, ended: make(chan struct{})}
	r.children[c.pid] = c
	return c, cmd.Process.Release()
}

// reap collects all that have ended. One SIGCHLD may stand for many.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if c := r.children[pid]; c != nil {
			delete(r.children, pid)
			c.status = status
			close(c.ended)
		}
	}
}

// signal sends sig to the whole process group. A group that is gone needs none.
func (c *child) signal(sig syscall.Signal) { syscall.Kill(-c.pid, sig) }

// forward hands on a signal that this process got.
func (c *child) forward(sig os.Signal) {
	if number, ok := sig.(syscall.Signal); ok {
		c.signal(number)
	}
}

// groupAlive tells whether any process of the group is left.
func (c *child) groupAlive() bool { return syscall.Kill(-c.pid, 0) == nil }

// lastCode is exitCode where the process may not have ended: 137 then, as after KILL.
func (c *child) lastCode() int {
	select {
	case <-c.ended:
		return c.exitCode()
	default:
		return 128 + int(syscall.SIGKILL)
	}
}

// exitCode is what a shell would say of the process's end. It waits for that.
func (c *child) exitCode() int {
	<-c.ended
	if c.status.Signaled() {
		return 128 + int(c.status.Signal())
	}
	return c.status.ExitStatus()
}
