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

// answers imitates an IS in memory: each path has one answer.
type answers map[string]struct {
	status int
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	for path, answer := range a {
		if strings.Contains(r.Method+" "+r.URL.Path, path) {
			w.WriteHeader(answer.status)
			io.WriteString(w, answer.body)
		}
	}
	return w.Result(), nil
}

func TestWhatTheAnswersOfISMean(t *testing.T) {
	const token, granted = `{"access_token":"t","expires_in":3600}`, `{"access_token":"t","expires_in":3600,"scope":"internal_user_mgt_list"}`
	tests := []struct {
		name      string
		token     string
		status    int // of the token endpoint
		scim11    int
		want      verify.Exposure
		known     bool
		permanent bool
		register  int
	}{
		{"the token is refused", token, 200, 401, verify.Exposure{}, true, false, 201},
		{"the token may not", token, 200, 403, verify.Exposure{}, true, false, 201},
		{"a build without SCIM 1.1", token, 200, 404, verify.Exposure{}, true, false, 201},
		{"SCIM 1.1 answers", token, 200, 200, verify.Exposure{SCIM11: true}, true, false, 201},
		{"SCIM 1.1 answers, and this owner may not", token, 200, 500, verify.Exposure{SCIM11: true}, true, false, 201},
		{"the scope is granted", granted, 200, 403, verify.Exposure{Scopes: true}, true, false, 201},
		{"both", granted, 200, 200, verify.Exposure{Scopes: true, SCIM11: true}, true, false, 201},
		{"a login page, as while stopping", token, 200, 302, verify.Exposure{}, false, false, 201},
		{"too many requests", token, 200, 429, verify.Exposure{}, false, false, 201},
		{"a proxy without a server", token, 200, 503, verify.Exposure{}, false, false, 201},
		{"a request that IS finds wrong", token, 200, 400, verify.Exposure{}, false, false, 201},
		{"a client that IS does not know yet", `{"error":"invalid_client"}`, 401, 403, verify.Exposure{}, false, false, 201},
		{"an administrator that IS refuses", token, 200, 403, verify.Exposure{}, false, true, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hc := &http.Client{Transport: answers{
				"GET /api/server/v1/applications": {200, `{"totalResults":0,"applications":[]}`},
				"POST /api/identity/":             {tt.register, `{"client_id":"c","client_secret":"s"}`},
				"POST /oauth2/token":              {tt.status, tt.token},
				"GET /wso2/scim/Users":            {tt.scim11, `{}`},
				"DELETE /api/identity/":           {204, ""},
			}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			cred := wso2.Credentials{User: "admin", Password: "admin"}
			got, err := verify.Expose(t.Context(), verify.IdentityServer{HTTP: hc, OAuth: wso2.NewIdentity(hc, "https://is.example", cred),
				Authorization: wso2.NewAuthorization(hc, "https://is.example", cred)}, "test")
			if got != tt.want || (err == nil) != tt.known || wso2.IsPermanent(err) != tt.permanent {
				t.Errorf("%+v, %v (permanent %v); want %+v", got, err, wso2.IsPermanent(err), tt.want)
			}
		})
	}
}
