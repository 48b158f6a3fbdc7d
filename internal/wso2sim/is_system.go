package wso2sim

import (
	_ "embed"
	"slices"
	"strings"
)

// systemScopeNames are the 355 scopes that a running server granted for SYSTEM, one a line.
//
//go:embed system_scopes.txt
var systemScopeNames string

// businessResource is the type of the API resources that people make. All others are IS's own.
const businessResource = "BUSINESS"

// ownResources are the API resources of IS that this stand-in names, with the beginning that their scopes share. The
// first two stand at the beginning of a real server's list.
var ownResources = []struct{ name, identifier, kind, scopes string }{
	{"Offline User Onboard API", "/api/users/v1/offline-invite-link/", "TENANT", "internal_offline_invite"},
	{"SCIM2 Roles API", "/o/scim2/Roles", "ORGANIZATION", "internal_org_role_mgt_"},
	{"SCIM2 Users API", "/scim2/Users", "TENANT", "internal_user_mgt_"},
	{"Application Management API", "/api/server/v1/applications", "TENANT", "internal_application_mgt_"},
	{"API Resource Management API", "/api/server/v1/api-resources", "TENANT", "internal_api_resource_"},
	{"DCR API", "/api/identity/oauth2/dcr/v1.1", "TENANT", "internal_dcr_"},
	{"OAuth2 Introspection API", "/oauth2/introspect", "TENANT", "internal_oauth2_introspect"},
	{"SCIM2 Roles API", "/scim2/Roles", "TENANT", "internal_role_mgt_"},
	{"SCIM2 Groups API", "/scim2/Groups", "TENANT", "internal_group_mgt_"},
	// A real server has 129 resources. These two hold the scopes of all that the stand-in does not name.
	{"Console features", "console:all", "CONSOLE_FEATURE", "console:"},
	{"Other APIs of Identity Server", "/api/server/v1/others", "SYSTEM", "internal_"},
}

// systemResources are IS's own resources as a first start makes them.
func systemResources() []*apiResource {
	rest := strings.Fields(systemScopeNames)
	var out []*apiResource
	for _, r := range ownResources {
		a := &apiResource{id: newUUID(), name: r.name, identifier: r.identifier, kind: r.kind, guarded: true}
		rest = slices.DeleteFunc(rest, func(name string) bool {
			if strings.HasPrefix(name, r.scopes) {
				a.scopes = append(a.scopes, resourceScope{ID: newUUID(), Name: name, DisplayName: scopeTitle(name)})
				return true
			}
			return false
		})
		out = append(out, a)
	}
	return out
}

// scopeTitle is the display name of a scope of IS's own: "Update Application" for internal_application_mgt_update.
func scopeTitle(name string) string {
	words := strings.FieldsFunc(strings.TrimPrefix(name, "internal_"), func(c rune) bool { return c == '_' || c == ':' })
	words = slices.DeleteFunc(words, func(w string) bool { return w == "mgt" })
	for i, w := range words {
		switch w {
		case "api", "dcr", "idp":
			words[i] = strings.ToUpper(w)
		default:
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	if last := len(words) - 1; last > 0 && !strings.HasPrefix(name, "console:") {
		words = append(words[last:], words[:last]...)
	}
	return strings.Join(words, " ")
}

// completeSystem adds the system resources and their scopes that a state of an earlier stand-in lacks.
func (is *IS) completeSystem() {
	for _, own := range systemResources() {
		at := slices.IndexFunc(is.resources, func(a *apiResource) bool { return a.identifier == own.identifier && a.kind == own.kind })
		if at < 0 {
			is.resources = append(is.resources, own)
			is.changed("resource", own.id)
			continue
		}
		if known := is.resources[at]; len(known.scopes) == 0 {
			known.scopes = own.scopes
			is.changed("resource", known.id)
		}
	}
}

// system reports whether a resource is one of IS's own: a request that changes one is refused.
func (a *apiResource) system() bool { return a.kind != businessResource }
