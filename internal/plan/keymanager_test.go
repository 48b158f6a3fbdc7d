package plan

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// readKeyManager reads a key manager with one field. It drops the fields that the reader wants, but that are not the field.
func readKeyManager(t *testing.T, field string) desired.KeyManager {
	f := parse(t, "key_managers: [{name: Resident Key Manager, "+field+"}]")
	km := f.KeyManagers.Value[0].Value
	km.Name = desired.Text{}
	return km
}

func TestEachFieldOfAKeyManager(t *testing.T) {
	cases := []rowCase{
		{"type", "type: default", `{"type":"WSO2-IS-7"}`, `{"type":"default"}`, "WSO2-IS-7", "default"},
		{"enabled", "enabled: false", `{"enabled":true}`, `{"enabled":false}`, true, false},
		{"enabled", "enabled: null", `{"enabled":false}`, `{"enabled":true}`, false, true},
		{"jwks_endpoint", "jwks_endpoint: 'https://k.example/jwks'", `{"certificates":{"type":"PEM","value":"LS0"}}`,
			`{"certificates":{"type":"JWKS","value":"https://k.example/jwks"}}`, "", "https://k.example/jwks"},
		{"jwks_endpoint", "jwks_endpoint: null", `{"certificates":{"type":"JWKS","value":"https://k.example/jwks"}}`, `{"certificates":null}`, "https://k.example/jwks", ""},
		{"grant_types", "grant_types: [password, client_credentials]", `{"availableGrantTypes":["password"]}`, `{"availableGrantTypes":["client_credentials","password"]}`,
			[]string{"password"}, []string{"client_credentials", "password"}},
		{"grant_types", "grant_types: []", `{"availableGrantTypes":["password"]}`, `{"availableGrantTypes":[]}`, []string{"password"}, []string{}},
		{"consumer_key_claim", "consumer_key_claim: client_id", `{"consumerKeyClaim":"azp"}`, `{"consumerKeyClaim":"client_id"}`, "azp", "client_id"},
		{"consumer_key_claim", "consumer_key_claim: null", `{"consumerKeyClaim":"client_id"}`, `{"consumerKeyClaim":null}`, "client_id", "azp"},
		{"scopes_claim", "scopes_claim: scp", `{"scopesClaim":"scope"}`, `{"scopesClaim":"scp"}`, "scope", "scp"},
		{"claim_mapping", "claim_mapping: [{remote: groups, local: role}, {remote: email, local: mail}]", `{"claimMapping":[]}`,
			`{"claimMapping":[{"remoteClaim":"email","localClaim":"mail"},{"remoteClaim":"groups","localClaim":"role"}]}`,
			[]string{}, []string{"email = mail", "groups = role"}},
		{"claim_mapping", "claim_mapping: []", `{"claimMapping":[{"remoteClaim":"a","localClaim":"b"}]}`, `{}`, []string{"a = b"}, []string{}},
		{"token_type", "token_type: BOTH", `{"tokenType":"DIRECT"}`, `{"tokenType":"BOTH"}`, "DIRECT", "BOTH"},
		{"token_generation", "token_generation: false", `{"enableTokenGeneration":true}`, `{"enableTokenGeneration":false}`, true, false},
		{"app_creation", "app_creation: false", `{"enableOAuthAppCreation":true}`, `{"enableOAuthAppCreation":false}`, true, false},
		{"map_existing_apps", "map_existing_apps: true", `{"enableMapOAuthConsumerApps":false}`, `{"enableMapOAuthConsumerApps":true}`, false, true},
		{"self_validation", "self_validation: false", `{"enableSelfValidationJWT":true}`, `{"enableSelfValidationJWT":false}`, true, false},
		{"roles_creation", "roles_creation: true", `{"additionalProperties":{"enable_roles_creation":"true"}}`, `{"additionalProperties":{"enable_roles_creation":true}}`, false, true},
		{"permissions.type", "permissions: {type: DENY, roles: [a]}", `{"permissions":{"permissionType":"ALLOW","roles":["a"]}}`,
			`{"permissions":{"permissionType":"DENY","roles":["a"]}}`, "ALLOW", "DENY"},
		{"permissions.type", "permissions: null", `{"permissions":{"permissionType":"ALLOW","roles":[]}}`, `{"permissions":null}`, "ALLOW", "PUBLIC"},
		{"permissions.roles", "permissions: {type: DENY, roles: [b, a]}", `{"permissions":{"permissionType":"DENY","roles":["a"]}}`,
			`{"permissions":{"permissionType":"DENY","roles":["a","b"]}}`, []string{"a"}, []string{"a", "b"}},
		{"username", "username: u, password: p", `{"additionalProperties":{"Username":"v"}}`, `{"additionalProperties":{"Username":"u"}}`, "v", "u"},
		{"additional_properties.a.b", "additional_properties: {a.b: x}", `{"additionalProperties":{"a.b":"y","other":"z"}}`, `{"additionalProperties":{"a.b":"x"}}`, "y", "x"},
		{"additional_properties.flag", "additional_properties: {flag: 'true'}", `{"additionalProperties":{"flag":false}}`, `{"additionalProperties":{"flag":true}}`, "false", "true"},
	}
	for field, key := range map[string]string{
		"display_name": "displayName", "description": "description", "issuer": "issuer", "well_known_endpoint": "wellKnownEndpoint",
		"token_endpoint": "tokenEndpoint", "revoke_endpoint": "revokeEndpoint", "introspection_endpoint": "introspectionEndpoint",
		"client_registration_endpoint": "clientRegistrationEndpoint", "authorize_endpoint": "authorizeEndpoint", "user_info_endpoint": "userInfoEndpoint",
		"scope_management_endpoint": "scopeManagementEndpoint", "display_token_endpoint": "displayTokenEndpoint", "display_revoke_endpoint": "displayRevokeEndpoint",
	} {
		cases = append(cases,
			rowCase{field, field + ": 'https://k.example/a'", `{"` + key + `":"https://k.example/b"}`, `{"` + key + `":"https://k.example/a"}`, "https://k.example/b", "https://k.example/a"},
			rowCase{field, field + ": null", `{"` + key + `":"https://k.example/b"}`, `{"` + key + `":null}`, "https://k.example/b", ""})
	}
	table := func(k desired.KeyManager) []mapping { return keyManagerTable(k, nil) }
	checkRows(t, table, readKeyManager, cases, "name")
}

