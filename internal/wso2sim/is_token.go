package wso2sim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

var oidcScopes = []string{"address", "phone", "openid", "profile", "roles", "groups", "email"}

// grantedScopes drops what is not granted without a word. The application's own token gets the scopes of registered
// API resources, and those only where [oauth] authorize_all_scopes says so; a user's token has the OpenID ones too.
func (is *IS) grantedScopes(grant string, asked []string) []string {
	var granted []string
	for _, scope := range asked {
		oidc := grant != "client_credentials" && slices.Contains(oidcScopes, scope)
		resource := is.settings.flag("oauth.authorize_all_scopes") && is.hasScope(scope)
		if oidc || resource {
			granted = append(granted, scope)
		}
	}
	slices.Sort(granted)
	return slices.Compact(granted)
}

func (is *IS) subject(t *accessToken) string {
	if t.user == "" {
		return t.client
	}
	return is.oauth.userID
}

// keepsOldTokens is [oauth.jwt.renew_token_without_revoking_existing].
func (is *IS) keepsOldTokens(grant string) bool {
	const table = "oauth.jwt.renew_token_without_revoking_existing"
	return is.settings.flag(table+".enable") && slices.Contains(is.settings.texts(table+".allowed_grant_types"), grant)
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

// introspect is open to the admin alone: a client's own credentials are refused.
func (is *IS) introspect(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if !ok {
		unauthorized(w, "Bearer realm=localhost", "AuthenticationHandler not found.")
		return
	}
	if user != is.admin || password != is.password {
		unauthorized(w, "Bearer realm=localhost", authorizationFailure)
		return
	}
	if err := r.ParseForm(); err != nil {
		(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
		return
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	t := is.oauth.tokens[r.PostForm.Get("token")]
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
	if t.user != "" {
		answer["username"] = t.user + "@carbon.super"
	}
	writeJSON(w, http.StatusOK, answer)
}

// bearer is the live token of a request; nil if there is none.
func (is *IS) bearer(r *http.Request) *accessToken {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	t := is.oauth.tokens[token]
	if t == nil || !t.live(time.Now()) {
		return nil
	}
	return t
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
		writeJSON(w, http.StatusOK, object{"sub": is.oauth.userID})
	}
}

// me is GET /scim2/Me, with which API Manager's connector looks at users. A token gets in only where an access control
// rule of deployment.toml opens the path to any valid one.
func (is *IS) me(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, why string) {
		w.Header().Set("WWW-Authenticate", "Bearer realm=localhost")
		writeAs(w, status, "application/json;charset=UTF-8", object{"schemas": []string{scimError}, "detail": why, "status": status})
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	user, password, basic := r.BasicAuth()
	token := is.bearer(r)
	switch {
	case r.Header.Get("Authorization") == "":
		refuse(401, "AuthenticationHandler not found.")
	case basic && (user != is.admin || password != is.password), !basic && token == nil:
		refuse(401, authorizationFailure)
	case !basic && !is.opens("/scim2/Me"):
		refuse(403, "Operation is not permitted. You do not have permissions to make this request.")
	default:
		w.Header().Set("Location", is.url(is.port)+"/scim2/Users/"+is.oauth.userID)
		writeAs(w, http.StatusOK, scimJSON, is.profile())
	}
}

// opens says whether the first access control rule for GET on a path asks for no scope and no permission.
func (is *IS) opens(path string) bool {
	for _, rule := range is.settings.tables("resource.access_control") {
		context, err := regexp.Compile("^(?:" + rule.text("context", "") + ")$")
		methods := strings.ToUpper(rule.text("http_method", ""))
		if err == nil && context.MatchString(path) && (methods == "ALL" || strings.Contains(methods, "GET")) {
			return len(rule.texts("scopes")) == 0 && len(rule.texts("permissions")) == 0
		}
	}
	return false
}
