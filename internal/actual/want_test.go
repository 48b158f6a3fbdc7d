package actual

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/wso2"
)

// offline are settings of an installation with IS.
var offline = bootstrap.Settings{
	AMURL: "https://am.example:9443/", GatewayURL: "https://am.example:8243", ISURL: "https://is.example:9443",
	AMCredentials: wso2.Credentials{User: "admin", Password: "am-password"}, ISCredentials: wso2.Credentials{User: "chief", Password: "is-password"},
	KeyManagerName: "WSO2-IS",
}

// load writes files into a folder, and loads those that are YAML.
func load(t *testing.T, files map[string]string) *desired.File {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if filepath.Ext(name) == ".yaml" {
			paths = append(paths, path)
		}
	}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, func(string) bool { return false }), paths...)
	must(t, err)
	return f
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	f := load(t, map[string]string{"file.yaml": `identity_server: {users: [{username: ann}]}
apis:
  - {name: A, version: "1", context: /a, backend_url: "http://a:1", openapi: a.yml}
  - {name: B, version: "1", context: /b, backend_url: "http://a:1", type: GRAPHQL, schema: b.graphql}
  - {name: C, version: "1", context: /c, backend_url: "http://a:1", documents: [{name: D, summary: D, file: gone.txt}],
     endpoint_certificates: [{alias: one, endpoint: "https://a:1", file: wrong.pem}, {alias: two, endpoint: "https://a:1", file: gone.pem}]}
applications: [{name: WSO2agent-lease}]
`, "a.yml": "openapi: 3.0.1", "b.graphql": "type Query { a Int }", "gone.txt": "x", "gone.pem": "x", "wrong.pem": "no certificate"})
	document := f.APIs.Value[2].Value.Documents.Value[0].Value.File
	must(t, os.Remove(desired.PathOf(document))) // since it was loaded
	must(t, os.Remove(filepath.Join(filepath.Dir(document.At.File), "gone.pem")))
	s := offline
	s.SkipKeyManager, s.KeyManagerName = true, bootstrap.ResidentKeyManager
	_, err := Want(t.Context(), f, s)
	var problems desired.Problems
	if !errors.As(err, &problems) || !errors.Is(err, desired.ErrInvalid) {
		t.Fatalf("the error is %v", err)
	}
	expected := []string{
		"file.yaml:1:18: identity_server needs an Identity Server, and the agent has none: remove it, or name IS in PEERS",
		"file.yaml:3:78: openapi: a.yml:1:1: info has no title: add it",
		"file.yaml:3:78: openapi: a.yml:1:1: info has no version: add it",
		"file.yaml:3:78: openapi: a.yml:1:1: it has no operation: add a path with an operation",
		"file.yaml:4:92: schema: b.graphql:1:16: \":\" must stand here, not \"Int\": correct the schema",
		"file.yaml:5:109: the agent cannot read the document: ",
		"file.yaml:6:74: wrong.pem is no endpoint certificate: ",
		"file.yaml:6:130: the agent cannot read the endpoint certificate: ",
		"file.yaml:7:23: application \"WSO2agent-lease\" is the lease by which runs of the agent take turns: choose another name",
	}
	if len(problems) != len(expected) {
		t.Errorf("%d problems: %v", len(problems), err)
	}
	for i, p := range problems {
		if i < len(expected) && !strings.Contains(p.String(), expected[i]) {
			t.Errorf("problem %d is\n%s, not\n%s", i, p, expected[i])
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	s := offline
	s.AMURL = "am.example"
	if _, err := Want(t.Context(), &desired.File{}, s); !errors.Is(err, bootstrap.ErrPermanent) {
		t.Errorf("the error is %v", err)
	}
}

func TestFilesAreRelativeToTheFileThatNamesThem(t *testing.T) {
	api := func(name string) string {
		return "apis: [{name: " + name + `, version: "1", context: /` + name + `, backend_url: "http://a:1", documents: [{name: Guide, summary: How, file: guide.txt}]}]`
	}
	f := load(t, map[string]string{"one/file.yaml": api("One"), "one/guide.txt": "first", "two/file.yaml": api("Two"), "two/guide.txt": "second"})
	want, err := Want(t.Context(), f, offline)
	must(t, err)
	for i, item := range f.APIs.Value {
		expected := map[string]string{"One": "first", "Two": "second"}[item.Value.Name.Value]
		if got := string(want.Contents[desired.PathOf(item.Value.Documents.Value[0].Value.File)]); got != expected {
			t.Errorf("document %d is %q, not %q", i, got, expected)
		}
	}
}

func TestTheOwnKeyManagerIsWhatABootstrapRegisters(t *testing.T) {
	s := offline
	s.KMName, s.KMTokenEndpoint = "Login", "https://login.example/tokens"
	want, err := Want(t.Context(), load(t, map[string]string{"file.yaml": "gateway: {host: gw.example}"}), s)
	must(t, err)
	own := want.Own
	for what, pair := range map[string][2]string{
		"name": {own.Name.Value, "Login"}, "display name": {own.DisplayName.Value, "Login"}, "user": {own.Username.Value, "chief"},
		"password": {own.Password.Value.Reveal(), "is-password"}, "token endpoint": {own.TokenEndpoint.Value, "https://is.example:9443/oauth2/token"},
		"token endpoint for people": {own.DisplayTokenEndpoint.Value, "https://login.example/tokens"},
		"revocation for people":     {own.DisplayRevokeEndpoint.Value, "https://is.example:9443/oauth2/revoke"},
		"VHost":                     {want.VHost, "localhost"}, "key manager of keys": {want.KeyManager, "WSO2-IS"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, not %q", what, pair[0], pair[1])
		}
	}
	s.SkipKeyManager = true
	if want, err = Want(t.Context(), want.File, s); err != nil || want.Own.Name.Set {
		t.Errorf("without IS: %v, %v", want.Own.Name, err)
	}
	if c := Connect(nil, s); c.SCIM != nil || c.Admin == nil {
		t.Errorf("without IS there is a client for it: %+v", c)
	}
}
