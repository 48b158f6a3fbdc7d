package speccheck

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

func TestWhatViolatesASpecificationIsFound(t *testing.T) {
	apis, err := load(testenv.Shared(t, "openapi"))
	if err != nil {
		t.Fatal(err)
	}
	const (
		apiList     = "/api/am/publisher/v4/apis"
		keyManagers = "/api/am/admin/v4/key-managers"
		goodError   = `{"code":500,"message":"m","description":"d","moreInfo":"","error":[]}`
	)
	for _, tc := range []struct {
		name, method, path, body string
		marked                   bool
		status                   int
		answer                   string
		find                     string // empty: nothing
	}{
		{"a right request with a right answer", "GET", apiList + "?limit=1", "", false, 200, `{"count":0,"list":[]}`, ""},
		{"an optional field that is null", "GET", apiList, "", false, 200, `{"count":0,"list":[],"pagination":null}`, ""},
		{"an answer of the wrong type", "GET", apiList, "", false, 200, `{"count":"0","list":[]}`, "/count"},
		{"a status that the operation does not have", "GET", apiList, "", false, 202, `{}`, "status"},
		{"an error that every operation has", "GET", apiList, "", false, 401, strings.Replace(goodError, "500", "401", 1), ""},
		{"an error without its code", "GET", apiList, "", false, 401, `{"message":"m"}`, "code"},
		{"a body that lacks what is required", "POST", apiList, `{"name":"x","version":"1"}`, false, 500, goodError, "context"},
		{"the same, marked as wrong", "POST", apiList, `{"name":"x","version":"1"}`, true, 500, goodError, ""},
		{"a type that there is none of", "POST", keyManagers, `{"name":"x","type":"t","tokenType":"JWT"}`, false, 500, goodError, "/tokenType"},
		{"an operation that there is none of", "PATCH", apiList, "", false, 500, "", "no such operation"},
		{"a path that no specification covers", "GET", "/oauth2/jwks", "", false, 200, "anything", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &checker{apis: apis}
			h := c.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != tc.body {
					t.Errorf("the handler reads %q: %v", body, err)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.answer)
			}))
			r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
			r.Header.Set("Content-Type", "application/json")
			if tc.marked {
				r.Header.Set(WrongHeader, "yes")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || w.Body.String() != tc.answer {
				t.Errorf("the client reads %d %s", w.Code, w.Body)
			}
			problems := strings.Join(c.take(), "\n")
			if (tc.find == "") != (problems == "") || !strings.Contains(problems, tc.find) {
				t.Errorf("found %q, want it to name %q", problems, tc.find)
			}
		})
	}
}
