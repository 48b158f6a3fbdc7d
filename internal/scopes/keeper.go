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

	"wso2agent/internal/sorting"
	"wso2agent/internal/wso2"
)

const (
	// fullEvery is how often the keeper reads everything again, even if nothing looks new. Somebody may have removed an
	// authorization, or a page may have moved while the keeper read it.
	fullEvery = 10 * time.Minute
	// rounds is how often one pass reads again if IS answers that the state has changed since it was read.
	rounds = 4
	// parallel is how many requests a pass sends at the same time. IS answers one of four simultaneous PATCHes of an application
	// with an error, so a pass sends one at a time for each application.
	parallel = 4
	// firstRetry and lastRetry bound the wait before another try with applications that IS has not authorized.
	firstRetry, lastRetry = 2 * time.Second, time.Minute
)

// Report is the result of a pass or a poll.
type Report struct {
	Scopes       int       // number of scopes of the API resource
	Applications int       // number of managed applications
	Changes      int       // number of requests with which this pass authorized something
	Failures     []Failure // applications that lack scopes
	Missing      []string  // client ids in the settings that IS does not have
}

// Failure is an application that lacks scopes, and the reason.
type Failure struct {
	Application wso2.ISApplication
	Err         error
}

// Err returns all failures in one error; nil for none.
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

// Keeper keeps every managed application authorized. It remembers what it has seen, so that a poll that finds nothing new needs
// two requests. Only one goroutine uses it.
type Keeper struct {
	Clients []string // ids of further clients to manage, in addition to those of the connector
	Log     *slog.Logger

	seen    *glance           // nil before the first pass, and after an error
	done    map[string]string // by application: the scopes for which it was authorized at the last look, in the form of sum
	full    time.Time         // when the keeper last read everything
	report  Report
	retry   time.Duration // wait after failures
	retryAt time.Time
}

// Forget makes the next poll read everything.
func (k *Keeper) Forget() { k.seen, k.done = nil, nil }

// Poll checks whether anything is new. It does a pass if something is, at the first call, after an error, and every ten minutes.
// An error means that the state of IS is not known. The report has the applications that lack scopes.
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

// pass reads, decides and acts until a decision is empty. An application counts as authorized only once pass has read that from IS:
// IS answers with 200 and no body to a request that it has done, and to any request while it stops.
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
	var last map[string]error // errors of the round before, by application
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

// allIn reports whether IS has permanently refused the application of every action, so that another try is useless.
func allIn(actions []Action, refused map[string]error) bool {
	return !slices.ContainsFunc(actions, func(a Action) bool {
		err, ok := refused[a.Application.ID]
		return !ok || isStale(err)
	})
}

// failures returns the applications of the remaining actions, with the reasons.
func failures(actions []Action, reasons map[string]error) (list []Failure) {
	for _, a := range actions {
		err := reasons[a.Application.ID]
		if err == nil {
			err = errors.New("IS answers that it has authorized the application, but it has not")
		}
		list = append(list, Failure{a.Application, err})
	}
	sorting.By(list, func(a, b Failure) int { return strings.Compare(a.Application.Name, b.Application.Name) })
	return list
}

// read reads the state that is not known yet. It leaves out applications that are authorized for all scopes of the glance.
func (k *Keeper) read(ctx context.Context, is *wso2.Authorization, g glance, report *Report) (State, error) {
	before, all := k.done, g.sum()
	k.done = map[string]string{} // without deleted applications
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

// act sends the actions, and returns the reasons of those that IS has refused, by the ids of the applications. An error means that
// the keeper cannot use IS at all.
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

// perform sends one action. If somebody else has authorized the application meanwhile, perform adds the missing scopes.
func perform(ctx context.Context, is *wso2.Authorization, resource string, a Action) error {
	if a.First {
		err := is.Authorize(ctx, a.Application.ID, resource, a.Scopes)
		if !wso2.HasCodeText(err, wso2.CodeAlreadyAuthorized) {
			return err
		}
	}
	return is.AuthorizeMore(ctx, a.Application.ID, resource, a.Scopes)
}

// isStale reports whether IS answers that an application or a scope has changed since the keeper read it.
func isStale(err error) bool {
	return wso2.HasCodeText(err, wso2.CodeScopeUnknown, wso2.CodeNotAuthorized, wso2.CodeAuthorizeFailed)
}

// isAboutOne reports whether IS has refused only this application. That is not so if IS refuses the administrator, or is too busy.
func isAboutOne(err error) bool {
	var e *wso2.Error
	return errors.As(err, &e) && e.Permanent() && e.Status >= 400 && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden
}

// sum returns the ids of the API resource and of its scopes in one text.
func (g glance) sum() string {
	sorted := []string{g.resource}
	for _, s := range g.scopes {
		sorted = append(sorted, s.ID)
	}
	slices.Sort(sorted[1:])
	return strings.Join(sorted, " ")
}

// inFlight calls work with 0 to n-1, a few at the same time, and returns the first error. After an error it starts no further call.
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
