package plan

import (
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// Types of key managers that the agent knows more about.
const (
	TypeIS7      = "WSO2-IS-7"
	TypeResident = "default" // also the type of any key manager of API-M's own kind
)

// KeyManagers returns the key managers that API-M is to have: the agent's own first, with what the file says of it, and the others of the
// file. issuer is the one of IS; "" if it is not known.
func (w Wanted) KeyManagers(issuer string) []desired.Field[desired.KeyManager] {
	own, place := w.Own, w.File.Begin()
	if issuer != "" {
		own.Issuer = given(issuer)
	}
	var all []desired.Field[desired.KeyManager]
	for _, km := range w.File.KeyManagers.Value {
		if own.Name.Set && km.Value.Name.Value == own.Name.Value {
			own, place = OverKeyManager(own, km.Value), km.At
			continue
		}
		all = append(all, km)
	}
	if own.Name.Set {
		all = append([]desired.Field[desired.KeyManager]{{Set: true, Value: own, At: place}}, all...)
	}
	return all
}

// keyManagerTable returns the rows of a key manager. The names of its user and its password depend on its type, and each additional
// property that the file names is a row: the others belong to the server and to the connector.
func keyManagerTable(want desired.KeyManager, have Object) []mapping {
	type km = desired.KeyManager
	user, password := accountOf(kindOf(want, have))
	table := []mapping{
		textRow("name", "name", "", func(k km) desired.Text { return k.Name }),
		textRow("type", "type", TypeIS7, func(k km) desired.Text { return k.Type }),
		textRow("display_name", "displayName", "", func(k km) desired.Text { return k.DisplayName }),
		textRow("description", "description", "", func(k km) desired.Text { return k.Description }),
		switchRow("enabled", "enabled", true, func(k km) desired.Switch { return k.Enabled }),
		textRow("issuer", "issuer", "", func(k km) desired.Text { return k.Issuer }),
		textRow("well_known_endpoint", "wellKnownEndpoint", "", func(k km) desired.Text { return k.WellKnown }),
		textRow("token_endpoint", "tokenEndpoint", "", func(k km) desired.Text { return k.TokenEndpoint }),
		textRow("revoke_endpoint", "revokeEndpoint", "", func(k km) desired.Text { return k.RevokeEndpoint }),
		textRow("introspection_endpoint", "introspectionEndpoint", "", func(k km) desired.Text { return k.IntrospectionEndpoint }),
		textRow("client_registration_endpoint", "clientRegistrationEndpoint", "", func(k km) desired.Text { return k.RegistrationEndpoint }),
		textRow("authorize_endpoint", "authorizeEndpoint", "", func(k km) desired.Text { return k.AuthorizeEndpoint }),
		textRow("user_info_endpoint", "userInfoEndpoint", "", func(k km) desired.Text { return k.UserInfoEndpoint }),
		textRow("scope_management_endpoint", "scopeManagementEndpoint", "", func(k km) desired.Text { return k.ScopeEndpoint }),
		textRow("display_token_endpoint", "displayTokenEndpoint", "", func(k km) desired.Text { return k.DisplayTokenEndpoint }),
		textRow("display_revoke_endpoint", "displayRevokeEndpoint", "", func(k km) desired.Text { return k.DisplayRevokeEndpoint }),
		jwksRow,
		textsRow("grant_types", "availableGrantTypes", func(k km) desired.Texts { return k.GrantTypes }),
		textRow("consumer_key_claim", "consumerKeyClaim", "azp", func(k km) desired.Text { return k.ConsumerKeyClaim }),
		textRow("scopes_claim", "scopesClaim", "scope", func(k km) desired.Text { return k.ScopesClaim }),
		claimsRow,
		textRow("token_type", "tokenType", "DIRECT", func(k km) desired.Text { return k.TokenType }),
		switchRow("token_generation", "enableTokenGeneration", true, func(k km) desired.Switch { return k.TokenGeneration }),
		switchRow("app_creation", "enableOAuthAppCreation", true, func(k km) desired.Switch { return k.AppCreation }),
		switchRow("map_existing_apps", "enableMapOAuthConsumerApps", true, func(k km) desired.Switch { return k.AppMapping }),
		switchRow("self_validation", "enableSelfValidationJWT", true, func(k km) desired.Switch { return k.SelfValidation }),
		// The connector ignores a text here.
		switchRow("roles_creation", "additionalProperties.enable_roles_creation", false, func(k km) desired.Switch { return k.RolesCreation }),
	}
	table = append(table, permissionRows...)
	table = append(table,
		textRow("username", "additionalProperties."+user, "", func(k km) desired.Text { return k.Username }),
		secretRow("password", "additionalProperties."+password, func(k km) desired.Password { return k.Password }),
	)
	for _, name := range slices.Sorted(maps.Keys(want.AdditionalProperties.Value)) {
		row := propertyRow(name)
		if masked(have, name) {
			row.have, row.secret = nil, true
		}
		table = append(table, row)
	}
	return table
}

// masked reports whether API-M shows a mask in place of an additional property: the connector has declared it a secret, such as apiKey of
// Okta.
func masked(have Object, name string) bool {
	properties, _ := have["additionalProperties"].(map[string]any)
	return properties[name] == "*****"
}

// accountOf returns the additional properties with the user and the password that a connector calls its server with.
func accountOf(kind string) (user, password string) {
	switch {
	case strings.HasPrefix(kind, "WSO2-IS") || kind == TypeResident:
		return "Username", "Password"
	case kind == "AzureAD":
		return "azure_ad_client_id", "azure_ad_client_secret"
	}
	return "client_id", "client_secret"
}

// furtherProperties are the additional properties that a connector needs, next to its account (GET /settings of the Admin API, recorded).
var furtherProperties = map[string][]string{
	TypeIS7:        {"api_resource_management_endpoint", "is7_roles_endpoint"},
	"Auth0":        {"audience"},
	"AzureAD":      {"microsoft_graph_api_endpoint", "v1.0"},
	"Okta":         {"apiKey"},
	"PingFederate": {"username", "password"},
}

// neededEndpoints are what each connector needs (GET /settings of the Admin API, recorded), by their names in the file. API-M does not read
// the discovery document for them.
var neededEndpoints = [][2]string{
	{"token_endpoint", "tokenEndpoint"}, {"revoke_endpoint", "revokeEndpoint"}, {"introspection_endpoint", "introspectionEndpoint"},
	{"client_registration_endpoint", "clientRegistrationEndpoint"},
}

// Lacking returns the fields without which API-M makes no key manager of this type, and which the file leaves out. A key manager that
// exists has them.
func Lacking(want desired.KeyManager) (lacks []string) {
	kind := kindOf(want, nil)
	if kind == TypeResident {
		return nil
	}
	made := KeyManagerBody(want, nil)
	properties, _ := made["additionalProperties"].(map[string]any)
	need := func(field string, value any) {
		if textOf(value) == "" {
			lacks = append(lacks, field)
		}
	}
	for _, e := range neededEndpoints {
		need(e[0], made[e[1]])
	}
	user, password := accountOf(kind)
	if !want.MutualTLS() {
		need("username", properties[user])
		need("password", properties[password])
	}
	for _, name := range furtherProperties[kind] {
		need("additional_properties."+name, properties[name])
	}
	return lacks
}

// jwksRow maps the address of the keys. A key manager can have a certificate in its place, which counts as no address.
var jwksRow = mapping{
	path: "jwks_endpoint",
	want: func(from any) (any, bool) { k := from.(desired.KeyManager); return k.JWKS.Or(""), k.JWKS.Set },
	have: func(o Object) any {
		if textAt(o, "certificates.type", "") == "JWKS" {
			return textAt(o, "certificates.value", "")
		}
		return ""
	},
	put: func(body Object, value any) {
		if value == "" {
			body["certificates"] = nil
			return
		}
		body["certificates"] = map[string]any{"type": "JWKS", "value": value}
	},
}

// propertyRow maps one additional property. Its name can contain dots. API-M writes true and false as switches, and ignores texts of
// them.
func propertyRow(name string) mapping {
	properties := func(o Object) map[string]any {
		all, _ := o["additionalProperties"].(map[string]any)
		return all
	}
	return mapping{
		path: "additional_properties." + name,
		want: func(from any) (any, bool) {
			k := from.(desired.KeyManager)
			value, set := k.AdditionalProperties.Value[name]
			return value.Value, set && !slices.Contains(derivedProperties, name)
		},
		have: func(o Object) any { return textOf(properties(o)[name]) },
		put: func(body Object, value any) {
			if properties(body) == nil {
				body["additionalProperties"] = map[string]any{}
			}
			if value == "true" || value == "false" {
				value = value == "true"
			}
			properties(body)[name] = value
		},
	}
}

// derivedProperties are additional properties that API-M makes from other fields, or drops with each PUT: nobody can set them.
var derivedProperties = []string{"self_validate_jwt", "enable_token_hash"}

// UnsettableProperties returns the additional properties of the file that do not reach API-M.
func UnsettableProperties(want desired.KeyManager) []string {
	names := slices.Sorted(maps.Keys(want.AdditionalProperties.Value))
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(derivedProperties, name) })
}

