package actual

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

const smallDefinition = `openapi: 3.0.1
info: {title: t, version: "1"}
paths: {/a: {get: {summary: Old, responses: {"200": {description: ok}}}}}
`

// named returns a file with one API whose definition is at an address.
func named(address string) string {
	return `apis: [{name: A, version: "1", context: /a, backend_url: "http://a:1", openapi: "` + address + `"}]`
}

// site starts a site with TLS, and returns settings that trust it.
func site(t *testing.T, handler http.HandlerFunc) (address, caFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // one client does not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return s.URL, caFile
}

func TestADefinitionComesFromAnAddress(t *testing.T) {
	requests := 0
	address, ca := site(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		switch r.URL.Path {
		case "/o.yaml":
			io.WriteString(w, smallDefinition)
		case "/hop0":
			http.Redirect(w, r, "/o.yaml", http.StatusFound)
		case "/hop1", "/hop2", "/hop3":
			http.Redirect(w, r, "/hop"+string(r.URL.Path[4]-1), http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://o.example/o.yaml", http.StatusFound)
		case "/large":
			io.Copy(w, io.LimitReader(zeros{}, wso2.MaxUpload+1))
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/page":
			io.WriteString(w, "<html>")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, smallDefinition) }))
	t.Cleanup(plain.Close)
	gone := httptest.NewTLSServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		address, want, hint string
		transient           bool
	}{
		"by https":           {address: address + "/o.yaml"},
		"by http from here":  {address: plain.URL},
		"by three redirects": {address: address + "/hop2"},
		"by four redirects":  {address + "/hop3", "redirects more than 3 times", "name the address to which the redirects lead", false},
		"by http":            {"http://o.example/o.yaml", "http://o.example is not encrypted", "use https://", false},
		"to http":            {address + "/plain", "http://o.example is not encrypted", "use https://", false},
		"by a file address":  {"file:///etc/passwd", "it is no address", "correct the address", false},
		"nothing there":      {address + "/gone?key=hidden", "HTTP 404 Not Found", "correct the address", false},
		"too large":          {address + "/large", "has more than 10 MiB", "split the API", false},
		"busy":               {address + "/busy", "HTTP 503 Service Unavailable", "", true},
		"no answer":          {gone.URL + "/?key=hidden", "connection refused", "", true},
		"no definition":      {address + "/page", "it is no OpenAPI definition", "name a file", false},
	} {
		s := offline
		s.CAFile = ca
		want, err := Want(t.Context(), load(t, map[string]string{"file.yaml": named(c.address)}), s)
		var problems desired.Problems
		switch {
		case c.want == "":
			must(t, err)
			if d := want.Definitions[c.address]; string(d.Text) != smallDefinition || len(d.Operations) != 1 {
				t.Errorf("%s: %+v", name, d)
			}
			continue
		case err == nil:
			t.Fatalf("%s: no error", name)
		case errors.As(err, &problems) == c.transient:
			t.Errorf("%s: a person must solve it: %t: %v", name, !c.transient, err)
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "file.yaml:1:") || !strings.Contains(err.Error(), c.hint) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := offline // which does not trust the site
	_, err := Want(t.Context(), load(t, map[string]string{"file.yaml": named(address + "/o.yaml")}), s)
	if err == nil || !errors.Is(err, desired.ErrInvalid) || !strings.Contains(err.Error(), "verify its certificate") || !strings.Contains(err.Error(), "TLS_CA_FILE") {
		t.Errorf("a site with an unknown CA: %v", err)
	}
	s.CAFile, requests = ca, 0
	_, err = Want(t.Context(), load(t, map[string]string{"a.yaml": named(address + "/o.yaml"), "b.yaml": strings.ReplaceAll(named(address+"/o.yaml"), "name: A, version: \"1\", context: /a", "name: B, version: \"1\", context: /b")}), s)
	if !errors.Is(err, nil) || requests != 1 {
		t.Errorf("two APIs with one definition: %d requests, %v", requests, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Want(ctx, load(t, map[string]string{"file.yaml": named(address + "/o.yaml")}), s); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that has ended: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestMistakesInDefinitionsAreFoundWithoutAServer(t *testing.T) {
	f := load(t, map[string]string{"file.yaml": `apis:
  - {name: A, version: "1", context: /a, backend_url: "http://a:1", openapi: sub/a.yml}
  - {name: B, version: "1", context: /b, backend_url: "http://a:1", type: GRAPHQL, schema: b.graphql}
  - {name: C, version: "1", context: /c, backend_url: "http://a:1", type: GRAPHQL, schema: c.graphql, operations: [{target: b, verb: query}]}
  - {name: D, version: "1", context: /d, backend_url: "http://a:1", openapi: "https://o.example/not-asked"}
  - {name: E, version: "1", context: /e, backend_url: "http://a:1", openapi: e.yml}
`, "sub/a.yml": smallDefinition + "components: {schemas: {A: {$ref: other.yml}}}", "b.graphql": "type Query {\n a }", "c.graphql": "type Query { a: Int }", "e.yml": smallDefinition})
	var got []string
	for _, p := range CheckDefinitions(f) {
		got = append(got, strings.TrimPrefix(p.String(), filepath.Dir(f.Begin().File)+"/"))
	}
	expected := []string{
		`file.yaml:2:78: openapi: sub/a.yml:4:34: $ref "other.yml" is in another document: put what it names into the definition itself, for example with a bundler`,
		`file.yaml:3:92: schema: b.graphql:2:4: ":" must stand here, not "}": correct the schema`,
		`file.yaml:4:116: the schema has no operation QUERY b: remove it, or add it to the schema`,
	}
	if !slices.Equal(got, expected) {
		t.Errorf("the mistakes are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(expected, "\n"))
	}
}

// TestADefinitionCostsOneMoreRequest: a plan reads the definition of an API for which the file has one, and of no other.
func TestADefinitionCostsOneMoreRequest(t *testing.T) {
	s := start(t, nil)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "o.yaml"), []byte(smallDefinition), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "s.graphql"), []byte("type Query { a: Int }"), 0o600))
	with := s.read(`apis:
  - {name: O, version: "1", context: /o, backend_url: "http://a:1", openapi: o.yaml}
  - {name: G, version: "1", context: /g, backend_url: "http://a:1", type: GRAPHQL, schema: s.graphql}
  - {name: P, version: "1", context: /p, backend_url: "http://a:1"}
`, dir)
	s.create(with) // by their fields alone
	s.amRequests.Reset()
	have := s.have(with)
	counts := s.amRequests.Counts()
	for request, times := range map[string]int{
		"GET /api/am/publisher/v4/apis/{id}/swagger": 1, "GET /api/am/publisher/v4/apis/{id}/graphql-schema": 1, "GET /api/am/publisher/v4/apis/{id}": 3,
	} {
		if counts[request] != times {
			t.Errorf("%s: %d times, not %d", request, counts[request], times)
		}
	}
	if o := have.APIs[plan.APIName{Name: "O", Version: "1"}]; !strings.Contains(string(o.Definition), `"openapi"`) {
		t.Errorf("the definition is %s", o.Definition)
	}
	other := s.read(`apis: [{name: P, version: "1", context: /p, backend_url: "http://a:1", type: GRAPHQL, schema: s.graphql}]`, dir)
	if p := s.have(other).APIs[plan.APIName{Name: "P", Version: "1"}]; p.Definition != nil {
		t.Errorf("an API of another type has the definition %s", p.Definition)
	}
}

func TestADefinitionMayBeLargerThanAConfiguration(t *testing.T) {
	text := strings.Replace(smallDefinition, "summary: Old", "description: "+strings.Repeat("x", 5<<20), 1)
	want, err := Want(t.Context(), load(t, map[string]string{"file.yaml": named("o.yml"), "o.yml": text}), offline)
	must(t, err)
	for _, d := range want.Definitions {
		if len(d.Text) != len(text) {
			t.Errorf("the definition has %d bytes, not %d", len(d.Text), len(text))
		}
	}
	if len(want.Definitions) != 1 {
		t.Errorf("there are %d definitions", len(want.Definitions))
	}
}
