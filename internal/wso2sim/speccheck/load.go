package speccheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"
)

// documents are the specifications and the paths under which the servers serve them: what the files say of that names
// other hosts, or carries a tenant.
var documents = []struct{ file, base string }{
	{"admin-api.yaml", "/api/am/admin/v4"},
	{"publisher-api.yaml", "/api/am/publisher/v4"},
	{"devportal-api.yaml", "/api/am/devportal/v3"},
	{"apim-dcr-v0.17.yaml", "/client-registration/v0.17"},
	{"gateway-api.yaml", "/api/am/gateway/v2"},
	{"internal-data-api.yaml", "/internal/data/v1"},
	{"is-7.1-api-resources.yaml", "/api/server/v1"},
	{"is-7.1-applications.yaml", "/api/server/v1"},
	{"is-7.1-dcr-v1.1.yaml", "/api/identity/oauth2/dcr/v1.1"},
	{"is-7.1-oauth2-scopes.yaml", "/api/identity/oauth2/v1.0"},
	{"is-7.1-health-check.yaml", "/api/health-check/v1.0"},
	{"is-7.1-scim2.yaml", "/scim2"},
}

// load reads all specifications from a folder.
func load(folder string) ([]*api, error) {
	var apis []*api
	for _, d := range documents {
		text, err := os.ReadFile(filepath.Join(folder, d.file))
		if err != nil {
			return nil, fmt.Errorf("read a specification: %w", err)
		}
		doc, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("read the specification %s: %w", d.file, err)
		}
		a := &api{file: d.file, base: d.base, doc: doc, paths: splitPaths(doc)}
		doc.Servers = openapi3.Servers{{URL: d.base}}
		if err := a.correct(); err != nil {
			return nil, fmt.Errorf("correct the specification %s: %w", d.file, err)
		}
		apis = append(apis, a)
	}
	return apis, nil
}

// parse reads OpenAPI 3.0 or Swagger 2.0. The files have unquoted response codes, a timestamp that is none, and keys
// that stand there twice, so they go through a tree of nodes that knows strings, numbers and booleans and nothing more.
func parse(text []byte) (*openapi3.T, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	tree := plain(&node)
	root, _ := tree.(map[string]any)
	if root["swagger"] != nil {
		mendResponses(tree)
	}
	encoded, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	if root["swagger"] == nil {
		return openapi3.NewLoader().LoadFromData(encoded)
	}
	var old openapi2.T
	if err := json.Unmarshal(encoded, &old); err != nil {
		return nil, err
	}
	return openapi2conv.ToV3(&old)
}

// mendResponses puts a schema that stands where a response belongs into one.
func mendResponses(v any) {
	switch v := v.(type) {
	case map[string]any:
		responses, _ := v["responses"].(map[string]any)
		for status, r := range responses {
			r, _ := r.(map[string]any)
			if at, _ := r["$ref"].(string); strings.HasPrefix(at, "#/definitions/") {
				responses[status] = map[string]any{"description": at, "schema": r}
			}
		}
		for _, below := range v {
			mendResponses(below)
		}
	case []any:
		for _, below := range v {
			mendResponses(below)
		}
	}
}

// plain turns nodes into what encoding/json can write. Of a key that stands there twice the last one counts.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			out = append(out, plain(item))
		}
		return out
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!int", "!!float", "!!bool":
		var v any
		if n.Decode(&v) == nil {
			if _, err := json.Marshal(v); err == nil {
				return v
			}
		}
	}
	return n.Value
}

// api is a specification.
type api struct {
	file, base string
	doc        *openapi3.T
	paths      [][]string // templates, in segments
}

func splitPaths(doc *openapi3.T) [][]string {
	var out [][]string
	for path := range doc.Paths.Map() {
		out = append(out, strings.Split(path, "/"))
	}
	return out
}

// operation finds the operation of a request, of which path is what follows the base. Of several templates the one
// with the fewest parameters counts.
func (a *api) operation(method, path string) (template string, op *openapi3.Operation, params map[string]string) {
	segments := strings.Split(path, "/")
	for _, candidate := range a.paths {
		name := strings.Join(candidate, "/")
		o := a.doc.Paths.Value(name).GetOperation(method)
		found, ok := match(candidate, segments)
		if o != nil && ok && (op == nil || len(found) < len(params)) {
			template, op, params = name, o, found
		}
	}
	return template, op, params
}

func match(template, path []string) (map[string]string, bool) {
	if len(template) != len(path) {
		return nil, false
	}
	params := map[string]string{}
	for i, segment := range template {
		switch {
		case strings.HasPrefix(segment, "{") && path[i] != "":
			params[strings.Trim(segment, "{}")] = path[i]
		case segment != path[i]:
			return nil, false
		}
	}
	return params, true
}

// encode is JSON without escaped angle brackets, for messages.
func encode(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // what was decoded can be encoded
	return strings.TrimSpace(out.String())
}
