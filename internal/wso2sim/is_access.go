package wso2sim

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxHeader is what IS's Tomcat takes of request line and headers together: maxHttpHeaderSize, by default 8 KiB. That
// this is why it answers 400 to a token with all scopes is an assumption; the answer itself is not.
const maxHeader = 8 << 10

// accessRule says who may call a path. IS compares a request with one rule after the other; the first match counts.
type accessRule struct {
	context *regexp.Regexp
	methods []string // upper case; ALL is any
	secure  bool     // whether IS looks at credentials before the service does
	scopes  []string // a token needs all of them, and so does a user, by roles
	// permissions are those of IS 5. Nobody but the administrator has any here.
	permissions []string
}

func (a accessRule) matches(method, path string) bool {
	return a.context.MatchString(path) && (slices.Contains(a.methods, "ALL") || slices.Contains(a.methods, method))
}

// ownRules are the part of IS's own list that concerns what the stand-in serves.
var ownRules = readRules(`
(.*)/scim2/Me                                              ALL         internal_login
(.*)/scim2/Users                                           GET         internal_user_mgt_list
(.*)/scim2/Users                                           POST        internal_user_mgt_create
(.*)/scim2/Users/(.+)                                      GET         internal_user_mgt_view
(.*)/scim2/Users/(.+)                                      PUT,PATCH   internal_user_mgt_update
(.*)/scim2/Users/(.+)                                      DELETE      internal_user_mgt_delete
(.*)/scim2/Groups(.*)                                      GET         internal_group_mgt_view
(.*)/scim2/Groups                                          POST        internal_group_mgt_create
(.*)/scim2/Groups/(.+)                                     PUT,PATCH   internal_group_mgt_update
(.*)/scim2/Groups/(.+)                                     DELETE      internal_group_mgt_delete
(.*)/scim2/v2/Roles/.search                                POST        internal_role_mgt_view
(.*)/scim2/v2/Roles(.*)                                    GET         internal_role_mgt_view
(.*)/scim2/v2/Roles                                        POST        internal_role_mgt_create
(.*)/scim2/v2/Roles/(.+)                                   PUT,PATCH   internal_role_mgt_update
(.*)/scim2/v2/Roles/(.+)                                   DELETE      internal_role_mgt_delete
(.*)/api/server/v1/applications(.*)                        GET         internal_application_mgt_view
(.*)/api/server/v1/applications/(.+)/authorized-apis(.*)   ALL         internal_application_mgt_update
(.*)/api/server/v1/applications/(.+)                       DELETE      internal_application_mgt_delete
(.*)/api/server/v1/api-resources(.*)                       GET         internal_api_resource_view
(.*)/api/server/v1/api-resources                           POST        internal_api_resource_create
(.*)/api/server/v1/api-resources/(.+)                      PUT,PATCH   internal_api_resource_update
(.*)/api/server/v1/api-resources/(.+)                      DELETE      internal_api_resource_delete
(.*)/api/identity/oauth2/dcr/v1.1/register(.*)             GET         internal_dcr_view
(.*)/api/identity/oauth2/dcr/v1.1/register                 POST        internal_dcr_create
(.*)/api/identity/oauth2/dcr/v1.1/register/(.+)            PUT         internal_dcr_update
(.*)/api/identity/oauth2/dcr/v1.1/register/(.+)            DELETE      internal_dcr_delete
(.*)/api/identity/oauth2/v1.0/scopes(.*)                   GET         internal_oauth_scope_view
(.*)/oauth2/introspect                                     POST        internal_oauth2_introspect
(.*)/wso2/scim/(.*)                                        ALL         -
`)

// readRules reads lines of context, methods and scope. The scope is "-" where the service looks at credentials itself.
func readRules(table string) []accessRule {
	var rules []accessRule
	for line := range strings.Lines(strings.TrimSpace(table)) {
		f := strings.Fields(line)
		rule := accessRule{context: entire(f[0]), methods: strings.Split(f[1], ","), secure: f[2] != "-"}
		if rule.secure {
			rule.scopes = f[2:]
		}
		rules = append(rules, rule)
	}
	return rules
}

// entire compiles a pattern that must match a text from end to end, as in Java. It is nil if it is no pattern.
func entire(context string) *regexp.Regexp {
	compiled, err := regexp.Compile("^(?:" + context + ")$")
	if err != nil {
		return nil
	}
	return compiled
}

// accessRules are the entries of deployment.toml and IS's own behind them.
func accessRules(s settings) []accessRule {
	var rules []accessRule
	for _, entry := range s.tables("resource.access_control") {
		context := entire(entry.text("context", ""))
		if context == nil {
			continue
		}
		rules = append(rules, accessRule{
			context: context, secure: entry.flag("secure"), scopes: entry.texts("scopes"), permissions: entry.texts("permissions"),
			methods: strings.FieldsFunc(strings.ToUpper(entry.text("http_method", "")), func(c rune) bool { return c == ',' || c == ' ' }),
		})
	}
	return append(rules, ownRules...)
}

// caller is whom a request comes from.
type caller struct {
	user  *user        // the owner of the application where it acts for itself; nil if that user is gone
	token *accessToken // nil for Basic credentials
}

type callerKey struct{}

// callerOf is the caller that IS has let through to a secured path; nil elsewhere.
func callerOf(r *http.Request) *caller {
	c, _ := r.Context().Value(callerKey{}).(*caller)
	return c
}

