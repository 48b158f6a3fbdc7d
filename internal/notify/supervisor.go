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
	"wso2agent/internal/remedy"
)

// Supervisor runs a server's entrypoint as its child and restarts it when the sidecar requests another generation. It can be
// PID 1 of the server's container: it forwards signals and reaps every orphan.
type Supervisor struct {
	Command []string
	Control Control
	// StopTimeout is the time between TERM and KILL.
	StopTimeout time.Duration
	// Poll is the interval at which the supervisor reads the control folder if there are no file events. Zero is 10 seconds.
	Poll time.Duration
	// MaxRestarts in Window is the budget. A further restart waits until the window has passed, so that a sidecar with ever
	// new requests cannot keep the server down. Zero values are 5 in 10 minutes.
	MaxRestarts int
	Window      time.Duration
	// Serves returns an error until the server answers after it has read all its files. The supervisor calls it every second
	// until then. If Serves is nil, the sidecar assumes that the server serves as soon as its process runs.
	Serves func(context.Context) error
	// Database is host:port of the database that the server needs to start; empty if there is none. Every start waits until
	// it answers, at most DatabaseTimeout.
	Database        string
	DatabaseTimeout time.Duration
	// Port is host:port at which the server listens when it is up; empty if that is unknown. If the port is not open
	// StartTimeout after a start, the supervisor restarts the server, within the budget.
	Port         string
	StartTimeout time.Duration
	// WayBack restores files after a start that failed before the port was open; nil for none.
	WayBack WayBack
	// Elsewhere says that something else restarts the server (RESTART). The supervisor then only runs it: it passes on signals, and
	// reaps orphans.
	Elsewhere bool
	// AgentLock is the path of the lock that the agent holds while it changes the server's files (see file.LockPath).
	AgentLock string
	// Home places a new TLS keystore while the server runs; nil for none. It needs Serves.
	Home Home
	Log  *slog.Logger
	// Stdin, Stdout and Stderr are the server's.
	Stdin, Stdout, Stderr *os.File
}

