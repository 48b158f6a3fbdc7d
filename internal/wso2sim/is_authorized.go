package wso2sim

import (
	"net/http"
	"slices"
)

// The policies by which a user's token gets the scopes that an application is authorized for: those of his roles, or all.
const (
	policyRBAC = "RBAC"
	policyNone = "NO POLICY" // which a request writes as "No Policy"
)

// authorization lets an application have scopes of an API resource. It has the ids of the scopes: one that is deleted
// and made again under the same name is another scope.
type authorization struct {
	Resource, Policy string
	Scopes           []string // ids
}

func (a *serviceProvider) authorization(resource string) *authorization {
	for _, auth := range a.authorized {
		if auth.Resource == resource {
			return auth
		}
	}
	return nil
}

// authorizedFor gives the policy under which an application may have a scope.
func (a *serviceProvider) authorizedFor(scopeID string) (policy string, ok bool) {
	for _, auth := range a.authorized {
		if slices.Contains(auth.Scopes, scopeID) {
			return auth.Policy, true
		}
	}
	return "", false
}

func (is *IS) authorizedRoutes(mux *http.ServeMux) {
	all := applicationsPath + "/{id}/authorized-apis"
	locked := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			h(w, r)
		}
	}
	notAllowed := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
	mux.HandleFunc("GET "+all, locked(is.listAuthorized))
	mux.HandleFunc("POST "+all, locked(is.authorize))
	mux.HandleFunc("PATCH "+all+"/{resource}", locked(is.patchAuthorized))
	mux.HandleFunc("DELETE "+all+"/{resource}", locked(is.unauthorize))
	mux.HandleFunc("GET "+all+"/{resource}", notAllowed)
	mux.HandleFunc("PUT "+all+"/{resource}", notAllowed)
}

// listAuthorized shows nothing for an application that does not exist.
func (is *IS) listAuthorized(w http.ResponseWriter, r *http.Request) {
	list := []object{}
	if app := is.apps.byID[r.PathValue("id")]; app != nil {
		for _, auth := range app.authorized {
			a := is.resourceWithID(auth.Resource)
			if a == nil {
				continue
			}
			scopes := []object{}
			for _, s := range a.scopes {
				if slices.Contains(auth.Scopes, s.ID) {
					scopes = append(scopes, object{"id": s.ID, "name": s.Name, "displayName": s.DisplayName})
				}
			}
			list = append(list, object{
				"id": a.id, "identifier": a.identifier, "displayName": a.name, "policyId": auth.Policy, "type": a.kind,
				"authorizedScopes": scopes,
			})
		}
	}
	writeJSON(w, http.StatusOK, list)
}

// authorize checks in the order in which a running server does.
func (is *IS) authorize(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ID               string   `json:"id"`
		PolicyIdentifier string   `json:"policyIdentifier"`
		Scopes           []string `json:"scopes"`
	}
	if !readLoosely(w, r, &body) {
		return
	}
	if body.ID == "" {
		applicationFault(w, 500, "SE-50000", "Unexpected Processing Error.", "Server encountered an error while serving the request.")
		return
	}
	id := r.PathValue("id")
	app, a := is.apps.byID[id], is.resourceWithID(body.ID)
	policy := map[string]string{"": policyRBAC, policyRBAC: policyRBAC, "No Policy": policyNone}[body.PolicyIdentifier]
	switch {
	case a == nil:
		applicationFault(w, 400, "APP-60507", "API resource not found.",
			"API resource with id: "+body.ID+" is not found in the tenant domain: carbon.super.")
		return
	case app != nil && app.authorization(a.id) != nil:
		applicationFault(w, 409, "APP-60509", "API resource already authorized.",
			"API resource with id: "+a.id+" is already authorized for the application with id: "+id+".")
		return
	case policy == "":
		applicationFault(w, 400, "APP-60511", "Invalid policy id value provided.", "Invalid policy id value. It should be 'RBAC' or 'No Policy'.")
		return
	case policy == policyNone && a.guarded:
		applicationFault(w, 400, "APP-60512", "Invalid policy type provided for the API resource.",
			"API resource with id: "+a.id+" doesn't allow the provided policy type: "+policyNone+".")
		return
	}
	scopes, ok := a.scopeIDs(body.Scopes)
	if !ok {
		scopesNotFound(w, a.id)
		return
	}
	if app == nil {
		applicationFault(w, 500, "APP-65001", "Error adding authorized API with id: "+a.id+" to application with id: "+id,
			"Error while adding authorized API. Caused by, ")
		return
	}
	app.authorized = append(app.authorized, &authorization{a.id, policy, scopes})
	is.changed("application", app.id)
	w.WriteHeader(http.StatusOK)
}

