package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// SharedScopes lists the scopes that APIs share. Their bindings are the roles as they were sent; in an API they are those of the key
// manager.
func (p *Publisher) SharedScopes(ctx context.Context) ([]Object, error) {
	return p.objects(ctx, request{op: "list shared scopes", method: http.MethodGet, path: "/scopes"}, byID)
}

// CreateSharedScope makes a scope. API-M does not check its roles, and answers in the same way if nothing of it reaches IS.
func (p *Publisher) CreateSharedScope(ctx context.Context, fields map[string]any) (Object, error) {
	return p.object(ctx, request{
		op: "create shared scope " + named(fields, "name"), method: http.MethodPost, path: "/scopes", body: fields,
	}, byID)
}

// UpdateSharedScope writes a whole scope. Its name stays, and so do the tokens that have it.
func (p *Publisher) UpdateSharedScope(ctx context.Context, id string, fields map[string]any) (Object, error) {
	return p.object(ctx, request{
		op: "update shared scope " + named(fields, "name"), method: http.MethodPut, path: sharedScope(id), body: fields,
	}, byID)
}

// DeleteSharedScope deletes a scope that no API uses; else it is [CodeScopeInUse].
func (p *Publisher) DeleteSharedScope(ctx context.Context, id string) error {
	return p.call(ctx, request{op: "delete shared scope " + id, method: http.MethodDelete, path: sharedScope(id)}, nil)
}

// ScopeUser is an API that uses a shared scope.
type ScopeUser struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Context string `json:"context"` // with the version
}

// scopeUsers is an answer with the APIs that use a scope.
type scopeUsers struct {
	APIs []ScopeUser `json:"usedApiList"`
}

func (u *scopeUsers) check() error {
	if u.APIs == nil {
		return errNoList
	}
	return nil
}

// SharedScopeUsers lists the APIs that use a scope.
func (p *Publisher) SharedScopeUsers(ctx context.Context, id string) ([]ScopeUser, error) {
	var answer scopeUsers
	r := request{op: "read who uses shared scope " + id, method: http.MethodGet, path: sharedScope(id) + "/usage"}
	err := p.call(ctx, r, &answer)
	return answer.APIs, err
}

func sharedScope(id string) string { return "/scopes/" + url.PathEscape(id) }
