package notify

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"wso2agent/internal/file"
)

// Supervisor runs a server's entrypoint as its child and restarts it when its sidecar asks for another generation. It
// is meant to be PID 1 of the server's container: it hands on signals, and reaps every orphan.
type Supervisor struct {
	Command []string
	Control Control
	// StopTimeout is how long a stopping server may take between TERM and KILL.
	StopTimeout time.Duration
	// Poll is how often the control folder is looked at where it sends no events.
	Poll time.Duration
	// MaxRestarts in Window is the budget: a further restart waits until the window has passed, so that a sidecar that
	// changes its mind all the time cannot keep the server down. Zero values are 5 in 10 minutes.
	MaxRestarts int
	Window      time.Duration
	// Serves returns an error until the server answers with all that it has read at its start. It is called every second
	// until then. Nil, and the sidecar takes the server to serve as soon as its process runs.
	Serves func(context.Context) error
	// Database is host:port of the database without which the server cannot start; empty where there is none. Every start
	// waits until it answers, for DatabaseTimeout at most.
	Database        string
	DatabaseTimeout time.Duration
	// Port is host:port at which the server listens when it is up; empty where nobody knows. A server that has not opened it
	// StartTimeout after its start is restarted, within the budget.
	Port         string
	StartTimeout time.Duration
	// WayBack is taken after a start that failed before the server has opened its port; nil for none.
	WayBack WayBack
	Log     *slog.Logger
	// Stdin, Stdout and Stderr are the server's.
	Stdin, Stdout, Stderr *os.File
}

// Run starts the server and stays until it has ended: by itself, by one of the signals, or because ctx ended. code is
// the server's own exit code, or 128 + the signal that ended it. A server that cannot be started is an error.
func (s Supervisor) Run(ctx context.Context, signals <-chan os.Signal) (code int, err error) {
	if s.MaxRestarts <= 0 {
		s.MaxRestarts = 5
	}
	if s.Window <= 0 {
		s.Window = 10 * time.Minute
	}
	if s.Poll <= 0 {
		s.Poll = 10 * time.Second
	}
	reaper, err := newReaper()
	if err != nil {
		return 0, err
	}
	defer reaper.stop()
	defer s.present()()
	watch := file.Watch{Folders: []string{s.Control.Dir}, Poll: s.Poll, Quiet: 50 * time.Millisecond, Log: s.Log}
	asked := watch.Changes(ctx)
	budget := budget{max: s.MaxRestarts, window: s.Window}
	for starts := 1; ; starts++ {
		if code, ended, err := s.awaitDatabase(ctx, signals); ended || err != nil {
			return code, err
		}
		// Read before the start: a generation that arrives while the server reads its files is newer than what is noted
		// here, and so makes one restart too many and never one too few.
		_, generation, err := s.Control.wanted()
		if err != nil {
			s.Log.Warn("what the sidecar wants cannot be read", "error", err)
		}
		content := ""
		if s.WayBack != nil {
			content = s.WayBack.Starting(ctx)
		}
		child, err := s.start(reaper)
		if err != nil {
			return 0, err
		}
		started := Started{Generation: generation, PID: child.pid, Since: time.Now().UTC(), Starts: starts}
		if s.Serves != nil {
			started.Serves = ServesNot
		}
		s.Log.Info("server started", "pid", child.pid, "generation", generation, "start", starts)
		restart, code := s.attend(ctx, child, started, content, asked, signals, &budget)
		if !restart {
			return code, nil
		}
	}
}

