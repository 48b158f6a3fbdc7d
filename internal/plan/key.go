package plan

import (
	"slices"
	"strconv"
	"strings"

	"wso2agent/internal/desired"
)

// Keys returns the keys that an application is to have, each with its key manager: the one for which the file names none is keyManager.
// An application without a word about keys has one for production.
func Keys(app desired.Field[desired.Application], keyManager string) []desired.Field[desired.Key] {
	keys := slices.Clone(app.Value.Keys.Value)
	if !app.Value.Keys.Set {
		keys = []desired.Field[desired.Key]{{Set: true, At: app.At, Value: desired.Key{Type: desired.Text{Set: true, Value: "PRODUCTION", At: app.At}}}}
	}
	for i := range keys {
		keys[i].Value.KeyManager = given(keys[i].Value.KeyManager.Or(keyManager))
	}
	return keys
}

// clientSettings are the names that a key manager gives to the additional properties of its clients.
type clientSettings struct {
	application, user, refresh, id string // lifetimes in seconds
	pkce, plain, public            string
}

// clientSettingsOf returns the names of the key managers whose clients have settings. kind is the type of the key manager.
func clientSettingsOf(kind string) (names clientSettings, known bool) {
	switch kind {
	case TypeResident:
		return clientSettings{
			application: "application_access_token_expiry_time", user: "user_access_token_expiry_time",
			refresh: "refresh_token_expiry_time", id: "id_token_expiry_time",
			pkce: "pkceMandatory", plain: "pkceSupportPlain", public: "bypassClientCredentials",
		}, true
	case TypeIS7:
		return clientSettings{
			application: "ext_application_token_lifetime", user: "ext_user_token_lifetime",
			refresh: "ext_refresh_token_lifetime", id: "ext_id_token_lifetime",
			pkce: "ext_pkce_mandatory", plain: "ext_pkce_support_plain", public: "ext_public_client",
		}, true
	}
	return clientSettings{}, false
}

// keyTable maps an OAuth client of an application at a key manager of a type. Of other types than IS 7 and the resident one, the
// settings of clients are unknown.
func keyTable(kind string) []mapping {
	table := []mapping{
		{
			path: "grant_types",
			want: func(from any) (any, bool) {
				k := from.(desired.Key)
				return valuesOf(k.GrantTypes), k.GrantTypes.Set && !k.GrantTypes.Null
			},
			have: func(o Object) any { return textsAt(o, "supportedGrantTypes") },
			put:  func(body Object, value any) { body["supportedGrantTypes"] = listOf(value.([]string)) },
		},
		{
			path: "callbacks", // API-M keeps the old callbacks if it gets none, so nobody can reset them
			want: func(from any) (any, bool) {
				k := from.(desired.Key)
				return valuesOf(k.Callbacks), k.Callbacks.Set && !k.Callbacks.Null
			},
			have: func(o Object) any { return set(Callbacks(textAt(o, "callbackUrl", ""))) },
			put:  func(body Object, value any) { body["callbackUrl"] = strings.Join(value.([]string), ",") },
		},
		{
			path: "client_id", // the client of a key cannot change: KeyReplaced
			want: func(from any) (any, bool) {
				k := from.(desired.Key)
				return k.ClientID.Value, k.ClientID.Set && !k.ClientID.Null
			},
			have: func(o Object) any { return textAt(o, "consumerKey", "") },
			put:  func(Object, any) {},
		},
	}
	names, known := clientSettingsOf(kind)
	if !known {
		return table
	}
	return append(table,
		lifetimeRow("application_token_lifetime", names.application, 3600, func(k desired.Key) desired.Number { return k.ApplicationLifetime }),
		lifetimeRow("user_token_lifetime", names.user, 3600, func(k desired.Key) desired.Number { return k.UserLifetime }),
		lifetimeRow("refresh_token_lifetime", names.refresh, 86400, func(k desired.Key) desired.Number { return k.RefreshLifetime }),
		lifetimeRow("id_token_lifetime", names.id, 3600, func(k desired.Key) desired.Number { return k.IDLifetime }),
		flagRow("pkce_mandatory", names.pkce, func(k desired.Key) desired.Switch { return k.PKCE }),
		flagRow("pkce_plain", names.plain, func(k desired.Key) desired.Switch { return k.PKCEPlain }),
		flagRow("public_client", names.public, func(k desired.Key) desired.Switch { return k.PublicClient }),
	)
}

