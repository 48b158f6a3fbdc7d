package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2"
)

// byHand is a Method, and the server that it restarts, as a test says.
type byHand struct {
	name     string
	unusable error
	process  Process
	restart  func(Order) error // nil: it does nothing
	orders   []Order
}

func (b *byHand) Name() string { return b.name }

func (b *byHand) Usable(context.Context) (string, error) { return "the test says so", b.unusable }

func (b *byHand) Process(context.Context) (Process, error) { return b.process, nil }

func (b *byHand) Restart(_ context.Context, o Order) error {
	b.orders = append(b.orders, o)
	if b.restart == nil {
		return nil
	}
	return b.restart(o)
}

// start gives the server another process, which starts now.
func (b *byHand) start() {
	b.process = Process{ID: fmt.Sprint("process ", len(b.orders), time.Now().UnixNano()), Since: time.Now()}
}

// kept is a Keeper with its server.
type kept struct {
	*Keeper
	server  *byHand
	serves  error
	log     *testenv.Buffer
	results []string
}

func keep(t *testing.T) *kept {
	t.Helper()
	k := &kept{server: &byHand{name: "docker"}, log: &testenv.Buffer{}}
	k.server.restart = func(Order) error { k.server.start(); return nil }
	k.again(newControl(t))
	return k
}

// again makes another Keeper for the same server, as an agent that starts again does.
func (k *kept) again(c Control) {
	k.Keeper = &Keeper{
		Control: c, Methods: []Method{k.server}, Only: true, Server: "wso2is", Product: "is",
		While:       func(work func()) { work() },
		Starting:    func(context.Context) ([]string, string) { return []string{"A1"}, "C1" },
		Serves:      func(context.Context) error { return k.serves },
		StopTimeout: time.Minute, StartTimeout: time.Minute, MaxRestarts: 5, Window: time.Hour, Poll: time.Nanosecond, Fast: time.Nanosecond,
		Restarted: func(method, result string) { k.results = append(k.results, method+" "+result) },
		Log:       slog.New(slog.NewTextHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug})), said: map[string]bool{},
	}
	k.load()
}

