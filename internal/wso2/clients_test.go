package wso2

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

const resident = "Resident Key Manager"

func TestApplicationsAreManagedWithAllTheirFields(t *testing.T) {
	base, hc := manager(t)
	d, ctx := NewDevPortal(hc, base, shipped), t.Context()
	fields := map[string]any{"name": "shop", "throttlingPolicy": "Unlimited", "description": "a shop", "tokenType": "JWT", "groups": []string{"sales"}}
	made, err := d.CreateApplicationObject(ctx, fields)
	made.has(t, err, "shop", map[string]any{"description": "a shop", "owner": "admin"})
	if _, err := d.CreateApplicationObject(ctx, fields); !HasStatus(err, http.StatusConflict) {
		t.Errorf("create again: %v", err)
	}
	made.Fields["throttlingPolicy"] = "10PerMin"
	changed, err := d.UpdateApplicationObject(ctx, made.ID, made.Fields)
	changed.has(t, err, "shop", map[string]any{"throttlingPolicy": "10PerMin", "description": "a shop"})
	read, err := d.ApplicationObject(ctx, made.ID)
	read.has(t, err, "shop", map[string]any{"throttlingPolicy": "10PerMin", "owner": "admin"})
	if _, err := d.ApplicationObject(ctx, "nobody"); !HasCode(err, http.StatusNotFound) {
		t.Errorf("read an application that does not exist: %v", err)
	}
	list, err := d.ApplicationObjects(ctx)
	must(t, err)
	at := slices.IndexFunc(list, func(o Object) bool { return o.ID == made.ID })
	if at < 0 || list[at].Fields["throttlingPolicy"] != "10PerMin" || !slices.Equal(list[at].Fields["groups"].([]any), []any{"sales"}) {
		t.Errorf("list %+v", list)
	}
	must(t, d.DeleteApplication(ctx, made.ID))
}

func TestKeysAreMadeAsRequestedAndChanged(t *testing.T) {
	base, hc := manager(t)
	d, ctx := NewDevPortal(hc, base, shipped), t.Context()
	app, err := d.CreateApplicationObject(ctx, map[string]any{"name": "shop", "throttlingPolicy": "Unlimited"})
	must(t, err)
	made, err := d.MakeKeys(ctx, app.ID, KeyRequest{
		Type: Sandbox, KeyManager: resident, Grants: []string{"client_credentials", "authorization_code"},
		Callback: "https://a.example/cb", Properties: map[string]string{"application_access_token_expiry_time": "1800"},
	})
	if err != nil || made.KeyType != Sandbox || made.ConsumerKey == "" || made.ConsumerSecret == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := d.MakeKeys(ctx, app.ID, KeyRequest{Type: Sandbox, KeyManager: resident, Grants: []string{"client_credentials"}}); !HasCode(err, CodeKeyMappingExists) {
		t.Errorf("make again: %v", err)
	}
	stored := func() Object {
		list, err := d.KeyObjects(ctx, app.ID)
		if err != nil || len(list) != 1 || list[0].ID != made.MappingID || list[0].Name != resident {
			t.Fatalf("list %+v, %v", list, err)
		}
		return list[0]
	}
	row := stored()
	properties := row.Fields["additionalProperties"].(map[string]any)
	if row.Fields["callbackUrl"] != "https://a.example/cb" || properties["application_access_token_expiry_time"] != 1800.0 ||
		!slices.Equal(row.Fields["supportedGrantTypes"].([]any), []any{"client_credentials", "authorization_code"}) {
		t.Errorf("row %+v", row.Fields)
	}
	row.Fields["supportedGrantTypes"] = []string{"client_credentials"}
	row.Fields["additionalProperties"] = map[string]string{"application_access_token_expiry_time": "900"}
	must(t, d.UpdateKeys(ctx, app.ID, row.ID, row.Fields))
	row = stored()
	properties = row.Fields["additionalProperties"].(map[string]any)
	if properties["application_access_token_expiry_time"] != 900.0 || !slices.Equal(row.Fields["supportedGrantTypes"].([]any), []any{"client_credentials"}) {
		t.Errorf("after the update: %+v", row.Fields)
	}
	if err := d.UpdateKeys(ctx, app.ID, "", row.Fields); !errors.Is(err, errNoMapping) {
		t.Errorf("update all keys at once: %v", err)
	}
}

