package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/testenv"
)

// TestMain runs the test binary as the supervisor. The supervisor reaps every child of its process, so it needs a process of
// its own.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SUPERVISE_IN"); dir != "" {
		os.Exit(supervise(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func supervise(dir string, command []string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	s := Supervisor{
		Command: command, Control: Control{Dir: dir}, StopTimeout: time.Second, Poll: 20 * time.Millisecond,
		MaxRestarts: maxRestarts(), Window: time.Hour, Elsewhere: os.Getenv("TEST_ELSEWHERE") != "",
		Database: os.Getenv("TEST_DATABASE"), DatabaseTimeout: time.Minute,
		Port: os.Getenv("TEST_PORT"), StartTimeout: time.Minute, WayBack: recorded{filepath.Dir(dir)}, Home: recordedHome{filepath.Dir(dir)},
		AgentLock: filepath.Join(filepath.Dir(dir), "lock"),
		Serves:    func(context.Context) error { _, err := os.Stat(filepath.Join(filepath.Dir(dir), "serves")); return err },
		Log:       slog.New(slog.NewTextHandler(os.Stderr, nil)), Stdout: os.Stdout, Stderr: os.Stderr,
	}
	for name, value := range map[string]*time.Duration{"TEST_DATABASE_TIMEOUT": &s.DatabaseTimeout, "TEST_START_TIMEOUT": &s.StartTimeout, "TEST_STOP_TIMEOUT": &s.StopTimeout} {
		if d, err := time.ParseDuration(os.Getenv(name)); err == nil {
			*value = d
		}
	}
	code, err := s.Run(context.Background(), signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	return code
}

// maxRestarts is the budget of the supervisor.
func maxRestarts() int {
	if n, err := strconv.Atoi(os.Getenv("TEST_MAX_RESTARTS")); err == nil {
		return n
	}
	return 2
}

// supervised is a supervisor that runs in a process of its own.
type supervised struct {
	*exec.Cmd
	control Control
	volume  string
	log     *testenv.Buffer
}

// start runs a shell script under a supervisor, on a config volume with one file and what before puts there.
func start(t *testing.T, script string, before ...func(Control)) *supervised {
	t.Helper()
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &supervised{volume: volume, control: Control{Dir: filepath.Join(volume, ".agent")}, log: &testenv.Buffer{}}
	for _, do := range before {
		do(s.control)
	}
	s.Cmd = exec.Command(os.Args[0], "/bin/sh", "-c", script)
	s.Env = append(os.Environ(), "SUPERVISE_IN="+s.control.Dir, "VOLUME="+volume)
	s.Stdout, s.Stderr = s.log, s.log
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end() })
	return s
}

// end stops the supervisor and with it the server. A killed supervisor would leave the server running.
func (s *supervised) end() {
	s.WaitDelay = 5 * time.Second
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
}

// until waits until a condition of another process holds. It fails with the supervisor's log.
func (s *supervised) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s\n%s", what, s.log)
		}
	}
}

func (s *supervised) starts(t *testing.T, n int) Started {
	t.Helper()
	var st Started
	s.until(t, fmt.Sprintf("start %d", n), func() bool {
		var ok bool
		st, ok, _ = s.control.Started()
		return ok && st.Starts == n
	})
	return st
}

func (s *supervised) file(name string) string { return filepath.Join(s.volume, name) }

func (s *supervised) has(name string) bool { _, err := os.Stat(s.file(name)); return err == nil }

