package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// restarter is a way of restarting the server.
type restarter interface {
	// Request asks for a server that runs with the given generation. Asking again is free.
	Request(ctx context.Context, generation string) error
	// Hold keeps off a restart for the generation on disk: a server that runs with running goes on.
	Hold(ctx context.Context, running, onDisk string) error
	// Started tells what the running server started with; ok is false where that cannot be known.
	Started(ctx context.Context) (s notify.Started, ok bool, err error)
}

// Names of the conditions that make a running agent ready.
const (
	trustCondition     = "trust"
	restartCondition   = "restart"
	identityCondition  = "identity"
	bootstrapCondition = "bootstrap"
	// These are advisory.
	scopesCondition     = "scopes"
	securityCondition   = "security"
	artifactsCondition  = "artifacts"
	revocationCondition = "revocation"
	importsCondition    = "imports"
)

// Run stays beside the server until ctx ends: it keeps trust and, through the restarter, the running server in step
// with what is on disk, and beside API-M the desired state too. Nothing that goes wrong ends it: it says so, is not
// ready, and tries again.
func (a Agent) Run(ctx context.Context) error {
	conditions := []string{trustCondition, restartCondition, identityCondition}
	if a.cfg.Bootstrap {
		conditions = append(conditions, bootstrapCondition)
	}
	health := telemetry.NewHealth(4*a.cfg.Poll+time.Minute, conditions...)
	listening, err := health.Serve(ctx, a.cfg.ListenAddr)
	if err != nil {
		return err
	}
	a.log.Info("agent running", "product", a.cfg.Product, "server", a.cfg.ServerName, "peers", a.cfg.Peers, "health", "http://"+listening)
	a.tellMounts(file.ReadMounts())
	var loops sync.WaitGroup
	if asksIS := a.cfg.Product == config.IS || len(a.cfg.Peers) > 0; asksIS {
		health.Advise(scopesCondition, false, "not yet known")
		health.Advise(securityCondition, false, "not yet known")
		loops.Go(func() { a.keepSecurity(ctx, health) })
		if a.looksAfterScopes() {
			loops.Go(func() { a.keepScopes(ctx, health) })
		}
	}
	if a.keepsArtifacts() {
		loops.Go(func() { a.keepArtifacts(ctx, health) })
	}
	loops.Go(func() { a.keepTrust(ctx, health) })
	if a.cfg.Product == config.IS {
		loops.Go(func() { a.keepListener(ctx) })
	}
	if a.cfg.Bootstrap {
		loops.Go(func() { a.keepState(ctx, health) })
	}
	loops.Wait()
	a.log.Info("agent stopped")
	return nil
}

// errIdentity says that the own certificate is in trouble, and nothing else: trust holds, and the server may start.
var errIdentity = errors.New("the server keeps the TLS certificate that it has")

func (a Agent) restarter() restarter {
	if a.supervised() {
		return notify.Exec{Control: a.control()}
	}
	return notify.None{Control: a.control(), Log: a.log, Container: a.cfg.Container()}
}

// keepTrust does a pass whenever something has changed, and after a failure again and again, less often each time.
func (a Agent) keepTrust(ctx context.Context, health *telemetry.Health) {
	changes := a.watch(a.trustFolders()...).Changes(ctx)
	r := a.restarter()
	if a.keepsNotices() {
		countGap(health, outage{}, 0)
	}
	k := trustKeeper{health: health, restarter: r, patience: time.Now().Add(a.cfg.InitTimeout), ready: func() bool { return a.upgrade.ready() || a.listener.ready() }}
	const firstRetry, lastRetry = time.Second, time.Minute
	retry := firstRetry
	for {
		health.Beat("trust")
		err := a.reload()
		if err == nil {
			err = k.once(ctx, a)
		}
		var again <-chan time.Time
		if err != nil && !ended(ctx, err) {
			if !errors.Is(err, errIdentity) {
				health.Set(trustCondition, false, err.Error())
			}
			if waits(err) {
				k.tellWait(a, err)
				again = time.After(a.cfg.Poll)
			} else {
				a.log.Error("certificates are not in step, trying again", "wait", retry.String(), "error", err)
				again = time.After(retry)
				retry = min(2*retry, lastRetry)
			}
		} else {
			retry, k.busy = firstRetry, ""
		}
		if !waitFor(ctx, changes, again, a.cfg.Poll, func() { health.Beat("trust"); a.keepName(ctx) }, k.due) {
			return
		}
	}
}

// waitFor waits for a change, for again, or until due says so; beat is called on the way. It is false when ctx ends.
func waitFor(ctx context.Context, changes <-chan struct{}, again <-chan time.Time, every time.Duration, beat func(), due func() bool) bool {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changes:
			return ctx.Err() == nil
		case <-again:
			return true
		case <-tick.C:
			beat()
			if due() {
				return true
			}
		}
	}
}

