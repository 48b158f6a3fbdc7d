package wso2sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Scopes of the REST APIs, as the products' own specifications give them to each operation: any one suffices.
var (
	scopesAPIView      = []string{"apim:api_view", "apim:api_manage", "apim:api_import_export", "apim:api_list_view"}
	scopesAPICreate    = []string{"apim:api_create", "apim:api_manage"}
	scopesImport       = []string{"apim:api_import_export", "apim:admin"}
	scopesAPIWrite     = []string{"apim:api_create", "apim:api_manage", "apim:api_publish"}
	scopesAPIDelete    = []string{"apim:api_delete", "apim:api_manage", "apim:api_import_export"}
	scopesRevisionView = []string{"apim:api_view", "apim:api_create", "apim:api_manage", "apim:api_publish", "apim:api_import_export"}
	scopesRevision     = []string{"apim:api_create", "apim:api_manage", "apim:api_publish", "apim:api_import_export"}
	scopesLifecycle    = []string{"apim:api_publish", "apim:api_manage", "apim:api_import_export"}
	scopesTierView     = []string{"apim:api_view", "apim:tier_view", "apim:tier_manage"}
	scopesSubView      = []string{"apim:api_view", "apim:subscription_view", "apim:subscription_manage"}
	scopesAdmin        = []string{"apim:admin", "apim:admin_operations", "apim:keymanagers_manage"}
	scopesApplication  = []string{"apim:subscribe", "apim:app_manage"}
	scopesSubscription = []string{"apim:subscribe", "apim:sub_manage"}
)

// operation is one of the REST APIs. It holds the server's lock, and its error is written as a fault. Those that call
// other servers are made with unlocked instead.
type operation func(w http.ResponseWriter, r *http.Request) error

// locked puts an operation behind authentication and the lock.
func (am *AM) locked(scopes []string, op operation) http.HandlerFunc {
	return am.unlocked(scopes, func(w http.ResponseWriter, r *http.Request) error {
		am.mu.Lock()
		defer am.mu.Unlock()
		return op(w, r)
	})
}

// unlocked puts an operation behind authentication.
func (am *AM) unlocked(scopes []string, op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !am.allowed(r, scopes) {
			errUnauthenticated.write(w)
			return
		}
		if err := op(w, r); err != nil {
			f := asFault(err)
			if f.status >= http.StatusInternalServerError {
				am.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			f.write(w)
		}
	}
}

// allowed takes the admin's Basic credentials, or a live token with one of the scopes. A token that lacks them is 401
// too: there is no 403.
func (am *AM) allowed(r *http.Request, scopes []string) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return user == am.admin && password == am.password
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	t := am.oauth.tokens[token]
	return t != nil && t.live(time.Now()) &&
		slices.ContainsFunc(t.scopes, func(s string) bool { return slices.Contains(scopes, s) })
}

// anonymousRoutes are what the portals show to everyone.
func (am *AM) anonymousRoutes(mux *http.ServeMux) {
	for _, portal := range []struct{ path, title string }{
		{"/api/am/publisher/v4", "WSO2 API Manager - Publisher API"},
		{"/api/am/devportal/v3", "WSO2 API Manager - Developer Portal"},
		{"/api/am/admin/v4", "WSO2 API Manager - Admin"},
	} {
		mux.HandleFunc("GET "+portal.path+"/swagger.yaml", func(w http.ResponseWriter, r *http.Request) {
			if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "yaml") && !strings.Contains(accept, "*/*") {
				w.WriteHeader(http.StatusNotAcceptable)
				return
			}
			w.Header().Set("Content-Type", "text/yaml")
			_, _ = w.Write([]byte("openapi: 3.0.1\ninfo:\n  title: " + portal.title + "\n  version: v4\npaths: {}\n"))
		})
	}
	show := func(path string, body object) {
		mux.HandleFunc("GET "+path+"/settings", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, body) })
	}
	gateways := []string{"Regular", "APK", "AWS"}
	show("/api/am/publisher/v4", object{
		"devportalUrl": nil, "environment": []any{}, "gatewayTypes": gateways, "gatewayFeatureCatalog": nil,
		"scopes": slices.Concat(scopesAPIView, scopesRevision, []string{"openid"}), "monetizationAttributes": []any{},
		"subscriberContactAttributes": []any{}, "securityAuditProperties": nil, "externalStoresEnabled": nil,
		"docVisibilityEnabled": nil, "portalConfigurationOnlyModeEnabled": false, "retryCallWithNewOAuthTokenEnabled": true,
		"crossTenantSubscriptionEnabled": false, "defaultAdvancePolicy": nil, "defaultSubscriptionPolicy": nil,
		"authorizationHeader": nil, "isJWTEnabledForLoginTokens": false, "orgAccessControlEnabled": nil,
		"allowSubscriptionValidationDisabling": true, "designAssistantEnabled": true, "aiAuthTokenProvided": false,
		"customProperties": []any{},
	})
	show("/api/am/devportal/v3", object{
		"grantTypes": []any{}, "scopes": slices.Concat(scopesApplication, scopesSubscription, []string{"openid"}),
		"applicationSharingEnabled": false, "mapExistingAuthApps": false, "apiGatewayEndpoint": nil, "monetizationEnabled": false,
		"recommendationEnabled": false, "IsUnlimitedTierPaid": false, "identityProvider": object{"external": false},
		"IsAnonymousModeEnabled": true, "IsPasswordChangeEnabled": true, "IsJWTEnabledForLoginTokens": false,
		"orgAccessControlEnabled": true, "userStorePasswordPattern": `^[\S]{5,30}$`, "passwordPolicyPattern": nil,
		"passwordPolicyMinLength": -1, "passwordPolicyMaxLength": -1, "apiChatEnabled": true, "aiAuthTokenProvided": false,
		"marketplaceAssistantEnabled": true, "orgWideAppUpdateEnabled": false,
	})
	show("/api/am/admin/v4", object{
		"scopes": slices.Concat(scopesAdmin, []string{"openid"}), "gatewayTypes": gateways, "IsJWTEnabledForLoginTokens": false,
		"orgAccessControlEnabled": true, "keyManagerConfiguration": []any{}, "gatewayConfiguration": []any{},
		"analyticsEnabled": nil, "transactionCounterEnable": false,
	})
}
