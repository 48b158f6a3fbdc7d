package wso2

import (
	"net/http"
	"strings"
	"testing"
)

func TestObjectsOfRealServersAreUnderstood(t *testing.T) {
	ctx := t.Context()
	design, types, lifecycle := loadRecording(t, "apim-4.5.0-design.har"), loadRecording(t, "apim-4.5.0-types.har"), loadRecording(t, "apim-4.5.0-lifecycle.har")
	portal, admins := loadRecording(t, "apim-4.5.0-devportal.har"), loadRecording(t, "apim-4.5.0-admin.har")

	base, hc := design.at(t, "list: index has the three, try 1")
	if apis, err := NewPublisher(hc, base, admin).APIs(ctx); err != nil || len(apis) != 3 || apis[0].UpdatedTime != "1795772571778" || apis[0].Type != "HTTP" || apis[0].Provider != "admin" {
		t.Errorf("APIs: %+v, %v", apis, err)
	}
	base, hc = design.at(t, "shared scopes list")
	if scopes, err := NewPublisher(hc, base, admin).SharedScopes(ctx); err != nil || len(scopes) != 1 || scopes[0].Name != "t083bb6:shared" || scopes[0].Fields["displayName"] != "Shared" {
		t.Errorf("scopes: %+v, %v", scopes, err)
	}
	base, hc = design.at(t, "shared scope usage, used")
	if users, err := NewPublisher(hc, base, admin).SharedScopeUsers(ctx, "x"); err != nil || len(users) != 1 || users[0] != (ScopeUser{"Everything t083bb6", "1.0.0", "/everythingt083bb6/1.0.0"}) {
		t.Errorf("users of a scope: %+v, %v", users, err)
	}
	base, hc = lifecycle.at(t, "Blocked: state")
	if l, err := NewPublisher(hc, base, admin).Lifecycle(ctx, "x"); err != nil || l.State != "Blocked" || len(l.Transitions) != 2 || l.Transitions[1].Action != "Re-Publish" {
		t.Errorf("lifecycle: %+v, %v", l, err)
	}
	base, hc = lifecycle.at(t, "versions: copy")
	api, err := NewPublisher(hc, base, admin).CopyAPI(ctx, "x", "2.0.0")
	api.has(t, err, "Versions t951025", map[string]any{"version": "2.0.0"})
	base, hc = types.at(t, "document create, file")
	document, err := NewPublisher(hc, base, admin).CreateDocument(ctx, "x", nil)
	document.has(t, err, "File", map[string]any{"sourceType": "FILE"})
	base, hc = types.at(t, "document content, none yet")
	if content, ok, err := NewPublisher(hc, base, admin).ReadContent(ctx, "x", "y"); ok || err != nil {
		t.Errorf("no content: %q, %v", content, err)
	}
	base, hc = types.at(t, "document content get, markdown")
	if content, ok, err := NewPublisher(hc, base, admin).ReadContent(ctx, "x", "y"); string(content) != "# Hello" || !ok || err != nil {
		t.Errorf("content: %q, %v, %v", content, ok, err)
	}
	base, hc = types.at(t, "certificates list")
	if list, err := NewPublisher(hc, base, admin).EndpointCertificates(ctx); err != nil || len(list) != 5 || list[0].Alias != "tc61c31one" || list[0].Endpoint != "https://tc61c31.example:8443" {
		t.Errorf("certificates: %+v, %v", list, err)
	}
	base, hc = types.at(t, "certificates, none")
	if list, err := NewPublisher(hc, base, admin).EndpointCertificates(ctx); err != nil || len(list) != 0 {
		t.Errorf("no certificates: %+v, %v", list, err)
	}
	base, hc = types.at(t, "graphql validate, broken")
	if v, err := NewPublisher(hc, base, admin).ValidateGraphQL(ctx, nil); err != nil || v.Valid || len(v.Mistakes) != 1 || !strings.Contains(v.Mistakes[0], "Invalid Syntax") {
		t.Errorf("a broken schema: %+v, %v", v, err)
	}
	base, hc = types.at(t, "graphql validate")
	if v, err := NewPublisher(hc, base, admin).ValidateGraphQL(ctx, nil); err != nil || !v.Valid || len(v.Mistakes) != 0 || len(v.Operations) != 3 {
		t.Errorf("a schema: %+v, %v", v, err)
	}
	base, hc = types.at(t, "imported: swagger")
	if text, err := NewPublisher(hc, base, admin).OpenAPI(ctx, "x"); err != nil || !strings.Contains(string(text), `"/items/{id}"`) {
		t.Errorf("definition: %s, %v", text, err)
	}
	base, hc = types.at(t, "WS: swagger")
	if text, err := NewPublisher(hc, base, admin).OpenAPI(ctx, "x"); err == nil || text != nil {
		t.Errorf("definition of a WebSocket API: %s, %v", text, err)
	}
	base, hc = types.at(t, "graphql schema get")
	if schema, err := NewPublisher(hc, base, admin).GraphQLSchema(ctx, "x"); err != nil || !strings.HasPrefix(schema, "type Query {") {
		t.Errorf("schema: %q, %v", schema, err)
	}

	base, hc = admins.at(t, "the IS key manager: usages, apps")
	if uses, err := NewAdmin(hc, base, admin).KeyManagerApplications(ctx, "x"); err != nil || len(uses) != 1 || uses[0].Name != "Agent Application" || uses[0].Owner != "admin" {
		t.Errorf("applications of a key manager: %+v, %v", uses, err)
	}
	base, hc = admins.at(t, "key manager usages, apis")
	if uses, err := NewAdmin(hc, base, admin).KeyManagerAPIs(ctx, "x"); err != nil || len(uses) != 0 {
		t.Errorf("APIs of a key manager: %+v, %v", uses, err)
	}
	base, hc = portal.at(t, "application create, groups")
	app, err := NewDevPortal(hc, base, admin).CreateApplicationObject(ctx, nil)
	app.has(t, err, "App G t3908a0", nil)
	base, hc = portal.at(t, "map-keys")
	if mapped, err := NewDevPortal(hc, base, admin).MapKeys(ctx, "x", Production, "y", "z", "s"); err != nil || mapped.MappingID == "" || mapped.ConsumerKey == "" {
		t.Errorf("mapped keys: %v", err)
	}
	base, hc = loadRecording(t, "apim-4.5.0-keys.har").at(t, "callbacks with a comma: oauth-keys")
	if list, err := NewDevPortal(hc, base, admin).KeyObjects(ctx, "x"); err != nil || len(list) != 1 || list[0].Name != "WSO2-IS" || list[0].Fields["callbackUrl"] != "regexp=(https://a.example/cb|https://b.example/cb)" {
		t.Errorf("keys: %v", err)
	}
	base, hc = admins.at(t, "category list, used and in the index")
	if list, err := NewAdmin(hc, base, admin).Categories(ctx); err != nil || len(list) != 2 || list[1].Name != "Catta6e7b7" {
		t.Errorf("categories: %+v, %v", list, err)
	}
	base, hc = admins.at(t, "admin environments")
	if list, err := NewAdmin(hc, base, admin).Environments(ctx); err != nil || len(list) != 1 || list[0].Name != "Default" || len(list[0].Fields["vhosts"].([]any)) != 1 {
		t.Errorf("environments: %+v, %v", list, err)
	}
	base, hc = loadRecording(t, "apim-4.5.0.har").at(t, "key manager get")
	km, err := NewAdmin(hc, base, admin).KeyManagerObject(ctx, "x")
	km.has(t, err, "REC-IS-82d5c", map[string]any{"type": TypeIS7})
}

