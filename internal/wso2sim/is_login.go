package wso2sim

import (
	"crypto/sha256"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	grantCode   = "authorization_code"
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

	codeLifetime   = 5 * time.Minute
	deviceLifetime = 10 * time.Minute
)

// logins is what IS knows of people who are about to log in. It is in no database. There are no cookies: the key in the addresses
// stands for the session.
type logins struct {
	pending map[string]*login      // by the key of the session, which changes with the login
	codes   map[string]*login      // by authorization code
	devices map[string]*deviceCode // by device code
}

// login is one request of a client for a user's consent.
type login struct {
	client                             *oauthClient
	redirect, state, challenge, method string
	scopes                             []string
	device                             *deviceCode // nil: for an authorization code
	user                               string      // who has logged in
	expires                            time.Time   // of the code
	token                              *accessToken
	used                               bool
}

// deviceCode is one request of a device (RFC 8628).
type deviceCode struct {
	login
	code, userCode string
	polled         time.Time // when the device last asked for anything
}

func newLogins() logins {
	return logins{pending: map[string]*login{}, codes: map[string]*login{}, devices: map[string]*deviceCode{}}
}

func (is *IS) loginRoutes(mux *http.ServeMux) {
	form := func(answer func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				(&oauthFault{400, "invalid_request", "The body is no form"}).write(w)
				return
			}
			is.mu.Lock()
			defer is.mu.Unlock()
			answer(w, r)
		}
	}
	mux.HandleFunc("GET /oauth2/authorize", form(func(w http.ResponseWriter, r *http.Request) {
		if r.Form.Has("sessionDataKey") { // the browser is back from the login
			is.authorized(w, r)
			return
		}
		is.authorizeCode(w, r)
	}))
	mux.HandleFunc("POST /commonauth", form(is.commonAuth))
	mux.HandleFunc("POST /oauth2/device_authorize", form(is.authorizeDevice))
	mux.HandleFunc("POST /oauth2/device", form(is.enterUserCode))
}

// redirect answers 302 with query parameters behind the address.
func redirect(w http.ResponseWriter, to string, query url.Values) {
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	w.Header().Set("Location", to+separator+query.Encode())
	w.WriteHeader(http.StatusFound)
}

// toErrorPage tells the person in the browser, and never the client, of a mistake that makes the redirect unsafe.
func (is *IS) toErrorPage(w http.ResponseWriter, code, message string) {
	redirect(w, is.url(is.port)+"/authenticationendpoint/oauth2_error.do", url.Values{"oauthErrorCode": {code}, "oauthErrorMsg": {message}})
}

// authorizeCode begins a login for an authorization code.
func (is *IS) authorizeCode(w http.ResponseWriter, r *http.Request) {
	q := r.Form
	c := is.oauth.clients[q.Get("client_id")]
	to := q.Get("redirect_uri")
	switch {
	case c == nil:
		is.toErrorPage(w, "invalid_client", "application.not.found")
		return
	case strings.Join(c.redirects, "") == "": // AbstractResponseTypeRequestValidator of identity-inbound-auth-oauth
		is.toErrorPage(w, "unauthorized_client", "The authenticated client is not authorized to use this authorization grant type")
		return
	case !c.redirectsTo(to):
		is.toErrorPage(w, "invalid_callback", "callback.not.match")
		return
	}
	refuse := func(code, why string) {
		redirect(w, to, url.Values{"error": {code}, "error_description": {why}, "state": {q.Get("state")}})
	}
	switch {
	case q.Get("response_type") != "code":
		refuse("invalid_request", "Invalid response_type parameter value")
	case c.settings.PKCE && q.Get("code_challenge") == "":
		refuse("invalid_request", "PKCE is mandatory for this application. PKCE Challenge is not provided or is not upto RFC 7636 specification.")
	case q.Get("prompt") == "none":
		refuse("login_required", "Authentication required")
	default:
		is.beginLogin(w, &login{
			client: c, redirect: to, state: q.Get("state"), challenge: q.Get("code_challenge"), method: q.Get("code_challenge_method"),
			scopes: strings.Fields(q.Get("scope")),
		})
	}
}

