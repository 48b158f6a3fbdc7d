// Package verify checks that both servers work together. [All] makes the checks of one table. [Run] verifies what a bootstrap has set up: it
// requests a token from the key manager, verifies its signature and issuer, calls every new or changed API through the gateway, and checks
// that the gateway refuses a wrong and a revoked token. For that it makes and deletes a throw-away application. With the keys of another
// application, a new token would revoke the one that its client has.
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
	ID       string // in the table of checks; empty at the end of a bootstrap
	Name     string
	Verdict  Verdict
	Evidence string        // what the check has seen; never a secret
	Remedy   string        // what to do about a failure or a warning
	API      string        // id of the API that the check is about; empty for none
	Called   bool          // the check called the API with a good token
	Took     time.Duration // how long the check took; of a check with several results the first has it
}

// Options of a run.
type Options struct {
	Resource string        // of the API to call, below its context and version; empty is "/"
	Wait     time.Duration // how long a check may take to pass, because the gateway loads APIs and clients with a delay; 0 is 60 s
	// EventWait is how long the gateway waits before each deployment, if that is longer than the 5 s of the product.
	EventWait time.Duration
	Handler   bool // IS has the handler that reports revoked tokens to API-M
	// WaitInVain is how long the gateway may take to refuse a revoked token if the handler is missing; 0 is 3 s.
	WaitInVain time.Duration
	// Owner is a name of eight small letters or digits. No two runs at the same time have the same one. A run deletes what earlier
	// runs of the same owner have left behind. Empty: a new name.
	Owner string
}

// Waits between two tries of a check, each up to half longer or shorter at random.
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
	prefix  string // of the name of the throw-away application; empty: that of a bootstrap
}

// Run makes the checks on a result of bootstrap, and returns all of them. The error wraps [ErrFailed] if a check has failed, and the
// error of ctx if ctx ended first.
func Run(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, options Options, result bootstrap.Result) ([]Check, error) {
	options.Wait = cmp.Or(options.Wait, time.Minute)
	options.Resource = cmp.Or(options.Resource, "/")
	options.Owner = cmp.Or(options.Owner, strings.ToLower(rand.Text()[:8]))
	r := &run{Servers: servers, Options: options, log: log, result: result, targets: targets(result.APIs, options.Resource, false)}
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
			names = append(names, c.Name)
		}
		more = fmt.Sprintf("; %d more failed, such as: %s", len(others), strings.Join(names, "; "))
	}
	c := all[0]
	return remedy.Add(fmt.Errorf("%s: %s%s: %w", c.Name, c.Evidence, more, ErrFailed), "%s", c.Remedy)
}

// namedAtMost is how many failed checks an error names in addition to the first.
const namedAtMost = 5

// add keeps a check and logs it.
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

// addAPIs makes the checks on the APIs. It logs one line for all APIs that were only requested with a wrong token.
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
