package speccheck

import (
	"regexp"
	"slices"
	"strings"
)

// exception is a violation that is none, for the servers themselves do so.
type exception struct {
	what    string // method and path template, and a * at the end for anything
	status  int    // of the answer; 0 is the request
	problem *regexp.Regexp
	reason  string
}

var exceptions = []exception{
	{"POST /api/identity/oauth2/dcr/v1.1/register", 0, regexp.MustCompile(`"redirect_uris" is missing`),
		"IS 7.1.0 registers clients without redirect_uris: their grants need none"},
	{"POST /internal/data/v1/notify", 0, regexp.MustCompile(`^/: value must be a string`),
		"the specification has a string for what is the event as a JSON object"},
	{"* /api/am/publisher/v4/apis/{apiId}/*", 200, regexp.MustCompile(`/(createdTime|deployedTime): value must be a string`),
		"times of revisions are numbers, in milliseconds"},
	{"* /api/am/publisher/v4/apis/{apiId}/*", 201, regexp.MustCompile(`/(createdTime|deployedTime): value must be a string`),
		"times of revisions are numbers, in milliseconds"},
	{"POST /api/am/publisher/v4/apis/import-openapi", 500, regexp.MustCompile(`status is not supported`),
		"two imports at a time, whose scopes are the first ones, can both make the resource for scopes in IS: one fails as any internal error"},
	{"PUT /api/am/publisher/v4/scopes/{scopeId}", 500, regexp.MustCompile(`status is not supported`),
		"two scopes that are saved at a time can both change one role in IS: one fails as any internal error"},
	{"POST /client-registration/v0.17/register", 200, regexp.MustCompile(`^/isSaasApplication: value must be a string`),
		"isSaasApplication is a boolean in the answer as saasApp is in the request"},
	{"* /api/identity/oauth2/dcr/v1.1/*", 400, regexp.MustCompile(`Content-Type has unexpected value: "text/plain"`),
		"broken JSON is answered with a line of text"},
	{"* /api/identity/oauth2/dcr/v1.1/*", 401, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"an unknown client is 401 with nothing in it"},
	{"* /api/identity/oauth2/dcr/v1.1/*", 500, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"a registration without a name is 500 with nothing in it"},
	{"POST /scim2/v2/Roles*", 0, regexp.MustCompile(`^/schemas: `),
		"roles are made and searched without schemas, and with a list of them, which the specification calls an object"},
	{"GET /scim2/Me", 200, regexp.MustCompile(`^/schemas: value must be an object`), "schemas are a list, as RFC 7644 has it"},
	{"PATCH /scim2/v2/Roles*", 200, regexp.MustCompile(`^/schemas: value must be an object`), "schemas are a list, as RFC 7644 has it"},
	{"* /scim2/Users*", 0, regexp.MustCompile(`^/(schemas: |username: property "username" is missing)`),
		"schemas are a list, or missing; the name is userName, which the specification writes in small letters"},
	{"* /scim2/Users*", 200, regexp.MustCompile(`/schemas: value must be an object`), "schemas are a list, as RFC 7644 has it"},
	{"* /scim2/Users*", 201, regexp.MustCompile(`/schemas: value must be an object`), "schemas are a list, as RFC 7644 has it"},
	{"* /scim2/*", 403, regexp.MustCompile(`^/(schemas|status|schema): `),
		"the handler in front of SCIM writes a list of schemas and a numeric status; \"schema\" is misspelt in the specification"},
	{"GET /scim2/Users", 200, regexp.MustCompile(`^/Resources/\d+/meta: property "meta" is missing`), "a list shows the attributes that were asked for"},
	{"* /scim2/*", 400, regexp.MustCompile(`^/(schemas|schema): `),
		"schemas are a list, as RFC 7644 has it; \"schema\" is misspelt in the specification"},
	{"* /scim2/*", 409, regexp.MustCompile(`^/(schemas|schema): `),
		"schemas are a list, as RFC 7644 has it; \"schema\" is misspelt in the specification"},
	{"* /scim2/*", 404, regexp.MustCompile(`^/(schemas|schema): `),
		"schemas are a list, as RFC 7644 has it; \"schema\" is misspelt in the specification"},
	{"GET /api/am/devportal/v3/applications/{applicationId}/keys/{keyType}", 200,
		regexp.MustCompile(`Content-Type has unexpected value: ""`), "no key of the type is 200 with nothing in it"},
	{"* /scim2/*", 401, regexp.MustCompile(`^/(schemas|status|schema): `),
		"the handler in front of SCIM writes a list of schemas and a numeric status; \"schema\" is misspelt in the specification"},
	{"GET /api/am/devportal/v3/throttling-policies/{policyLevel}", 200, regexp.MustCompile(`/(policyLevel: value is not one of|tierPlan: property "tierPlan" is missing)`),
		"policies of applications name their level in capitals and have no plan"},
	{"GET /api/am/publisher/v4/throttling-policies/{policyLevel}*", 0, regexp.MustCompile(`parameter policyLevel .*value is not one of`),
		"the level subscription is misspelt in the specification"},
	{"GET /api/am/publisher/v4/throttling-policies/{policyLevel}*", 200, regexp.MustCompile(`/(policyLevel: value is not one of|tierPlan: property "tierPlan" is missing)`),
		"the level is in capitals, and policies of APIs have no plan"},
	{"GET /api/am/publisher/v4/throttling-policies/{policyLevel}", 404, regexp.MustCompile(`status is not supported`),
		"an unknown level is 404"},
	{"GET /api/am/publisher/v4/apis/{apiId}/swagger", 200, regexp.MustCompile(`^/: value must be a string`),
		"the definition is an object and not a string with one in it"},
	{"POST /api/am/admin/v4/key-managers/discover", 200, regexp.MustCompile(`^/value/name: property "name" is missing`),
		"what discovery proposes has no name yet"},
	{"POST /api/am/publisher/v4/apis", 0, regexp.MustCompile(`^/(endpointConfig|operations|tags|transport|keyManagers|securityScheme): Value is not nullable`),
		"null is the same as what is left out"},
	{"* /api/am/publisher/v4/apis*", 0, regexp.MustCompile(`/parameters/\w+: value must be an object`),
		"parameters of a policy are texts"},
	{"* /api/am/publisher/v4/apis*", 200, regexp.MustCompile(`/parameters/\w+: value must be an object`),
		"parameters of a policy are texts"},
	{"* /api/am/publisher/v4/apis*", 201, regexp.MustCompile(`/parameters/\w+: value must be an object`),
		"parameters of a policy are texts"},
	{"GET /api/am/publisher/v4/operation-policies*", 200, regexp.MustCompile(`supportedApiTypes/\d+: value must be an object`),
		"a type of APIs is a text, or an object with a subtype"},
	{"POST /api/am/publisher/v4/apis/copy-api", 201, regexp.MustCompile(`^/version: string doesn't match`),
		"a copy takes a version with a space, which a new API may not have"},
	{"POST /api/am/publisher/v4/apis/validate", 404, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"no API of the name is 404 with nothing in it"},
	{"POST /api/am/publisher/v4/apis", 0, regexp.MustCompile(`^/operations/\d+/\w+: Value is not nullable`),
		"operations are taken over from the validation of a GraphQL schema, with their nulls"},
	{"POST /api/am/publisher/v4/apis/*", 0, regexp.MustCompile(`^/file: value must be a string`),
		"a file whose part of the form says that it is JSON is no text to the checker"},
	{"POST /api/am/publisher/v4/apis/validate-*", 0, regexp.MustCompile(`part x: undefined`),
		"a form with another field than those that are asked for"},
	{"GET /api/am/publisher/v4/apis", 404, regexp.MustCompile(`status is not supported`),
		"a limit that is no number is 404 with nothing in it"},
	{"GET /api/am/publisher/v4/apis/{apiId}/swagger", 406, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"another format than JSON is 406 with nothing in it"},
	{"PUT /api/am/publisher/v4/apis/{apiId}/swagger", 200, regexp.MustCompile(`^/: value must be a string`),
		"the definition is an object and not a string with one in it"},
	{"GET /api/am/publisher/v4/apis/{apiId}/asyncapi", 200, regexp.MustCompile(`^/: value must be a string`),
		"the definition is an object and not a string with one in it"},
	{"POST /api/am/publisher/v4/apis/{apiId}/documents/{documentId}/content", 201, regexp.MustCompile(`status is not supported`),
		"201 where the specification says 200"},
	{"GET /api/am/publisher/v4/apis/{apiId}/documents/{documentId}/content", 200, regexp.MustCompile(`Content-Type has unexpected value: "text/plain"`),
		"a text in line has its own type"},
	{"POST /api/am/publisher/v4/apis/{apiId}/documents/validate", 404, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"a name that is free is 404 with nothing in it"},
	{"POST /api/am/publisher/v4/apis/validate-graphql-schema", 200, regexp.MustCompile(`property "(name|errorMessage)" is missing`),
		"a schema without a mistake has no message, and no name"},
	{"POST /api/am/publisher/v4/endpoint-certificates", 0, regexp.MustCompile(`^/alias: maximum string length`),
		"an alias of more than 30 letters is taken"},
	{"POST /api/am/publisher/v4/endpoint-certificates", 201, regexp.MustCompile(`status is not supported`),
		"201 where the specification says 200"},
	{"PUT /api/am/admin/v4/*", 0, regexp.MustCompile(`Value is not nullable`),
		"what was read is written back, with what the server shows as null"},
	{"* /api/am/admin/v4/key-managers/{keyManagerId}", 200, regexp.MustCompile(`^/tokenValidation/\d+/value: value must be an object`),
		"a pattern that tells tokens apart is a string"},
	{"PUT /api/am/admin/v4/key-managers/{keyManagerId}", 0, regexp.MustCompile(`^/(tokenValidation/\d+/value: value must be an object|permissions/permissionType: value is not one of)`),
		"a pattern that tells tokens apart is a string; an unknown type of permissions is PUBLIC"},
	{"GET /api/am/devportal/v3/key-managers", 200, regexp.MustCompile(`/applicationConfiguration/\d+/default: value must be an object`),
		"what a property is by default is a string"},
	{"PUT /api/am/devportal/v3/applications/{applicationId}/oauth-keys/{keyMappingId}", 0,
		regexp.MustCompile(`^/(groupId|token/accessToken|callbackUrl|additionalProperties): Value is not nullable`), "keys that were read are written back"},
	{"GET /api/am/devportal/v3/applications/{applicationId}/oauth-keys/{keyMappingId}", 200, regexp.MustCompile(`Content-Type has unexpected value: ""`),
		"keys whose client is gone are 200 with nothing in it"},
	{"GET /api/am/devportal/v3/apis/{apiId}/subscription-policies", 200, regexp.MustCompile(`^/: value must be an object`), "the answer is a list"},
	{"GET /api/am/devportal/v3/apis/{apiId}/swagger", 200, regexp.MustCompile(`^/: value must be a string`),
		"the definition is an object and not a string with one in it"},
	{"GET /api/am/devportal/v3/throttling-policies/{policyLevel}", 200, regexp.MustCompile(`/throttlingPolicyPermissions/type: value is not one of`),
		"the type of permissions is in capitals"},
	{"* /scim2/*", 200, regexp.MustCompile(`/emails/\d+: value must be an object`), "addresses without a type are strings"},
	{"POST /scim2/Users", 201, regexp.MustCompile(`^/emails/\d+: value must be an object`), "addresses without a type are strings"},
	{"* /scim2/Users*", 0, regexp.MustCompile(`^/(emails/\d+: value must be an object|Operations/\d+/value: value must be an object)`),
		"addresses without a type are strings; a path leads to a text"},
	{"PATCH /scim2/v2/Roles/{id}", 0, regexp.MustCompile(`^/Operations/\d+/value: value must be an array`), "an operation without a path has an object, and a name is a text"},
	{"* /scim2/Groups*", 0, regexp.MustCompile(`^/schemas: `), "schemas may be missing"},
	{"PATCH /scim2/Groups/{id}", 200, regexp.MustCompile(`^/schemas: value must be an object`), "schemas are a list, as RFC 7644 has it"},
	{"GET /api/server/v1/api-resources/{apiResourceId}", 200, regexp.MustCompile(`^/self: property "self" is missing`), "only a list says where a resource is"},
	{"GET /api/server/v1/applications/{applicationId}", 200, regexp.MustCompile(`/inboundProtocols/\d+/name: property "name" is missing`), "a protocol has a type and no name"},
	{"GET /api/am/publisher/v4/settings", 200, regexp.MustCompile(`^/subscriberContactAttributes: `),
		"the specification says object and describes the items of an array, which it is"},
}

