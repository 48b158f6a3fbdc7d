package wso2sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const scim1Path = "/wso2/scim"

// scim1Type is the schema of everything in SCIM 1.1.
var scim1Type = []string{"urn:scim:schemas:core:1.0"}

// scim1Routes are the services of SCIM 1.1. IS's own list leaves them to themselves, and they look at nothing but the
// user: a token without any scope acts as the owner of its application.
func (is *IS) scim1Routes(mux *http.ServeMux) {
	handle := func(pattern string, h http.HandlerFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+scim1Path+path, func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			switch who := is.authenticate(r); {
			case who == nil:
				scim1Fault(w, http.StatusUnauthorized, "401", "Authentication failed for this resource.")
			case !is.provisions(who.user):
				scim1Fault(w, http.StatusInternalServerError, "500", "User is not authorized to perform provisioning")
			default:
				h(w, r)
			}
		})
	}
	handle("GET /Users", func(w http.ResponseWriter, _ *http.Request) {
		list := []object{}
		for _, u := range is.users {
			list = append(list, is.scim1User(u))
		}
		scim1List(w, list)
	})
	handle("POST /Users", is.scim1CreateUser)
	oneUser := func(h func(http.ResponseWriter, *http.Request, *user)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if u := is.userWithID(r.PathValue("id")); u != nil {
				h(w, r, u)
				return
			}
			scim1Fault(w, http.StatusNotFound, "404", "Specified resource; User does not exist.")
		}
	}
	handle("GET /Users/{id}", oneUser(func(w http.ResponseWriter, _ *http.Request, u *user) {
		view := is.scim1User(u)
		view["schemas"], view["roles"] = scim1Type, is.scim1Roles(u)
		writeJSON(w, http.StatusOK, view)
	}))
	handle("PUT /Users/{id}", oneUser(is.scim1ChangeUser))
	handle("PATCH /Users/{id}", oneUser(is.scim1ChangeUser))
	handle("DELETE /Users/{id}", oneUser(func(w http.ResponseWriter, _ *http.Request, u *user) {
		is.removeUser(u)
		w.WriteHeader(http.StatusOK)
	}))
	is.scim1GroupRoutes(handle)
	handle("POST /Bulk", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, object{"schemas": scim1Type, "Operations": []any{}})
	})
}

func (is *IS) scim1GroupRoutes(handle func(string, http.HandlerFunc)) {
	handle("GET /Groups", func(w http.ResponseWriter, _ *http.Request) {
		list := []object{}
		for _, g := range is.groups {
			list = append(list, is.scim1Group(g))
		}
		scim1List(w, list)
	})
	handle("POST /Groups", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ DisplayName string }
		if !readLoosely(w, r, &body) {
			return
		}
		view := is.scim1Group(is.addGroup(body.DisplayName, nil))
		view["schemas"] = scim1Type
		writeJSON(w, http.StatusCreated, view)
	})
	handle("DELETE /Groups/{id}", func(w http.ResponseWriter, r *http.Request) {
		g := is.groupWithID(r.PathValue("id"))
		if g == nil {
			scim1Fault(w, http.StatusNotFound, "404", "Group not found in the user store.")
			return
		}
		is.removeGroup(g)
		w.WriteHeader(http.StatusOK)
	})
}

// provisions says whether a user may use SCIM 1.1. That the right to make users is what counts is an assumption; that
// one without any right over users may not is known.
func (is *IS) provisions(u *user) bool { return is.may(u, "internal_user_mgt_create") }

func scim1Fault(w http.ResponseWriter, status int, code, why string) {
	writeJSON(w, status, object{"Errors": []object{{"code": code, "description": why}}})
}

func scim1List(w http.ResponseWriter, list []object) {
	writeJSON(w, http.StatusOK, object{"totalResults": len(list), "schemas": scim1Type, "Resources": list})
}

const scim1Time = "2006-01-02T15:04:05"

func (is *IS) scim1Meta(path string, created, modified time.Time) object {
	meta := object{"location": is.url(is.port) + scim1Path + path}
	if !created.IsZero() {
		meta["created"], meta["lastModified"] = created.UTC().Format(scim1Time), modified.UTC().Format(scim1Time)
	}
	return meta
}

func (is *IS) scim1User(u *user) object {
	return object{"id": u.id, "userName": u.name, "meta": is.scim1Meta("/Users/"+u.id, u.created, u.modified)}
}

func (is *IS) scim1Group(g *group) object {
	return object{"id": g.id, "displayName": g.name, "meta": is.scim1Meta("/Groups/"+g.id, g.created, g.modified)}
}

// scim1Roles are the names of a user's roles as IS 5 wrote them.
func (is *IS) scim1Roles(u *user) []string {
	names := []string{}
	for _, r := range is.roles {
		if !r.has(u) {
			continue
		}
		if r.name == adminRole {
			names = append(names, r.name)
			continue
		}
		names = append(names, "Internal/"+r.name)
	}
	return names
}

func (is *IS) scim1CreateUser(w http.ResponseWriter, r *http.Request) {
	var body userBody
	if !readLoosely(w, r, &body) {
		return
	}
	u, fault := is.addUser(body)
	if fault != nil {
		scim1Fault(w, fault.status, strconv.Itoa(fault.status), fault.detail)
		return
	}
	is.scim1Show(w, http.StatusCreated, u)
}

func (is *IS) scim1Show(w http.ResponseWriter, status int, u *user) {
	view := is.scim1User(u)
	view["schemas"] = scim1Type
	w.Header().Set("Location", is.url(is.port)+scim1Path+"/Users/"+u.id)
	writeJSON(w, status, view)
}

// scim1ChangeUser sets the password. Nobody asks for the old one.
func (is *IS) scim1ChangeUser(w http.ResponseWriter, r *http.Request, u *user) {
	var body userBody
	if !readLoosely(w, r, &body) {
		return
	}
	if body.Password != nil {
		if fault := is.setPassword(u, *body.Password); fault != nil {
			scim1Fault(w, fault.status, strconv.Itoa(fault.status), fault.detail)
			return
		}
	}
	is.scim1Show(w, http.StatusOK, u)
}
