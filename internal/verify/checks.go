package verify

import "context"

// Definition is a row of the table of checks.
type Definition struct {
	ID    string   // subject and name, such as km.issuer
	Name  string   // what holds if the check passes
	Asks  string   // whom it asks
	File  bool     // it is about the desired state, and skipped without one
	Write bool     // it makes objects on the servers, and removes them again
	Needs []string // ids of the checks that must have passed before
	Fails failing  // whether a failure fails a bootstrap, too; of the other failures it warns

	do func(*inspection, context.Context) []Check
}

// failing says when a failure fails a bootstrap.
type failing int

// What a bootstrap has set up must work. The rest is often a matter of a person, such as the clocks, or of the agent next to IS, which may
// be about to change it.
const (
	never  failing = iota
	withIS         // if the keys of the application are of IS
	always
)

// Whom a check asks.
const (
	asksIS      = "IS"
	asksAM      = "API-M"
	asksBoth    = "IS, API-M"
	asksGateway = "gateway"
	asksFiles   = "files"
)

// Ids of checks that others need or name.
const (
	isReady          = "is.ready"
	amReady          = "am.ready"
	trustAM          = "trust.am"
	kmRegistered     = "km.registered"
	tokenClient      = "token.client"
	tokenSignature   = "token.signature"
	tokenPassword    = "token.password"
	isHandler        = "is.handler"
	keysManager      = "keys.manager"
	scopesAuthorized = "scopes.authorized"
	apiLoaded        = "api.loaded"
	revokedRefused   = "gateway.revoked"
	application      = "app.made"
	apiCalled        = "api.called"
	wrongRefused     = "gateway.wrong-token"
)

