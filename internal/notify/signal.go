package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Signal ends the Java process of the server with a signal. The agent must share the PID namespace and the user of the server. Whoever
// runs the server starts it again.
type Signal struct {
	Home        string        // SERVER_HOME, in the container of the server
	Volume      string        // CONFIG_DIR, here and in the container of the server
	Proc        string        // where proc is mounted; empty: /proc
	StopTimeout time.Duration // between TERM and KILL
}

// Name is the value of RESTART.
func (*Signal) Name() string { return "signal" }

// mainClass is the class with which the start scripts of both products start Java (bin/wso2server.sh and bin/api-manager.sh, "org.wso2.carbon.bootstrap.Bootstrap").
const mainClass = "org.wso2.carbon.bootstrap.Bootstrap"

// pidFile is the file of the home to which Java writes its number at each start: up to 100 bytes, padded with NUL. It stays after a
// stop, so that the number alone may belong to any process.
const pidFile = "wso2carbon.pid"

// cmdlineLimit is the most that is read of a command line, in bytes. That of a server has some 4 KiB.
const cmdlineLimit = 1 << 20

// errNoServer says that no process of the server is to be seen.
var errNoServer = errors.New("no Java process of the server is to be seen")

// Usable returns nil if the process of the server is there.
func (s *Signal) Usable(ctx context.Context) (why string, err error) {
	p, err := s.find()
	if err != nil {
		return "", remedy.Add(err, "share the PID namespace of the server's container (Compose: pid: service:NAME, Kubernetes: shareProcessNamespace: true), and run the agent as the user of the server")
	}
	return fmt.Sprintf("process %d is the server in %s", p.PID, s.Home), nil
}

// Process returns the Java process of the server.
func (s *Signal) Process(context.Context) (Process, error) {
	p, err := s.find()
	if errors.Is(err, errNoServer) {
		return Process{}, nil
	}
	return p, err
}

func (s *Signal) proc() string {
	if s.Proc != "" {
		return s.Proc
	}
	return "/proc"
}

// find returns the process that has the command line of a server in this home, the number in wso2carbon.pid of that home, and the config
// volume of this agent. In a PID namespace of several projects each has a server with the same command line.
func (s *Signal) find() (found Process, err error) {
	entries, err := os.ReadDir(s.proc())
	if err != nil {
		return Process{}, err
	}
	var doubt error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		is, err := s.isServer(pid)
		if err != nil {
			doubt = err
		}
		if !is {
			continue
		}
		ticks, since, err := s.started(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		if found.PID != 0 {
			return Process{}, remedy.Add(fmt.Errorf("the processes %d and %d both are a server in %s with this config volume", found.PID, pid, s.Home), "give each server a config volume of its own")
		}
		found = Process{ID: fmt.Sprintf("%d %d", pid, ticks), PID: pid, Since: since}
	}
	switch {
	case found.PID != 0:
		return found, nil
	case doubt != nil:
		return Process{}, fmt.Errorf("%w: %w", errNoServer, doubt)
	}
	return Process{}, errNoServer
}

// isServer reports whether a process is the server. The error says why a process that has the right command line is not.
func (s *Signal) isServer(pid int) (bool, error) {
	dir := filepath.Join(s.proc(), strconv.Itoa(pid))
	line, err := file.Read(filepath.Join(dir, "cmdline"), cmdlineLimit)
	if err != nil {
		return false, nil // it has ended, or belongs to nobody here
	}
	var class, home bool
	for _, arg := range strings.Split(string(line), "\x00") {
		class = class || arg == mainClass
		value, is := strings.CutPrefix(arg, "-Dcarbon.home=")
		home = home || is && filepath.Clean(value) == filepath.Clean(s.Home)
	}
	if !class || !home {
		return false, nil
	}
	if err := s.check(filepath.Join(dir, "root"), pid); err != nil {
		return false, fmt.Errorf("process %d has the command line of the server, but %w", pid, err)
	}
	return true, nil
}

// check returns nil if below root, the root folder of a process, wso2carbon.pid of the home has its number, and the config volume is that
// of this agent. The server can put a link in the place of any file, and a link is resolved in the mounts of the agent: so none is
// followed out of root, and no error has the content.
func (s *Signal) check(root string, pid int) error {
	in, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("its files cannot be read: %w", err)
	}
	defer in.Close()
	data, err := file.ReadIn(in, below(filepath.Join(s.Home, pidFile)), 4096)
	if err != nil {
		return fmt.Errorf("its %s cannot be read: %w", pidFile, err)
	}
	if strings.Trim(string(data), "\x00 \n") != strconv.Itoa(pid) {
		return fmt.Errorf("%s of its home does not have its number", pidFile)
	}
	own, err := os.Stat(s.Volume)
	if err != nil {
		return err
	}
	if its, err := in.Stat(below(s.Volume)); err != nil || !os.SameFile(own, its) {
		return remedy.Add(fmt.Errorf("its %s is not the config volume of this agent: it may belong to another project", s.Volume), "mount the config volume in both containers at CONFIG_DIR")
	}
	return nil
}

// below returns an absolute path relative to the root folder.
func below(path string) string { return strings.TrimPrefix(filepath.Clean(path), "/") }

// ticksPerSecond is USER_HZ of Linux, the unit of times in proc (proc_pid_stat(5)). It is 100 on all platforms of Go.
const ticksPerSecond = 100

// started returns when a process has started: in ticks since the boot, and as a time.
func (s *Signal) started(pid int) (ticks int64, at time.Time, err error) {
	stat, err := file.Read(filepath.Join(s.proc(), strconv.Itoa(pid), "stat"), 4096)
	if err != nil {
		return 0, at, err
	}
	// The name of the program stands in brackets, and can itself have spaces and brackets. starttime is the 22nd field, and the third
	// follows the last bracket.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, at, fmt.Errorf("stat of process %d is cut off", pid)
	}
	if ticks, err = strconv.ParseInt(fields[19], 10, 64); err != nil {
		return 0, at, err
	}
	uptime, err := file.Read(filepath.Join(s.proc(), "uptime"), 4096)
	if err != nil {
		return 0, at, err
	}
	seconds, _, _ := strings.Cut(string(uptime), " ")
	up, err := strconv.ParseFloat(strings.TrimSpace(seconds), 64)
	if err != nil {
		return 0, at, err
	}
	age := time.Duration((up - float64(ticks)/ticksPerSecond) * float64(time.Second))
	return ticks, time.Now().Add(-age), nil
}

// Restart sends TERM, and KILL after StopTimeout, to a handle of the process (a pidfd, where the kernel has them). The number can belong to
// another process as soon as the server has ended. So Restart looks at the process once more when it has the handle, which stays that
// of the same process.
func (s *Signal) Restart(ctx context.Context, _ Order) error {
	p, err := s.find()
	if err != nil {
		return err
	}
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return fmt.Errorf("find process %d: %w", p.PID, err)
	}
	defer handle.Release()
	if s.ended(p) {
		return nil
	}
	if err := handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return remedy.Add(fmt.Errorf("stop process %d: %w", p.PID, err), "run the agent as the user of the server")
	}
	late := time.Now().Add(s.StopTimeout)
	for !s.ended(p) {
		if time.Now().After(late) {
			if err := handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("kill process %d: %w", p.PID, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// ended reports whether p is no longer the process of the server.
func (s *Signal) ended(p Process) bool {
	now, err := s.find()
	return err != nil || now.ID != p.ID
}
