package plan

import (
	"strings"

	"wso2agent/internal/desired"
)

// claimsRow maps the names of claims. Each is a text "remote = local", and their order does not matter.
var claimsRow = mapping{
	path: "claim_mapping",
	want: func(from any) (any, bool) {
		k := from.(desired.KeyManager)
		claims := []string{}
		for _, item := range k.ClaimMapping.Value {
			claims = append(claims, claimText(item.Value.Remote.Value, item.Value.Local.Value))
		}
		return set(claims), k.ClaimMapping.Set
	},
	have: func(o Object) any {
		claims := []string{}
		for _, c := range objectsAt(o, "claimMapping") {
			claims = append(claims, claimText(textAt(c, "remoteClaim", ""), textAt(c, "localClaim", "")))
		}
		return set(claims)
	},
	put: func(body Object, value any) {
		claims := []any{}
		for _, text := range value.([]string) {
			remote, local, _ := strings.Cut(text, claimSign)
			claims = append(claims, map[string]any{"remoteClaim": remote, "localClaim": local})
		}
		body["claimMapping"] = claims
	},
}

// claimSign stands between the two names. The reader refuses names with spaces.
const claimSign = " = "

func claimText(remote, local string) string { return remote + claimSign + local }

// permissionRows map who may use a key manager. API-M takes roles without a type, and an unknown type, for PUBLIC.
var permissionRows = []mapping{
	{
		path: "permissions.type",
		want: func(from any) (any, bool) {
			k := from.(desired.KeyManager)
			return k.Permissions.Value.Type.Or("PUBLIC"), k.Permissions.Set
		},
		have: func(o Object) any { return textAt(o, "permissions.permissionType", "PUBLIC") },
		put:  func(body Object, value any) { putAt(body, "permissions.permissionType", value) },
	},
	{
		path: "permissions.roles",
		want: func(from any) (any, bool) {
			k := from.(desired.KeyManager)
			return valuesOf(k.Permissions.Value.Roles), k.Permissions.Set
		},
		have: func(o Object) any { return textsAt(o, "permissions.roles") },
		put:  func(body Object, value any) { putAt(body, "permissions.roles", listOf(value.([]string))) },
	},
}
