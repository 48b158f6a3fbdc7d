package objects

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/suggest"
	"wso2agent/internal/wso2"
)

// API is what commands show of an API. It has no secret.
type API struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	Version       string       `json:"version"`
	Context       string       `json:"context"` // without the version
	State         string       `json:"state"`   // of the lifecycle, such as PUBLISHED
	Type          string       `json:"type"`
	Provider      string       `json:"provider"`
	Backend       string       `json:"backend"` // the address for production; "" if it has several or none
	Policies      []string     `json:"policies"`
	KeyManagers   []string     `json:"keyManagers"` // "all" stands for all
	Deployments   []Deployment `json:"deployments"`
	Subscriptions []Subscriber `json:"subscriptions"` // of all users
}

// Deployment is a gateway environment that has a revision of an API.
type Deployment struct {
	Environment string `json:"environment"`
	VHost       string `json:"vhost"`
}

// Subscriber is an application that has subscribed to an API.
type Subscriber struct {
	Application string `json:"application"`
	Owner       string `json:"owner"`
	Policy      string `json:"policy"`
	Status      string `json:"status"` // UNBLOCKED, or why it does not work
}

// String names the application and its owner.
func (s Subscriber) String() string { return s.Application + " of " + s.Owner }

// FindAPI finds the API that text names: NAME, or NAME:VERSION. API-M's list is about a second behind.
func FindAPI(ctx context.Context, publisher *wso2.Publisher, text string) (wso2.API, error) {
	list, err := publisher.APIs(ctx)
	if err != nil {
		return wso2.API{}, err
	}
	return PickAPI(text, list)
}

// APIs lists the APIs of API-M, in the order of their names and versions. The list of API-M is about a second behind.
func APIs(ctx context.Context, publisher *wso2.Publisher) ([]wso2.API, error) {
	list, err := publisher.APIs(ctx)
	sortBy(list, func(a wso2.API) []string { return []string{a.Name, a.Version} })
	return list, err
}

// ReadAPI reads an API, where it is deployed, and who has subscribed to it.
func ReadAPI(ctx context.Context, publisher *wso2.Publisher, name string) (api API, err error) {
	listed, err := FindAPI(ctx, publisher, name)
	if err != nil {
		return api, err
	}
	o, err := publisher.APIObject(ctx, listed.ID)
	if err != nil {
		return api, err
	}
	revisions, err := publisher.Revisions(ctx, listed.ID)
	if err != nil {
		return api, err
	}
	subscribers, err := publisher.Subscribers(ctx, listed.ID)
	if err != nil {
		return api, err
	}
	api = API{
		ID: listed.ID, Name: listed.Name, Version: listed.Version, Context: text(o.Fields, "context"), State: text(o.Fields, "lifeCycleStatus"),
		Type: text(o.Fields, "type"), Provider: text(o.Fields, "provider"), Backend: backend(o.Fields), Policies: texts(o.Fields["policies"]),
		KeyManagers: texts(o.Fields["keyManagers"]), Deployments: []Deployment{}, Subscriptions: []Subscriber{},
	}
	for _, d := range deployed(revisions) {
		api.Deployments = append(api.Deployments, Deployment{d.Environment, d.VHost})
	}
	for _, s := range subscribers {
		api.Subscriptions = append(api.Subscriptions, Subscriber{s.Application.Name, s.Application.Owner, s.Policy, s.Status})
	}
	return api, nil
}

// backend returns the address of the backend for production, without a password in it.
func backend(api map[string]any) string {
	address, err := url.Parse(text(object(object(api["endpointConfig"])["production_endpoints"]), "url"))
	if err != nil {
		return ""
	}
	return address.Redacted()
}

// deployed returns where revisions are deployed, in the order of the environments' names.
func deployed(revisions []wso2.Revision) (all []wso2.Deployment) {
	for _, r := range revisions {
		all = append(all, r.Deployments...)
	}
	sortBy(all, func(d wso2.Deployment) []string { return []string{d.Environment} })
	return all
}

// RevisionIn returns the id of the revision of an API that is deployed in a gateway environment; "" if none is.
func RevisionIn(ctx context.Context, publisher *wso2.Publisher, api, environment string) (string, error) {
	revisions, err := publisher.Revisions(ctx, api)
	for _, r := range revisions {
		if slices.ContainsFunc(r.Deployments, func(d wso2.Deployment) bool { return d.Environment == environment }) {
			return r.ID, err
		}
	}
	return "", err
}

// RemoveAPI returns what to know before an API is deleted. API-M refuses to delete an API with subscriptions, and lets nobody delete those
// of other people's applications. If withSubscriptions is set, the API is retired first, which ends them.
func RemoveAPI(ctx context.Context, s apply.Single, name string, withSubscriptions bool) (r Removal, err error) {
	listed, err := FindAPI(ctx, s.Publisher, name)
	if err != nil {
		return r, err
	}
	o, err := s.Publisher.APIObject(ctx, listed.ID) // the list is behind
	if err != nil {
		return r, err
	}
	subscribers, err := s.Publisher.Subscribers(ctx, listed.ID)
	if err != nil {
		return r, err
	}
	revisions, err := s.Publisher.Revisions(ctx, listed.ID)
	if err != nil {
		return r, err
	}
	left := plan.Left{State: text(o.Fields, "lifeCycleStatus")}
	left.Kind, left.Name, left.ID = plan.KindAPI, plan.APIName{Name: listed.Name, Version: listed.Version}.String(), listed.ID
	var who []string
	who, left.Subscribers = known(subscribers)
	if len(who) > 0 && !withSubscriptions {
		return r, refuse("--with-subscriptions retires the API first, which ends them", "API %s cannot be deleted, because applications have subscribed to it: %s", APIName(listed), strings.Join(who, ", "))
	}
	r = Removal{OwnedObject: left.OwnedObject, Title: "API " + APIName(listed), Do: func(ctx context.Context) ([]string, error) { return nil, s.Remove(ctx, left) }}
	for _, d := range deployed(revisions) {
		r.With = append(r.With, fmt.Sprintf("the gateway of environment %s no longer serves %s", d.Environment, listed.Context))
	}
	for _, w := range who {
		r.With = append(r.With, "the subscription of application "+w+" ends")
	}
	r.With = append(r.With, "its revisions and documents go with it")
	return r, nil
}