func excepted(what string, status int, line string) bool {
	return slices.ContainsFunc(exceptions, func(e exception) bool {
		return e.status == status && matches(e.what, what) && e.problem.MatchString(line)
	})
}

// matches compares method and path template with a pattern, in which * is any method, or any end of a path.
func matches(pattern, what string) bool {
	if rest, ok := strings.CutPrefix(pattern, "* "); ok {
		_, path, _ := strings.Cut(what, " ")
		return matches(rest, path)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(what, prefix)
	}
	return pattern == what
}

// unlisted are answers that an operation's specification leaves out. Those of API Manager must have the common form of
// its errors; Identity Server's have forms of their own, and are held against the recordings alone.
var unlisted = []struct {
	what     string
	statuses []int
	reason   string
}{
	{"* /api/am/*", []int{401}, "credentials are looked at in front of every operation"},
	{"POST /api/am/publisher/v4/apis", []int{409, 500}, "names and contexts in use; a key manager that cannot be reached"},
	{"PUT /api/am/publisher/v4/apis/{apiId}", []int{400, 500}, "a key manager that cannot be reached"},
	{"DELETE /api/am/publisher/v4/apis/{apiId}", []int{500}, "an unknown id is an unchecked error"},
	{"POST /api/am/publisher/v4/apis", []int{404}, "a local scope for a role that does not exist"},
	{"GET /api/am/publisher/v4/apis", []int{500}, "an empty value in a search"},
	{"GET /api/am/publisher/v4/apis/{apiId}/revisions/{revisionId}", []int{501}, "not implemented"},
	{"POST /api/am/publisher/v4/apis/{apiId}/undeploy-revision", []int{500}, "no body"},
	{"POST /api/am/publisher/v4/endpoint-certificates", []int{409}, "an alias that is taken"},
	{"* /api/am/publisher/v4/apis/{apiId}/swagger", []int{500}, "a definition without paths; a streaming API"},
	{"POST /api/am/publisher/v4/apis/import-openapi", []int{409}, "the API exists"},
	{"POST /api/am/publisher/v4/apis/import-graphql-schema", []int{500}, "the API exists"},
	{"PUT /api/am/publisher/v4/apis/{apiId}/graphql-schema", []int{500}, "a broken schema"},
	{"POST /api/am/publisher/v4/apis/validate-asyncapi", []int{500}, "a broken definition"},
	{"POST /api/am/publisher/v4/apis/{apiId}/documents", []int{409, 500}, "a name that is taken; a document without a summary"},
	{"POST /api/am/publisher/v4/apis/copy-api", []int{409}, "the version exists"},
	{"POST /api/am/publisher/v4/apis/import", []int{400}, "an archive without a root folder"},
	{"POST /api/am/publisher/v4/apis/{apiId}/revisions", []int{400, 500}, "the sixth revision"},
	{"DELETE /api/am/publisher/v4/apis/{apiId}/revisions/{revisionId}", []int{400, 404}, "a deployed revision"},
	{"POST /api/am/publisher/v4/apis/{apiId}/deploy-revision", []int{500}, "no revision in the query"},
	{"POST /api/am/publisher/v4/scopes", []int{409, 500}, "a name that is taken; a key manager that cannot be reached"},
	{"DELETE /api/am/publisher/v4/scopes/{scopeId}", []int{409}, "a scope that an API uses"},
	{"GET /api/am/devportal/v3/apis/{apiId}", []int{403}, "an API that is not published"},
	{"POST /api/am/devportal/v3/applications", []int{500}, "a database that cannot be written"},
	{"POST /api/am/devportal/v3/applications/{applicationId}/generate-keys", []int{403, 404, 409, 500}, "a key manager that is denied; keys that exist, or cannot be made"},
	{"POST /api/am/devportal/v3/applications/{applicationId}/map-keys", []int{404, 409, 500}, "keys that exist, or clients that do not"},
	{"POST /api/am/devportal/v3/applications/{applicationId}/keys/{keyType}/generate-token", []int{404, 500}, "no keys of that type"},
	{"POST /api/am/devportal/v3/applications/{applicationId}/oauth-keys/{keyMappingId}/generate-token", []int{404, 500}, "a secret that is wrong"},
	{"POST /api/am/devportal/v3/subscriptions", []int{403, 404, 409, 500}, "tiers that the API lacks, duplicates, unpublished APIs"},
	{"PUT /api/am/devportal/v3/subscriptions/{subscriptionId}", []int{403}, "a tier that the API lacks"},
	{"* /api/am/admin/v4/throttling/policies/*", []int{409, 500}, "a name that is taken; a policy in use"},
	{"* /api/am/admin/v4/api-categories*", []int{500}, "every failure of a category"},
	{"* /api/am/admin/v4/environments*", []int{400, 500}, "a read-only environment; one without a provider"},
	{"* /api/am/devportal/v3/applications*", []int{400, 403, 404, 409, 500}, "unknown keys and policies, orders that do not exist"},
	{"* /api/am/devportal/v3/subscriptions*", []int{400, 404, 500}, "neither application nor API; tiers that the API lacks"},
	{"POST /api/am/publisher/v4/subscriptions/block-subscription", []int{500}, "an unknown state"},
	{"POST /api/am/admin/v4/key-managers", []int{404}, "a role that does not exist"},
	{"POST /api/am/admin/v4/key-managers", []int{409, 500}, "a name that is taken; missing fields that the server does not look for"},
	{"PUT /api/am/admin/v4/key-managers/{keyManagerId}", []int{500}, "missing fields that the server does not look for"},
	{"DELETE /api/am/admin/v4/key-managers/{keyManagerId}", []int{412}, "a key manager in use"},
	{"POST /api/am/admin/v4/key-managers/discover", []int{500}, "an address that does not answer"},
	{"POST /client-registration/v0.17/register", []int{400, 403}, "a user that does not exist, or is another"},
	{"POST /internal/data/v1/notify", []int{401}, "credentials are looked at in front of every operation"},
	{"* /api/identity/oauth2/dcr/v1.1/*", []int{400, 401, 404, 500}, "unknown clients, names that are taken"},
	{"POST /api/server/v1/api-resources", []int{201}, "201 where the specification says 200"},
	{"DELETE /api/server/v1/api-resources/{apiResourceId}/scopes/{scopeName}", []int{204}, "the specification lists errors alone"},
	{"* /api/server/v1/*", []int{401, 403, 404}, "credentials are looked at in front of every operation; an unknown id"},
	{"* /api/server/v1/*", []int{400}, "headers that are longer than the server takes"},
	{"POST /api/server/v1/applications/{applicationId}/authorized-apis", []int{200, 409}, "200 where the specification says 201; 409 for one that exists"},
	{"* /api/identity/oauth2/dcr/v1.1/*", []int{403}, "a right that is missing"},
	{"* /scim2/Me", []int{403}, "a token that no access control rule lets in"},
	{"* /scim2/v2/Roles*", []int{400, 401, 403, 404, 409}, "names that are taken or reserved; a right that is missing"},
	{"* /scim2/Groups*", []int{400, 404, 409}, "names that are taken; members that do not exist"},
	{"* /scim2/Users*", []int{500}, "a PATCH without operations"},
	{"* /scim2/Users*", []int{400, 404, 409}, "names that are taken, passwords that are too weak"},
}

