package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Keeper stands in for agent exec where something else runs the server. It reads the same requests, has a Method restart the
// server, and reports the starts of the server in the same file, so that all decisions are the same.
//
// Agent exec comes first: while it runs the server, a Keeper does nothing.
type Keeper struct {
	Control Control
	// Methods are tried in this order. The first usable one is taken. Without Only, agent exec may come instead of all.
	Methods []Method
	Only    bool // RESTART names the method
	// Server and Product are for an Order.
	Server, Product string
	// Port is host:port of the server, for methods that do not know its process.
	Port string
	// Starting is that of Home.
	Starting func(ctx context.Context) (trusts []string, certificate string)
	// Serves returns nil if the server answers with the certificate of the config volume. An error that wraps wso2.ErrNotPinned
	// says that it answers with another one.
	Serves func(ctx context.Context) error
	// AgentLock, StopTimeout, StartTimeout, MaxRestarts and Window are as for Supervisor.
	AgentLock                 string
	StopTimeout, StartTimeout time.Duration
	MaxRestarts               int
	Window                    time.Duration
	// Poll is the time between two looks at a server that serves. Fast is that while it restarts or starts.
	Poll, Fast time.Duration
	// While does work, and shows meanwhile that the Keeper lives.
	While func(work func())
	// Restarted is called with the result of each restart, ok or failed.
	Restarted func(method, result string)
	Log       *slog.Logger

	method  Method
	watch   watcher
	record  keeperRecord
	stands  func()          // leaves Control.Present; nil while no server runs
	said    map[string]bool // messages that are not repeated
	trouble string
}

// keeperRecord is what a Keeper remembers on the config volume, because some methods end the agent with the server.
type keeperRecord struct {
	OnDisk   string      `json:"onDisk"` // what a start reads
	Since    time.Time   `json:"since"`  // since when, or a later time
	Taken    []time.Time `json:"taken"`  // restarts of the budget
	For      string      `json:"for"`    // the generation of the last attempts
	Attempts int         `json:"attempts"`
	Last     time.Time   `json:"last"` // when the last one was
	Tried    attempt     `json:"tried,omitzero"`
}

// attempt is a restart that is not verified yet. It can end the agent, and then the next agent verifies it.
type attempt struct {
	Generation  string    `json:"generation"`       // empty: there is none
	Was         string    `json:"was"`              // ID of the process
	Trusts      []string  `json:"trusts,omitempty"` // what the start reads at least, see Home.Starting
	Certificate string    `json:"certificate,omitempty"`
	Late        time.Time `json:"late"` // when it counts as failed
}

const (
	keeperFile = "restarts.json"
	// maxAttempts is how often a Keeper tries the restart for one generation, one attempt right after the other. Then it waits for twice
	// Window, and after each further attempt for twice as long, at most longestPause.
	maxAttempts  = 3
	longestPause = 24 * time.Hour
	// unverified is the generation of a server that has restarted and does not have what it should have.
	unverified = "unverified"
)

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	k.Fast = cmp.Or(k.Fast, min(k.Poll, time.Second))
	k.said = map[string]bool{}
	k.load()
	asked := file.Watch{Folders: []string{k.Control.Dir}, Poll: k.Poll, Quiet: 50 * time.Millisecond, Log: k.Log}.Changes(ctx)
	defer k.leave()
	for {
		var wait time.Duration
		k.While(func() { wait = k.step(ctx) })
		select {
		case <-ctx.Done():
			return
		case <-asked:
		case <-time.After(wait):
		}
	}
}

func (k *Keeper) load() {
	if r, ok, err := file.LoadJSON[keeperRecord](k.path(), reportLimit); err != nil {
		k.once("record", slog.LevelWarn, "cannot read the record of restarts, and begins a new one", "error", err)
	} else if ok {
		k.record = r
	}
}

func (k *Keeper) path() string { return filepath.Join(k.Control.Dir, keeperFile) }

