package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// Applications lists the applications of all users. An entry has the fields applicationId, name, owner and status (recorded).
func (a *Admin) Applications(ctx context.Context) ([]Object, error) {
	return a.objects(ctx, request{op: "list the applications of all users", method: http.MethodGet, path: "/applications"}, keysOfApp)
}

// Application reads an application of any user. It has neither subscriptions nor keys: API-M shows these to its owner alone.
func (a *Admin) Application(ctx context.Context, id string) (Object, error) {
	return a.object(ctx, request{op: "read application " + id, method: http.MethodGet, path: anyApplication(id)}, keysOfApp)
}

// DeleteApplication deletes an application of any user, with its subscriptions and keys.
func (a *Admin) DeleteApplication(ctx context.Context, id string) error {
	return a.call(ctx, request{op: "delete application " + id, method: http.MethodDelete, path: anyApplication(id)}, nil)
}

func anyApplication(id string) string { return "/applications/" + url.PathEscape(id) }
