package verify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// allScopesIS imitates what [oauth] authorize_all_scopes does in a build of IS. The scopes of APIs are read and write.
type allScopesIS struct {
	all        bool // authorize_all_scopes is in effect
	narrows    bool // product-is#27644
	authorized bool
	asked      int // requests for an authorization
}

func (s *allScopesIS) RoundTrip(r *http.Request) (*http.Response, error) {
	w, path := httptest.NewRecorder(), r.Method+" "+r.URL.Path
	answer := func(status int, body string) { w.WriteHeader(status); io.WriteString(w, body) }
	switch {
	case strings.HasPrefix(path, "POST /api/identity/"):
		answer(201, `{"client_id":"c","client_secret":"s"}`)
	case strings.HasPrefix(path, "DELETE /api/identity/"):
		answer(204, "")
	case path == "POST /oauth2/token":
		r.ParseForm()
		var granted []string
		for _, scope := range strings.Fields(r.PostForm.Get("scope")) {
			if scope == "read" && (s.all || s.authorized) || scope == "write" && s.all && !(s.narrows && s.authorized) {
				granted = append(granted, scope)
			}
		}
		answer(200, `{"access_token":"t","expires_in":3600,"scope":"`+strings.Join(granted, " ")+`"}`)
	case path == "GET /wso2/scim/Users":
		answer(403, `{}`)
	case path == "GET /api/server/v1/api-resources":
		answer(200, `{"totalResults":1,"apiResources":[{"id":"r","identifier":"User-defined-oauth2-resource"}]}`)
	case path == "GET /api/server/v1/api-resources/r/scopes":
		answer(200, `[{"id":"1","name":"read"},{"id":"2","name":"write"}]`)
	case path == "GET /api/server/v1/applications":
		if strings.HasPrefix(r.URL.Query().Get("filter"), "clientId eq") {
			answer(200, `{"totalResults":1,"applications":[{"id":"a","name":"n","clientId":"c"}]}`)
			return w.Result(), nil
		}
		answer(200, `{"totalResults":0,"applications":[]}`)
	case path == "POST /api/server/v1/applications/a/authorized-apis":
		s.authorized = true
		s.asked++
		answer(200, "")
	default:
		answer(404, "")
	}
	return w.Result(), nil
}

func TestABuildWhoseAuthorizationsTakeOtherScopesIsFoundByAsking(t *testing.T) {
	for name, c := range map[string]struct {
		is       allScopesIS
		scopes   bool // SCOPES is all
		want     bool
		requests int
	}{
		"IS 7.2 before the fix":                    {allScopesIS{all: true, narrows: true}, true, true, 1},
		"IS 7.2 with the fix":                      {allScopesIS{all: true}, true, false, 1},
		"IS has not read authorize_all_scopes yet": {allScopesIS{narrows: true}, true, false, 0},
		"SCOPES is authorize":                      {allScopesIS{all: true, narrows: true}, false, false, 0},
	} {
		is := c.is
		hc := &http.Client{Transport: &is}
		cred := wso2.Credentials{User: "admin", Password: "admin"}
		got, err := verify.Expose(t.Context(), verify.IdentityServer{HTTP: hc, OAuth: wso2.NewIdentity(hc, "https://is.example", cred),
			Authorization: wso2.NewAuthorization(hc, "https://is.example", cred), All: c.scopes}, "test")
		if err != nil || got.Narrowed != c.want || got.Any() || is.asked != c.requests {
			t.Errorf("%s: %+v, %v, with %d authorizations; want narrowed %t with %d", name, got, err, is.asked, c.want, c.requests)
		}
	}
}
