package bootstrap

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"wso2agent/internal/scopes"
)

// readinessWait is the longest wait between two looks at a server that is coming up. A look is cheap, and a server
// takes a minute or two: a longer wait would mostly be slept through after it is ready.
const readinessWait = 5 * time.Second

// run is one pass over everything, and what it learnt on the way.
type run struct {
	Servers
	Settings
	log     *slog.Logger
	desired *Desired
	result  Result

	km     keyManager         // IS as key manager
	chosen string             // id of the key manager that makes the application's keys
	apis   map[APIName]string // ids of all APIs on the server
	made   map[APIName]bool   // APIs that this run has made
	moved  map[APIName]bool   // APIs that this run has made or changed
	app    applicationState
	scopes scopes.Keeper
}

// Run brings the servers to the desired state and returns what a client needs. Each step is repeated until it succeeds,
// and the log tells of a failure once a minute; only ctx bounds how long that may take. An error that wraps [ErrPermanent] needs a
// person; any other means that ctx ended, and holds the last failure.
//
// A second run sends nothing but GET. What a run makes to prove a new or changed key manager, an application whose
// name begins with [ProbeApplication] and its keys, is removed again.
func Run(ctx context.Context, log *slog.Logger, servers Servers, settings Settings, desired *Desired) (Result, error) {
	settings, err := settings.normalised()
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

// steps is the whole way, in order. The key manager comes before the APIs, because API-M refuses to update any API
// while it cannot reach a key manager.
func (r *run) steps() []step {
	steps := []step{
		{name: "wait for API-M's gateway", do: r.Gateway.Healthy, maxWait: readinessWait},
		{name: "wait for API-M's REST APIs", do: r.awaitManager, maxWait: readinessWait},
	}
	if !r.SkipKeyManager {
		steps = append(steps,
			step{name: "wait for Identity Server", do: r.awaitIdentity, maxWait: readinessWait},
			step{name: "register " + r.KMName + " as key manager", do: r.registerKeyManager},
			step{name: "prove that " + r.KMName + " is usable", do: r.proveKeyManager, maxWait: 2 * time.Second},
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
