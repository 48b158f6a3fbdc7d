package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
)

// errInputChanged ends an attempt because what it works from is no longer true.
var errInputChanged = errors.New("something that the desired state depends on has changed")

// retryState is how long keepState waits after an attempt that failed for a reason that may pass.
const retryState = time.Minute

// keepState brings the servers to the desired state whenever something that it depends on has changed, until ctx ends.
// What needs a person is tried again when its input has changed, and not before.
func (a Agent) keepState(ctx context.Context, health *telemetry.Health) {
	k := stateKeeper{health: health, poll: a.cfg.Poll}
	k.changes = a.watch(filepath.Dir(a.cfg.APIConfig), a.cfg.ExchangeDir, ControlDir(a.cfg)).Changes(ctx)
	var done string // the input for which nothing is left to do
	for {
		k.beat()
		err := a.reload()
		input := a.input(ctx)
		if err == nil && input != done {
			input, err = k.attempt(ctx, a)
		}
		var again <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errInputChanged):
			a.log.Info("starting over", "because", err.Error())
			continue
		case errors.Is(err, bootstrap.ErrPermanent):
			done = input
			health.Set(bootstrapCondition, false, err.Error())
			a.log.Error("the desired state cannot be reached; trying again when the API configuration, a secret or a server changes", "error", err)
		case err != nil:
			health.Set(bootstrapCondition, false, err.Error())
			a.log.Error("the desired state is not reached, trying again", "wait", retryState.String(), "error", err)
			again = time.After(retryState)
		case input != done:
			done = input
			health.Set(bootstrapCondition, true, "the desired state is reached and proved")
		}
		if !waitFor(ctx, k.changes, again, a.cfg.Poll, k.beat, never) {
			return
		}
	}
}

func never() bool { return false }

// stateKeeper is what keepState works with.
type stateKeeper struct {
	health  *telemetry.Health
	changes <-chan struct{}
	poll    time.Duration
}

func (k stateKeeper) beat() { k.health.Beat(bootstrapCondition) }

// attempt waits until the servers trust each other, and then tries to reach the desired state until it is reached.
// It returns the input that it worked from; errInputChanged says that this is no longer the one there is.
func (k stateKeeper) attempt(ctx context.Context, a Agent) (input string, err error) {
	tell := func(doing string) { k.health.Set(bootstrapCondition, false, doing) }
	tell("waiting until both running servers trust each other")
	if err := k.while(ctx, never, a.awaitTrust); err != nil {
		return "", err
	}
	input = a.input(ctx)
	changed := func() bool { return a.input(ctx) != input }
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
	for {
		select {
		case err := <-result:
			return err
		case <-tick.C:
			k.beat()
		case <-k.changes:
			if ctx.Err() == nil && stale() {
				cancel(errInputChanged)
				<-result
				return errInputChanged
			}
		}
	}
}

// input names everything from which the desired state is reached: the API configuration, the secrets, the servers'
// certificates, and the own server's start, since a server that comes up may have lost what it had.
func (a Agent) input(ctx context.Context) string {
	h := sha256.New()
	for _, path := range []string{a.cfg.APIConfig, a.cfg.TLSCAFile} {
		data, err := file.Read(path, configLimit)
		fmt.Fprintf(h, "%s %x %v\n", path, sha256.Sum256(data), err)
	}
	fmt.Fprintf(h, "%q %q\n", a.cfg.AMAdminPass, a.cfg.ISAdminPass)
	for _, name := range append([]string{a.cfg.ServerName}, a.cfg.Peers...) {
		certs, err := a.exchange().Certificates(ctx, name)
		fmt.Fprintf(h, "%s %v\n", name, err)
		for _, c := range certs {
			fmt.Fprintln(h, c.Fingerprint())
		}
	}
	started, known, err := a.restarter().Started(ctx)
	fmt.Fprintln(h, started.PID, started.Since.UnixNano(), known, err)
	return fmt.Sprintf("%x", h.Sum(nil))
}