// steps lets the Keeper look so many times.
func (k *kept) steps(t *testing.T, n int) Started {
	t.Helper()
	for range n {
		k.step(t.Context())
	}
	s, _, err := k.Control.Started()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (k *kept) want(t *testing.T, generation string) {
	t.Helper()
	if _, err := k.Control.Want(generation); err != nil {
		t.Fatal(err)
	}
}

func TestAKeeperReportsAStartAndWhenTheServerServes(t *testing.T) {
	k := keep(t)
	k.want(t, "g1")
	k.steps(t, 1)
	if present, err := k.Control.Present(); present || err != nil {
		t.Errorf("no server runs, and one is present: %v, %v", present, err)
	}
	k.server.start()
	k.serves = errors.New("starting")
	if s := k.steps(t, 1); s.Generation != "g1" || s.Serves != ServesNot || s.Starts != 1 || !s.IsProcess() {
		t.Errorf("after its start: %+v", s)
	}
	if present, err := k.Control.Present(); !present || err != nil {
		t.Errorf("the server is not present: %v, %v", present, err)
	}
	k.serves = nil
	if s := k.steps(t, 2); s.Serves != ServesNow || s.Generation != "g1" {
		t.Errorf("it serves: %+v", s)
	}
	k.server.process = Process{}
	if s := k.steps(t, 1); s.Serves != ServesNot {
		t.Errorf("it has ended: %+v", s)
	}
	if len(k.server.orders) > 0 {
		t.Errorf("it was restarted: %v", k.server.orders)
	}
}

func TestAStartBeforeARequestHasNotReadWhatItNames(t *testing.T) {
	k := keep(t)
	k.server.start()
	time.Sleep(10 * time.Millisecond) // clocks of files have steps of some milliseconds
	k.want(t, "g1")
	k.server.restart = nil
	if s := k.steps(t, 3); s.Generation != "" || len(k.server.orders) > 0 {
		t.Errorf("its generation is %q, and nobody has the turn for orders %v", s.Generation, k.server.orders)
	}
	if running, onDisk, err := k.Control.Wish(); running != "" || onDisk != "g1" || err != nil {
		t.Errorf("the request is %q, %q, %v", running, onDisk, err)
	}
	k.want(t, "g1") // the sidecar has the turn
	if k.steps(t, 1); len(k.server.orders) != 1 {
		t.Errorf("the restart is due, and the orders are %v", k.server.orders)
	}
}

func TestAKeeperRestartsTheServerOnceForEachGeneration(t *testing.T) {
	k := keep(t)
	k.want(t, "g1")
	k.steps(t, 1)
	k.server.start()
	k.steps(t, 3)
	k.want(t, "g2")
	s := k.steps(t, 5)
	if s.Generation != "g2" || s.Serves != ServesNow || s.Starts != 2 || s.Trouble != "" || strings.Join(s.Trusts, "") != "A1" || s.Certificate != "C1" {
		t.Errorf("after the restart: %+v", s)
	}
	if n := len(k.server.orders); n != 1 || k.server.orders[0].Generation != "g2" || k.server.orders[0].Running != "g1" || k.server.orders[0].Server != "wso2is" {
		t.Errorf("orders: %+v", k.server.orders)
	}
	if got := strings.Join(k.results, ", "); got != "docker ok" {
		t.Errorf("results: %s", got)
	}
}

// While a server that was asked to restart still serves, it counts as one that is about to stop.
func TestAServerThatIsAboutToStopIsNotReportedAsServing(t *testing.T) {
	k := keep(t)
	k.server.restart = nil
	k.server.start()
	k.steps(t, 2)
	k.want(t, "g1")
	if s := k.steps(t, 3); s.Serves != ServesNot || len(k.server.orders) != 1 {
		t.Errorf("%+v, orders %v", s, k.server.orders)
	}
	k.server.start()
	if s := k.steps(t, 2); s.Serves != ServesNow || s.Generation != "g1" {
		t.Errorf("after the restart: %+v", s)
	}
}

func TestARestartThatDoesNotHappenIsTriedThreeTimesAndReported(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(k *kept)
		want string
	}{
		"the method fails": {func(k *kept) { k.server.restart = func(Order) error { return errors.New("no rights") } }, "attempt 3: no rights"},
		"nothing happens":  {func(k *kept) { k.server.restart, k.StopTimeout, k.StartTimeout = nil, 0, 0 }, "attempt 3: the server goes on as before"},
		"nothing starts it again": {func(k *kept) {
			k.server.restart = func(Order) error { k.server.process = Process{}; return nil }
			k.StopTimeout, k.StartTimeout = 0, 0
		}, "attempt 1: the server was stopped, and nothing has started it again"},
		"another certificate":       {func(k *kept) { k.serves = fmt.Errorf("9443: %w", wso2.ErrNotPinned) }, "attempt 3: the server has restarted without reading the config volume"},
		"it does not come up again": {func(k *kept) { k.serves, k.StopTimeout, k.StartTimeout = errors.New("starting"), 0, 0 }, "attempt 3: the server does not serve after its restart: starting"},
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			k.server.start()
			k.steps(t, 2)
			c.set(k)
			k.want(t, "g1")
			s := k.steps(t, 30)
			if !strings.Contains(s.Trouble, c.want) || !strings.Contains(k.log.String(), "the agent cannot restart the server") {
				t.Errorf("reported: %q, want %q\n%s", s.Trouble, c.want, k.log)
			}
			if s.Generation == "g1" && s.Serves == ServesNow {
				t.Errorf("the server counts as restarted: %+v", s)
			}
			wantAttempts := c.want[len("attempt ")] - '0'
			if len(k.server.orders) != int(wantAttempts) || len(k.results) != int(wantAttempts) || k.results[0] != "docker failed" {
				t.Errorf("%d orders, results %v", len(k.server.orders), k.results)
			}
			// What repairs it is another request.
			k.serves, k.StopTimeout, k.StartTimeout = nil, time.Minute, time.Minute
			k.server.restart = func(Order) error { k.server.start(); return nil }
			k.server.start()
			k.steps(t, 2)
			k.want(t, "g2")
			if s := k.steps(t, 10); s.Generation != "g2" || s.Trouble != "" || s.Serves != ServesNow {
				t.Errorf("after another request: %+v", s)
			}
		})
	}
}