// Run starts the server and returns when it has ended: by itself, after one of the signals, or because ctx ended. code is the
// exit code of the server, or 128 + the signal that ended it. err is not nil if the server cannot start.
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
	if s.Elsewhere {
		return s.runOnce(ctx, reaper, signals)
	}
	defer s.present(s.Control.enter)()
	watch := file.Watch{Folders: []string{s.Control.Dir}, Poll: s.Poll, Quiet: 50 * time.Millisecond, Log: s.Log}
	asked := watch.Changes(ctx)
	budget := budget{max: s.MaxRestarts, window: s.Window}
	for starts := 1; ; starts++ {
		if code, ended, err := s.awaitDatabase(ctx, signals); ended || err != nil {
			return code, err
		}
		s.announceStart(ctx)
		// Read before the start: a generation that arrives while the server reads its files then differs from this one. That
		// can cause one restart too many, but never one too few.
		if err := s.Control.dropReload(); err != nil { // first: the sidecar writes its wish before the request
			s.Log.Warn("cannot drop the sidecar's request from before this start", "error", err)
		}
		_, generation, err := s.Control.Wish()
		if err != nil {
			s.Log.Warn("cannot read the request of the sidecar", "error", err)
		}
		content := ""
		if s.WayBack != nil {
			content = s.WayBack.Starting(ctx)
		}
		started := Started{Generation: generation, Starts: starts}
		if s.Home != nil {
			started.Trusts, started.Certificate = s.Home.Starting(ctx)
		}
		child, err := s.start(reaper)
		if err != nil {
			return 0, err
		}
		started.PID, started.Since = child.pid, time.Now().UTC()
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

// runOnce runs the server until it has ended, and reports nothing to the sidecar.
func (s Supervisor) runOnce(ctx context.Context, r *reaper, signals <-chan os.Signal) (code int, err error) {
	if code, ended, err := s.awaitDatabase(ctx, signals); ended || err != nil {
		return code, err
	}
	defer s.present(s.Control.keep)() // also while no agent looks at the server
	c, err := s.start(r)
	if err != nil {
		return 0, err
	}
	s.Log.Info("server started; agent exec does not restart it, because RESTART names something else", "pid", c.pid)
	for sig := os.Signal(nil); ; {
		select {
		case <-c.ended:
			sig = syscall.SIGTERM // for the rest of its process group
		case <-ctx.Done():
			sig = syscall.SIGTERM
		case sig = <-signals:
		}
		if ends(sig) {
			code, _ = s.stop(c, sig.(syscall.Signal), signals)
			return code, nil
		}
		c.forward(sig)
	}
}

// present makes the server present (see Control.Present) by enter until leave is called. While the config volume is empty it tries again in
// the background.
func (s Supervisor) present(enter func() (leave func(), ok bool, err error)) (leave func()) {
	if leave, ok, err := enter(); err == nil && ok {
		return leave
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, s.Poll) { // Control.Present takes the lock for a moment, too
			select {
			case <-end:
				return
			case <-time.After(wait):
			}
			if leave, ok, err := enter(); err == nil && ok {
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

// settle is how long awaitAgent waits for a pass of the agent. A pass takes less.
const settle = 5 * time.Second

// announceStart reports to the agent that the server starts, and waits until a pass that the agent has begun before is over. The
// agent keeps what a starting server is to trust in the truststore. So what agent exec notes now is still there when the server
// reads it.
func (s Supervisor) announceStart(ctx context.Context) {
	if s.Serves == nil {
		return
	}
	before, ok, err := s.Control.Started()
	if !ok || err != nil {
		return // no agent has read of a start
	}
	before.Serves, before.Since = ServesNot, time.Now().UTC()
	if err := s.Control.report(before); err != nil {
		s.Log.Warn("cannot report that the server starts", "error", err)
		return
	}
	awaitAgent(ctx, s.AgentLock, s.Log)
}

// awaitAgent waits until no agent works on the server's files, at most for settle.
func awaitAgent(ctx context.Context, lock string, log *slog.Logger) {
	for late := time.Now().Add(settle); time.Now().Before(late); {
		if works, err := file.Locked(lock); err != nil || !works {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	log.Warn("starting the server although the agent next to it is still working", "after", settle.String(),
		"remedy", "if the agent's log reports that a peer uses a certificate this server refuses, restart this server")
}

// start runs the command in a process group of its own. The products' start scripts run Java without exec, so a signal to the
// first process alone does not reach the server.
func (s Supervisor) start(r *reaper) (*child, error) {
	cmd := exec.Command(s.Command[0], s.Command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := r.start(cmd)
	if err != nil {
		return nil, remedy.Add(fmt.Errorf("start the server: %w", err), "give the server's own entrypoint after agent exec --")
	}
	return c, nil
}

// attend handles all events of a running server until it has ended. restart is true if the supervisor must start it again.
// content is what the start read, see WayBack.Starting.
func (s Supervisor) attend(ctx context.Context, c *child, started Started, content string, asked <-chan struct{}, signals <-chan os.Signal, b *budget) (restart bool, code int) {
	failed := s.report(started, nil)
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	port, serves := s.watchPort(ctx, content), s.awaitServing(ctx)
	recorded := true
	again := time.NewTicker(s.Poll) // for reports that failed, and for the keystore that the server loads
	defer again.Stop()
	var held <-chan time.Time
	for {
		select {
		case <-serves:
			s.Log.Info("the server serves", "generation", started.Generation, "after", time.Since(started.Since).Round(time.Millisecond).String())
			serves, started.Serves = nil, ServesNow
			started.Reloads = s.Home != nil && s.Home.Reloads(ctx)
			failed = s.report(started, failed)
			continue
		case <-c.ended:
			s.Log.Info("the server exited by itself", "exit code", c.exitCode())
			code, ended := s.stop(c, syscall.SIGTERM, signals) // the rest of its process group
			return !ended && port.pending() && s.goBack(ctx, port) && b.take(time.Now()) == 0, code
		case <-port.opened:
			s.Log.Info("the server opened its port", "port", s.Port, "after", time.Since(port.begin).Round(time.Second).String())
			port.seen()
			recorded = s.recordServed(ctx, port)
			continue
		case <-port.late:
			if wait := s.restartIn(b); wait > 0 {
				port.late = time.After(wait)
				continue
			}
			s.Log.Error("restarting the server, because it did not open its port in time", "port", s.Port, "after", time.Since(port.begin).Round(time.Second).String(),
				"remedy", "read the server's own log; raise START_TIMEOUT if the server needs more time; set IS_PORT or AM_PORT if its deployment.toml has another port")
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
			if failed != nil || len(started.Loading) > 0 { // somebody may have restored the volume with an earlier report
				failed = s.report(started, failed)
			}
			if !recorded {
				recorded = s.recordServed(ctx, port)
			}
			if started.Reloads {
				s.Home.Repair(ctx)
			}
			continue
		case <-asked:
		case <-held:
		}
		failed = s.answerReload(ctx, &started, failed) // first: a wish for the generation that the server has loaded is not due
		before := started.Trouble
		if !s.due(&started, b, &held) {
			if started.Trouble != before {
				failed = s.report(started, failed)
			}
			continue
		}
		var still bool
		if still, failed = s.reportStopping(started, failed); !still {
			continue
		}
		code, ended := s.stop(c, syscall.SIGTERM, signals)
		return !ended, code
	}
}

// reportStopping reports to the sidecar that the server stops, and then reads the request once more. still is false if the
// sidecar no longer requests the restart. So a sidecar that withdraws its request, and then reads that the server serves,
// knows that this restart does not happen.
func (s Supervisor) reportStopping(started Started, before error) (still bool, failed error) {
	if started.Serves == ServesNotSaid {
		return true, before
	}
	stopping := started
	stopping.Serves = ServesNot
	failed = s.report(stopping, before)
	if _, still = s.wants(started); !still {
		failed = s.report(started, failed)
	}
	return still, failed
}

// awaitServing returns a channel that it closes within a second after the server serves.
func (s Supervisor) awaitServing(ctx context.Context) <-chan struct{} {
	if s.Serves == nil {
		return nil
	}
	serves := make(chan struct{})
	late := time.Now().Add(s.StartTimeout)
	go func() {
		for wait, logged := 50*time.Millisecond, false; ; wait = min(2*wait, time.Second) {
			err := s.Serves(ctx)
			if err == nil {
				break
			}
			if !logged && ctx.Err() == nil && time.Now().After(late) {
				logged = true
				s.Log.Warn("the server does not serve yet; the sidecar waits for it, and the peers wait for the sidecar", "after", s.StartTimeout.String(), "error", err,
					"remedy", "read the server's own log; agent probe --server in this container makes the same check")
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

// wants returns the generation that the sidecar requests, and reports whether the server must restart for it.
func (s Supervisor) wants(started Started) (wanted string, due bool) {
	wanted, due, err := s.Control.due(started)
	if err != nil {
		s.Log.Warn("cannot read the request of the sidecar", "error", err)
	}
	return wanted, due
}

// due reports whether the server must restart now. If the budget is used up, it sets held to fire when the restart may happen, and notes
// that in started.
func (s Supervisor) due(started *Started, b *budget, held *<-chan time.Time) bool {
	wanted, due := s.wants(*started)
	if !due {
		started.Trouble = ""
		return false
	}
	if wait := s.restartIn(b); wait > 0 {
		*held = time.After(wait)
		if started.Trouble == "" { // else the same restart waits
			started.Trouble = b.usedUp(time.Now().Add(wait)).Error()
		}
		return false
	}
	s.Log.Info("restarting the server for a newer generation", "generation", wanted, "was", started.Generation)
	return true
}

// restartIn takes one restart from the budget and returns zero. If the budget is used up, it returns the time until the next
// restart may happen, and logs that.
func (s Supervisor) restartIn(b *budget) (wait time.Duration) {
	wait = b.take(time.Now())
	if wait > 0 {
		s.Log.Warn("restart held: the server restarted too often", "restarts", b.max, "in", b.window.String(), "next in", wait.Round(time.Second).String())
	}
	return wait
}

// report reports the start to the sidecar. The caller tries again, because the volume may be empty at first. It logs an error
// only if it differs from the one before.
func (s Supervisor) report(started Started, before error) error {
	err := s.Control.report(started)
	if err != nil && (before == nil || before.Error() != err.Error()) {
		s.Log.Warn("cannot report this start to the sidecar, trying again", "error", err)
	}
	return err
}

// ends reports whether a signal asks the server, and so the supervisor, to stop.
func ends(sig os.Signal) bool { return sig == syscall.SIGTERM || sig == syscall.SIGINT }

// stop sends sig to the server's whole process group, and KILL after StopTimeout. It returns when no process of the group is
// left. Meanwhile it forwards signals to the group. ended is true if one of them asks the supervisor to stop, so that a
// restart does not start the server again. code is the exit code of the group's first process.
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
			// A zombie whose parent is not in the group, or a process that hangs in the kernel. Neither holds a port.
			s.Log.Error("processes of the server remain after KILL, continuing without them", "process group", c.pid, "after", killPatience.String())
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

// killPatience is the time that a process may take to end after KILL.
const killPatience = 5 * time.Second
