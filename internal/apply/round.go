package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// object names an object, so that one that appears in two plans has one outcome.
type object struct{ kind, name, of string }

func objectOf(c plan.Change) object { return object{c.Kind, c.Name, c.Of} }

// outcomes are what became of the changes of all rounds.
type outcomes struct {
	mu   sync.Mutex
	list []Outcome
	at   map[object]int
}

// open returns the changes that have not failed for good before, and notes them in the order of the plan. What is in no plan any more is
// made: only its answer got lost, or somebody else has made it. An object that is left is not removed, although a person must solve
// something before the plan has it again.
func (o *outcomes) open(changes []plan.Change, left []plan.Left) (open []plan.Change) {
	planned := map[object]bool{}
	for _, c := range changes {
		planned[objectOf(c)] = true
	}
	for _, l := range left {
		what := object{l.Kind, l.Name, l.Of}
		if i, known := o.at[what]; known && !planned[what] && o.list[i].Change.Action == plan.Delete && o.list[i].Err != nil {
			planned[what], o.list[i].Err = true, byHand(o.list[i].Err)
		}
	}
	for i, before := range o.list {
		if !planned[objectOf(before.Change)] && (!permanent(before.Err) || errors.Is(before.Err, errNeeds)) {
			o.list[i].Err = nil
		}
	}
	for _, c := range changes {
		i, known := o.at[objectOf(c)]
		if known && permanent(o.list[i].Err) && !errors.Is(o.list[i].Err, errNeeds) {
			continue
		}
		if !known {
			o.at[objectOf(c)] = len(o.list)
			o.list = append(o.list, Outcome{c, errUndone})
		}
		open = append(open, c)
	}
	return open
}

// lost reports whether a change that makes something has failed for good.
func (o *outcomes) lost() bool {
	for _, outcome := range o.list {
		if outcome.Change.Action != plan.Delete && outcome.Err != nil && permanent(outcome.Err) && !errors.Is(outcome.Err, errNeeds) {
			return true
		}
	}
	return false
}

var errUndone = again(fmt.Errorf("the run ended before this change began"))

// note notes what became of a change. One that was not begun keeps its last failure, and so does one that the end of the run interrupts.
func (o *outcomes) note(c plan.Change, err error) {
	if err == errUndone {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	last := &o.list[o.at[objectOf(c)]].Err
	if (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) && *last != nil && *last != errUndone {
		return
	}
	*last = err
}

// failed reports whether a change of a kind is not made.
func (o *outcomes) failed(which func(plan.Change) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.list, func(outcome Outcome) bool { return outcome.Err != nil && which(outcome.Change) })
}

// first returns the first failure that another try can solve, for the log.
func (o *outcomes) first() error {
	for _, outcome := range o.list {
		if outcome.Err != nil && !permanent(outcome.Err) {
			return fmt.Errorf("%s %s: %w", outcome.Change.Kind, outcome.Change.Name, outcome.Err)
		}
	}
	return nil
}

// round makes the changes of one plan.
type round struct {
	actual.Clients
	want     plan.Wanted
	have     plan.Have
	log      *slog.Logger
	atOnce   int
	past     *past
	progress *progress
	changes  []plan.Change // that the round makes
	all      *outcomes
	issuers  sync.Mutex // held while a key manager is compared with the others and made

	record  Record                   // may be nil
	save    func() error             // keeps the record; may be nil
	saving  sync.Mutex               // held while it does
	account bootstrap.KeyManagerUser // of the agent's own key manager; empty if the desired state has it

	mu       sync.Mutex // guards what follows
	ids      IDs
	pause    time.Time                           // no change begins before
	managers map[string]plan.Object              // key managers by name, as API-M has them now
	known    map[wso2.SCIMKind]map[string]string // ids of what IS has, by folded names
	made     map[keyName]Credentials             // keys that the round has made; empty if it has removed one
	noted    map[object]string                   // ids that no list of ids has
	saved    map[plan.APIName]plan.Served        // APIs that the round has made or saved
	failed   bool                                // a creation or an update
}

// IDs are the ids of objects, as the servers have them.
type IDs struct {
	KeyManagers, Applications map[string]string // by name
	APIs                      map[plan.APIName]string
}