// once logs a message that belongs to a topic, unless it is the one that was logged last.
func (k *Keeper) once(topic string, level slog.Level, text string, args ...any) {
	key := fmt.Sprint(topic, ": ", text, args)
	if k.said[key] {
		return
	}
	for old := range k.said {
		if strings.HasPrefix(old, topic+": ") {
			delete(k.said, old)
		}
	}
	k.said[key] = true
	k.Log.Log(context.Background(), level, text, args...)
}

// step looks at the server once, and does what is due. It returns the time until the next look.
func (k *Keeper) step(ctx context.Context) time.Duration {
	if present, err := k.Control.supervised(); err != nil || present {
		k.leave()
		if level := slog.LevelInfo; present {
			if k.Only {
				level = slog.LevelWarn
			}
			k.once("method", level, "agent exec restarts the server, because it runs it", "RESTART", k.name())
		}
		return k.Poll
	}
	if k.method == nil && !k.choose(ctx) {
		return k.Poll
	}
	p, err := k.watch.Process(ctx)
	if err != nil {
		k.fail(fmt.Errorf("RESTART=%s: cannot see the server: %w", k.method.Name(), err))
		return k.Poll
	}
	started, known, err := k.Control.Started()
	if err != nil {
		k.once("started", slog.LevelWarn, "cannot read what was reported about the server", "error", err)
	}
	_, onDisk, err := k.Control.Wish()
	if err != nil {
		k.once("wish", slog.LevelWarn, "cannot read the request of the sidecar", "error", err)
		return k.Poll
	}
	k.note(onDisk)
	switch {
	case p.ID == "":
		return k.down(&started, known)
	case !known || p.ID != started.Process:
		k.began(p, &started, onDisk)
	}
	k.enter()
	if started.Serves != ServesNow && !k.verify(ctx, &started) {
		return k.Fast
	}
	return k.restart(ctx, &started)
}

// name is the value of RESTART.
func (k *Keeper) name() string {
	if k.Only {
		return k.Methods[0].Name()
	}
	return "auto"
}

// choose takes the first usable method, and logs which one and why.
func (k *Keeper) choose(ctx context.Context) bool {
	var not []any
	for _, m := range k.Methods {
		why, err := m.Usable(ctx)
		if err != nil {
			if not = append(not, m.Name(), err.Error()); k.Only {
				k.fail(fmt.Errorf("RESTART=%s cannot restart the server: %w", m.Name(), err))
			}
			continue
		}
		k.method = m
		var knows bool
		if k.watch, knows = m.(watcher); !knows {
			p := &portProcess{address: k.Port}
			if s, ok, err := k.Control.Started(); ok && err == nil && strings.HasPrefix(s.Process, "port") {
				p.process = Process{ID: s.Process, Since: s.Since} // until it is seen closed
			}
			k.watch = p
		}
		k.trouble = ""
		k.once("method", slog.LevelInfo, "the agent restarts the server when a restart is due", append([]any{"RESTART", k.name(), "method", m.Name(), "because", why}, not...)...)
		return true
	}
	if !k.Only {
		k.once("method", slog.LevelDebug, "only agent exec can restart the server here, and it does not run yet; no other method can", not...)
	}
	return false
}

// note remembers since when a start reads what is on disk.
func (k *Keeper) note(onDisk string) {
	if onDisk == "" || onDisk == k.record.OnDisk {
		return
	}
	k.record.OnDisk, k.record.Since = onDisk, time.Now().UTC() // not the file's time: the volume can have another clock
	k.save()
}

func (k *Keeper) save() {
	if err := k.Control.usable(); err != nil {
		return // the volume is not ready; report says so
	}
	if _, err := file.SaveJSON(k.path(), k.record, 0o644, k.Control.Dir); err != nil {
		k.once("record", slog.LevelWarn, "cannot record the restarts", "error", err)
	}
}

