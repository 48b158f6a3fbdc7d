package wso2sim

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gatewayFault is an error of the gateway. Its codes are strings.
type gatewayFault struct {
	status                     int
	code, message, description string
}

func (f *gatewayFault) write(w http.ResponseWriter) {
	body := object{"code": f.code, "message": f.message, "description": f.description}
	if f == errBlocked { // as a running server answers
		body = object{"code": f.code, "type": f.message, "description": f.description}
	}
	switch f.status {
	case http.StatusMethodNotAllowed:
		body["type"] = "Status report"
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Internal API Key realm="WSO2 API Manager", Bearer realm="WSO2 API Manager", `+
			`error="invalid_token", error_description="The provided token is invalid"`)
	case http.StatusNotFound:
		body["type"] = "Status report"
	}
	if f == errNoSandbox {
		body["type"] = "Status report"
	}
	writeAs(w, f.status, "application/json; charset=UTF-8", body)
}

const checkCredentials = "Make sure you have provided the correct security credentials"

var (
	errNoResource          = &gatewayFault{404, "404", "Not Found", "The requested resource is not available."}
	errNoOperation         = &gatewayFault{404, "404", "Runtime Error", "No matching resource found for given API Request"}
	errNoMethod            = &gatewayFault{405, "405", "Runtime Error", "Method not allowed for given API resource"}
	errBadToken            = &gatewayFault{401, "900901", "Invalid Credentials", "Invalid Credentials. " + checkCredentials}
	errRevoked             = &gatewayFault{401, "900901", "Invalid Credentials", "Invalid JWT token. " + checkCredentials}
	errNoSubscriber        = &gatewayFault{403, "900908", "Resource forbidden ", "User is NOT authorized to access the Resource. API Subscription validation failed."}
	errBlocked             = &gatewayFault{503, "700700", "API blocked", "This API has been blocked temporarily. Please try again later or contact the system administrators."}
	errSubscriptionBlocked = &gatewayFault{401, "900907", "The requested API is temporarily blocked",
		"User is NOT authorized to access the Resource. API Subscription validation failed."}
	errNoSandbox    = &gatewayFault{403, "900901", "Runtime Error", "Sandbox key offered to the API with no sandbox endpoint"}
	errUnclassified = &gatewayFault{500, "900900", "Unclassified Authentication Failure", "Error while accessing backend services for API key validation"}
)

// missingToken names the header that the API wants, which is null after some imports.
func missingToken(header *string) *gatewayFault {
	name := "null"
	if header != nil {
		name = *header
	}
	return &gatewayFault{401, "900902", "Missing Credentials", "Invalid Credentials. Make sure your API invocation call has a header: '" +
		name + " : Bearer ACCESS_TOKEN' or '" + name + " : Basic ACCESS_TOKEN' or 'ApiKey : API_KEY'"}
}

// gateway serves the APIs that are deployed, once it has got them at its start.
func (am *AM) gateway(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/services/Version":
		am.version(w, r)
		return
	case "/api/am/gateway/v2/server-startup-healthcheck":
		am.startupHealth(w, r)
		return
	}
	route, fault := am.route(r)
	if fault == errNoMethod && r.Method == http.MethodOptions {
		am.preflight(w, r, route)
		return
	}
	if fault != nil {
		fault.write(w)
		return
	}
	if value(route.dto.Type) == typeGraphQL {
		if route.operations, fault = graphQLOperationsOf(r, &route.dto); fault != nil {
			fault.write(w)
			return
		}
	}
	sandbox := false
	if slices.ContainsFunc(route.operations, func(op apiOperation) bool { return op.AuthType != "None" }) {
		if sandbox, fault = am.authenticate(r, route); fault != nil {
			fault.write(w)
			return
		}
	}
	am.forward(w, r, route, sandbox)
}

// apiRoute is where a request goes.
type apiRoute struct {
	api        *api
	dto        apiDTO
	operations []apiOperation // one, or those that a query asks for
	path       string         // behind context and version, with its slash
}

// route finds the deployed API and its operation: the longest context wins.
func (am *AM) route(r *http.Request) (apiRoute, *gatewayFault) {
	if am.uptime() < am.delays.AMReady || !am.selfTrusted || !am.callsItself {
		return apiRoute{}, errNoResource
	}
	now := time.Now()
	am.mu.Lock()
	defer am.mu.Unlock()
	a, dto, rest := am.lookup.deployedAt(r.URL.Path, now)
	if a == nil {
		return apiRoute{}, errNoResource
	}
	if a.dto.LifeCycleStatus == "BLOCKED" {
		return apiRoute{}, errBlocked
	}
	found := apiRoute{api: a, dto: *dto, path: rest}
	if value(dto.Type) == typeGraphQL { // its operations are in the body
		if r.Method != http.MethodPost {
			return found, errNoMethod
		}
		return found, nil
	}
	for _, op := range found.dto.Operations {
		if op.Verb == r.Method && matchesTarget(op.Target, found.path) {
			found.operations = []apiOperation{op}
			return found, nil
		}
	}
	if slices.ContainsFunc(found.dto.Operations, func(op apiOperation) bool { return matchesTarget(op.Target, found.path) }) {
		return found, errNoMethod
	}
	return apiRoute{}, errNoOperation
}

// preflight answers 200 whatever the origin and the method: whether the call is allowed shows the header alone.
func (am *AM) preflight(w http.ResponseWriter, r *http.Request, route apiRoute) {
	var methods []string
	for _, op := range route.dto.Operations {
		if matchesTarget(op.Target, route.path) {
			methods = append(methods, op.Verb)
		}
	}
	if value(route.dto.Type) == typeGraphQL {
		methods = []string{http.MethodPost}
	}
	if wanted := r.Header.Get("Access-Control-Request-Method"); wanted != "" && !slices.Contains(methods, wanted) {
		errNoMethod.write(w)
		return
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(methods, ","))
	if cors := route.dto.CorsConfiguration; cors != nil {
		w.Header().Set("Access-Control-Allow-Headers", strings.Join(cors.AllowHeaders, ","))
	}
	allowOrigin(w, r, &route.dto)
	w.WriteHeader(http.StatusOK)
}

// allowOrigin says whether the origin of a request may read the answer: any where CORS is off, and the empty text for one
// that may not.
func allowOrigin(w http.ResponseWriter, r *http.Request, dto *apiDTO) {
	allowed := "*"
	if cors := dto.CorsConfiguration; cors != nil && cors.Enabled {
		origin := r.Header.Get("Origin")
		switch {
		case slices.Contains(cors.AllowOrigins, origin):
			allowed = origin
		case !slices.Contains(cors.AllowOrigins, "*"):
			allowed = ""
		}
		w.Header().Set("Access-Control-Allow-Credentials", strconv.FormatBool(cors.AllowCredentials))
	}
	w.Header().Set("Access-Control-Allow-Origin", allowed)
}

// matchesTarget compares a path with a URI template: {name} is one segment, a * at the end anything.
func matchesTarget(target, path string) bool {
	prefix, open := strings.CutSuffix(target, "*")
	want, have := strings.Split(strings.Trim(prefix, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if open && prefix == "/" {
		return true
	}
	if len(have) < len(want) || len(have) > len(want) && !open {
		return false
	}
	for i, segment := range want {
		if segment != have[i] && !(strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")) {
			return false
		}
	}
	return true
}

// authenticate checks token, subscription and scopes, in this order, and says whether the key is one for the sandbox.
func (am *AM) authenticate(r *http.Request, route apiRoute) (sandbox bool, _ *gatewayFault) {
	credentials := r.Header.Get(value(route.dto.AuthorizationHeader))
	if credentials == "" {
		return false, missingToken(route.dto.AuthorizationHeader)
	}
	token, isBearer := strings.CutPrefix(credentials, "Bearer ")
	if !isBearer {
		return false, missingToken(route.dto.AuthorizationHeader)
	}
	parsed, err := parseJWT(token)
	if err != nil {
		at := fullContext(&route.dto)
		return false, &gatewayFault{401, "900901", "Invalid Credentials", fmt.Sprintf(
			"Access failure for API: %s, version: %s status: (900901) - Invalid Credentials. %s", at, value(route.dto.Version), checkCredentials)}
	}
	now := time.Now()
	am.mu.Lock()
	refusedFrom, revoked := am.revoked[parsed.claims.ID]
	manager := am.byIssuer(parsed.claims.Issuer, now)
	am.mu.Unlock()
	if manager == nil {
		return false, errBadToken
	}
	if fault := am.checkSignature(r.Context(), parsed, manager); fault != nil {
		return false, fault
	}
	switch {
	case revoked && !now.Before(refusedFrom):
		return false, errRevoked
	case now.Unix() >= parsed.claims.Expiry:
		return false, errBadToken
	}
	return am.authorize(parsed, manager, route, now)
}

// checkSignature verifies a token with the key manager's published keys. They are fetched when a token names a key that
// is not among those at hand, over a connection that the truststore has to vouch for.
func (am *AM) checkSignature(ctx context.Context, token parsedJWT, manager *keyManager) *gatewayFault {
	am.mu.Lock()
	certificates := manager.dto.Certificates
	am.mu.Unlock()
	if certificates == nil || certificates.Value == "" {
		return errUnclassified
	}
	if pinned := value(certificates.Type) == certificatePEM; pinned || manager.resident() {
		key := &am.signer.key.PublicKey
		if pinned {
			key = pinnedKey(certificates.Value)
		}
		if !token.signedBy(key) {
			return errBadToken
		}
		return nil
	}
	am.mu.Lock()
	key := am.keySets[certificates.Value].key(token.kid)
	am.mu.Unlock()
	if key == nil {
		fetched, err := am.connector.keySet(ctx, certificates.Value)
		if err != nil {
			am.log.Error("keys of the key manager not fetched", "keyManager", manager.label, "error", err)
			return errUnclassified
		}
		am.mu.Lock()
		am.keySets[certificates.Value] = fetched
		am.mu.Unlock()
		key = fetched.key(token.kid)
	}
	if !token.signedBy(key) {
		return errBadToken
	}
	return nil
}

// authorize asks whether the application of the token has subscribed to the API, and whether it has the scopes.
func (am *AM) authorize(token parsedJWT, manager *keyManager, route apiRoute, now time.Time) (sandbox bool, _ *gatewayFault) {
	am.mu.Lock()
	defer am.mu.Unlock()
	mapping := am.mappingOf(manager, token.claims.Azp, now)
	if !slices.Contains(route.dto.Policies, subscriptionless) {
		managers := route.dto.keyManagers()
		accepted := slices.Contains(managers, allKeyManagers) || slices.Contains(managers, manager.label)
		if mapping == nil || !accepted || !am.isSubscribed(mapping.application, route.api, now) {
			return false, errNoSubscriber
		}
		if am.lookup.ofApplication[mapping.application][route.api].blockedFor(mapping.keyType, now) {
			return false, errSubscriptionBlocked
		}
	}
	have := token.claims.Scope
	for _, op := range route.operations {
		if len(op.Scopes) > 0 && !slices.ContainsFunc(op.Scopes, func(s string) bool { return slices.Contains(have, s) }) {
			return false, &gatewayFault{403, "900910", "The access token does not allow you to access the requested resource",
				"User is NOT authorized to access the Resource: " + op.Target + ". Scope validation failed."}
		}
	}
	return mapping != nil && mapping.keyType == "SANDBOX", nil
}

func (am *AM) mappingOf(manager *keyManager, client string, now time.Time) *keyMapping {
	for _, m := range am.lookup.byClient[client] {
		if m.keyManager == manager && client != "" && !now.Before(m.known) {
			return m
		}
	}
	return nil
}

func (am *AM) isSubscribed(app *application, a *api, now time.Time) bool {
	s := am.lookup.ofApplication[app][a]
	return s != nil && !now.Before(s.known)
}
