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

// find returns the process that has both the command line of a server in this home and the number in wso2carbon.pid of that home.
func (s *Signal) find() (Process, error) {
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
		return Process{ID: fmt.Sprintf("%d %d", pid, ticks), PID: pid, Since: since}, nil
	}
	if doubt != nil {
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
	if err := s.hasNumber(filepath.Join(dir, "root"), pid); err != nil {
		return false, fmt.Errorf("process %d has the command line of the server, but %w", pid, err)
	}
	return true, nil
}

// hasNumber returns nil if wso2carbon.pid of the home below root, the root folder of a process, has its number. The server can put a link
// in the place of any file, and a link is resolved in the mounts of the agent: so none is followed out of root, and no error has the
// content.
func (s *Signal) hasNumber(root string, pid int) error {
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

// Restart sends TERM, and KILL after StopTimeout. It looks at the process before each signal, and sends none to a process that is not
// the one that it has found.
func (s *Signal) Restart(ctx context.Context, _ Order) error {
	p, err := s.find()
	if err != nil {
		return err
	}
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil {
		return remedy.Add(fmt.Errorf("stop process %d: %w", p.PID, err), "run the agent as the user of the server")
	}
	late := time.Now().Add(s.StopTimeout)
	for {
		now, err := s.find()
		if err != nil || now.ID != p.ID {
			return nil // it has ended
		}
		if time.Now().After(late) {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
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
}