// down reports that no server runs.
func (k *Keeper) down(started *Started, known bool) time.Duration {
	k.leave()
	if known && started.Serves != ServesNot {
		started.Serves = ServesNot
		k.report(started)
	}
	if k.record.Tried.Generation != "" && time.Now().After(k.record.Tried.Late) {
		k.failed(remedy.Add(errors.New("the server was stopped, and nothing has started it again"), "have the orchestrator start it again (restart policy)"))
	}
	return k.Fast
}

// began reports a start of the server. It has read what was on disk if that was there before. Nobody knows what else it may have
// read, and at worst it restarts once too often. An earlier request was not made for this start: it is held until the sidecar has
// seen the start and has the turn to restart the server.
func (k *Keeper) began(p Process, s *Started, onDisk string) {
	*s = Started{Process: p.ID, PID: p.PID, Since: p.Since.UTC(), Starts: s.Starts + 1, Serves: ServesNot}
	if p.Since.IsZero() {
		s.Since = time.Now().UTC()
	}
	switch ordered := k.record.Tried.Generation != "" && p.ID != k.record.Tried.Was; {
	case ordered && onDisk == k.record.Tried.Generation:
		s.Generation, s.Trusts, s.Certificate = k.record.Tried.Generation, k.record.Tried.Trusts, k.record.Tried.Certificate
	case onDisk != "" && p.Since.After(k.record.Since):
		s.Generation = onDisk
	case onDisk != "":
		if _, err := k.Control.Hold("", onDisk); err != nil {
			k.once("hold", slog.LevelWarn, "cannot hold an earlier request", "error", err)
		}
	}
	k.Log.Info("server started", "process", p.ID, "generation", s.Generation)
	k.report(s)
}

// verify finds out whether the server serves with what it should have read. done is false while it does not serve.
func (k *Keeper) verify(ctx context.Context, s *Started) (done bool) {
	pending, late := k.record.Tried.Generation != "", time.Now().After(k.record.Tried.Late)
	if pending && s.Process == k.record.Tried.Was { // it may still serve, before it stops
		if !late {
			return false
		}
		k.failed(remedy.Add(errors.New("the server goes on as before: it was not seen to stop and to start again"), "look at what carries out the restart; docs/restart.md says what each method needs"))
		s.Serves = ServesNow
		k.report(s)
		return true
	}
	switch err := k.Serves(ctx); {
	case err == nil:
		if pending {
			k.Log.Info("the server has restarted, and presents the certificate on the config volume", "method", k.method.Name(), "generation", s.Generation)
			k.succeeded()
		}
	case errors.Is(err, wso2.ErrNotPinned):
		if pending {
			k.failed(remedy.Add(fmt.Errorf("the server has restarted without reading the config volume: %w", err),
				"see to it that the server copies the config volume over its home when it starts, as the entrypoints of the product's images do"))
		}
		s.Generation = unverified
	case pending && late:
		k.failed(remedy.Add(fmt.Errorf("the server does not serve after its restart: %w", err), "read the server's own log; raise START_TIMEOUT if the server needs more time"))
		k.report(s)
		again := *s
		again.Generation = unverified
		k.restart(ctx, &again) // another start may do better
		return false
	default:
		return false
	}
	s.Serves = ServesNow
	k.report(s)
	return true
}

// succeeded ends an attempt well.
func (k *Keeper) succeeded() {
	k.record.Tried, k.trouble = attempt{}, ""
	k.record.For, k.record.Attempts = "", 0
	k.save()
	k.Restarted(k.method.Name(), "ok")
}

// failed ends an attempt badly.
func (k *Keeper) failed(err error) {
	k.record.Tried = attempt{}
	k.save()
	k.fail(fmt.Errorf("restart of the server by %s, attempt %d: %w", k.method.Name(), k.record.Attempts, err))
	k.Restarted(k.method.Name(), "failed")
}

