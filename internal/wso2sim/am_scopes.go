package wso2sim

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// sharedScope is a scope that belongs to no single API. Every key manager is told of it.
type sharedScope struct {
	ID, Name, DisplayName, Description string
	Bindings                           []string
	Bound                              []string // the roles of the first external key manager that have it, the last one first
}

// bound are the roles under which a key manager has the scope.
func (s *sharedScope) bound() []string {
	if s.Bound == nil {
		return s.Bindings
	}
	return s.Bound
}

// bind notes what a key manager makes of the roles of a new scope, or of one that changes.
func (s *sharedScope) bind(managers []keyManagerDTO, fresh bool) {
	if len(managers) == 0 || !createsRoles(&managers[0]) {
		s.Bound = nil
		return
	}
	for _, role := range s.Bindings {
		if role = roleInIS(role, fresh); !fresh {
			role = "system_primary_" + strings.TrimPrefix(role, "Internal/")
		}
		if !slices.Contains(s.Bound, role) {
			s.Bound = append([]string{role}, s.Bound...)
		}
	}
}

var (
	scopesSharedView  = []string{"apim:shared_scope_manage", "apim:api_view", "apim:api_manage"}
	scopesSharedWrite = []string{"apim:shared_scope_manage", "apim:api_manage"}
)

