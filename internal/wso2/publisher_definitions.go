package wso2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// errNoState: an answer about the lifecycle names no state.
var errNoState = errors.New("it has no state")

// Validation is what API-M finds in a definition or a schema.
type Validation struct {
	Valid      bool
	Mistakes   []string         // in API-M's own words, if it is not valid
	Operations []map[string]any // of a GraphQL schema, to be sent with an import
}

// errNoVerdict: an answer to a validation does not say whether the definition is valid.
var errNoVerdict = errors.New("it does not say whether the definition is valid")

// ImportOpenAPI makes an API from an OpenAPI definition. Its operations come from the definition, unless the object has operations.
// Description and scopes come from the definition in any case.
func (p *Publisher) ImportOpenAPI(ctx context.Context, fields map[string]any, definition []byte, secrets ...Secret) (Object, error) {
	return p.imported(ctx, "/apis/import-openapi", fields, secrets, part{name: "inlineAPIDefinition", contents: definition})
}

// imported makes an API from an object and a definition.
func (p *Publisher) imported(ctx context.Context, path string, fields map[string]any, secrets []Secret, more ...part) (Object, error) {
	r := request{
		op: "import API " + named(fields, "name") + " " + named(fields, "version"), method: http.MethodPost, path: path, secrets: secrets,
	}
	properties, err := json.Marshal(fields)
	if err != nil {
		return Object{}, p.failed(r, &Error{Err: err, local: true})
	}
	r.parts = append([]part{{name: "additionalProperties", contents: properties}}, more...)
	return p.object(ctx, r, byID)
}

// mostDefinition is the most that is read of a definition, in bytes: API-M indents what it stores, and adds to it.
const mostDefinition = 4 * MaxUpload

// OpenAPI reads the OpenAPI definition of an API in JSON, with what API-M adds to it. A WebSocket API has none, which is HTTP 500.
func (p *Publisher) OpenAPI(ctx context.Context, id string) ([]byte, error) {
	r := request{op: "read the OpenAPI definition of API " + id, method: http.MethodGet, path: api(id) + "/swagger", limit: mostDefinition}
	a, err := p.send(ctx, r, func(body []byte) error { return decode(body, new(openAPIVersion)) })
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// openAPIVersion is what every OpenAPI definition has: its version, of 3 or of 2.
type openAPIVersion struct {
	OpenAPI string `json:"openapi"`
	Swagger string `json:"swagger"`
}

func (d *openAPIVersion) check() error {
	if d.OpenAPI == "" && d.Swagger == "" {
		return errors.New("it has no version of OpenAPI")
	}
	return nil
}

// UpdateOpenAPI replaces the OpenAPI definition of an API, and so its operations. Title, version and description of the API stay.
func (p *Publisher) UpdateOpenAPI(ctx context.Context, id string, definition []byte) error {
	return p.call(ctx, request{
		op: "update the OpenAPI definition of API " + id, method: http.MethodPut, path: api(id) + "/swagger",
		parts: []part{{name: "apiDefinition", contents: definition}}, limit: mostDefinition, // it answers the definition
	}, nil)
}

// ValidateGraphQL asks API-M whether it reads a GraphQL schema, and which operations it has. A schema with mistakes is no error here.
// API-M imports a broken schema and then cannot serve it, so validate it before an import and before an update.
func (p *Publisher) ValidateGraphQL(ctx context.Context, schema []byte) (Validation, error) {
	var answer verdict
	r := request{
		op: "validate a GraphQL schema", method: http.MethodPost, path: "/apis/validate-graphql-schema", parts: []part{schemaFile(schema)},
		limit: mostDefinition, // it answers the schema
	}
	err := p.call(ctx, r, &answer)
	if err != nil {
		return Validation{}, err
	}
	v := Validation{Valid: *answer.Valid, Operations: answer.Info.Operations}
	if message := strings.TrimSpace(answer.Message); message != "" {
		v.Mistakes = []string{trim(message, 300)}
	}
	return v, nil
}

// verdict is an answer to a validation.
type verdict struct {
	Valid   *bool  `json:"isValid"`
	Message string `json:"errorMessage"`
	Info    struct {
		Operations []map[string]any `json:"operations"`
	} `json:"graphQLInfo"`
}

func (v *verdict) check() error {
	if v.Valid == nil {
		return errNoVerdict
	}
	return nil
}

// ErrNoOperations: API-M would take a GraphQL schema without operations, and make an API that serves nothing.
var ErrNoOperations = errors.New("the object has no operations")

// ImportGraphQL makes an API of type GRAPHQL from a schema. The object must have operations, such as those of a [Validation].
// An API that exists is HTTP 500, and no conflict.
func (p *Publisher) ImportGraphQL(ctx context.Context, fields map[string]any, schema []byte, secrets ...Secret) (Object, error) {
	if fields["operations"] == nil {
		r := request{op: "import API " + named(fields, "name"), method: http.MethodPost, path: "/apis/import-graphql-schema"}
		return Object{}, p.failed(r, &Error{Err: fmt.Errorf("%w: a GraphQL API needs them", ErrNoOperations), local: true})
	}
	return p.imported(ctx, "/apis/import-graphql-schema", fields, secrets, text("type", "GraphQL"), schemaFile(schema))
}

// GraphQLSchema reads the schema of an API as it was sent.
func (p *Publisher) GraphQLSchema(ctx context.Context, id string) (string, error) {
	var answer schemaOf
	err := p.call(ctx, request{op: "read the GraphQL schema of API " + id, method: http.MethodGet, path: api(id) + "/graphql-schema", limit: mostDefinition}, &answer)
	return answer.Schema, err
}

// schemaOf is an answer with a GraphQL schema, and its name.
type schemaOf struct {
	Name   string `json:"name"`
	Schema string `json:"schemaDefinition"`
}

func (s *schemaOf) check() error {
	if s.Name == "" && s.Schema == "" {
		return errEmpty
	}
	return nil
}

// UpdateGraphQLSchema replaces the schema of an API, and so its operations. A broken schema is HTTP 500.
func (p *Publisher) UpdateGraphQLSchema(ctx context.Context, id, schema string) error {
	return p.call(ctx, request{
		op: "update the GraphQL schema of API " + id, method: http.MethodPut, path: api(id) + "/graphql-schema",
		parts: []part{text("schemaDefinition", schema)},
	}, nil)
}

func schemaFile(schema []byte) part {
	return part{name: "file", file: "schema.graphql", contents: schema}
}
