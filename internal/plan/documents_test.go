package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

func documentOf(t *testing.T, fields string) desired.Document {
	t.Helper()
	return apiFile(t, "documents:\n  - {name: Start, "+fields+"}").Documents.Value[0].Value
}

func TestEachFieldOfADocument(t *testing.T) {
	text := []byte("text")
	base := "summary: s, content: text"
	for _, tt := range []struct{ path, also, set, key, value, reset string }{
		{"type", base, base + ", type: SAMPLES", "type", "SAMPLES", base + ", type: null"},
		{"other_type", base, base + ", type: OTHER, other_type: manual", "otherTypeName", "manual", ""},
		{"summary", base, "summary: other, content: text", "summary", "other", ""},
		{"visibility", base, base + ", visibility: PRIVATE", "visibility", "PRIVATE", base + ", visibility: null"},
		{"format", base, base + ", format: MARKDOWN", "sourceType", "MARKDOWN", base + ", format: null"},
		{"format", base, "summary: s, file: a.txt", "sourceType", "FILE", ""},
		{"url", "summary: s, url: 'http://a'", "summary: s, url: 'http://b'", "sourceUrl", "http://b", ""},
	} {
		also, want := documentOf(t, tt.also), documentOf(t, tt.set)
		before := DocumentBody(also, nil)
		if d := DocumentDifferences(want, before, text, text); !hasPath(d, tt.path) {
			t.Errorf("%s: no difference", tt.path)
		}
		after := DocumentBody(want, before)
		if d := DocumentDifferences(want, after, text, text); len(d) > 0 || after[tt.key] != tt.value {
			t.Errorf("%s: %s is %v after the write, and\n%s", tt.path, tt.key, after[tt.key], listed(d))
		}
		if tt.reset == "" {
			continue
		}
		reset := documentOf(t, tt.reset)
		if d := DocumentDifferences(reset, after, text, text); !hasPath(d, tt.path) {
			t.Errorf("%s: a reset is no difference", tt.path)
		}
		if d := DocumentDifferences(reset, DocumentBody(reset, after), text, text); len(d) > 0 {
			t.Errorf("%s: after a reset\n%s", tt.path, listed(d))
		}
		if d := DocumentDifferences(also, after, text, text); len(d) > 0 {
			t.Errorf("%s: the file leaves it out, and\n%s", tt.path, listed(d))
		}
	}
}

func TestTheContentOfADocumentIsCompared(t *testing.T) {
	text, file, address := documentOf(t, "summary: s, content: text"), documentOf(t, "summary: s, file: a.txt"), documentOf(t, "summary: s, url: 'http://a'")
	for _, tt := range []struct {
		name            string
		want            desired.Document
		content, stored []byte
		path            string
	}{
		{"the same text", text, []byte("text"), []byte("text"), ""},
		{"another text", text, []byte("text"), []byte("old"), "content"},
		{"no text yet", text, []byte("text"), nil, "content"},
		{"another file", file, []byte{0, 1}, []byte{0}, "file"},
		{"an address", address, nil, []byte("old"), ""},
	} {
		d := DocumentDifferences(tt.want, DocumentBody(tt.want, nil), tt.content, tt.stored)
		if len(d) > 0 != (tt.path != "") || tt.path != "" && !hasPath(d, tt.path) {
			t.Errorf("%s:\n%s", tt.name, listed(d))
		}
		if strings.Contains(listed(d), "text") {
			t.Errorf("%s: the content is shown:\n%s", tt.name, listed(d))
		}
	}
}

// TestWhatTheServerMakesOfADocumentOrScopeIsNoDifference holds the rows against the recorded writes of documents and shared scopes.
func TestWhatTheServerMakesOfADocumentOrScopeIsNoDifference(t *testing.T) {
	documents, scopes := 0, 0
	for _, x := range slices.Concat(apiExchanges(t, "apim-4.5.0-types.har"), apiExchanges(t, "apim-4.5.0-design.har")) {
		if x.method == "GET" || x.sent == nil || x.status > 201 {
			continue
		}
		switch {
		case strings.Contains(x.url, "/documents"):
			documents++
			compareRows(t, x, documentTable)
		case strings.Contains(x.url, "/publisher/v4/scopes"):
			scopes++
			compareRows(t, x, scopeTable)
		}
	}
	if documents < 5 || scopes < 5 {
		t.Errorf("only %d writes of documents and %d of scopes", documents, scopes)
	}
}

func compareRows(t *testing.T, x apiExchange, table []mapping) {
	t.Helper()
	for _, row := range table {
		sent, has := row.have(x.sent), row.have(x.got)
		if row.path == "name" && x.method == "PUT" || row.path == "url" && strings.TrimSpace(has.(string)) == "" {
			continue // a PUT changes no name; a document that is no address has a blank one, and its row is not set
		}
		if !equal(sent, has) {
			t.Errorf("%s: %s was sent as %v and is shown as %v", x.step, row.path, sent, has)
		}
	}
}