func TestAConnectorNamesItsAccount(t *testing.T) {
	km := readKeyManager(t, "username: u, password: s3cret")
	for kind, expected := range map[string]string{
		TypeIS7:      `{"Username":"u","Password":"s3cret"}`,
		"WSO2-IS":    `{"Username":"u","Password":"s3cret"}`,
		TypeResident: `{"Username":"u","Password":"s3cret"}`,
		"KeyCloak":   `{"client_id":"u","client_secret":"s3cret"}`,
		"Okta":       `{"client_id":"u","client_secret":"s3cret"}`,
	} {
		made := KeyManagerBody(km, Object{"type": kind, "additionalProperties": map[string]any{}})
		if got := Object(made["additionalProperties"].(map[string]any)); !reflect.DeepEqual(got, object(t, expected)) {
			t.Errorf("%s gets %v", kind, got)
		}
	}
}

// GET shows a mask, so only what was last sent can differ.
func TestAMaskedPasswordIsNoDifference(t *testing.T) {
	km := readKeyManager(t, "username: u, password: s3cret")
	have := object(t, `{"type":"WSO2-IS-7","additionalProperties":{"Username":"u","Password":"*****"}}`)
	if all := KeyManagerDifferences(km, have, nil); len(all) > 0 {
		t.Errorf("without a record: %#v", all)
	}
	if all := KeyManagerDifferences(km, have, func(path, value string) bool { return path == "password" && value == "s3cret" }); len(all) > 0 {
		t.Errorf("with the same password: %#v", all)
	}
	km.Password = desired.Password{Set: true, Value: desired.NewSecret("n3w", "${KM_PASSWORD}")}
	all := KeyManagerDifferences(km, have, func(_, value string) bool { return value == "s3cret" })
	if !reflect.DeepEqual(all, []Difference{{Path: "password", Want: "${KM_PASSWORD}", Secret: true}}) {
		t.Errorf("with another password: %#v", all)
	}
	if made := KeyManagerBody(km, have); at(made, "additionalProperties.Password") != "n3w" {
		t.Errorf("the PUT has %v", made["additionalProperties"])
	}
	if made := KeyManagerBody(readKeyManager(t, "enabled: false"), have); at(made, "additionalProperties.Password") != "*****" {
		t.Errorf("a PUT that leaves the password out has %v", made["additionalProperties"])
	}
}

