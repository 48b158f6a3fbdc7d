// Package drift compares, while the agent runs, both servers with the desired state. It reports what differs, and changes it if DRIFT is
// fix. A difference is no error: somebody may have changed a server on purpose.
package drift

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Condition is the name of the advisory condition that says whether anything differs.
const Condition = "drift"

// metric is the number of differences.
const metric, help = "wso2agent_drift", "Objects of both servers that differ from the API configuration, by kind."

const (
	// settled is how long a change needs until all lists show it.
	settled = 30 * time.Second
	// mostMoving is after how many passes a server that is changing is an error.
	mostMoving = 10
	// longest is how long a pass may take. Meanwhile nothing else looks at the servers. A fix that takes longer goes on in a later pass.
	longest = 2 * time.Minute
	// longestPause is the longest wait between two fixes of differences that stay or come again, unless RECONCILE_INTERVAL is longer.
	longestPause = time.Hour
)

// Health shows conditions and metrics.
type Health interface {
	Advise(name string, ok bool, message string) (changed bool)
	Gauge(name, help string, value float64, labels ...string)
}

// Watch compares both servers with the desired state from time to time, and remembers what it has found. Only one goroutine uses it.
type Watch struct {
	log      *slog.Logger
	health   Health
	accounts *bootstrap.Accounts
	reached  func(context.Context, config.Config) (at time.Time, is bool)
	fixed    func(because string)

	connection wso2.Connection
	due        time.Time
	known      actual.Known
	moving     int // passes one after the other in which a server was changing
	found      []finding
	failed     bool  // the log has an error since the last pass that succeeded
	unfixed    error // of the last fix, until nothing differs
	pause      pause
	doomed     []string // what the last comparison would remove
}

// New returns a Watch that has compared nothing. reached reports when a bootstrap has last reached the desired state, and whether nothing
// that it depends on has changed since. Otherwise a difference is no drift, because a bootstrap is due. The Watch calls fixed after each fix
// that has changed something, so that the caller verifies the servers.
func New(log *slog.Logger, health Health, accounts *bootstrap.Accounts, reached func(context.Context, config.Config) (at time.Time, is bool), fixed func(because string)) *Watch {
	health.Advise(Condition, true, "the agent compares the servers with the API configuration after the bootstrap")
	return &Watch{log: log, health: health, accounts: accounts, reached: reached, fixed: fixed}
}

// Turn compares the servers with the desired state if RECONCILE_INTERVAL has passed. It returns the wait before the next turn. The caller
// calls it only after a bootstrap has succeeded, and not while another one works.
func (w *Watch) Turn(ctx context.Context, cfg config.Config) (wait time.Duration) {
	every := cfg.Bootstrap.Compare
	if every == 0 {
		w.health.Advise(Condition, true, "RECONCILE_INTERVAL is 0: the agent does not compare the servers with the API configuration")
		return math.MaxInt64
	}
	if w.due.IsZero() {
		w.due = time.Now().Add(jittered(min(every, settled)))
	}
	if wait := time.Until(w.due); wait > 0 {
		return wait
	}
	pass, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("%w: a comparison and its changes may take %s", context.DeadlineExceeded, longest))
	defer cancel()
	wait, err := w.pass(pass, cfg)
	debug.FreeOSMemory() // a comparison takes far more than the agent needs until the next one, minutes later
	if ctx.Err() == nil {
		w.report(cfg, err)
	}
	wait = jittered(wait)
	w.due = time.Now().Add(wait)
	return wait
}

// jittered returns a time that differs from d by up to a tenth, so that many agents do not ask at the same moment.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// errLater says that the agent cannot compare now, for a reason that passes.
var errLater = errors.New("not now")

// pass compares once, and fixes what differs if it may. It returns the wait before the next pass.
func (w *Watch) pass(ctx context.Context, cfg config.Config) (wait time.Duration, err error) {
	every := cfg.Bootstrap.Compare
	soon := min(every, settled)
	settings, files := bootstrap.SettingsOf(cfg, w.accounts), bootstrap.FilesOf(cfg)
	w.connection.Routes = cfg.Trust.ConnectTo
	hc, err := w.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	if err != nil {
		return every, err
	}
	want, err := wanted(ctx, cfg, settings)
	if err != nil {
		return every, err
	}
	unlock, alone, err := files.TryLock()
	if err != nil {
		return every, err
	}
	if !alone {
		return soon, errLater
	}
	defer unlock()
	reached, is := w.reached(ctx, cfg)
	if !is { // since the file was read
		return soon, errLater
	}
	if rest := soon - time.Since(reached); rest > 0 { // the lists may not show yet what the bootstrap has made
		return rest, errLater
	}
	if err := addRecord(&want, owned.Path(cfg.Bootstrap.KeysFile)); err != nil { // which another agent may have written before it gave the lock back
		return every, err
	}
	have, err := w.known.Read(ctx, actual.Connect(hc, settings), want)
	if errors.Is(err, actual.ErrMoving) {
		if w.moving++; w.moving < mostMoving {
			return soon, errLater
		}
	}
	if err != nil {
		return every, err
	}
	w.moving = 0
	compared := plan.Compare(want, have)
	w.note(findings(compared))
	doomed := removals(compared.Changes)
	confirmed := slices.Equal(doomed, w.doomed)
	w.doomed = doomed
	changes := compared.Changes
	if !confirmed { // a folder may be half written: what a file no longer names must be missing in two comparisons
		want.Prune = false
		changes = plan.Compare(want, have).Changes
	}
	if cfg.Bootstrap.Drift != "fix" || !w.pause.over(len(changes), time.Now()) {
		return every, nil
	}
	before := w.pause
	w.pause.begin(every, time.Now())
	w.known = actual.Known{} // lists may be behind
	if w.unfixed = w.fix(ctx, files, settings, hc, want, changes); errors.Is(w.unfixed, plan.ErrOutdated) {
		w.pause = before // nothing was made: a comparison that reads everything comes next
	}
	return soon, nil
}

