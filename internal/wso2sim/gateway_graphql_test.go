package wso2sim

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatAGraphQLQueryAsksFor(t *testing.T) {
	dto := &apiDTO{Operations: []apiOperation{{Target: "hello", Verb: "QUERY"}, {Target: "secret", Verb: "QUERY"}, {Target: "add", Verb: "MUTATION"}}}
	for query, want := range map[string]string{
		`{ hello }`: "hello",
		`{ greeting: hello(name: \"}\") { a b }, secret }`:                     "hello secret",
		`query Q($n: [String!] = {a: 1}) { hello(name: $n) @skip(if: false) }`: "hello",
		`mutation { add(n: 1) }`:                                               "add",
		`{ add }`:                                                              "900422 Validation error (FieldUndefined@[add]) : Field 'add' in type 'Query' is undefined",
		`{ hello`:                                                              "900422 Invalid Syntax : offending token '<EOF>' at line 1 column 8",
		``:                                                                     "900422 Invalid query parameter",
	} {
		ops, fault := graphQLOperationsOf(httptest.NewRequest("POST", "/", strings.NewReader(`{"query": "`+query+`"}`)), dto)
		var got []string
		for _, op := range ops {
			got = append(got, op.Target)
		}
		if fault != nil {
			got = []string{fault.code, fault.description}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", query, strings.Join(got, " "), want)
		}
	}
}