func TestTheBudgetHoldsForAllMethodsAndOutlivesTheAgent(t *testing.T) {
	k := keep(t)
	k.MaxRestarts = 2
	k.server.start()
	k.steps(t, 2)
	for n := range 2 {
		k.want(t, fmt.Sprint("g", n))
		k.steps(t, 4)
	}
	k.again(k.Control)
	k.MaxRestarts = 2
	k.want(t, "g9")
	s := k.steps(t, 4)
	if len(k.server.orders) != 2 || !strings.Contains(s.Trouble, "2 times within 1h0m0s (MAX_RESTARTS, RESTART_WINDOW)") {
		t.Fatalf("%d restarts; %q\n%s", len(k.server.orders), s.Trouble, k.log)
	}
	if a, b := k.server.orders[0].ID, k.server.orders[1].ID; a == "" || a == b {
		t.Errorf("the orders have the ids %q and %q", a, b)
	}
	k.want(t, "g1") // nothing is due any more
	if s := k.steps(t, 2); s.Trouble != "" {
		t.Errorf("the trouble is over, and still reported: %q", s.Trouble)
	}
}

// A rollout, or the end of a PID namespace, ends the agent with the server.
func TestAnAgentThatEndsWithItsServerGoesOnWhereItWas(t *testing.T) {
	k := keep(t)
	k.server.start()
	k.steps(t, 2)
	k.server.restart = nil
	k.want(t, "g1")
	k.steps(t, 1)
	time.Sleep(10 * time.Millisecond)
	k.again(k.Control)
	k.server.start()
	if s := k.steps(t, 3); s.Generation != "g1" || s.Serves != ServesNow || len(k.server.orders) != 1 {
		t.Errorf("%+v, orders %v", s, k.server.orders)
	}
}

func TestAgentExecComesBeforeAnyMethod(t *testing.T) {
	k := keep(t)
	leave, ok, err := k.Control.enter()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	k.server.start()
	k.want(t, "g1")
	k.steps(t, 3)
	if _, known, _ := k.Control.Started(); known || len(k.server.orders) > 0 {
		t.Errorf("the Keeper has reported: %v, orders %v", known, k.server.orders)
	}
	if log := k.log.String(); !strings.Contains(log, "level=WARN") || strings.Count(log, "agent exec restarts the server") != 1 {
		t.Errorf("log:\n%s", log)
	}
	leave()
	k.steps(t, 2)
	k.want(t, "g1")
	if k.steps(t, 2); len(k.server.orders) != 1 {
		t.Errorf("agent exec is gone, orders %v", k.server.orders)
	}
}

func TestAutoTakesTheFirstPossibleMethodAndSaysWhy(t *testing.T) {
	k := keep(t)
	none := &byHand{name: "kubernetes", unusable: errors.New("no pod")}
	k.Methods, k.Only = []Method{none}, false
	k.steps(t, 2)
	if log := k.log.String(); !strings.Contains(log, `kubernetes="no pod"`) || strings.Count(log, "only agent exec can restart") != 1 || strings.Contains(log, "ERROR") {
		t.Errorf("no method is possible:\n%s", log)
	}
	k.Methods = append(k.Methods, k.server)
	k.server.start()
	k.steps(t, 2)
	if log := k.log.String(); !strings.Contains(log, `RESTART=auto method=docker because="the test says so" kubernetes="no pod"`) {
		t.Errorf("docker is possible:\n%s", log)
	}
}

func TestAMethodThatCannotWorkIsReported(t *testing.T) {
	k := keep(t)
	k.server.unusable = errors.New("no socket")
	k.steps(t, 2)
	if log := k.log.String(); strings.Count(log, "RESTART=docker cannot restart the server: no socket") != 1 {
		t.Errorf("log:\n%s", log)
	}
	if _, known, _ := k.Control.Started(); known {
		t.Error("a start is reported, though none is known")
	}
	k.server.unusable = nil
	k.server.start()
	if s := k.steps(t, 2); s.Serves != ServesNow || s.Trouble != "" {
		t.Errorf("%+v", s)
	}
}

