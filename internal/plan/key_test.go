package plan

import (
	"reflect"
	"slices"
	"testing"

	"wso2agent/internal/desired"
)

func readKey(t *testing.T, field string) desired.Key {
	f := parse(t, "applications: [{name: App, keys: [{type: PRODUCTION, "+field+"}]}]")
	return f.Applications.Value[0].Value.Keys.Value[0].Value
}

func TestEachFieldOfAKey(t *testing.T) {
	property := func(name, value string) string { return `{"additionalProperties":{"` + name + `":` + value + `}}` }
	for kind, names := range map[string][7]string{
		TypeIS7: {"ext_application_token_lifetime", "ext_user_token_lifetime", "ext_refresh_token_lifetime", "ext_id_token_lifetime",
			"ext_pkce_mandatory", "ext_pkce_support_plain", "ext_public_client"},
		TypeResident: {"application_access_token_expiry_time", "user_access_token_expiry_time", "refresh_token_expiry_time", "id_token_expiry_time",
			"pkceMandatory", "pkceSupportPlain", "bypassClientCredentials"},
	} {
		cases := []rowCase{
			{"grant_types", "grant_types: [refresh_token, password]", `{"supportedGrantTypes":[""]}`, `{"supportedGrantTypes":["password","refresh_token"]}`,
				[]string{}, []string{"password", "refresh_token"}},
			{"callbacks", "callbacks: ['https://b.example/cb?x=1', 'https://a.example/cb']", `{"callbackUrl":"https://a.example/cb"}`,
				`{"callbackUrl":"regexp=(https://a.example/cb|https://b.example/cb?x=1)"}`,
				[]string{"https://a.example/cb"}, []string{"https://a.example/cb", "https://b.example/cb?x=1"}},
			{"callbacks", "callbacks: ['https://a.example/cb']", `{"callbackUrl":""}`, `{"callbackUrl":"https://a.example/cb"}`, []string{}, []string{"https://a.example/cb"}},
			{"callbacks", "callbacks: ['https://a.example/cb']", `{"callbackUrl":"regexp=(https://(a|b).example/cb)"}`, `{"callbackUrl":"https://a.example/cb"}`,
				[]string{"regexp=(https://(a|b).example/cb)"}, []string{"https://a.example/cb"}},
			{"client_id", "client_id: c, client_secret: s", `{"consumerKey":"d"}`, `{"consumerKey":"c"}`, "d", "c"},
		}
		for i, field := range []string{"application_token_lifetime", "user_token_lifetime", "refresh_token_lifetime", "id_token_lifetime"} {
			absent := map[bool]int{true: 86400, false: 3600}[i == 2]
			cases = append(cases,
				rowCase{field, field + ": 900", property(names[i], "1200"), property(names[i], "900"), 1200, 900},
				rowCase{field, field + ": 900", `{"additionalProperties":null}`, property(names[i], `"900"`), absent, 900},
				rowCase{field, field + ": null", property(names[i], "1200"), `{"additionalProperties":{}}`, 1200, absent})
		}
		for i, field := range []string{"pkce_mandatory", "pkce_plain", "public_client"} {
			cases = append(cases,
				rowCase{field, field + ": true", property(names[4+i], "false"), property(names[4+i], "true"), false, true},
				rowCase{field, field + ": null", property(names[4+i], "true"), `{"additionalProperties":null}`, true, false})
		}
		t.Run(kind, func(t *testing.T) {
			checkRows(t, func(desired.Key) []mapping { return keyTable(kind) }, readKey, cases)
		})
	}
}

func TestAKeyManagerOfAnotherTypeRefusesSettingsOfClients(t *testing.T) {
	key := readKey(t, "grant_types: [password], user_token_lifetime: 5, pkce_mandatory: true")
	if fields := UnknownKeySettings(key, "KeyCloak"); !slices.Equal(fields, []string{"user_token_lifetime", "pkce_mandatory"}) {
		t.Errorf("refused are %v", fields)
	}
	for _, kind := range []string{TypeIS7, TypeResident} {
		if fields := UnknownKeySettings(key, kind); len(fields) > 0 {
			t.Errorf("%s refuses %v", kind, fields)
		}
	}
	if all := KeyDifferences(key, object(t, `{"supportedGrantTypes":["password"]}`), "KeyCloak", nil); len(all) > 0 {
		t.Errorf("fields that cannot be sent differ: %#v", all)
	}
}

