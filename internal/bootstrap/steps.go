package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/wso2"
)

// ErrPermanent is wrapped by an error that stays until a person changes something: the settings, the file, a server.
var ErrPermanent = errors.New("this needs to be changed by hand")

// permanent marks an error as one that no further try can help. Its text stays as it is.
func permanent(err error) error { return marked{err, true} }

// transient marks an error as one that passes, though the server's answer alone looks permanent.
func transient(err error) error { return marked{err, false} }

type marked struct {
	error
	permanent bool
}

func (m marked) Unwrap() error        { return m.error }
func (m marked) Is(target error) bool { return m.permanent && target == ErrPermanent }

// isPermanent: the outermost mark decides, and without one the client's judgement of the answer.
func isPermanent(err error) bool {
	var m marked
	if errors.As(err, &m) {
		return m.permanent
	}
	return wso2.IsPermanent(err)
}

// step is one part of a run. It looks at what is there and does what is missing, so it can be repeated at any time.
type step struct {
	name    string
	do      func(context.Context) error
	maxWait time.Duration // longest wait between two tries; 0 is the settings'
}

// perform does a step until it succeeds, fails for good, or the context ends; only the context bounds how long.
func (r *run) perform(ctx context.Context, s step) error {
	policy := &patient{BackOff: r.backOff(s)}
	var last error
	t := trouble{log: r.log, step: s.name}
	err := backoff.RetryNotify(func() error {
		t.attempts++
		err := s.do(ctx)
		if err == nil {
			t.over()
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // what the end of the context cut short tells less than the failure before it
		}
		if isPermanent(err) {
			return backoff.Permanent(err)
		}
		policy.atLeast = wso2.RetryAfter(err)
		return err
	}, backoff.WithContext(policy, ctx), t.tell)
	switch {
	case err == nil:
		return nil
	case isPermanent(err):
		return permanent(fmt.Errorf("%s: %w", s.name, err))
	case ctx.Err() == nil:
		return fmt.Errorf("%s: %w", s.name, last)
	}
	return fmt.Errorf("%s: gave up after %d attempts: %w; the last failure: %w", s.name, t.attempts, context.Cause(ctx), last)
}

// tellAgain is how often a step that keeps failing is told again. A server takes a minute or two to start.
const tellAgain = time.Minute

// trouble tells of a step that fails: of the first failure, of one a minute after that, and of its end.
type trouble struct {
	log         *slog.Logger
	step        string
	attempts    int
	since, told time.Time
}

func (t *trouble) tell(err error, wait time.Duration) {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	} else if now.Sub(t.told) < tellAgain {
		return
	}
	t.told = now
	t.log.Warn("not yet, trying again", "step", t.step, "attempt", t.attempts, "wait", wait.Round(time.Millisecond), "error", err)
}

func (t *trouble) over() {
	if !t.since.IsZero() {
		t.log.Info("works now", "step", t.step, "attempt", t.attempts, "after", time.Since(t.since).Round(time.Millisecond))
	}
}

// backOff waits twice as long after each failure, each wait up to half shorter or longer by chance. The library's own
// limit of 15 minutes is lifted.
func (r *run) backOff(s step) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = r.RetryFirst
	b.Multiplier = 2
	b.RandomizationFactor = 0.5
	b.MaxInterval = r.RetryMax
	if s.maxWait > 0 {
		b.MaxInterval = min(s.maxWait, r.RetryMax)
	}
	b.MaxElapsedTime = 0
	b.Reset()
	return b
}

// patient never waits less than the server asked for.
type patient struct {
	backoff.BackOff
	atLeast time.Duration
}

func (p *patient) NextBackOff() time.Duration {
	next := p.BackOff.NextBackOff()
	if next == backoff.Stop {
		return next
	}
	return max(next, p.atLeast)
}

// change makes one change on a server, counts it and tells of it. All changes go through here, except what proving
// needs.
func (r *run) change(what string, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	r.result.Changes++
	r.log.Info(what)
	return nil
}
