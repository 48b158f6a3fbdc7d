// Package verify checks that both servers work together, by one table of checks ([Checks]). [All] makes those that a person selects. A
// [Verifier] makes those that show whether what a bootstrap has set up works.
package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// ErrFailed says that a check has failed. The error of such a run wraps it.
var ErrFailed = errors.New("not all checks passed")

// Verdict is the outcome of a check.
type Verdict string

// Verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	Skip Verdict = "skip" // the check was not possible
	Warn Verdict = "warn" // the check failed, but nothing was set up for it to pass
)

// Check is one check and its outcome.
type Check struct {
	ID       string // in the table of checks
	Name     string
	Verdict  Verdict
	Evidence string        // what the check has seen; never a secret
	Remedy   string        // what to do about a failure or a warning
	API      string        // id of the API that the check is about; empty for none
	Took     time.Duration // how long the check took; of a check with several results the first has it
}

// Waits between two tries of a check, each up to half longer or shorter at random.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 5 * time.Second
)

// run is what checks with a token share.
type run struct {
	bootstrap.Servers
	Selection
	log     *slog.Logger
	result  bootstrap.Result
	targets []*target
	client  client
	token   wso2.Token
	called  string // path at which the gateway served an API that asks for a token
	refuses bool   // it refused a wrong token there
}

// failure returns an error with the first failed check and the names of others; nil if none has failed.
func failure(checks []Check) error {
	var all []Check
	for _, c := range checks {
		if c.Verdict == Fail {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	more := ""
	if others := all[1:]; len(others) > 0 {
		var names []string
		for _, c := range others[:min(len(others), namedAtMost)] {
			names = append(names, c.title())
		}
		more = fmt.Sprintf("; %d more failed, such as: %s", len(others), strings.Join(names, "; "))
	}
	c := all[0]
	return remedy.Add(fmt.Errorf("%s: %s%s: %w", c.title(), c.Evidence, more, ErrFailed), "%s", c.Remedy)
}

// title names the check, and the API that it is about.
func (c Check) title() string { return strings.TrimSpace(c.ID + " " + c.subject()) }

// namedAtMost is how many failed checks an error names in addition to the first.
const namedAtMost = 5

// poll repeats try until try is done, the wait is over, or ctx ends. For the log, try returns what it still lacks.
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

func failed(name, evidence, remedy string) Check {
	return Check{Name: name, Verdict: Fail, Evidence: evidence, Remedy: remedy}
}

func skipped(name, why string) Check { return Check{Name: name, Verdict: Skip, Evidence: why} }
