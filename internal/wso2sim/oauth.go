package wso2sim

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const tokenLifetime = time.Hour

// oauthServer is the OAuth 2.0 server that both products carry: IS as such, API Manager as its Resident Key Manager.
// Its caller holds the lock of the server that it belongs to.
type oauthServer struct {
	ahead   func() time.Duration // of the clock that tokens show; may be nil
	issuer  string
	signer  *signer
	userID  string                             // of the administrator
	clients map[string]*oauthClient            // by client id
	tokens  map[string]*accessToken            // by what the client holds
	names   map[string]*oauthClient            // by name
	owned   map[string]map[string]*accessToken // by client id, and by what the client holds
	refresh map[string]*accessToken
	latest  map[string]*accessToken // by what makes two requests ask for the same token
	rules   oauthRules
}

// oauthRules are what the products do differently.
type oauthRules struct {
	scopes    func(c *oauthClient, user string, asked []string) []string // those that are granted; user is "" for none
	user      func(name, password string) (known string, ok bool)        // who logs in, by the name that he is known by
	userID    func(name string) string
	subject   func(*accessToken) string
	claims    object                                           // in every access token
	scopeList bool                                             // the claim scope is an array
	keepOld   func(grant string) bool                          // whether a new JWT leaves the one before it alone
	revoked   func(t accessToken, c oauthClient, ended reason) // must not block: the lock is held
	more      moreGrants                                       // nil: none
	changed   func(kind, id string)                            // see server.changed
}

// moreGrants are grants that only one of the products has here. want is the token as far as the client decides it.
type moreGrants func(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault)

// reason is why a token is no longer good.
type reason int

const (
	byRequest reason = iota // of the client, at /oauth2/revoke
	byReissue               // of a newer one for the same client, user and scopes, or a refresh
)

type oauthClient struct {
	id, secret, name, displayName string
	grants, redirects             []string
	tokenType                     string // "JWT", or "Default" for opaque tokens
	audience                      string
	settings                      clientSettings
	stored                        bool           // whether it was read back: see dcrView
	more                          []clientSecret // further secrets, where the product has them
}

type accessToken struct {
	value, jti, client, user string // user is "" where the application acts for itself
	grant                    string
	scopes                   []string
	issued, expires          time.Time
	revoked                  bool
	refresh                  string
	jwt                      bool
}

func (t *accessToken) live(now time.Time) bool { return !t.revoked && now.Before(t.expires) }

// same is what two requests for the same token have in common.
func (t *accessToken) same() string {
	return strings.Join([]string{t.client, t.kind(), t.user, strings.Join(t.scopes, " ")}, "\n")
}

// kind is the claim "aut".
func (t *accessToken) kind() string {
	if t.user == "" {
		return "APPLICATION"
	}
	return "APPLICATION_USER"
}

func newOAuthServer(issuer string, s *signer, rules oauthRules) *oauthServer {
	return &oauthServer{
		issuer: issuer, signer: s, userID: newUUID(), rules: rules,
		clients: map[string]*oauthClient{}, tokens: map[string]*accessToken{}, refresh: map[string]*accessToken{},
		latest: map[string]*accessToken{}, names: map[string]*oauthClient{}, owned: map[string]map[string]*accessToken{},
	}
}

// oauthFault is an error of RFC 6749, section 5.2.
type oauthFault struct {
	status       int
	code, detail string
}

func (f *oauthFault) Error() string { return f.code + ": " + f.detail }

func (f *oauthFault) write(w http.ResponseWriter) {
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Basic realm=localhost")
	}
	writeJSON(w, f.status, object{"error": f.code, "error_description": f.detail})
}

var (
	faultNoClient  = &oauthFault{401, "invalid_client", "Client ID not found in the request."}
	faultBadClient = &oauthFault{401, "invalid_client", "Client credentials are invalid."}
)

// supportedGrants are those that discovery announces.
var supportedGrants = []string{
	"refresh_token", "urn:ietf:params:oauth:grant-type:saml2-bearer", "password", "client_credentials", "iwa:ntlm",
	"urn:ietf:params:oauth:grant-type:device_code", "authorization_code", "account_switch",
	"urn:ietf:params:oauth:grant-type:token-exchange", "organization_switch", "urn:ietf:params:oauth:grant-type:jwt-bearer",
}

// clientOf authenticates the client of a form, by Basic or by its parameters.
func (o *oauthServer) clientOf(r *http.Request) (*oauthClient, *oauthFault) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return nil, faultNoClient
	}
	c := o.clients[id]
	if c == nil || !c.accepts(secret) {
		return nil, faultBadClient
	}
	return c, nil
}