func isUnlisted(what string, status int) bool {
	for _, u := range unlisted {
		if slices.Contains(u.statuses, status) && matches(u.what, what) {
			return true
		}
	}
	return false
}

// unspecified are operations that the servers have and no specification here names.
var unspecified = regexp.MustCompile(`^GET /api/am/(publisher/v4|devportal/v3|admin/v4)/swagger\.yaml$|` +
	`^(POST|GET) /api/am/devportal/v3/applications/[^/]+/oauth-keys/[^/]+/(generate-secret|secrets|revoke-secret)$|` + // from API-M 4.7 on
	`^HEAD /api/am/publisher/v4/apis/[^/]+$|` + // which is 401
	`^POST /api/server/v1/identity-providers$|` + // of another specification of IS
	`^(GET|PUT) /api/server/v1/applications/[^/]+/authorized-apis/[^/]+$`) // which are 405

// readBack says whether a request writes something back as it was read, with its nulls.
func readBack(what string) bool {
	return slices.Contains([]string{
		"PUT /api/am/publisher/v4/apis/{apiId}", "PUT /api/am/devportal/v3/applications/{applicationId}",
		"PUT /api/am/devportal/v3/subscriptions/{subscriptionId}", "PUT /api/am/publisher/v4/apis/{apiId}/documents/{documentId}",
	}, what)
}