// loopbackPort is the port behind a loopback address, which is not compared (RFC 8252, section 7.3; OAuthConstants of
// identity-inbound-auth-oauth).
var loopbackPort = regexp.MustCompile(`(127\.0\.0\.1|\[::1\]):[0-9]{1,5}`)

// redirectsTo reports whether an address is a callback of the client: the one that is registered, or one that the registered pattern
// matches.
func (c *oauthClient) redirectsTo(address string) bool {
	plain := func(text string) string { return loopbackPort.ReplaceAllString(text, "$1") }
	return slices.ContainsFunc(c.redirects, func(registered string) bool {
		pattern, isPattern := strings.CutPrefix(registered, "regexp=")
		if !isPattern {
			return plain(registered) == plain(address)
		}
		compiled := entire(plain(pattern))
		return compiled != nil && compiled.MatchString(plain(address))
	})
}

// beginLogin sends the browser to the login page.
func (is *IS) beginLogin(w http.ResponseWriter, l *login) {
	key := newUUID()
	is.logins.pending[key] = l
	is.toLoginForm(w, key, l, url.Values{})
}

func (is *IS) toLoginForm(w http.ResponseWriter, key string, l *login, more url.Values) {
	if l.device == nil {
		more.Set("state", l.state)
	}
	more.Set("sessionDataKey", key)
	more.Set("relyingParty", l.client.id)
	more.Set("type", "oidc")
	more.Set("sp", l.client.name)
	more.Set("authenticators", "BasicAuthenticator:LOCAL")
	redirect(w, is.url(is.port)+"/authenticationendpoint/login.do", more)
}

// commonAuth takes what the login page sends.
func (is *IS) commonAuth(w http.ResponseWriter, r *http.Request) {
	key := r.PostForm.Get("sessionDataKey")
	l := is.logins.pending[key]
	if l == nil || l.user != "" {
		redirect(w, is.url(is.port)+"/authenticationendpoint/retry.do", url.Values{"statusMsg": {"misconfiguration.error"}})
		return
	}
	user, ok := is.logsIn(r.PostForm.Get("username"), r.PostForm.Get("password"))
	if !ok {
		is.toLoginForm(w, key, l, url.Values{"authFailure": {"true"}, "authFailureMsg": {"login.fail.message"}})
		return
	}
	l.user = user
	delete(is.logins.pending, key)
	next := newUUID()
	is.logins.pending[next] = l
	redirect(w, is.url(is.port)+"/t/carbon.super/oauth2/authorize", url.Values{"sessionDataKey": {next}})
}

// authorized ends a login: the client gets its code, or the device may get its token. No consent is asked for.
func (is *IS) authorized(w http.ResponseWriter, r *http.Request) {
	key := r.Form.Get("sessionDataKey")
	l := is.logins.pending[key]
	if l == nil || l.user == "" {
		is.toErrorPage(w, "invalid_request", "invalid.request")
		return
	}
	delete(is.logins.pending, key)
	if l.device != nil {
		l.device.user = l.user
		redirect(w, is.url(is.port)+"/authenticationendpoint/device_success.do", url.Values{"app_name": {l.client.name}})
		return
	}
	code := newUUID()
	l.expires = time.Now().Add(codeLifetime)
	is.logins.codes[code] = l
	redirect(w, l.redirect, url.Values{"code": {code}, "session_state": {newNonce()}, "state": {l.state}})
}

// authorizeDevice begins a login on another device. Its errors for a client are not those of the token endpoint.
func (is *IS) authorizeDevice(w http.ResponseWriter, r *http.Request) {
	id := r.PostForm.Get("client_id")
	_, _, basic := r.BasicAuth()
	c, fault := is.oauth.clientOf(r)
	switch {
	case fault == faultNoClient:
		fault = &oauthFault{401, "invalid_request", faultNoClient.detail}
	case fault != nil && !basic && is.oauth.clients[id] == nil:
		fault = &oauthFault{401, "invalid_request", faultBadClient.detail}
	case fault != nil:
		fault = &oauthFault{401, "invalid_client", "Client Authentication failed"}
	}
	if fault != nil {
		fault.write(w)
		return
	}
	d := &deviceCode{code: newUUID(), userCode: newNonce()[:6], polled: time.Now()}
	d.client, d.scopes, d.expires = c, strings.Fields(r.PostForm.Get("scope")), time.Now().Add(deviceLifetime)
	is.logins.devices[d.code] = d
	page := is.url(is.port) + "/authenticationendpoint/device.do"
	writeJSON(w, http.StatusOK, object{
		"device_code": d.code, "user_code": d.userCode, "verification_uri": page, "verification_uri_complete": page + "?user_code=" + d.userCode,
		"expires_in": int(deviceLifetime.Seconds()), "interval": max(1, int(math.Ceil(is.delays.DevicePoll.Seconds()))),
	})
}

