package wso2sim

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

const registerPath = "/api/identity/oauth2/dcr/v1.1/register"

// clientName is what IS accepts as the name of a client.
var clientName = regexp.MustCompile(`^[a-zA-Z0-9._-]+(?: [a-zA-Z0-9._-]+)*$`)

// registration is what dynamic client registration reads; unknown fields are ignored.
type registration struct {
	ClientName   *string  `json:"client_name"`
	DisplayName  string   `json:"ext_application_display_name"`
	GrantTypes   []string `json:"grant_types"`
	RedirectURIs []string `json:"redirect_uris"`
	TokenType    string   `json:"token_type_extension"`
	Audience     string   `json:"ext_allowed_audience"`
	ClientID     string   `json:"ext_param_client_id"`
	ClientSecret string   `json:"ext_param_client_secret"`

	ApplicationLifetime *int  `json:"ext_application_token_lifetime"`
	UserLifetime        *int  `json:"ext_user_token_lifetime"`
	RefreshLifetime     *int  `json:"ext_refresh_token_lifetime"`
	IDLifetime          *int  `json:"ext_id_token_lifetime"`
	PKCE                *bool `json:"ext_pkce_mandatory"`
	PlainPKCE           *bool `json:"ext_pkce_support_plain"`
	Public              *bool `json:"ext_public_client"`
}

// settings are those that the request has, as texts; a lifetime of 0 is none.
func (reg *registration) settings() map[string]string {
	texts := map[string]string{}
	for name, seconds := range map[string]*int{
		extSettings.application: reg.ApplicationLifetime, extSettings.user: reg.UserLifetime, extSettings.refresh: reg.RefreshLifetime, extSettings.id: reg.IDLifetime,
	} {
		if seconds != nil && *seconds > 0 {
			texts[name] = strconv.Itoa(*seconds)
		}
	}
	for name, flag := range map[string]*bool{extSettings.pkce: reg.PKCE, extSettings.plainPKCE: reg.PlainPKCE, extSettings.public: reg.Public} {
		if flag != nil {
			texts[name] = strconv.FormatBool(*flag)
		}
	}
	return texts
}

func (is *IS) registrationRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+registerPath, is.register)
	mux.HandleFunc("GET "+registerPath, is.findClient)
	mux.HandleFunc("GET "+registerPath+"/{id}", is.getClient)
	mux.HandleFunc("PUT "+registerPath+"/{id}", is.updateClient)
	mux.HandleFunc("DELETE "+registerPath+"/{id}", is.deleteClient)
}

// invalidMetadata is an error of RFC 7591, section 3.2.2, with the products' trace id.
func invalidMetadata(w http.ResponseWriter, why string) {
	writeJSON(w, http.StatusBadRequest, object{"error": "invalid_client_metadata", "error_description": why, "traceId": newUUID()})
}

// readRegistration answers for itself where the body cannot be used, and returns false.
func readRegistration(w http.ResponseWriter, r *http.Request) (reg registration, ok bool) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, &reg)
	}
	if err != nil {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return reg, false
	}
	for _, grant := range reg.GrantTypes {
		if !registrable(grant) {
			invalidMetadata(w, "'"+grant+"' grant type is not allowed.")
			return reg, false
		}
	}
	for _, uri := range reg.RedirectURIs {
		if uri != "" && !isRedirect(uri) || strings.HasPrefix(uri, "regexp=") {
			writeJSON(w, http.StatusBadRequest, object{"error": "invalid_redirect_uri", "error_description": "Invalid redirect_uri: " + uri, "traceId": newUUID()})
			return reg, false
		}
	}
	return reg, true
}

