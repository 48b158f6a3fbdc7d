package wso2sim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

const adminApplications = "/api/am/admin/v4/applications"

// adminApplicationRoutes are what the Admin Portal does with applications of all users (recorded).
func (am *AM) adminApplicationRoutes(mux *http.ServeMux) {
	one := func(op func(http.ResponseWriter, *http.Request, *application) error) operation {
		return func(w http.ResponseWriter, r *http.Request) error {
			app := am.applications[r.PathValue("id")]
			if app == nil {
				return notFound("application", r.PathValue("id"))
			}
			return op(w, r, app)
		}
	}
	mux.HandleFunc("GET "+adminApplications, am.locked(scopesAdmin, am.listAllApplications))
	mux.HandleFunc("GET "+adminApplications+"/{id}", am.locked(scopesAdmin, one(func(w http.ResponseWriter, _ *http.Request, app *application) error {
		writeJSON(w, http.StatusOK, object{
			"applicationId": app.id, "name": app.name, "throttlingPolicy": app.policy, "description": app.description, "tokenType": "JWT",
			"status": "APPROVED", "groups": orEmpty(app.groups), "subscriptionCount": am.subscriptionCount(app), "attributes": object{},
			"subscriptionScopes": []any{}, "owner": am.ownerOf(app),
		})
		return nil
	})))
	mux.HandleFunc("DELETE "+adminApplications+"/{id}", am.unlocked(scopesAdmin, am.deleteApplication))
	mux.HandleFunc("POST "+adminApplications+"/{id}/change-owner", am.locked(scopesAdmin, one(am.changeOwner)))
}

// listAllApplications lists the applications of all users, or those of one (user), whose names contain a text (name).
func (am *AM) listAllApplications(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	found := []*application{}
	for _, app := range am.applications {
		if (query.Get("user") == "" || query.Get("user") == am.ownerOf(app)) && strings.Contains(strings.ToLower(app.name), strings.ToLower(query.Get("name"))) {
			found = append(found, app)
		}
	}
	slices.SortFunc(found, func(a, b *application) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
	writeJSON(w, http.StatusOK, pageOf(found, len(found), r, func(app *application) object {
		return object{"applicationId": app.id, "name": app.name, "owner": am.ownerOf(app), "status": "APPROVED", "groupId": nil}
	}))
	return nil
}

// changeOwner gives an application to another user. The stand-in has one user, and takes every other name for one.
func (am *AM) changeOwner(w http.ResponseWriter, r *http.Request, app *application) error {
	owner := r.URL.Query().Get("owner")
	if owner == "" || owner == am.ownerOf(app) {
		return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while updating application owner " + app.id}
	}
	app.owner = owner
	am.changed("application", app.id)
	w.WriteHeader(http.StatusOK)
	return nil
}
