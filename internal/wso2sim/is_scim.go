package wso2sim

import (
	"encoding/json"
	"io"
	"net/http"
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

type role struct {
	id, name    string
	permissions []object
}

func systemRoles() []*role {
	return []*role{{id: newUUID(), name: "admin"}, {id: newUUID(), name: "everyone"}}
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
		mux.HandleFunc(pattern, is.protected(func(w http.ResponseWriter, r *http.Request) {
			is.mu.Lock()
			defer is.mu.Unlock()
			at := slices.IndexFunc(is.roles, func(other *role) bool { return other.id == r.PathValue("id") })
			if at < 0 {
				scimFault(w, 404, "", "Specified resource (e.g., User) or endpoint, does not exist.")
				return
			}
			h(w, r, is.roles[at])
		}))
	}
	mux.HandleFunc("POST "+rolesPath+"/.search", is.protected(is.searchRoles))
	mux.HandleFunc("POST "+rolesPath, is.protected(is.createRole))
	handle("GET "+rolesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, found *role) {
		view := is.roleView(found)
		view["schemas"] = []string{roleType}
		writeAs(w, http.StatusOK, scimJSON, view)
	})
	handle("PATCH "+rolesPath+"/{id}", is.patchRole)
	handle("DELETE "+rolesPath+"/{id}", func(w http.ResponseWriter, _ *http.Request, found *role) {
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

func (is *IS) roleView(r *role) object {
	return object{
		"id": r.id, "displayName": r.name, "audience": superAudience(), "permissions": orEmpty(r.permissions),
		"meta":       object{"location": is.url(is.port) + rolesPath + "/" + r.id},
		"properties": []object{{"name": "isSharedRole", "value": "false"}},
	}
}

// searchRoles knows "displayName eq …", which is all that the connector asks.
func (is *IS) searchRoles(w http.ResponseWriter, r *http.Request) {
	var body struct{ Filter string }
	if !readLoosely(w, r, &body) {
		return
	}
	name, filtered := strings.CutPrefix(body.Filter, "displayName eq ")
	is.mu.Lock()
	defer is.mu.Unlock()
	list := []object{}
	for _, found := range is.roles {
		if filtered && found.name != name {
			continue
		}
		view := is.roleView(found)
		if found.name == "admin" {
			at := is.url(is.port)
			view["users"] = []object{{"display": is.admin, "value": is.oauth.userID, "$ref": at + "/scim2/Users/" + is.oauth.userID}}
			view["groups"] = []object{{"display": "PRIMARY/admin", "value": found.id, "$ref": at + "/scim2/Groups/" + found.id}}
		}
		list = append(list, view)
	}
	writeAs(w, http.StatusOK, scimJSON, object{
		"totalResults": len(list), "startIndex": 1, "itemsPerPage": len(list), "Resources": list,
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
	})
}

func (is *IS) createRole(w http.ResponseWriter, r *http.Request) {
	var body struct {
		DisplayName string
		Permissions []object
	}
	if !readLoosely(w, r, &body) {
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	if strings.HasPrefix(body.DisplayName, "system_") && !is.settings.flag("role_mgt.allow_system_prefix_for_role") {
		scimFault(w, 400, "Invalid role name: "+body.DisplayName+". Role names with the prefix: system_, is not allowed to be created from externally in the system.",
			"Request is unparsable, syntactically incorrect, or violates schema.")
		return
	}
	for _, other := range is.roles {
		if other.name == body.DisplayName {
			scimFault(w, 409, "", "Role already exist for the role name: "+body.DisplayName+" audience: organization audienceId: "+superOrganization)
			return
		}
	}
	made := &role{id: newUUID(), name: body.DisplayName, permissions: body.Permissions}
	is.roles = append(is.roles, made)
	is.changed("role", made.id)
	location := is.url(is.port) + rolesPath + "/" + made.id
	w.Header().Set("Location", location)
	writeAs(w, http.StatusCreated, scimJSON, object{
		"id": made.id, "displayName": made.name, "audience": superAudience(), "meta": object{"location": location},
		"schemas": []string{roleType},
	})
}

// patchRole takes the permissions of the first operation that has any.
func (is *IS) patchRole(w http.ResponseWriter, r *http.Request, found *role) {
	var body struct {
		Operations []struct {
			Op    string
			Value struct{ Permissions []object }
		}
	}
	if !readLoosely(w, r, &body) {
		return
	}
	for _, op := range body.Operations {
		if strings.EqualFold(op.Op, "replace") {
			found.permissions = nil
		}
		found.permissions = append(found.permissions, op.Value.Permissions...)
	}
	is.changed("role", found.id)
	view := is.roleView(found)
	view["schemas"] = []string{roleType}
	writeAs(w, http.StatusOK, scimJSON, view)
}

// profile is the admin, the only user.
func (is *IS) profile() object {
	at := is.url(is.port)
	roles := []object{}
	for _, r := range is.roles[:min(2, len(is.roles))] {
		roles = append(roles, object{
			"audienceValue": superOrganization, "display": r.name, "audienceType": "organization", "value": r.id,
			"$ref": at + rolesPath + "/" + r.id, "audienceDisplay": "Super",
		})
	}
	return object{
		"id": is.oauth.userID, "userName": is.admin, "roles": roles,
		"meta": object{"location": at + "/scim2/Users/" + is.oauth.userID, "resourceType": "User"},
		"schemas": []string{
			"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
			"urn:scim:wso2:schema", "urn:scim:schemas:extension:custom:User",
		},
		"groups": []object{{"display": "admin", "value": superOrganization, "$ref": at + "/scim2/Groups/" + superOrganization}},
	}
}
