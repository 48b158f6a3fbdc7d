// Package apply brings both servers to the desired state: it reads them, makes a plan, makes the changes of the plan, and starts over
// as long as a change failed that another try can make. So a run that ends anywhere is followed by one that does the rest.
package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Options change how a run works. The zero value is usable.
type Options struct {
	Run        string        // correlation id of the run, for the report; the clients send it to the servers
	AtOnce     int           // changes at the same time; 0 is 8
	RetryFirst time.Duration // wait after a first round with a failure; 0 is 500 ms
	RetryMax   time.Duration // longest wait between two rounds; 0 is 30 s
	EventWait  time.Duration // how long keys may fail before the agent clears what is in their way, or sends their key manager again; 0 is 10 s
	// Known are the keys of an earlier run. API-M does not show a key whose client IS has lost, and only its id can clear it. May be nil.
	Known []Credentials
	// Reread returns Known as it is once this run has the lease: another run may have kept keys since. May be nil.
	Reread func() []Credentials
	// Check sees the first plan before any change. Its error ends the run. May be nil.
	Check func(plan.Wanted, []plan.Change) error
	// User chooses the user with which the agent's own key manager calls IS. It is not used if the file names the user. May be nil: then
	// the key manager has the user of the desired state.
	User User
	// Record knows what the agent owns. Nil: it owns nothing, and no secret that has changed is known.
	Record Record
	// Save keeps the record, after each read and each round. May be nil.
	Save func() error
	// Full makes [Keep] read every API, also one that has not changed since an earlier run.
	Full bool
	// Unchanged is what earlier runs know of APIs that have what the file says. Nil: nothing. With Check it counts for nothing.
	Unchanged *actual.Known
	// KeepsKeys says that Keys keeps the keys for the next run. Only then a run generates another secret in place of one that nobody has kept.
	KeepsKeys bool
	// SaveUnchanged keeps it, after each read and before any change. May be nil.
	SaveUnchanged func(*actual.Known) error
	// Keys writes the keys of applications after each round, because a round may fail for long. May be nil.
	Keys func(Report) error
	// TokenEndpoint returns the address for clients of a key manager; "" or nil: the one that API-M says.
	TokenEndpoint func(keyManager string) string
	// Lease waits until no other run changes the servers, as [wso2agent/internal/lease.Acquire] does. Run calls it only if the plan has
	// changes, or if the key manager lacks its user. May be nil: nobody else changes the servers.
	Lease func(context.Context) (held context.Context, release func(), waited bool, err error)
	// Tell gets each event, one after the other. It must not wait for anything. Nil: [InLog].
	Tell func(Event)
}

// User is the user with which the agent's own key manager calls IS.
type User interface {
	// Registered reports whether the key manager has the user. It only reads.
	Registered(context.Context) (bool, error)
	// Register chooses the user, and gives it to the key manager if API-M has that. Run calls it after Check and before any change, and with
	// the lease if it writes to API-M.
	Register(context.Context) (bootstrap.KeyManagerUser, error)
}

// ServiceUser is the [User] that the settings choose.
type ServiceUser struct {
	Log      *slog.Logger
	Servers  bootstrap.Servers
	Settings bootstrap.Settings
}

// Registered is [bootstrap.UserRegistered].
func (u ServiceUser) Registered(ctx context.Context) (bool, error) {
	return bootstrap.UserRegistered(ctx, u.Servers, u.Settings)
}

// Register is [bootstrap.RegisterUser].
func (u ServiceUser) Register(ctx context.Context) (bootstrap.KeyManagerUser, error) {
	return bootstrap.RegisterUser(ctx, u.Log, u.Servers, u.Settings)
}

// Outcome is what became of one change.
type Outcome struct {
	Change plan.Change
	Err    error // nil: the change is made
}

// Report is the result of a run.
type Report struct {
	Run      string
	Outcomes []Outcome          // in the order of the plans; an object that took several rounds has one
	Problems desired.Problems   // what only a person can change
	Kept     []plan.OwnedObject // what the file no longer names, and no change removes
	Want     plan.Wanted
	IDs      IDs                          // of what the file names, as the servers have them at the end
	Keys     []Credentials                // that the file names and the servers have, in the order of the file; unchanged ones too
	Served   map[plan.APIName]plan.Served // of the APIs of the file
	Whole    bool                         // the run has read every API, also one that has not changed since an earlier run
}

// Failed returns how many changes are not made.
func (r Report) Failed() (n int) {
	for _, o := range r.Outcomes {
		if o.Err != nil {
			n++
		}
	}
	return n
}

// Err returns an error unless all changes are made. It wraps [bootstrap.ErrPermanent] if no further try can make any of the others.
func (r Report) Err() error {
	if r.Failed() == 0 {
		return nil
	}
	err := fmt.Errorf("%d of %d changes failed", r.Failed(), len(r.Outcomes))
	if !slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.Err != nil && !permanent(o.Err) }) {
		err = fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	return err
}