// lifetimeRow maps a lifetime in seconds. API-M shows a number, and ignores one that is no text.
func lifetimeRow(path, name string, absent int, of func(desired.Key) desired.Number) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { k := from.(desired.Key); f := of(k); return f.Or(absent), f.Set },
		have: func(o Object) any {
			if seconds, err := strconv.Atoi(textOf(at(o, "additionalProperties."+name))); err == nil && seconds > 0 {
				return seconds
			}
			return absent
		},
		put: func(body Object, value any) { putAt(body, "additionalProperties."+name, strconv.Itoa(value.(int))) },
	}
}

// flagRow maps a switch of a client. API-M shows a boolean, and ignores one that is no text.
func flagRow(path, name string, of func(desired.Key) desired.Switch) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { k := from.(desired.Key); f := of(k); return f.Or(false), f.Set },
		have: func(o Object) any { return textOf(at(o, "additionalProperties."+name)) == "true" },
		put: func(body Object, value any) {
			putAt(body, "additionalProperties."+name, strconv.FormatBool(value.(bool)))
		},
	}
}

// Callbacks returns the addresses in a callbackUrl. API-M takes several with commas between them, and shows them as regexp=(a|b). A
// regular expression that somebody has written by hand stays whole.
func Callbacks(url string) []string {
	if inner, is := strings.CutPrefix(url, "regexp=("); is && strings.HasSuffix(inner, ")") {
		if inner = strings.TrimSuffix(inner, ")"); !strings.ContainsAny(inner, "()[]*\\^$") {
			return strings.Split(inner, "|")
		}
	}
	if url == "" {
		return []string{}
	}
	return strings.Split(url, ",")
}

// KeyDifferences compares a key with what the Developer Portal shows of it. kind is the type of its key manager. sent is as in
// changedSecret, for the secret of an existing client.
func KeyDifferences(want desired.Key, have Object, kind string, sent func(path, value string) bool) []Difference {
	return append(differences(keyTable(kind), want, have), changedSecret("client_secret", want.ClientSecret, sent)...)
}

// KeyBody returns the body of POST generate-keys if have is nil, else of PUT oauth-keys/{id}. have comes from GET oauth-keys/{id}: the list
// shows the key manager's name in place of its id. keyManager is the id, because API-M does not check the permissions of a name.
func KeyBody(want desired.Key, have Object, kind, keyManager string) Object {
	if have == nil {
		made := body(keyTable(kind), want, Object{
			"keyType": want.Type.Value, "keyManager": keyManager, "callbackUrl": "", "validityTime": "3600",
			"supportedGrantTypes": listOf([]string{"client_credentials", "password", "refresh_token"}),
			"scopes":              listOf([]string{"am_application_scope", "default"}), "additionalProperties": map[string]any{},
		})
		made["grantTypesToBeSupported"] = made["supportedGrantTypes"]
		delete(made, "supportedGrantTypes")
		return made
	}
	base := clone(have).(Object)
	base["keyManager"] = keyManager
	// IS refuses regexp=, and without the callbacks a key with authorization_code.
	base["callbackUrl"] = strings.Join(Callbacks(textAt(have, "callbackUrl", "")), ",")
	// What is no text goes back to its default.
	properties, _ := base["additionalProperties"].(map[string]any)
	for name, value := range properties {
		properties[name] = textOf(value)
	}
	return body(keyTable(kind), want, base)
}

// MapKeyBody returns the body of POST map-keys, which gives an existing client to an application. API-M takes no settings with it, so a
// KeyBody follows if KeyDifferences finds any.
func MapKeyBody(want desired.Key, keyManager string) Object {
	return Object{
		"consumerKey": want.ClientID.Value, "consumerSecret": want.ClientSecret.Value.Reveal(),
		"keyManager": keyManager, "keyType": want.Type.Value,
	}
}

// KeyReplaced reports whether the key must be removed and mapped again, because its client is another one or has another secret.
func KeyReplaced(all []Difference) bool {
	return slices.ContainsFunc(all, func(d Difference) bool { return d.Path == "client_id" || d.Path == "client_secret" })
}

// UnknownKeySettings returns the fields that do not reach a key manager of this type: the agent does not know their names there.
func UnknownKeySettings(want desired.Key, kind string) (fields []string) {
	if _, known := clientSettingsOf(kind); known {
		return nil
	}
	for _, m := range keyTable(TypeIS7)[len(keyTable(kind)):] {
		if _, set := m.want(want); set {
			fields = append(fields, m.path)
		}
	}
	return fields
}