// API-M takes what is no text back to its default, IS refuses regexp=, and the list shows the key manager by name.
func TestAnUpdateOfAKeySendsAllSettingsAsTexts(t *testing.T) {
	have := object(t, `{"keyMappingId":"m","keyManager":"WSO2-IS","consumerKey":"c","consumerSecret":"s","supportedGrantTypes":["authorization_code"],
		"callbackUrl":"regexp=(https://a.example/cb|https://b.example/cb)","keyState":"COMPLETED",
		"additionalProperties":{"ext_public_client":false,"ext_refresh_token_lifetime":86400,"ext_user_token_lifetime":10000000}}`)
	made := KeyBody(readKey(t, "user_token_lifetime: 900"), have, TypeIS7, "uuid")
	expected := object(t, `{"keyMappingId":"m","keyManager":"uuid","consumerKey":"c","consumerSecret":"s","supportedGrantTypes":["authorization_code"],
		"callbackUrl":"https://a.example/cb,https://b.example/cb","keyState":"COMPLETED",
		"additionalProperties":{"ext_public_client":"false","ext_refresh_token_lifetime":"86400","ext_user_token_lifetime":"900"}}`)
	if !reflect.DeepEqual(sentOver(t, made), expected) {
		t.Errorf("the PUT has %v", made)
	}
}

func TestANewKeyHasTheDefaultsOfTheAgent(t *testing.T) {
	made := KeyBody(readKey(t, "id_token_lifetime: 60, callbacks: ['app:/b', 'app:/a']"), nil, TypeResident, "uuid")
	expected := object(t, `{"keyType":"PRODUCTION","keyManager":"uuid","grantTypesToBeSupported":["client_credentials","password","refresh_token"],
		"callbackUrl":"app:/a,app:/b","scopes":["am_application_scope","default"],"validityTime":"3600","additionalProperties":{"id_token_expiry_time":"60"}}`)
	if !reflect.DeepEqual(sentOver(t, made), expected) {
		t.Errorf("the POST has %v", made)
	}
}

func TestAnExistingClientIsMapped(t *testing.T) {
	key := readKey(t, "client_id: c, client_secret: s3cret")
	expected := Object{"consumerKey": "c", "consumerSecret": "s3cret", "keyManager": "uuid", "keyType": "PRODUCTION"}
	if made := MapKeyBody(key, "uuid"); !reflect.DeepEqual(made, expected) {
		t.Errorf("the POST has %v", made)
	}
	have := Object{"consumerKey": "c"}
	all := KeyDifferences(key, have, TypeIS7, func(path, value string) bool { return path == "client_secret" && value == "old" })
	if !KeyReplaced(all) || !reflect.DeepEqual(all, []Difference{{Path: "client_secret", Want: "*****", Secret: true}}) {
		t.Errorf("another secret: %#v", all)
	}
	if all := KeyDifferences(key, have, TypeIS7, func(_, value string) bool { return value == "s3cret" }); len(all) > 0 {
		t.Errorf("the same secret: %#v", all)
	}
	if all := KeyDifferences(key, Object{"consumerKey": "d"}, TypeIS7, nil); !KeyReplaced(all) {
		t.Errorf("another client: %#v", all)
	}
	if KeyReplaced(KeyDifferences(readKey(t, "pkce_plain: true"), Object{}, TypeIS7, nil)) {
		t.Error("a setting replaces the client")
	}
}

// API-M keeps the old callbacks, so a reset would differ for ever. The reader refuses it, too.
func TestNobodyResetsCallbacks(t *testing.T) {
	key := desired.Key{Callbacks: desired.Texts{Set: true, Null: true}, GrantTypes: desired.Texts{Set: true, Null: true}}
	have := object(t, `{"callbackUrl":"https://a.example/cb","supportedGrantTypes":["password"]}`)
	if all := KeyDifferences(key, have, TypeIS7, nil); len(all) > 0 {
		t.Errorf("%#v", all)
	}
	if made := KeyBody(key, have, TypeIS7, "uuid"); made["callbackUrl"] != "https://a.example/cb" {
		t.Errorf("the PUT has the callbacks %v", made["callbackUrl"])
	}
}
