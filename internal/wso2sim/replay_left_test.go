package wso2sim

// The steps of the recordings of the second round that are not sent, by their names, with the reason.

// leftOut gives every name its reason.
func leftOut(names map[string][]string) map[string]string {
	out := map[string]string{}
	for reason, steps := range names {
		for _, step := range steps {
			out[step] = reason
		}
	}
	return out
}

var leftOutOfAdministration = leftOut(map[string][]string{
	"the agent reads no configuration of the portals": {
		"admin settings", "admin tenant-config", "admin organizations", "admin workflows",
	},
	"the agent makes neither deny policies nor custom ones": {
		"admin throttling/policies/custom", "admin throttling/deny-policies", "admin throttling/policies/search", "deny policy create",
		"deny policy create again", "deny policy, unknown API", "deny policies", "deny policy off", "deny policy delete",
	},
	"the stand-in of API Manager has one user, the administrator": {
		"admin system-scopes", "admin system-scopes/role-aliases", "user sub: create", "user none: create", "user norole: create",
		"user short: create", "role create", "roles of a user", "users list", "user exists", "user of an unknown role exists?",
		"user of a short password exists?", "roles of the user made twice", "API-M scim2/Users", "role exists", "role does not exist",
		"scope of a user", "scope of a user who lacks it", "scope, unknown", "user without roles: DevPortal", "role aliases, before",
		"role aliases put", "role aliases, after", "user with the alias' role: DevPortal", "role aliases put, unknown role",
		"role aliases put back", "user without the alias: DevPortal", "DevPortal's key managers, as a subscriber", "user sub: delete",
		"user none: delete", "role delete",
	},
	"the agent attaches no labels": {
		"admin labels", "label create", "label create again", "label attach by name", "label attach", "label of the API", "label delete, used",
		"label delete",
	},
	"the stand-in of API Manager takes every name for that of a user, and has no second one that calls": {
		"admin applications", "owner: by user", "owner: change", "owner: first DevPortal call of the new one", "owner: application seen by the new one", "owner: change to nobody",
	},
	"the agent changes no providers": {
		"provider: change", "provider: get", "provider: change to nobody",
		"provider: back", "admin apis", "end: left over",
	},
})

var leftOutOfDevPortal = leftOut(map[string][]string{
	"the stand-in of API Manager has one user, the administrator": {
		"user sub: create", "user cre: create", "user non: create", "user pub: create", "subscriber: publisher list",
		"subscriber: admin key managers", "subscriber: DevPortal applications", "subscriber: api create", "creator: publisher list",
		"creator: admin key managers", "creator: DevPortal applications", "creator: api create", "creator: publishes (asked by admin)",
		"creator: its api deleted by admin", "publisher: publisher list", "publisher: admin key managers", "publisher: DevPortal applications",
		"publisher: api create", "no role: publisher list", "no role: admin key managers", "no role: DevPortal applications",
		"no role: api create", "creator: api", "creator: publish", "creator: revision", "publisher: publish", "publisher: api put",
		"creator: api get by another creator's eyes (admin)", "creator: delete", "creator: delete by admin", "application, of another user",
		"application put by another user", "application create, subscriber's", "application, admin sees the subscriber's",
		"application create, subscriber's, admin's name", "application subscriber's second: delete", "subscription, closed API, as subscriber",
		"subscription, open API, as subscriber", "subscription, to another's application", "oauth-keys of another user",
		"keys, IS, subscriber's", "subscriber: oauth-keys", "subscriber: IS's client",
		"subscriber's key asks IS for a right of its administrator", "subscriber's key lists IS's users",
		"subscriber's key asks IS for the right to list roles", "subscriber's key lists IS's roles", "keys, unknown grant",
		"keys, IS, unknown grant", "subscriber: oauth-keys after unknown grants", "application delete, subscriber's, with keys and subscription",
		"subscriber: IS's client after it", "api delete, its subscriber's application gone", "application delete, another's", "user sub: delete",
		"user cre: delete", "user non: delete", "user pub: delete",
	},
	"the agent makes no API keys, resets no quota and reads no tags": {
		"tags", "API key generate", "API key revoke", "reset throttling",
	},
	"the agent reads no configuration of the portals": {
		"DevPortal settings",
	},
})

var leftOutOfGateway = leftOut(map[string][]string{
	"the administrator of the stand-in has every scope": {
		"call, read by IS's admin, who has not the role that the connector made",
	},
	"the recorder had a back end of its own; time-outs and suspended endpoints do not exist": {
		"call, back end slower than its limit of 2 s, 25 s", "call, back end says 503", "call, back end not there, again",
	},
	"the agent makes no API keys": {
		"API key generate", "call, API key, try 0", "call, API key, read without scope", "call, API key, garbage",
	},
	"the gateway counts no calls: there is no throttling": {
		"throttled by maxTps, try 0", "throttled by the operation's tier, try 3", "throttled by the subscription's tier, try 4",
		"not throttled after the tier is back, try 1",
	},
})

var leftOutOfUsers = leftOut(map[string][]string{
	"the agent asks for no capabilities of SCIM": {
		"service provider config", "resource types",
	},
	"the agent sends no bulk requests": {
		"bulk", "bulk: find", "bulk: delete",
	},
})

var leftOutOfRoles = leftOut(map[string][]string{
	"the agent reads the scopes of one resource": {
		"scopes of all",
	},
	"the stand-in has one resource of this type": {
		"system api resource",
	},
	"the stand-in lacks the roles of Console": {
		"roles list", "roles list, startIndex 2",
	},
	"the agent uses version 2 of the roles": {
		"roles v1 list", "roles v1 create", "roles v1: delete",
	},
})

var leftOutOfApplications = leftOut(map[string][]string{
	"the agent changes no application of IS but its authorization": {
		"application oidc", "application oidc put, unchanged", "application oidc after put", "application oidc put, token lifetime and grants",
		"application oidc, changed", "dcr get after that", "application inbound protocols", "application saml, not there",
		"application oidc: regenerate secret", "application patch", "dcr put after the patch", "dcr put, other name", "application create",
		"application create: find", "application create: get", "application create: oidc", "application create again",
		"application create, no name", "application create, bad callback", "application create, unknown grant", "application export",
		"application share",
	},
})

var leftOutOfTokens = leftOut(map[string][]string{
	"the agent changes no application of IS but its authorization": {
		"application: claims asked for", "userinfo, with claims", "oidc get", "oidc put, 2 s for applications", "introspect, expired",
		"Me, expired", "oidc regenerate secret", "introspect, secret changed", "token old secret", "token new secret", "application disabled",
	},
})

var leftOutOfLogins = leftOut(map[string][]string{
	"the stand-in sets no cookies, so that everybody logs in each time": {
		"fifth, session is there: authorize", "token, right again", "userinfo", "token, refresh",
	},
	"the agent changes no application of IS but its authorization": {
		"application: no consent asked", "sixth, no consent: authorize", "sixth, no consent: login", "sixth, no consent: back to authorize",
		"token, no consent",
	},
	"the agent logs nobody out": {
		"logout",
	},
	"the agent logs nobody in over JSON": {
		"JSON login: authorize without secret", "JSON login: authorize", "JSON login: wrong password", "JSON login: password",
		"token, JSON login", "JSON login: unknown flow",
	},
})