// Checks returns the table of checks, in the order in which they run.
func Checks() []Definition {
	return []Definition{
		{ID: isReady, Name: "IS serves requests", Asks: asksIS, Fails: withIS, do: one((*inspection).isReady)},
		{ID: amReady, Name: "API-M and its gateway serve requests", Asks: asksAM, Fails: always, do: one((*inspection).amReady)},
		{ID: "clock.skew", Name: "the clocks of the agent and of both servers agree", Asks: asksBoth, Needs: []string{isReady, amReady}, do: one((*inspection).clocks)},

		{ID: kmRegistered, Name: "IS is registered as key manager, once", Asks: asksAM, Needs: []string{amReady}, Fails: withIS, do: one((*inspection).kmRegistered)},

		{ID: "trust.store", Name: "the truststore of the own server holds the certificate that the peer presents", Asks: asksFiles, do: one((*inspection).trustStore)},
		{ID: trustAM, Name: "the running API-M trusts IS", Asks: asksAM, Needs: []string{kmRegistered, isReady}, Fails: withIS, do: one((*inspection).trustAM)},
		{ID: "trust.is", Name: "the running IS trusts API-M", Asks: asksFiles, Needs: []string{amReady}, do: one((*inspection).trustIS)},
		{ID: "trust.name", Name: "API-M's certificate has the name that IS verifies", Asks: asksAM, Needs: []string{amReady}, do: one((*inspection).trustName)},

		{ID: "km.enabled", Name: "the key manager is enabled", Asks: asksAM, Needs: []string{kmRegistered}, Fails: withIS, do: one((*inspection).kmEnabled)},
		{ID: "km.type", Name: "the key manager has the connector for IS 7", Asks: asksAM, Needs: []string{kmRegistered}, Fails: withIS, do: one((*inspection).kmType)},
		{ID: "km.issuer", Name: "the issuer of the key manager is the one that IS announces", Asks: asksBoth, Needs: []string{kmRegistered, isReady}, Fails: withIS, do: one((*inspection).kmIssuer)},
		{ID: "km.userinfo", Name: "UserInfo of the key manager is /scim2/Me, and answers", Asks: asksBoth, Needs: []string{kmRegistered, isReady}, Fails: withIS, do: one((*inspection).kmUserInfo)},
		{ID: "km.jwks", Name: "API-M reaches the keys that sign the tokens", Asks: asksBoth, Needs: []string{kmRegistered, isReady, trustAM}, Fails: withIS, do: one((*inspection).kmJWKS)},

		{ID: "is.settings", Name: "IS runs with the settings that API-M needs", Asks: asksFiles, do: one((*inspection).isSettings)},
		{ID: isHandler, Name: "IS has the handler that reports revoked tokens, in a version that it can load", Asks: asksFiles, do: one((*inspection).isHandler)},
		{ID: "security.scopes", Name: "no API subscriber can administer IS by scopes", Asks: asksIS, Write: true, Needs: []string{isReady}, do: one((*inspection).closedScopes)},
		{ID: "security.scim11", Name: "no API subscriber can administer IS by SCIM 1.1", Asks: asksIS, Write: true, Needs: []string{isReady}, do: one((*inspection).closedSCIM11)},

		{ID: "scopes.reached", Name: "the scopes of the APIs are in IS", Asks: asksBoth, File: true, Needs: []string{isReady, amReady}, do: one((*inspection).scopesReached)},
		{ID: scopesAuthorized, Name: "every application of API-M is authorized in IS for its scopes", Asks: asksIS, Needs: []string{isReady}, do: one((*inspection).scopesAuthorized)},

		{ID: keysManager, Name: "the keys of the application belong to the right key manager", Asks: asksAM, File: true, Needs: []string{amReady}, do: one((*inspection).keysManager)},
		{ID: "keys.accepted", Name: "the token endpoint accepts the keys of the application", Asks: asksIS, Fails: always, do: one((*inspection).keysAccepted)},

		{ID: apiLoaded, Name: "the gateway has the API", Asks: asksGateway, File: true, Needs: []string{amReady}, Fails: always, do: (*inspection).apisLoaded},
		{ID: application, Name: "API-M makes an application with keys", Asks: asksBoth, Write: true, Needs: []string{amReady}, Fails: always, do: one((*inspection).makeApplication)},
		{ID: tokenClient, Name: "a client gets a token for itself", Asks: asksIS, Write: true, Needs: []string{application}, Fails: always, do: one((*inspection).tokenClient)},
		{ID: tokenSignature, Name: "a published key has signed the token", Asks: asksIS, Write: true, Needs: []string{tokenClient}, Fails: always, do: one((*inspection).tokenSignature)},
		{ID: "token.issuer", Name: "the token has the issuer of the key manager", Asks: asksIS, Write: true, Needs: []string{tokenClient}, Fails: always, do: one((*inspection).tokenIssuer)},
		{ID: "token.audience", Name: "the token names its client", Asks: asksIS, Write: true, Needs: []string{tokenClient}, do: one((*inspection).tokenAudience)},
		{ID: "token.lifetime", Name: "the token is valid now, and as long as IS says", Asks: asksIS, Write: true, Needs: []string{tokenClient}, do: one((*inspection).tokenLifetime)},
		{ID: "is.me", Name: "IS runs with the access to /scim2/Me that API-M needs", Asks: asksIS, Write: true, Needs: []string{tokenClient}, do: one((*inspection).isMe)},
		{ID: apiCalled, Name: "the API answers through the gateway", Asks: asksGateway, File: true, Write: true, Needs: []string{tokenClient}, Fails: always, do: (*inspection).apisCalled},
		{ID: tokenPassword, Name: "a user gets a token that a published key has signed", Asks: asksIS, Write: true, Needs: []string{tokenSignature}, do: one((*inspection).tokenPassword)},
		{ID: wrongRefused, Name: "the gateway refuses a wrong token", Asks: asksGateway, Write: true, Needs: []string{apiCalled}, Fails: always, do: one((*inspection).wrongTokenRefused)},
		{ID: "gateway.subscription", Name: "the gateway refuses an application without a subscription", Asks: asksGateway, Write: true, Needs: []string{apiCalled}, Fails: always, do: one((*inspection).subscriptionRefused)},
		{ID: "gateway.scope", Name: "the gateway refuses a token without the scope", Asks: asksGateway, Write: true, Needs: []string{apiCalled}, Fails: always, do: one((*inspection).scopeRefused)},
		{ID: revokedRefused, Name: "the gateway refuses a token that is revoked at the key manager", Asks: asksGateway, Write: true, Needs: []string{wrongRefused}, Fails: always, do: one((*inspection).revokedRefused)},
		{ID: "notify.endpoint", Name: "API-M accepts the notice of a revoked token as IS sends it", Asks: asksAM, Write: true, Needs: []string{wrongRefused}, do: one((*inspection).noticeAccepted)},
	}
}

// one makes a check with one result a check of the table.
func one(check func(*inspection, context.Context) Check) func(*inspection, context.Context) []Check {
	return func(i *inspection, ctx context.Context) []Check { return []Check{check(i, ctx)} }
}
