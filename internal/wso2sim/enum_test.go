package wso2sim

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/wso2sim/speccheck"
)

// changed is a body with changes.
func changed(body, changes object) object {
	out := maps.Clone(body)
	maps.Copy(out, changes)
	return out
}

func TestAnUnknownValueOfAnAPIsEnumerationIsNull(t *testing.T) {
	p := newPair(t)
	p.startAM()
	create := func(field string, v any) reply {
		t.Helper()
		name := strings.ReplaceAll(field, ".", "")
		return send(t, "POST", p.publisher("/apis"), wrong, changed(p.apiBody(name, "/"+name), object{field: v}))
	}
	t.Run("null where the product wants a value is an unchecked error", func(t *testing.T) {
		create("endpointImplementationType", "NOSUCH").wantCode(t, 500, 500)
		create("advertiseInfo", object{"advertised": false, "vendor": "NOSUCH"}).wantCode(t, 500, 500)
	})
	t.Run("an unknown type, visibility or verb is refused", func(t *testing.T) {
		create("type", "NOSUCH").wantCode(t, 400, 400)
		create("visibility", "NOSUCH").wantCode(t, 400, 400)
		create("operations", []object{{"target": "/*", "verb": "NOSUCH"}}).wantCode(t, 400, 903201)
	})
	t.Run("null elsewhere is null, or what the product makes of it", func(t *testing.T) {
		for field, want := range map[string]any{
			"subscriptionAvailability": nil, "audience": nil, "accessControl": "NONE",
		} {
			id := create(field, "NOSUCH").want(t, 201).str("id")
			if got := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200).at(field); got != want {
				t.Errorf("%s is %v, want %v", field, got, want)
			}
		}
		got := create("maxTps", object{"production": 10, "productionTimeUnit": "NOSUCH", "sandboxTimeUnit": "HOUR"}).want(t, 201)
		if got.at("maxTps", "production") != 10.0 || got.str("maxTps", "productionTimeUnit") != "SECOND" || got.str("maxTps", "sandboxTimeUnit") != "HOUR" {
			t.Errorf("maxTps is %v", got.at("maxTps"))
		}
	})
	t.Run("the authentication of an operation is that of any token", func(t *testing.T) {
		got := create("operations", []object{{"target": "/*", "verb": "get", "authType": "NOSUCH"}}).want(t, 201)
		if got.str("operations", 0, "authType") != authAny || got.str("operations", 0, "verb") != "GET" {
			t.Errorf("the operation is %v", got.at("operations", 0))
		}
	})
	t.Run("an update fails in the same way", func(t *testing.T) {
		id := p.api("Updated", "/updated")
		full := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200).body.(map[string]any)
		put := func(changes object) reply {
			return send(t, "PUT", p.publisher("/apis/"+id), wrong, changed(full, changes))
		}
		put(object{"endpointImplementationType": "NOSUCH"}).wantCode(t, 500, 500)
		put(object{"type": "NOSUCH"}).wantCode(t, 400, 400)
		if got := put(object{"type": "WS"}).want(t, 200); got.str("type") != "HTTP" {
			t.Errorf("the type is %v", got.at("type"))
		}
	})
	t.Run("an imported project too", func(t *testing.T) {
		data := object{"name": "Imported", "version": "1.0.0", "context": "/imported", "provider": "admin", "type": "NOSUCH"}
		p.importProject(t, data).wantCode(t, 500, 500)
		data["type"], data["visibility"] = "HTTP", "NOSUCH"
		p.importProject(t, data).want(t, 200)
	})
}

