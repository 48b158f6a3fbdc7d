package wso2sim

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	usersPath = "/scim2/Users"
	scimList  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// user is somebody who can log in. The first one is the administrator.
type user struct {
	id, name, password string
	created, modified  time.Time
	given              object // what else came with the user: name, emails, and the account's state
}

// userNamed finds a user by the name, in which upper and lower case mean the same; nil if there is none.
func (is *IS) userNamed(name string) *user {
	for _, u := range is.users {
		if strings.EqualFold(u.name, name) {
			return u
		}
	}
	return nil
}

func (is *IS) userWithID(id string) *user {
	for _, u := range is.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

// isAdmin says whether a user has the role admin, which has every right. u may be nil.
func (is *IS) isAdmin(u *user) bool {
	return u != nil && slices.ContainsFunc(is.roles, func(r *role) bool { return r.name == adminRole && r.has(u) })
}

// may says whether a user has a right by one of his roles. Everybody may log in. u may be nil.
func (is *IS) may(u *user, scope string) bool {
	if u == nil {
		return false
	}
	if scope == loginScope || is.isAdmin(u) {
		return true
	}
	return slices.ContainsFunc(is.roles, func(r *role) bool { return is.holds(u, r) && slices.Contains(r.permissions, scope) })
}

// holds says whether a user has a role, in his own right or through a group.
func (is *IS) holds(u *user, r *role) bool {
	return r.has(u) || slices.ContainsFunc(r.groups, func(id string) bool {
		g := is.groupWithID(id)
		return g != nil && slices.Contains(g.members, u.id)
	})
}

func (is *IS) userRoutes(mux *http.ServeMux) {
	one := func(h func(http.ResponseWriter, *http.Request, *user)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			u := is.userWithID(r.PathValue("id"))
			if u == nil {
				scimFault(w, 404, "", "Specified resource (e.g., User) or endpoint, does not exist.")
				return
			}
			h(w, r, u)
		}
	}
	mux.HandleFunc("GET "+usersPath, func(w http.ResponseWriter, r *http.Request) { is.listUsers(w, r.URL.Query()) })
	mux.HandleFunc("POST "+usersPath+"/.search", is.searchUsers)
	mux.HandleFunc("PUT "+usersPath+"/{id}", one(is.replaceUser))
	mux.HandleFunc("POST "+usersPath, is.createUser)
	mux.HandleFunc("GET "+usersPath+"/{id}", one(func(w http.ResponseWriter, _ *http.Request, u *user) { is.showUser(w, 200, u) }))
	mux.HandleFunc("PATCH "+usersPath+"/{id}", one(is.patchUser))
	mux.HandleFunc("DELETE "+usersPath+"/{id}", one(func(w http.ResponseWriter, _ *http.Request, u *user) {
		is.removeUser(u)
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("GET /scim2/Me", is.me(func(w http.ResponseWriter, _ *http.Request, u *user) { is.showUser(w, 200, u) }))
	mux.HandleFunc("PATCH /scim2/Me", is.me(is.patchUser))
}

// me does something with the caller: the user of the credentials, or the owner of the application whose token it is.
func (is *IS) me(h func(http.ResponseWriter, *http.Request, *user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		defer is.mu.Unlock()
		who := callerOf(r)
		if who == nil || who.user == nil {
			scimFault(w, 404, "", "Specified resource (e.g., User) or endpoint, does not exist.")
			return
		}
		h(w, r, who.user)
	}
}

func (is *IS) showUser(w http.ResponseWriter, status int, u *user) {
	w.Header().Set("Location", is.url(is.port)+usersPath+"/"+u.id)
	view := is.userView(u)
	view["schemas"] = []string{
		"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
		"urn:scim:wso2:schema", "urn:scim:schemas:extension:custom:User",
	}
	writeAs(w, status, scimJSON, view)
}

// userView is a user as a list shows him. The administrator has no times: he was not made over SCIM.
func (is *IS) userView(u *user) object {
	at := is.url(is.port)
	meta := object{"location": at + usersPath + "/" + u.id, "resourceType": "User"}
	if !u.created.IsZero() {
		meta["created"], meta["lastModified"] = u.created.UTC().Format(time.RFC3339Nano), u.modified.UTC().Format(time.RFC3339Nano)
	}
	view := object{"id": u.id, "userName": u.name, "meta": meta}
	roles := []object{}
	for _, r := range is.roles {
		if r.has(u) {
			roles = append(roles, object{
				"audienceValue": superOrganization, "display": r.name, "audienceType": "organization", "value": r.id,
				"$ref": at + rolesPath + "/" + r.id, "audienceDisplay": "Super",
			})
		}
	}
	view["roles"] = roles
	var groups []object
	for _, g := range is.groups {
		if slices.Contains(g.members, u.id) {
			groups = append(groups, object{"display": g.name, "value": g.id, "$ref": at + groupsPath + "/" + g.id})
		}
	}
	if len(groups) > 0 {
		view["groups"] = groups
	}
	for name, value := range u.given {
		view[name] = value
	}
	return view
}

// listUsers knows filters on userName and emails, paging, and a choice of attributes.
func (is *IS) listUsers(w http.ResponseWriter, query url.Values) {
	is.mu.Lock()
	defer is.mu.Unlock()
	found := is.users
	if filter := query.Get("filter"); filter != "" {
		match, fault := parseFilter(strings.Replace(filter, "PRIMARY/", "", 1), "userName", "emails")
		if fault != nil {
			scimFault(w, 400, "invalidFilter", "Not a valid attribute name/uri")
			return
		}
		found = slices.DeleteFunc(slices.Clone(found), func(u *user) bool { return !match(u.attribute) })
	}
	total := len(found)
	start := max(numberOr(query.Get("startIndex"), 1), 1)
	found = found[min(start-1, total):]
	count := numberOr(query.Get("count"), len(found))
	if count == 0 {
		total = 0 // as a running server answers
	}
	found = found[:max(min(count, len(found)), 0)]
	list := []object{}
	for _, u := range found {
		list = append(list, chosen(is.userView(u), query.Get("attributes")))
	}
	answer := object{"totalResults": total, "startIndex": start, "itemsPerPage": len(list), "schemas": []string{scimList}}
	if len(list) > 0 {
		answer["Resources"] = list
	}
	writeAs(w, http.StatusOK, scimJSON, answer)
}

// chosen leaves of a resource the id and the attributes that were asked for; all where none were.
func chosen(view object, attributes string) object {
	if attributes == "" {
		return view
	}
	out := object{"id": view["id"]}
	for name := range strings.SplitSeq(attributes, ",") {
		if value, has := view[name]; has {
			out[name] = value
		}
	}
	return out
}

// numberOr reads a number of a query.
func numberOr(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return otherwise
	}
	return n
}

// userBody is what the stand-in reads of a user. Other attributes are ignored.
type userBody struct {
	UserName string  `json:"userName"`
	Password *string `json:"password"`
	Name     object  `json:"name"`
	Emails   []any   `json:"emails"`
}

func (is *IS) createUser(w http.ResponseWriter, r *http.Request) {
	var body userBody
	if !readSCIM(w, r, &body) {
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	u, fault := is.addUser(body)
	if fault != nil {
		scimFault(w, fault.status, fault.kind, fault.detail)
		return
	}
	is.showUser(w, http.StatusCreated, u)
}

// userFault is why a user is not made or changed.
type userFault struct {
	status       int
	kind, detail string
}

func invalidUser(detail string) *userFault { return &userFault{400, "invalidValue", detail} }

var (
	userNamePattern = regexp.MustCompile(`^[^\s*?%]{3,50}$`)
	digit           = regexp.MustCompile(`[0-9]`)
	upperCase       = regexp.MustCompile(`[A-Z]`)
	lowerCase       = regexp.MustCompile(`[a-z]`)
)

// addUser makes a user. The lock is held.
func (is *IS) addUser(body userBody) (*user, *userFault) {
	name := strings.TrimPrefix(body.UserName, "PRIMARY/")
	switch {
	case strings.Contains(name, "/"):
		return nil, &userFault{400, "Invalid user store name.", unparsable}
	case name == "":
		return nil, invalidUser("Required attribute userName is missing in the SCIM Object.")
	case !userNamePattern.MatchString(name):
		return nil, invalidUser("31301 - Username " + name + " is not valid. User name must be a non null string with following format, " + userNamePattern.String())
	case is.userNamed(name) != nil:
		masked := name[:1] + strings.Repeat("*", 8) + name[len(name)-1:]
		return nil, &userFault{409, "", "User with the name: " + masked + " already exists in the system."}
	}
	if fault := checkPassword(value(body.Password)); fault != nil {
		return nil, fault
	}
	if fault := checkEmails(name, body.Emails); fault != nil {
		return nil, fault
	}
	now := time.Now()
	u := &user{id: newUUID(), name: name, password: value(body.Password), created: now, modified: now, given: object{}}
	if len(body.Name) > 0 {
		u.given["name"] = body.Name
	}
	if len(body.Emails) > 0 {
		u.given["emails"] = plainEmails(body.Emails)
	}
	is.users = append(is.users, u)
	is.changed("account", u.id)
	return u, nil
}

// plainEmails are the addresses alone, as IS shows those that have no type.
func plainEmails(emails []any) []any {
	out := []any{}
	for _, e := range emails {
		if full, ok := e.(map[string]any); ok && full["type"] == nil {
			e = full["value"]
		}
		out = append(out, e)
	}
	return out
}

// checkPassword applies the rules of a stock server.
func checkPassword(password string) *userFault {
	switch {
	case len(password) < 8:
		return invalidUser("20035 - The minimum length of password should be 8.")
	case len(password) > 64:
		return invalidUser("20035 - The maximum length of password can be 64")
	case !digit.MatchString(password):
		return invalidUser("20035 - The password should contain at least 1 digits.")
	case !upperCase.MatchString(password):
		return invalidUser("20035 - The password should contain at least 1 upper case characters.")
	case !lowerCase.MatchString(password):
		return invalidUser("20035 - The password should contain at least 1 lower case characters.")
	}
	return nil
}

// setPassword ends all tokens of the user. The lock is held.
func (is *IS) setPassword(u *user, password string) *userFault {
	if fault := checkPassword(password); fault != nil {
		return fault
	}
	u.password, u.modified = password, time.Now()
	is.changed("account", u.id)
	is.oauth.endTokens(func(t *accessToken) bool { return t.user == u.name })
	return nil
}

// removeUser takes a user out of his roles and ends his tokens. The lock is held.
func (is *IS) removeUser(u *user) {
	is.users = slices.DeleteFunc(is.users, func(other *user) bool { return other == u })
	for _, r := range is.roles {
		if slices.Contains(r.users, u.id) {
			r.users = slices.DeleteFunc(r.users, func(id string) bool { return id == u.id })
			is.changed("role", r.id)
		}
	}
	for _, g := range is.groups {
		if slices.Contains(g.members, u.id) {
			g.members = without(g.members, []string{u.id})
			is.changed("group", g.id)
		}
	}
	is.changed("account", u.id)
	is.oauth.endTokens(func(t *accessToken) bool { return t.user == u.name })
}