// trustKeeper is what keepTrust remembers from one pass to the next.
type trustKeeper struct {
	health    *telemetry.Health
	restarter restarter
	patience  time.Time       // until when a restart waits for the peers that are still missing
	held      bool            // a restart is waiting
	asked     string          // the generation that was last asked for
	looked    time.Time       // when the last pass was, by the clock as it was then
	wake      time.Time       // when something is to be done by the clock alone; zero for never
	waits     string          // the peers that a switch to a new certificate was last said to wait for
	expiring  string          // the certificates that were last told to expire
	pressed   string          // the certificate that was last switched to without every peer's trust
	identity  string          // what is to be said of TLS_MODE, as it was last told
	kept      string          // the settings, made otherwise by somebody, that were last told of
	refused   string          // the certificates with which the server did not start that were last told of
	paced     map[string]bool // the peers whose certificates change too often that were told of
	ready     func() bool     // tells whether a setting that waits can change now
	upgrade   time.Time       // since when it waits; zero while it does not
	busy      string          // who was last said to be waited for
	starts    bool            // the server was seen to start, and has not been seen to serve since
	claimed   trust.Claims
	over      []string  // peers whose claim of the turn to restart has ended without a word of them
	again     bool      // another pass is to follow at once
	outages   outages   // of the server
	queue     string    // the peers for whose restart the own one was last said to wait
	queued    time.Time // since when it waits for any; zero while it does not
}

func (k *trustKeeper) due() bool {
	now := time.Now()
	if now.Before(k.looked) { // the clock was put back, and wake goes by the one before
		return true
	}
	if k.ready != nil && k.ready() {
		return true
	}
	return k.held && now.After(k.patience) || !k.wake.IsZero() && now.After(k.wake)
}

// tellWait says what a pass waits for, once.
func (k *trustKeeper) tellWait(a Agent, err error) {
	if text := err.Error(); text != k.busy {
		a.log.Warn("waiting, nothing is changed meanwhile", "for", text)
		k.busy = text
	}
}

// once does one pass, and what follows from it for the server, alone; and another one if this one has got the turn to
// restart: what peers have said before they left it to this agent is to be read first.
func (k *trustKeeper) once(ctx context.Context, a Agent) error {
	for {
		k.again = false
		err := a.alone(ctx, func(a Agent) error { return k.step(ctx, a) })
		if !k.again {
			return err
		}
	}
}

// step is once without the lock.
func (k *trustKeeper) step(ctx context.Context, a Agent) error {
	k.looked, k.wake = time.Now().Round(0), time.Time{} // as the clock shows it: what time.Now measures cannot be put back
	started, known, err := k.restarter.Started(ctx)
	if err != nil {
		return err
	}
	k.tellGap(a, started)
	v, err := a.pass(ctx, &started)
	if err != nil {
		return err
	}
	if waits := v.closing.AllScopes == trust.AllScopesWaits; a.upgrade.waits.Swap(waits) != waits && waits {
		a.log.Info("authorize_all_scopes stays on in IS until all applications are authorized for the scopes of their APIs; one restart follows", "server", a.cfg.ServerName)
	}
	if kept := fmt.Sprint(v.kept); kept != k.kept {
		a.tellKept(v.kept)
		k.kept = kept
	}
	if told := fmt.Sprint(v.identity.refused, v.identity.missing); told != k.identity {
		a.tellIdentity(v.identity)
		k.identity = told
	}
	if refused := fmt.Sprint(v.withheld.refused); refused != k.refused {
		a.tellRefused(v.withheld)
		k.refused = refused
	}
	k.paced = a.tellPaced(v.withheld, k.paced, k.looked)
	k.health.Advise(importsCondition, v.withheld.String() == "", cmp.Or(v.withheld.String(), "every certificate that peers publish is imported"))
	k.tellExpiries(a, v)
	if len(v.missing) > 0 && a.cfg.InitOnTimeout != "start" { // else init has waited long enough
		k.health.Set(trustCondition, false, "waiting for the certificate of "+strings.Join(v.missing, ", "))
	} else {
		k.health.Set(trustCondition, true, fmt.Sprintf("own certificate published, %d trusted", len(v.managed)))
	}
	k.health.Set(identityCondition, v.identity.trouble == nil, v.identity.String())
	// What keeps the own identity from being renewed keeps nothing else from its work, and is tried again.
	if err := k.follow(ctx, a, v, started, known); err != nil || v.identity.trouble == nil {
		return err
	}
	return fmt.Errorf("%w: %w", errIdentity, v.identity.trouble)
}