// KeyManagerDifferences compares a key manager with what the Admin API shows of it alone. sent is as in changedSecret. A difference in
// type cannot be applied: somebody must delete the key manager.
func KeyManagerDifferences(want desired.KeyManager, have Object, sent func(path, value string) bool) []Difference {
	all := differences(keyManagerTable(want, have), want, have)
	for i, d := range all {
		if name, is := strings.CutPrefix(d.Path, "additional_properties."); is { // only the connector knows which ones are secrets
			all[i].Secret, all[i].Want = true, want.AdditionalProperties.Value[name].Raw
		}
	}
	all = append(all, changedSecret("password", want.Password, sent)...)
	for _, name := range slices.Sorted(maps.Keys(want.AdditionalProperties.Value)) {
		if value := want.AdditionalProperties.Value[name]; masked(have, name) {
			secret := given(desired.NewSecret(value.Value, value.Raw))
			all = append(all, changedSecret("additional_properties."+name, secret, sent)...)
		}
	}
	return all
}

// KeyManagerBody returns the body of POST /key-managers if have is nil, else of PUT /key-managers/{id}. In a PUT the masked password means
// the stored one. The server drops enable_token_hash of the resident key manager with each PUT.
func KeyManagerBody(want desired.KeyManager, have Object) Object {
	if have != nil {
		return withoutPassword(want, body(keyManagerTable(want, have), want, have))
	}
	made := withoutPassword(want, body(keyManagerTable(want, nil), want, newKeyManager(want)))
	if textAt(made, "displayName", "") == "" {
		made["displayName"] = made["name"]
	}
	return made
}

