package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/wso2"
)

// Bootstrap waits for both servers, registers and verifies IS as key manager, brings the servers to the desired state of a file, and
// writes the keys of applications. It removes nothing. It repeats what another try can make until ctx ends. An error that wraps
// [bootstrap.ErrPermanent] needs a person. Any other error means that ctx has ended, and wraps the last failure.
func Bootstrap(ctx context.Context, log *slog.Logger, hc *http.Client, s bootstrap.Settings, files bootstrap.Files, f *desired.File) (bootstrap.Result, error) {
	s, err := s.Normalised()
	if err != nil {
		return bootstrap.Result{}, err
	}
	servers := bootstrap.Connect(hc, s)
	var want plan.Wanted
	err = bootstrap.Repeat(ctx, log, s, "read what the API configuration names", func(ctx context.Context) error {
		want, err = actual.Want(ctx, f, s)
		if errors.Is(err, desired.ErrInvalid) {
			err = fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
		}
		return err
	})
	if err != nil {
		return bootstrap.Result{}, err
	}
	changes, err := bootstrap.Register(ctx, log, servers, s, f, Turns(actual.Connect(hc, s), log, "agent bootstrap"))
	if err != nil {
		return bootstrap.Result{}, err
	}
	report, err := applied(ctx, log, hc, s, files, want)
	if err != nil {
		return bootstrap.Result{}, err
	}
	result, err := resultOf(ctx, log, servers, s, report)
	if err != nil {
		return result, err
	}
	authorized, err := Complete(ctx, log, servers, s, report)
	if err != nil {
		return result, err
	}
	result.Whole = report.Whole
	result.Changes = changes + len(report.Outcomes) + authorized
	log.Info("the desired state is reached", "changes", result.Changes)
	return result, nil
}

// Complete does what clients need after the changes of a run: it binds the scopes of APIs to roles of IS ([BindRoles]), and authorizes the
// applications in IS for the scopes ([bootstrap.Authorize]). It returns how many authorizations it has changed. It repeats what another try
// can make until ctx ends. Errors are as those of [bootstrap.Register].
func Complete(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, s bootstrap.Settings, report Report) (authorized int, err error) {
	err = bootstrap.Repeat(ctx, log, s, "bind the scopes of APIs to roles", func(ctx context.Context) error { return BindRoles(ctx, log, servers, s, report) })
	if err != nil {
		return 0, err
	}
	return bootstrap.Authorize(ctx, log, servers, s, consumerKeys(report))
}

// BindRoles binds the scopes of APIs to roles of IS as API-M has them, unless API-M's connector does that. It logs roles that IS refuses:
// the scopes of other roles, and applications, work without them.
func BindRoles(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, s bootstrap.Settings, report Report) error {
	if ctx.Err() != nil {
		return nil
	}
	_, refused, err := s.BindRoles(ctx, &scopes.Roles{Log: log}, servers, slices.Collect(maps.Values(report.IDs.APIs))...)
	for _, r := range refused {
		log.Warn("a role of IS does not have the scopes of APIs that API-M binds to it", "role", r.Role, "error", r)
	}
	if err != nil {
		return fmt.Errorf("bind the scopes of APIs to roles of IS: %w", err)
	}
	return nil
}

// applied brings the servers to the desired state, and writes the keys, also those of a run that fails.
func applied(ctx context.Context, log *slog.Logger, hc *http.Client, s bootstrap.Settings, files bootstrap.Files, want plan.Wanted) (Report, error) {
	own := ""
	if all := want.File.Applications.Value; len(all) > 0 {
		own = all[0].Value.Name.Value
	}
	report, err, unwritten := Keep(ctx, log, hc, s, files, nil, "agent bootstrap", own, want, Options{RetryFirst: s.RetryFirst, RetryMax: s.RetryMax, EventWait: s.EventWait})
	return report, errors.Join(report.failure(ctx, err), unwritten)
}

