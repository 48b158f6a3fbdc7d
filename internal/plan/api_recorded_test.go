package plan

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

type apiExchange struct {
	step      string
	method    string
	url       string
	status    int
	sent, got Object
}

// apiExchanges returns the exchanges of a recording whose bodies are JSON objects or empty.
func apiExchanges(t *testing.T, file string) (all []apiExchange) {
	t.Helper()
	text, err := os.ReadFile(testenv.Shared(t, "recordings", file))
	if err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Entries []struct {
				Comment string
				Request struct {
					Method, URL string
					PostData    struct{ Text string }
				}
				Response struct {
					Status  int
					Content struct{ Text string }
				}
			}
		}
	}
	if err := json.Unmarshal(text, &har); err != nil {
		t.Fatal(err)
	}
	for _, e := range har.Log.Entries {
		x := apiExchange{step: e.Comment, method: e.Request.Method, url: e.Request.URL, status: e.Response.Status}
		_ = json.Unmarshal([]byte(e.Request.PostData.Text), &x.sent) // other bodies are nil
		_ = json.Unmarshal([]byte(e.Response.Content.Text), &x.got)  // likewise
		all = append(all, x)
	}
	return all
}

// What the server drops or changes of what was sent, by step and field. The reader of the file refuses all of it.
var apiDropped = map[string]string{
	"change additionalProperties as a map only/additional_properties": "the map counts next to an empty list, so the agent sends none",
	"WEBSUB: create/operations":                                       "the agent makes no API of this type",
	"change operations, unknown scope/operations":                     "a scope that the API does not declare",
	"change scopes, local one away that is used/operations":           "a scope that the API does not declare",
	"change accessControl to NONE, roles kept/access_control":         "roles next to NONE",
	"change visibility to PUBLIC, roles kept/visible_roles":           "roles next to PUBLIC",
	"create, scope used and not declared/operations":                  "a scope that the API does not declare",
	"create, tags with a comma/tags":                                  "a comma in a tag",
	"create, shared scope as a local one/scopes":                      "the server decides which scopes are shared",
	"create, local scope as a shared one/scopes":                      "the server decides which scopes are shared",
}

// TestWhatTheServerMakesOfAnAPIIsNoDifference holds every row against every recorded write of an API that succeeded: what was sent and
// what the server shows afterwards are equal.
func TestWhatTheServerMakesOfAnAPIIsNoDifference(t *testing.T) {
	pairs, used := 0, map[string]bool{}
	for _, file := range []string{"apim-4.5.0-design.har", "apim-4.5.0-types.har", "apim-4.5.0-gateway.har", "apim-4.5.0-lifecycle.har"} {
		all := apiExchanges(t, file)
		for i, x := range all {
			_, path, isAPI := strings.Cut(x.url, "/publisher/v4/apis")
			creates := x.method == "POST" && path == ""
			updates := x.method == "PUT" && strings.Count(path, "/") == 1
			if !isAPI || x.sent == nil || x.status > 201 || !creates && !updates {
				continue
			}
			id, _ := x.got["id"].(string)
			got := x.got
			for _, later := range all[i+1:] {
				if strings.Contains(later.url, "/apis/"+id) {
					if later.method == "GET" && later.status == 200 && strings.HasSuffix(later.url, "/apis/"+id) {
						got = later.got
					}
					break
				}
			}
			pairs++
			if ops, _ := x.sent["operations"].([]any); creates && len(ops) == 0 {
				putOperations(x.sent, defaultOperations(textAt(x.sent, "type", "HTTP"))) // which API-M then gives
			}
			for _, row := range apiTable {
				if row.have == nil {
					continue
				}
				sent, has := row.have(x.sent), row.have(got)
				if equal(sent, has) || row.path == "name" || row.path == "context" || row.path == "version" {
					continue
				}
				if key := x.step + "/" + row.path; apiDropped[key] != "" {
					used[key] = true
					continue
				}
				t.Errorf("%s: %s: %s was sent as %v and is shown as %v", file, x.step, row.path, sent, has)
			}
		}
	}
	if pairs < 100 {
		t.Errorf("the recordings have only %d writes of APIs", pairs)
	}
	for key := range apiDropped {
		if !used[key] {
			t.Errorf("%s is listed, and nothing differs there", key)
		}
	}
}