func TestAPortThatWasClosedBelongsToAnotherProcess(t *testing.T) {
	open := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open("127.0.0.1:0")
	p := portProcess{address: l.Addr().String()}
	look := func() Process {
		now, err := p.Process(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	first := look()
	if first.ID == "" || !first.Since.IsZero() {
		t.Errorf("it was open at the first look: %+v", first)
	}
	l.Close()
	if once := look(); once != first {
		t.Errorf("closed at one look: %+v", once)
	}
	before := time.Now()
	if twice := look(); twice.ID != "" {
		t.Errorf("closed at two looks: %+v", twice)
	}
	l = open(p.address)
	defer l.Close()
	if second := look(); second.ID == first.ID || second.ID == "" || second.Since.IsZero() || second.Since.After(before) {
		t.Errorf("open again: %+v", second)
	}
}

func TestAKeeperRunsUntilItIsStopped(t *testing.T) {
	k := keep(t)
	k.want(t, "g1")
	k.Poll, k.Fast = 5*time.Millisecond, 5*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	k.server.start()
	time.Sleep(10 * time.Millisecond)
	k.server.start()
	go func() { defer close(done); k.Run(ctx) }()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if s, ok, _ := k.Control.Started(); ok && s.Serves == ServesNow {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s\n%s", k.log)
		}
	}
	cancel()
	<-done
	if present, err := k.Control.Present(); present || err != nil {
		t.Errorf("after the end: present %v, %v", present, err)
	}
	if _, err := os.Stat(filepath.Join(k.Control.Dir, keeperFile)); err != nil {
		t.Error(err)
	}
}

// withDefaults gives a Keeper the default times.
func (k *kept) withDefaults() {
	k.StopTimeout, k.StartTimeout, k.Window, k.Poll, k.Fast = 60*time.Second, 10*time.Minute, 10*time.Minute, 10*time.Second, time.Second
}

// lasts looks at the server for a time.
func (k *kept) lasts(t *testing.T, d time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; {
		time.Sleep(k.step(t.Context()))
	}
}

func TestAServerIsNotRestartedWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration // until it serves
		serves error         // then
		most   int           // restarts in two days
	}{
		"it needs longer than START_TIMEOUT":    {15 * time.Minute, nil, 3},
		"it never presents the new certificate": {2 * time.Minute, wso2.ErrNotPinned, 11}, // 3, and after 20, 40, 80, 160, 320, 640 and 1280 minutes
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				k.withDefaults()
				k.want(t, "g1")
				k.step(t.Context())
				k.server.start()
				k.steps(t, 3)
				started := time.Now()
				k.server.restart = func(Order) error { k.server.start(); started = time.Now(); return nil }
				k.Serves = func(context.Context) error {
					if time.Since(started) < c.after {
						return errors.New("starting")
					}
					return c.serves
				}
				k.want(t, "g2")
				k.lasts(t, 48*time.Hour)
				if n := len(k.server.orders); n < 2 || n > c.most {
					t.Errorf("%d restarts in two days, want 2 to %d", n, c.most)
				}
				s, _, err := k.Control.Started()
				if err != nil || (s.Generation == "g2" && s.Serves == ServesNow) != (c.serves == nil) {
					t.Errorf("at the end: %+v, %v", s, err)
				}
			})
		})
	}
}

// With some methods the agent ends with each restart, and another one finds out what became of it.
func TestTheNextAgentVerifiesTheRestartThatEndedTheFormerOne(t *testing.T) {
	k := keep(t)
	k.want(t, "g1")
	k.steps(t, 1)
	k.server.start()
	k.steps(t, 3)
	k.serves = wso2.ErrNotPinned
	k.want(t, "g2")
	for range 4 {
		n := len(k.server.orders)
		for range 5 {
			k.step(t.Context())
			if len(k.server.orders) > n {
				k.again(k.Control)
				break
			}
		}
	}
	if s := k.steps(t, 1); !strings.Contains(s.Trouble, "without reading the config volume") || !slices.Contains(k.results, "docker failed") {
		t.Errorf("results %v, reported %q", k.results, s.Trouble)
	}
}