// API-M masks what the connector declares as a secret.
func TestAMaskedAdditionalPropertyIsASecret(t *testing.T) {
	f := parse(t, "key_managers: [{name: O, type: Okta, well_known_endpoint: 'https://o.example/', additional_properties: {apiKey: k3y}}]")
	km := f.KeyManagers.Value[0].Value
	have := object(t, `{"name":"O","type":"Okta","wellKnownEndpoint":"https://o.example/","additionalProperties":{"apiKey":"*****"}}`)
	if all := KeyManagerDifferences(km, have, nil); len(all) > 0 {
		t.Errorf("without a record: %#v", all)
	}
	all := KeyManagerDifferences(km, have, func(string, string) bool { return false })
	if !reflect.DeepEqual(all, []Difference{{Path: "additional_properties.apiKey", Want: "*****", Secret: true}}) {
		t.Errorf("another key: %#v", all)
	}
	if made := KeyManagerBody(km, have); at(made, "additionalProperties.apiKey") != "k3y" {
		t.Errorf("the PUT has %v", made["additionalProperties"])
	}
}

// TestNoAdditionalPropertyIsShown: API-M masks one only when it has a value, and which ones are secrets only the connector knows.
func TestNoAdditionalPropertyIsShown(t *testing.T) {
	source := apiSource()
	source.Env = func(string) (string, bool) { return "s3cret-value", true }
	f, err := desired.Parse(source, desired.Input{Name: "f.yaml", Data: []byte("key_managers: [{name: O, type: Okta, well_known_endpoint: 'https://o.example/', " +
		"additional_properties: {apiKey: '${OKTA_KEY}', open: other-value}}]")})
	if err != nil {
		t.Fatal(err)
	}
	have := object(t, `{"name":"O","type":"Okta","wellKnownEndpoint":"https://o.example/","additionalProperties":{"open":"old-value"}}`)
	changes := []Change{{Action: Update, Kind: "key manager", Name: "O", Fields: KeyManagerDifferences(f.KeyManagers.Value[0].Value, have, nil)}}
	programs, err := JSON("", changes, nil)
	if err != nil {
		t.Fatal(err)
	}
	people := Text(changes, 0)
	for _, shown := range []string{people, string(programs)} {
		if strings.Contains(shown, "value") || !strings.Contains(shown, "${OKTA_KEY}") || !strings.Contains(shown, "additional_properties.open") {
			t.Errorf("it is printed as\n%s", shown)
		}
	}
}

func TestWhatAPIMDerivesIsNeitherComparedNorSent(t *testing.T) {
	km := readKeyManager(t, "additional_properties: {enable_token_hash: 'true', self_validate_jwt: 'false', other: x}")
	if made := KeyManagerBody(readKeyManager(t, "additional_properties: {flag: 'true'}"), Object{}); at(made, "additionalProperties.flag") != true {
		t.Errorf("a switch is sent as %v", made["additionalProperties"])
	}
	if names := UnsettableProperties(km); !slices.Equal(names, []string{"enable_token_hash", "self_validate_jwt"}) {
		t.Errorf("unsettable are %v", names)
	}
	have := object(t, `{"type":"default","additionalProperties":{"other":"x","self_validate_jwt":true}}`)
	if all := KeyManagerDifferences(km, have, nil); len(all) > 0 {
		t.Errorf("%#v", all)
	}
	if made := KeyManagerBody(km, have); !reflect.DeepEqual(made, have) {
		t.Errorf("the PUT has %v", made)
	}
}

