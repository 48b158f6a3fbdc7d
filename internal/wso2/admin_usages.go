package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// Use is an API or an application that uses a key manager.
type Use struct {
	ID      string `json:"uuid"`
	Name    string `json:"name"`
	Version string `json:"version"` // of an API
	Owner   string `json:"owner"`   // of an application
}

// KeyManagerApplications lists the applications of all users that have keys of a key manager.
func (a *Admin) KeyManagerApplications(ctx context.Context, id string) ([]Use, error) {
	return a.uses(ctx, id, "applications", "/app-usages")
}

// KeyManagerAPIs lists the APIs that name a key manager. An API that takes all key managers is not among them.
func (a *Admin) KeyManagerAPIs(ctx context.Context, id string) ([]Use, error) {
	return a.uses(ctx, id, "APIs", "/api-usages")
}

// uses reads one page of at most maxUses entries (admin-api.yaml of carbon-apimgt 9.31: limit and offset, no next page in the answer).
func (a *Admin) uses(ctx context.Context, id, what, path string) ([]Use, error) {
	var p usages
	r := request{
		op: "list the " + what + " that use key manager " + id, method: http.MethodGet, path: keyManager(id) + path,
		query: url.Values{"limit": {maxUses}},
	}
	err := a.call(ctx, r, &p)
	return append(p.Applications, p.APIs...), err
}

// usages is an answer with one of two lists.
type usages struct {
	Applications []Use `json:"applications"`
	APIs         []Use `json:"apis"`
}

func (u *usages) check() error {
	if u.Applications == nil && u.APIs == nil {
		return errNoList
	}
	return nil
}

// maxUses is how many uses of a key manager are asked for.
const maxUses = "1000"
