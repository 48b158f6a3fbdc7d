package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// residentKeyManager is the name of the key manager that API-M brings.
const residentKeyManager = "Resident Key Manager"

// KeyManagerFields returns the fields of a key manager. own is the key manager that the agent registers by itself: of it, only what
// differs counts, and so of the one that API-M brings. There are no fields if nothing differs.
func KeyManagerFields(have Object, own desired.KeyManager) Fields {
	name := textAt(have, "name", "")
	isOwn := own.Name.Set && own.Name.Value == name
	want, base := ofType(have), Object(nil)
	switch {
	case isOwn:
		want = own
		base = KeyManagerBody(own, nil)
		base["issuer"] = have["issuer"] // which the agent learns from IS
	case name == residentKeyManager:
		base = brought(have)
	default:
		base = KeyManagerBody(want, nil)
		for _, key := range []string{"type", "wellKnownEndpoint", "tokenEndpoint"} { // from which the rest follows
			delete(base, key)
		}
	}
	base["name"] = name
	all := fieldsOf(keyManagerTable(want, have), have, base)
	if properties := propertyFields(have, base, kindOf(want, have)); len(properties) > 0 {
		all["additional_properties"] = properties
	}
	all.change("claim_mapping", func(value any) any {
		claims := []Fields{}
		for _, text := range value.([]string) {
			remote, local, _ := strings.Cut(text, claimSign)
			claims = append(claims, Fields{"remote": remote, "local": local})
		}
		return claims
	})
	all.permissions(have)
	if isOwn && !own.Username.Set { // the settings say which user it has
		delete(all, "username")
	}
	if len(all) == 0 && (isOwn || name == residentKeyManager) {
		return nil
	}
	if all["username"] != nil {
		all["password"] = Hidden{}
	}
	all["name"] = name
	return all
}

// ofType returns what decides about the other fields of a key manager: its type, and the addresses from which the agent derives those of
// an IS.
func ofType(have Object) desired.KeyManager {
	want := desired.KeyManager{Name: given(textAt(have, "name", "")), Type: given(textAt(have, "type", TypeIS7))}
	if at := textAt(have, "wellKnownEndpoint", ""); at != "" {
		want.WellKnown = given(at)
	}
	if at := textAt(have, "tokenEndpoint", ""); at != "" {
		want.TokenEndpoint = given(at)
	}
	return want
}

// permissions completes permissions, which the reader takes only with their type.
func (f Fields) permissions(have Object) {
	_, hasType := f["permissions.type"]
	_, hasRoles := f["permissions.roles"]
	switch kind := textAt(have, "permissions.permissionType", "PUBLIC"); {
	case kind == "PUBLIC" && !hasType: // without a type that limits, roles have no effect
		delete(f, "permissions.roles")
	case hasType || hasRoles:
		f["permissions.type"] = kind
	}
}

// secretName matches the names of additional properties that may be secrets though API-M shows them.
var secretName = regexp.MustCompile(`(?i)secret|passw|api_?key|private_?key|credential|token$`)

// propertyFields returns the additional properties that differ. Those of other fields, and those that API-M makes, have no place there.
func propertyFields(have, base Object, kind string) Fields {
	user, password := accountOf(kind)
	others := append([]string{user, password, "enable_roles_creation"}, derivedProperties...)
	properties, _ := have["additionalProperties"].(map[string]any)
	all := Fields{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		row := propertyRow(name)
		switch value := row.have(have); {
		case slices.Contains(others, name), value == "", equal(value, row.have(base)):
		case masked(have, name), secretName.MatchString(name):
			all[name] = Hidden{}
		default:
			all[name] = value
		}
	}
	return all
}

// brought returns the key manager that API-M 4.5 brings. Its addresses have the host of the installation, so those of have count if they
// have its paths. A claim that somebody has removed is no difference: the list depends on the claims of the server.
func brought(have Object) Object {
	base := Object{
		"type": TypeResident, "description": "This is Resident Key Manager", "enableMapOAuthConsumerApps": false,
		"availableGrantTypes":  listOf(broughtGrants),
		"additionalProperties": map[string]any{"validation_enable": true, "OAuthConfigurations.EncryptPersistedTokens": false, "VALIDITY_PERIOD": "3600"},
	}
	for key, path := range map[string]string{
		"issuer": tokenPath, "tokenEndpoint": tokenPath, "revokeEndpoint": revokePath, "certificates.value": "/oauth2/jwks",
		"additionalProperties.ServerURL": "/services/", "additionalProperties.TokenURL": tokenPath, "additionalProperties.RevokeURL": revokePath,
	} {
		if at := textAt(have, key, ""); strings.HasSuffix(at, path) {
			putAt(base, key, at)
		}
	}
	putAt(base, "certificates.type", textAt(have, "certificates.type", ""))
	claims := objectsAt(have, "claimMapping")
	if !slices.ContainsFunc(claims, func(c Object) bool {
		return dialect+broughtClaims[textAt(c, "remoteClaim", "")] != textAt(c, "localClaim", "")
	}) {
		base["claimMapping"] = have["claimMapping"]
	}
	if slices.Equal(without(textsAt(have, "availableGrantTypes"), optionalGrants), broughtGrants) {
		base["availableGrantTypes"] = have["availableGrantTypes"]
	}
	return base
}

// dialect begins the names of API-M's own claims.
const dialect = "http://wso2.org/claims/"

// broughtClaims are the claims of the key manager that API-M 4.5 brings, without the dialect.
var broughtClaims = map[string]string{
	"address": "addresses", "birthdate": "dob", "country": "country", "email": "emailaddress", "email_verified": "identity/emailVerified",
	"family_name": "lastname", "formatted": "addresses.formatted", "gender": "gender", "given_name": "givenname", "groups": "role",
	"locale": "local", "locality": "locality", "middle_name": "middleName", "name": "fullname", "nickname": "nickname",
	"phone_number": "telephone", "phone_number_verified": "identity/phoneVerified", "picture": "photourl", "postal_code": "postalcode",
	"preferred_username": "displayName", "profile": "url", "region": "region", "updated_at": "modified", "upn": "userprincipal",
	"website": "url", "zoneinfo": "timeZone",
}

// broughtGrants are the grant types of the key manager that API-M 4.5 brings. Later updates of it also bring the optional ones.
var (
	broughtGrants = []string{
		"authorization_code", "client_credentials", "iwa:ntlm", "password", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:ietf:params:oauth:grant-type:token-exchange",
	}
	optionalGrants = []string{"account_switch", "organization_switch"}
)
