package wso2sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

func invalidQuery(why string) *gatewayFault {
	return &gatewayFault{http.StatusUnprocessableEntity, "900422", "INVALID QUERY", why}
}

// graphQLOperationsOf are the operations that the query of a request asks for. The body stays readable. A field is known
// by the operations that are deployed, and not by the schema.
func graphQLOperationsOf(r *http.Request, dto *apiDTO) ([]apiOperation, *gatewayFault) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	var sent struct {
		Query string `json:"query"`
	}
	if err != nil || json.Unmarshal(body, &sent) != nil || sent.Query == "" {
		return nil, invalidQuery("Invalid query parameter")
	}
	root, fields, ok := parseQueryFields(sent.Query)
	if !ok {
		return nil, invalidQuery(fmt.Sprintf("Invalid Syntax : offending token '<EOF>' at line 1 column %d", len(sent.Query)+1))
	}
	var asked []apiOperation
	for _, field := range fields {
		at := slices.IndexFunc(dto.Operations, func(op apiOperation) bool { return op.Target == field && strings.EqualFold(op.Verb, root) })
		if at < 0 {
			return nil, invalidQuery(fmt.Sprintf("Validation error (FieldUndefined@[%s]) : Field '%s' in type '%s' is undefined", field, field, root))
		}
		asked = append(asked, dto.Operations[at])
	}
	return asked, nil
}

// parseQueryFields reads the root type of a document's first operation, and the fields that it selects there. It follows
// no fragments.
func parseQueryFields(query string) (root string, fields []string, ok bool) {
	var tokens []string
	for _, token := range graphQLToken.FindAllString(query, -1) {
		if token[0] != '#' && token != "," {
			tokens = append(tokens, token)
		}
	}
	root = "Query"
	if len(tokens) > 0 {
		if named := map[string]string{"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}[tokens[0]]; named != "" {
			root = named
		}
	}
	depth, arguments := 0, 0
	for i, token := range tokens {
		switch token {
		case "(":
			arguments++
		case ")":
			arguments--
		case "{":
			if arguments == 0 {
				depth++
			}
		case "}":
			if arguments > 0 {
				continue
			}
			if depth--; depth == 0 {
				return root, fields, len(fields) > 0
			}
		default:
			isAlias := i+1 < len(tokens) && tokens[i+1] == ":"
			if depth == 1 && arguments == 0 && graphQLName.MatchString(token) && !isAlias && tokens[i-1] != "@" {
				fields = append(fields, token)
			}
		}
	}
	return root, nil, false
}
