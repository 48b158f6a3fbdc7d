package wso2sim

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	scimJSON  = "application/scim+json"
	scimError = "urn:ietf:params:scim:api:messages:2.0:Error"
	roleType  = "urn:ietf:params:scim:schemas:extension:2.0:Role"
	rolesPath = "/scim2/v2/Roles"
)

// The roles that every server has. That of the administrator has every right, and everybody has the other one.
const (
	adminRole    = "admin"
	everyoneRole = "everyone"
)

// role gives rights to users. All of them have the audience organization.
type role struct {
	id, name    string
	permissions []string // names of scopes
	users       []string // ids
	groups      []string // ids
}

// has says whether a user has the role.
func (r *role) has(u *user) bool { return r.name == everyoneRole || slices.Contains(r.users, u.id) }

func (is *IS) systemRoles() []*role {
	return []*role{{id: newUUID(), name: adminRole, users: []string{is.oauth.userID}}, {id: newUUID(), name: everyoneRole}}
}

// readLoosely reads JSON as IS's REST APIs do, ignoring what they do not know. It answers for itself if it cannot.
func readLoosely(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, object{"code": "UE-10000", "message": "Invalid Request",
			"description": "Provided request body content is not in the expected format.", "traceId": newUUID()})
		return false
	}
	return true
}

func (is *IS) roleRoutes(mux *http.ServeMux) {
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request, *role)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			id := r.PathValue("id")
			at := slices.IndexFunc(is.roles, func(other *role) bool { return other.id == id })
			if at < 0 {
				scimFault(w, 404, "", "Role id: "+id+" does not exist in the tenant: carbon.super")
				return
			}
			h(w, r, is.roles[at])
		})
	}
	mux.HandleFunc("GET "+rolesPath, func(w http.ResponseWriter, r *http.Request) {
		is.showRoles(w, r.URL.Query().Get("filter"), r.URL.Query())
	})
	mux.HandleFunc("POST "+rolesPath+"/.search", is.searchRoles)
	mux.HandleFunc("POST "+rolesPath, is.createRole)
	handle("GET "+rolesPath+"/{id}", func(w http.ResponseWriter, r *http.Request, found *role) {
		view := is.roleView(found)
		view["schemas"] = []string{roleType}
		is.addMembers(view, found)
		for name := range strings.SplitSeq(r.URL.Query().Get("excludedAttributes"), ",") {
			switch name {
			case "permissions":
				view[name] = []object{}
			case "users", "groups":
				delete(view, name)
			}
		}
		writeAs(w, http.StatusOK, scimJSON, view)
	})
	handle("PATCH "+rolesPath+"/{id}", is.patchRole)
	handle("PUT "+rolesPath+"/{id}", is.replaceRole)
	handle("DELETE "+rolesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, found *role) {
		if found.name == "" {
			scimFault(w, 500, "", "Error occurred while deleting the role: "+found.id)
			return
		}
		is.roles = slices.DeleteFunc(is.roles, func(other *role) bool { return other == found })
		is.changed("role", found.id)
		w.WriteHeader(http.StatusNoContent)
	})
}

func scimFault(w http.ResponseWriter, status int, kind, detail string) {
	body := object{"schemas": []string{scimError}, "detail": detail, "status": strconv.Itoa(status)}
	if kind != "" {
		body["scimType"] = kind
	}
	writeAs(w, status, scimJSON, body)
}

// superAudience is whom a role of the whole organization is for.
func superAudience() object {
	return object{"display": "Super", "type": "organization", "value": superOrganization}
}

// roleView is a role without its members, as PATCH answers it.
func (is *IS) roleView(r *role) object {
	at := is.url(is.port)
	permissions := []object{}
	for _, name := range r.permissions {
		p := object{"value": name, "display": name}
		if a, s := is.scopeNamed(name); s != nil {
			p["display"], p["$ref"] = s.DisplayName, at+resourcesPath+"/"+a.id+"/scopes/"+name
		}
		permissions = append(permissions, p)
	}
	return object{
		"id": r.id, "displayName": r.name, "audience": superAudience(), "permissions": permissions,
		"meta":       object{"location": at + rolesPath + "/" + r.id},
		"properties": []object{{"name": "isSharedRole", "value": "false"}},
	}
}

// addMembers adds users and groups, where there are any.
func (is *IS) addMembers(view object, r *role) {
	at := is.url(is.port)
	var users []object
	for _, u := range is.users {
		if r.has(u) {
			users = append(users, object{"display": u.name, "value": u.id, "$ref": at + usersPath + "/" + u.id})
		}
	}
	if len(users) > 0 {
		view["users"] = users
	}
	is.addGroups(view, r)
}

// addGroups adds the groups alone, where there are any.
func (is *IS) addGroups(view object, r *role) {
	var groups []object
	for _, g := range is.groups {
		if g.name == adminRole && r.name == adminRole || slices.Contains(r.groups, g.id) {
			groups = append(groups, object{"display": "PRIMARY/" + g.name, "value": g.id, "$ref": is.url(is.port) + groupsPath + "/" + g.id})
		}
	}
	if len(groups) > 0 {
		view["groups"] = groups
	}
}

