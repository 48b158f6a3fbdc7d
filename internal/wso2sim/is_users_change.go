package wso2sim

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	unparsable    = "Request is unparsable, syntactically incorrect, or violates schema."
	accountSchema = "urn:scim:wso2:schema"
)

// readSCIM reads a body of SCIM. It answers for itself if it cannot.
func readSCIM(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		scimFault(w, 400, "invalidSyntax", unparsable)
		return false
	}
	return true
}

// attribute gives a filter what it looks at.
func (u *user) attribute(name string) string {
	if name == "userName" {
		return u.name
	}
	emails, _ := u.given["emails"].([]any)
	for _, e := range emails {
		if address, ok := e.(string); ok {
			return address
		}
	}
	return ""
}

// searchUsers is a list whose query stands in the body.
func (is *IS) searchUsers(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Filter            string
		StartIndex, Count *int
		Attributes        []string
	}
	if !readSCIM(w, r, &body) {
		return
	}
	query := url.Values{"filter": {body.Filter}, "attributes": {strings.Join(body.Attributes, ",")}}
	for name, n := range map[string]*int{"startIndex": body.StartIndex, "count": body.Count} {
		if n != nil {
			query.Set(name, strconv.Itoa(*n))
		}
	}
	is.listUsers(w, query)
}

// checkEmails asks of each address that it looks like one.
func checkEmails(name string, emails []any) *userFault {
	for _, e := range emails {
		address, ok := e.(string)
		if full, isObject := e.(map[string]any); isObject {
			address, ok = full["value"].(string)
		}
		if local, host, at := strings.Cut(address, "@"); !ok || !at || local == "" || host == "" {
			return invalidUser("Error in adding the user: " + name[:1] + "*******" + name[len(name)-1:] + ". Email is not in the correct format.")
		}
	}
	return nil
}

// patchUser knows password, name, emails, and whether the account is locked or disabled. Other attributes of a value are
// ignored, and an unknown path is not.
func (is *IS) patchUser(w http.ResponseWriter, r *http.Request, u *user) {
	var body struct {
		Operations []struct {
			Op, Path string
			Value    any
		}
	}
	if !readSCIM(w, r, &body) {
		return
	}
	if len(body.Operations) == 0 {
		scimFault(w, 500, "", "Error in performing the patch operation on user resource.")
		return
	}
	changes := object{}
	for _, op := range body.Operations {
		if !slices.Contains([]string{"add", "replace", "remove"}, strings.ToLower(op.Op)) {
			scimFault(w, 400, "invalidSyntax", "Unknown operation: "+op.Op)
			return
		}
		given, _ := op.Value.(map[string]any)
		if op.Path != "" {
			if given = u.atPath(op.Path, op.Value); given == nil {
				scimFault(w, 400, "No attribute with the name : "+op.Path, unparsable)
				return
			}
		}
		maps.Copy(changes, given)
	}
	is.changeUser(w, u, changes)
}

// atPath is a change that a path means; nil if it leads nowhere.
func (u *user) atPath(path string, v any) object {
	if name, ok := strings.CutPrefix(path, accountSchema+":"); ok {
		return object{accountSchema: object{name: v}}
	}
	if part, ok := strings.CutPrefix(path, "name."); ok {
		name, _ := u.given["name"].(map[string]any)
		name = maps.Clone(name)
		if name == nil {
			name = object{}
		}
		name[part] = v
		return object{"name": name}
	}
	if slices.Contains([]string{"userName", "password", "name", "emails", accountSchema}, path) {
		return object{path: v}
	}
	return nil
}

// replaceUser is a PUT: what is absent goes, save for the password and the state of the account.
func (is *IS) replaceUser(w http.ResponseWriter, r *http.Request, u *user) {
	changes := object{}
	if !readSCIM(w, r, &changes) {
		return
	}
	delete(u.given, "name")
	delete(u.given, "emails")
	is.changeUser(w, u, changes)
}

// changeUser applies what is new. The lock is held.
func (is *IS) changeUser(w http.ResponseWriter, u *user, changes object) {
	if name, ok := changes["userName"].(string); ok && strings.TrimPrefix(name, "PRIMARY/") != u.name {
		scimFault(w, 400, "mutability", "Attribute userName cannot be modified.")
		return
	}
	emails, _ := changes["emails"].([]any)
	fault := checkEmails(u.name, emails)
	if password, ok := changes["password"].(string); ok && fault == nil {
		fault = is.setPassword(u, password)
	}
	if fault != nil {
		scimFault(w, fault.status, fault.kind, fault.detail)
		return
	}
	if u.given == nil {
		u.given = object{}
	}
	if name, ok := changes["name"].(map[string]any); ok {
		parts, _ := u.given["name"].(map[string]any)
		merged := object{}
		maps.Copy(merged, parts)
		maps.Copy(merged, name)
		u.given["name"] = merged
	}
	if emails != nil {
		u.given["emails"] = plainEmails(emails)
	}
	if state, ok := changes[accountSchema].(map[string]any); ok {
		u.setAccount(state)
	}
	u.modified = time.Now()
	is.changed("account", u.id)
	is.showUser(w, http.StatusOK, u)
}

// setAccount locks, unlocks, disables or enables an account.
func (u *user) setAccount(state object) {
	account, _ := u.given[accountSchema].(map[string]any)
	account = maps.Clone(account)
	if account == nil {
		account = object{}
	}
	maps.Copy(account, state)
	if locked, ok := account["accountLocked"].(bool); ok {
		account["accountState"] = "UNLOCKED"
		delete(account, "lockedReason")
		if locked {
			account["accountState"], account["lockedReason"] = "LOCKED", "ADMIN_INITIATED"
			if account["accountDisabled"] == true {
				account["accountState"] = "DISABLED"
			}
		}
	}
	u.given[accountSchema] = account
}

// shut reports whether nobody can log in as the user.
func (u *user) shut() bool {
	account, _ := u.given[accountSchema].(map[string]any)
	return account["accountLocked"] == true || account["accountDisabled"] == true
}