// follow brings the server in step with what is on disk.
func (k *trustKeeper) follow(ctx context.Context, a Agent, v view, started notify.Started, known bool) error {
	k.held = false
	v, held, err := k.rotate(ctx, a, v, started)
	if err != nil || held {
		return err
	}
	inStep, starting := known && started.Generation == v.generation, known && started.Serves == notify.ServesNot
	switch {
	case inStep && !starting:
		return k.inStep(ctx, a, v)
	case inStep:
		k.starts = true
		k.health.Set(restartCondition, false, "the server has started with what is on disk, and does not serve yet")
		return k.withdraw(ctx, a, v)
	case starting && k.asked == v.generation: // it is about to stop
		return nil
	case starting && time.Since(started.Since) < a.cfg.RotateTimeout:
		// A start that is ended halfway is time lost. One restart then serves for all that comes meanwhile.
		k.wake = earliest(k.wake, started.Since.Add(a.cfg.RotateTimeout))
		return k.hold(ctx, a, v, started, "a restart is due, and waits until the server serves")
	case k.upgrading(a, v, started, known):
		// One restart then serves for all settings.
		k.wake = earliest(k.wake, k.upgrade.Add(a.cfg.RotateTimeout))
		if err := k.hold(ctx, a, v, started, "a restart is due, and waits until all applications are authorized for the scopes of APIs"); err != nil {
			return err
		}
		if !a.supervised() {
			k.health.Set(restartCondition, true, "a restart by hand is due when all applications are authorized for the scopes of APIs")
		}
		return nil
	case len(v.missing) > 0 && time.Now().Before(k.patience):
		// One restart then serves for all peers. Later than that the ones that came count.
		k.held = true
		return k.hold(ctx, a, v, started, "a restart is due, and waits for the missing peers")
	case !known || !a.supervised(): // nobody can tell whether a server runs, or restart it
		if err := k.request(ctx, a, v, known); err != nil {
			return err
		}
		return k.leaveTurn(ctx, a)
	}
	has, fresh, err := k.takeTurn(ctx, a, v)
	switch {
	case err != nil:
		return err
	case fresh:
		k.again = true
		return nil
	case has:
		return k.request(ctx, a, v, known)
	}
	if err := k.restarter.Hold(ctx, started.Generation, v.generation); err != nil {
		return fmt.Errorf("hold the restart of the server: %w", err)
	}
	k.asked = ""
	k.health.Set(restartCondition, false, "a restart is due, and waits until others serve again: "+k.queue)
	return nil
}

// upgrading reports whether the restart of a running IS waits because one more setting is about to change:
// authorize_all_scopes, once all applications are authorized. It waits for as long as a rotation waits for a peer.
func (k *trustKeeper) upgrading(a Agent, v view, started notify.Started, known bool) bool {
	if v.closing.AllScopes != trust.AllScopesWaits {
		k.upgrade = time.Time{}
		return false
	}
	if k.upgrade.IsZero() {
		k.upgrade = time.Now()
	}
	runs := known && started.PID != 0 || !a.supervised()
	return runs && time.Since(k.upgrade) < a.cfg.RotateTimeout
}

// earliest is the earlier one of two times, of which zero stands for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// inStep acknowledges to the peers what the running server trusts. It serves with that, so its turn to restart is over.
func (k *trustKeeper) inStep(ctx context.Context, a Agent, v view) error {
	if a.supervised() {
		if err := a.keepServed(ctx, v.own); err != nil {
			return err
		}
	}
	changed, err := a.exchange().Acknowledge(trust.Trusts{Generation: v.generation, Fingerprints: v.managed.Fingerprints()})
	if err != nil {
		return err
	}
	if changed || k.asked != "" || k.starts {
		a.log.Info("the running server trusts what is on disk", "server", a.cfg.ServerName, "generation", v.generation, "trusts", len(v.managed))
	}
	k.waits, k.starts = "", false
	k.health.Set(restartCondition, true, "the server runs with what is on disk")
	return k.withdraw(ctx, a, v)
}

// withdraw takes back a wish for a server with something else than is on disk, and leaves the turn to restart to others.
func (k *trustKeeper) withdraw(ctx context.Context, a Agent, v view) error {
	if err := k.restarter.Request(ctx, v.generation); err != nil {
		return fmt.Errorf("withdraw a restart of the server: %w", err)
	}
	k.asked = ""
	return k.leaveTurn(ctx, a)
}

// request asks for a restart, once for each generation.
func (k *trustKeeper) request(ctx context.Context, a Agent, v view, known bool) error {
	if k.asked == v.generation {
		return nil
	}
	if err := k.restarter.Request(ctx, v.generation); err != nil {
		return fmt.Errorf("ask for a restart of the server: %w", err)
	}
	k.asked = v.generation
	switch {
	case !a.supervised():
		// Nothing could ever confirm it: people were told, and that is all.
		k.health.Set(restartCondition, true, "not known, since RESTART is none: the log says when a restart by hand is due")
		return nil
	case known:
		k.health.Set(restartCondition, false, "a restart is asked for and not yet done")
	default: // in a pod the sidecar is there first
		k.health.Set(restartCondition, false, "the server has not started yet, or not under agent exec: run it so, or set RESTART=none and restart it by hand")
		a.log.Info("no agent exec has told of a start of the server yet", "server", a.cfg.ServerName, "generation", v.generation)
		return nil
	}
	a.log.Info("restart of the server asked for", "server", a.cfg.ServerName, "generation", v.generation)
	return nil
}
