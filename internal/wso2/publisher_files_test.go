package wso2

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

func TestDocumentsOfAnAPIAreManaged(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	api, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	document := func(name, source string) map[string]any {
		return map[string]any{"name": name, "type": "HOWTO", "summary": "s", "sourceType": source, "visibility": "API_LEVEL"}
	}
	guide, err := p.CreateDocument(ctx, api.ID, document("Guide", "MARKDOWN"))
	guide.has(t, err, "Guide", map[string]any{"summary": "s"})
	if _, err := p.CreateDocument(ctx, api.ID, document("Guide", "MARKDOWN")); !HasCode(err, CodeDocumentExists) || !strings.Contains(err.Error(), "choose another one") {
		t.Errorf("create again: %v", err)
	}
	if content, ok, err := p.ReadContent(ctx, api.ID, guide.ID); ok || err != nil {
		t.Errorf("before any content: %q, %v", content, err)
	}
	must(t, p.WriteText(ctx, api.ID, guide.ID, "# Grüße\r\n--x--"))
	if content, ok, err := p.ReadContent(ctx, api.ID, guide.ID); string(content) != "# Grüße\r\n--x--" || !ok || err != nil {
		t.Errorf("content %q, %v, %v", content, ok, err)
	}

	file, err := p.CreateDocument(ctx, api.ID, document("File", "FILE"))
	must(t, err)
	large := bytes.Repeat([]byte{0, 0xff, '\n'}, (MaxUpload-2)/3)
	must(t, p.WriteFile(ctx, api.ID, file.ID, "pay.bin", large))
	if content, ok, err := p.ReadContent(ctx, api.ID, file.ID); !bytes.Equal(content, large) || !ok || err != nil {
		t.Errorf("%d bytes of %d, %v, %v", len(content), len(large), ok, err)
	}
	if err := p.WriteText(ctx, api.ID, file.ID, "x"); !HasStatus(err, 400) || !IsPermanent(err) {
		t.Errorf("a text for a file: %v", err)
	}

	guide.Fields["summary"] = "changed"
	changed, err := p.UpdateDocument(ctx, api.ID, guide.ID, guide.Fields)
	changed.has(t, err, "Guide", map[string]any{"summary": "changed"})
	list, err := p.Documents(ctx, api.ID)
	if err != nil || len(list) != 2 || list[0].Name != "File" || list[1].Fields["summary"] != "changed" || list[1].ID != guide.ID {
		t.Errorf("list %+v, %v", list, err)
	}
	if name, _ := list[0].Fields["fileName"].(string); !strings.HasSuffix(name, "/pay.bin") {
		t.Errorf("file name %q", name)
	}
	must(t, p.DeleteDocument(ctx, api.ID, guide.ID))
	if list, err := p.Documents(ctx, api.ID); err != nil || len(list) != 1 {
		t.Errorf("after the deletion: %+v, %v", list, err)
	}
}

func TestAFileThatIsTooLargeIsNotSent(t *testing.T) {
	sent := false
	base, hc := serve(t, func(http.ResponseWriter, *http.Request) { sent = true })
	err := NewPublisher(hc, base, admin).WriteFile(t.Context(), "a", "d", "f", make([]byte, MaxUpload+1))
	if !errors.Is(err, ErrTooLarge) || !IsPermanent(err) || !strings.Contains(err.Error(), "use a smaller file") || sent {
		t.Errorf("sent %v, %v", sent, err)
	}
}

func TestADocumentIsReadUpToABound(t *testing.T) {
	base, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxUpload+1)) })
	if _, _, err := NewPublisher(hc, base, admin).ReadContent(t.Context(), "a", "d"); err == nil || !strings.Contains(err.Error(), "larger than 10 MiB") {
		t.Errorf("error = %v", err)
	}
}

// A name comes from a file of a user: it must not begin another field or header.
func TestANameInAFormStaysAName(t *testing.T) {
	name := "a\"; name=\"inlineContent\"\r\nContent-Type: text/html\r\n\r\n<script>\\"
	body, kind, err := multipartForm([]part{{name: "file", file: name, contents: []byte("contents")}, text("alias", "x")})
	must(t, err)
	_, parameters, err := mime.ParseMediaType(kind)
	must(t, err)
	r := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	first, err := r.NextPart()
	must(t, err)
	contents, err := io.ReadAll(first)
	if err != nil || first.FormName() != "file" || string(contents) != "contents" || first.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("field %q, %q, %v", first.FormName(), contents, err)
	}
	second, err := r.NextPart()
	must(t, err)
	if contents, err := io.ReadAll(second); err != nil || second.FormName() != "alias" || second.FileName() != "" || string(contents) != "x" {
		t.Errorf("field %q, %q, %v", second.FormName(), contents, err)
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("a third field: %v", err)
	}
}

