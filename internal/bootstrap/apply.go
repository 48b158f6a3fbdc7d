package bootstrap

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"wso2agent/internal/scopes"
)

// readinessWait is the longest wait between two looks at a server that starts. A look is cheap, and a start takes a minute or
// two. With a longer wait the run would often sleep although the server is ready.
const readinessWait = 5 * time.Second

// run is one pass over all steps, and what it has found out.
type run struct {
	Servers
	Settings
	log     *slog.Logger
	desired *Desired
	result  Result

	km     keyManager         // IS as key manager
	chosen string             // id of the key manager that makes the application's keys
	apis   map[APIName]string // ids of all APIs on the server
	made   map[APIName]bool   // APIs that this run has created
	moved  map[APIName]bool   // APIs that this run has created or changed
	app    applicationState
	scopes scopes.Keeper
}

// Run brings the servers to the desired state and returns what a client needs. It repeats each step until the step succeeds, and
// logs a failure once a minute. Only ctx bounds the time. An error that wraps [ErrPermanent] needs a person. Any other error means
// that ctx has ended, and wraps the last failure.
//
// A second run only sends GET requests. To verify a new or changed key manager, a run makes an application whose name begins
// with [ProbeApplication], and its keys. The run deletes both again.
func Run(ctx context.Context, log *slog.Logger, servers Servers, settings Settings, desired *Desired) (Result, error) {
	settings, err := settings.Normalised()
	if err != nil {
		return Result{}, err
	}
	r := &run{Servers: servers, Settings: settings, log: log, desired: desired, made: map[APIName]bool{}, moved: map[APIName]bool{}, scopes: scopes.Keeper{Clients: settings.ScopesClients, Log: log}}
	for _, s := range r.steps() {
		if err := r.perform(ctx, s); err != nil {
			return r.result, err
		}
	}
	r.result.KeyManagerID = r.chosen
	log.Info("the desired state is reached", "changes", r.result.Changes)
	return r.result, nil
}

// Await waits until both servers serve requests with the credentials of the settings. Only ctx bounds the time. An error that wraps
// [ErrPermanent] needs a person.
func Await(ctx context.Context, log *slog.Logger, servers Servers, settings Settings) error {
	settings, err := settings.Normalised()
	if err != nil {
		return err
	}
	r := &run{Servers: servers, Settings: settings, log: log}
	for _, s := range r.waits() {
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

// steps returns all steps in order. The key manager comes before the APIs, because API-M refuses to update any API while it cannot
// reach a key manager.
func (r *run) steps() []step {
	steps := r.waits()
	if !r.SkipKeyManager {
		steps = append(steps,
			step{name: "register " + r.KMName + " as key manager", do: r.registerKeyManager},
			step{name: "verify that " + r.KMName + " is usable", do: r.verifyKeyManager, maxWait: 2 * time.Second},
		)
	}
	steps = append(steps,
		step{name: "choose " + r.KeyManagerName, do: r.chooseKeyManager},
		step{name: "list the APIs", do: r.listAPIs},
	)
	for _, api := range r.desired.APIs {
		steps = append(steps, step{
			name: fmt.Sprintf("publish API %q %s", api.Name, api.Version),
			do:   func(ctx context.Context) error { return r.ensureAPI(ctx, api) },
		})
	}
	steps = append(steps,
		step{name: fmt.Sprintf("make application %q", r.desired.Application.Name), do: r.ensureApplication},
		step{name: "subscribe the application", do: r.ensureSubscriptions},
		step{name: "make the application's keys", do: r.ensureKeys},
	)
	if r.authorizes() {
		steps = append(steps, step{name: "authorize the applications for the scopes of APIs", do: r.authorize})
	}
	return steps
}