func (is *IS) searchRoles(w http.ResponseWriter, r *http.Request) {
	var body struct{ Filter string }
	if readLoosely(w, r, &body) {
		is.showRoles(w, body.Filter, url.Values{})
	}
}

// showRoles knows filters on displayName and on the type of the audience, and pages.
func (is *IS) showRoles(w http.ResponseWriter, filter string, page url.Values) {
	fits := condition(func(func(string) string) bool { return true })
	if filter != "" {
		var fault *filterFault
		if fits, fault = parseFilter(filter, "displayName", "audience.type"); fault != nil {
			scimFault(w, 400, "invalidValue", "Not a valid attribute name/uri")
			return
		}
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	list := []object{}
	for _, found := range is.roles {
		if !fits(func(attribute string) string {
			if attribute == "audience.type" {
				return "organization"
			}
			return found.name
		}) {
			continue
		}
		view := is.roleView(found)
		is.addMembers(view, found)
		list = append(list, view)
	}
	total, start := len(list), max(numberOr(page.Get("startIndex"), 1), 1)
	list = list[min(start-1, total):]
	list = list[:max(min(numberOr(page.Get("count"), len(list)), len(list)), 0)]
	answer := object{"totalResults": total, "startIndex": start, "itemsPerPage": len(list), "schemas": []string{scimList}}
	if len(list) > 0 {
		answer["Resources"] = list
	}
	writeAs(w, http.StatusOK, scimJSON, answer)
}

// memberRef points to something by its id, or to a permission by its name.
type memberRef struct {
	Value string `json:"value"`
}

func values(refs []memberRef) []string {
	var out []string
	for _, r := range refs {
		out = append(out, r.Value)
	}
	return out
}

func (is *IS) createRole(w http.ResponseWriter, r *http.Request) {
	var body struct {
		DisplayName        *string
		Permissions, Users []memberRef
		Audience           *struct{ Type, Value string }
	}
	if !readLoosely(w, r, &body) {
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	if body.DisplayName == nil {
		scimFault(w, 400, "invalidValue", "Required attribute displayName is missing in the SCIM Object.")
		return
	}
	name := *body.DisplayName
	switch to := body.Audience; {
	case strings.Contains(name, "/"):
		scimFault(w, 400, "Invalid character: / contains in the role name: "+name+".", unparsable)
		return
	case to != nil && to.Type == "organization" && to.Value != superOrganization:
		scimFault(w, 400, "invalidValue", "Invalid audience. Given Organization id: "+cmp.Or(to.Value, "null")+" is invalid")
		return
	case to != nil && to.Type == "application":
		scimFault(w, 400, "invalidValue", "Invalid audience. No application found with application id: "+to.Value+" and tenant domain : carbon.super")
		return
	}
	if strings.HasPrefix(name, "system_") && !is.settings.flag("role_mgt.allow_system_prefix_for_role") {
		scimFault(w, 400, "Invalid role name: "+name+". Role names with the prefix: system_, is not allowed to be created from externally in the system.",
			"Request is unparsable, syntactically incorrect, or violates schema.")
		return
	}
	for _, other := range is.roles {
		if other.name == name {
			scimFault(w, 409, "", "Role already exist for the role name: "+name+" audience: organization audienceId: "+superOrganization)
			return
		}
	}
	made := &role{id: newUUID(), name: name, permissions: values(body.Permissions), users: values(body.Users)}
	if unknown := is.unknownPermission(made.permissions); unknown != "" {
		scimFault(w, 400, "invalidValue", "Permission: "+unknown+" not found")
		return
	}
	if unknown := is.unknownUser(made.users); unknown != "" {
		scimFault(w, 400, "A user doesn't exist with id: "+unknown+" in the tenantDomain: carbon.super",
			"Request is unparsable, syntactically incorrect, or violates schema.")
		return
	}
	is.roles = append(is.roles, made)
	is.changed("role", made.id)
	location := is.url(is.port) + rolesPath + "/" + made.id
	w.Header().Set("Location", location)
	writeAs(w, http.StatusCreated, scimJSON, object{
		"id": made.id, "displayName": made.name, "audience": superAudience(), "meta": object{"location": location},
		"schemas": []string{roleType},
	})
}

// unknownPermission is the first name that no scope has, or "".
func (is *IS) unknownPermission(names []string) string {
	for _, name := range names {
		if name != loginScope && !is.hasScope(name) {
			return name
		}
	}
	return ""
}

// unknownUser is the first id that no user has, or "".
func (is *IS) unknownUser(ids []string) string {
	for _, id := range ids {
		if is.userWithID(id) == nil {
			return id
		}
	}
	return ""
}

// roleOperation is one step of a PATCH. What it is about stands in the path, or in the names of the value.
type roleOperation struct {
	Op, Path string
	Value    json.RawMessage
}

// removedMember is the path that takes one user or permission out of a role.
var removedMember = regexp.MustCompile(`^(users|permissions)\[value eq "?([^"\]]+)"?\]$`)

// change applies the operation to the lists of a role, of which it makes copies. It is not ok if it makes no sense.
func (o roleOperation) change(lists map[string][]string) (ok bool) {
	op := strings.ToLower(o.Op)
	if m := removedMember.FindStringSubmatch(o.Path); m != nil && op == "remove" {
		lists[m[1]] = without(lists[m[1]], []string{m[2]})
		return true
	}
	given := map[string][]memberRef{}
	if o.Path == "" {
		ok = json.Unmarshal(o.Value, &given) == nil
	} else {
		var refs []memberRef
		ok = json.Unmarshal(o.Value, &refs) == nil || op == "remove" && len(o.Value) == 0
		given[o.Path] = refs
	}
	if !ok {
		return false
	}
	for name, refs := range given {
		list, known := lists[name]
		if !known {
			return false
		}
		switch ids := values(refs); {
		case op == "add":
			lists[name] = append(without(list, ids), ids...)
		case op == "replace":
			lists[name] = ids
		case op == "remove" && len(refs) == 0:
			lists[name] = nil
		case op == "remove":
			lists[name] = without(list, ids)
		default:
			return false
		}
	}
	return true
}

// without is a list without some of its members.
func without(list, members []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(m string) bool { return slices.Contains(members, m) })
}

func (is *IS) patchRole(w http.ResponseWriter, r *http.Request, found *role) {
	var body struct{ Operations []roleOperation }
	if !readLoosely(w, r, &body) {
		return
	}
	lists := map[string][]string{"permissions": found.permissions, "users": found.users, "groups": found.groups}
	name, bare := found.name, false
	for _, op := range body.Operations {
		if renamed := op.newName(); renamed != "" {
			name = renamed
			continue
		}
		bare = bare || op.Path == "users" && strings.EqualFold(op.Op, "replace") // as a running server answers
		if !op.change(lists) {
			scimFault(w, 400, "invalidSyntax", "Request is unparsable, syntactically incorrect, or violates schema.")
			return
		}
	}
	if name != found.name && slices.ContainsFunc(is.roles, func(other *role) bool { return other.name == name }) {
		scimFault(w, 409, "", "Error while Updating the roleName: "+found.name+" to : "+name+". Role already exist for the role name: "+name+
			" audience: organization audienceId: "+superOrganization)
		return
	}
	if unknown := is.unknownPermission(without(lists["permissions"], found.permissions)); unknown != "" {
		scimFault(w, 400, "invalidValue", "Permission: "+unknown+" not found")
		return
	}
	if is.unknownUser(lists["users"]) != "" {
		scimFault(w, 400, "invalidValue", "User can't be resolved from the given user Id.")
		return
	}
	if !slices.Equal(slices.Sorted(slices.Values(found.permissions)), slices.Sorted(slices.Values(lists["permissions"]))) {
		is.endTokensOfMembers(found)
	}
	found.name, found.permissions, found.users, found.groups = name, lists["permissions"], lists["users"], lists["groups"]
	is.changed("role", found.id)
	if bare {
		is.showBareRole(w, found)
		return
	}
	view := is.roleView(found)
	is.addGroups(view, found)
	view["schemas"] = []string{roleType}
	w.Header().Set("Location", is.url(is.port)+rolesPath+"/"+found.id)
	writeAs(w, http.StatusOK, scimJSON, view)
}

// showBareRole is a role with neither permissions nor members.
func (is *IS) showBareRole(w http.ResponseWriter, r *role) {
	location := is.url(is.port) + rolesPath + "/" + r.id
	w.Header().Set("Location", location)
	writeAs(w, http.StatusOK, scimJSON, object{
		"id": r.id, "displayName": r.name, "audience": superAudience(), "meta": object{"location": location}, "schemas": []string{roleType},
	})
}

// replaceRole is a PUT: the role has what the body has, and nothing else.
func (is *IS) replaceRole(w http.ResponseWriter, r *http.Request, found *role) {
	var body struct {
		DisplayName                string
		Permissions, Users, Groups []memberRef
	}
	if !readSCIM(w, r, &body) {
		return
	}
	users, permissions := values(body.Users), values(body.Permissions)
	if is.unknownPermission(permissions) != "" || is.unknownUser(users) != "" {
		scimFault(w, 400, "invalidValue", unparsable)
		return
	}
	is.endTokensOfMembers(found)
	found.name, found.users, found.permissions, found.groups = cmp.Or(body.DisplayName, found.name), users, permissions, values(body.Groups)
	is.changed("role", found.id)
	is.showBareRole(w, found)
}

// newName is the name that an operation gives; "" if it is about something else.
func (o roleOperation) newName() string {
	if !strings.EqualFold(o.Op, "replace") {
		return ""
	}
	var name string
	if o.Path == "displayName" {
		_ = json.Unmarshal(o.Value, &name) // what is no text is no name
		return name
	}
	var in struct{ DisplayName string }
	_ = json.Unmarshal(o.Value, &in)
	return in.DisplayName
}

// endTokensOfMembers ends the tokens of everybody who has a role, as IS does when the rights of the role change.
func (is *IS) endTokensOfMembers(r *role) {
	is.oauth.endTokens(func(t *accessToken) bool {
		u := is.userNamed(t.user)
		return u != nil && r.has(u)
	})
}