func TestEachFieldOfASharedScope(t *testing.T) {
	scopeOf := func(fields string) desired.Scope {
		return apiFile(t, "scopes:\n  - {name: read"+fields+"}").Scopes.Value[0].Value
	}
	for _, tt := range []struct{ path, set, key, value, reset string }{
		{"display_name", ", display_name: Read", "displayName", `"Read"`, ", display_name: null"},
		{"description", ", description: May read", "description", `"May read"`, ", description: null"},
		{"roles", ", roles: [Internal/b, a]", "bindings", `["Internal/b","a"]`, ", roles: []"},
	} {
		want, reset := scopeOf(tt.set), scopeOf(tt.reset)
		before := ScopeBody(scopeOf(""), nil)
		before["id"], before["usageCount"] = "1", 2.0
		if d := ScopeDifferences(want, before); len(d) != 1 || d[0].Path != tt.path {
			t.Errorf("%s: differences\n%s", tt.path, listed(d))
		}
		after := ScopeBody(want, before)
		if d := ScopeDifferences(want, after); len(d) > 0 || jsonOf(t, after[tt.key]) != tt.value || len(after) != 5 {
			t.Errorf("%s: after the write %v differs in\n%s", tt.path, after, listed(d))
		}
		if d := ScopeDifferences(scopeOf(""), after); len(d) > 0 {
			t.Errorf("%s: the file leaves it out, and\n%s", tt.path, listed(d))
		}
		if d := ScopeDifferences(reset, after); len(d) != 1 {
			t.Errorf("%s: a reset differs in\n%s", tt.path, listed(d))
		}
		if d := ScopeDifferences(reset, before); len(d) > 0 {
			t.Errorf("%s: a reset of the default differs in\n%s", tt.path, listed(d))
		}
	}
}

func TestACertificateIsComparedByItsFingerprint(t *testing.T) {
	want := apiFile(t, "endpoint_certificates:\n  - {alias: orders, endpoint: 'https://a:8443', file: a.pem}").Certificates.Value[0].Value
	mine, other := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	one, two := hex.EncodeToString(mine[:]), hex.EncodeToString(other[:])
	for _, tt := range []struct {
		name, endpoint, have string
		paths                []string
		remade               bool
	}{
		{"the same", "https://a:8443", strings.ToUpper(one), nil, false},
		{"another certificate", "https://a:8443", two, []string{"file"}, false},
		{"another endpoint", "https://b:8443", one, []string{"endpoint"}, true},
	} {
		var paths []string
		all := CertificateDifferences(want, Object{"alias": "orders", "endpoint": tt.endpoint}, one, tt.have)
		for _, d := range all {
			paths = append(paths, d.Path)
		}
		if !slices.Equal(paths, tt.paths) || RemakesCertificate(all) != tt.remade {
			t.Errorf("%s: %v, remade %v", tt.name, paths, RemakesCertificate(all))
		}
	}
}

func TestDeploymentsAreComparedByEnvironmentAndHost(t *testing.T) {
	at := func(names ...string) (all []Object) {
		for _, n := range names {
			name, host, _ := strings.Cut(n, "@")
			all = append(all, Object{"name": name, "vhost": host, "displayOnDevportal": true, "status": "APPROVED"})
		}
		return all
	}
	for _, tt := range []struct {
		name, file string
		have       []Object
		want       string
	}{
		{"nothing in the file, deployed", "", at("Default@localhost", "partners@p"), ""},
		{"nothing in the file, not deployed", "", at("partners@p"), "environments: map[] -> map[Default:localhost]\n"},
		{"another order", "environments: [partners, Default]", at("Default@localhost", "partners@p"), ""},
		{"one more and one less", "environments: [partners]", at("Default@localhost"), "environments: map[Default:localhost] -> map[partners:localhost]\n"},
		{"another host", "environments: [{name: Default, vhost: am}]", at("Default@localhost"), "environments: map[Default:localhost] -> map[Default:am]\n"},
		{"hidden, which API-M drops", "environments: [{name: Default, display_on_devportal: false}]", at("Default@localhost"), ""},
	} {
		if got := listed(DeploymentDifferences(apiFile(t, tt.file), tt.have, "localhost")); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	got := Deployments(apiFile(t, "environments: [{name: a, vhost: h, display_on_devportal: false}, b]"), "am")
	if text := jsonOf(t, got); text != `[{"displayOnDevportal":false,"name":"a","vhost":"h"},{"displayOnDevportal":true,"name":"b","vhost":"am"}]` {
		t.Errorf("the deployments are %s", text)
	}
	if !maps.Equal(Deployments(apiFile(t, ""), "am")[0], Object{"name": "Default", "vhost": "am", "displayOnDevportal": true}) {
		t.Error("an API whose file names no environment is not in Default")
	}
}

// TestWhatIsAppliedOfADocumentIsNoDifferenceAnyMore applies documents to the stand-in.
func TestWhatIsAppliedOfADocumentIsNoDifferenceAnyMore(t *testing.T) {
	s := startAPIServer(t)
	id := s.ask("POST", publisher+"apis", APIBody(apiFile(t, "backend_url: http://a:1"), nil, nil))["id"].(string)
	documents := publisher + "apis/" + id + "/documents"
	made := ""
	for _, fields := range []string{
		"summary: s, content: text", "summary: t, content: text, format: MARKDOWN, type: OTHER, other_type: manual, visibility: PRIVATE",
		"summary: t, url: 'http://a', type: SAMPLES", "summary: t, file: a.txt",
	} {
		want := documentOf(t, fields)
		var have Object
		if made == "" {
			made = documents + "/" + s.ask("POST", documents, DocumentBody(want, nil))["documentId"].(string)
		} else {
			have = s.ask("GET", made, nil)
			s.ask("PUT", made, DocumentBody(want, have))
		}
		if d := DocumentDifferences(want, s.ask("GET", made, nil), bytes.Repeat([]byte("x"), 3), []byte("xxx")); len(d) > 0 {
			t.Errorf("%s: applied, and still\n%s", fields, listed(d))
		}
	}
}