func TestEndpointCertificatesAreManaged(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	first, _ := testenv.NamelessCA(t)
	second, _ := testenv.NamelessCA(t)
	c := EndpointCertificate{Alias: "backend one", Endpoint: "https://backend.example"}
	must(t, p.AddEndpointCertificate(ctx, c, first))
	if err := p.AddEndpointCertificate(ctx, c, first); !HasStatus(err, http.StatusConflict) || !IsPermanent(err) {
		t.Errorf("add again: %v", err)
	}
	list, err := p.EndpointCertificates(ctx)
	if err != nil || len(list) != 1 || list[0] != c {
		t.Errorf("list %+v, %v", list, err)
	}
	der := func() []byte {
		der, err := p.EndpointCertificate(ctx, c.Alias)
		must(t, err)
		_, err = x509.ParseCertificate(der)
		must(t, err)
		return der
	}
	if !bytes.Equal(der(), first) {
		t.Error("the certificate is another one")
	}
	must(t, p.ReplaceEndpointCertificate(ctx, c.Alias, second))
	if !bytes.Equal(der(), second) {
		t.Error("the certificate was not replaced")
	}
	must(t, p.DeleteEndpointCertificate(ctx, c.Alias))
	if _, err := p.EndpointCertificate(ctx, c.Alias); !HasStatus(err, http.StatusNotFound) {
		t.Errorf("read a deleted one: %v", err)
	}
	if list, err := p.EndpointCertificates(ctx); err != nil || len(list) != 0 {
		t.Errorf("after the deletion: %+v, %v", list, err)
	}
	silent, hc := serve(t, answering(200, ""))
	if _, err := NewPublisher(hc, silent, admin).EndpointCertificate(ctx, "x"); !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
		t.Errorf("an empty certificate: %v", err)
	}
}

const openAPI = `openapi: 3.0.1
info: {title: Pay, version: '1', description: From a file}
paths: {/pay: {get: {responses: {'200': {description: ok}}}}, /refund: {post: {responses: {'200': {description: ok}}}}}
`

func TestAnAPIIsMadeFromADefinition(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	fields := simpleAPI("Pay", "1.0.0")
	delete(fields, "operations")
	delete(fields, "type")
	made, err := p.ImportOpenAPI(ctx, fields, []byte(openAPI))
	made.has(t, err, "Pay", map[string]any{"description": "From a file"})
	if operations, _ := made.Fields["operations"].([]any); len(operations) != 2 {
		t.Errorf("operations %v", made.Fields["operations"])
	}
	if _, err := p.ImportOpenAPI(ctx, fields, []byte(openAPI)); !HasCode(err, CodeAPIExists) {
		t.Errorf("import again: %v", err)
	}
	must(t, p.UpdateOpenAPI(ctx, made.ID, []byte(strings.Replace(openAPI, "/refund:", "/refunds:", 1))))
	read, err := p.APIObject(ctx, made.ID)
	must(t, err)
	var targets []string
	for _, o := range read.Fields["operations"].([]any) {
		targets = append(targets, o.(map[string]any)["target"].(string))
	}
	if strings.Join(targets, " ") != "/pay /refunds" {
		t.Errorf("operations %q", targets)
	}
	if err := p.UpdateOpenAPI(ctx, made.ID, []byte("{")); !HasCode(err, 900754) || !strings.Contains(err.Error(), "correct the OpenAPI definition") {
		t.Errorf("a broken definition: %v", err)
	}
}

func TestAnAPIIsMadeFromASchema(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	schema := "type Query { hello(name: String): String }\n"
	v, err := p.ValidateGraphQL(ctx, []byte(schema))
	if err != nil || !v.Valid || len(v.Mistakes) != 0 || len(v.Operations) != 1 || v.Operations[0]["target"] != "hello" {
		t.Fatalf("a good schema: %+v, %v", v, err)
	}
	if v, err := p.ValidateGraphQL(ctx, []byte("type Query {")); err != nil || v.Valid || len(v.Mistakes) != 1 {
		t.Errorf("a broken schema: %+v, %v", v, err)
	}
	fields := simpleAPI("Graph", "1.0.0")
	delete(fields, "type")
	delete(fields, "operations")
	if _, err := p.ImportGraphQL(ctx, fields, []byte(schema)); !errors.Is(err, ErrNoOperations) || !IsPermanent(err) {
		t.Errorf("without operations: %v", err)
	}
	fields["operations"] = v.Operations
	made, err := p.ImportGraphQL(ctx, fields, []byte(schema))
	made.has(t, err, "Graph", map[string]any{"type": "GRAPHQL"})
	changed := "type Query { hello(name: String): String more: Int }\n"
	must(t, p.UpdateGraphQLSchema(ctx, made.ID, changed))
	if got, err := p.GraphQLSchema(ctx, made.ID); err != nil || got != changed {
		t.Errorf("schema %q, %v", got, err)
	}
	silent, hc := serve(t, answering(200, `{}`))
	if _, err := NewPublisher(hc, silent, admin).ValidateGraphQL(ctx, nil); !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
		t.Errorf("an answer without a verdict: %v", err)
	}
}
