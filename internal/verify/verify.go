// Package verify proves that what bootstrap has set up works: a token from the key manager, its signature and issuer,
// every API that was made or changed called through the gateway with it, a wrong token and a revoked one refused. It changes
// nothing but a throw-away application of its own: a new token of another would end the one that its client got before.
package verify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
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
	Warn Verdict = "warn" // it failed, and nothing that was promised is missing
)

// Check is one thing that was proved, or not.
type Check struct {
	Name     string
	Verdict  Verdict
	Evidence string // what was seen; never a secret
	Remedy   string // what to do where it failed, or is a warning
	API      string // id of the API that it is about; empty for none
	Called   bool   // the API was called, and not only asked for with a wrong token
}

// Options of a run.
type Options struct {
	Resource string        // of the API that is called, below its context and version; empty is "/"
	Wait     time.Duration // how long a check may take to pass; 0 is 60 s: the gateway learns of APIs and clients late
	// EventWait is how long the gateway waits before each deployment, if that is longer than the 5 s of the product.
	EventWait time.Duration
	Handler   bool // IS has the handler that tells API-M of revoked tokens
	// WaitInVain is how long the gateway may take to refuse a revoked token where the handler is missing; 0 is 3 s.
	WaitInVain time.Duration
	// Owner is eight small letters or digits that no two runs at once have; empty is a new one. What a run of the same owner
	// has left behind is removed.
	Owner string
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
	log     *slog.Logger
	result  bootstrap.Result
	targets []*target
	client  client
	token   wso2.Token
	called  string // path at which the gateway served an API
	refuses bool   // it refused a wrong token there
	checks  []Check
}

// Run makes the checks on what bootstrap's result names. All of them are returned, whatever came of them; the error
// wraps [ErrFailed] where one failed, and the context's error where that ended first.
func Run(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, options Options, result bootstrap.Result) ([]Check, error) {
	options.Wait = cmp.Or(options.Wait, time.Minute)
	options.Resource = cmp.Or(options.Resource, "/")
	options.Owner = cmp.Or(options.Owner, strings.ToLower(rand.Text()[:8]))
	r := &run{Servers: servers, Options: options, log: log, result: result, targets: targets(result.APIs, options.Resource)}
	r.chooseClient(ctx)
	defer r.removeClient(ctx)
	for _, check := range []func(context.Context) Check{r.fetchToken, r.signature, r.issuer} {
		r.add(check(ctx))
	}
	r.addAPIs(ctx)
	for _, check := range []func(context.Context) Check{r.wrongToken, r.keys, r.revocation} {
		r.add(check(ctx))
	}
	if ctx.Err() != nil {
		return r.checks, fmt.Errorf("verify: %w", context.Cause(ctx))
	}
	return r.checks, failure(r.checks)
}

// failure is the first failed check, and the names of the others.
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
			names = append(names, c.Name)
		}
		more = fmt.Sprintf("; %d more failed, such as: %s", len(others), strings.Join(names, "; "))
	}
	c := all[0]
	return remedy.Add(fmt.Errorf("%s: %s%s: %w", c.Name, c.Evidence, more, ErrFailed), "%s", c.Remedy)
}

// namedAtMost is how many failed checks an error names beside the first.
const namedAtMost = 5

// add notes a check and tells of it.
func (r *run) add(c Check) {
	r.checks = append(r.checks, c)
	switch c.Verdict {
	case Fail:
		r.log.Error("check failed", "check", c.Name, "evidence", c.Evidence, "remedy", c.Remedy)
	case Warn:
		r.log.Warn("check", "check", c.Name, "verdict", c.Verdict, "evidence", c.Evidence, "remedy", c.Remedy)
	default:
		r.log.Info("check", "check", c.Name, "verdict", c.Verdict, "evidence", c.Evidence)
	}
}

// addAPIs makes the checks on the APIs. Those that were only asked for are one line together.
func (r *run) addAPIs(ctx context.Context) {
	const name = "API called through the gateway"
	switch {
	case len(r.targets) == 0:
		r.add(skipped(name, "there is no API"))
		return
	case r.token.AccessToken == "":
		r.add(skipped(name, "there is no token"))
		return
	}
	r.callAPIs(ctx, r.targets)
	known := 0
	for _, t := range r.targets {
		if t.check.Verdict == Pass && !t.token {
			r.checks = append(r.checks, t.check)
			known++
			continue
		}
		r.add(t.check)
		if t.check.Verdict == Pass && t.method == http.MethodGet && r.called == "" {
			r.called = t.path
		}
	}
	if known > 0 {
		r.log.Info("check", "check", "further APIs known to the gateway", "verdict", Pass, "evidence", fmt.Sprintf("it refuses a wrong token for %d of them", known))
	}
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

func failed(name, evidence, remedy string) Check {
	return Check{Name: name, Verdict: Fail, Evidence: evidence, Remedy: remedy}
}

func skipped(name, why string) Check { return Check{Name: name, Verdict: Skip, Evidence: why} }