// withoutPassword takes the account out of a body, also a stored one, if API-M is to present its certificate.
func withoutPassword(want desired.KeyManager, body Object) Object {
	if properties, _ := body["additionalProperties"].(map[string]any); want.MutualTLS() {
		delete(properties, "Username")
		delete(properties, "Password")
	}
	return body
}

// kindOf returns the type of a key manager: the file's, the server's, or the model's default.
func kindOf(want desired.KeyManager, have Object) string {
	return want.Type.Or(textAt(have, "type", TypeIS7))
}

// newKeyManager returns what a new key manager has without a word in the file. API-M takes what is absent for null or false. A key manager
// of type WSO2-IS-7 has the addresses of its IS, if the file names one of them.
func newKeyManager(want desired.KeyManager) Object {
	kind := kindOf(want, nil)
	base := Object{
		"type": kind, "description": "", "enabled": true, "availableGrantTypes": []any{},
		"consumerKeyClaim": "azp", "scopesClaim": "scope", "claimMapping": []any{}, "tokenValidation": []any{},
		"enableTokenGeneration": true, "enableTokenEncryption": false, "enableTokenHashing": false,
		"enableOAuthAppCreation": true, "enableMapOAuthConsumerApps": true, "enableSelfValidationJWT": true,
		"tokenType": "DIRECT", "permissions": map[string]any{"permissionType": "PUBLIC", "roles": []any{}},
		"additionalProperties": map[string]any{},
	}
	if is := addressOfIS(want); kind == TypeIS7 && is != "" {
		own := IdentityServerKeyManager(is)
		return body(keyManagerTable(own, nil), own, base)
	}
	return base
}
