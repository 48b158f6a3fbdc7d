package wso2sim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const groupsPath = "/scim2/Groups"

// group is a group of users. It gives no rights here: roles have users and no groups.
type group struct {
	id, name          string
	created, modified time.Time
	members           []string // ids of users
}

func (is *IS) groupWithID(id string) *group {
	for _, g := range is.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (is *IS) groupRoutes(mux *http.ServeMux) {
	locked := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			h(w, r)
		}
	}
	mux.HandleFunc("GET "+groupsPath, locked(is.listGroups))
	mux.HandleFunc("POST "+groupsPath, locked(is.createGroup))
	mux.HandleFunc("GET "+groupsPath+"/{id}", locked(func(w http.ResponseWriter, r *http.Request) {
		if g := is.groupWithID(r.PathValue("id")); g != nil {
			is.showGroup(w, g)
			return
		}
		scimFault(w, 404, "", "Group not found in the user store.")
	}))
	mux.HandleFunc("PATCH "+groupsPath+"/{id}", locked(is.patchGroup))
	mux.HandleFunc("DELETE "+groupsPath+"/{id}", locked(func(w http.ResponseWriter, r *http.Request) {
		g := is.groupWithID(r.PathValue("id"))
		if g == nil {
			scimFault(w, 400, "", "No group found with the id: "+r.PathValue("id")+" in tenant: -1234")
			return
		}
		is.removeGroup(g)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// addGroup makes a group. The lock is held.
func (is *IS) addGroup(name string, members []string) *group {
	now := time.Now()
	g := &group{id: newUUID(), name: name, created: now, modified: now, members: members}
	is.groups = append(is.groups, g)
	is.changed("group", g.id)
	return g
}

func (is *IS) removeGroup(g *group) {
	is.groups = slices.DeleteFunc(is.groups, func(other *group) bool { return other == g })
	is.changed("group", g.id)
}

const groupTime = "2006-01-02T15:04:05.000Z"

func (is *IS) groupView(g *group) object {
	at := is.url(is.port)
	view := object{"id": g.id, "displayName": g.name, "meta": object{
		"created": g.created.UTC().Format(groupTime), "lastModified": g.modified.UTC().Format(groupTime), "location": at + groupsPath + "/" + g.id,
	}}
	var members []object
	for _, id := range g.members {
		if u := is.userWithID(id); u != nil {
			members = append(members, object{"display": u.name, "value": id, "$ref": at + usersPath + "/" + id})
		}
	}
	if len(members) > 0 {
		view["members"] = members
	}
	return view
}

func (is *IS) showGroup(w http.ResponseWriter, g *group) {
	view := is.groupView(g)
	view["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}
	w.Header().Set("Location", is.url(is.port)+groupsPath+"/"+g.id)
	writeAs(w, http.StatusOK, scimJSON, view)
}

// listGroups knows filters on displayName, with or without the name of the user store.
func (is *IS) listGroups(w http.ResponseWriter, r *http.Request) {
	fits := condition(func(func(string) string) bool { return true })
	if filter := r.URL.Query().Get("filter"); filter != "" {
		var fault *filterFault
		if fits, fault = parseFilter(strings.Replace(filter, "PRIMARY/", "", 1), "displayName"); fault != nil {
			scimFault(w, 400, "invalidFilter", "Not a valid attribute name/uri")
			return
		}
	}
	list := []object{}
	for _, g := range is.groups {
		if fits(func(string) string { return g.name }) {
			list = append(list, is.groupView(g))
		}
	}
	answer := object{"totalResults": len(list), "startIndex": 1, "itemsPerPage": len(list), "schemas": []string{scimList}}
	if len(list) > 0 {
		answer["Resources"] = list
	}
	writeAs(w, http.StatusOK, scimJSON, answer)
}

func (is *IS) createGroup(w http.ResponseWriter, r *http.Request) {
	var body struct {
		DisplayName string
		Members     []memberRef
	}
	if !readLoosely(w, r, &body) {
		return
	}
	members := values(body.Members)
	switch unknown := is.unknownUser(members); {
	case strings.Contains(body.DisplayName, "/"):
		scimFault(w, 400, "invalidValue", "One or more group members do not exist in the same user store. Hence, can not create the group: "+body.DisplayName)
		return
	case body.DisplayName == "":
		scimFault(w, 400, "", "Group name cannot be empty")
		return
	case slices.ContainsFunc(is.groups, func(g *group) bool { return strings.EqualFold(g.name, body.DisplayName) }):
		scimFault(w, 409, "", "Group with name: PRIMARY/"+body.DisplayName+" already exists in the system.")
		return
	case unknown != "":
		scimFault(w, 404, "", "User "+unknown+" does not exist in: PRIMARY")
		return
	}
	g := is.addGroup(body.DisplayName, members)
	view := is.groupView(g)
	delete(view, "members") // as a running server answers
	view["schemas"] = []string{}
	w.Header().Set("Location", is.url(is.port)+groupsPath+"/"+g.id)
	writeAs(w, http.StatusCreated, scimJSON, view)
}

// leavingMember is the path that takes a user out of a group.
var leavingMember = regexp.MustCompile(`^members\[value eq "?([^"\]]+)"?\]$`)

// patchGroup adds members, each of which needs the name beside the id, and removes them.
func (is *IS) patchGroup(w http.ResponseWriter, r *http.Request) {
	g := is.groupWithID(r.PathValue("id"))
	if g == nil {
		scimFault(w, 404, "", "Group not found in the user store.")
		return
	}
	var body struct{ Operations []roleOperation }
	if !readLoosely(w, r, &body) {
		return
	}
	members := slices.Clone(g.members)
	for _, op := range body.Operations {
		if m := leavingMember.FindStringSubmatch(op.Path); m != nil && strings.EqualFold(op.Op, "remove") {
			members = without(members, []string{m[1]})
			continue
		}
		if name := op.newName(); name != "" {
			g.name = name
			continue
		}
		joining, ok := joiningMembers(op)
		if !ok || is.unknownUser(joining) != "" {
			scimFault(w, 400, "invalidSyntax", "Request is unparsable, syntactically incorrect, or violates schema.")
			return
		}
		members = append(without(members, joining), joining...)
	}
	g.members, g.modified = members, time.Now()
	is.changed("group", g.id)
	is.showGroup(w, g)
}

func joiningMembers(op roleOperation) (ids []string, ok bool) {
	type member struct{ Value, Display string }
	var members []member
	if op.Path == "members" {
		ok = json.Unmarshal(op.Value, &members) == nil
	} else {
		var in struct{ Members []member }
		ok = json.Unmarshal(op.Value, &in) == nil
		members = in.Members
	}
	for _, m := range members {
		ids, ok = append(ids, m.Value), ok && m.Value != "" && m.Display != ""
	}
	return ids, ok && len(ids) > 0 && strings.EqualFold(op.Op, "add")
}
