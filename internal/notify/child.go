package notify

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
)

// reaper waits for every child that ends, also for orphans of other processes. It replaces the Wait of os/exec, which would
// compete with it.
type reaper struct {
	signals chan os.Signal
	done    chan struct{}

	mu       sync.Mutex
	children map[int]*child
}

// child is a process that the reaper started, with its process group.
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

// start starts cmd. It holds the lock, so that reap cannot collect a child that ends at once before start has recorded it.
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

// reap collects all children that have ended. One SIGCHLD can stand for several.
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

// signal sends sig to the whole process group. It ignores the error of a group that is gone.
func (c *child) signal(sig syscall.Signal) { syscall.Kill(-c.pid, sig) }

// forward sends a signal that this process received to the process group.
func (c *child) forward(sig os.Signal) {
	if number, ok := sig.(syscall.Signal); ok {
		c.signal(number)
	}
}

// groupAlive reports whether any process of the group is left.
func (c *child) groupAlive() bool { return syscall.Kill(-c.pid, 0) == nil }

// lastCode returns exitCode if the process has ended, else 137, the exit code after KILL.
func (c *child) lastCode() int {
	select {
	case <-c.ended:
		return c.exitCode()
	default:
		return 128 + int(syscall.SIGKILL)
	}
}

// exitCode waits until the process has ended and returns its exit code as a shell would: 128 + the signal if one ended it.
func (c *child) exitCode() int {
	<-c.ended
	if c.status.Signaled() {
		return 128 + int(c.status.Signal())
	}
	return c.status.ExitStatus()
}
