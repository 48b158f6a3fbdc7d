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

// Poll looks whether anything is new, and does a pass if it is, at the first call, after an error and every ten minutes.
// An error means that nothing is known; applications that could not be authorized are in the report.
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

// pass reads, decides and acts until a decision is empty: only what was read again counts as authorized, since IS answers
// 200 without a body for what it has done, and for anything while it stops.
func (k *Keeper) pass(ctx context.Context, is *wso2.Authorization, g glance) (report Report, err error) {
	if k.seen == nil {
		k.full = time.Now()
		k.done = map[string]string{}
	}
	defer func() {
		if err != nil {
			k.Forget()
		}
	}()
	changes := 0
	var last map[string]error // of applications that the round before could not authorize
	for round := 1; ; round++ {
		report = Report{Scopes: len(g.scopes), Changes: changes}
		state, err := k.read(ctx, is, g, &report)
		if err != nil {
			return report, err
		}
		actions := Decide(state, k.Clients)
		if len(actions) == 0 {
			break
		}
		if round == rounds || len(last) > 0 && allIn(actions, last) {
			report.Failures = failures(actions, last)
			break
		}
		if last, err = k.act(ctx, is, g, actions); err != nil {
			return report, err
		}
		changes += len(actions) - len(last)
		if g, err = look(ctx, is, g.resource); err != nil {
			return report, err
		}
	}
	report.Changes = changes
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

// allIn reports whether every action is about an application that IS refused for good, so that another try is of no use.
func allIn(actions []Action, refused map[string]error) bool {
	return !slices.ContainsFunc(actions, func(a Action) bool {
		err, ok := refused[a.Application.ID]
		return !ok || isStale(err)
	})
}

// failures are what is left to do, with the reasons.
func failures(actions []Action, reasons map[string]error) (list []Failure) {
	for _, a := range actions {
		err := reasons[a.Application.ID]
		if err == nil {
			err = errors.New("IS says that it has authorized the application, and has not")
		}
		list = append(list, Failure{a.Application, err})
	}
	slices.SortFunc(list, func(a, b Failure) int { return strings.Compare(a.Application.Name, b.Application.Name) })
	return list
}

// read reads the state as far as it is not known already: an application that is authorized for all that the glance saw
// is left out.
func (k *Keeper) read(ctx context.Context, is *wso2.Authorization, g glance, report *Report) (State, error) {
	before, all := k.done, g.sum()
	k.done = map[string]string{} // without those that are gone
	if len(g.scopes) == 0 {
		return State{}, nil
	}
	apps, missing, err := managed(ctx, is, g, k.Clients)
	if err != nil {
		return State{}, err
	}
	report.Applications, report.Missing = len(apps), missing
	var open []wso2.ISApplication
	for _, app := range apps {
		if before[app.ID] == all {
			k.done[app.ID] = all
		} else {
			open = append(open, app)
		}
	}
	state := State{Resource: g.resource, Scopes: g.scopes}
	if state.Applications, err = authorized(ctx, is, g.resource, open); err != nil {
		return State{}, err
	}
	lacking := map[string]bool{}
	for _, a := range Decide(state, k.Clients) {
		lacking[a.Application.ID] = true
	}
	for _, app := range open {
		if !lacking[app.ID] {
			k.done[app.ID] = all
		}
	}
	return state, nil
}

// act sends what was decided, and returns why applications could not be authorized, by their ids. An error means that IS
// cannot be asked at all.
func (k *Keeper) act(ctx context.Context, is *wso2.Authorization, g glance, actions []Action) (refused map[string]error, err error) {
	var mu sync.Mutex
	refused = map[string]error{}
	err = inFlight(ctx, len(actions), func(ctx context.Context, i int) error {
		a := actions[i]
		err := perform(ctx, is, g.resource, a)
		switch {
		case err == nil:
			k.Log.Debug("application authorized", "application", a.Application.Name, "scopes", a.Scopes)
			return nil
		case isStale(err), isAboutOne(err):
			mu.Lock()
			defer mu.Unlock()
			refused[a.Application.ID] = err
			return nil
		}
		return err
	})
	return refused, err
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

// isStale reports whether IS says that an application, or a scope, is no longer as it was read.
func isStale(err error) bool {
	return wso2.HasCodeText(err, wso2.CodeScopeUnknown, wso2.CodeNotAuthorized, wso2.CodeAuthorizeFailed)
}

// isAboutOne reports whether an error is IS's refusal of one application, and others may do better. A refused
// administrator, and a server that has no time, are not.
func isAboutOne(err error) bool {
	var e *wso2.Error
	return errors.As(err, &e) && e.Permanent() && e.Status >= 400 && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden
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
