package wso2sim

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// openAPI is the part of a definition that makes an API, and what a definition must have. Paths keep their order.
type openAPI struct {
	OpenAPI    string      `yaml:"openapi"`
	Swagger    string      `yaml:"swagger"`
	Info       *object     `yaml:"info"`
	Paths      yaml.Node   `yaml:"paths"`
	Components openAPIPart `yaml:"components"`
	raw        object
}

type openAPIPart struct {
	SecuritySchemes map[string]struct {
		Type  string `yaml:"type"`
		Flows map[string]struct {
			Scopes   map[string]string `yaml:"scopes"`
			Bindings map[string]string `yaml:"x-scopes-bindings"`
		} `yaml:"flows"`
	} `yaml:"securitySchemes"`
}

type openAPIOperation struct {
	Security []map[string][]string `yaml:"security"`
	AuthType string                `yaml:"x-auth-type"`
	Tier     string                `yaml:"x-throttling-tier"`
}

// badDefinition is what is wrong with a definition.
func badDefinition(why string) *fault {
	return &fault{status: 400, code: 900754, message: "Error while parsing OpenAPI definition", description: why}
}

// parseDefinition reads a definition in YAML or JSON, and says everything that it lacks.
func parseDefinition(definition []byte) (openAPI, []*fault) {
	var doc openAPI
	if err := errors.Join(yaml.Unmarshal(definition, &doc), yaml.Unmarshal(definition, &doc.raw)); err != nil {
		return doc, []*fault{badDefinition("the definition cannot be read")}
	}
	doc.raw = withTextKeys(doc.raw).(object)
	var missing []*fault
	lacks := func(what string) { missing = append(missing, badDefinition("attribute "+what+" is missing")) }
	versioned := doc.OpenAPI+doc.Swagger != ""
	if !versioned { // it is read as one of version 2
		for _, name := range sortedKeys(doc.raw) {
			if name != "info" && name != "paths" {
				missing = append(missing, badDefinition("attribute "+name+" is unexpected"))
			}
		}
		lacks("swagger")
		missing = append(missing, &fault{status: 400, code: 900761, message: "Invalid OpenAPI V2 definition found",
			description: "Invalid OpenAPI V2 definition found"})
	}
	switch {
	case doc.Info == nil:
		lacks("info")
	case (*doc.Info)["title"] == nil:
		lacks("info.title")
	}
	if doc.Paths.Kind != yaml.MappingNode {
		lacks("paths")
	}
	if !versioned {
		missing = append(missing, badDefinition("attribute swagger or openapi should present"))
	}
	for _, ref := range references(doc.raw) {
		if !resolves(doc.raw, ref) {
			lacks(ref)
		}
	}
	return doc, missing
}

// withTextKeys has texts in place of other keys, such as the statuses of responses.
func withTextKeys(v any) any {
	switch v := v.(type) {
	case object:
		for name := range v {
			v[name] = withTextKeys(v[name])
		}
	case map[any]any:
		out := object{}
		for name := range v {
			out[fmt.Sprint(name)] = withTextKeys(v[name])
		}
		return out
	case []any:
		for i := range v {
			v[i] = withTextKeys(v[i])
		}
	}
	return v
}

// references are the local references of a document.
func references(v any) []string {
	var out []string
	switch v := v.(type) {
	case object:
		for _, name := range sortedKeys(v) {
			if ref, ok := v[name].(string); ok && name == "$ref" && strings.HasPrefix(ref, "#/") {
				out = append(out, ref)
			}
			out = append(out, references(v[name])...)
		}
	case []any:
		for _, item := range v {
			out = append(out, references(item)...)
		}
	}
	return out
}

func resolves(doc object, ref string) bool {
	var at any = doc
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		inner, ok := at.(object)
		if !ok {
			return false
		}
		at = inner[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return at != nil
}

// operations are those of a definition, in its order.
func (doc *openAPI) operations() []apiOperation {
	var out []apiOperation
	for i := 0; i+1 < len(doc.Paths.Content); i += 2 {
		var verbsOf map[string]yaml.Node
		if doc.Paths.Content[i+1].Decode(&verbsOf) != nil {
			continue
		}
		for _, verb := range verbs {
			node, has := verbsOf[strings.ToLower(verb)]
			if !has {
				continue
			}
			var op openAPIOperation
			_ = node.Decode(&op) // what is of another type is as if it were not there
			var scopes []string
			for _, scheme := range op.Security {
				for _, name := range sortedKeys(scheme) {
					scopes = append(scopes, scheme[name]...)
				}
			}
			out = append(out, apiOperation{
				Target: doc.Paths.Content[i].Value, Verb: verb, AuthType: op.AuthType, ThrottlingPolicy: op.Tier,
				Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))),
			})
		}
	}
	return out
}

