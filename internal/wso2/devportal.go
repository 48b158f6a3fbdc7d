package wso2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// DevPortal is API-M's DevPortal REST API v3.
type DevPortal struct{ caller }

// NewDevPortal makes the client of the API-M at base, such as https://wso2am:9443.
func NewDevPortal(hc *http.Client, base string, cred Credentials) *DevPortal {
	return &DevPortal{caller{hc, base + "/api/am/devportal/v3", &cred}}
}

// Application is an application as the DevPortal shows it.
type Application struct {
	ID               string          `json:"applicationId"`
	Name             string          `json:"name"`
	Owner            string          `json:"owner"`
	Status           string          `json:"status"` // APPROVED, or CREATED while it waits for approval
	Description      string          `json:"description"`
	CreatedTime      string          `json:"createdTime"` // milliseconds by API-M's clock, as a text
	ThrottlingPolicy string          `json:"throttlingPolicy"`
	Raw              json.RawMessage `json:"-"` // the whole object, not in lists
}

func (a *Application) check() error { return hasID(a.ID) }

// Applications lists the user's applications whose names contain name in any letter case (the server matches it as SQL
// LIKE, in which % and _ match more still): the caller compares. The first call of a user makes "DefaultApplication".
func (d *DevPortal) Applications(ctx context.Context, name string) ([]Application, error) {
	return all[Application](ctx, d.caller, request{
		op: "list applications", method: http.MethodGet, path: "/applications", query: url.Values{"query": {name}},
	})
}

// Application reads an application.
func (d *DevPortal) Application(ctx context.Context, id string) (Application, error) {
	return whole(ctx, d.caller, request{op: "read application " + id, method: http.MethodGet, path: application(id)},
		func(a *Application) *json.RawMessage { return &a.Raw })
}

// CreateApplication makes an application, whose tokens are always JWTs.
func (d *DevPortal) CreateApplication(ctx context.Context, name, throttlingPolicy, description string) (Application, error) {
	return whole(ctx, d.caller, request{
		op: "create application " + name, method: http.MethodPost, path: "/applications",
		body: map[string]string{
			"name": name, "throttlingPolicy": throttlingPolicy, "description": description, "tokenType": "JWT",
		},
	}, func(a *Application) *json.RawMessage { return &a.Raw })
}

// ApplicationPolicies are the names of the throttling policies that applications may have.
func (d *DevPortal) ApplicationPolicies(ctx context.Context) ([]string, error) {
	return policies(ctx, d.caller, "application")
}

// DeleteApplication deletes an application, its subscriptions and its keys.
func (d *DevPortal) DeleteApplication(ctx context.Context, id string) error {
	return d.call(ctx, request{op: "delete application " + id, method: http.MethodDelete, path: application(id)}, nil)
}

