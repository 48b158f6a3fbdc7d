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

// ErrPermanent says that an error stays until a person changes something: the settings, the file or a server.
var ErrPermanent = errors.New("this needs to be changed by hand")

// ErrApproval says that somebody must approve something in API-M first. A single run fails, as with [ErrPermanent]. An agent that runs
// tries again after a while: nothing that it can see changes then.
var ErrApproval = errors.New("somebody must approve it")

// Permanent marks an error as one that no further try can solve. It does not change the text.
func Permanent(err error) error { return marked{err, true} }

// transient marks an error as one that a further try can solve, although the server's answer alone looks permanent.
func transient(err error) error { return marked{err, false} }

type marked struct {
	error
	permanent bool
}

func (m marked) Unwrap() error        { return m.error }
func (m marked) Is(target error) bool { return m.permanent && target == ErrPermanent }

// isPermanent reports whether no further try can solve an error. The outermost mark decides. Without a mark, the server's answer
// decides (see [wso2.IsPermanent]).
func isPermanent(err error) bool {
	var m marked
	if errors.As(err, &m) {
		return m.permanent
	}
	return errors.Is(err, ErrPermanent) || wso2.IsPermanent(err)
}

// step is one part of a run. It reads the present state and does what is missing, so it can be repeated at any time.
type step struct {
	name    string
	do      func(context.Context) error
	maxWait time.Duration // longest wait between two tries; 0 is that of the settings
}

// perform repeats a step until it succeeds, fails permanently, or ctx ends. Only ctx bounds the time.
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
			last = err // an error that only reports the end of ctx says less than the failure before it
		}
		if isPermanent(err) {
			return backoff.Permanent(err)
		}
		policy.atLeast = wso2.RetryAfter(err)
		return err
	}, backoff.WithContext(policy, ctx), t.failed)
	switch {
	case err == nil:
		return nil
	case isPermanent(err):
		return Permanent(fmt.Errorf("%s: %w", s.name, err))
	case ctx.Err() == nil:
		return fmt.Errorf("%s: %w", s.name, last)
	}
	return fmt.Errorf("%s: gave up after %d attempts: %w; the last failure: %w", s.name, t.attempts, context.Cause(ctx), last)
}

// logAgain is the time after which the log reports a step again that keeps failing. A server takes a minute or two to start.
const logAgain = time.Minute

// trouble logs the failures of a step: the first one, then one a minute, and the success at the end.
type trouble struct {
	log           *slog.Logger
	step          string
	attempts      int
	since, logged time.Time
}

func (t *trouble) failed(err error, wait time.Duration) {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	} else if now.Sub(t.logged) < logAgain {
		return
	}
	t.logged = now
	t.log.Warn("not yet, trying again", "step", t.step, "attempt", t.attempts, "wait", wait.Round(time.Millisecond), "error", err)
}

func (t *trouble) over() {
	if !t.since.IsZero() {
		t.log.Info("works now", "step", t.step, "attempt", t.attempts, "after", time.Since(t.since).Round(time.Millisecond))
	}
}

// backOff returns waits that double after each failure, each up to half shorter or longer at random. They have no end: the
// library's own limit of 15 minutes is off.
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

// patient waits at least as long as the server has asked for.
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

// change makes one change on a server, counts it and logs it. The verification of a key manager counts none.
func (r *run) change(what string, do func() error) error {
	if err := r.changing(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	r.changes++
	r.log.Info(what)
	return nil
}