func (am *AM) sharedScopeRoutes(mux *http.ServeMux) {
	all := publisherPath + "/scopes"
	one := func(op func(http.ResponseWriter, *http.Request, *sharedScope) error) operation {
		return func(w http.ResponseWriter, r *http.Request) error {
			s := am.scopes[r.PathValue("id")]
			if s == nil {
				return noSharedScope(r.PathValue("id"))
			}
			return op(w, r, s)
		}
	}
	mux.HandleFunc("GET "+all, am.locked(scopesSharedView, func(w http.ResponseWriter, r *http.Request) error {
		list := []object{}
		for _, s := range am.scopes {
			list = append(list, am.sharedScopeView(s))
		}
		slices.SortFunc(list, func(a, b object) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
		writeJSON(w, http.StatusOK, page(list, r))
		return nil
	}))
	mux.HandleFunc("POST "+all, am.unlocked(scopesSharedWrite, am.createSharedScope))
	mux.HandleFunc("GET "+all+"/{id}", am.locked(scopesSharedView, one(func(w http.ResponseWriter, _ *http.Request, s *sharedScope) error {
		writeJSON(w, http.StatusOK, am.sharedScopeView(s))
		return nil
	})))
	mux.HandleFunc("GET "+all+"/{id}/usage", am.locked(scopesSharedView, one(am.showScopeUsage)))
	mux.HandleFunc("PUT "+all+"/{id}", am.unlocked(scopesSharedWrite, am.updateSharedScope))
	mux.HandleFunc("HEAD "+all+"/{id}", am.locked(scopesSharedView, am.sharedScopeExists))
	mux.HandleFunc("DELETE "+all+"/{id}", am.unlocked(scopesSharedWrite, am.deleteSharedScope))
}

func (am *AM) sharedScopeView(s *sharedScope) object {
	return object{
		"id": s.ID, "name": s.Name, "displayName": s.DisplayName, "description": s.Description, "bindings": orEmpty(s.Bindings),
		"usageCount": am.scopeUsers(s.Name),
	}
}

// scopeUsers counts the APIs that have a scope.
func (am *AM) scopeUsers(name string) int {
	n := 0
	for _, a := range am.apis {
		if a.hasScope(name) {
			n++
		}
	}
	return n
}

func (am *AM) sharedScope(name string) *sharedScope {
	for _, s := range am.scopes {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func (am *AM) sharedScopeNamed(name string) bool { return am.sharedScope(name) != nil }

func noSharedScope(id string) *fault {
	return &fault{status: 404, code: 900981, message: "Shared Scope not found", description: "Requested Shared Scope ID  " + id + " could not be found"}
}

// showScopeUsage lists the APIs that have a scope, with the operations that ask for it.
func (am *AM) showScopeUsage(w http.ResponseWriter, _ *http.Request, s *sharedScope) error {
	used := []object{}
	for _, a := range am.apis {
		if !a.hasScope(s.Name) {
			continue
		}
		resources := []object{}
		for _, op := range a.dto.Operations {
			if slices.Contains(op.Scopes, s.Name) {
				resources = append(resources, object{"target": op.Target, "verb": op.Verb})
			}
		}
		used = append(used, object{"name": a.name(), "context": fullContext(&a.dto), "version": a.version(), "provider": a.dto.Provider,
			"revisionID": "Current API", "usedResourceList": resources})
	}
	slices.SortFunc(used, func(a, b object) int { return strings.Compare(a["context"].(string), b["context"].(string)) })
	writeJSON(w, http.StatusOK, object{"id": s.ID, "name": s.Name, "usedApiList": used})
	return nil
}

// createSharedScope tells every key manager before it writes the scope: one that cannot be reached fails the request.
func (am *AM) createSharedScope(w http.ResponseWriter, r *http.Request) error {
	var dto scopeDTO
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	if dto.Name == "" {
		return invalid("name", "must not be null")
	}
	if value(dto.DisplayName) == "" {
		return &fault{status: 400, code: 900987, message: "Shared Scope display name not specified",
			description: "Shared Scope display name not specified"}
	}
	am.mu.Lock()
	taken, managers := am.sharedScopeNamed(dto.Name) || am.scopeUsers(dto.Name) > 0, am.connected()
	am.mu.Unlock()
	if taken {
		return &fault{status: 409, code: 900984, message: "Scope already exists", description: "Scope " + dto.Name + " already exists"}
	}
	if err := am.tellScopes(r.Context(), managers, scopeChange{ensured: []scopeDTO{dto}}); err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	s := &sharedScope{
		ID: newUUID(), Name: dto.Name, DisplayName: value(dto.DisplayName), Description: value(dto.Description), Bindings: dto.Bindings,
	}
	s.bind(managers, true)
	am.scopes[s.ID] = s
	am.changed("scope", s.ID)
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/scopes/"+s.ID)
	writeJSON(w, http.StatusCreated, am.sharedScopeView(s))
	return nil
}

// sharedScopeWithID finds a shared scope and the key managers that know of it.
func (am *AM) sharedScopeWithID(id string) (*sharedScope, []keyManagerDTO, error) {
	am.mu.Lock()
	defer am.mu.Unlock()
	s := am.scopes[id]
	if s == nil {
		return nil, nil, noSharedScope(id)
	}
	return s, am.connected(), nil
}

// updateSharedScope changes everything but the name. In IS the scope keeps its id.
func (am *AM) updateSharedScope(w http.ResponseWriter, r *http.Request) error {
	var dto scopeDTO
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	s, managers, err := am.sharedScopeWithID(r.PathValue("id"))
	if err != nil {
		return err
	}
	dto.Name = s.Name
	change := scopeChange{changed: []scopeDTO{dto}, unbound: without(s.Bindings, dto.Bindings)}
	if err := am.tellScopes(r.Context(), managers, change); err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	s.DisplayName, s.Description, s.Bindings = value(dto.DisplayName), value(dto.Description), dto.Bindings
	s.bind(managers, false)
	am.changed("scope", s.ID)
	writeJSON(w, http.StatusOK, am.sharedScopeView(s))
	return nil
}

// sharedScopeExists answers HEAD, where the name comes in base64.
func (am *AM) sharedScopeExists(w http.ResponseWriter, r *http.Request) error {
	name, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(r.PathValue("id"), "="))
	if err != nil || !am.sharedScopeNamed(string(name)) {
		return notFound("shared scope", r.PathValue("id"))
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (am *AM) deleteSharedScope(w http.ResponseWriter, r *http.Request) error {
	s, managers, err := am.sharedScopeWithID(r.PathValue("id"))
	if err != nil {
		return err
	}
	am.mu.Lock()
	if am.scopeUsers(s.Name) > 0 {
		am.mu.Unlock()
		return &fault{status: 409, code: 900985, message: "Shared Scope already attached",
			description: "Shared Scope " + s.ID + " is already used by one or more APIs"}
	}
	delete(am.scopes, s.ID)
	am.changed("scope", s.ID)
	am.mu.Unlock()
	_ = am.tellScopes(r.Context(), managers, scopeChange{removed: []string{s.Name}}) // the scope is gone here
	w.WriteHeader(http.StatusOK)
	return nil
}