// failure returns the error of a run in words of its failed changes. err is that of [Run].
func (r Report) failure(ctx context.Context, err error) error {
	var all []error
	for _, o := range r.Outcomes {
		if o.Err != nil && !errors.Is(o.Err, errNeeds) && o.Err != errUndone {
			all = append(all, failed(o))
		}
	}
	for _, p := range r.Problems {
		err := errors.New(desired.Problem{At: p.At, Message: p.Message}.String())
		if p.Hint != "" {
			err = remedy.Add(err, "%s", p.Hint)
		}
		all = append(all, err)
	}
	if more := len(all) - failuresShown; more > 0 {
		all = append(all[:failuresShown:failuresShown], fmt.Errorf("%d more failed", more))
	}
	if len(all) == 0 && err == nil && r.Failed() > 0 { // each waits for another one, of which no failure is known
		return r.Err()
	}
	switch failures := errors.Join(all...); {
	case ctx.Err() != nil && err != nil && failures != nil:
		return fmt.Errorf("%w; the last failure: %w", err, failures)
	case ctx.Err() != nil && err != nil:
		return err
	case err != nil || failures != nil:
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, errors.Join(err, failures))
	}
	return nil
}

// failuresShown is how many failures an error has.
const failuresShown = 5

// failed returns the error of a change, with the object that it is about.
func failed(o Outcome) error {
	if o.Change.Kind == plan.KindAPI { // which has it
		return o.Err
	}
	return fmt.Errorf("%s %s: %w", o.Change.Kind, o.Change.Name, o.Err)
}

func consumerKeys(report Report) (all []string) {
	for _, k := range report.Keys {
		all = append(all, k.ConsumerKey)
	}
	return all
}

// resultOf returns what the verification and clients need of a run that has reached the desired state.
func resultOf(ctx context.Context, log *slog.Logger, servers bootstrap.Servers, s bootstrap.Settings, report Report) (bootstrap.Result, error) {
	own, key := ownKey(report, s.KeyManagerName)
	manager := s.KeyManagerName
	if key.KeyManager != "" {
		manager = key.KeyManager
	}
	result, err := bootstrap.Choose(ctx, log, servers, s, manager)
	if err != nil {
		return result, err
	}
	if result.TokenEndpoint == "" {
		result.TokenEndpoint = key.TokenEndpoint
	}
	result.Application, result.ApplicationID = own.Name.Value, report.IDs.Applications[own.Name.Value]
	result.ConsumerKey, result.ConsumerSecret, result.NewKeys = key.ConsumerKey, key.ConsumerSecret, made(report, key)
	result.APIs = callable(report, own, manager)
	result.LeftOver = leftOver(report, s.Known)
	if result.ConsumerKey == "" {
		return result, nil
	}
	err = bootstrap.Repeat(ctx, log, s, "list the application's keys", func(ctx context.Context) error {
		result.OtherKeys, err = otherKeys(ctx, servers.DevPortal, result)
		return err
	})
	return result, err
}

// ownKey returns the first application of the file, and of its production keys the one with which a client gets tokens for itself: that of
// the preferred key manager, or else the first one.
func ownKey(report Report, preferred string) (own desired.Application, key Credentials) {
	applications := report.Want.File.Applications.Value
	if len(applications) == 0 {
		return own, key
	}
	own = applications[0].Value
	for _, want := range plan.Keys(applications[0], report.Want.KeyManager) {
		grants := want.Value.GrantTypes
		if want.Value.Type.Value != wso2.Production || grants.Set && !grants.Null && !slices.ContainsFunc(grants.Value, func(g desired.Text) bool { return g.Value == "client_credentials" }) {
			continue
		}
		for _, k := range report.Keys {
			if k.Application == own.Name.Value && k.Type == wso2.Production && k.KeyManager == want.Value.KeyManager.Value && k.ConsumerSecret != "" &&
				(key.ConsumerKey == "" || k.KeyManager == preferred) {
				key = k
			}
		}
	}
	return own, key
}

// made reports whether the run has made a key.
func made(report Report, key Credentials) bool {
	return slices.ContainsFunc(report.Outcomes, func(o Outcome) bool {
		want, is := o.Change.Want.(desired.Key)
		return is && o.Change.Of == "application "+key.Application && want.Type.Value == key.Type && want.KeyManager.Value == key.KeyManager &&
			(o.Change.Action == plan.Create || plan.KeyReplaced(o.Change.Fields))
	})
}

