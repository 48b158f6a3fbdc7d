package wso2sim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const resourcesPath = "/api/server/v1/api-resources"

// apiResource is what IS calls an API: an identifier and the scopes that belong to it.
type apiResource struct {
	id, name, identifier, kind string
	guarded                    bool // requiresAuthorization: no application gets its scopes for users without a role
	scopes                     []resourceScope
	description                string
}

type resourceScope struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
}

func (is *IS) resourceRoutes(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request, *apiResource)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			a := is.resourceWithID(r.PathValue("id"))
			if a == nil && r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			if a == nil {
				resourceFault(w, http.StatusNotFound, "60002", "Unable to find the API resource.",
					"Unable to find the API resource with the id: "+r.PathValue("id")+" in the tenant domain.")
				return
			}
			if a.system() && r.Method != http.MethodGet {
				resourceFault(w, http.StatusForbidden, "60012", "Cannot modify or delete System APIs.", "Cannot modify or delete the read-only System APIs.")
				return
			}
			h(w, r, a)
		})
	}
	mux.HandleFunc("GET "+resourcesPath, is.listResources)
	mux.HandleFunc("POST "+resourcesPath, is.createResource)
	handle("GET "+resourcesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		writeJSON(w, http.StatusOK, a.view())
	})
	handle("PATCH "+resourcesPath+"/{id}", is.patchResource)
	handle("DELETE "+resourcesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		is.resources = slices.DeleteFunc(is.resources, func(other *apiResource) bool { return other == a })
		is.forgetScopes(a.id, a.scopes)
		is.changed("resource", a.id)
		w.WriteHeader(http.StatusNoContent)
	})
	handle("GET "+resourcesPath+"/{id}/scopes", func(w http.ResponseWriter, _ *http.Request, a *apiResource) {
		writeJSON(w, http.StatusOK, orEmpty(a.scopes))
	})
	handle("PUT "+resourcesPath+"/{id}/scopes", func(w http.ResponseWriter, r *http.Request, a *apiResource) {
		var scopes []resourceScope
		if !readLoosely(w, r, &scopes) {
			return
		}
		is.forgetScopes("", a.scopes)
		a.scopes = nil
		if is.addScopes(w, a, scopes) {
			is.changed("resource", a.id)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	handle("PATCH "+resourcesPath+"/{id}/scopes/{scope}", is.patchScope)
	handle("DELETE "+resourcesPath+"/{id}/scopes/{scope}", func(w http.ResponseWriter, r *http.Request, a *apiResource) {
		if strings.Contains(r.PathValue("scope"), " ") {
			resourceFault(w, http.StatusBadRequest, "60001", "Invalid scope name.", "A scope whose name has a space cannot be deleted.")
			return
		}
		if s := a.scope(r.PathValue("scope")); s != nil {
			is.forgetScopes("", []resourceScope{*s})
		}
		a.scopes = slices.DeleteFunc(a.scopes, func(s resourceScope) bool { return s.Name == r.PathValue("scope") })
		is.changed("resource", a.id)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /api/identity/oauth2/v1.0/scopes", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, []any{}) // the scopes of IS 5 and 6
	})
}

func resourceFault(w http.ResponseWriter, status int, code, message, description string) {
	writeJSON(w, status, object{"code": "API-RESOURCE-" + code, "message": message, "description": description})
}

func (a *apiResource) summary() object {
	return object{
		"id": a.id, "name": a.name, "identifier": a.identifier, "type": a.kind, "requiresAuthorization": a.guarded,
		"self": resourcesPath + "/" + a.id,
	}
}

func (a *apiResource) view() object {
	view := object{
		"id": a.id, "name": a.name, "identifier": a.identifier, "type": a.kind, "requiresAuthorization": a.guarded,
		"scopes": orEmpty(a.scopes), "authorizationDetailsTypes": []any{}, "properties": []any{},
	}
	if a.description != "" {
		view["description"] = a.description
	}
	return view
}

// listResources knows filters on identifier, name and type, and pages.
func (is *IS) listResources(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	query := r.URL.Query()
	found := is.resources
	if filter := query.Get("filter"); filter != "" {
		fits, fault := parseFilter(filter, "identifier", "name", "type")
		if fault != nil {
			resourceFault(w, http.StatusBadRequest, "60005", "Unable to retrieve API resources.", "Invalid filter value used for filtering.")
			return
		}
		found = slices.DeleteFunc(slices.Clone(found), func(a *apiResource) bool {
			return !fits(func(attribute string) string {
				return map[string]string{"identifier": a.identifier, "name": a.name, "type": a.kind}[attribute]
			})
		})
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
		links = append(links, object{"rel": "next", "href": is.url(is.port) + resourcesPath + "?limit=" + strconv.Itoa(limit) + "&after=" + next + filterOf(query)})
	}
	list := []object{}
	for _, a := range found {
		list = append(list, a.summary())
	}
	writeJSON(w, http.StatusOK, object{"totalResults": total, "links": links, "apiResources": list})
}

// filterOf is a filter as the link to the next page repeats it.
func filterOf(query url.Values) string {
	if query.Get("filter") == "" {
		return ""
	}
	return "&filter=" + url.QueryEscape(query.Get("filter"))
}

// resourceBody takes every field of the API's schema, and ignores those that the stand-in has no use for.
type resourceBody struct {
	Name        string          `json:"name"`
	Identifier  string          `json:"identifier"`
	Description *string         `json:"description"`
	Guarded     *bool           `json:"requiresAuthorization"`
	Scopes      []resourceScope `json:"scopes"`
	AddedScopes []resourceScope `json:"addedScopes"`
}

func (is *IS) createResource(w http.ResponseWriter, r *http.Request) {
	var body resourceBody
	if !readLoosely(w, r, &body) {
		return
	}
	for _, required := range []struct{ name, value string }{{"identifier", body.Identifier}, {"name", body.Name}} {
		if required.value == "" {
			applicationFault(w, 400, "UE-10000", "Invalid Request", "Property "+required.name+" cannot be null.")
			return
		}
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
	a := &apiResource{id: newUUID(), name: body.Name, identifier: body.Identifier, kind: businessResource, guarded: body.Guarded == nil || *body.Guarded, description: value(body.Description)}
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
		if s.DisplayName == "" {
			s.DisplayName = s.Name
		}
		a.scopes = append(a.scopes, s)
	}
	return true
}

// scope finds a scope of the resource by its name, or nil.
func (a *apiResource) scope(name string) *resourceScope {
	for i := range a.scopes {
		if a.scopes[i].Name == name {
			return &a.scopes[i]
		}
	}
	return nil
}

// scopeNamed finds a scope, and the resource to which it belongs, by its name; nil if there is none.
func (is *IS) scopeNamed(name string) (*apiResource, *resourceScope) {
	for _, a := range is.resources {
		if s := a.scope(name); s != nil {
			return a, s
		}
	}
	return nil, nil
}

func (is *IS) hasScope(name string) bool {
	_, s := is.scopeNamed(name)
	return s != nil
}

func (is *IS) resourceWithID(id string) *apiResource {
	for _, a := range is.resources {
		if a.id == id {
			return a
		}
	}
	return nil
}

func (is *IS) patchResource(w http.ResponseWriter, r *http.Request, a *apiResource) {
	var body resourceBody
	if !readLoosely(w, r, &body) || !is.addScopes(w, a, body.AddedScopes) {
		return
	}
	if body.Name != "" {
		a.name = body.Name
	}
	if body.Description != nil {
		a.description = *body.Description
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
	resourceFault(w, http.StatusNotFound, "60005", "Invalid scope name provided.", "Scope name is required.")
}
