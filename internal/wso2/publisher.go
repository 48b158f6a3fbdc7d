package wso2

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Publisher is API-M's Publisher REST API v4.
type Publisher struct{ caller }

// NewPublisher makes the client of the API-M at base, such as https://wso2am:9443.
func NewPublisher(hc *http.Client, base string, cred Credentials) *Publisher {
	return &Publisher{caller{hc, base + "/api/am/publisher/v4", &cred}}
}

// States of an API's lifecycle that callers decide on.
const (
	StateCreated    = "CREATED"
	StatePrototyped = "PROTOTYPED"
	StatePublished  = "PUBLISHED"
)

// SubscriptionLess is the policy that API-M gives an API without policies: the gateway then lets any valid token in.
const SubscriptionLess = "DefaultSubscriptionless"

// Operation is a resource of an API.
type Operation struct {
	Target string
	Verb   string
	Scopes []string // a token needs one of them; none: any token will do
	Open   bool     // it takes calls without a token, and with any (authType None)
}

// API is what a list of the Publisher shows of an API. Its context is without the version.
type API struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	Context     string `json:"context"`
	LifeCycle   string `json:"lifeCycleStatus"`
	Type        string `json:"type"`
	Provider    string `json:"provider"`
	UpdatedTime string `json:"updatedTime"` // in ms, as a text; in lists only
}

// APIs lists all APIs. The list comes from a search index that is some seconds behind.
func (p *Publisher) APIs(ctx context.Context) ([]API, error) {
	return all[API](ctx, p.caller, request{op: "list APIs", method: http.MethodGet, path: "/apis"})
}

// Ready makes the cheapest request that proves that the REST API works and takes the credentials.
func (p *Publisher) Ready(ctx context.Context) error {
	return p.call(ctx, request{
		op: "ask API-M's Publisher for an API", method: http.MethodGet, path: "/apis", query: url.Values{"limit": {"1"}},
	}, &page[API]{})
}

// SubscriptionPolicies are the names of the throttling policies that subscriptions may have.
func (p *Publisher) SubscriptionPolicies(ctx context.Context) ([]string, error) {
	return policies(ctx, p.caller, "subscription")
}

// policies lists the names of the throttling policies of a level.
func policies(ctx context.Context, c caller, level string) (names []string, err error) {
	list, err := all[struct {
		Name string `json:"name"`
	}](ctx, c, request{op: "list the " + level + " policies", method: http.MethodGet, path: "/throttling-policies/" + level})
	for _, policy := range list {
		names = append(names, policy.Name)
	}
	return names, err
}

// NoCarriedSubscriptions is an item of the checklist of "Publish". Without it, API-M subscribes the applications that have subscribed to
// older versions of the API to this one too (carbon-apimgt, executeLifeCycleChecklist).
const NoCarriedSubscriptions = "Requires re-subscription when publishing the API"

// ChangeLifecycle moves an API through its lifecycle. The action's letter case matters: "Publish". checklist has the items of the action
// that are to be true. It returns the status of the workflow: APPROVED, or CREATED where a person must approve the change first.
func (p *Publisher) ChangeLifecycle(ctx context.Context, id, action string, checklist ...string) (string, error) {
	var a struct {
		WorkflowStatus string `json:"workflowStatus"`
	}
	query := url.Values{"apiId": {id}, "action": {action}}
	if len(checklist) > 0 {
		query.Set("lifecycleChecklist", strings.Join(checklist, ":true,")+":true")
	}
	err := p.call(ctx, request{
		op: action + " API " + id, method: http.MethodPost, path: "/apis/change-lifecycle", query: query,
	}, &a)
	return a.WorkflowStatus, err
}

// Revision is a snapshot of an API, the thing that is deployed.
type Revision struct {
	ID          string          `json:"id"`
	Description string          `json:"description"` // at most 255 characters
	Deployments []Deployment    `json:"deploymentInfo"`
	CreatedTime json.RawMessage `json:"createdTime"` // in ms: a number from API-M 4.5, a text in its specification
}

func (r *Revision) check() error { return hasID(r.ID) }

// Created is when the revision was made, by the server's clock; zero where it does not say.
func (r Revision) Created() time.Time {
	ms, err := strconv.ParseInt(strings.Trim(string(r.CreatedTime), `"`), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Deployment is where a revision is deployed.
type Deployment struct {
	Environment        string `json:"name"`
	VHost              string `json:"vhost"`
	DisplayOnDevPortal bool   `json:"displayOnDevportal"`
}

// Revisions lists an API's revisions, the oldest first.
func (p *Publisher) Revisions(ctx context.Context, apiID string) ([]Revision, error) {
	var list page[Revision]
	r := request{op: "list revisions of API " + apiID, method: http.MethodGet, path: revisions(apiID)}
	err := p.call(ctx, r, &list)
	return list.List, err
}

// CreateRevision makes a revision of the API as it is now and returns its id.
func (p *Publisher) CreateRevision(ctx context.Context, apiID, description string) (string, error) {
	var made Revision
	err := p.call(ctx, request{
		op: "create a revision of API " + apiID, method: http.MethodPost, path: revisions(apiID),
		body: map[string]string{"description": description},
	}, &made)
	return made.ID, err
}

// DeleteRevision deletes a revision that is not deployed.
func (p *Publisher) DeleteRevision(ctx context.Context, apiID, id string) error {
	return p.call(ctx, request{
		op: "delete revision " + id + " of API " + apiID, method: http.MethodDelete,
		path: revisions(apiID) + "/" + url.PathEscape(id),
	}, nil)
}

// DeployRevision deploys a revision in environments; the one that was deployed there goes. A revision that one of them has already is
// HTTP 500, so look first.
func (p *Publisher) DeployRevision(ctx context.Context, apiID, id string, to ...Deployment) error {
	return p.call(ctx, request{
		op: "deploy revision " + id + " of API " + apiID, method: http.MethodPost,
		path: "/apis/" + url.PathEscape(apiID) + "/deploy-revision", query: url.Values{"revisionId": {id}},
		body: to,
	}, nil)
}

// UndeployRevision takes a revision out of environments.
func (p *Publisher) UndeployRevision(ctx context.Context, apiID, id string, from []Deployment) error {
	return p.call(ctx, request{
		op: "undeploy revision " + id + " of API " + apiID, method: http.MethodPost,
		path: "/apis/" + url.PathEscape(apiID) + "/undeploy-revision", query: url.Values{"revisionId": {id}},
		body: from,
	}, nil)
}

func revisions(apiID string) string { return "/apis/" + url.PathEscape(apiID) + "/revisions" }