func TestAnUnknownValueOfAKeyManagersEnumerationIsNull(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	create := func(changes object) reply {
		body := changed(p.keyManagerBody("K"+newUUID()), changes)
		return send(t, "POST", p.admin("/key-managers"), wrong, body)
	}
	create(object{"tokenType": "JWT"}).wantCode(t, 500, 500)
	if got := create(object{"certificates": object{"type": "NOSUCH", "value": "x"}}).want(t, 201); got.at("certificates") != nil {
		t.Errorf("certificates without a type are %v", got.at("certificates"))
	}
	got := create(object{"permissions": object{"permissionType": "NOSUCH", "roles": []string{"admin"}}}).want(t, 201)
	if got.str("permissions", "permissionType") != "PUBLIC" || len(got.at("permissions", "roles").([]any)) != 0 {
		t.Errorf("permissions are %v", got.at("permissions"))
	}
	got = create(object{"tokenValidation": []object{{"id": 1, "enable": true, "type": "NOSUCH"}}}).want(t, 201)
	if got.at("tokenValidation", 0, "type") != nil || got.at("tokenValidation", 0, "id") != 1.0 {
		t.Errorf("token validation is %v", got.at("tokenValidation"))
	}
}

func TestAnUnknownValueInTheDevPortalIsNull(t *testing.T) {
	p := newPair(t)
	p.startAM()
	app := send(t, "POST", p.devportal("/applications"), wrong, object{
		"name": "App", "throttlingPolicy": "Unlimited", "tokenType": "NOSUCH", "visibility": "NOSUCH",
	}).want(t, 201)
	if app.str("tokenType") != "JWT" || app.str("visibility") != "PRIVATE" {
		t.Errorf("the application is %s", app.text)
	}
	keys := p.devportal("/applications/" + app.str("applicationId"))
	for path, body := range map[string]object{
		"/generate-keys": {"keyType": "NOSUCH", "grantTypesToBeSupported": []string{"client_credentials"}},
		"/map-keys":      {"keyType": "NOSUCH", "consumerKey": "x"},
	} {
		got := send(t, "POST", keys+path, wrong, body)
		got.wantCode(t, 400, 400)
		if got.str("error", 0, "code") != "400_keyType" {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	mapping := p.generate(app.str("applicationId"), "").want(t, 200).str("keyMappingId")
	send(t, "POST", keys+"/oauth-keys/"+mapping+"/generate-token", wrong,
		object{"grantType": "NOSUCH", "validityPeriod": 3600, "scopes": []string{}}).want(t, 200)
}

// importProject imports an API as a project.
func (p *pair) importProject(t *testing.T, data object) reply {
	t.Helper()
	return form(t, p.publisher("/apis/import?overwrite=true"), "*/*", map[string]string{"file": archive(t, "A-1/", data, false)})
}

// The tags are written by hand; the products' specifications have the values.
func TestEnumerationsAreThoseOfTheSpecifications(t *testing.T) {
	for _, tc := range []struct {
		body   any
		schema string
	}{
		{apiDTO{}, "publisher-api.yaml#API"}, {maxTps{}, "publisher-api.yaml#APIMaxTps"},
		{advertiseInfo{}, "publisher-api.yaml#AdvertiseInfo"}, {revisionDeployment{}, "publisher-api.yaml#APIRevisionDeployment"},
		{keyManagerDTO{}, "admin-api.yaml#KeyManager"}, {kmValidation{}, "admin-api.yaml#TokenValidation"},
		{kmCertificate{}, "admin-api.yaml#KeyManager.certificates"}, {kmPermissions{}, "admin-api.yaml#KeyManager.permissions"},
		{applicationDTO{}, "devportal-api.yaml#Application"}, {subscriptionDTO{}, "devportal-api.yaml#Subscription"},
		{generateRequest{}, "devportal-api.yaml#ApplicationKeyGenerateRequest"}, {mapRequest{}, "devportal-api.yaml#ApplicationKeyMappingRequest"},
		{applicationKeyDTO{}, "devportal-api.yaml#ApplicationKey"}, {tokenRequest{}, "devportal-api.yaml#ApplicationTokenGenerateRequest"},
	} {
		want := speccheck.Enumerations(t, tc.schema)
		have := map[string][]string{}
		for name, field := range jsonFields(reflect.TypeOf(tc.body)) {
			if values, ok := field.Tag.Lookup("enum"); ok {
				have[name] = slices.Sorted(strings.SplitSeq(values, "|"))
			}
		}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("%s has %v, and we have %v", tc.schema, want, have)
		}
	}
}
