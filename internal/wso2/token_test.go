package wso2

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// IS 7.3 may write a list, see docs/versions.md.
func TestScopesAreATextOrAList(t *testing.T) {
	for answer, want := range map[string][]string{
		`{"access_token":"t","scope":"a b"}`:           {"a", "b"},
		`{"access_token":"t","scope":["a","b c",1]}`:   {"a", "b", "c"},
		`{"access_token":"t","scope":""}`:              nil,
		`{"access_token":"t"}`:                         nil,
		`{"access_token":"t","scope":{"not":"known"}}`: nil,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(answer))
		}))
		token, err := RequestToken(t.Context(), server.Client(), server.URL, "id", "secret", nil)
		server.Close()
		if err != nil || token.AccessToken != "t" || !slices.Equal(token.Scopes, want) {
			t.Errorf("%s: %v, %v, want %v", answer, token.Scopes, err, want)
		}
	}
}
