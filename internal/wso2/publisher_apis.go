package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// APIObject reads an API as the Publisher has it, from the database, so at once after it was made.
func (p *Publisher) APIObject(ctx context.Context, id string) (Object, error) {
	return p.object(ctx, request{op: "read API " + id, method: http.MethodGet, path: api(id)}, byID)
}

// CreateAPIObject makes an API of the type that the object names. Answers to a creation differ from what a later read gives. secrets
// are those in the object.
func (p *Publisher) CreateAPIObject(ctx context.Context, fields map[string]any, secrets ...Secret) (Object, error) {
	return p.object(ctx, request{
		op: "create API " + named(fields, "name") + " " + named(fields, "version"), method: http.MethodPost, path: "/apis", body: fields,
		secrets: secrets,
	}, byID)
}

// UpdateAPIObject writes a whole API: API-M empties the fields that are not in it. The gateway keeps the old API until a new revision
// is deployed. If the API has local scopes, API-M makes them again, and users whose roles have them lose their tokens.
func (p *Publisher) UpdateAPIObject(ctx context.Context, id string, fields map[string]any, secrets ...Secret) (Object, error) {
	return p.object(ctx, request{
		op: "update API " + named(fields, "name") + " " + named(fields, "version") + " (" + id + ")", method: http.MethodPut, path: api(id),
		body: fields, secrets: secrets,
	}, byID)
}

// CopyAPI makes a new version of an API, with its fields, operations, scopes and documents. The new version has no revision, no
// subscription, and the state CREATED. API-M does not check the form of the version here.
func (p *Publisher) CopyAPI(ctx context.Context, id, version string) (Object, error) {
	return p.object(ctx, request{
		op: "copy API " + id + " to version " + version, method: http.MethodPost, path: "/apis/copy-api",
		query: url.Values{"apiId": {id}, "newVersion": {version}},
	}, byID)
}

// DeleteAPI deletes an API, and its revisions and documents. API-M refuses that while the API has subscriptions.
func (p *Publisher) DeleteAPI(ctx context.Context, id string) error {
	return p.call(ctx, request{op: "delete API " + id, method: http.MethodDelete, path: api(id)}, nil)
}

// HasAPI reports whether an API has a name. It reads the database, which has no lag, unlike the list.
func (p *Publisher) HasAPI(ctx context.Context, name string) (bool, error) {
	return p.exists(ctx, request{
		op: "ask whether API " + name + " exists", method: http.MethodPost, path: "/apis/validate", query: url.Values{"query": {"name:" + name}},
	})
}

// exists makes a request that is answered 200 or 404, both without a body. A server that is starting answers 404 as well: call
// [Publisher.Ready] before.
func (p *Publisher) exists(ctx context.Context, r request) (bool, error) {
	err := p.call(ctx, r, nil)
	if HasStatus(err, http.StatusNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Lifecycle is where an API is in its lifecycle.
type Lifecycle struct {
	State       string `json:"state"` // as people read it: Published
	Transitions []struct {
		Action string `json:"event"` // for ChangeLifecycle
	} `json:"availableTransitions"`
}

func (l *Lifecycle) check() error {
	if l.State == "" {
		return errNoState
	}
	return nil
}

// Lifecycle reads the state of an API, and the actions that it allows now.
func (p *Publisher) Lifecycle(ctx context.Context, id string) (Lifecycle, error) {
	var l Lifecycle
	r := request{op: "read the lifecycle of API " + id, method: http.MethodGet, path: api(id) + "/lifecycle-state"}
	err := p.call(ctx, r, &l)
	return l, err
}

// Subscriber is an application that has subscribed to an API.
type Subscriber struct {
	Subscription string `json:"subscriptionId"`
	Policy       string `json:"throttlingPolicy"`
	Status       string `json:"subscriptionStatus"`
	Application  struct {
		ID    string `json:"applicationId"`
		Name  string `json:"name"`
		Owner string `json:"subscriber"`
	} `json:"applicationInfo"`
}

// Subscribers lists the applications of all users that have subscribed to an API.
func (p *Publisher) Subscribers(ctx context.Context, id string) ([]Subscriber, error) {
	return all[Subscriber](ctx, p.caller, request{
		op: "list subscriptions of API " + id, method: http.MethodGet, path: "/subscriptions", query: url.Values{"apiId": {id}},
	})
}

func api(id string) string { return "/apis/" + url.PathEscape(id) }