// fail logs what keeps the Keeper from its work, and reports it to the sidecar, which shows it in its condition.
func (k *Keeper) fail(err error) {
	if k.trouble == err.Error() {
		return
	}
	k.trouble = err.Error()
	k.Log.Error("the agent cannot restart the server", "error", err)
	if s, known, err := k.Control.Started(); err == nil && known && s.Trouble != k.trouble {
		k.report(&s)
	}
}

// report reports s to the sidecar, with what keeps this Keeper from its work.
func (k *Keeper) report(s *Started) {
	s.Trouble = k.trouble
	if err := k.Control.report(*s); err != nil {
		k.once("report", slog.LevelWarn, "cannot report the state of the server to the sidecar, trying again", "error", err)
	}
}

// restart restarts the server if that is due. It returns the time until the next look.
func (k *Keeper) restart(ctx context.Context, s *Started) time.Duration {
	wanted, due, err := k.Control.due(*s)
	if err != nil || !due {
		if err == nil && s.Trouble+k.trouble != "" { // nothing is left to do
			k.trouble = ""
			k.report(s)
		}
		return k.Poll
	}
	now := time.Now()
	if k.record.For != wanted || k.record.Last.After(now) {
		k.record.For, k.record.Attempts = wanted, 0
	}
	if now.Sub(k.record.Last) < k.pause(k.record.Attempts) {
		return k.Poll
	}
	if wait := k.take(now); wait > 0 {
		k.fail((&budget{max: k.MaxRestarts, window: k.Window}).usedUp(now.Add(wait)))
		return min(wait, k.Poll)
	}
	k.record.Attempts, k.record.Last = k.record.Attempts+1, now.UTC()
	k.save()
	before, stopping := *s, *s
	if stopping.Serves = ServesNot; before.Serves == ServesNow {
		k.report(&stopping)
		awaitAgent(ctx, k.AgentLock, k.Log)
		if _, still, err := k.Control.due(*s); err != nil || !still {
			k.report(&before)
			return k.Fast
		}
	}
	k.record.Tried = attempt{Generation: wanted, Was: s.Process, Late: now.UTC().Add(k.StopTimeout + k.StartTimeout)}
	k.record.Tried.Trusts, k.record.Tried.Certificate = k.Starting(ctx)
	k.save() // some methods end the agent with the server
	k.Log.Info("restarting the server for a newer generation", "method", k.method.Name(), "generation", wanted, "was", s.Generation, "attempt", k.record.Attempts)
	limit, cancel := context.WithTimeout(ctx, k.StopTimeout+k.StartTimeout+time.Minute)
	defer cancel()
	err = k.method.Restart(limit, Order{ID: rand.Text(), Server: k.Server, Product: k.Product, Generation: wanted, Running: s.Generation, Attempt: k.record.Attempts, At: now.UTC()})
	if err != nil && ctx.Err() == nil {
		k.failed(err)
		k.report(&before)
	}
	return k.Fast
}

// pause is the least time between two attempts for one generation, after so many.
func (k *Keeper) pause(attempts int) time.Duration {
	if attempts < maxAttempts {
		return time.Duration(attempts) * k.Poll
	}
	pause := k.Window
	for range attempts - maxAttempts + 1 {
		if pause *= 2; pause > longestPause {
			return longestPause
		}
	}
	return pause
}

// take takes one restart from the budget, as budget.take.
func (k *Keeper) take(now time.Time) (wait time.Duration) {
	b := budget{max: k.MaxRestarts, window: k.Window, taken: slices.DeleteFunc(k.record.Taken, now.Before)} // the clock may have been put back
	wait = b.take(now.UTC())
	k.record.Taken = b.taken
	return wait
}

// enter makes a server present, see Control.Present.
func (k *Keeper) enter() {
	if k.stands != nil {
		return
	}
	if leave, ok, err := k.Control.keep(); err == nil && ok {
		k.stands = leave
	}
}

func (k *Keeper) leave() {
	if k.stands != nil {
		k.stands()
		k.stands = nil
	}
}
