// Package verify proves that what bootstrap has set up works: a token from the key manager, its signature and issuer,
// an API called through the gateway with it, a wrong token refused. It changes nothing; only fetching a token is no
// pure reading, since both servers revoke the token that the same client got before.
package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// ErrFailed is wrapped by the error of a run in which a check failed.
var ErrFailed = errors.New("not all checks passed")

// Verdict is the outcome of a check.
type Verdict string

// Verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Skip Verdict = "skip" // it could not be made
)

// Check is one thing that was proved, or not.
type Check struct {
	Name     string
	Verdict  Verdict
	Evidence string // what was seen; never a secret
	Remedy   string // what to do where it failed
}

// Options of a run.
type Options struct {
	Resource string        // of the API that is called, below its context and version; empty is "/"
	Wait     time.Duration // how long a check may take to pass; 0 is 60 s: the gateway learns of APIs and clients late
}

// Waits between two tries of a check, each by chance up to half longer or shorter.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 5 * time.Second
)

// run is one pass over all checks.
type run struct {
	bootstrap.Servers
	Options
	log    *slog.Logger
	result bootstrap.Result
	checks []Check
	token  wso2.Token
	called string // path at which the gateway served the API
}

// Run makes the checks on what bootstrap's result names. All of them are returned, whatever came of them; the error
// wraps [ErrFailed] where one failed, and the context's error where that ended first.
func Run(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, options Options, result bootstrap.Result) ([]Check, error) {
	if options.Wait == 0 {
		options.Wait = time.Minute
	}
	if options.Resource == "" {
		options.Resource = "/"
	}
	r := &run{Servers: servers, Options: options, log: log, result: result}
	for _, check := range []func(context.Context) Check{
		r.fetchToken, r.signature, r.issuer, r.callAPI, r.wrongToken,
	} {
		c := check(ctx)
		r.checks = append(r.checks, c)
		r.tell(c)
	}
	if ctx.Err() != nil {
		return r.checks, fmt.Errorf("verify: %w", context.Cause(ctx))
	}
	for _, c := range r.checks {
		if c.Verdict == Fail {
			return r.checks, fmt.Errorf("%s: %s; %s: %w", c.Name, c.Evidence, c.Remedy, ErrFailed)
		}
	}
	return r.checks, nil
}

func (r *run) tell(c Check) {
	if c.Verdict == Fail {
		r.log.Error("check failed", "check", c.Name, "evidence", c.Evidence, "remedy", c.Remedy)
		return
	}
	r.log.Info("check", "check", c.Name, "verdict", c.Verdict, "evidence", c.Evidence)
}

// poll repeats try until it says that it is done, the wait is over or the context ends. try tells what it still lacks,
// for the log.
func (r *run) poll(ctx context.Context, check string, try func() (done bool, lacks string)) {
	ctx, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(0))
	for attempt := 1; ; attempt++ {
		done, lacks := try()
		if done {
			return
		}
		wait := waits.NextBackOff()
		r.log.Warn("not yet, trying again", "check", check, "attempt", attempt, "wait", wait.Round(time.Millisecond), "error", lacks)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func skipped(name, why string) Check { return Check{Name: name, Verdict: Skip, Evidence: why} }