func (is *IS) register(w http.ResponseWriter, r *http.Request) {
	reg, ok := readRegistration(w, r)
	if !ok {
		return
	}
	if reg.ClientName == nil { // a NullPointerException in the product
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if !clientName.MatchString(*reg.ClientName) {
		invalidMetadata(w, "The Application name: "+*reg.ClientName+" is not valid! It is not adhering to the regex: "+clientName.String())
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	c, err := is.oauth.add(oauthClient{
		id: reg.ClientID, secret: reg.ClientSecret, name: *reg.ClientName, displayName: reg.DisplayName,
		grants: reg.GrantTypes, redirects: joinedRedirects(reg.RedirectURIs), tokenType: reg.TokenType, audience: reg.Audience,
		settings: extSettings.apply(defaultClientSettings(), reg.settings()),
	})
	if err != nil {
		invalidMetadata(w, "Application with the name "+*reg.ClientName+" already exist in the system")
		return
	}
	owner := is.admin
	if who := callerOf(r); who != nil && who.user != nil {
		owner = who.user.name
	}
	is.addApplication(c.id, owner)
	writeJSON(w, http.StatusCreated, is.dcrView(c))
}

var errNameTaken = errors.New("a client of that name exists")

// add registers a client, with an id and a secret of its own where none are given.
func (o *oauthServer) add(c oauthClient) (*oauthClient, error) {
	if o.byName(c.name) != nil || o.clients[c.id] != nil {
		return nil, errNameTaken
	}
	if c.id == "" {
		c.id = newClientID()
	}
	if c.secret == "" {
		c.secret = newSecret()
	}
	if c.tokenType == "" {
		c.tokenType = "Default"
	}
	if c.audience == "" {
		c.audience = "application"
	}
	if c.settings == (clientSettings{}) {
		c.settings = defaultClientSettings()
	}
	o.put(&c)
	return &c, nil
}

// clientGone is how IS says that there is no such client: 401, no body, no WWW-Authenticate.
func clientGone(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }

func (is *IS) findClient(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	name := r.URL.Query().Get("client_name")
	if name == "" {
		invalidMetadata(w, "Insufficient data in the request")
		return
	}
	is.showClient(w, is.oauth.byName(name))
}

func (is *IS) getClient(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.showClient(w, is.oauth.clients[r.PathValue("id")])
}

func (is *IS) showClient(w http.ResponseWriter, c *oauthClient) {
	if c == nil {
		clientGone(w)
		return
	}
	if !c.stored {
		c.stored = true
		is.changed("client", c.id)
	}
	writeJSON(w, http.StatusOK, is.dcrView(c))
}

func (is *IS) updateClient(w http.ResponseWriter, r *http.Request) {
	reg, ok := readRegistration(w, r)
	if !ok {
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	c := is.oauth.clients[r.PathValue("id")]
	if c == nil {
		clientGone(w)
		return
	}
	if reg.ClientName != nil {
		delete(is.oauth.names, c.name)
		c.name = *reg.ClientName
	}
	c.displayName = reg.DisplayName // which goes where the request has none
	if reg.GrantTypes != nil {
		c.grants = reg.GrantTypes
	}
	if reg.RedirectURIs != nil {
		c.redirects = joinedRedirects(reg.RedirectURIs)
	}
	if reg.TokenType != "" {
		c.tokenType = reg.TokenType
	}
	c.settings = extSettings.apply(c.settings, reg.settings())
	is.oauth.put(c)
	is.showClient(w, c)
}

func (is *IS) deleteClient(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	app := is.apps.byClient[r.PathValue("id")]
	if app == nil {
		clientGone(w)
		return
	}
	is.removeApplication(app)
	w.WriteHeader(http.StatusNoContent)
}

// dcrView is a client as registration shows it, secret included. What was never set reads null when the client is
// made, and for two of the fields "null" when it is read back.
func (is *IS) dcrView(c *oauthClient) object {
	redirects := c.redirects
	if len(redirects) == 0 {
		redirects = []string{""}
	}
	view := object{
		"client_id": c.id, "client_secret": c.secret, "client_secret_expires_at": 0, "redirect_uris": redirects,
		"grant_types": orEmpty(c.grants), "client_name": c.name, "ext_application_display_name": orNull(c.displayName),
		"ext_application_version": "v2.0.0", "ext_application_owner": is.ownerOf(c.id) + "@carbon.super",
		"token_type_extension": c.tokenType, "ext_token_type": c.tokenType, "require_pushed_authorization_requests": false,
		"require_signed_request_object": false, "tls_client_certificate_bound_access_tokens": false, "subject_type": "public",
		"ext_allowed_audience": c.audience,
	}
	maps.Copy(view, extSettings.show(c.settings))
	for _, never := range []string{
		"jwks_uri", "token_endpoint_auth_method", "token_endpoint_allow_reuse_pvt_key_jwt", "token_endpoint_auth_signing_alg",
		"sector_identifier_uri", "id_token_signed_response_alg", "id_token_encrypted_response_alg",
		"id_token_encrypted_response_enc", "request_object_signing_alg", "tls_client_auth_subject_dn",
		"request_object_encryption_alg", "request_object_encryption_enc", "software_statement",
	} {
		view[never] = nil
	}
	if c.stored {
		view["id_token_encrypted_response_alg"], view["id_token_encrypted_response_enc"] = "null", "null"
	}
	return view
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