// guarded is what stands in front of all services: it brings the path into its normal form, as Tomcat does before
// anything looks at it, and applies the access rules.
func (is *IS) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if headerSize(r) > maxHeader {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		path, ok := normalPath(r.URL.EscapedPath())
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var who *caller
		switch rule := is.ruleFor(r.Method, path); {
		case rule == nil && is.ruleFor(r.Method, strings.ToLower(path)) != nil:
			is.refuse(w, r, path, http.StatusForbidden) // a name in upper case is one that IS does not know
			return
		case rule != nil && rule.secure:
			var status int
			if who, status = is.admit(r, rule); status != http.StatusOK {
				is.refuse(w, r, path, status)
				return
			}
		}
		inner := r.WithContext(context.WithValue(r.Context(), callerKey{}, who))
		inner.URL = &url.URL{Path: withoutTenant(path), RawQuery: r.URL.RawQuery}
		next.ServeHTTP(w, inner)
		r.Pattern = inner.Pattern
	})
}

// withoutTenant is a path as the super tenant's services know it. There is no other tenant.
func withoutTenant(path string) string {
	if rest, ok := strings.CutPrefix(path, "/t/carbon.super/"); ok {
		return "/" + rest
	}
	return path
}

// headerSize is the length of request line and headers as they were sent.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host) + 12
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + 4
		}
	}
	return size
}

// normalPath drops path parameters, decodes, and resolves empty and dotted segments. It is not ok where Tomcat answers
// 400: an encoded slash, and a path that leaves the root.
func normalPath(escaped string) (path string, ok bool) {
	var segments []string
	parts := strings.Split(escaped, "/")
	for _, part := range parts {
		part, _, _ = strings.Cut(part, ";")
		segment, err := url.PathUnescape(part)
		switch {
		case err != nil || strings.ContainsAny(segment, "/\\\x00"):
			return "", false
		case segment == "" || segment == ".":
		case segment == "..":
			if len(segments) == 0 {
				return "", false
			}
			segments = segments[:len(segments)-1]
		default:
			segments = append(segments, segment)
		}
	}
	path = "/" + strings.Join(segments, "/")
	if path != "/" && parts[len(parts)-1] == "" {
		path += "/"
	}
	return path, true
}

// ruleFor finds the rule that counts. HEAD is what GET is: the services answer both alike.
func (is *IS) ruleFor(method, path string) *accessRule {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range is.rules {
		if is.rules[i].matches(method, path) {
			return &is.rules[i]
		}
	}
	return nil
}

// admit says who is calling and, by the status, whether the rule lets him in.
func (is *IS) admit(r *http.Request, rule *accessRule) (*caller, int) {
	is.mu.Lock()
	defer is.mu.Unlock()
	who := is.authenticate(r)
	if who == nil {
		return nil, http.StatusUnauthorized
	}
	if is.permits(who, rule) {
		return who, http.StatusOK
	}
	return nil, http.StatusForbidden
}

// authenticate finds the caller by Basic credentials or a live token, or nil. The lock is held.
func (is *IS) authenticate(r *http.Request) *caller {
	if name, password, ok := r.BasicAuth(); ok {
		if u := is.userNamed(name); u != nil && u.password == password && !u.shut() {
			return &caller{user: u}
		}
		return nil
	}
	if r.Header.Get("Authorization") == "" && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return is.byCertificate(r.TLS.PeerCertificates, r.Header.Get(identityUserHeader))
	}
	t := is.bearer(r)
	if t == nil {
		return nil
	}
	name := t.user
	if name == "" {
		name = is.ownerOf(t.client)
	}
	return &caller{user: is.userNamed(name), token: t}
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

// permits applies a rule. The lock is held.
func (is *IS) permits(who *caller, rule *accessRule) bool {
	if who.token == nil && is.isAdmin(who.user) {
		return true
	}
	if len(rule.permissions) > 0 {
		return false
	}
	for _, scope := range rule.scopes {
		if who.token != nil && !slices.Contains(who.token.scopes, scope) || who.token == nil && !is.may(who.user, scope) {
			return false
		}
	}
	return true
}

const (
	authorizationFailure = "Authorization failure. Authorization information was invalid or missing from your request."
	noCredentials        = "AuthenticationHandler not found."
	notPermitted         = "Operation is not permitted. You do not have permissions to make this request."
)

// refuse answers 401 or 403 in the form of the API that the path belongs to. Whoever shows no credentials gets 401.
func (is *IS) refuse(w http.ResponseWriter, r *http.Request, path string, status int) {
	why, realm := notPermitted, "Bearer realm="+is.hostname
	if strings.Contains(path, "/dcr/") {
		realm = "Bearer"
	}
	is.mu.Lock()
	known := is.authenticate(r) != nil
	is.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") == "":
		status, why = http.StatusUnauthorized, noCredentials
	case !known:
		status, why = http.StatusUnauthorized, authorizationFailure
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", realm)
	}
	if strings.Contains(path, "/scim2/") {
		writeAs(w, status, "application/json;charset=UTF-8", object{"schemas": []string{scimError}, "detail": why, "status": status})
		return
	}
	writeAs(w, status, "application/json;charset=UTF-8",
		object{"traceId": newUUID(), "code": status, "description": why, "message": http.StatusText(status)})
}

// unauthorized is the 401 of IS's REST APIs.
func unauthorized(w http.ResponseWriter, scheme, why string) {
	w.Header().Set("WWW-Authenticate", scheme)
	writeAs(w, http.StatusUnauthorized, "application/json;charset=UTF-8",
		object{"traceId": newUUID(), "code": 401, "description": why, "message": "Unauthorized"})
}