// token answers POST /oauth2/token, whose form has been parsed.
func (o *oauthServer) token(r *http.Request) (object, *oauthFault) {
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, &oauthFault{400, "invalid_request", "Invalid request with repeated parameters."}
		}
	}
	c, fault := o.clientOf(r)
	if fault != nil {
		return nil, fault
	}
	grant := r.PostForm.Get("grant_type")
	switch {
	case grant == "":
		return nil, &oauthFault{400, "invalid_request", "Missing grant_type parameter value"}
	case !slices.Contains(supportedGrants, grant):
		return nil, &oauthFault{400, "invalid_request", "Unsupported grant_type value"}
	case !slices.Contains(c.grants, grant):
		return nil, &oauthFault{400, "unauthorized_client", "The authenticated client is not authorized to use this authorization grant type"}
	}
	t, fault := o.grant(c, grant, r.PostForm)
	if fault != nil {
		return nil, fault
	}
	return o.answer(c, t)
}

func (o *oauthServer) grant(c *oauthClient, grant string, form url.Values) (*accessToken, *oauthFault) {
	want := accessToken{client: c.id, grant: grant, jwt: c.tokenType == "JWT"}
	asked := strings.Fields(form.Get("scope"))
	switch grant {
	case "client_credentials":
	case "password":
		if !form.Has("username") || !form.Has("password") {
			return nil, &oauthFault{400, "invalid_request", "Missing parameters: password username"}
		}
		user, ok := o.rules.user(form.Get("username"), form.Get("password"))
		if !ok {
			return nil, &oauthFault{400, "invalid_grant", "Authentication failed for " + form.Get("username")}
		}
		want.user = user
	case "refresh_token":
		if form.Get("refresh_token") == "" {
			return nil, &oauthFault{400, "invalid_request", "Missing parameters: refresh_token"}
		}
		old := o.refresh[form.Get("refresh_token")]
		if old == nil || old.client != c.id {
			return nil, &oauthFault{400, "invalid_grant", "Persisted access token data not found"}
		}
		want.user, want.scopes = old.user, old.scopes
		if len(asked) > 0 {
			if slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(old.scopes, s) }) {
				return nil, &oauthFault{400, "invalid_scope", "Invalid Scope!"}
			}
			want.scopes = slices.Sorted(slices.Values(asked))
		}
		o.end(old, byReissue)
		return o.issue(want), nil
	default:
		if o.rules.more != nil {
			return o.rules.more(c, want, form)
		}
		return nil, &oauthFault{400, "invalid_grant", "The stand-in has no " + grant + " grant"}
	}
	want.scopes = o.rules.scopes(c, want.user, asked)
	return o.issue(want), nil
}

// issue makes a token. An opaque one that is still good is handed out again; a JWT is always new, and revokes the one
// before it that was made for the same client, user and scopes.
func (o *oauthServer) issue(t accessToken) *accessToken {
	now := time.Now()
	same := t.same()
	if old := o.latest[same]; old != nil && old.live(now) {
		if !t.jwt && t.grant != "refresh_token" {
			return old
		}
		if !o.rules.keepOld(t.grant) {
			o.end(old, byReissue)
		}
	}
	t.issued, t.expires = now, now.Add(o.lifetime(&t))
	t.jti = newUUID()
	t.value = t.jti
	if t.user != "" {
		t.refresh = newUUID()
		o.refresh[t.refresh] = &t
	}
	o.latest[same] = &t
	return &t
}

// lifetime is how long a token is good for.
func (o *oauthServer) lifetime(t *accessToken) time.Duration {
	c := o.clients[t.client]
	switch {
	case c == nil:
		return tokenLifetime
	case t.user == "":
		return time.Duration(c.settings.Application) * time.Second
	}
	return time.Duration(c.settings.User) * time.Second
}

// answer signs the token where it is a JWT, and shows it as the token endpoint does.
func (o *oauthServer) answer(c *oauthClient, t *accessToken) (object, *oauthFault) {
	if t.jwt {
		signed, err := o.signer.sign("at+jwt", o.accessClaims(t))
		if err != nil {
			return nil, &oauthFault{500, "server_error", err.Error()}
		}
		t.value = signed
	}
	o.tokens[t.value] = t
	o.own(t)
	o.rules.changed("token", t.value)
	out := object{"access_token": t.value, "token_type": "Bearer", "expires_in": int(time.Until(t.expires).Round(time.Second).Seconds())}
	if len(t.scopes) > 0 {
		out["scope"] = strings.Join(t.scopes, " ")
	}
	if t.refresh != "" && slices.Contains(c.grants, "refresh_token") {
		out["refresh_token"] = t.refresh
	}
	if t.user != "" && slices.Contains(t.scopes, "openid") {
		signed, err := o.signer.sign("", o.idClaims(t))
		if err != nil {
			return nil, &oauthFault{500, "server_error", err.Error()}
		}
		out["id_token"] = signed
	}
	return out, nil
}

