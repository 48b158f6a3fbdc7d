package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
)

// errInputChanged ends an attempt because what it works from is no longer true.
var errInputChanged = errors.New("what the desired state is reached from has changed")

// Waits between two attempts. Each verification makes and deletes an application on both servers, so attempts become rare.
// What needs a person is tried again when its input changes, and once in a while in case it was mended where the agent
// cannot see it.
const (
	firstRetry     = 30 * time.Second
	lastRetry      = 15 * time.Minute
	permanentRetry = time.Hour
)

// doubt is the time after which a look that shows trouble is made again, before anything follows from it.
const doubt = 2 * time.Second

// outcome is what an attempt came to.
type outcome struct {
	input input // that it worked from; nil where it could not be read
	err   error
	at    time.Time // when the attempt ended
	until time.Time // when another attempt with the same input is worth while; zero is never
}

// stands reports whether another attempt would only come to the same again, or comes too early: what a peer changes counts once
// in pause, since a peer could change it all the time. If it does not stand because of a change, because names what changed.
func (o outcome) stands(now input, pause time.Duration) (stands bool, because []string) {
	if o.input == nil || !o.until.IsZero() && !time.Now().Before(o.until) {
		return false, nil
	}
	own, peers := o.input.changes(now)
	if len(own) == 0 && (len(peers) == 0 || time.Since(o.at) < pause) {
		return true, nil
	}
	return false, append(own, peers...)
}

// keepState brings the servers to the desired state whenever something that it depends on has changed, or a look at the
// servers shows that they no longer have it, until ctx ends.
func (a Agent) keepState(ctx context.Context, health *telemetry.Health) {
	k := &stateKeeper{health: health, poll: a.cfg.Poll, pause: a.cfg.Reconcile}
	k.changes = a.watch(a.stateFolders()...).Changes(ctx)
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstRetry), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(lastRetry), backoff.WithMaxElapsedTime(0))
	var last outcome
	for {
		k.beat()
		now, fresh := k.reached(ctx, &a, last)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(now.err, errInputChanged):
			a.log.Info("starting over", "because", now.err.Error())
			continue
		case fresh && now.err != nil:
			wait := waits.NextBackOff().Round(time.Second)
			if errors.Is(now.err, bootstrap.ErrPermanent) {
				wait = permanentRetry
			}
			now.until = time.Now().Add(wait)
			a.log.Error("the desired state is not reached; trying again when something that it depends on changes, or later", "wait", wait.String(), "error", now.err)
		}
		last = now
		var again <-chan time.Time
		if now.err == nil {
			waits.Reset()
			k.tellReached()
			a.advise(health)
		} else {
			health.Set(bootstrapCondition, false, now.err.Error())
			again = time.After(time.Until(now.until))
		}
		if !waitFor(ctx, k.changes, again, min(k.poll, k.pause), k.beat, k.lookDue) {
			return
		}
		if k.lookDue() && k.look(ctx, a, last.err == nil) {
			last = outcome{}
		}
	}
}

// stateFolders are the folders in which a change can concern the desired state.
func (a Agent) stateFolders() []string {
	folders := []string{filepath.Dir(a.cfg.APIConfig), ControlDir(a.cfg), filepath.Dir(a.cfg.KeysFile)}
	if a.cfg.TLSCAFile != "" { // the folder of an empty path is the process's own, in a container the root, where /proc changes all the time
		folders = append(folders, filepath.Dir(a.cfg.TLSCAFile))
	}
	return folders
}

func never() bool { return false }

// sleep reports whether ctx still lasts after a time.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// stateKeeper is what keepState works with.
type stateKeeper struct {
	health     *telemetry.Health
	changes    <-chan struct{}
	poll       time.Duration
	pause      time.Duration // between two looks, and between two attempts that only peers cause
	connection connection    // of looks
	looked     time.Time
	seen       bootstrap.Sight // at the last look
}

func (k *stateKeeper) beat() { k.health.Beat(bootstrapCondition) }

func (k *stateKeeper) lookDue() bool { return time.Since(k.looked) >= k.pause }

// look looks at both servers, and reports whether the desired state must be reached again. reached says that it was: only then
// is there anything that the servers could have lost, and a password that they have accepted.
func (k *stateKeeper) look(ctx context.Context, a Agent, reached bool) (again bool) {
	hc, err := k.connection.to(a)
	if err != nil {
		return true // the attempt says why
	}
	settings, made := a.settings(), bootstrap.Made{}
	if reached {
		keys, _ := file.Read(a.cfg.KeysFile, configLimit) // without them nothing was made
		made = bootstrap.MadeBefore(keys)
	}
	var seen bootstrap.Sight
	servers := bootstrap.Connect(hc, settings)
	whileBeating(k.beat, k.poll, func() {
		seen = bootstrap.Look(ctx, servers, settings, made)
		if seen.Trouble() != nil && k.seen.Trouble() == nil && sleep(ctx, doubt) { // one lost answer is no restart
			seen = bootstrap.Look(ctx, servers, settings, made)
		}
	})
	if ctx.Err() != nil {
		return false
	}
	events, again := seen.Since(k.seen)
	for _, e := range events {
		switch {
		case e.Good:
			a.log.Info(e.Text)
		case e.Err != nil:
			a.log.Warn(e.Text, "error", e.Err)
		default:
			a.log.Warn(e.Text)
		}
	}
	k.looked, k.seen = time.Now(), seen
	return again
}

