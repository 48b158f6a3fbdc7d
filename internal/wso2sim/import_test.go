package wso2sim

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// multipartBody is a multipart form, and its content type; the field file is in it as a file.
func multipartBody(t *testing.T, fields map[string]string) (text, contentType string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		create := w.CreateFormField
		if name == "file" {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, "upload") }
		}
		part, err := create(name)
		if err == nil {
			_, err = part.Write([]byte(value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return body.String(), w.FormDataContentType()
}

// form sends a multipart form.
func form(t *testing.T, address, accept string, fields map[string]string) reply {
	t.Helper()
	body, contentType := multipartBody(t, fields)
	req, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", accept)
	admin(req)
	return do(t, req)
}

// archive packs an API as a project under a root folder, which may be empty.
func archive(t *testing.T, root string, data object, deployed bool) string {
	t.Helper()
	api, err := json.Marshal(object{"type": "api", "version": "v4.5.0", "data": data}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"api.yaml":                 string(api),
		"Definitions/swagger.yaml": "openapi: 3.0.1\npaths:\n  /ping:\n    get: {}\n",
	}
	if deployed {
		files["deployment_environments.yaml"] = "type: deployment_environments\nversion: v4.5.0\ndata:\n" +
			"  - deploymentEnvironment: Default\n    deploymentVhost: localhost\n    displayOnDevportal: true\n"
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range files {
		f, err := w.Create(root + name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestArchiveImport(t *testing.T) {
	p := newPair(t)
	p.startAM()
	at := func(query string) string { return p.publisher("/apis/import?rotateRevision=true&" + query) }
	data := p.apiBody("Arc", "/arc")
	maps.Copy(data, object{"provider": "admin", "lifeCycleStatus": "PUBLISHED"})
	upload := func(root string, data object) map[string]string {
		return map[string]string{"file": archive(t, root, data, true)}
	}
	made := form(t, at("overwrite=true"), "application/json", upload("arc/", data)).want(t, 200)
	id := made.str("id")
	got := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200)
	if got.str("lifeCycleStatus") != "PUBLISHED" || got.str("operations", 0, "target") != "/ping" {
		t.Errorf("imported %s", got.text)
	}
	app := p.application("App")
	p.subscribe(app, id)
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))
	p.invoke("/arc/1.0.0/ping", bearer(tok)).want(t, 200)

	for range maxRevisions + 1 { // revisions are rotated
		again := form(t, at("overwrite=true"), "application/json", upload("arc/", data)).want(t, 200)
		if again.str("id") != id || again.str("revision") == made.str("revision") {
			t.Fatalf("a second import gives %s after %s", again.text, made.text)
		}
	}
	t.Run("what an import over an existing API leaves out takes the token's header away", func(t *testing.T) {
		got := p.invoke("/arc/1.0.0/ping", bearer(tok)).want(t, 401)
		if !strings.Contains(got.str("description"), "'null : Bearer") {
			t.Errorf("got %s", got.text)
		}
	})
	t.Run("any other Accept is answered with text", func(t *testing.T) {
		if got := form(t, at("overwrite=true"), "*/*", upload("arc/", data)).want(t, 200); got.text != "API imported successfully." {
			t.Errorf("got %s", got.text)
		}
	})
	t.Run("CREATED demotes, and no state leaves it", func(t *testing.T) {
		state := func() string { return send(t, "GET", p.publisher("/apis/"+id), admin, nil).str("lifeCycleStatus") }
		without := maps.Clone(data)
		delete(without, "lifeCycleStatus")
		form(t, at("overwrite=true"), "*/*", upload("arc/", without)).want(t, 200)
		if state() != "PUBLISHED" {
			t.Errorf("the state is %s", state())
		}
		without["lifeCycleStatus"] = "CREATED"
		form(t, at("overwrite=true"), "*/*", upload("arc/", without)).want(t, 200)
		if state() != "CREATED" {
			t.Errorf("the state is %s", state())
		}
	})
	form(t, at("overwrite=false"), "application/json", upload("arc/", data)).wantCode(t, 409, 900300)
	form(t, at("overwrite=true"), "application/json", upload("", data)).wantCode(t, 400, 900909)
	form(t, at("overwrite=true"), "application/json", map[string]string{"file": "no zip"}).wantCode(t, 500, 903229)
	delete(data, "provider")
	form(t, at("overwrite=true"), "application/json", upload("arc/", data)).wantCode(t, 500, 500)
}

func TestImportOpenAPI(t *testing.T) {
	p := newPair(t)
	p.startAM()
	rest, err := json.Marshal(p.apiBody("Imp", "/imp"))
	if err != nil {
		t.Fatal(err)
	}
	for field, context := range map[string]string{"file": "/imp1", "inlineAPIDefinition": "/imp2"} {
		got := form(t, p.publisher("/apis/import-openapi"), "application/json", map[string]string{
			field:                  "openapi: 3.0.1\ninfo: {title: Imp, version: '1'}\npaths:\n  /ping:\n    get: {}\n    post: {}\n",
			"additionalProperties": strings.ReplaceAll(strings.ReplaceAll(string(rest), "/imp", context), `"Imp"`, `"Imp`+context[4:]+`"`),
		}).want(t, 201)
		if got.str("operations", 1, "verb") != "POST" || got.str("operations", 1, "target") != "/ping" {
			t.Errorf("from %s: %s", field, got.text)
		}
		definition := send(t, "GET", p.publisher("/apis/"+got.str("id")+"/swagger"), admin, nil).want(t, 200)
		if definition.at("paths", "/ping", "post") == nil {
			t.Errorf("the definition is %s", definition.text)
		}
	}
}

func TestDiscoveryOfAKeyManagerProposesTheWrongUserInfoEndpoint(t *testing.T) {
	p := working(t)
	at := p.is.url(p.is.port) + "/oauth2/token/.well-known/openid-configuration"
	got := form(t, p.admin("/key-managers/discover"), "application/json", map[string]string{"url": at, "type": "WSO2-IS-7"}).want(t, 200)
	if got.at("valid") != true || got.str("value", "issuer") != p.is.Issuer() || !strings.HasSuffix(got.str("value", "userInfoEndpoint"), "/oauth2/userinfo") {
		t.Errorf("got %s", got.text)
	}
	p.is.Close()
	form(t, p.admin("/key-managers/discover"), "application/json", map[string]string{"url": at, "type": "WSO2-IS-7"}).wantCode(t, 500, 500)
}