func TestANewKeyManagerOfIS7HasTheAddressesOfItsIS(t *testing.T) {
	f := parse(t, `key_managers: [{name: Second, well_known_endpoint: "https://second:9443/oauth2/token/.well-known/openid-configuration",
		issuer: "https://second:9443/oauth2/token", username: u, password: p, roles_creation: false}]`)
	made := KeyManagerBody(f.KeyManagers.Value[0].Value, nil)
	for path, expected := range map[string]any{
		"name": "Second", "displayName": "Second", "type": TypeIS7, "tokenEndpoint": "https://second:9443/oauth2/token",
		"userInfoEndpoint": "https://second:9443/scim2/Me", "certificates.value": "https://second:9443/oauth2/jwks",
		"additionalProperties.is7_roles_endpoint":    "https://second:9443/scim2/v2/Roles",
		"additionalProperties.enable_roles_creation": false, "additionalProperties.Password": "p", "enableTokenHashing": false,
	} {
		if got := at(made, path); !reflect.DeepEqual(got, expected) {
			t.Errorf("%s is %v", path, got)
		}
	}
	f = parse(t, `key_managers: [{name: KC, type: KeyCloak, well_known_endpoint: "https://kc.example/oauth2/token/.well-known/openid-configuration", display_name: Cloak}]`)
	made = KeyManagerBody(f.KeyManagers.Value[0].Value, nil)
	if made["displayName"] != "Cloak" || made["type"] != "KeyCloak" || made["enabled"] != true || made["tokenEndpoint"] != nil {
		t.Errorf("a new key manager of another type is %v", made)
	}
}

// mutualTLS is what a file says of a key manager to which API-M presents its certificate.
const mutualTLS = "key_managers: [{name: WSO2-IS, additional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide, IdentityUser: apim}}]"

func TestAKeyManagerByMutualTLSHasNoPassword(t *testing.T) {
	own := IdentityServerKeyManager("https://is:9443")
	own.Name, own.Issuer, own.Username = given("WSO2-IS"), given("https://is:9443/oauth2/token"), given("admin")
	own.Password = desired.Password{Set: true, Value: desired.NewSecret("admin", "IS_ADMIN_PASS")}
	want := OverKeyManager(own, parse(t, mutualTLS).KeyManagers.Value[0].Value)
	if lacks := Lacking(want); len(lacks) > 0 {
		t.Errorf("API-M needs %v too", lacks)
	}
	stored := KeyManagerBody(own, nil)
	if at(stored, "additionalProperties.Password") != "admin" {
		t.Fatalf("without mutual TLS it has %v", stored["additionalProperties"])
	}
	if differs := KeyManagerDifferences(want, stored, nil); len(differs) != 3 {
		t.Errorf("differences to one with a password: %+v", differs)
	}
	for name, body := range map[string]Object{"new": KeyManagerBody(want, nil), "stored": KeyManagerBody(want, stored)} {
		properties := body["additionalProperties"].(map[string]any)
		if properties["Authentication"] != "MutualTLS" || properties["IdentityUser"] != "apim" || properties["Username"] != nil || properties["Password"] != nil {
			t.Errorf("%s: %v", name, properties)
		}
		if differs := KeyManagerDifferences(want, body, nil); len(differs) > 0 {
			t.Errorf("%s: once it is made it differs: %+v", name, differs)
		}
	}
}

func TestTheFileChangesTheAgentsOwnKeyManager(t *testing.T) {
	own := IdentityServerKeyManager("https://is:9443")
	own.Name, own.Issuer = given("WSO2-IS"), given("https://is:9443/oauth2/token")
	f := parse(t, "key_managers: [{name: WSO2-IS, roles_creation: false, grant_types: [password], description: null, additional_properties: {more: x}}]")
	joined := OverKeyManager(own, f.KeyManagers.Value[0].Value)
	if joined.RolesCreation.Value || len(joined.GrantTypes.Value) != 1 || !joined.Description.Null || joined.Issuer.Value != "https://is:9443/oauth2/token" {
		t.Errorf("joined are %+v", joined)
	}
	made := KeyManagerBody(joined, nil)
	if at(made, "additionalProperties.more") != "x" || at(made, "additionalProperties.is7_roles_endpoint") != "https://is:9443/scim2/v2/Roles" {
		t.Errorf("the additional properties are %v", made["additionalProperties"])
	}
	if len(own.AdditionalProperties.Value) != 2 {
		t.Error("the agent's own key manager has changed")
	}
	if len(joined.AdditionalProperties.Value) != 3 {
		t.Errorf("the joined additional properties are %v", joined.AdditionalProperties.Value)
	}
}