// known returns subscribers as a person reads them, and as package apply compares them.
func known(subscribers []wso2.Subscriber) (who []string, all []plan.Subscriber) {
	for _, s := range subscribers {
		who = append(who, Subscriber{Application: s.Application.Name, Owner: s.Application.Owner}.String())
		all = append(all, plan.Subscriber{Subscription: s.Subscription, ApplicationID: s.Application.ID, Application: s.Application.Name, Owner: s.Application.Owner})
	}
	return who, all
}

// Deploy makes a revision of an API as it is saved, and deploys it in gateway environments; without any, where the API is deployed now. It
// returns where that is.
func Deploy(ctx context.Context, s apply.Single, name string, environments []string) (api wso2.API, to []wso2.Deployment, err error) {
	if api, err = FindAPI(ctx, s.Publisher, name); err != nil {
		return api, nil, err
	}
	o, err := s.Publisher.APIObject(ctx, api.ID)
	if err != nil {
		return api, nil, err
	}
	revisions, err := s.Publisher.Revisions(ctx, api.ID)
	if err != nil {
		return api, nil, err
	}
	to = deployed(revisions)
	if len(environments) > 0 {
		known, err := s.Admin.Environments(ctx)
		if err != nil {
			return api, nil, err
		}
		if to, err = places(environments, to, known); err != nil {
			return api, nil, err
		}
	}
	if len(to) == 0 {
		return api, nil, refuse("name an environment: --env Default", "API %s is deployed nowhere", APIName(api))
	}
	return api, to, s.Deploy(ctx, o.Fields, revisions, to)
}

// places returns the deployments for the environments of the given names: with the host that the API has there now, or else with the first
// host of the environment.
func places(names []string, now []wso2.Deployment, environments []wso2.Object) (to []wso2.Deployment, err error) {
	for _, name := range names {
		if slices.ContainsFunc(to, func(d wso2.Deployment) bool { return d.Environment == name }) {
			continue
		}
		environment, err := Pick("gateway environment", name, environments, func(o wso2.Object) string { return o.Name })
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(now, func(d wso2.Deployment) bool { return d.Environment == name }); i >= 0 {
			to = append(to, now[i])
			continue
		}
		hosts, _ := environment.Fields["vhosts"].([]any)
		if len(hosts) == 0 {
			return nil, refuse("give it a virtual host in the Admin Portal", "gateway environment %q has no virtual host", name)
		}
		to = append(to, wso2.Deployment{Environment: name, VHost: text(object(hosts[0]), "host"), DisplayOnDevPortal: true})
	}
	return to, nil
}

// States are the states of an API's lifecycle.
func States() []string {
	return []string{"CREATED", "PROTOTYPED", "PUBLISHED", "BLOCKED", "DEPRECATED", "RETIRED"}
}

// retired is the state in which an API has no subscriptions.
const retired = "RETIRED"

// Transition is a change of the lifecycle of an API.
type Transition struct {
	API         wso2.API
	From, To    string   // states
	Actions     []string // of API-M, in order; empty if the API is in the state
	Subscribers []string // whose subscriptions end
	Final       bool     // no way leads back to From
	fields      plan.Object
	known       []plan.Subscriber // the same
}

// CheckState refuses what is no state of the lifecycle in any letter case.
func CheckState(state string) error {
	upper := strings.ToUpper(state)
	if !slices.Contains(States(), upper) {
		return refuse("the states are "+strings.Join(States(), ", "), "API-M has no state %q%s", state, suggest.Hint(upper, States()))
	}
	return nil
}

// FindTransition finds the shortest legal way of an API to a state, which may be written in any letter case.
func FindTransition(ctx context.Context, publisher *wso2.Publisher, name, state string) (t Transition, err error) {
	if err := CheckState(state); err != nil {
		return t, err
	}
	t.To = strings.ToUpper(state)
	if t.API, err = FindAPI(ctx, publisher, name); err != nil {
		return t, err
	}
	o, err := publisher.APIObject(ctx, t.API.ID)
	if err != nil {
		return t, err
	}
	t.fields, t.From = o.Fields, text(o.Fields, "lifeCycleStatus")
	now, err := publisher.Lifecycle(ctx, t.API.ID)
	if err != nil {
		return t, err
	}
	offered := []string{}
	for _, action := range now.Transitions {
		offered = append(offered, action.Action)
	}
	if t.Actions, err = plan.Lifecycle(t.From, t.To, offered); err != nil {
		return t, bootstrap.Permanent(fmt.Errorf("API %s: %w", APIName(t.API), err))
	}
	_, err = plan.Lifecycle(t.To, t.From, nil)
	t.Final = err != nil
	if t.To != retired || len(t.Actions) == 0 {
		return t, nil
	}
	subscribers, err := publisher.Subscribers(ctx, t.API.ID)
	t.Subscribers, t.known = known(subscribers)
	return t, err
}

// Make makes the transition. If it would end a subscription that is not in Subscribers, it fails.
func (t Transition) Make(ctx context.Context, s apply.Single) error {
	return s.ChangeLifecycle(ctx, t.fields, t.To, t.known)
}
