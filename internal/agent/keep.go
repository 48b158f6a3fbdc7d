package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
)

// errInputChanged ends an attempt because what it works from is no longer true.
var errInputChanged = errors.New("something that the desired state depends on has changed")

// Waits between two attempts. Proving needs a token, and a new token ends the one that the application had before, so
// attempts become rare. What needs a person is tried again when its input changes, and once in a while in case it was
// mended where the agent cannot see it.
const (
	firstRetry     = 30 * time.Second
	lastRetry      = 15 * time.Minute
	permanentRetry = time.Hour
)

// outcome is what an attempt came to.
type outcome struct {
	input string // that it worked from; empty where it could not be read
	err   error
	until time.Time // when another attempt with the same input is worth while; zero is never
}

// stands tells whether an attempt with the given input would only come to the same again.
func (o outcome) stands(input string) bool {
	return o.input == input && (o.until.IsZero() || time.Now().Before(o.until))
}

// keepState brings the servers to the desired state whenever something that it depends on has changed, until ctx ends.
func (a Agent) keepState(ctx context.Context, health *telemetry.Health) {
	k := stateKeeper{health: health, poll: a.cfg.Poll}
	k.changes = a.watch(a.stateFolders()...).Changes(ctx)
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstRetry), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(lastRetry), backoff.WithMaxElapsedTime(0))
	var last outcome
	for {
		k.beat()
		now, fresh := k.look(ctx, &a, last)
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
			health.Set(bootstrapCondition, true, "the desired state is reached and proved")
			a.advise(health)
		} else {
			health.Set(bootstrapCondition, false, now.err.Error())
			again = time.After(time.Until(now.until))
		}
		if !waitFor(ctx, k.changes, again, a.cfg.Poll, k.beat, never) {
			return
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

// stateKeeper is what keepState works with.
type stateKeeper struct {
	health  *telemetry.Health
	changes <-chan struct{}
	poll    time.Duration
}

func (k stateKeeper) beat() { k.health.Beat(bootstrapCondition) }

// look makes an attempt, unless the last outcome still stands: then it returns that, and fresh is false.
func (k stateKeeper) look(ctx context.Context, a *Agent, last outcome) (now outcome, fresh bool) {
	if err := a.reload(); err != nil {
		return outcome{err: err}, true
	}
	if last.stands(a.input(ctx)) {
		return last, false
	}
	input, err := k.attempt(ctx, *a)
	return outcome{input: input, err: err}, true
}

// attempt waits until the servers trust each other, and then tries to reach the desired state until it is reached.
// It returns the input that it worked from; errInputChanged says that this is no longer the one there is.
func (k stateKeeper) attempt(ctx context.Context, a Agent) (input string, err error) {
	tell := func(doing string) { k.health.Set(bootstrapCondition, false, doing) }
	tell("waiting until both running servers trust each other")
	if err := k.while(ctx, never, a.awaitTrust); err != nil {
		return "", err
	}
	if err := a.reload(); err != nil { // waiting may have taken long
		return "", err
	}
	input = a.input(ctx)
	changed := func() bool {
		now := a
		return now.reload() == nil && now.input(ctx) != input
	}
	return input, k.while(ctx, changed, func(ctx context.Context) error { return a.reach(ctx, tell) })
}

// while does work, beating meanwhile, and ends it early when something has changed and stale says that it matters.
func (k stateKeeper) while(ctx context.Context, stale func() bool, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := make(chan error, 1)
	go func() { result <- work(ctx) }()
	tick := time.NewTicker(k.poll)
	defer tick.Stop()
	changes := k.changes
	for {
		select {
		case err := <-result:
			return err
		case <-tick.C:
			k.beat()
		case _, open := <-changes:
			if !open { // the agent is stopping, and the work too
				changes = nil
			} else if stale() {
				cancel(errInputChanged)
				<-result
				return errInputChanged
			}
		}
	}
}

// input names everything from which the desired state is reached: the API configuration, the secrets, whether the keys
// can be written, the servers' certificates, and what the servers were started with, since one that comes up may have
// other settings, or have lost what it had.
func (a Agent) input(ctx context.Context) string {
	h := sha256.New()
	for _, path := range []string{a.cfg.APIConfig, a.cfg.TLSCAFile} {
		data, err := file.Read(path, configLimit)
		fmt.Fprintf(h, "%s %x %v\n", path, sha256.Sum256(data), err)
	}
	fmt.Fprintf(h, "%q %q %v\n", a.cfg.AMAdminPass, a.cfg.ISAdminPass, a.keysFolder())
	for _, name := range append([]string{a.cfg.ServerName}, a.cfg.Peers...) {
		certs, err := a.exchange().Certificates(ctx, name)
		fmt.Fprintf(h, "%s %v\n", name, err)
		for _, c := range certs {
			fmt.Fprintln(h, c.Fingerprint())
		}
	}
	for _, name := range a.cfg.Peers {
		said, err := a.exchange().Trusts(ctx, name)
		fmt.Fprintln(h, name, said.Generation, err)
	}
	started, known, err := a.restarter().Started(ctx)
	fmt.Fprintln(h, started.PID, started.Since.UnixNano(), known, err)
	return fmt.Sprintf("%x", h.Sum(nil))
}
