package wso2sim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

var oidcScopes = []string{"address", "phone", "openid", "profile", "roles", "groups", "email"}

// loginScope is what every user has, and no application for itself.
const loginScope = "internal_login"

// everySystemScope is asked for in place of all scopes of IS's own resources.
const everySystemScope = "SYSTEM"

// grantedScopes drops what is not granted without a word. user is "" where the application asks for itself.
func (is *IS) grantedScopes(c *oauthClient, user string, asked []string) []string {
	var granted []string
	for _, scope := range asked {
		if scope != everySystemScope {
			if is.grants(c, user, scope) {
				granted = append(granted, scope)
			}
			continue
		}
		for _, own := range is.systemScopes() {
			if is.grants(c, user, own) {
				granted = append(granted, own)
			}
		}
	}
	slices.Sort(granted)
	return slices.Compact(granted)
}

// systemScopes are those that SYSTEM stands for.
func (is *IS) systemScopes() []string {
	names := []string{loginScope}
	for _, a := range is.resources {
		if a.system() {
			for _, s := range a.scopes {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// grants says whether one scope is granted. With [oauth] authorize_all_scopes an application gets every scope of every
// API resource that this version means by it, IS's own among them in 7.1.0, and a user those of his roles. Without it both get only what the application is
// authorized for; a user needs the role as well, unless the policy says otherwise.
func (is *IS) grants(c *oauthClient, user, scope string) bool {
	if is.unchecked(scope) {
		return true
	}
	if user != "" && (scope == loginScope || slices.Contains(oidcScopes, scope)) {
		return true
	}
	resource, found := is.scopeNamed(scope)
	if found == nil {
		return false
	}
	byRole := user == "" || is.may(is.userNamed(user), scope)
	app := is.apps.byClient[c.id]
	if is.settings.flag("oauth.authorize_all_scopes") && is.allScopesCover(resource, app) {
		return byRole
	}
	if app == nil {
		return false
	}
	policy, ok := app.authorizedFor(found.ID)
	return ok && (byRole || policy == policyNone)
}

// allScopesCover says whether authorize_all_scopes is about the scopes of a resource, for an application.
func (is *IS) allScopesCover(a *apiResource, app *serviceProvider) bool {
	covers := is.behaviour.AllScopes
	if is.settings.flag("oauth.authorize_internal_scopes") || is.settings.text("preserve_previous_product_behaviour.version", "") == "IS_7.1.0" {
		covers = AllOfThem
	}
	switch covers {
	case AllOfThem:
		return true
	case AllOrOwn:
		return !a.system() && (app == nil || len(app.authorized) == 0)
	}
	return !a.system()
}

// unchecked says whether [oauth] allowed_scopes has a pattern for a scope, registered or not.
func (is *IS) unchecked(scope string) bool {
	patterns := is.settings.texts("oauth.allowed_scopes")
	if len(patterns) == 0 {
		patterns = []string{"^device_.*"}
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		pattern := entire(p)
		return pattern != nil && pattern.MatchString(scope)
	})
}

// logsIn checks a password, and gives the name under which the user is known.
func (is *IS) logsIn(name, password string) (string, bool) {
	u := is.userNamed(name)
	if u == nil || u.password != password || u.shut() {
		return "", false
	}
	return u.name, true
}

func (is *IS) userID(name string) string {
	if u := is.userNamed(name); u != nil {
		return u.id
	}
	return ""
}

func (is *IS) subject(t *accessToken) string {
	if t.user == "" {
		return t.client
	}
	return cmp.Or(is.userID(t.user), t.user) // a user of a trusted issuer alone has no id here
}

// keepsOldTokens is [oauth.jwt.renew_token_without_revoking_existing].
func (is *IS) keepsOldTokens(grant string) bool {
	const table = "oauth.jwt.renew_token_without_revoking_existing"
	return is.behaviour.TokensNotStored || is.settings.flag(table+".enable") && slices.Contains(is.settings.texts(table+".allowed_grant_types"), grant)
}

func (is *IS) tokenRevoked(t accessToken, c oauthClient, _ reason) {
	if is.notices != nil {
		is.notices.send(t, c)
	}
}

func (is *IS) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
		return
	}
	is.mu.Lock()
	answer, fault := is.oauth.token(r)
	is.mu.Unlock()
	if fault != nil {
		fault.write(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

func (is *IS) revoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	is.oauth.revoke(w, r)
}

// introspect needs the right to it: a client's own credentials are refused.
func (is *IS) introspect(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	token := r.PostForm.Get("token")
	if token == "" {
		writeJSON(w, http.StatusBadRequest, object{"error": "Invalid input"})
		return
	}
	if of := is.oauth.refresh[token]; of != nil && !of.revoked {
		writeJSON(w, http.StatusOK, is.refreshView(of))
		return
	}
	t := is.oauth.tokens[token]
	if t == nil || !t.live(time.Now()) {
		writeJSON(w, http.StatusOK, object{"active": false})
		return
	}
	answer := object{
		"active": true, "aut": t.kind(), "nbf": t.issued.Unix(), "iat": t.issued.Unix(), "exp": t.expires.Unix(),
		"client_id": t.client, "token_type": "Bearer",
	}
	if len(t.scopes) > 0 {
		answer["scope"] = strings.Join(t.scopes, " ")
	}
	if t.jwt {
		answer["aud"], answer["iss"], answer["sub"], answer["jti"], answer["token_type"] = t.client, is.oauth.issuer, is.subject(t), t.jti, "JWT"
	}
	if t.user != "" {
		answer["username"] = t.user + "@carbon.super"
	}
	writeJSON(w, http.StatusOK, answer)
}

// refreshView is the refresh token that came with a token.
func (is *IS) refreshView(t *accessToken) object {
	lifetime := defaultClientSettings().Refresh
	if c := is.oauth.clients[t.client]; c != nil {
		lifetime = c.settings.Refresh
	}
	return object{
		"active": true, "token_type": "Refresh", "client_id": t.client, "username": t.user + "@carbon.super", "scope": strings.Join(t.scopes, " "),
		"nbf": t.issued.Unix(), "iat": t.issued.Unix(), "exp": t.issued.Unix() + int64(lifetime),
	}
}

func (is *IS) userInfo(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	fault := func(status int, code, why string) {
		w.Header().Set("WWW-Authenticate", `Bearer error="`+code+`"`)
		writeJSON(w, status, object{"error": code, "error_description": why})
	}
	switch t := is.bearer(r); {
	case r.Header.Get("Authorization") == "":
		fault(400, "invalid_request", "Authorization header missing")
	case t == nil:
		fault(401, "invalid_token", "Access token validation failed")
	case !slices.Contains(t.scopes, "openid"):
		fault(403, "insufficient_scope", "Access token does not have the openid scope")
	default:
		writeJSON(w, http.StatusOK, object{"sub": is.subject(t)})
	}
}
