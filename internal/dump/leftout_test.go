package dump

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// api makes an API as the Publisher's portal does: base with other fields. It deploys and publishes it if state says so.
func (s *servers) api(name, version, state string, other plan.Object) (id string) {
	s.t.Helper()
	ctx, p := s.t.Context(), actual.Connect(s.client, s.settings).Publisher
	set := func(text string) desired.Text { return desired.Text{Set: true, Value: text} }
	api := desired.API{Name: set(name), Version: set(version), Context: set("/" + strings.ToLower(name))}
	api.Endpoints.Set, api.Endpoints.Value.Production = true, desired.Group[desired.Endpoint]{Set: true, Value: desired.Endpoint{URL: set("http://a:1")}}
	body := plan.APIBody(api, nil, nil)
	for key, value := range other {
		body[key] = value
	}
	made, err := p.CreateAPIObject(ctx, body)
	must(s.t, err)
	if state == "" {
		return made.ID
	}
	revision, err := p.CreateRevision(ctx, made.ID, "")
	must(s.t, err)
	must(s.t, p.DeployRevision(ctx, made.ID, revision, wso2.Deployment{Environment: "Default", VHost: "localhost", DisplayOnDevPortal: true}))
	if state == "PUBLISHED" {
		_, err = p.ChangeLifecycle(ctx, made.ID, "Publish")
		must(s.t, err)
	}
	return made.ID
}

// TestWhatAFileCannotSayIsLeftOut: the dump names it with the reason, and a plan of the rest is empty.
func TestWhatAFileCannotSayIsLeftOut(t *testing.T) {
	s := start(t, nil)
	s.create(s.read(everything, files(t)))
	c := actual.Connect(s.client, s.settings)
	s.api("Fine", "1", "PUBLISHED", nil)
	s.api("Portal", "1", "", nil)
	s.api("Hook", "1", "CREATED", plan.Object{"type": "WEBSUB", "operations": []any{map[string]any{"verb": "SUBSCRIBE", "target": "_default"}}})
	s.api("Open", "1", "PUBLISHED", plan.Object{"policies": []any{"DefaultSubscriptionless"}})
	s.api("Leaky", "1", "CREATED", plan.Object{"endpointConfig": map[string]any{
		"endpoint_type": "http", "production_endpoints": map[string]any{"url": "http://user:throwAway1@a:1"}, "sandbox_endpoints": map[string]any{"url": "http://s:1"},
	}})
	s.api("Uneven", "1", "PUBLISHED", plan.Object{"endpointConfig": map[string]any{"endpoint_type": "load_balance", "production_endpoints": []any{
		map[string]any{"url": "http://a:1", "config": map[string]any{"actionDuration": "1000"}}, map[string]any{"url": "http://b:1", "config": map[string]any{"actionDuration": "2000"}},
	}}})
	first := s.api("Twice", "1", "PUBLISHED", nil)
	s.api("Twice", "2", "PUBLISHED", nil)
	app, err := c.DevPortal.CreateApplicationObject(t.Context(), plan.Object{"name": "Half", "throttlingPolicy": "Unlimited", "description": ""})
	must(t, err)
	_, err = c.DevPortal.Subscribe(t.Context(), app.ID, first, "Unlimited")
	must(t, err)
	_, err = c.Publisher.CreateSharedScope(t.Context(), plan.Object{"name": "two", "displayName": "two", "description": strings.Repeat("x", 512), "bindings": []any{}})
	must(t, err)

	r := s.dumpWith(Options{})
	s.unchanged(r, t.TempDir())
	want := []string{
		"API Hook 1: a file has no APIs of type WEBSUB",
		"document File of API Orders 1.0.0: it is a file: add --out",
		"endpoint certificate orders: it is a file: add --out",
		`API Leaky 1, backend_url: backend_url "http://(hidden)@a:1" must not contain a user or a password`,
		"API Uneven 1, endpoints.production.timeout: timeout must be a number of milliseconds, or a time such as 30s, from 1ms to 24h",
		"API Open 1: a file cannot say that an API needs no subscription",
		"API Portal 1: a plan would change environments",
		"application Half, subscription Twice: a plan would create the subscription to API Twice 2",
	}
	got := slices.Sorted(slices.Values(r.LeftOut))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left out is\n  %s\nand should be\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for _, line := range want {
		if !strings.Contains(string(r.YAML), "\n#   "+line+"\n") {
			t.Errorf("the top of the file lacks %q", line)
		}
	}
	for _, name := range []string{"Fine", "Uneven", "Twice", "Half"} {
		if !strings.Contains(string(r.YAML), "  - name: "+name+"\n") {
			t.Errorf("the dump lacks %s", name)
		}
	}
	if strings.Contains(string(r.YAML), "throwAway1") || strings.Contains(strings.Join(r.LeftOut, ""), "throwAway1") {
		t.Errorf("the dump has a secret:\n%s", r.YAML)
	}
}

// TestAnAPIOfALanguageModelIsLeftOut: the stand-in has none, as API-M makes none of a plain creation.
func TestAnAPIOfALanguageModelIsLeftOut(t *testing.T) {
	api := func(name, subtype string) plan.API {
		o := plan.NewAPI("HTTP")
		o["name"], o["version"], o["context"], o["policies"], o["lifeCycleStatus"] = name, "1", "/"+name, []any{"Unlimited"}, "CREATED"
		o["subtypeConfiguration"] = map[string]any{"subtype": subtype, "configuration": nil}
		return plan.API{Object: o, Deployments: []plan.Object{{"name": "Default", "vhost": "localhost"}}}
	}
	var all actual.Everything
	all.APIs = map[plan.APIName]plan.API{{Name: "model", Version: "1"}: api("model", "AIAPI"), {Name: "plain", Version: "1"}: api("plain", "DEFAULT")}
	d := &dump{want: plan.Wanted{VHost: "localhost"}}
	r, err := d.write(all)
	if must(t, err); !slices.Equal(r.LeftOut, []string{"API model 1: a file has no APIs of subtype AIAPI"}) || !strings.Contains(string(r.YAML), "- name: plain\n") {
		t.Errorf("left out is %q of\n%s", r.LeftOut, r.YAML)
	}
}

// TestTheAgentsOwnSettingsGiveNoNameToASecret: such a variable has another meaning.
func TestTheAgentsOwnSettingsGiveNoNameToASecret(t *testing.T) {
	n := &names{taken: func(name string) bool { return name == "DB_PASSWORD" }, used: map[string]bool{}}
	got := []variable{n.variable("db", "password"), n.variable("DB", "password"), n.variable("9 to 5", "ü", "key")}
	if want := []variable{"DB_PASSWORD_2", "DB_PASSWORD_3", "_9_TO_5___KEY"}; !slices.Equal(got, want) {
		t.Errorf("the variables are %q, not %q", got, want)
	}
}

// TestFilesStayBelowTheFolder: a name of the server is one part of a path.
func TestFilesStayBelowTheFolder(t *testing.T) {
	for _, name := range []string{"..", "../x", ".", "/etc/passwd", " a", "a\nb", `..\x`, "a/../../b", ""} {
		path := documentPath(plan.APIName{Name: name, Version: name}, plan.Object{"name": name, "fileName": name})
		if !filepath.IsLocal(path) || strings.Count(path, "/") != 3 || strings.ContainsAny(path, "\n\\") {
			t.Errorf("the file of a document with the name %q is %q", name, path)
		}
	}
}
