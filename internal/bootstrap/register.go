// Package bootstrap is what a run next to API-M needs around the changes that package apply makes: it waits for both servers, registers
// IS as key manager and verifies that, watches both servers, and knows when another run is due. It can run again at any time.
package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"wso2agent/internal/desired"
)

// readinessWait is the longest wait between two looks at a server that starts. A look is cheap, and a start takes a minute or
// two. With a longer wait the run would often sleep although the server is ready.
const readinessWait = 5 * time.Second

// run is one pass over some steps, and what it has found out.
type run struct {
	Servers
	Settings
	log     *slog.Logger
	desired *desired.File
	changes int
	lease   Lease // what a change of the servers needs first; nil: nothing

	km   keyManager     // IS as key manager
	user KeyManagerUser // with which it calls IS
}

// Lease waits until no other run changes the servers. held ends with ctx, or once the lease is lost.
type Lease func(ctx context.Context) (held context.Context, release func(), waited bool, err error)

// Register waits until both servers serve requests, registers IS as key manager, and verifies that the key manager is usable. It returns
// the number of changes on the servers. It repeats each step until the step succeeds, and logs a failure once a minute. Only ctx bounds
// the time. An error that wraps [ErrPermanent] needs a person. Any other error means that ctx has ended, and wraps the last failure.
//
// If the key manager is as it should be, and an application of the file has keys, Register only sends GET requests. To verify a new or
// changed key manager, it makes an application whose name begins with [ProbeApplication], and its keys. It deletes both again.
//
// Register acquires lease before its first change, so that two runs do not both create the key manager. Without a change, and while it waits
// for the servers, it does not have the lease. nil: the caller has the lease.
func Register(ctx context.Context, log *slog.Logger, servers Servers, settings Settings, file *desired.File, lease Lease) (changes int, err error) {
	r, err := newRun(log, servers, settings)
	if err != nil {
		return 0, err
	}
	r.desired, r.lease = file, lease
	km, _ := ownIn(file, r.KMName)
	if err = r.performAll(ctx, r.waits()); err == nil && !r.SkipKeyManager && !km.MutualTLS() { // which package apply makes, without a password
		err = r.register(ctx)
	}
	return r.changes, err
}

// register does what Register does once both servers serve requests.
func (r *run) register(ctx context.Context) error {
	steps := []step{
		{name: "choose the user of " + r.KMName, do: r.chooseUser},
		{name: "register " + r.KMName + " as key manager", do: r.registerKeyManager},
		{name: "verify that " + r.KMName + " is usable", do: r.verifyKeyManager, maxWait: 2 * time.Second},
	}
	err := r.performAll(ctx, steps)
	for lease := r.lease; errors.Is(err, errNoLease); {
		held, release, _, leaseErr := lease(ctx)
		if leaseErr != nil && ctx.Err() == nil {
			return Permanent(leaseErr)
		} else if leaseErr != nil {
			return leaseErr
		}
		r.lease, r.km = nil, keyManager{issuer: r.km.issuer} // another run may have changed it meanwhile
		if err = r.performAll(held, steps); err != nil && held.Err() != nil && ctx.Err() == nil {
			err = errNoLease // it was lost
		}
		release()
	}
	return err
}

// errNoLease: the run is to change the servers, and has no lease yet.
var errNoLease = errors.New("the run needs the lease")

// changing returns an error unless the run may change the servers.
func (r *run) changing() error {
	if r.lease != nil {
		return Permanent(errNoLease)
	}
	return nil
}

// Await waits until both servers serve requests with the credentials of the settings. Only ctx bounds the time. An error that wraps
// [ErrPermanent] needs a person.
func Await(ctx context.Context, log *slog.Logger, servers Servers, settings Settings) error {
	r, err := newRun(log, servers, settings)
	if err != nil {
		return err
	}
	return r.performAll(ctx, r.waits())
}

// Repeat repeats do, which name describes, until it succeeds. Only ctx bounds the time. Errors are as those of [Register].
func Repeat(ctx context.Context, log *slog.Logger, settings Settings, name string, do func(context.Context) error) error {
	r, err := newRun(log, Servers{}, settings)
	if err != nil {
		return err
	}
	return r.perform(ctx, step{name: name, do: do})
}

func newRun(log *slog.Logger, servers Servers, settings Settings) (*run, error) {
	settings, err := settings.Normalised()
	return &run{Servers: servers, Settings: settings, log: log}, err
}

func (r *run) performAll(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := r.perform(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// waits returns the steps that wait for the servers.
func (r *run) waits() []step {
	steps := []step{
		{name: "wait for API-M's gateway", do: r.Gateway.Healthy, maxWait: readinessWait},
		{name: "wait for API-M's REST APIs", do: r.awaitManager, maxWait: readinessWait},
	}
	if !r.SkipKeyManager {
		steps = append(steps, step{name: "wait for Identity Server", do: r.awaitIdentity, maxWait: readinessWait})
	}
	return steps
}