// present tells everybody who looks that this supervisor is here, from when the volume can have that, which may be filled
// later, until leave is called.
func (s Supervisor) present() (leave func()) {
	if leave, ok, err := s.Control.enter(); err == nil && ok {
		return leave
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, s.Poll) { // somebody may just have looked
			select {
			case <-end:
				return
			case <-time.After(wait):
			}
			if leave, ok, err := s.Control.enter(); err == nil && ok {
				<-end
				leave()
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
	}
}

// start runs the command in a process group of its own. The products' start scripts run Java without exec, so that a
// signal to the first process alone does not reach the server.
func (s Supervisor) start(r *reaper) (*child, error) {
	cmd := exec.Command(s.Command[0], s.Command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := r.start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start the server: %w; agent exec is followed by -- and the server's own entrypoint", err)
	}
	return c, nil
}

// attend stays with a running server until it has ended. restart is true when that was to start it again. content is what
// the start has read, by the way back.
func (s Supervisor) attend(ctx context.Context, c *child, started Started, content string, asked <-chan struct{}, signals <-chan os.Signal, b *budget) (restart bool, code int) {
	told := s.tell(started, nil)
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	port, serves := s.watchPort(ctx, content), s.awaitServing(ctx)
	noted := true
	again := time.NewTicker(s.Poll) // for what could not be told or read at once
	defer again.Stop()
	var held <-chan time.Time
	for {
		select {
		case <-serves:
			s.Log.Info("the server serves", "generation", started.Generation, "after", time.Since(started.Since).Round(time.Millisecond).String())
			serves, started.Serves = nil, ServesNow
			told = s.tell(started, told)
			continue
		case <-c.ended:
			s.Log.Info("server ended by itself", "exit code", c.exitCode())
			code, ended := s.stop(c, syscall.SIGTERM, signals) // what it may have left behind of its group
			return !ended && port.pending() && s.goBack(ctx, port) && b.take(time.Now()) == 0, code
		case <-port.opened:
			s.Log.Info("server has opened its port", "port", s.Port, "after", time.Since(port.begin).Round(time.Second).String())
			port.seen()
			noted = s.noteServed(ctx, port)
			continue
		case <-port.late:
			if wait := s.restartIn(b); wait > 0 {
				port.late = time.After(wait)
				continue
			}
			s.Log.Error("restarting the server, because it has not opened its port in time", "port", s.Port, "after", time.Since(port.begin).Round(time.Second).String(),
				"remedy", "read the server's own log; raise START_TIMEOUT if it only needs longer; set IS_PORT or AM_PORT if its deployment.toml has another port")
			code, ended := s.stop(c, syscall.SIGTERM, signals)
			if !ended {
				s.goBack(ctx, port)
			}
			return !ended, code
		case <-ctx.Done():
			code, _ := s.stop(c, syscall.SIGTERM, signals)
			return false, code
		case sig := <-signals:
			if ends(sig) {
				s.Log.Info("stopping the server", "signal", sig.String())
				code, _ := s.stop(c, sig.(syscall.Signal), signals)
				return false, code
			}
			c.forward(sig)
			continue
		case <-again.C:
			if told != nil {
				told = s.tell(started, told)
			}
			if !noted {
				noted = s.noteServed(ctx, port)
			}
			continue
		case <-asked:
		case <-held:
		}
		if !s.due(started, b, &held) {
			continue
		}
		var still bool
		if still, told = s.sayStopping(started, told); !still {
			continue
		}
		code, ended := s.stop(c, syscall.SIGTERM, signals)
		return !ended, code
	}
}

// sayStopping tells the sidecar that the server stops, and looks once more whether that is still wanted. So a sidecar that
// takes its wish back, and then reads that the server serves, knows that this restart does not come.
func (s Supervisor) sayStopping(started Started, before error) (still bool, told error) {
	if started.Serves == ServesNotSaid {
		return true, before
	}
	stopping := started
	stopping.Serves = ServesNot
	told = s.tell(stopping, before)
	if _, still = s.wants(started); !still {
		told = s.tell(started, told)
	}
	return still, told
}

// awaitServing closes the channel that it returns as soon as the server serves, at the latest a second later.
func (s Supervisor) awaitServing(ctx context.Context) <-chan struct{} {
	if s.Serves == nil {
		return nil
	}
	serves := make(chan struct{})
	late := time.Now().Add(s.StartTimeout)
	go func() {
		for wait, told := 50*time.Millisecond, false; ; wait = min(2*wait, time.Second) {
			err := s.Serves(ctx)
			if err == nil {
				break
			}
			if !told && ctx.Err() == nil && time.Now().After(late) {
				told = true
				s.Log.Warn("the server does not serve yet: its sidecar waits for that, and peers wait for the sidecar", "after", s.StartTimeout.String(), "error", err,
					"remedy", "look into the server's own log; agent probe --server in this container asks the same")
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		if ctx.Err() == nil {
			close(serves)
		}
	}()
	return serves
}

// wants returns the generation that the sidecar wants; due says that the server is to be restarted for it.
func (s Supervisor) wants(started Started) (wanted string, due bool) {
	wanted, due, err := s.Control.due(started)
	if err != nil {
		s.Log.Warn("what the sidecar wants cannot be read", "error", err)
	}
	return wanted, due
}

// due tells whether the server is to be restarted now. One that is due and beyond the budget makes held fire later.
func (s Supervisor) due(started Started, b *budget, held *<-chan time.Time) bool {
	wanted, due := s.wants(started)
	if !due {
		return false
	}
	if wait := s.restartIn(b); wait > 0 {
		*held = time.After(wait)
		return false
	}
	s.Log.Info("restarting the server for a newer generation", "generation", wanted, "was", started.Generation)
	return true
}

// restartIn takes a restart from the budget and returns zero, or returns how long to wait for the next.
func (s Supervisor) restartIn(b *budget) (wait time.Duration) {
	wait = b.take(time.Now())
	if wait > 0 {
		s.Log.Warn("restart held: the server was restarted too often", "restarts", b.max, "in", b.window.String(), "next in", wait.Round(time.Second).String())
	}
	return wait
}

// tell tells the sidecar what was started. It is tried again from time to time, since the volume may be filled later;
// only a new reason for failing is logged.
func (s Supervisor) tell(started Started, before error) error {
	err := s.Control.tell(started)
	if err != nil && (before == nil || before.Error() != err.Error()) {
		s.Log.Warn("the sidecar cannot know of this start", "error", err)
	}
	return err
}

// ends tells whether a signal asks the server, and so the supervisor, to end.
func ends(sig os.Signal) bool { return sig == syscall.SIGTERM || sig == syscall.SIGINT }

// stop ends the server's whole process group: the signal, then KILL after StopTimeout, and waits until no process of it
// is left. Signals that come meanwhile are handed on; ended is true if one of them asks for the end, so that a restart
// that was under way does not start the server again. code is the exit code of the group's first process.
func (s Supervisor) stop(c *child, sig syscall.Signal, signals <-chan os.Signal) (code int, ended bool) {
	c.signal(sig)
	deadline := time.NewTimer(s.StopTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var killed <-chan time.Time
	for c.groupAlive() {
		select {
		case <-killed:
			// A zombie whose parent has left the group, or a process that hangs in the kernel: neither holds a port.
			s.Log.Error("processes of the server are left after KILL, going on without them", "process group", c.pid, "after", killPatience.String())
			return c.lastCode(), ended
		case <-deadline.C:
			s.Log.Warn("the server did not stop in time, killing it", "after", s.StopTimeout.String(), "remedy", "raise STOP_TIMEOUT")
			c.signal(syscall.SIGKILL)
			killed = time.After(killPatience)
		case more := <-signals:
			c.forward(more)
			ended = ended || ends(more)
		case <-tick.C:
		}
	}
	return c.exitCode(), ended
}

// killPatience is how long a process may take to end after KILL.
const killPatience = 5 * time.Second

// budget limits restarts to max in any window.
type budget struct {
	max    int
	window time.Duration
	taken  []time.Time
}

// take takes one restart from the budget and returns zero, or returns how long to wait for the next.
func (b *budget) take(now time.Time) (wait time.Duration) {
	for len(b.taken) > 0 && now.Sub(b.taken[0]) >= b.window {
		b.taken = b.taken[1:]
	}
	if len(b.taken) >= b.max {
		return b.window - now.Sub(b.taken[0])
	}
	b.taken = append(b.taken, now)
	return 0
}
