package wso2sim

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const resourcesPath = "/api/server/v1/api-resources"

// apiResource is what IS calls an API: an identifier and the scopes that belong to it.
type apiResource struct {
	id, name, identifier, kind string
	scopes                     []resourceScope
}

type resourceScope struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
}

// systemResources stand for the 129 that a real IS has of its own.
func systemResources() []*apiResource {
	var out []*apiResource
	for _, r := range []struct{ name, identifier, kind string }{
		{"Offline User Onboard API", "/api/users/v1/offline-invite-link/", "TENANT"},
		{"SCIM2 Roles API", "/o/scim2/Roles", "ORGANIZATION"},
		{"SCIM2 Users API", "/scim2/Users", "TENANT"},
		{"Application Management API", "/api/server/v1/applications", "TENANT"},
	} {
		out = append(out, &apiResource{id: newUUID(), name: r.name, identifier: r.identifier, kind: r.kind})
	}
	return out
}

func (is *IS) resourceRoutes(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request, *apiResource)) {
		mux.HandleFunc(pattern, is.protected(func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			at := slices.IndexFunc(is.resources, func(a *apiResource) bool { return a.id == r.PathValue("id") })
			if at < 0 {
				resourceFault(w, http.StatusNotFound, "60002", "Unable to find the API resource.",
					"Unable to find the API resource with the id: "+r.PathValue("id")+" in the tenant domain.")
				return
			}
			h(w, r, is.resources[at])
		}))
	}
	mux.HandleFunc("GET "+resourcesPath, is.protected(is.listResources))
	mux.HandleFunc("POST "+resourcesPath, is.protected(is.createResource))
	handle("GET "+resourcesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		writeJSON(w, http.StatusOK, a.view())
	})
	handle("PATCH "+resourcesPath+"/{id}", is.patchResource)
	handle("DELETE "+resourcesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		is.resources = slices.DeleteFunc(is.resources, func(other *apiResource) bool { return other == a })
		is.changed("resource", a.id)
		w.WriteHeader(http.StatusNoContent)
	})
	handle("GET "+resourcesPath+"/{id}/scopes", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		writeJSON(w, http.StatusOK, orEmpty(a.scopes))
	})
	handle("PATCH "+resourcesPath+"/{id}/scopes/{scope}", is.patchScope)
	handle("DELETE "+resourcesPath+"/{id}/scopes/{scope}", func(w http.ResponseWriter, r *http.Request, a *apiResource) {
		a.scopes = slices.DeleteFunc(a.scopes, func(s resourceScope) bool { return s.Name == r.PathValue("scope") })
		is.changed("resource", a.id)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /api/identity/oauth2/v1.0/scopes", is.protected(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, []any{}) // the scopes of IS 5 and 6
	}))
}

func resourceFault(w http.ResponseWriter, status int, code, message, description string) {
	writeJSON(w, status, object{"code": "API-RESOURCE-" + code, "message": message, "description": description})
}

func (a *apiResource) summary() object {
	return object{
		"id": a.id, "name": a.name, "identifier": a.identifier, "type": a.kind, "requiresAuthorization": true,
		"self": resourcesPath + "/" + a.id,
	}
}

func (a *apiResource) view() object {
	return object{
		"id": a.id, "name": a.name, "identifier": a.identifier, "type": a.kind, "requiresAuthorization": true,
		"scopes": orEmpty(a.scopes), "authorizationDetailsTypes": []any{}, "properties": []any{},
	}
}

// listResources knows the filter that the connector sends, "identifier eq …", and pages.
func (is *IS) listResources(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	query := r.URL.Query()
	found := is.resources
	if identifier, ok := strings.CutPrefix(query.Get("filter"), "identifier eq "); ok {
		found = slices.DeleteFunc(slices.Clone(found), func(a *apiResource) bool { return a.identifier != identifier })
	}
	total, from := len(found), 0
	if after, err := base64.StdEncoding.DecodeString(query.Get("after")); err == nil {
		from, _ = strconv.Atoi(string(after)) // no number is the first page
	}
	found = found[min(max(from, 0), total):]
	links := []object{}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 {
		limit = 10
	}
	if len(found) > limit {
		found = found[:limit]
		next := base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(from + limit)))
		links = append(links, object{"rel": "next", "href": is.url(is.port) + resourcesPath + "?limit=" + strconv.Itoa(limit) + "&after=" + next})
	}
	list := []object{}
	for _, a := range found {
		list = append(list, a.summary())
	}
	writeJSON(w, http.StatusOK, object{"totalResults": total, "links": links, "apiResources": list})
}

// resourceBody takes every field of the API's schema, and ignores those that the stand-in has no use for.
type resourceBody struct {
	Name        string          `json:"name"`
	Identifier  string          `json:"identifier"`
	Scopes      []resourceScope `json:"scopes"`
	AddedScopes []resourceScope `json:"addedScopes"`
}

func (is *IS) createResource(w http.ResponseWriter, r *http.Request) {
	var body resourceBody
	if !readLoosely(w, r, &body) {
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	for _, other := range is.resources {
		if other.identifier == body.Identifier {
			resourceFault(w, http.StatusConflict, "60003", "Unable to add API resource.",
				"API resource already exists for the tenant: carbon.super.")
			return
		}
	}
	a := &apiResource{id: newUUID(), name: body.Name, identifier: body.Identifier, kind: "BUSINESS"}
	if !is.addScopes(w, a, body.Scopes) {
		return
	}
	is.resources = append(is.resources, a)
	is.changed("resource", a.id)
	w.Header().Set("Location", is.url(is.port)+resourcesPath+"/"+a.id)
	writeJSON(w, http.StatusCreated, a.view())
}

// addScopes adds all or none, and answers for itself if a name is taken: names are unique over all resources.
func (is *IS) addScopes(w http.ResponseWriter, a *apiResource, scopes []resourceScope) bool {
	for _, s := range scopes {
		if is.hasScope(s.Name) {
			resourceFault(w, http.StatusConflict, "60004", "Unable to add scopes.", "Scope already exists for the tenant: carbon.super.")
			return false
		}
	}
	for _, s := range scopes {
		s.ID = newUUID()
		a.scopes = append(a.scopes, s)
	}
	return true
}

func (is *IS) hasScope(name string) bool {
	for _, a := range is.resources {
		if slices.ContainsFunc(a.scopes, func(s resourceScope) bool { return s.Name == name }) {
			return true
		}
	}
	return false
}

func (is *IS) patchResource(w http.ResponseWriter, r *http.Request, a *apiResource) {
	var body resourceBody
	if !readLoosely(w, r, &body) || !is.addScopes(w, a, body.AddedScopes) {
		return
	}
	if body.Name != "" {
		a.name = body.Name
	}
	is.changed("resource", a.id)
	w.WriteHeader(http.StatusNoContent)
}

func (is *IS) patchScope(w http.ResponseWriter, r *http.Request, a *apiResource) {
	var body resourceScope
	if !readLoosely(w, r, &body) {
		return
	}
	for i := range a.scopes {
		if a.scopes[i].Name == r.PathValue("scope") {
			a.scopes[i].DisplayName, a.scopes[i].Description = body.DisplayName, body.Description
			is.changed("resource", a.id)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	resourceFault(w, http.StatusNotFound, "60007", "Unable to find the scope.", "No scope of that name belongs to the API resource.")
}
