package wso2sim

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

var scopesRoleView = []string{"apim:api_view", "apim:api_manage", "apim:api_create"}

// publisherRoutes are what the Publisher shows of things that belong to others.
func (am *AM) publisherRoutes(mux *http.ServeMux) {
	am.roleRoutes(mux)
	mux.HandleFunc("GET "+publisherPath+"/key-managers", am.locked(scopesAPIView, func(w http.ResponseWriter, _ *http.Request) error {
		list := []object{}
		for _, k := range am.keyManagers {
			display := k.dto.DisplayName
			if k.resident() {
				display = nil
			}
			list = append(list, object{"id": k.uuid, "name": k.label, "displayName": display, "type": k.kind,
				"description": k.dto.Description, "enabled": k.enabled(), "additionalProperties": []any{}})
		}
		writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
		return nil
	}))
}

// roleRoutes say whether a role exists. Its name comes in base64, and one with padding is 401, as the product has it.
func (am *AM) roleRoutes(mux *http.ServeMux) {
	for pattern, has := range map[string]func(string) bool{
		"/roles/{name}": hasRole,
		"/me/roles/{name}": func(role string) bool {
			return strings.EqualFold(role, "admin") || strings.EqualFold(role, "Internal/everyone")
		},
	} {
		mux.HandleFunc("HEAD "+publisherPath+pattern, am.locked(scopesRoleView, func(w http.ResponseWriter, r *http.Request) error {
			encoded := r.PathValue("name")
			name, err := base64.RawURLEncoding.DecodeString(encoded)
			switch {
			case strings.HasSuffix(encoded, "="):
				return errUnauthenticated
			case err != nil || !has(string(name)):
				return notFound("role", encoded)
			}
			w.WriteHeader(http.StatusOK)
			return nil
		}))
	}
}

// builtInRoles are those of a fresh API Manager.
var builtInRoles = []string{
	"admin", "Internal/everyone", "Internal/system", "Internal/subscriber", "Internal/creator", "Internal/publisher",
	"Internal/analytics", "Internal/devops", "Internal/integration_dev", "Internal/observer",
}

// hasRole reports whether API Manager, not IS, has a role. Roles that were kept in lower case are found too.
func hasRole(name string) bool {
	return slices.ContainsFunc(builtInRoles, func(role string) bool { return strings.EqualFold(role, name) })
}
