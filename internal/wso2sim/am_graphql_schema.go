package wso2sim

import (
	"errors"
	"regexp"
	"slices"
)

// graphQLType is a type of a schema with the names of its fields.
type graphQLType struct {
	name   string
	fields []string
}

var (
	errGraphQLSyntax  = errors.New("errors=[InvalidSyntaxError{ message=Invalid Syntax }]")
	errGraphQLNoQuery = errors.New("errors=[A schema MUST have a 'query' operation defined]")

	graphQLToken = regexp.MustCompile(`#[^\n]*|"""(?s:.*?)"""|"[^"\n]*"|[A-Za-z_][A-Za-z0-9_]*|-?[0-9][0-9.]*|[{}()\[\]:!=|&@$,]`)
	graphQLName  = regexp.MustCompile(`^[A-Za-z_]`)
)

// parseGraphQL reads the types of a schema that have fields, in order. It knows as much of the language as it takes to
// find the operations and to see that a schema is none.
func parseGraphQL(schema string) ([]graphQLType, error) {
	var tokens []string
	for _, token := range graphQLToken.FindAllString(schema, -1) {
		if token[0] != '#' && token[0] != '"' && token != "," {
			tokens = append(tokens, token)
		}
	}
	var types []graphQLType
	for len(tokens) > 0 {
		kind := tokens[0]
		if !slices.Contains([]string{"type", "interface", "input", "enum", "union", "scalar", "directive", "schema", "extend"}, kind) {
			return nil, errGraphQLSyntax
		}
		tokens = tokens[1:]
		if kind == "extend" {
			continue
		}
		body := slices.IndexFunc(tokens, func(t string) bool { return t == "{" || isDefinition(t) })
		if body < 0 || tokens[body] != "{" {
			if kind != "union" && kind != "scalar" && kind != "directive" {
				return nil, errGraphQLSyntax
			}
			tokens = tokens[max(body, 0):]
			if body < 0 {
				tokens = nil
			}
			continue
		}
		fields, rest, err := graphQLFields(tokens[body+1:])
		if err != nil {
			return nil, err
		}
		if body > 0 && kind != "enum" && kind != "input" {
			types = append(types, graphQLType{tokens[0], fields})
		}
		tokens = rest
	}
	if !slices.ContainsFunc(types, func(t graphQLType) bool { return t.name == "Query" }) {
		return nil, errGraphQLNoQuery
	}
	return types, nil
}

func isDefinition(token string) bool {
	return slices.Contains([]string{"type", "interface", "input", "enum", "union", "scalar", "directive", "schema", "extend"}, token)
}

// graphQLFields reads the names up to the closing brace: those at its level that stand in front of a colon or of arguments.
func graphQLFields(tokens []string) (fields, rest []string, _ error) {
	depth := 0
	for i, token := range tokens {
		switch token {
		case "(", "[", "{":
			depth++
			continue
		case ")", "]":
			depth--
			continue
		case "}":
			if depth == 0 {
				return fields, tokens[i+1:], nil
			}
			depth--
			continue
		}
		if depth == 0 && graphQLName.MatchString(token) && i+1 < len(tokens) && (tokens[i+1] == ":" || tokens[i+1] == "(") &&
			(i == 0 || tokens[i-1] != "@") {
			fields = append(fields, token)
		}
	}
	return nil, nil, errGraphQLSyntax
}

// graphQLOperations are the fields of a schema's three root types.
func graphQLOperations(types []graphQLType) []apiOperation {
	out := []apiOperation{}
	for _, root := range []string{"Query", "Mutation", "Subscription"} {
		for _, t := range types {
			if t.name != root {
				continue
			}
			for _, field := range t.fields {
				out = append(out, apiOperation{Target: field, Verb: root})
			}
		}
	}
	return out
}
