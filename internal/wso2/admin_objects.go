package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// KeyManagerObject reads a key manager of any type, its password masked.
func (a *Admin) KeyManagerObject(ctx context.Context, id string) (Object, error) {
	return a.object(ctx, request{op: "read key manager " + id, method: http.MethodGet, path: keyManager(id)}, byID)
}

// CreateKeyManagerObject makes a key manager of any type. The answer has its secrets in clear and is not kept. secrets are those in
// the object.
func (a *Admin) CreateKeyManagerObject(ctx context.Context, fields map[string]any, secrets ...Secret) (id string, err error) {
	made, err := a.object(ctx, request{
		op: "create key manager " + named(fields, "name"), method: http.MethodPost, path: "/key-managers", body: fields, secrets: secrets,
	}, byID)
	return made.ID, err
}

// UpdateKeyManagerObject writes a whole key manager, and makes API-M load it again. [MaskedPassword] keeps the stored password.
func (a *Admin) UpdateKeyManagerObject(ctx context.Context, id string, fields map[string]any, secrets ...Secret) error {
	return a.call(ctx, request{
		op: "update key manager " + named(fields, "name"), method: http.MethodPut, path: keyManager(id), body: fields, secrets: secrets,
	}, nil)
}

// Categories lists the categories of APIs. The list has no pages.
func (a *Admin) Categories(ctx context.Context) ([]Object, error) {
	return a.shortList(ctx, request{op: "list categories", method: http.MethodGet, path: "/api-categories"}, byID)
}

// Environments lists the gateway environments and their virtual hosts. The list has no pages.
func (a *Admin) Environments(ctx context.Context) ([]Object, error) {
	return a.shortList(ctx, request{op: "list gateway environments", method: http.MethodGet, path: "/environments"}, byID)
}

func keyManager(id string) string { return "/key-managers/" + url.PathEscape(id) }