// runs returns how often the server has written that it runs. It does so a moment after its process has started.
func (s *supervised) runs() int {
	runs, _ := os.ReadFile(s.file("runs"))
	return strings.Count(string(runs), "run")
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestAServerIsRestartedOnceForANewerGenerationAndNotForTheSame(t *testing.T) {
	s := start(t, `echo run >> $VOLUME/runs; exec sleep 1000`)
	ran := func(n int) {
		s.until(t, fmt.Sprintf("the server has run %d times", n), func() bool { return s.runs() == n })
	}
	first := s.starts(t, 1)
	ran(1)
	if first.Generation != "" {
		t.Errorf("generation at first start = %q", first.Generation)
	}
	if _, err := s.control.Want("g1"); err != nil {
		t.Fatal(err)
	}
	second := s.starts(t, 2)
	ran(2)
	if second.Generation != "g1" || second.PID == first.PID || alive(first.PID) {
		t.Errorf("after the restart: %+v, old process alive: %v", second, alive(first.PID))
	}
	if changed, err := s.control.Want("g1"); changed || err != nil {
		t.Errorf("wanting the same again: %v, %v", changed, err)
	}
	if _, err := s.control.Want("g2"); err != nil {
		t.Fatal(err)
	}
	s.starts(t, 3)
	ran(3)
}

func TestAGenerationThatIsThereBeforeTheStartMakesNoRestart(t *testing.T) {
	s := start(t, `exec sleep 1000`, func(c Control) { c.Want("g1") })
	if st := s.starts(t, 1); st.Generation != "g1" {
		t.Errorf("generation = %q", st.Generation)
	}
	s.end()
	if strings.Contains(s.log.String(), "restarting") {
		t.Errorf("restarted:\n%s", s.log)
	}
}

func TestStoppingReachesTheWholeProcessGroupAndWaitsForIt(t *testing.T) {
	// Like the products, the start script runs the server without exec. TERM ends the script at once, but the server takes a
	// moment. The next start must wait until the server has exited.
	s := start(t, `echo run >> $VOLUME/runs
		sh -c 'echo $$ > $VOLUME/server.pid; trap "sleep 0.3; touch $VOLUME/stopped; exit 0" TERM; touch $VOLUME/ready; while :; do sleep 0.05; done'
		true`)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	s.control.Want("g1")
	s.starts(t, 2)
	if !s.has("stopped") {
		t.Errorf("the next start came before the server had stopped gracefully\n%s", s.log)
	}
}

func TestAServerThatIgnoresTheTermIsKilled(t *testing.T) {
	s := start(t, `trap "" TERM; touch $VOLUME/ready; while :; do sleep 0.05; done`)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	old := s.starts(t, 1)
	s.control.Want("g1")
	s.starts(t, 2)
	if alive(old.PID) || !strings.Contains(s.log.String(), "killing it") {
		t.Errorf("old process alive: %v\n%s", alive(old.PID), s.log)
	}
}

func TestSignalsAreForwardedAsPID1Should(t *testing.T) {
	s := start(t, `trap "touch $VOLUME/hup" HUP; trap "touch $VOLUME/term; exit 7" TERM; touch $VOLUME/ready; while :; do sleep 0.02; done`)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	s.Process.Signal(syscall.SIGHUP)
	s.until(t, "HUP reached the server", func() bool { return s.has("hup") })
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
	if !s.has("term") || s.ProcessState.ExitCode() != 7 {
		t.Errorf("TERM reached the server: %v; exit code %d, want the server's 7\n%s", s.has("term"), s.ProcessState.ExitCode(), s.log)
	}
}

func TestATermDuringARestartEndsTheServerAndStartsNoOther(t *testing.T) {
	t.Setenv("TEST_STOP_TIMEOUT", "30s") // the machine may be busy
	s := start(t, `echo run >> $VOLUME/runs
		trap "touch $VOLUME/stopping; sleep 0.1; exit 9" TERM; trap "touch $VOLUME/hup" HUP; touch $VOLUME/ready; while :; do sleep 0.02; done`)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	s.control.Want("g1")
	s.until(t, "the server is stopping for a restart", func() bool { return s.has("stopping") })
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
	if runs, _ := os.ReadFile(s.file("runs")); strings.Count(string(runs), "run") != 1 || s.ProcessState.ExitCode() != 9 {
		t.Errorf("the server ran %d times, exit code %d\n%s", strings.Count(string(runs), "run"), s.ProcessState.ExitCode(), s.log)
	}
}

func TestAnInterruptReachesTheServerAsOne(t *testing.T) {
	s := start(t, `trap "exit 5" INT; trap "exit 6" TERM; touch $VOLUME/ready; while :; do sleep 0.02; done`)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	s.Process.Signal(syscall.SIGINT)
	s.Wait()
	if s.ProcessState.ExitCode() != 5 {
		t.Errorf("exit code %d\n%s", s.ProcessState.ExitCode(), s.log)
	}
}

func TestAStartThatCannotBeReportedIsReportedLater(t *testing.T) {
	s := start(t, `exec sleep 1000`, func(c Control) { os.Remove(filepath.Join(filepath.Dir(c.Dir), "seeded")) })
	s.until(t, "the empty volume is named", func() bool { return strings.Contains(s.log.String(), "is empty") })
	if err := os.WriteFile(s.file("seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.starts(t, 1)
}

// The entrypoint has the shape of docker-apim's for API-M 4.7 and docker-is's for later builds of IS: it traps TERM, has the server stop,
// and exits with 0. The server itself gets the signal too, because the supervisor sends it to the whole group.
func TestAnEntrypointThatStopsTheServerAtTERMAndExitsWith0(t *testing.T) {
	const entrypoint = `server() { trap 'echo stopped >> $VOLUME/stops; exit 143' TERM; echo run >> $VOLUME/runs; while :; do sleep 0.02; done; }
		stop() { trap - TERM; touch $VOLUME/asked; kill -0 $pid 2>/dev/null && wait $pid; exit 0; }
		trap stop TERM; server & pid=$!; wait $pid`
	s := start(t, entrypoint)
	s.until(t, "the server runs", func() bool { return s.runs() == 1 })
	if _, err := s.control.Want("g1"); err != nil {
		t.Fatal(err)
	}
	s.until(t, "a request restarts it, although it has exited with 0", func() bool { return s.runs() == 2 })
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
	stops, _ := os.ReadFile(s.file("stops"))
	if code := s.ProcessState.ExitCode(); code != 0 || s.runs() != 2 || strings.Count(string(stops), "stopped") != 2 || !s.has("asked") {
		t.Errorf("exit code %d, %d runs, stops %q: want 0, 2 and two: TERM is a stop and no crash\n%s", code, s.runs(), stops, s.log)
	}
}

func TestTheExitCodeIsTheServersOwn(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 137} {
		s := start(t, script)
		s.Wait()
		if got := s.ProcessState.ExitCode(); got != want {
			t.Errorf("%q: exit code %d, want %d\n%s", script, got, want, s.log)
		}
	}
}

func TestOrphansAreReaped(t *testing.T) {
	s := start(t, `(sh -c 'echo $$ > $VOLUME/orphan; sleep 0.1' &) ; exec sleep 1000`)
	var pid int
	s.until(t, "the orphan has written its pid", func() bool {
		data, _ := os.ReadFile(s.file("orphan"))
		n, _ := fmt.Sscan(string(data), &pid)
		return n == 1
	})
	s.until(t, "the orphan is gone, and no zombie", func() bool { return !alive(pid) })
}

// TestWhereSomethingElseRestartsTheServerAgentExecOnlyRunsIt keeps two from restarting one server.
func TestWhereSomethingElseRestartsTheServerAgentExecOnlyRunsIt(t *testing.T) {
	t.Setenv("TEST_STOP_TIMEOUT", "30s") // the machine may be busy
	t.Setenv("TEST_ELSEWHERE", "true")
	s := start(t, `trap "touch $VOLUME/hup" HUP; trap "touch $VOLUME/term; exit 7" TERM; (setsid true &); touch $VOLUME/ready; while :; do sleep 0.02; done`,
		func(c Control) { c.Want("g1") })
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	// An init next to it must not take the server for one that is down.
	s.until(t, "the server is present", func() bool { present, err := s.control.Present(); return present && err == nil })
	if supervised, err := s.control.supervised(); supervised || err != nil {
		t.Errorf("a supervisor restarts the server: %v, %v", supervised, err)
	}
	s.Process.Signal(syscall.SIGHUP)
	s.until(t, "HUP reached the server", func() bool { return s.has("hup") })
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
	if _, known, _ := s.control.Started(); known || !s.has("term") || s.ProcessState.ExitCode() != 7 {
		t.Errorf("a start is reported: %v; TERM reached the server: %v; exit code %d\n%s", known, s.has("term"), s.ProcessState.ExitCode(), s.log)
	}
}

func TestAServerThatIsOnlyRunAndExitsByItselfEndsTheSupervisor(t *testing.T) {
	t.Setenv("TEST_ELSEWHERE", "true")
	s := start(t, `sleep 1000 & echo $! > $VOLUME/left; exit 3`)
	s.Wait()
	left, err := os.ReadFile(s.file("left"))
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(left))); err != nil || alive(pid) || s.ProcessState.ExitCode() != 3 {
		t.Errorf("the rest of its process group is alive: %v, %v; exit code %d\n%s", alive(pid), err, s.ProcessState.ExitCode(), s.log)
	}
}

