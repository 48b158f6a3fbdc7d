package wso2sim

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// The super organization, under the id that every installation of IS gives it.
const superOrganization = "10084a8d-113f-4211-a0d5-efe36b082211"

// IS is a stand-in of Identity Server, as its home is.
type IS struct {
	*server
	port     *port
	admin    string
	password string
	notices  *notifier    // nil where deployment.toml has no revocation listener
	rules    []accessRule // in the order in which they count

	// guarded by server.mu
	oauth     *oauthServer
	apps      serviceProviders
	resources []*apiResource
	users     []*user
	roles     []*role
	groups    []*group
	stopping  isStopping
	logins    logins
	issuers   map[string]trustedIssuer // by the issuer's name
}

// isStopping is how far IS has come in going down.
type isStopping int

const (
	serving      isStopping = iota
	toLogin                 // every path redirects to a login page that is gone
	emptyAnswers            // every path is 200 with nothing in it
)

// StartIS starts a server. Its address is known on return; while it boots, as long as Delays.ISBoot says, connections
// are refused, as by the product. The errors of a home that cannot be used name the file and what is wrong with it.
func StartIS(_ context.Context, o Options) (*IS, error) {
	base, err := newServer(ProductIS, o)
	if err != nil {
		return nil, err
	}
	is := &IS{server: base}
	is.linger, is.farewell = is.delays.ISRestart, is.talkNonsense
	is.admin, is.password = is.settings.credentials()
	is.isAdministrator = func(user, password string) bool {
		is.mu.Lock()
		defer is.mu.Unlock()
		return user == is.admin && len(is.users) > 0 && password == is.users[0].password
	}
	if is.port, err = is.bind(o.Listen); err != nil {
		return nil, errors.Join(err, is.shut())
	}
	if is.plain, err = is.bindOptional(o.Plain); err != nil {
		return nil, errors.Join(err, is.shut())
	}
	is.rules = accessRules(is.settings)
	is.oauth = newOAuthServer(is.url(is.port)+"/oauth2/token", is.signer, oauthRules{
		scopes: is.grantedScopes, subject: is.subject, keepOld: is.keepsOldTokens, revoked: is.tokenRevoked,
		user: is.logsIn, userID: is.userID, more: is.grantsMore,
		claims: object{"org_id": superOrganization, "org_name": "Super"}, changed: is.changed, scopeList: is.behaviour.ScopeArray,
	})
	is.oauth.ahead = is.faults.ahead
	is.logins = newLogins()
	is.issuers = map[string]trustedIssuer{}
	is.notices = newNotifier(is.server)
	if err := is.keep(is.describe, is.restoreAll); err != nil {
		return nil, errors.Join(err, is.shut())
	}
	is.after(is.delays.ISBoot.pick(), func() {
		if err := is.openManagement(is.port, is.routes(), is.behaviour.TLS); err != nil {
			is.fail(err)
			return
		}
		is.log.Info("WSO2 Carbon started in 1 sec", "issuer", is.oauth.issuer)
		close(is.ready)
	})
	return is, nil
}

// URL is where the server can be reached from this machine, without a path.
func (is *IS) URL() string { return dialURL(is.port) }

// Issuer is the issuer of its tokens, by the configured host name.
func (is *IS) Issuer() string { return is.oauth.issuer }

// Close ends the server: for as long as Delays.ISStop says it answers nonsense with success, as the product does.
func (is *IS) Close() error {
	is.talkNonsense(is.delays.ISStop.pick())
	return is.shut()
}

// talkNonsense is the last that is heard of the server.
func (is *IS) talkNonsense(stop time.Duration) {
	if stop <= 0 {
		return
	}
	for _, stage := range []isStopping{toLogin, emptyAnswers} {
		is.mu.Lock()
		is.stopping = stage
		is.mu.Unlock()
		is.sleep(stop / 2)
	}
}