// Run brings the servers to the desired state. A failure of one change stops only those that need its object. Run repeats what
// another try can make until ctx ends. The error is that of reading the servers, of Check, User or Lease, or says that ctx has ended;
// failed changes are in the report alone.
func Run(ctx context.Context, log *slog.Logger, c actual.Clients, want plan.Wanted, o Options) (Report, error) {
	o = o.normalised()
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(o.RetryFirst), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(o.RetryMax), backoff.WithMaxElapsedTime(0))
	r := run{Options: o, log: log, clients: c, report: Report{Run: o.Run, Want: want}, all: outcomes{at: map[object]int{}}, past: newPast(o.EventWait, o.Known)}
	if o.Tell == nil {
		o.Tell = InLog(log)
	}
	if o.Record != nil {
		r.past.apis = o.Record.Unrestored()
	}
	r.progress = &progress{tell: o.Tell, last: Event{Run: o.Run}}
	for {
		r.progress.round()
		unfinished, err := r.once(ctx)
		r.report.Outcomes = r.all.list
		switch {
		case !unfinished:
			return r.report, err
		case ctx.Err() != nil:
			return r.report, ended(ctx, err)
		}
		wait := max(waits.NextBackOff(), wso2.RetryAfter(err))
		r.progress.again(r.report.Failed(), wait, errors.Join(err, r.all.first()))
		select {
		case <-ctx.Done():
			return r.report, ended(ctx, err)
		case <-time.After(wait):
		}
	}
}

// once reads the servers, plans, and makes the changes while no other run makes any. It reports whether another round can make what is
// left. Between two rounds other runs may work: what fails for long must not stop them.
func (r *run) once(ctx context.Context) (unfinished bool, err error) {
	next, err := r.next(ctx)
	writes := len(next.changes) > 0
	if err == nil && !writes {
		writes, err = r.lacksUser(ctx)
	}
	writes = writes || err == nil && r.lostSecret(next.have)
	held := ctx
	if err == nil && r.Lease != nil && writes {
		var release func()
		var waited bool
		if held, release, waited, err = r.Lease(ctx); err != nil {
			return false, err
		}
		defer release()
		if waited { // the other run has changed what it liked, and the lists may be behind
			*r.Unchanged = actual.Known{}
		}
		if r.Reread != nil {
			r.Known = r.Reread()
			r.past.remember(r.Known)
		}
		next, err = r.nextAgain(held)
	}
	if err == nil && r.choosesUser() {
		if r.account, err = r.User.Register(held); err == nil {
			r.User = nil
		}
	}
	if err != nil {
		return !permanent(err), err
	}
	r.warnOfRemovals(next)
	unfinished = r.act(held, next)
	if held.Err() != nil && ctx.Err() == nil {
		return true, context.Cause(held)
	}
	return unfinished, nil
}

// run is what a run knows from round to round.
type run struct {
	Options
	log      *slog.Logger
	clients  actual.Clients
	report   Report
	all      outcomes
	past     *past
	progress *progress
	allowed  map[object]bool // what the first plan changes; nil before
	account  bootstrap.KeyManagerUser
}

// choosesUser reports whether the run is to choose the user of the agent's own key manager. It does so once.
func (r *run) choosesUser() bool {
	own := r.report.Want.Own.Name
	return r.User != nil && own.Set && !bootstrap.NamesUser(r.report.Want.File, own.Value)
}

// lacksUser reports whether the agent's own key manager is to get another user.
func (r *run) lacksUser(ctx context.Context) (bool, error) {
	if !r.choosesUser() {
		return false, nil
	}
	has, err := r.User.Registered(ctx)
	return !has, err
}

// step is what a round is to do.
type step struct {
	want    plan.Wanted
	have    plan.Have
	changes []plan.Change
}

// nextAgain is next once the run has the lease. Another run may have changed an object since the first read, and a run writes most objects
// as a whole. So it reads again what the first plan changes, which [run.keepUnchanged] has forgotten, and of the rest only the
// lists.
func (r *run) nextAgain(ctx context.Context) (step, error) {
	if len(r.all.list) == 0 {
		r.allowed = nil
	}
	return r.next(ctx)
}

// next reads the servers, and plans what is to be done.
func (r *run) next(ctx context.Context) (step, error) {
	want := r.recorded(r.report.Want)
	r.dropUndefined()
	want.Unrestored = r.past.unrestored()
	have, err := r.read(ctx, want)
	if err != nil {
		return step{}, err
	}
	compared := plan.Compare(want, have)
	changes := compared.Changes
	r.report.Problems, r.report.Kept = compared.Problems, compared.Kept
	if r.allowed == nil {
		if r.Check != nil {
			if err := r.Check(want, changes); err != nil {
				return step{}, fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
			}
		}
		r.allowed = map[object]bool{}
		for _, c := range changes {
			r.allowed[objectOf(c)] = true
		}
	}
	r.settle(compared.Found, have.Gone)
	r.keepUnchanged(changes)
	if r.Check != nil { // a saved plan: what somebody changes meanwhile calls for another one
		changes = slices.DeleteFunc(changes, func(c plan.Change) bool { return !r.allowed[objectOf(c)] })
	}
	return step{want, have, changes}, nil
}