// enterUserCode takes the code that a person has read on the device.
func (is *IS) enterUserCode(w http.ResponseWriter, r *http.Request) {
	for _, d := range is.logins.devices {
		if d.userCode == r.PostForm.Get("user_code") && d.user == "" && time.Now().Before(d.expires) {
			is.beginLogin(w, &login{client: d.client, scopes: d.scopes, device: d})
			return
		}
	}
	redirect(w, is.url(is.port)+"/authenticationendpoint/device.do", url.Values{"error": {"invalid.code"}})
}

// grantsMore has the grants that need more than a client and its secret.
func (is *IS) grantsMore(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault) {
	switch want.grant {
	case grantCode:
		return is.grantCode(c, want, form)
	case grantDevice:
		return is.grantDevice(c, want, form)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return is.grantAssertion(c, want, form)
	case "urn:ietf:params:oauth:grant-type:token-exchange":
		return is.grantExchange(c, want, form)
	}
	return nil, &oauthFault{400, "invalid_grant", "The stand-in has no " + want.grant + " grant"}
}

// grantCode gives a token for an authorization code. A code that is used twice ends the token of the first use.
func (is *IS) grantCode(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault) {
	refuse := func(why string) (*accessToken, *oauthFault) { return nil, &oauthFault{400, "invalid_grant", why} }
	l := is.logins.codes[form.Get("code")]
	switch verifier := form.Get("code_verifier"); {
	case l == nil || l.client != c:
		return refuse("Invalid authorization code received from token request")
	case l.used:
		is.oauth.end(l.token, byRequest)
		return refuse("Inactive authorization code received from token request")
	case !time.Now().Before(l.expires):
		return refuse("Expired authorization code received from token request")
	case form.Get("redirect_uri") != l.redirect:
		return refuse("Callback url mismatch")
	case c.settings.PKCE && verifier == "":
		return refuse("No PKCE code verifier found.PKCE is mandatory for this oAuth 2.0 application.")
	case l.challenge != "" && !l.proves(verifier):
		return refuse("PKCE validation failed")
	}
	l.used = true
	want.user, want.scopes = l.user, is.grantedScopes(c, l.user, l.scopes)
	l.token = is.oauth.issue(want)
	return l.token, nil
}

// proves reports whether a verifier is the one of the challenge (RFC 7636, section 4.6).
func (l *login) proves(verifier string) bool {
	if l.method != "S256" {
		return verifier == l.challenge
	}
	sum := sha256.Sum256([]byte(verifier))
	return b64.EncodeToString(sum[:]) == l.challenge
}

// grantDevice gives a token for a device code, when a person has logged in. Whoever asks before the interval is over, since anything was
// asked, shall slow down.
func (is *IS) grantDevice(c *oauthClient, want accessToken, form url.Values) (*accessToken, *oauthFault) {
	code := form.Get("device_code")
	if code == "" {
		return nil, &oauthFault{400, "invalid_request", "Missing parameters: device_code"}
	}
	d := is.logins.devices[code]
	if d == nil || d.client != c {
		return nil, &oauthFault{400, "invalid_request", "The provided device code is not registered or is invalid."}
	}
	early := time.Since(d.polled) < is.delays.DevicePoll
	d.polled = time.Now()
	switch {
	case d.used, !time.Now().Before(d.expires):
		return nil, &oauthFault{400, "expired_token", "Forbidden"}
	case early:
		return nil, &oauthFault{400, "slow_down", "Forbidden"}
	case d.user == "":
		return nil, &oauthFault{400, "authorization_pending", "Precondition required"}
	}
	d.used = true
	want.user, want.scopes = d.user, is.grantedScopes(c, d.user, d.scopes)
	return is.oauth.issue(want), nil
}
