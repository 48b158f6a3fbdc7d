package dump

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/testenv"
)

// recorded returns the objects that a real server showed at addresses of a form, each once.
func recorded(t *testing.T, product, form string) (all []plan.Object) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.Shared(t, "recordings"), product+"*.har"))
	must(t, err)
	address, seen := regexp.MustCompile(`^https://[^/]*`+form+`$`), map[string]bool{}
	for _, file := range files {
		var archive struct {
			Log struct {
				Entries []struct {
					Request  struct{ Method, URL string }
					Response struct {
						Status  int
						Content struct{ Text string }
					}
				}
			}
		}
		data, err := os.ReadFile(file)
		must(t, err)
		must(t, json.Unmarshal(data, &archive))
		for _, e := range archive.Log.Entries {
			text := e.Response.Content.Text
			if e.Request.Method == "GET" && e.Response.Status == 200 && address.MatchString(e.Request.URL) && !seen[text] {
				seen[text] = true
				var o plan.Object
				must(t, json.Unmarshal([]byte(text), &o))
				all = append(all, o)
			}
		}
	}
	return all
}

const id = `[0-9a-f]{8}-[0-9a-f-]{27}`

// ofNames matches what differs from one recording to the next in a reason.
var ofNames = regexp.MustCompile(`"[^"]*"`)

// leftOut dumps what a server has, and adds to the reasons why the dump leaves something out. The dump checks by itself that a plan of the
// rest is empty.
func leftOut(t *testing.T, all actual.Everything, reasons map[string]bool) Result {
	t.Helper()
	d := &dump{Options: Options{Save: func(string, []byte) error { return nil }}, files: map[string][]byte{}}
	d.want.KeyManager, d.want.VHost = "WSO2-IS", "localhost"
	r, err := d.write(all)
	must(t, err)
	for _, text := range r.LeftOut {
		_, reason, _ := strings.Cut(text, ": ")
		reasons[ofNames.ReplaceAllString(reason, "_")] = true
	}
	return r
}

func wantReasons(t *testing.T, got map[string]bool, want ...string) {
	t.Helper()
	slices.Sort(want)
	if all := slices.Sorted(maps.Keys(got)); !slices.Equal(all, want) {
		t.Errorf("what is left out has the reasons\n  %s\nand should have\n  %s", strings.Join(all, "\n  "), strings.Join(want, "\n  "))
	}
}

// schemaOf returns a schema with the operations of a recorded GraphQL API, whose own the recording of the API lacks.
func schemaOf(o plan.Object) string {
	types := map[string][]string{}
	operations, _ := o["operations"].([]any)
	for _, item := range operations {
		op := item.(map[string]any)
		verb := fmt.Sprint(op["verb"])
		types[verb] = append(types[verb], fmt.Sprintf("  %s: String", op["target"]))
	}
	var b strings.Builder
	for verb, root := range map[string]string{"QUERY": "Query", "MUTATION": "Mutation", "SUBSCRIPTION": "Subscription"} {
		if len(types[verb]) > 0 {
			fmt.Fprintf(&b, "type %s {\n%s\n}\n", root, strings.Join(types[verb], "\n"))
		}
	}
	return b.String()
}

// TestEveryRecordedAPIIsDumpedOrNamed dumps each API that a real server has shown, as if it were deployed.
func TestEveryRecordedAPIIsDumpedOrNamed(t *testing.T) {
	dumped, reasons := 0, map[string]bool{}
	for _, o := range recorded(t, "apim", `/api/am/publisher/v4/apis/`+id) {
		name := plan.APIName{Name: fmt.Sprint(o["name"]), Version: fmt.Sprint(o["version"])}
		var all actual.Everything
		all.APIs = map[plan.APIName]plan.API{name: {Object: o, Deployments: []plan.Object{{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}}}}
		if o["type"] == "GRAPHQL" {
			api := all.APIs[name]
			api.Definition = []byte(schemaOf(o))
			all.APIs[name], all.Schemas = api, map[plan.APIName]string{name: string(api.Definition)}
		}
		all.Scopes = map[string]plan.Object{}
		scopes, _ := o["scopes"].([]any)
		for _, s := range scopes {
			if m := s.(map[string]any); m["shared"] == true {
				scope := m["scope"].(map[string]any)
				all.Scopes[scope["name"].(string)] = scope
			}
		}
		if strings.Contains(string(leftOut(t, all, reasons).YAML), "\napis:\n") {
			dumped++
		}
	}
	if dumped < 147 {
		t.Errorf("%d APIs are dumped", dumped)
	}
	wantReasons(t, reasons, // the recordings try what API-M takes
		"a file cannot say that an API needs no subscription",
		"an endpoint of type failover needs urls with at least 2 of them, and no url",
		"business_owner_email _ must be an e-mail address",
		"production must be at least 1",
		"security of type BASIC has no username",
		"target _ must be one word without spaces",
		"target _ must begin with /: API-M keeps it as it is, and no call matches it",
		"timeout must be at least 1",
		"type _ is none of BASIC, OAUTH, APIKEY",
		"type _ is none of HTTP, GRAPHQL, WS, SSE",
		"type _ is none of http, address, load_balance, failover, default, ws",
		"unit _ is none of SECOND, MINUTE, HOUR",
	)
}

// TestEveryRecordedKeyManagerIsDumpedOrNamed does the same for key managers.
func TestEveryRecordedKeyManagerIsDumpedOrNamed(t *testing.T) {
	dumped, reasons := 0, map[string]bool{}
	for _, o := range recorded(t, "apim", `/api/am/admin/v4/key-managers/`+id) {
		name := fmt.Sprint(o["name"])
		var all actual.Everything
		all.KeyManagers = map[string]plan.Object{name: o}
		text := string(leftOut(t, all, reasons).YAML)
		if strings.Contains(text, "\nkey_managers:\n") {
			dumped++
		}
		if strings.Contains(text, "*****") {
			t.Errorf("the dump has the mask of a secret:\n%s", text)
		}
	}
	if dumped < 10 {
		t.Errorf("%d key managers are dumped", dumped)
	}
	wantReasons(t, reasons)
}

// TestEveryRecordedKeyIsDumpedOrNamed does the same for the keys of applications, and shows no secret of them.
func TestEveryRecordedKeyIsDumpedOrNamed(t *testing.T) {
	dumped, reasons := 0, map[string]bool{}
	for _, o := range recorded(t, "apim", `/api/am/devportal/v3/applications/`+id+`/oauth-keys`) {
		list, _ := o["list"].([]any)
		for _, item := range list {
			key := plan.Object(item.(map[string]any))
			if client, _ := key["consumerKey"].(string); client == "" {
				continue // as the reader leaves it out
			}
			var all actual.Everything
			kind := plan.TypeIS7
			if key["keyManager"] == "Resident Key Manager" {
				kind = plan.TypeResident
			}
			all.KeyManagers = map[string]plan.Object{fmt.Sprint(key["keyManager"]): {"name": key["keyManager"], "type": kind}}
			all.Applications = map[string]plan.Application{"Shop": {Object: plan.Object{"name": "Shop"}, Keys: []plan.Object{key}}}
			text := string(leftOut(t, all, reasons).YAML)
			dumped += strings.Count(text, "- type: ")
			if secret, _ := key["consumerSecret"].(string); secret != "" && strings.Contains(text, secret) {
				t.Errorf("the dump has the secret of %v:\n%s", key["keyManager"], text)
			}
		}
	}
	if dumped < 10 {
		t.Errorf("%d keys are dumped", dumped)
	}
	wantReasons(t, reasons, "a key cannot do without grant types")
}