func TestAnExistingClientIsMapped(t *testing.T) {
	base, hc := manager(t)
	d, a, ctx := NewDevPortal(hc, base, shipped), NewAdmin(hc, base, shipped), t.Context()
	managers, err := a.KeyManagers(ctx)
	if err != nil || len(managers) != 1 {
		t.Fatalf("%+v, %v", managers, err)
	}
	km, err := a.KeyManagerObject(ctx, managers[0].ID)
	must(t, err)
	km.Fields["enableMapOAuthConsumerApps"] = true
	must(t, a.UpdateKeyManagerObject(ctx, km.ID, km.Fields))
	var apps []string
	for _, name := range []string{"first", "second", "third"} {
		app, err := d.CreateApplicationObject(ctx, map[string]any{"name": name, "throttlingPolicy": "Unlimited"})
		must(t, err)
		apps = append(apps, app.ID)
	}
	client, err := d.MakeKeys(ctx, apps[0], KeyRequest{Type: Production, KeyManager: resident, Grants: []string{"client_credentials"}})
	must(t, err)
	if _, err := d.MapKeys(ctx, apps[1], Production, resident, client.ConsumerKey, client.ConsumerSecret); !HasCode(err, CodeKeyMappingExists) {
		t.Errorf("map a client that an application has: %v", err)
	}
	must(t, d.CleanUpKeys(ctx, apps[0], client.MappingID)) // the client stays
	mapped, err := d.MapKeys(ctx, apps[2], Production, resident, client.ConsumerKey, client.ConsumerSecret)
	if err != nil || mapped.ConsumerKey != client.ConsumerKey || mapped.MappingID == "" {
		t.Errorf("%+v, %v", mapped, err)
	}
}

func TestAKeyManagerIsReadAndWrittenWhole(t *testing.T) {
	base, hc := manager(t)
	a, ctx := NewAdmin(hc, base, shipped), t.Context()
	km := map[string]any{
		"name": "IS", "type": TypeIS7, "enabled": true, "issuer": "https://is.example/oauth2/token", "tokenEndpoint": "https://is.example/oauth2/token",
		"userInfoEndpoint": "https://is.example/scim2/Me", "introspectionEndpoint": "https://is.example/oauth2/introspect",
		"clientRegistrationEndpoint": "https://is.example/register", "revokeEndpoint": "https://is.example/oauth2/revoke",
		"certificates": map[string]any{"type": "JWKS", "value": "https://is.example/oauth2/jwks"},
		"claimMapping": []map[string]any{{"remoteClaim": "email", "localClaim": "http://wso2.org/claims/emailaddress"}}, "consumerKeyClaim": "azp", "scopesClaim": "scope",
		"additionalProperties": map[string]any{
			"Username": "admin", "Password": "hunter2", "is7_roles_endpoint": "https://is.example/scim2/v2/Roles",
			"api_resource_management_endpoint": "https://is.example/api-resources",
		},
	}
	id, err := a.CreateKeyManagerObject(ctx, km, "hunter2")
	must(t, err)
	read, err := a.KeyManagerObject(ctx, id)
	read.has(t, err, "IS", map[string]any{"type": TypeIS7, "issuer": "https://is.example/oauth2/token"})
	if claims, _ := read.Fields["claimMapping"].([]any); len(claims) != 1 {
		t.Errorf("claims %v", read.Fields["claimMapping"])
	}
	if masked := read.Fields["additionalProperties"].(map[string]any)["Password"]; masked != string(MaskedPassword) {
		t.Errorf("password %v", masked)
	}
	read.Fields["description"] = "changed"
	must(t, a.UpdateKeyManagerObject(ctx, id, read.Fields))
	read, err = a.KeyManagerObject(ctx, id)
	read.has(t, err, "IS", map[string]any{"description": "changed"})
}

