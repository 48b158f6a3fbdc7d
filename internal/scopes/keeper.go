package scopes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wso2agent/internal/wso2"
)

const (
	// fullEvery is how often everything is read again, though nothing looked new: an authorization may have been taken
	// away, or a page may have moved while it was read.
	fullEvery = 10 * time.Minute
	// rounds is how often one pass reads again, when IS says that what was read is no longer so.
	rounds = 4
	// parallel is how many requests a pass has in flight. IS answers four PATCHes of one application at once with an error
	// in one of them; a pass sends one at a time for each application.
	parallel = 4
	// firstRetry and lastRetry bound the wait before another try with applications that could not be authorized.
	firstRetry, lastRetry = 2 * time.Second, time.Minute
)

// Report is what is known after a pass or a poll.
type Report struct {
	Scopes       int       // of the API resource
	Applications int       // that are managed
	Changes      int       // requests by which this pass authorized something
	Failures     []Failure // applications that could not be authorized
	Missing      []string  // client ids that were named and that IS does not have
}

// Failure is an application that could not be authorized, and why.
type Failure struct {
	Application wso2.ISApplication
	Err         error
}

// Err is all failures in one error, nil for none.
func (r Report) Err() error {
	if len(r.Failures) == 0 {
		return nil
	}
	var names []string
	for _, f := range r.Failures[:min(3, len(r.Failures))] {
		names = append(names, f.Application.Name)
	}
	if more := len(r.Failures) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%d of %d applications lack scopes of APIs (%s): %w", len(r.Failures), r.Applications, strings.Join(names, ", "), r.Failures[0].Err)
}

// Keeper keeps every managed application authorized. It remembers what it has seen, so that a poll that finds nothing
// new costs two requests. It is to be used by one goroutine.
type Keeper struct {
	Clients []string // ids of clients that are managed beside those of the connector
	Log     *slog.Logger

	seen    *glance           // nil before the first pass, and after an error
	done    map[string]string // by application: what it was last known to be authorized for, as sum gives it
	full    time.Time         // when everything was read
	report  Report
	retry   time.Duration // wait after failures
	retryAt time.Time
}

// Forget makes the next poll read everything.
func (k *Keeper) Forget() { k.seen, k.done = nil, nil }

// Poll looks whether anything is new, and does a pass where it is, at the first call, after an error and every ten
// minutes. An error means that nothing is known; applications that could not be authorized are in the report.
func (k *Keeper) Poll(ctx context.Context, is *wso2.Authorization) (Report, error) {
	now := time.Now()
	if k.seen != nil && now.Sub(k.full) >= fullEvery {
		k.Forget()
	}
	resource := ""
	if k.seen != nil {
		resource = k.seen.resource
	}
	g, err := look(ctx, is, resource)
	if err != nil {
		k.Forget()
		return Report{}, err
	}
	waiting := len(k.report.Failures) == 0 || now.Before(k.retryAt)
	if k.seen != nil && g.same(*k.seen) && waiting {
		k.report.Changes = 0
		return k.report, nil
	}
	return k.pass(ctx, is, g)
}

// pass reads, decides and acts until every managed application is authorized, or cannot be.
func (k *Keeper) pass(ctx context.Context, is *wso2.Authorization, g glance) (report Report, err error) {
	if k.seen == nil {
		k.full = time.Now()
	}
	if k.done == nil {
		k.done = map[string]string{}
	}
	for round := 1; ; round++ {
		changes := report.Changes
		report = Report{Scopes: len(g.scopes), Changes: changes}
		state, err := k.read(ctx, is, g, &report)
		if err != nil {
			k.Forget()
			return report, err
		}
		stale, err := k.act(ctx, is, g, Decide(state, k.Clients), &report)
		if err != nil {
			k.Forget()
			return report, err
		}
		if len(stale) == 0 {
			break
		}
		if round == rounds {
			report.Failures = append(report.Failures, stale...)
			break
		}
		if g, err = look(ctx, is, g.resource); err != nil {
			k.Forget()
			return report, err
		}
	}
	if report.Changes > 0 {
		k.Log.Info("applications authorized for the scopes of APIs", "changed", report.Changes, "applications", report.Applications, "scopes", report.Scopes)
	}
	k.seen, k.report = &g, report
	k.retry = min(max(2*k.retry, firstRetry), lastRetry)
	if len(report.Failures) == 0 {
		k.retry = 0
	}
	k.retryAt = time.Now().Add(k.retry)
	return report, nil
}

