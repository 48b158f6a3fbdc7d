package wso2sim

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// openAPI is the part of a definition that makes the operations of an API, and what a definition must have.
type openAPI struct {
	OpenAPI string                    `yaml:"openapi"`
	Swagger string                    `yaml:"swagger"`
	Info    map[string]any            `yaml:"info"`
	Paths   map[string]map[string]any `yaml:"paths"`
}

var errNoDefinition = &fault{status: 400, code: 900754, message: "Error while parsing OpenAPI definition",
	description: "Error while parsing OpenAPI definition"}

// checkDefinition asks for what every definition has.
func checkDefinition(definition []byte) error {
	var doc openAPI
	if yaml.Unmarshal(definition, &doc) != nil || doc.OpenAPI+doc.Swagger == "" || doc.Info == nil || doc.Paths == nil {
		return errNoDefinition
	}
	return nil
}

// operations are those of a definition, in YAML or JSON.
func definedOperations(definition []byte) ([]apiOperation, error) {
	var doc openAPI
	if err := yaml.Unmarshal(definition, &doc); err != nil {
		return nil, errNoDefinition
	}
	var out []apiOperation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, verb := range verbs {
			if _, has := doc.Paths[path][strings.ToLower(verb)]; has {
				out = append(out, apiOperation{Target: path, Verb: verb})
			}
		}
	}
	return out, nil
}

// showDefinition gives the operations back as an OpenAPI document.
func showDefinition(w http.ResponseWriter, _ *http.Request, a *api) error {
	writeJSON(w, http.StatusOK, definitionOf(a))
	return nil
}

func definitionOf(a *api) object {
	paths := map[string]object{}
	for _, op := range a.dto.Operations {
		if paths[op.Target] == nil {
			paths[op.Target] = object{}
		}
		paths[op.Target][strings.ToLower(op.Verb)] = object{
			"responses": object{"200": object{"description": "OK"}}, "security": []object{{"default": op.Scopes}},
		}
	}
	return object{
		"openapi": "3.0.1", "info": object{"title": a.name(), "version": a.version()}, "paths": paths,
		"servers": []object{{"url": "/"}},
	}
}

// importOpenAPI makes an API of a definition, in one of three form fields, and of the rest of it in a fourth.
func (am *AM) importOpenAPI(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	definition, err := am.definition(r)
	if err != nil {
		return err
	}
	if err := checkDefinition(definition); err != nil {
		return err
	}
	operations, err := definedOperations(definition)
	if err != nil {
		return err
	}
	dto := newAPIDTO()
	if err := decodeJSON([]byte(r.FormValue("additionalProperties")), &dto); err != nil {
		return err
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	dto.Operations = operations
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	writeJSON(w, http.StatusCreated, a.dto)
	return nil
}

func (am *AM) definition(r *http.Request) ([]byte, error) {
	if inline := r.FormValue("inlineAPIDefinition"); inline != "" {
		return []byte(inline), nil
	}
	if address := r.FormValue("url"); address != "" {
		resp, err := am.backends.Get(address)
		if err != nil {
			return nil, badRequest("The API definition cannot be read from its address")
		}
		defer resp.Body.Close()
		return io.ReadAll(io.LimitReader(resp.Body, maxBody))
	}
	return formFile(r)
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