// TestManyRestartsLeaveNothingBehind restarts a server that leaves a child in its group, and an orphan of its own session, at each
// start. RESTARTS is how often; 200 take half a minute.
func TestManyRestartsLeaveNothingBehind(t *testing.T) {
	t.Setenv("TEST_MAX_RESTARTS", "1000000")
	restarts := 40
	if n, err := strconv.Atoi(os.Getenv("RESTARTS")); err == nil {
		restarts = n
	}
	s := start(t, `sleep 1000 & echo $! >> $VOLUME/pids; echo $$ >> $VOLUME/pids; (setsid true &); touch $VOLUME/ready-$$; trap 'exit 0' TERM; while :; do sleep 0.02; done`)
	// held is what the supervisor has open, and its children. Those that end now are not among them for long.
	held := func() (descriptors, children int) {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.Process.Pid))
		if err != nil || len(tasks) == 0 {
			t.Fatal("no list of children: ", err)
		}
		for _, path := range tasks {
			list, _ := os.ReadFile(path) // a thread may have ended
			children += len(strings.Fields(string(list)))
		}
		return len(open), children
	}
	run := func(n int) {
		if _, err := s.control.Want(fmt.Sprint("g", n)); err != nil {
			t.Fatal(err)
		}
		started := s.starts(t, n+1)
		s.until(t, "the server runs", func() bool { return s.has(fmt.Sprint("ready-", started.PID)) })
	}
	s.starts(t, 1)
	const warm = 3 // restarts after which nothing more is opened once
	for n := 1; n <= warm; n++ {
		run(n)
	}
	var before int
	s.until(t, "one child", func() (one bool) { open, children := held(); before = open; return children == 1 })
	for n := warm + 1; n <= restarts; n++ {
		run(n)
	}
	var after int
	s.until(t, "one child", func() (one bool) { open, children := held(); after = open; return children == 1 && open <= before })
	t.Logf("%d restarts: %d descriptors before, %d after", restarts, before, after)
	pids, err := os.ReadFile(s.file("pids"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(pids))
	if len(lines) != 2*(restarts+1) {
		t.Fatalf("%d processes in %d starts", len(lines), restarts+1)
	}
	for _, line := range lines[:len(lines)-2] {
		if pid, err := strconv.Atoi(line); err != nil || alive(pid) {
			t.Errorf("process %s of an earlier start is left", line)
		}
	}
}