// read reads the state as far as it is not known already: an application that is authorized for all that the glance saw
// is left out.
func (k *Keeper) read(ctx context.Context, is *wso2.Authorization, g glance, report *Report) (State, error) {
	if len(g.scopes) == 0 {
		k.done = map[string]string{}
		return State{}, nil
	}
	apps, missing, err := managed(ctx, is, g, k.Clients)
	if err != nil {
		return State{}, err
	}
	report.Applications, report.Missing = len(apps), missing
	all := g.sum()
	before := k.done
	k.done = map[string]string{} // without those that are gone
	var open []wso2.ISApplication
	for _, app := range apps {
		if before[app.ID] == all {
			k.done[app.ID] = all
		} else {
			open = append(open, app)
		}
	}
	read, err := authorized(ctx, is, g.resource, open)
	if err != nil {
		return State{}, err
	}
	state := State{Resource: g.resource, Scopes: g.scopes, Applications: read}
	for _, app := range read {
		if len(Decide(State{Resource: g.resource, Scopes: g.scopes, Applications: []Application{app}}, k.Clients)) == 0 {
			k.done[app.ID] = all
		}
	}
	return state, nil
}

// act sends what was decided. stale are applications of which IS says that they, or the scopes, are no longer as they
// were read. An error means that IS cannot be asked at all.
func (k *Keeper) act(ctx context.Context, is *wso2.Authorization, g glance, actions []Action, report *Report) (stale []Failure, err error) {
	var mu sync.Mutex
	all := g.sum()
	err = inFlight(ctx, len(actions), func(ctx context.Context, i int) error {
		a := actions[i]
		err := perform(ctx, is, g.resource, a)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			report.Changes++
			k.done[a.Application.ID] = all
			k.Log.Debug("application authorized", "application", a.Application.Name, "scopes", a.Scopes)
		case wso2.HasCodeText(err, wso2.CodeScopeUnknown, wso2.CodeNotAuthorized, wso2.CodeAuthorizeFailed):
			stale = append(stale, Failure{a.Application, err})
		case isAboutOne(err):
			report.Failures = append(report.Failures, Failure{a.Application, err})
		default:
			return err
		}
		return nil
	})
	byName := func(a, b Failure) int { return strings.Compare(a.Application.Name, b.Application.Name) }
	slices.SortFunc(report.Failures, byName)
	slices.SortFunc(stale, byName)
	return stale, err
}

// perform sends one action. An application that somebody else has authorized meanwhile gets the rest.
func perform(ctx context.Context, is *wso2.Authorization, resource string, a Action) error {
	if a.First {
		err := is.Authorize(ctx, a.Application.ID, resource, a.Scopes)
		if !wso2.HasCodeText(err, wso2.CodeAlreadyAuthorized) {
			return err
		}
	}
	return is.AuthorizeMore(ctx, a.Application.ID, resource, a.Scopes)
}

// isAboutOne tells whether an error is IS's refusal of one application, and others may do better.
func isAboutOne(err error) bool {
	var e *wso2.Error
	return errors.As(err, &e) && e.Status >= 400 && !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, e.Status)
}

// sum names the API resource and its scopes by their ids.
func (g glance) sum() string {
	sorted := []string{g.resource}
	for _, s := range g.scopes {
		sorted = append(sorted, s.ID)
	}
	slices.Sort(sorted[1:])
	return strings.Join(sorted, " ")
}

// inFlight calls work with 0 to n-1, a few at a time, and returns the first error. After it nothing more is sent.
func inFlight(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return work(ctx, i)
		})
	}
	return group.Wait()
}