func TestCategoriesAreListed(t *testing.T) {
	base, hc := manager(t)
	a, ctx := NewAdmin(hc, base, shipped), t.Context()
	if list, err := a.Categories(ctx); err != nil || len(list) != 0 {
		t.Errorf("before: %+v, %v", list, err)
	}
	must(t, a.call(ctx, request{op: "create a category", method: http.MethodPost, path: "/api-categories", body: map[string]string{"name": "payments", "description": "of money"}}, nil))
	list, err := a.Categories(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("list %+v, %v", list, err)
	}
	list[0].has(t, err, "payments", map[string]any{"description": "of money"})
}

// An answer that repeats what it was sent must not bring a secret into an error.
func TestNoErrorRepeatsASecretOfAnObject(t *testing.T) {
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(400)
		json.NewEncoder(w).Encode(map[string]any{"code": 400, "message": "bad", "description": string(body)})
	})
	const secret = Secret(`t0p"s3cret`)
	object := map[string]any{"password": string(secret)}
	p, d, a, s, ctx := NewPublisher(hc, base, admin), NewDevPortal(hc, base, admin), NewAdmin(hc, base, admin), NewSCIM(hc, base, admin), t.Context()
	for name, call := range map[string]func() error{
		"create an API":        func() error { _, err := p.CreateAPIObject(ctx, object, secret); return err },
		"update an API":        func() error { _, err := p.UpdateAPIObject(ctx, "1", object, secret); return err },
		"import an API":        func() error { _, err := p.ImportOpenAPI(ctx, object, nil, secret); return err },
		"create a key manager": func() error { _, err := a.CreateKeyManagerObject(ctx, object, secret); return err },
		"update a key manager": func() error { return a.UpdateKeyManagerObject(ctx, "1", object, secret) },
		"map a client":         func() error { _, err := d.MapKeys(ctx, "1", Production, "km", "id", secret); return err },
		"update keys":          func() error { return d.UpdateKeys(ctx, "1", "2", map[string]any{"consumerSecret": string(secret)}) },
		"create a user":        func() error { _, err := s.Create(ctx, SCIMUsers, object, secret); return err },
		"change a user": func() error {
			return s.Patch(ctx, SCIMUsers, Object{ID: "1"}, []Change{{Op: "replace", Value: object}}, secret)
		},
		"import a GraphQL API": func() error {
			_, err := p.ImportGraphQL(ctx, map[string]any{"operations": []any{}, "password": string(secret)}, nil, secret)
			return err
		},
	} {
		err := call()
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "(secret)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnObjectWithoutAnIDIsTriedAgain(t *testing.T) {
	for _, body := range []string{"", "null", "{}", `{"id":""}`, `{"list":[{}]}`, `{"list":[null]}`} {
		base, hc := serve(t, answering(200, body))
		ctx := t.Context()
		_, one := NewPublisher(hc, base, admin).APIObject(ctx, "1")
		_, list := NewPublisher(hc, base, admin).SharedScopes(ctx)
		_, short := NewAdmin(hc, base, admin).Categories(ctx)
		for _, err := range []error{one, list, short} {
			if !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
				t.Errorf("%q: %v", body, err)
			}
		}
	}
}

