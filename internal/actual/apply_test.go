package actual

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// create makes everything that a file names on servers that have nothing of it: by the bodies of package plan, and the clients of
// package wso2.
func (s *servers) create(want plan.Wanted) {
	s.t.Helper()
	c := Connect(s.client, s.settings)
	managers := s.createKeyManagers(c, want)
	for _, item := range want.File.Scopes.Value {
		_, err := c.Publisher.CreateSharedScope(s.t.Context(), plan.ScopeBody(item.Value, nil))
		must(s.t, err)
	}
	s.createIdentities(c, want.File.IdentityServer.Value)
	ids := map[string]string{}
	for _, item := range want.File.APIs.Value {
		ids[item.Value.Name.Value] = s.createAPI(c, want, item.Value)
	}
	for _, item := range want.File.Applications.Value {
		s.createApplication(c, item.Value, ids, managers)
	}
}

func (s *servers) createKeyManagers(c Clients, want plan.Wanted) (ids map[string]string) {
	s.t.Helper()
	ctx := s.t.Context()
	own := want.Own
	own.Issuer = text(s.issuer())
	ids = map[string]string{}
	for _, km := range append([]desired.Field[desired.KeyManager]{{Value: own}}, want.File.KeyManagers.Value...) {
		var err error
		ids[km.Value.Name.Value], err = c.Admin.CreateKeyManagerObject(ctx, plan.KeyManagerBody(km.Value, nil))
		must(s.t, err)
	}
	return ids
}

// issuer returns the issuer of IS.
func (s *servers) issuer() string {
	s.t.Helper()
	discovery, err := bootstrap.Connect(s.client, s.settings).IS.Discovery(s.t.Context())
	must(s.t, err)
	return discovery.Issuer
}

func (s *servers) createIdentities(c Clients, is desired.IdentityServer) {
	s.t.Helper()
	ctx := s.t.Context()
	ids := plan.IDs{Users: map[string]string{}, Groups: map[string]string{}, Roles: map[string]string{}}
	create := func(kind wso2.SCIMKind, into map[string]string, name string, body plan.Object, err error) wso2.Object {
		s.t.Helper()
		must(s.t, err)
		id, err := c.SCIM.Create(ctx, kind, body)
		must(s.t, err)
		into[strings.ToLower(name)] = id
		o, err := c.SCIM.Read(ctx, kind, id)
		must(s.t, err)
		return o
	}
	patch := func(kind wso2.SCIMKind, o wso2.Object, body plan.Object) {
		s.t.Helper()
		data, err := json.Marshal(body["Operations"])
		must(s.t, err)
		var changes []wso2.Change
		must(s.t, json.Unmarshal(data, &changes))
		must(s.t, c.SCIM.Patch(ctx, kind, o, changes))
	}
	users := map[string]wso2.Object{}
	for _, u := range is.Users.Value {
		name := u.Value.Username.Value
		users[name] = create(wso2.SCIMUsers, ids.Users, name, plan.UserBody(u.Value, nil, nil), nil)
	}
	for _, g := range is.Groups.Value {
		body, err := plan.GroupBody(g.Value, nil, ids)
		create(wso2.SCIMGroups, ids.Groups, g.Value.Name.Value, body, err)
	}
	for _, r := range is.Roles.Value {
		body, err := plan.RoleBody(r.Value, nil, ids)
		o := create(wso2.SCIMRoles, ids.Roles, r.Value.Name.Value, body, err)
		body, err = plan.RoleBody(r.Value, o.Fields, ids)
		must(s.t, err)
		patch(wso2.SCIMRoles, o, body)
	}
	for _, u := range is.Users.Value {
		bodies, err := plan.UserRoles(u.Value, users[u.Value.Username.Value].Fields, ids)
		must(s.t, err)
		for id, body := range bodies {
			patch(wso2.SCIMRoles, wso2.Object{ID: id}, body)
		}
	}
}

func (s *servers) createAPI(c Clients, want plan.Wanted, api desired.API) (id string) {
	s.t.Helper()
	ctx, p := s.t.Context(), c.Publisher
	for _, item := range api.Certificates.Value {
		data, err := os.ReadFile(desired.PathOf(item.Value.File))
		must(s.t, err)
		must(s.t, p.AddEndpointCertificate(ctx, wso2.EndpointCertificate{Alias: item.Value.Alias.Value, Endpoint: item.Value.Endpoint.Value}, data))
	}
	var need []string
	for _, app := range want.File.Applications.Value {
		for _, sub := range app.Value.Subscriptions.Value {
			if sub.Value.APIName.Value == api.Name.Value {
				need = append(need, sub.Value.ThrottlingPolicy.Or("Unlimited"))
			}
		}
	}
	made, err := p.CreateAPIObject(ctx, plan.APIBody(api, nil, need))
	must(s.t, err)
	for _, item := range api.Documents.Value {
		d := item.Value
		o, err := p.CreateDocument(ctx, made.ID, plan.DocumentBody(d, nil))
		must(s.t, err)
		switch {
		case d.Content.Set:
			must(s.t, p.WriteText(ctx, made.ID, o.ID, d.Content.Value))
		case d.File.Set:
			must(s.t, p.WriteFile(ctx, made.ID, o.ID, filepath.Base(d.File.Value), want.Contents[desired.PathOf(d.File)]))
		}
	}
	revision, err := p.CreateRevision(ctx, made.ID, plan.Stamp(made.Fields)) // as the agent makes it
	must(s.t, err)
	for _, d := range plan.Deployments(api, want.VHost) {
		must(s.t, p.DeployRevision(ctx, made.ID, revision, wso2.Deployment{Environment: d["name"].(string), VHost: d["vhost"].(string), DisplayOnDevPortal: true}))
	}
	way, err := plan.Lifecycle("CREATED", api.Lifecycle.Or("PUBLISHED"), nil)
	must(s.t, err)
	for _, action := range way {
		_, err := p.ChangeLifecycle(ctx, made.ID, action)
		must(s.t, err)
	}
	return made.ID
}

func (s *servers) createApplication(c Clients, app desired.Application, apis, managers map[string]string) {
	s.t.Helper()
	ctx := s.t.Context()
	made, err := c.DevPortal.CreateApplicationObject(ctx, plan.ApplicationBody(app, nil))
	must(s.t, err)
	for _, item := range app.Subscriptions.Value {
		body := plan.SubscriptionBody(item.Value, nil, made.ID, apis[item.Value.APIName.Value])
		_, err := c.DevPortal.Subscribe(ctx, made.ID, body["apiId"].(string), body["throttlingPolicy"].(string))
		must(s.t, err)
	}
	for _, item := range app.Keys.Value {
		body := plan.KeyBody(item.Value, nil, plan.TypeIS7, managers[item.Value.KeyManager.Or("WSO2-IS")])
		request := wso2.KeyRequest{
			Type: item.Value.Type.Value, KeyManager: body["keyManager"].(string), Callback: body["callbackUrl"].(string), Properties: map[string]string{},
		}
		for _, grant := range body["grantTypesToBeSupported"].([]any) {
			request.Grants = append(request.Grants, grant.(string))
		}
		for name, value := range body["additionalProperties"].(map[string]any) {
			request.Properties[name] = value.(string)
		}
		_, err := c.DevPortal.MakeKeys(ctx, made.ID, request)
		must(s.t, err)
	}
}