func TestSCIMOfTheRealServerIsUnderstood(t *testing.T) {
	ctx := t.Context()
	users, roles := loadRecording(t, "is-7.1.0-users.har"), loadRecording(t, "is-7.1.0-roles.har")
	base, hc := users.at(t, `users filter userName eq "annTAG"`)
	if u, ok, err := NewSCIM(hc, base, admin).Find(ctx, SCIMUsers, "annt66d658"); err != nil || !ok || u.ID == "" || u.Fields["emails"].([]any)[0] != "ann@example.com" {
		t.Errorf("user: %+v, %v, %v", u, ok, err)
	}
	base, hc = users.at(t, "group filter")
	if g, ok, err := NewSCIM(hc, base, admin).Find(ctx, SCIMGroups, "grpt66d658"); err != nil || !ok || g.ID == "" {
		t.Errorf("group: %+v, %v, %v", g, ok, err)
	}
	base, hc = roles.at(t, "roles filter displayName eq rolTAG")
	if r, ok, err := NewSCIM(hc, base, admin).Find(ctx, SCIMRoles, "rolt6d7c01"); err != nil || !ok || len(r.Fields["permissions"].([]any)) == 0 {
		t.Errorf("role: %+v, %v, %v", r, ok, err)
	}
	base, hc = roles.at(t, "roles filter displayName eq nosuchTAG")
	if _, ok, err := NewSCIM(hc, base, admin).Find(ctx, SCIMRoles, "nosuch"); ok || err != nil {
		t.Errorf("no role: %v, %v", ok, err)
	}
	base, hc = roles.at(t, "role create, with permissions and user")
	if id, err := NewSCIM(hc, base, admin).Create(ctx, SCIMRoles, nil); err != nil || id == "" {
		t.Errorf("create a role: %q, %v", id, err)
	}
	for step, says := range map[string]string{
		"role create, unknown permission":     "Permission: nosuch:t6d7c01 not found",
		"role create, unknown user":           "A user doesn't exist with id: 5c20eb01",
		"role create again":                   "Role already exist",
		"role patch, add permission, unknown": "Permission: nosuch:t6d7c01 not found",
	} {
		base, hc = roles.at(t, step)
		if _, err := NewSCIM(hc, base, admin).Create(ctx, SCIMRoles, nil); err == nil || !IsPermanent(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", step, err)
		}
	}
	base, hc = roles.at(t, "role unknown: delete")
	if err := NewSCIM(hc, base, admin).Delete(ctx, SCIMRoles, Object{ID: "x", Name: "y"}); err != nil {
		t.Errorf("delete a role that is gone: %v", err)
	}
	base, hc = users.at(t, "users, wrong password")
	if _, _, err := NewSCIM(hc, base, admin).Find(ctx, SCIMUsers, "x"); !HasStatus(err, http.StatusUnauthorized) || !strings.Contains(err.Error(), "check the user and the password") {
		t.Errorf("a wrong password: %v", err)
	}
}