// removals returns what changes remove.
func removals(changes []plan.Change) (titles []string) {
	for _, c := range changes {
		if c.Action == plan.Delete {
			titles = append(titles, c.Title())
		}
	}
	return titles
}

// wanted reads the desired state.
func wanted(ctx context.Context, cfg config.Config, s bootstrap.Settings) (plan.Wanted, error) {
	f, err := bootstrap.FilesOf(cfg).Desired()
	if err != nil {
		return plan.Wanted{}, err
	}
	want, err := actual.Want(ctx, f, s)
	want.Prune = cfg.Bootstrap.Prune == "owned"
	return want, err
}

// addRecord adds the record of what the agent has made. Without one, the agent owns nothing.
func addRecord(want *plan.Wanted, path string) error {
	record, found, err := owned.Load(path)
	if found && err == nil {
		want.Owned, want.Sent, want.Unrestored = record.Owned(), record.Sent, record.Unrestored()
	}
	return err
}

// note logs what differs since the last pass and what no longer does, and counts it.
func (w *Watch) note(now []finding) {
	appeared, gone := news(w.found, now)
	for _, f := range appeared {
		if f.kind == byHand {
			w.log.Warn("drift: a person must solve a difference", "difference", f.object, "remedy", f.hint)
			continue
		}
		w.log.Warn("drift: an object differs from the API configuration", "object", f.object, "needs", string(f.action), "fields", f.fields)
	}
	for _, f := range gone {
		w.log.Info("drift: an object no longer differs", "object", f.object)
	}
	if w.found = now; len(now) == 0 {
		w.unfixed = nil
	}
	for kind, n := range counts(now) {
		w.health.Gauge(metric, help, float64(n), "kind", kind)
	}
}

// report sets the condition after a pass that returned err, and logs the first error and its end.
func (w *Watch) report(cfg config.Config, err error) {
	if errors.Is(err, errLater) {
		return
	}
	if err != nil {
		w.health.Advise(Condition, false, "the agent cannot compare the servers with the API configuration: "+err.Error())
		if !w.failed {
			w.log.Warn("drift: the agent cannot compare the servers with the API configuration, trying again", "wait", cfg.Bootstrap.Compare.String(), "error", err)
		}
		w.failed = true
		return
	}
	if w.failed {
		w.log.Info("drift: the agent can compare the servers with the API configuration again")
	}
	w.failed = false
	message := summary(w.found)
	if w.unfixed != nil {
		message += "; " + w.unfixed.Error()
	}
	w.health.Advise(Condition, len(w.found) == 0, message)
}

// fix makes the changes, and nothing if the servers call for others now. It logs what became of them.
func (w *Watch) fix(ctx context.Context, files bootstrap.Files, s bootstrap.Settings, hc *http.Client, want plan.Wanted, changes []plan.Change) error {
	report, err := w.apply(ctx, files, s, hc, want, changes)
	for _, o := range report.Outcomes {
		if o.Err != nil {
			w.log.Warn("drift: the agent cannot fix an object", "object", o.Change.Title(), "error", o.Err)
		}
	}
	done := len(report.Outcomes) - report.Failed()
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		w.log.Warn("drift: not fixed, trying again later", "done", done, "failed", report.Failed(), "wait", w.pause.last.String(), "error", err)
		return fmt.Errorf("the last fix failed: %w", err)
	}
	w.log.Info("drift: fixed", "changes", done)
	if done > 0 {
		w.fixed("the agent has fixed drift, and verifies the result")
	}
	return nil
}

// apply runs package apply with exactly these changes.
func (w *Watch) apply(ctx context.Context, files bootstrap.Files, s bootstrap.Settings, hc *http.Client, want plan.Wanted, changes []plan.Change) (apply.Report, error) {
	same := func(_ plan.Wanted, now []plan.Change) error { return plan.SameChanges(changes, now) }
	report, err, unwritten := apply.Keep(ctx, w.log, hc, s, files, nil, "agent run", "", want,
		apply.Options{Check: same, User: apply.ServiceUser{Log: w.log, Servers: bootstrap.Connect(hc, s), Settings: s}})
	if len(report.Outcomes) > 0 {
		if unbound := apply.BindRoles(ctx, w.log, bootstrap.Connect(hc, s), s, report); unbound != nil { // a save takes the roles of local scopes away
			w.log.Warn("drift: scopes of APIs may lack roles for a while", "error", unbound)
		}
	}
	return report, errors.Join(err, unwritten)
}
