package bootstrap

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Waits between two attempts. Each verification makes and deletes an application on both servers, so attempts become rare.
// After a permanent error the agent tries again when the input changes. It also tries once an hour, in case a person fixed
// something that the agent cannot see.
const (
	firstAttempt     = 30 * time.Second
	lastAttempt      = 15 * time.Minute
	permanentAttempt = time.Hour
)

// Outcome is the outcome of an attempt to reach the desired state. The zero value stands for no attempt.
type Outcome struct {
	Input Input // that the attempt used; nil if the agent could not read it
	Err   error
	At    time.Time // when the attempt ended
	Until time.Time // when another attempt with the same input is useful; zero is never
}

// Stands reports whether another attempt would only lead to the same outcome, or is too early: what a peer changes counts
// once in pause, because a peer could change it all the time. If the outcome does not stand because of a change, because
// names what has changed.
func (o Outcome) Stands(now Input, clock time.Time, pause time.Duration) (stands bool, because []string) {
	if o.Input == nil || o.due(clock) {
		return false, nil
	}
	own, peers := o.Input.Changes(now)
	if len(own) == 0 && (len(peers) == 0 || clock.Sub(o.At) < pause) {
		return true, nil
	}
	return false, append(own, peers...)
}

func (o Outcome) due(clock time.Time) bool { return !o.Until.IsZero() && !clock.Before(o.Until) }

// Attempts remembers the last attempt, and knows when another one is due. Use [NewAttempts].
type Attempts struct {
	log   *slog.Logger
	pause time.Duration
	waits *backoff.ExponentialBackOff
	last  Outcome
	made  bool
}

// NewAttempts returns Attempts before the first attempt. pause is the time in which changes of peers count once.
func NewAttempts(log *slog.Logger, pause time.Duration) *Attempts {
	return &Attempts{log: log, pause: pause, waits: backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstAttempt), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(lastAttempt), backoff.WithMaxElapsedTime(0))}
}

// Due reports whether an attempt with this input is due, and logs what has changed.
func (a *Attempts) Due(in Input, clock time.Time) bool {
	stands, because := a.last.Stands(in, clock, a.pause)
	if because != nil {
		a.log.Info("reaching the desired state again", "because", "changed: "+listed(because))
	}
	return !stands
}

// Ended notes the end of an attempt, and logs a failure. The next attempt with the same input is due 30 s after a first
// failure, up to 15 minutes after later ones, and one hour after a permanent error that no approval solves.
func (a *Attempts) Ended(in Input, err error, clock time.Time) {
	a.last, a.made = Outcome{Input: in, Err: err, At: clock}, true
	if err == nil {
		a.waits.Reset()
		return
	}
	wait := a.waits.NextBackOff().Round(time.Second)
	if errors.Is(err, ErrPermanent) && !errors.Is(err, ErrApproval) {
		wait = permanentAttempt
	}
	a.last.Until = clock.Add(wait)
	a.log.Error("the desired state is not reached; trying again when something that it depends on changes, or later", "wait", wait.String(), "error", err)
}

// Unreadable notes that the agent cannot read its settings. The same error counts again only when an attempt is due again.
func (a *Attempts) Unreadable(err error, clock time.Time) {
	if a.last.Err == nil || a.last.Err.Error() != err.Error() || !clock.Before(a.last.Until) {
		a.Ended(nil, err, clock)
	}
}

// Lost makes another attempt due, because the servers have lost what the last one reached.
func (a *Attempts) Lost() { a.last = Outcome{} }

// Reached reports whether the last attempt has reached the desired state, and returns its error if not. made is false before
// the first attempt.
func (a *Attempts) Reached() (made bool, err error) { return a.made, a.last.Err }

// Wait returns how long to wait for another attempt with the same input; ok is false if none is useful.
func (a *Attempts) Wait(clock time.Time) (wait time.Duration, ok bool) {
	return a.last.Until.Sub(clock), !a.last.Until.IsZero()
}