func TestWhatAServerLeavesOfItsGroupEndsWithIt(t *testing.T) {
	s := start(t, `sleep 1000 & echo $! > $VOLUME/left; exit 5`)
	s.Wait()
	var pid int
	data, _ := os.ReadFile(s.file("left"))
	if n, _ := fmt.Sscan(string(data), &pid); n != 1 || alive(pid) || s.ProcessState.ExitCode() != 5 {
		t.Errorf("left behind: pid %d alive %v; exit code %d\n%s", pid, alive(pid), s.ProcessState.ExitCode(), s.log)
	}
}

func TestRestartsBeyondTheBudgetAreHeld(t *testing.T) {
	s := start(t, `exec sleep 1000`)
	s.starts(t, 1)
	for i, g := range []string{"g1", "g2"} {
		s.control.Want(g)
		s.starts(t, i+2)
	}
	s.control.Want("g3")
	s.until(t, "the third restart is held", func() bool { return strings.Contains(s.log.String(), "restart held") })
	trouble := func() string { st, _, _ := s.control.Started(); return st.Trouble }
	s.until(t, "the sidecar learns why", func() bool {
		return strings.Contains(trouble(), "2 times within 1h0m0s (MAX_RESTARTS, RESTART_WINDOW)")
	})
	if st, _, _ := s.control.Started(); st.Starts != 3 {
		t.Errorf("starts = %d", st.Starts)
	}
	s.control.Want("g2")
	s.until(t, "no restart is due any more", func() bool { return trouble() == "" })
}