func newRound(log *slog.Logger, c actual.Clients, want plan.Wanted, have plan.Have, atOnce int) *round {
	r := &round{Clients: c, past: newPast(0, nil), want: want, have: have, log: log, atOnce: atOnce, noted: map[object]string{}, saved: map[plan.APIName]plan.Served{},
		ids: IDs{KeyManagers: map[string]string{}, Applications: map[string]string{}, APIs: map[plan.APIName]string{}}}
	r.managers, r.made = maps.Clone(have.KeyManagers), map[keyName]Credentials{}
	r.known = map[wso2.SCIMKind]map[string]string{}
	for kind, all := range map[wso2.SCIMKind]map[string]plan.Object{wso2.SCIMUsers: have.Users, wso2.SCIMGroups: have.Groups, wso2.SCIMRoles: have.Roles} {
		r.known[kind] = map[string]string{}
		for name, o := range all {
			r.known[kind][folded(name)] = textOf(o, "id")
		}
	}
	for name, km := range have.KeyManagers {
		r.ids.KeyManagers[name] = textOf(km, "id")
	}
	for name, app := range have.Applications {
		r.ids.Applications[name] = textOf(app.Object, "applicationId")
	}
	for _, v := range have.Versions {
		r.ids.APIs[plan.APIName{Name: v.Name, Version: v.Version}] = v.ID
	}
	for name, api := range have.APIs { // of two that have one name, the one that was read
		r.ids.APIs[name] = textOf(api.Object, "id")
	}
	for name, api := range have.Agreed {
		r.ids.APIs[name] = api.ID
	}
	return r
}

func textOf(o plan.Object, key string) string {
	text, _ := o[key].(string)
	return text
}

// act makes changes level by level, and reports whether another round can make what failed.
func (r *round) act(ctx context.Context, changes []plan.Change, all *outcomes) bool {
	r.changes, r.all = changes, all
	r.failed = all.lost()
	work, cancel := finishing(wso2.RepeatReads(ctx))
	r.lookAtLost(work)
	cancel()
	for _, stage := range stages(changes) {
		if ctx.Err() != nil {
			break
		}
		r.progress.begin(stage.level, len(stage.changes))
		lanes := r.lanes(stage.changes)
		var group sync.WaitGroup
		free := make(chan struct{}, r.atOnce)
		for _, lane := range lanes {
			free <- struct{}{}
			group.Go(func() {
				defer func() { <-free }()
				for _, c := range lane {
					err := r.one(ctx, c)
					all.note(c, err)
					r.progress.ended(c, err)
				}
			})
		}
		group.Wait()
		r.progress.end()
	}
	return all.first() != nil
}

// lanes groups changes that must follow each other: the versions of an API, because API-M takes a context only once, and the keys of
// an application.
func (r *round) lanes(changes []plan.Change) (lanes [][]plan.Change) {
	index := map[string]int{}
	for _, c := range changes {
		lane := ""
		switch want := c.Want.(type) {
		case desired.API:
			lane = want.Name.Value
		case desired.Key:
			lane = c.Of
		}
		i, shared := index[lane]
		if lane == "" || !shared {
			i = len(lanes)
			lanes = append(lanes, nil)
			index[lane] = i
		}
		lanes[i] = append(lanes[i], c)
	}
	return lanes
}

// one makes one change, not before the server wants further requests.
func (r *round) one(ctx context.Context, c plan.Change) error {
	r.mu.Lock()
	wait := time.Until(r.pause)
	r.mu.Unlock()
	if wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if ctx.Err() != nil {
		return errUndone
	}
	work, cancel := finishing(wso2.RepeatReads(ctx)) // a change of which only a part is made is worse than a later one
	defer cancel()
	err := r.make(work, c)
	if err != nil && c.Action != plan.Delete {
		r.mu.Lock()
		r.failed = true
		r.mu.Unlock()
	}
	if after := wso2.RetryAfter(err); after > 0 {
		r.mu.Lock()
		r.pause = time.Now().Add(after)
		r.mu.Unlock()
	}
	if err == nil {
		r.done(c)
	}
	return err
}

// grace is how long a change that has begun may go on after the end of its run. Some changes need two requests, and what a server has
// between them is no state that anybody wants.
const grace = 10 * time.Second

// finishing returns a context that ends some time after ctx.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	late := func() { time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) }) }
	stop := context.AfterFunc(ctx, late)
	return work, func() { stop(); cancel(nil) }
}

// make makes one change.
func (r *round) make(ctx context.Context, c plan.Change) error {
	if c.Action == plan.Delete {
		return r.remove(ctx, c)
	}
	switch want := c.Want.(type) {
	case desired.KeyManager:
		return r.keyManager(ctx, c, want)
	case desired.Scope:
		return r.scope(ctx, c, want)
	case desired.EndpointCertificate:
		return r.certificate(ctx, c, want)
	case desired.API:
		return r.api(ctx, c, want)
	case desired.Document:
		return r.document(ctx, c, want)
	case desired.User:
		return r.user(ctx, c, want)
	case desired.Users:
		return r.group(ctx, c, want)
	case desired.Role:
		return r.role(ctx, c, want)
	case desired.Application:
		return r.application(ctx, c, want)
	case plan.WantedSubscription:
		return r.subscription(ctx, c, want)
	case desired.Key:
		return r.key(ctx, c, want)
	}
	return byHand(fmt.Errorf("the agent cannot make a %s", c.Kind))
}
