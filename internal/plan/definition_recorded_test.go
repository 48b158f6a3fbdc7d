package plan

import (
	"encoding/json"
	"io"
	"mime/multipart"
	"os"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// recordedDefinition is a definition that was sent, and what the server gives back of it.
type recordedDefinition struct {
	step     string
	sent     []byte
	back     []byte
	api      Object // as the server has it then
	imported bool
}

// recordedDefinitions returns every definition of the recordings that the server took, with the next read of the same API.
func recordedDefinitions(t *testing.T) (all []recordedDefinition) {
	t.Helper()
	text, err := os.ReadFile(testenv.Shared(t, "recordings", "apim-4.5.0-types.har"))
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
	entries := har.Log.Entries
	for i, e := range entries {
		imports := strings.HasSuffix(e.Request.URL, "/import-openapi") || strings.HasSuffix(e.Request.URL, "/import-graphql-schema")
		writes := e.Request.Method == "PUT" && (strings.HasSuffix(e.Request.URL, "/swagger") || strings.HasSuffix(e.Request.URL, "/graphql-schema"))
		if e.Response.Status > 201 || !imports && !writes {
			continue
		}
		form := parts(t, e.Request.PostData.Text)
		d := recordedDefinition{step: e.Comment, imported: imports}
		for _, name := range []string{"apiDefinition", "schemaDefinition", "inlineAPIDefinition", "file"} {
			if form[name] != nil {
				d.sent = form[name]
			}
		}
		id := strings.Split(strings.TrimPrefix(e.Request.URL[strings.Index(e.Request.URL, "/apis/"):], "/apis/"), "/")[0]
		if imports {
			var made struct{ ID string }
			_ = json.Unmarshal([]byte(e.Response.Content.Text), &made)
			id = made.ID
			_ = json.Unmarshal([]byte(e.Response.Content.Text), &d.api)
		}
		if writes && strings.HasSuffix(e.Request.URL, "/swagger") {
			d.back = []byte(e.Response.Content.Text)
		}
		for _, later := range entries[i+1:] {
			if !strings.Contains(later.Request.URL, "/apis/"+id) {
				continue
			}
			if later.Request.Method != "GET" && !strings.Contains(later.Comment, "unchanged") {
				break
			}
			switch {
			case later.Response.Status > 200:
			case d.back == nil && strings.HasSuffix(later.Request.URL, "/swagger"):
				d.back = []byte(later.Response.Content.Text)
			case d.back == nil && strings.HasSuffix(later.Request.URL, "/graphql-schema") && later.Request.Method == "GET":
				var schema struct{ SchemaDefinition string }
				_ = json.Unmarshal([]byte(later.Response.Content.Text), &schema)
				d.back = []byte(schema.SchemaDefinition)
			case strings.HasSuffix(later.Request.URL, "/apis/"+id) && later.Request.Method == "GET":
				d.api = nil
				_ = json.Unmarshal([]byte(later.Response.Content.Text), &d.api)
			}
		}
		all = append(all, d)
	}
	return all
}

// parts returns the parts of a recorded form by their names.
func parts(t *testing.T, text string) map[string][]byte {
	t.Helper()
	boundary, _, _ := strings.Cut(strings.TrimPrefix(text, "--"), "\r\n")
	boundary, _, _ = strings.Cut(boundary, "\n")
	r := multipart.NewReader(strings.NewReader(text), strings.TrimSpace(boundary))
	all := map[string][]byte{}
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[p.FormName()], err = io.ReadAll(p); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatTheServerGivesBackOfADefinitionIsNoDifference holds every recorded definition against what API-M gives back of it: the document,
// the operations, the scopes, and the description of the API.
func TestWhatTheServerGivesBackOfADefinitionIsNoDifference(t *testing.T) {
	documents, objects := 0, 0
	for _, x := range recordedDefinitions(t) {
		field := "openapi: o.yaml"
		read := ReadOpenAPI
		if !strings.HasPrefix(strings.TrimSpace(string(x.sent)), "{") {
			field, read = "type: GRAPHQL\nschema: s.graphql", ReadGraphQL
		}
		switch x.step {
		case "import-openapi, operations given too", "graphql import, no operations", "graphql import, some operations",
			"graphql import, operation that is not in the schema", "graphql import, broken":
			continue // the agent sends none of these
		}
		d, mistakes := read(x.sent)
		if len(mistakes) > 0 {
			t.Errorf("%s: %v", x.step, mistakes)
			continue
		}
		want := definedAPI(t, field, d)
		if x.back != nil {
			documents++
			if all := DefinitionDifferences(want, d, x.back); len(all) > 0 {
				t.Errorf("%s: %s", x.step, listed(all))
			}
		}
		if x.api != nil {
			objects++
			for _, diff := range APIDifferences(want, x.api, nil, nil) {
				if diff.Path == "operations" || diff.Path == "scopes" || diff.Path == "description" {
					t.Errorf("%s: %s", x.step, listed([]Difference{diff}))
				}
			}
		}
	}
	if documents < 6 || objects < 6 {
		t.Errorf("the recordings have only %d documents and %d objects", documents, objects)
	}
}