func scopesNotFound(w http.ResponseWriter, resource string) {
	applicationFault(w, 400, "APP-60508", "API scopes not found.", "One or more scopes in the request is not found for the API resource with Id: "+
		resource+" in the tenant domain: carbon.super.")
}

// scopeIDs are the ids of scopes by their names. It is not ok if one is unknown.
func (a *apiResource) scopeIDs(names []string) (ids []string, ok bool) {
	for _, name := range names {
		s := a.scope(name)
		if s == nil {
			return nil, false
		}
		ids = append(ids, s.ID)
	}
	return ids, true
}

func (is *IS) patchAuthorized(w http.ResponseWriter, r *http.Request) {
	var body struct {
		AddedScopes   []string `json:"addedScopes"`
		RemovedScopes []string `json:"removedScopes"`
	}
	if !readLoosely(w, r, &body) {
		return
	}
	id, resource := r.PathValue("id"), r.PathValue("resource")
	app, a := is.apps.byID[id], is.resourceWithID(resource)
	var auth *authorization
	if app != nil {
		auth = app.authorization(resource)
	}
	if auth == nil || a == nil {
		applicationFault(w, 400, "APP-60510", "API resource not authorized for the application.",
			"API resource with id: "+resource+" is not authorized for the application with id: "+id+".")
		return
	}
	added, ok := a.scopeIDs(body.AddedScopes)
	if !ok {
		scopesNotFound(w, a.id)
		return
	}
	for _, scope := range added {
		if !slices.Contains(auth.Scopes, scope) {
			auth.Scopes = append(auth.Scopes, scope)
		}
	}
	var removed []string
	for _, name := range body.RemovedScopes {
		if s := a.scope(name); s != nil && slices.Contains(auth.Scopes, s.ID) {
			auth.Scopes = slices.DeleteFunc(auth.Scopes, func(id string) bool { return id == s.ID })
			removed = append(removed, name)
		}
	}
	is.endTokensWith(app, removed)
	is.changed("application", app.id)
	w.WriteHeader(http.StatusOK)
}

// endTokensWith ends the application's tokens if one of them has one of the scopes.
func (is *IS) endTokensWith(app *serviceProvider, scopes []string) {
	for _, t := range is.oauth.owned[app.client] {
		if !t.revoked && slices.ContainsFunc(t.scopes, func(s string) bool { return slices.Contains(scopes, s) }) {
			is.oauth.endTokensOf(app.client)
			return
		}
	}
}

// unauthorize answers 204 whatever it finds.
func (is *IS) unauthorize(w http.ResponseWriter, r *http.Request) {
	resource := r.PathValue("resource")
	if app := is.apps.byID[r.PathValue("id")]; app != nil && app.authorization(resource) != nil {
		app.authorized = slices.DeleteFunc(app.authorized, func(auth *authorization) bool { return auth.Resource == resource })
		is.oauth.endTokensOf(app.client)
		is.changed("application", app.id)
	}
	w.WriteHeader(http.StatusNoContent)
}

// forgetScopes takes scopes that are deleted, by id, out of all authorizations, and by name out of all roles. Tokens
// that have them live on. An empty resource is only the scopes; else its authorizations go as a whole.
func (is *IS) forgetScopes(resource string, scopes []resourceScope) {
	gone := func(id string) bool {
		return slices.ContainsFunc(scopes, func(s resourceScope) bool { return s.ID == id })
	}
	for _, app := range is.apps.all {
		changed := false
		for _, auth := range app.authorized {
			before := len(auth.Scopes)
			auth.Scopes = slices.DeleteFunc(auth.Scopes, gone)
			changed = changed || len(auth.Scopes) != before
		}
		before := len(app.authorized)
		app.authorized = slices.DeleteFunc(app.authorized, func(auth *authorization) bool { return auth.Resource == resource })
		if changed || len(app.authorized) != before {
			is.changed("application", app.id)
		}
	}
	for _, r := range is.roles {
		before := len(r.permissions)
		r.permissions = slices.DeleteFunc(r.permissions, func(name string) bool {
			return slices.ContainsFunc(scopes, func(s resourceScope) bool { return s.Name == name })
		})
		if len(r.permissions) != before {
			is.changed("role", r.id)
		}
	}
}