// scopes are those of the scheme "default", which is API Manager's own, or else of all schemes of OAuth 2.
func (doc *openAPI) scopes() []apiScope {
	var out []apiScope
	for _, name := range sortedKeys(doc.Components.SecuritySchemes) {
		scheme := doc.Components.SecuritySchemes[name]
		if _, own := doc.Components.SecuritySchemes["default"]; scheme.Type != "oauth2" || own && name != "default" {
			continue
		}
		for _, flow := range sortedKeys(scheme.Flows) {
			for _, scope := range sortedKeys(scheme.Flows[flow].Scopes) {
				roles := strings.FieldsFunc(scheme.Flows[flow].Bindings[scope], func(r rune) bool { return r == ',' })
				out = append(out, apiScope{Scope: scopeDTO{Name: scope, Description: ptr(scheme.Flows[flow].Scopes[scope]), Bindings: roles}})
			}
		}
	}
	return out
}

func (doc *openAPI) text(name string) *string {
	if doc.Info == nil || (*doc.Info)[name] == nil {
		return nil
	}
	return ptr(fmt.Sprint((*doc.Info)[name]))
}

// definedOperations are those of a definition, for an archive.
func definedOperations(definition []byte) ([]apiOperation, error) {
	doc, wrong := parseDefinition(definition)
	if len(wrong) > 0 && doc.Paths.Kind == 0 {
		return nil, wrong[0]
	}
	return doc.operations(), nil
}

// validateOpenAPI is 200 whatever the definition is.
func (am *AM) validateOpenAPI(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	definition, err := am.definition(r)
	if err != nil && asFault(err).code != codeUnreachable {
		return err
	}
	var wrong []*fault
	var doc openAPI
	if err != nil {
		wrong = []*fault{asFault(err)}
	} else {
		doc, wrong = parseDefinition(definition)
	}
	if len(wrong) > 0 {
		problems := []object{}
		for _, f := range wrong {
			problems = append(problems, object{"code": fmt.Sprint(f.code), "message": f.message, "description": f.description})
		}
		writeJSON(w, http.StatusOK, object{"isValid": false, "content": nil, "info": nil, "errors": problems})
		return nil
	}
	info := object{
		"name": doc.text("title"), "version": doc.text("version"), "context": strings.ToLower(strings.ReplaceAll(value(doc.text("title")), " ", "")),
		"description": doc.text("description"), "openAPIVersion": cmp.Or(doc.OpenAPI, doc.Swagger), "endpoints": []string{"http://api.yourdomain.com/"},
	}
	if doc.Swagger != "" {
		info["context"], info["endpoints"] = nil, nil
	}
	var content any
	if r.URL.Query().Get("returnContent") == "true" {
		content = string(definition)
	}
	writeJSON(w, http.StatusOK, object{"isValid": true, "content": content, "info": info, "errors": []any{}})
	return nil
}

// decodeProperties reads the form field that has the rest of an API beside its definition.
func decodeProperties(r *http.Request, dto *apiDTO) error {
	text := r.FormValue("additionalProperties")
	if text == "" {
		return &fault{status: 400, code: 903215, message: "'additionalProperties' is required and should not be null",
			description: "The field 'additionalProperties' is required and should not be null"}
	}
	if err := decodeJSON([]byte(text), dto); err != nil {
		return &fault{status: 400, code: 903216, message: "Error while parsing 'additionalProperties'", description: "Error while parsing 'additionalProperties'"}
	}
	return nil
}

// importOpenAPI makes an API of a definition, in one of three form fields, and of the rest of it in a fourth, whose
// operations replace those of the definition.
func (am *AM) importOpenAPI(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	definition, err := am.definition(r)
	if err != nil {
		return err
	}
	dto := newAPIDTO()
	if err := decodeProperties(r, &dto); err != nil {
		return err
	}
	doc, wrong := parseDefinition(definition)
	if len(wrong) > 0 {
		return wrong[0]
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	if dto.Description = doc.text("description"); len(dto.Operations) == 0 {
		dto.Operations = doc.operations()
		dto.Scopes = doc.scopes()
	}
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	if doc.raw["security"] == nil {
		doc.raw["security"] = []any{object{"default": []any{}}}
	}
	a.keepDefinition(doc.raw)
	a.touched(am)
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	writeJSON(w, http.StatusCreated, am.viewOf(a.dto))
	return nil
}

const codeUnreachable = 900756

// definition is what a form has, in one of three ways.
func (am *AM) definition(r *http.Request) ([]byte, error) {
	if inline := r.FormValue("inlineAPIDefinition"); inline != "" {
		return []byte(inline), nil
	}
	if address := r.FormValue("url"); address != "" {
		resp, err := am.backends.Get(address)
		if err != nil {
			return nil, &fault{status: 400, code: codeUnreachable, message: "OpenAPI definition retrieval from URL failed",
				description: "Exception occurred while retrieving the OpenAPI definition from URL"}
		}
		defer resp.Body.Close()
		return io.ReadAll(io.LimitReader(resp.Body, maxBody))
	}
	definition, err := formFile(r)
	if err != nil {
		return nil, badRequest("One out of 'file' or 'url' or 'inline definition' should be specified")
	}
	return definition, nil
}

var errNoFile = errors.New("no file in the form")

func formFile(r *http.Request) ([]byte, error) {
	file, _, err := r.FormFile("file")
	if err != nil {
		return nil, errNoFile
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxBody))
}