// leftOver returns the known APIs that the server has and the file no longer names.
func leftOver(report Report, known []bootstrap.APIName) (left []bootstrap.APIName) {
	for _, name := range known {
		id := report.IDs.APIs[plan.APIName{Name: name.Name, Version: name.Version}]
		if id != "" && !slices.ContainsFunc(report.Want.File.APIs.Value, func(a desired.Field[desired.API]) bool {
			return a.Value.Name.Value == name.Name && a.Value.Version.Value == name.Version
		}) {
			left = append(left, name)
		}
	}
	return left
}

// otherKeys returns the other key managers of which the application has production keys.
func otherKeys(ctx context.Context, portal *wso2.DevPortal, result bootstrap.Result) (others []string, err error) {
	rows, err := portal.Keys(ctx, result.ApplicationID)
	for _, row := range rows {
		if row.KeyManager != result.KeyManager && row.KeyType == wso2.Production && row.ConsumerKey != "" {
			others = append(others, row.KeyManager)
		}
	}
	return others, err
}

// callable returns the APIs of the file that the gateway serves over HTTP, in the order of the file. Calls of other types, such as GraphQL
// and WebSocket, need more than a path.
func callable(report Report, own desired.Application, manager string) (all []bootstrap.PublishedAPI) {
	for _, item := range report.Want.File.APIs.Value {
		want := item.Value
		name := plan.APIName{Name: want.Name.Value, Version: want.Version.Value}
		state := want.Lifecycle.Or(wso2.StatePublished)
		open := state == wso2.StatePublished || state == wso2.StatePrototyped
		if want.Type.Or("HTTP") != "HTTP" || !open && state != "DEPRECATED" || !inDefault(want) {
			continue
		}
		served := report.Served[name]
		api := bootstrap.PublishedAPI{
			Name: name.Name, Version: name.Version, ID: report.IDs.APIs[name],
			Path:       bootstrap.GatewayPath(want.Context.Value, name.Version),
			Changed:    time.Since(served.Deployed) < bootstrap.FreshRevision,
			BackendURL: served.Backend, Operations: operationsOf(served),
			OnlyKnown: !open || !served.Called || !slices.Contains(served.KeyManagers, "all") && !slices.Contains(served.KeyManagers, manager),
		}
		if len(served.Policies) > 0 {
			api.Policy = served.Policies[0]
		}
		if slices.Contains(served.Policies, unlimited) {
			api.Policy = unlimited
		}
		api.Subscribed = open && slices.ContainsFunc(own.Subscriptions.Value, func(s desired.Field[desired.Subscription]) bool { return s.Value.APIName.Value == name.Name })
		for _, o := range report.Outcomes {
			if o.Change.Kind == plan.KindAPI && o.Change.Name == name.String() {
				api.Made, api.Changed = o.Change.Action == plan.Create, true
			}
		}
		all = append(all, api)
	}
	return all
}

// Callable returns the APIs of the file that the gateway serves over HTTP, as the servers have them. One that they lack has no id. manager
// is the key manager of the tokens that calls have.
func Callable(want plan.Wanted, have plan.Have, manager string) []bootstrap.PublishedAPI {
	report := Report{Want: want, IDs: IDs{APIs: map[plan.APIName]string{}}, Served: map[plan.APIName]plan.Served{}}
	for name, api := range have.APIs {
		report.IDs.APIs[name], report.Served[name] = textOf(api.Object, "id"), plan.ServedOf(api.Object, api.Revisions)
	}
	var own desired.Application
	if all := want.File.Applications.Value; len(all) > 0 {
		own = all[0].Value
	}
	return callable(report, own, manager)
}

const unlimited = "Unlimited"

// inDefault reports whether the file wants an API in the gateway environment that API-M brings, which GW_HOST and GW_PORT name.
func inDefault(want desired.API) bool {
	return slices.ContainsFunc(plan.Deployments(want, ""), func(d plan.Object) bool { return d["name"] == "Default" })
}