// warnOfRemovals says once what the run is about to remove.
func (r *run) warnOfRemovals(s step) {
	removals := len(slices.DeleteFunc(slices.Clone(s.changes), func(c plan.Change) bool { return c.Action != plan.Delete }))
	if removals > 0 && len(r.all.list) == 0 {
		r.log.Warn("removing all that the agent has made and that these files do not name, also what it made of other files", "objects", removals)
	}
}

// read reads the servers.
func (r *run) read(ctx context.Context, want plan.Wanted) (plan.Have, error) {
	if r.Check != nil { // which refuses the creation of what is there, although nothing would come of it
		return new(actual.Known).Read(ctx, r.clients, want)
	}
	return r.Unchanged.ReadToMake(ctx, r.clients, want)
}

// keepUnchanged keeps for the next run which APIs have what the file says. What the run is about to change is not among them: it may be
// stopped at any moment.
func (r *run) keepUnchanged(changes []plan.Change) {
	r.report.Whole = r.report.Whole || r.Check != nil || r.Unchanged.Whole()
	r.Unchanged.Forget(changes)
	if r.SaveUnchanged == nil {
		return
	}
	if err := r.SaveUnchanged(r.Unchanged); err != nil {
		r.log.Warn("the agent cannot keep which APIs are unchanged, so the next run reads them all", "error", err)
	}
}

// act makes the changes of a round, and reports whether another round can make what failed.
func (r *run) act(ctx context.Context, s step) (unfinished bool) {
	one := newRound(r.log, r.clients, s.want, s.have, r.AtOnce)
	one.past, one.record, one.progress, one.account, one.save = r.past, r.Record, r.progress, r.account, r.save
	unfinished = one.act(ctx, r.all.open(s.changes, s.have.Left), &r.all)
	r.report.IDs, r.report.Keys, r.report.Served = one.ids, withSecrets(one.credentials(), slices.Concat(r.report.Keys, r.Known)), one.served()
	r.regainSecrets(ctx, one)
	for i, k := range r.report.Keys {
		if r.TokenEndpoint == nil {
			break
		}
		if address := r.TokenEndpoint(k.KeyManager); address != "" {
			r.report.Keys[i].TokenEndpoint = address
		}
	}
	r.past.remember(r.report.Keys)
	if err := r.save(); err != nil {
		r.log.Warn("the agent cannot keep its record of what it has made", "error", err)
	}
	if r.report.Outcomes = r.all.list; r.Keys != nil {
		if err := r.Keys(r.report); err != nil {
			r.log.Warn("the agent cannot write the keys of applications", "error", err)
		}
	}
	return unfinished
}

// withSecrets returns keys with the secrets that an earlier round or an earlier run has seen: API-M 4.7 and some key managers show them only
// once. An entry without a secret hides none behind it.
func withSecrets(now, before []Credentials) []Credentials {
	for i, k := range now {
		at := slices.IndexFunc(before, func(b Credentials) bool { return b.ConsumerKey == k.ConsumerKey && b.ConsumerSecret != "" })
		if k.ConsumerSecret == "" && at >= 0 {
			now[i].ConsumerSecret = before[at].ConsumerSecret
		}
	}
	return now
}

// ended returns the error of a run whose context has ended.
func ended(ctx context.Context, last error) error {
	if last == nil {
		return fmt.Errorf("gave up: %w", context.Cause(ctx))
	}
	return fmt.Errorf("gave up: %w; the last failure: %w", context.Cause(ctx), last)
}

func (o Options) normalised() Options {
	setDefault(&o.AtOnce, 8)
	setDefault(&o.RetryFirst, 500*time.Millisecond)
	setDefault(&o.RetryMax, 30*time.Second)
	setDefault(&o.EventWait, 10*time.Second)
	if o.Unchanged == nil {
		o.Unchanged = &actual.Known{}
	}
	return o
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// permanent reports whether no further try can solve an error. The outermost mark decides, and without one the server's answer.
func permanent(err error) bool {
	var m marked
	switch {
	case errors.As(err, &m):
		return m.as != errAgain
	case errors.Is(err, actual.ErrMoving):
		return false
	}
	return errors.Is(err, bootstrap.ErrPermanent) || errors.Is(err, errNeeds) || wso2.IsPermanent(err)
}

var (
	errAgain  = errors.New("another try can succeed")            // although the server's answer alone looks permanent
	errByHand = errors.New("a person must change it")            // although the server's answer alone looks transient
	errNeeds  = errors.New("it needs an object that is missing") // the failure of another change explains it
)

// again marks an error as one that another try can solve. It does not change the text.
func again(err error) error { return marked{err, errAgain} }

// byHand marks an error as one that no further try can solve. It does not change the text.
func byHand(err error) error { return marked{err, errByHand} }

// toApprove marks an error as one that somebody solves who approves something in API-M. A person may take days, so the run ends.
func toApprove(err error) error { return marked{byHand(err), bootstrap.ErrApproval} }

type marked struct {
	error
	as error
}

func (m marked) Unwrap() error        { return m.error }
func (m marked) Is(target error) bool { return target == m.as }
