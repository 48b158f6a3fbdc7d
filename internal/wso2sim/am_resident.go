package wso2sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

const residentName = "Resident Key Manager"

// residentRules are those of the OAuth server inside API Manager: it grants every scope that is asked for.
func (am *AM) residentRules() oauthRules {
	return oauthRules{
		scopes: func(_ *oauthClient, _ string, asked []string) []string {
			if len(asked) == 0 {
				return []string{"default"}
			}
			return slices.Sorted(slices.Values(asked))
		},
		user: func(name, password string) (string, bool) {
			return am.admin, name == am.admin && password == am.password
		},
		userID:  func(string) string { return am.oauth.userID },
		subject: func(*accessToken) string { return am.oauth.userID },
		keepOld: func(string) bool { return am.behaviour.TokensNotStored },
		changed: am.changed,
		revoked: func(t accessToken, _ oauthClient, _ reason) {
			if am.hearsItself() {
				am.refuse(t.jti)
			}
		},
	}
}

func (am *AM) residentRoutes(mux *http.ServeMux) {
	form := func(answer func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
				return
			}
			am.mu.Lock()
			defer am.mu.Unlock()
			answer(w, r)
		}
	}
	mux.HandleFunc("POST /oauth2/token", form(func(w http.ResponseWriter, r *http.Request) {
		answer, fault := am.oauth.token(r)
		if fault != nil {
			fault.write(w)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, answer)
	}))
	mux.HandleFunc("POST /oauth2/revoke", form(am.oauth.revoke))
	mux.HandleFunc("POST /oauth2/introspect", form(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != am.admin || password != am.password {
			unauthorized(w, "Bearer realm=localhost", authorizationFailure)
			return
		}
		t := am.oauth.tokens[r.PostForm.Get("token")]
		if t == nil || !t.live(time.Now()) {
			writeJSON(w, http.StatusOK, object{"active": false})
			return
		}
		writeJSON(w, http.StatusOK, object{
			"active": true, "client_id": t.client, "scope": strings.Join(t.scopes, " "), "token_type": "Bearer",
			"exp": t.expires.Unix(), "iat": t.issued.Unix(), "nbf": t.issued.Unix(), "username": am.admin + "@carbon.super", "aut": t.kind(),
		})
	}))
	mux.HandleFunc("GET /oauth2/jwks", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, am.signer.jwks()) })
	mux.HandleFunc("GET /oauth2/token/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		at := am.url(am.port)
		writeJSON(w, http.StatusOK, object{
			"issuer": am.oauth.issuer, "token_endpoint": am.oauth.issuer, "jwks_uri": at + "/oauth2/jwks",
			"revocation_endpoint": at + "/oauth2/revoke", "introspection_endpoint": at + "/oauth2/introspect",
			"grant_types_supported": supportedGrants,
		})
	})
}

// restClient is the body of POST /client-registration/v0.17/register.
type restClient struct {
	CallbackURL string `json:"callbackUrl"`
	ClientName  string `json:"clientName"`
	Owner       string `json:"owner"`
	GrantType   string `json:"grantType"`
	SaasApp     bool   `json:"saasApp"`
	TokenScope  string `json:"tokenScope"`
	TokenType   string `json:"tokenType"`
}

// registrationRoutes make clients for the REST APIs. Asking twice for a name gives the same client, whatever grants
// are asked for.
func (am *AM) registrationRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /client-registration/v0.17/register", am.locked(nil, func(w http.ResponseWriter, r *http.Request) error {
		var body restClient
		if err := readJSON(r, &body); err != nil {
			return err
		}
		if body.Owner != am.admin {
			why := "User: " + body.Owner + " does not exist for application registration"
			return &fault{status: 403, code: 403, message: why, description: why}
		}
		shown := object{"grant_types": body.GrantType}
		c := am.oauth.byName(body.ClientName)
		if c == nil {
			made, err := am.oauth.add(oauthClient{
				name: body.ClientName, grants: strings.Fields(body.GrantType), redirects: []string{body.CallbackURL},
			})
			if err != nil {
				return err
			}
			c = made
			shown["redirect_uris"], shown["client_name"] = body.CallbackURL, body.ClientName
		}
		attributes, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, object{
			"clientId": c.id, "clientName": c.name, "callBackURL": strings.Join(c.redirects, ","), "clientSecret": c.secret,
			"isSaasApplication": true, "appOwner": am.admin, "jsonString": string(attributes), "jsonAppAttribute": "{}",
			"applicationUUID": nil, "tokenType": "DEFAULT",
		})
		return nil
	}))
}
