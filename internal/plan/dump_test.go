package plan

import (
	"encoding/json"
	"reflect"
	"testing"

	"wso2agent/internal/desired"
)

func parsed(t *testing.T, text string) (o Object) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestFieldsOfEndpointsAreThoseThatAFileNeeds: what follows from other fields is left out, and what a file would otherwise add is reset.
func TestFieldsOfEndpointsAreThoseThatAFileNeeds(t *testing.T) {
	const one, other = `{"url":"http://a:1"}`, `{"url":"http://b:1"}`
	for _, tt := range []struct {
		name, config string
		want         Fields
	}{
		{"the same backend for both", `{"endpoint_type":"http","production_endpoints":` + one + `,"sandbox_endpoints":` + one + `}`, Fields{"production.url": "http://a:1"}},
		{"production alone", `{"endpoint_type":"http","production_endpoints":` + one + `}`, Fields{"production.url": "http://a:1", "sandbox": nil}},
		{"a sandbox alone", `{"endpoint_type":"http","sandbox_endpoints":` + other + `}`, Fields{"sandbox.url": "http://b:1"}},
		{"two backends", `{"endpoint_type":"http","production_endpoints":` + one + `,"sandbox_endpoints":` + other + `}`, Fields{"production.url": "http://a:1", "sandbox.url": "http://b:1"}},
		{"a type that does not follow", `{"endpoint_type":"address","sandbox_endpoints":` + one + `}`, Fields{"type": "address", "sandbox.url": "http://a:1"}},
		{"several addresses", `{"endpoint_type":"load_balance","sandbox_endpoints":[` + one + `,` + other + `]}`, Fields{"sandbox.urls": []string{"http://a:1", "http://b:1"}}},
		{"secrets, which can differ", `{"endpoint_type":"http","production_endpoints":` + one + `,"sandbox_endpoints":` + one + `,"endpoint_security":{
			"production":{"enabled":true,"type":"BASIC","username":"u","password":""},"sandbox":{"enabled":true,"type":"BASIC","username":"u","password":""}}}`, Fields{
			"production.url": "http://a:1", "production.security.type": "BASIC", "production.security.username": "u", "production.security.password": Hidden{},
			"sandbox.url": "http://a:1", "sandbox.security.type": "BASIC", "sandbox.security.username": "u", "sandbox.security.password": Hidden{},
		}},
		{"security that is off", `{"endpoint_type":"http","sandbox_endpoints":` + one + `,"endpoint_security":{"sandbox":{"enabled":false,"type":"BASIC","username":"u"}}}`, Fields{"sandbox.url": "http://a:1"}},
		{"a password that the server shows", `{"endpoint_type":"http","sandbox_endpoints":` + one + `,"endpoint_security":{"sandbox":{"enabled":true,"type":"apikey","apiKeyIdentifier":"k","apiKeyValue":"shown"}}}`,
			Fields{"sandbox.url": "http://a:1", "sandbox.security.type": "APIKEY", "sandbox.security.key_name": "k", "sandbox.security.key_value": Hidden{}}},
		{"times", `{"endpoint_type":"http","sandbox_endpoints":{"url":"http://a:1","config":{"actionDuration":"90000","actionSelect":"fault","retryDelay":"1500","suspendDuration":"7200000","suspendErrorCode":["101504"]}}}`,
			Fields{"sandbox.url": "http://a:1", "sandbox.timeout": "90s", "sandbox.retry_delay": "1500ms", "sandbox.suspend.initial": "2h", "sandbox.suspend.codes": []int{101504}}},
	} {
		got := APIFields(Object{"type": "HTTP", "endpointConfig": map[string]any(parsed(t, tt.config))}).within("endpoints")
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: the fields are\n  %v\nand should be\n  %v", tt.name, got, tt.want)
		}
	}
}

// TestFieldsOfAKeyManagerHaveNoSecret: neither one that API-M masks nor one that it shows.
func TestFieldsOfAKeyManagerHaveNoSecret(t *testing.T) {
	have := parsed(t, `{"name":"Okta","type":"Okta","wellKnownEndpoint":"https://o/w","displayName":"Okta","permissions":{"permissionType":"PUBLIC","roles":["admin"]},
		"additionalProperties":{"client_id":"c","client_secret":"shown","apiKey":"*****","access_token":"shown","realm":"r","self_validate_jwt":true,"level":5}}`)
	want := Fields{
		"name": "Okta", "type": "Okta", "well_known_endpoint": "https://o/w", "username": "c", "password": Hidden{},
		"additional_properties": Fields{"apiKey": Hidden{}, "access_token": Hidden{}, "realm": "r", "level": "5"},
	}
	if got := KeyManagerFields(have, desired.KeyManager{}); !reflect.DeepEqual(got, want) {
		t.Errorf("the fields are\n  %v\nand should be\n  %v", got, want)
	}
}

// TestOnlyAMappedClientIsAField: API-M makes any other client with the key.
func TestOnlyAMappedClientIsAField(t *testing.T) {
	for mode, want := range map[string]Fields{
		"CREATED": {"type": "SANDBOX", "key_manager": "KM"},
		"MAPPED":  {"type": "SANDBOX", "key_manager": "KM", "client_id": "c", "client_secret": Hidden{}},
	} {
		have := parsed(t, `{"keyType":"SANDBOX","keyManager":"KM","mode":"`+mode+`","consumerKey":"c","consumerSecret":"shown","supportedGrantTypes":["refresh_token","password","client_credentials"]}`)
		if got := KeyFields(have, TypeIS7); !reflect.DeepEqual(got, want) {
			t.Errorf("the fields of a %s key are %v, not %v", mode, got, want)
		}
	}
}