func (is *IS) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/token/.well-known/openid-configuration", is.discovery)
	mux.HandleFunc("GET /oauth2/jwks", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, is.signer.jwks()) })
	mux.HandleFunc("POST /oauth2/token", is.token)
	mux.HandleFunc("POST /oauth2/introspect", is.introspect)
	mux.HandleFunc("POST /oauth2/revoke", is.revoke)
	mux.HandleFunc("GET /oauth2/userinfo", is.userInfo)
	mux.HandleFunc("POST /oauth2/userinfo", is.userInfo)
	mux.HandleFunc("GET /api/health-check/v1.0/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, object{"health": []any{}}) // its checks are off by default: this proves nothing
	})
	mux.HandleFunc("/services/Version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("<faultstring>The service cannot be found for the endpoint reference (EPR) /services/Version</faultstring>"))
	})
	mux.HandleFunc("POST /services/ServerAdmin", is.serverAdmin)
	is.registrationRoutes(mux)
	is.resourceRoutes(mux)
	is.roleRoutes(mux)
	is.userRoutes(mux)
	is.groupRoutes(mux)
	is.applicationRoutes(mux)
	is.issuerRoutes(mux)
	is.scim1Routes(mux)
	is.loginRoutes(mux)
	mux.HandleFunc("/", is.toLoginPage)
	return is.whileServing(is.guarded(is.durable(mux)))
}

// whileServing lets requests through until the server goes down.
func (is *IS) whileServing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		stage := is.stopping
		is.mu.Unlock()
		switch stage {
		case toLogin:
			is.toLoginPage(w, r)
		case emptyAnswers:
			w.WriteHeader(http.StatusOK)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// toLoginPage is the answer to every path that IS does not know.
func (is *IS) toLoginPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", is.url(is.port)+"/authenticationendpoint/login.do")
	w.WriteHeader(http.StatusFound)
}

func (is *IS) discovery(w http.ResponseWriter, _ *http.Request) {
	at := func(path string) string { return is.url(is.port) + path }
	signing, clientAuth := []string{"RS256"}, []string{"client_secret_basic", "client_secret_post"}
	writeJSON(w, 200, object{
		"issuer": is.oauth.issuer, "token_endpoint": is.oauth.issuer, "jwks_uri": at("/oauth2/jwks"),
		"authorization_endpoint": at("/oauth2/authorize"), "introspection_endpoint": at("/oauth2/introspect"),
		"revocation_endpoint": at("/oauth2/revoke"), "userinfo_endpoint": at("/oauth2/userinfo"),
		"registration_endpoint":                 at("/api/identity/oauth2/dcr/v1.1/register"),
		"pushed_authorization_request_endpoint": at("/oauth2/par"), "webfinger_endpoint": at("/.well-known/webfinger"),
		"device_authorization_endpoint": at("/oauth2/device_authorize"), "end_session_endpoint": at("/oidc/logout"),
		"check_session_iframe": at("/oidc/checksession"), "grant_types_supported": supportedGrants,
		"scopes_supported":         oidcScopes,
		"response_types_supported": []string{"id_token token", "code", "code id_token", "id_token", "none", "token"},
		"response_modes_supported": []string{"fragment", "jwt", "query", "form_post"},
		"claims_supported":         []string{"email", "username", "groups", "roles", "iss", "acr"},
		"subject_types_supported":  []string{"public", "pairwise"}, "code_challenge_methods_supported": []string{"S256", "plain"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt", "client_secret_post", "tls_client_auth", "client_secret_basic"},
		"introspection_endpoint_auth_methods_supported":    clientAuth,
		"revocation_endpoint_auth_methods_supported":       clientAuth,
		"token_endpoint_auth_signing_alg_values_supported": []string{"PS256", "ES256", "RS256"},
		"request_object_signing_alg_values_supported":      []string{"RS256", "RS384", "RS512", "PS256", "none"},
		"id_token_signing_alg_values_supported":            signing, "userinfo_signing_alg_values_supported": signing,
		"request_parameter_supported": true, "claims_parameter_supported": true, "backchannel_logout_supported": true,
		"backchannel_logout_session_supported": true, "tls_client_certificate_bound_access_tokens": true,
	})
}

// serverAdmin is the SOAP service that could restart the server, and says no unless it is told to allow that.
func (is *IS) serverAdmin(w http.ResponseWriter, r *http.Request) {
	is.server.serverAdmin(w, r, strings.Contains(r.Header.Get("Accept"), "application/json"))
}
