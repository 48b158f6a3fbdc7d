package wso2sim

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// tokenRequest is the body of generate-token.
type tokenRequest struct {
	ConsumerSecret       *string  `json:"consumerSecret"`
	ValidityPeriod       *int     `json:"validityPeriod"`
	Scopes               []string `json:"scopes"`
	RevokeToken          *string  `json:"revokeToken"`
	GrantType            *string  `json:"grantType" enum:"CLIENT_CREDENTIALS|TOKEN_EXCHANGE"`
	AdditionalProperties object   `json:"additionalProperties"`
}

// keyTypeRoutes are the deprecated ones that name a key by its type. They know the keys of the Resident Key Manager
// alone, and cannot be told of another (carbon-apimgt, ApplicationsApiServiceImpl).
func (am *AM) keyTypeRoutes(mux *http.ServeMux) {
	app := devportalPath + "/applications/{id}"
	key := app + "/keys/{type}"
	mux.HandleFunc("GET "+app+"/keys", am.unlocked(scopesApplication, am.listKeys))
	mux.HandleFunc("GET "+key, am.unlocked(scopesApplication, am.byType(am.showKey)))
	mux.HandleFunc("PUT "+key, am.unlocked(scopesApplication, am.byType(am.updateKey)))
	mux.HandleFunc("POST "+key+"/regenerate-secret", am.unlocked(scopesApplication, am.byType(am.regenerateSecret)))
	mux.HandleFunc("POST "+key+"/generate-token", am.unlocked(scopesApplication, am.byType(am.generateToken)))
	mux.HandleFunc("POST "+app+"/oauth-keys/{mapping}/generate-token", am.unlocked(scopesApplication, am.withKey(am.generateToken)))
}

// byType finds the Resident Key Manager's key of a type. Without one, reading answers 200 with nothing in it.
func (am *AM) byType(op func(http.ResponseWriter, *http.Request, *keyMapping) error) operation {
	return func(w http.ResponseWriter, r *http.Request) error {
		am.mu.Lock()
		app := am.applications[r.PathValue("id")]
		var found *keyMapping
		if app != nil {
			at := slices.IndexFunc(app.keys, func(m *keyMapping) bool { return m.keyType == r.PathValue("type") && m.keyManager.resident() })
			if at >= 0 {
				found = app.keys[at]
			}
		}
		am.mu.Unlock()
		switch {
		case app == nil:
			return notFound("application", r.PathValue("id"))
		case found != nil:
			return op(w, r, found)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusOK)
			return nil
		}
		return notFound("application consumer key", r.PathValue("type"))
	}
}

// generateToken fetches a token for the client of a key. As every new one, it revokes the one before it.
func (am *AM) generateToken(w http.ResponseWriter, r *http.Request, m *keyMapping) error {
	body := tokenRequest{Scopes: []string{}} // what absent ones are; a null is null
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Scopes == nil || body.ValidityPeriod == nil || body.AdditionalProperties != nil { // NullPointerExceptions in the product
		return errInternal
	}
	if value(body.GrantType) == "TOKEN_EXCHANGE" {
		return &upstreamError{errNoToken, errors.New("the token to exchange is missing")}
	}
	view, err := am.view(r.Context(), m)
	if err != nil {
		return err
	}
	if view == nil {
		return notFound("application consumer key", r.PathValue("mapping"))
	}
	id, _ := view["consumerKey"].(string)
	secret, _ := am.later(m, view)["consumerSecret"].(string)
	if given := value(body.ConsumerSecret); given != "" {
		secret = given
	}
	am.mu.Lock()
	dto := m.keyManager.dto
	c := am.oauth.clients[id]
	refused := m.keyManager.resident() && (c == nil || !c.accepts(secret) || !slices.Contains(c.grants, "client_credentials"))
	am.mu.Unlock()
	if refused {
		return &upstreamError{errNoToken, errors.New("the Resident Key Manager refuses the client")}
	}
	ask := *m
	ask.grants = []string{"client_credentials"}
	token, err := am.firstToken(r.Context(), &ask, &dto, remoteClient{ID: id, Secret: secret}, body.Scopes)
	if err != nil {
		return &upstreamError{errNoToken, err}
	}
	writeJSON(w, http.StatusOK, object{
		"accessToken": token.Access, "tokenScopes": orEmpty(strings.Fields(token.Scope)), "validityTime": token.Expires,
	})
	return nil
}

var errNoToken = &fault{status: 400, code: 900967, message: "General Error", description: "Server Error Occurred"}