func (o *oauthServer) accessClaims(t *accessToken) object {
	issued, expires := t.issued, t.expires
	if o.ahead != nil {
		issued, expires = issued.Add(o.ahead()), expires.Add(o.ahead())
	}
	claims := object{
		"sub": o.rules.subject(t), "aut": t.kind(), "aud": t.client, "azp": t.client, "client_id": t.client, "iss": o.issuer,
		"nbf": issued.Unix(), "iat": issued.Unix(), "exp": expires.Unix(), "jti": t.jti,
	}
	for name, value := range o.rules.claims {
		claims[name] = value
	}
	switch {
	case len(t.scopes) == 0:
	case o.rules.scopeList:
		claims["scope"] = t.scopes
	default:
		claims["scope"] = strings.Join(t.scopes, " ")
	}
	return claims
}

func (o *oauthServer) idClaims(t *accessToken) object {
	sum := sha256.Sum256([]byte(t.value))
	claims := object{
		"at_hash": b64.EncodeToString(sum[:16]), "sub": o.rules.userID(t.user), "aud": t.client, "azp": t.client, "iss": o.issuer,
		"amr": []string{methodOf(t.grant)}, "nbf": t.issued.Unix(), "iat": t.issued.Unix(), "exp": t.expires.Unix(), "jti": newUUID(),
	}
	for name, value := range o.rules.claims {
		claims[name] = value
	}
	return claims
}

// methodOf is how a user has logged in, for the claim "amr": by the login page, or by a grant.
func methodOf(grant string) string {
	if grant == grantCode || grant == grantDevice {
		return "BasicAuthenticator"
	}
	return grant
}

// end revokes a token and its refresh token.
func (o *oauthServer) end(t *accessToken, why reason) {
	if t.revoked {
		return
	}
	t.revoked = true
	delete(o.refresh, t.refresh)
	o.rules.changed("token", t.value)
	if c := o.clients[t.client]; c != nil && time.Now().Before(t.expires) {
		o.rules.revoked(*t, *c, why)
	}
}

// endTokens ends tokens, and the refresh tokens beside them, without a notice.
func (o *oauthServer) endTokens(which func(*accessToken) bool) {
	for _, t := range o.tokens {
		if which(t) {
			o.endQuietly(t)
		}
	}
}

// endTokensOf does the same with all tokens of a client.
func (o *oauthServer) endTokensOf(client string) {
	for _, t := range o.owned[client] {
		o.endQuietly(t)
	}
}

func (o *oauthServer) endQuietly(t *accessToken) {
	if !t.revoked {
		t.revoked = true
		delete(o.refresh, t.refresh)
		o.rules.changed("token", t.value)
	}
}

// revoke answers POST /oauth2/revoke, whose form has been parsed: RFC 7009, save that a token of another client is 401.
func (o *oauthServer) revoke(w http.ResponseWriter, r *http.Request) {
	c, fault := o.clientOf(r)
	if fault == faultNoClient {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if fault != nil {
		fault.write(w)
		return
	}
	token := r.PostForm.Get("token")
	t := o.tokens[token]
	if t == nil {
		t = o.refresh[token]
	}
	if t != nil && t.client != c.id && t.live(time.Now()) {
		(&oauthFault{401, "unauthorized_client", "Unauthorized client"}).write(w)
		return
	}
	if t != nil && t.client == c.id {
		o.end(t, byRequest)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// byName finds a client by its name, or nil.
func (o *oauthServer) byName(name string) *oauthClient { return o.names[name] }

// put registers a client, or what it has become.
func (o *oauthServer) put(c *oauthClient) {
	o.clients[c.id], o.names[c.name] = c, c
	o.rules.changed("client", c.id)
}

// own notes that a token is its client's.
func (o *oauthServer) own(t *accessToken) {
	if o.owned[t.client] == nil {
		o.owned[t.client] = map[string]*accessToken{}
	}
	o.owned[t.client][t.value] = t
}

// drop removes a client with its tokens. Nobody is told of those: a deleted client sends no notices.
func (o *oauthServer) drop(id string) {
	if c := o.clients[id]; c != nil {
		delete(o.names, c.name)
	}
	delete(o.clients, id)
	o.rules.changed("client", id)
	for value, t := range o.owned[id] {
		t.revoked = true
		delete(o.tokens, value)
		delete(o.refresh, t.refresh)
		if o.latest[t.same()] == t {
			delete(o.latest, t.same())
		}
		o.rules.changed("token", value)
	}
	delete(o.owned, id)
}