// tellReached says that the state is reached, unless the last look has shown that it no longer holds.
func (k *stateKeeper) tellReached() {
	if trouble := k.seen.Trouble(); trouble != nil {
		k.health.Set(bootstrapCondition, false, trouble.Error())
		return
	}
	k.health.Set(bootstrapCondition, true, "the desired state is reached and proved")
}

// reached makes an attempt, unless the last outcome still stands: then it returns that, and fresh is false.
func (k *stateKeeper) reached(ctx context.Context, a *Agent, last outcome) (now outcome, fresh bool) {
	if err := a.reload(); err != nil {
		if last.err != nil && last.err.Error() == err.Error() && time.Now().Before(last.until) {
			return last, false
		}
		return outcome{err: err}, true
	}
	stands, because := last.stands(a.input(ctx), k.pause)
	if stands {
		return last, false
	}
	if because != nil {
		a.log.Info("reaching the desired state again", "because", "changed: "+strings.Join(because, ", "))
	}
	in, err := k.attempt(ctx, *a)
	k.looked, k.seen = time.Now(), bootstrap.Sight{} // an attempt has looked more closely
	return outcome{input: in, err: err, at: time.Now()}, true
}

// attempt waits until the servers trust each other, and then tries to reach the desired state until it is reached.
// It returns the input that it worked from; errInputChanged says that this is no longer the one there is.
func (k *stateKeeper) attempt(ctx context.Context, a Agent) (in input, err error) {
	tell := func(doing string) { k.health.Set(bootstrapCondition, false, doing) }
	tell("waiting until both running servers trust each other")
	if err := k.while(ctx, func() error { return nil }, a.awaitTrust); err != nil {
		return nil, err
	}
	if err := a.reload(); err != nil { // waiting may have taken long
		return nil, err
	}
	in = a.input(ctx)
	// What a peer changes meanwhile does not end the attempt, which works with it anyway.
	changed := func() error {
		now := a
		if now.reload() != nil {
			return nil
		}
		if own, _ := in.changes(now.input(ctx)); len(own) > 0 {
			return fmt.Errorf("%w: %s", errInputChanged, strings.Join(own, ", "))
		}
		return nil
	}
	return in, k.while(ctx, changed, func(ctx context.Context) error { return a.reach(ctx, tell) })
}

// while does work and beats meanwhile. It cancels the work when something has changed and stale returns why that matters,
// and then returns that.
func (k *stateKeeper) while(ctx context.Context, stale func() error, work func(context.Context) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var why error
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for why == nil && waitFor(ctx, k.changes, nil, k.poll, func() {}, never) {
			why = stale()
		}
		cancel(why)
	})
	whileBeating(k.beat, k.poll, func() { err = work(ctx) })
	cancel(nil)
	watcher.Wait()
	return cmp.Or(why, err)
}

// input is everything from which the desired state is reached, by parts.
type input []part

// part is one of them: what it is called in the log, and what it comes to.
type part struct {
	name, is string
	peers    bool // a peer changes it
}

// changes returns the names of the parts that differ, those that a peer changes apart. Both inputs have the same parts, unless
// the settings name other servers now.
func (before input) changes(now input) (own, peers []string) {
	for _, p := range now {
		if slices.Contains(before, p) {
			continue
		}
		if p.peers {
			peers = append(peers, p.name)
		} else {
			own = append(own, p.name)
		}
	}
	return own, peers
}

// input reads the API configuration, the secrets, whether the keys can be written, the servers' certificates, whether the peers
// trust this server, and what this server was started with, since one that comes up may have other settings, or have lost
// what it had. Of a peer that comes up a look tells.
func (a Agent) input(ctx context.Context) (in input) {
	add := func(peers bool, name, format string, values ...any) {
		in = append(in, part{name, fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, format, values...))), peers})
	}
	for _, path := range []string{a.cfg.APIConfig, a.cfg.TLSCAFile} {
		data, err := file.Read(path, configLimit)
		add(false, cmp.Or(path, "TLS_CA_FILE"), "%x %v", sha256.Sum256(data), err)
	}
	add(false, "AM_ADMIN_PASS", "%q", a.cfg.AMAdminPass)
	add(false, "IS_ADMIN_PASS", "%q", a.cfg.ISAdminPass)
	add(false, "whether KEYS_FILE can be written", "%v", a.keysFolder())
	for _, name := range append([]string{a.cfg.ServerName}, a.cfg.Peers...) {
		certs, err := a.exchange().Certificates(ctx, name)
		var prints []string
		for _, c := range certs {
			prints = append(prints, c.Fingerprint().String())
		}
		add(name != a.cfg.ServerName, "the certificate of "+name, "%q %v", prints, err)
	}
	for _, name := range a.cfg.Peers {
		trusts, err := a.runningTrusts(ctx, name, a.cfg.ServerName)
		add(true, "whether the running "+name+" trusts "+a.cfg.ServerName, "%v %v", trusts, err)
	}
	started, known, err := a.restarter().Started(ctx)
	add(false, "a start of "+a.cfg.ServerName, "%d %d %v %v", started.PID, started.Since.UnixNano(), known, err)
	return in
}