// Subscription is an application's right to call an API.
type Subscription struct {
	ID            string `json:"subscriptionId"`
	ApplicationID string `json:"applicationId"`
	APIID         string `json:"apiId"`
	API           struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"apiInfo"`
	ThrottlingPolicy string          `json:"throttlingPolicy"`
	Status           string          `json:"status"` // UNBLOCKED, or why it does not work
	Raw              json.RawMessage `json:"-"`      // the whole object, not in lists
}

func (s *Subscription) check() error { return hasID(s.ID) }

// Subscriptions lists an application's subscriptions.
func (d *DevPortal) Subscriptions(ctx context.Context, applicationID string) ([]Subscription, error) {
	return all[Subscription](ctx, d.caller, request{
		op: "list subscriptions of application " + applicationID, method: http.MethodGet, path: "/subscriptions",
		query: url.Values{"applicationId": {applicationID}},
	})
}

// Subscription reads a subscription.
func (d *DevPortal) Subscription(ctx context.Context, id string) (Subscription, error) {
	return whole(ctx, d.caller, request{
		op: "read subscription " + id, method: http.MethodGet, path: "/subscriptions/" + url.PathEscape(id),
	}, func(s *Subscription) *json.RawMessage { return &s.Raw })
}

// Subscribe subscribes an application to a published API, and returns the id of the subscription.
func (d *DevPortal) Subscribe(ctx context.Context, applicationID, apiID, throttlingPolicy string) (id string, err error) {
	var made Subscription
	err = d.call(ctx, request{
		op: "subscribe to API " + apiID, method: http.MethodPost, path: "/subscriptions",
		body: map[string]string{"applicationId": applicationID, "apiId": apiID, "throttlingPolicy": throttlingPolicy},
	}, &made)
	return made.ID, err
}

// Unsubscribe deletes a subscription.
func (d *DevPortal) Unsubscribe(ctx context.Context, id string) error {
	return d.call(ctx, request{op: "delete subscription " + id, method: http.MethodDelete, path: "/subscriptions/" + url.PathEscape(id)}, nil)
}

// UpdateSubscription writes a whole object, as made by [Merge]: "throttlingPolicy" is the policy that it has,
// "requestedThrottlingPolicy" the one that it shall have.
func (d *DevPortal) UpdateSubscription(ctx context.Context, id string, whole json.RawMessage) error {
	return d.call(ctx, request{
		op: "update subscription " + id, method: http.MethodPut, path: "/subscriptions/" + url.PathEscape(id), body: whole,
	}, nil)
}

// Production is the key type of what clients use in earnest; the other is SANDBOX.
const Production = "PRODUCTION"

// Keys are an application's client at a key manager.
type Keys struct {
	MappingID      string `json:"keyMappingId"`
	KeyManager     string `json:"keyManager"`     // its name in lists; as it was sent in the answer to generating
	KeyType        string `json:"keyType"`        // PRODUCTION or SANDBOX
	ConsumerKey    string `json:"consumerKey"`    // empty in a row that a failed generation left behind
	ConsumerSecret Secret `json:"consumerSecret"` // empty in a list of API-M 4.7, which shows it only once
}

// Keys lists an application's keys. A row whose key manager is disabled or not loaded, or whose client the key manager
// does not return, is left out, though generating says that it exists.
func (d *DevPortal) Keys(ctx context.Context, applicationID string) ([]Keys, error) {
	var list page[Keys]
	err := d.call(ctx, request{
		op: "list keys of application " + applicationID, method: http.MethodGet, path: application(applicationID) + "/oauth-keys",
	}, &list)
	for i := range list.List {
		list.List[i].ConsumerSecret = list.List[i].ConsumerSecret.Shown()
	}
	return list.List, err
}

// GenerateKeys makes a client for an application at a key manager, given by its id: by name, the key manager's DENY
// permissions would be skipped. API-M writes a row first and fetches a token from the key manager last, so a failure
// leaves the row, and perhaps the client, behind, and the next try is refused with [CodeKeyMappingExists].
func (d *DevPortal) GenerateKeys(ctx context.Context, applicationID, keyManagerID string) (Keys, error) {
	return d.MakeKeys(ctx, applicationID, KeyRequest{
		Type: Production, KeyManager: keyManagerID, Grants: []string{"client_credentials", "password", "refresh_token"},
	})
}

// DeleteKeys removes the client at the key manager, unless it was made there by hand, and the row.
func (d *DevPortal) DeleteKeys(ctx context.Context, applicationID, mappingID string) error {
	return d.onKeys(ctx, request{op: "delete keys of application " + applicationID, method: http.MethodDelete}, applicationID, mappingID, "")
}

// CleanUpKeys removes the row only, and leaves a client at the key manager.
func (d *DevPortal) CleanUpKeys(ctx context.Context, applicationID, mappingID string) error {
	return d.onKeys(ctx, request{op: "clean up keys of application " + applicationID, method: http.MethodPost}, applicationID, mappingID, "/clean-up")
}

// errNoMapping: keys without an id. Another client of API-M has removed them while they were made; the next list is right.
var errNoMapping = errors.New("API-M gives no id of these keys")

// onKeys makes a request about one row. Without its id the request would be one about all rows.
func (d *DevPortal) onKeys(ctx context.Context, r request, applicationID, mappingID, action string) error {
	r.path = keysOf(applicationID, mappingID) + action
	if mappingID == "" {
		return d.failed(r, &Error{Err: errNoMapping})
	}
	return d.call(ctx, r, nil)
}

func application(id string) string { return "/applications/" + url.PathEscape(id) }

func keysOf(applicationID, mappingID string) string {
	return application(applicationID) + "/oauth-keys/" + url.PathEscape(mappingID)
}
