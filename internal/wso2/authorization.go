package wso2

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Codes of IS's errors about authorized applications that callers decide on.
const (
	CodeScopeUnknown      = "APP-60508" // 400: the API resource has no scope of one of the names
	CodeAlreadyAuthorized = "APP-60509" // 409: the application is authorized for the API resource already
	CodeNotAuthorized     = "APP-60510" // 400: the application is not authorized for the API resource, or is gone
	CodeAuthorizeFailed   = "APP-65001" // 500: the application is gone, or another request changed it at the same time
)

// ApplicationPageSize is the most applications that IS puts on a page, whatever limit says.
const ApplicationPageSize = 100

// Authorization is the part of IS's REST APIs that says which application may get which scopes of an API resource.
type Authorization struct{ caller }

// NewAuthorization makes the client of the IS at base, such as https://wso2is:9443.
func NewAuthorization(hc *http.Client, base string, cred Credentials) *Authorization {
	return &Authorization{caller{hc, base + "/api/server/v1", &cred}}
}

// Scope is a scope of an API resource of IS. A scope that is deleted and made again has another ID.
type Scope struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ISApplication is what IS calls an application: a client with what belongs to it.
type ISApplication struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	ClientID    string `json:"clientId"`
	Access      string `json:"access"` // READ for an application of IS itself, such as the Console; else WRITE
}

// ApplicationPage is one page of applications, the newest first.
type ApplicationPage struct {
	Total        int             `json:"totalResults"` // of all pages
	Applications []ISApplication `json:"applications"`
}

func (p *ApplicationPage) check() error {
	if p.Applications == nil {
		return errNoList
	}
	return nil
}

// resources is an answer with API resources.
type resources struct {
	Total     *int `json:"totalResults"`
	Resources []struct {
		ID         string `json:"id"`
		Identifier string `json:"identifier"`
	} `json:"apiResources"`
}

func (r *resources) check() error {
	if r.Total == nil && r.Resources == nil {
		return errNoList
	}
	return nil
}

// FindResource returns the id of the API resource with an identifier, or "" where there is none.
func (a *Authorization) FindResource(ctx context.Context, identifier string) (id string, err error) {
	var found resources
	err = a.call(ctx, request{
		op: "find API resource " + identifier, method: http.MethodGet, path: "/api-resources",
		query: url.Values{"filter": {"identifier eq " + identifier}},
	}, &found)
	for _, r := range found.Resources {
		if r.Identifier == identifier {
			return r.ID, err
		}
	}
	return "", err
}

// CreateResource makes an API resource without scopes and returns its id. An application gets its scopes only if it is authorized for
// them, and a user only with a role. An identifier that is taken is HTTP 409.
func (a *Authorization) CreateResource(ctx context.Context, name, identifier string) (id string, err error) {
	made, err := a.object(ctx, request{
		op: "create API resource " + identifier, method: http.MethodPost, path: "/api-resources",
		body: map[string]any{"name": name, "identifier": identifier, "requiresAuthorization": true, "scopes": []any{}},
	}, byID)
	return made.ID, err
}

// Scopes reads the scopes of an API resource. HTTP 404 means that the resource is gone.
func (a *Authorization) Scopes(ctx context.Context, resource string) (scopes []Scope, err error) {
	err = a.call(ctx, request{
		op: "read the scopes of an API resource", method: http.MethodGet,
		path: "/api-resources/" + url.PathEscape(resource) + "/scopes",
	}, &scopes)
	return scopes, err
}

// Applications reads one page of the applications that a SCIM filter selects (all without one), from offset (0 is the newest) on.
func (a *Authorization) Applications(ctx context.Context, filter string, offset int) (page ApplicationPage, err error) {
	query := url.Values{"attributes": {"clientId"}, "limit": {fmt.Sprint(ApplicationPageSize)}}
	if filter != "" {
		query.Set("filter", filter)
	}
	if offset > 0 {
		query.Set("offset", fmt.Sprint(offset))
	}
	err = a.call(ctx, request{op: "list applications of IS", method: http.MethodGet, path: "/applications", query: query}, &page)
	return page, err
}

// AllApplications lists all applications of IS, the newest first. A list without an end is an error.
func (a *Authorization) AllApplications(ctx context.Context) (all []ISApplication, err error) {
	for range maxPages {
		page, err := a.Applications(ctx, "", len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, page.Applications...)
		if len(page.Applications) == 0 || len(all) >= page.Total {
			return all, nil
		}
	}
	return nil, fmt.Errorf("list applications of IS: more than %d", maxPages*ApplicationPageSize)
}

// DeleteApplication deletes an application, with its client and the tokens of the client; one that is gone is no error.
func (a *Authorization) DeleteApplication(ctx context.Context, id string) error {
	return a.call(ctx, request{
		op: "delete application " + id + " of IS", method: http.MethodDelete, path: "/applications/" + url.PathEscape(id),
	}, nil)
}

// Authorized reads for which scopes of an API resource an application is authorized; ok is false where it is not
// authorized for the resource at all. An application that does not exist is not authorized.
func (a *Authorization) Authorized(ctx context.Context, application, resource string) (scopes []Scope, ok bool, err error) {
	var all []struct {
		ID     string  `json:"id"`
		Scopes []Scope `json:"authorizedScopes"`
	}
	err = a.call(ctx, request{
		op: "read what an application is authorized for", method: http.MethodGet, path: authorizedAPIs(application),
	}, &all)
	for _, api := range all {
		if api.ID == resource {
			return api.Scopes, true, err
		}
	}
	return nil, false, err
}

// Authorize authorizes an application for an API resource and the named scopes, under the policy RBAC: a user gets a
// scope only with a role that has it. IS accepts no scopes, too, and then authorizes nothing.
func (a *Authorization) Authorize(ctx context.Context, application, resource string, scopes []string) error {
	return a.call(ctx, request{
		op: "authorize application " + application, method: http.MethodPost, path: authorizedAPIs(application),
		body: map[string]any{"id": resource, "policyIdentifier": "RBAC", "scopes": scopes},
	}, nil)
}

// AuthorizeMore adds scopes to those that an application is authorized for. It takes none away, since that would end
// the application's tokens.
func (a *Authorization) AuthorizeMore(ctx context.Context, application, resource string, scopes []string) error {
	return a.call(ctx, request{
		op: "authorize application " + application + " for more scopes", method: http.MethodPatch,
		path: authorizedAPIs(application) + "/" + url.PathEscape(resource),
		body: map[string]any{"addedScopes": scopes, "removedScopes": []string{}},
	}, nil)
}

func authorizedAPIs(application string) string {
	return "/applications/" + url.PathEscape(application) + "/authorized-apis"
}