// TestAReadIsRepeatedIfItsAnswerHasNothing, as from a proxy, or from a server that starts or stops.
func TestAReadIsRepeatedIfItsAnswerHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &refusing{answer: func(string) (int, string) { return 200, `{}` }}
		hc := &http.Client{Transport: server}
		base, ctx := "https://server.example", RepeatReads(t.Context())
		publisher, portal, manager := NewPublisher(hc, base, admin), NewDevPortal(hc, base, admin), NewAdmin(hc, base, admin)
		is, users, scopes := NewIdentity(hc, base, admin), NewSCIM(hc, base, admin), NewAuthorization(hc, base, admin)
		for what, read := range map[string]func() error{
			"a list with pages":      func() error { _, err := publisher.APIs(ctx); return err },
			"a list without pages":   func() error { _, err := manager.Categories(ctx); return err },
			"that of key managers":   func() error { _, err := manager.KeyManagers(ctx); return err },
			"that of keys":           func() error { _, err := portal.Keys(ctx, "1"); return err },
			"that of revisions":      func() error { _, err := publisher.Revisions(ctx, "1"); return err },
			"users of a key manager": func() error { _, err := manager.KeyManagerAPIs(ctx, "1"); return err },
			"users of a scope":       func() error { _, err := publisher.SharedScopeUsers(ctx, "1"); return err },
			"a list of SCIM":         func() error { _, err := users.List(ctx, SCIMUsers); return err },
			"one of SCIM":            func() error { _, _, err := users.Find(ctx, SCIMUsers, "a"); return err },
			"applications of IS":     func() error { _, err := scopes.Applications(ctx, "", 0); return err },
			"an API resource":        func() error { _, err := scopes.FindResource(ctx, "a"); return err },
			"its scopes":             func() error { _, err := scopes.Scopes(ctx, "1"); return err },
			"an object":              func() error { _, err := publisher.APIObject(ctx, "1"); return err },
			"a key manager":          func() error { _, err := manager.KeyManager(ctx, "1"); return err },
			"an application":         func() error { _, err := portal.Application(ctx, "1"); return err },
			"a subscription":         func() error { _, err := portal.Subscription(ctx, "1"); return err },
			"a lifecycle":            func() error { _, err := publisher.Lifecycle(ctx, "1"); return err },
			"a definition":           func() error { _, err := publisher.OpenAPI(ctx, "1"); return err },
			"a schema":               func() error { _, err := publisher.GraphQLSchema(ctx, "1"); return err },
			"a client":               func() error { _, err := is.HasClient(ctx, "1"); return err },
			"a client by its name":   func() error { _, err := is.FindClient(ctx, "a"); return err },
			"the owner of a client":  func() error { _, err := is.ClientOwner(ctx, "1"); return err },
			"the discovery document": func() error { _, err := is.Discovery(ctx); return err },
			"the caller":             func() error { return is.Me(ctx, "") },
		} {
			server.asked = 0
			if err := read(); !errors.Is(err, ErrNoDocument) || IsPermanent(err) || server.asked != ReadTries {
				t.Errorf("%s: %d requests: %v", what, server.asked, err)
			}
		}
		for what, write := range map[string]func() error{
			"a token":      func() error { _, err := FetchToken(ctx, hc, base, "id", "s"); return err },
			"a client":     func() error { _, _, err := is.RegisterClient(ctx, "a"); return err },
			"a revision":   func() error { _, err := publisher.CreateRevision(ctx, "1", "a"); return err },
			"a subscriber": func() error { _, err := portal.Subscribe(ctx, "1", "1", "Gold"); return err },
		} {
			server.asked = 0
			if err := write(); !errors.Is(err, ErrNoDocument) || server.asked != 1 {
				t.Errorf("%s is made: %d requests: %v", what, server.asked, err)
			}
		}
	})
}

func TestTheAttributesThatApplicationsCanHave(t *testing.T) {
	base, hc := serve(t, answering(200, `{"count":2,"list":[{"attribute":"team","required":"true"},{"attribute":"External Id"}]}`))
	names, err := NewDevPortal(hc, base, Credentials{}).ApplicationAttributes(t.Context())
	if err != nil || !slices.Equal(names, []string{"team", "External Id"}) {
		t.Errorf("%q, %v", names, err)
	}
	base, hc = serve(t, answering(200, `{}`))
	if _, err := NewDevPortal(hc, base, Credentials{}).ApplicationAttributes(t.Context()); !errors.Is(err, ErrNoDocument) {
		t.Errorf("an answer without a list: %v", err)
	}
}