func TestTheBudgetFreesARestartWhenItsWindowHasPassed(t *testing.T) {
	b := budget{max: 2, window: time.Minute}
	t0 := time.Now()
	steps := []struct {
		at, wait time.Duration
	}{{0, 0}, {10 * time.Second, 0}, {20 * time.Second, 40 * time.Second}, {60 * time.Second, 0}, {61 * time.Second, 9 * time.Second}}
	for _, step := range steps {
		if got := b.take(t0.Add(step.at)); got != step.wait {
			t.Errorf("at %s: wait %s, want %s", step.at, got, step.wait)
		}
	}
}

func TestAnEmptyConfigVolumeStaysEmpty(t *testing.T) {
	s := start(t, `exec sleep 1000`)
	s.starts(t, 1)
	volume := t.TempDir()
	if err := (Control{Dir: filepath.Join(volume, ".agent")}).report(Started{PID: 1}); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("error = %v", err)
	}
	if _, err := (Control{Dir: filepath.Join(volume, ".agent")}).Want("g1"); err == nil {
		t.Error("the sidecar wrote to an empty volume")
	}
	if left, _ := os.ReadDir(volume); len(left) != 0 {
		t.Errorf("a volume with only a dot folder would end the server's container: %v", left)
	}
}

func TestACommandThatIsNotThereIsAClearError(t *testing.T) {
	volume := t.TempDir()
	cmd := exec.Command(os.Args[0], "/nonexistent/docker-entrypoint.sh")
	cmd.Env = append(os.Environ(), "SUPERVISE_IN="+filepath.Join(volume, ".agent"))
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 127 || !strings.Contains(string(out), "/nonexistent/docker-entrypoint.sh") {
		t.Errorf("exit code %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

func TestTheSidecarReadsWhatTheSupervisorReports(t *testing.T) {
	volume := t.TempDir()
	os.WriteFile(filepath.Join(volume, "seeded"), nil, 0o600)
	c := Control{Dir: filepath.Join(volume, ".agent")}
	if _, ok, err := (Exec{c}).Started(t.Context()); ok || err != nil {
		t.Errorf("before any start: %v, %v", ok, err)
	}
	if err := (Exec{c}).Request(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Wanted(); got != "g1" || err != nil {
		t.Errorf("wanted = %q, %v", got, err)
	}
	data, _ := json.Marshal(Started{Generation: "g1", PID: 7, Starts: 2})
	os.WriteFile(filepath.Join(c.Dir, startedFile), data, 0o600)
	if s, ok, err := (Exec{c}).Started(t.Context()); !ok || err != nil || s.Generation != "g1" || s.Starts != 2 {
		t.Errorf("started = %+v, %v, %v", s, ok, err)
	}
	os.WriteFile(filepath.Join(c.Dir, startedFile), []byte("{"), 0o600)
	if _, _, err := (Exec{c}).Started(t.Context()); err == nil {
		t.Error("half a file was believed")
	}
}

func TestTheLogAsksForARestartByHandOnceForEachGeneration(t *testing.T) {
	var b bytes.Buffer
	volume := t.TempDir()
	os.WriteFile(filepath.Join(volume, "seeded"), nil, 0o600)
	n := None{Control: Control{Dir: filepath.Join(volume, ".agent")}, Log: slog.New(slog.NewTextHandler(&b, nil)), Container: "innover-wso2is-1"}
	for range 2 {
		if err := n.Request(t.Context(), "g1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, known, _ := n.Started(t.Context()); known || strings.Count(b.String(), "docker restart innover-wso2is-1") != 1 {
		t.Errorf("log = %s", &b)
	}
}

func TestARestartThatIsHeldIsNotDoneAndAStartMeanwhileNeedsNoOther(t *testing.T) {
	volume := t.TempDir()
	c := Control{Dir: filepath.Join(volume, ".agent")}
	if err := os.Mkdir(filepath.Join(volume, "repository"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Hold("g1", "g2"); err != nil {
		t.Fatal(err)
	}
	s := Supervisor{Control: c, Log: slog.New(slog.DiscardHandler)}
	due := func(running string) bool {
		var held <-chan time.Time
		return s.due(&Started{Generation: running}, &budget{max: 5, window: time.Hour}, &held)
	}
	for _, running := range []string{"g1", "g2", "g0"} { // it may have started with g0 while the agent decided
		if due(running) {
			t.Errorf("held: a server that runs with %s is due", running)
		}
	}
	if _, err := c.Want("g2"); err != nil {
		t.Fatal(err)
	}
	for running, want := range map[string]bool{"g1": true, "g2": false} {
		if got := due(running); got != want {
			t.Errorf("released: a server that runs with %s is due: %v, want %v", running, got, want)
		}
	}
	crashed := start(t, `exec sleep 1000`, func(c Control) { c.Hold("g1", "g2") })
	if st := crashed.starts(t, 1); st.Generation != "g2" {
		t.Errorf("a start while a restart is held notes %q and not what it has read", st.Generation)
	}
}

func TestTheSupervisorReportsWhetherTheServerServes(t *testing.T) {
	s := start(t, `echo run >> $VOLUME/runs; trap "sleep 0.3; rm -f $VOLUME/serves; exit 0" TERM; touch $VOLUME/ready; while :; do sleep 0.02; done`)
	says := func(what string, starts int, serves Serves) {
		t.Helper()
		s.until(t, what, func() bool {
			st, ok, err := s.control.Started()
			return err == nil && ok && st.Starts == starts && st.Serves == serves
		})
	}
	says("it does not serve at first", 1, ServesNot)
	s.until(t, "the server is ready", func() bool { return s.has("ready") })
	serve := func() {
		if err := os.WriteFile(s.file("serves"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serve()
	says("it serves", 1, ServesNow)
	if _, err := s.control.Want("g1"); err != nil {
		t.Fatal(err)
	}
	says("it stops, and serves no more", 1, ServesNot)
	says("it has started again, and does not serve yet", 2, ServesNot)
	serve()
	says("it serves again", 2, ServesNow)
	if !strings.Contains(s.log.String(), "the server serves") {
		t.Errorf("nothing is logged:\n%s", s.log)
	}
}

// TestAStartWaitsForThePassOfTheAgent: a pass that began before may still change the truststore that the server is to read.
func TestAStartWaitsForThePassOfTheAgent(t *testing.T) {
	var unlock func()
	s := start(t, `echo run >> $VOLUME/runs; while :; do sleep 0.02; done`, func(c Control) {
		volume := filepath.Dir(c.Dir)
		if err := c.report(Started{Generation: "old", Serves: ServesNow, Starts: 7}); err != nil {
			t.Fatal(err)
		}
		var err error
		if unlock, err = file.Lock(t.Context(), filepath.Join(volume, "lock"), nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(volume, "trusts"), []byte("a1 a2"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	s.until(t, "the start before is reported as one that does not serve", func() bool {
		st, ok, err := s.control.Started()
		return err == nil && ok && st.Starts == 7 && st.Generation == "old" && st.Serves == ServesNot && time.Since(st.Since) < time.Minute
	})
	if s.has("runs") {
		t.Error("the server starts while the agent works")
	}
	if err := os.WriteFile(s.file("trusts"), []byte("a1"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock()
	if st := s.starts(t, 1); !slices.Equal(st.Trusts, []string{"a1"}) {
		t.Errorf("agent exec has noted %v, want what the pass has left", st.Trusts)
	}
}

// TestAStartDoesNotWaitForeverForTheAgent: an agent that hangs keeps no server down.
func TestAStartDoesNotWaitForeverForTheAgent(t *testing.T) {
	s := start(t, `while :; do sleep 0.02; done`, func(c Control) {
		if err := c.report(Started{Serves: ServesNow, Starts: 7}); err != nil {
			t.Fatal(err)
		}
		unlock, err := file.Lock(t.Context(), filepath.Join(filepath.Dir(c.Dir), "lock"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(unlock)
	})
	s.starts(t, 1)
	if !strings.Contains(s.log.String(), "although the agent next to it is still working") {
		t.Errorf("nothing is logged:\n%s", s.log)
	}
}

func TestAServerThatDoesNotServeIsLoggedOnceWithTheReason(t *testing.T) {
	t.Setenv("TEST_START_TIMEOUT", "50ms")
	s := start(t, `while :; do sleep 0.02; done`)
	said := func() int { return strings.Count(s.log.String(), "does not serve yet") }
	s.until(t, "it is logged", func() bool { return said() > 0 })
	time.Sleep(1500 * time.Millisecond)
	if n := said(); n != 1 || !strings.Contains(s.log.String(), "no such file or directory") {
		t.Errorf("it is logged %d times:\n%s", n, s.log)
	}
}

func TestANoticeForPeopleRestartsNothing(t *testing.T) {
	volume := t.TempDir()
	c := Control{Dir: filepath.Join(volume, ".agent")}
	if err := os.Mkdir(filepath.Join(volume, "repository"), 0o755); err != nil {
		t.Fatal(err)
	}
	n := None{Control: c, Log: slog.New(slog.DiscardHandler)}
	if err := n.Request(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	if wanted, err := c.Wanted(); wanted != "" || err != nil {
		t.Errorf("agent exec has a request for %q, %v", wanted, err)
	}
	if told, err := c.Note("g1"); told || err != nil {
		t.Errorf("the generation is not recorded: %v, %v", told, err)
	}
}

func TestASupervisorIsPresentForAsLongAsItLives(t *testing.T) {
	present := func(s *supervised) bool {
		t.Helper()
		present, err := s.control.Present()
		if err != nil {
			t.Fatal(err)
		}
		return present
	}
	s := start(t, `exec sleep 1000`)
	s.starts(t, 1)
	if !present(s) {
		t.Error("it runs and is not present")
	}
	s.end()
	if present(s) {
		t.Error("it has ended and is present")
	}

	// Somebody may fill the volume after the start.
	s = start(t, `echo run >> "$VOLUME/.runs"; exec sleep 1000`, func(c Control) { os.Remove(filepath.Join(filepath.Dir(c.Dir), "seeded")) })
	s.until(t, "the server runs", func() bool { return s.has(".runs") })
	if present(s) {
		t.Error("it is present on an empty volume, where it may write nothing")
	}
	if err := os.WriteFile(s.file("seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.until(t, "it is present", func() bool { return present(s) })
}

func TestAZombieWhoseParentHasLeftTheGroupHoldsUpNothing(t *testing.T) {
	testenv.Command(t, "perl")
	// The middle process leaves the group and never waits for its child, which exits in the group.
	s := start(t, `perl -e 'if (fork() == 0) { if (fork() == 0) { sleep 1; exit 0 } setpgrp(0, 0); sleep 60; exit 0 } sleep 60' >/dev/null 2>&1`)
	t.Cleanup(func() { exec.Command("pkill", "-f", "setpgrp\\(0, 0\\)").Run() })
	time.Sleep(2 * time.Second)
	began := time.Now()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { s.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		s.Process.Kill()
		t.Fatal("the supervisor hangs")
	}
	if took := time.Since(began); took < killPatience || !strings.Contains(s.log.String(), "remain after KILL") {
		t.Errorf("after %s: %s", took, s.log)
	}
}

// TestANamedPipeInThePlaceOfAFileHoldsUpNoServerAndNoTerm: an open of a named pipe can block for ever.
func TestANamedPipeInThePlaceOfAFileHoldsUpNoServerAndNoTerm(t *testing.T) {
	for _, name := range []string{startedFile, wantedFile, presentFile, reloadFile} {
		t.Run(name, func(t *testing.T) {
			s := start(t, `trap 'touch $VOLUME/ended; exit 0' TERM; touch $VOLUME/run; while :; do sleep 0.05; done`, func(c Control) {
				if err := errors.Join(os.MkdirAll(c.Dir, 0o700), syscall.Mkfifo(filepath.Join(c.Dir, name), 0o600)); err != nil {
					t.Fatal(err)
				}
			})
			s.until(t, "the server runs", func() bool { return s.has("run") })
			s.Process.Signal(syscall.SIGTERM)
			s.until(t, "the server is stopped", func() bool { return s.has("ended") })
		})
	}
}

func TestARequestThatIsWithdrawnInTimeStopsNoServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".agent")
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Supervisor{Control: Control{Dir: dir}, Log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		wanted    string
		runs, say Serves
		still     bool
	}{
		{"g1", ServesNow, ServesNot, true},
		{"g0", ServesNow, ServesNow, false}, // taken back since
		{"g0", ServesNot, ServesNot, false},
	} {
		if _, err := s.Control.Want(c.wanted); err != nil {
			t.Fatal(err)
		}
		still, told := s.reportStopping(Started{Generation: "g0", Serves: c.runs}, nil)
		said, _, err := s.Control.Started()
		if still != c.still || said.Serves != c.say || told != nil || err != nil {
			t.Errorf("%+v: still %t, says %q, %v, %v", c, still, said.Serves, told, err)
		}
	}
}
