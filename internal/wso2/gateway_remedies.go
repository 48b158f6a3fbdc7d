package wso2

import "net/http"

// Remedy says what a person can do about the gateway's own error; nothing for an answer of a backend.
func (a Answer) Remedy() string {
	if a.Status == http.StatusForbidden && a.Code == GatewayInvalidToken {
		return "the API has no endpoint for sandbox keys: use the key of type PRODUCTION"
	}
	return gatewayRemedies[a.Code]
}

// gatewayRemedies by the code of the gateway's error: 9008xx and 9009xx are of carbon-apimgt (APIThrottleConstants and APISecurityConstants),
// the others of Synapse (SynapseConstants, NhttpConstants). Not recorded are 900900, 900903 to 900906, 900909, 900911, 900914, 900800, 900803,
// 900805 and 900806.
var gatewayRemedies = map[string]string{
	"900900": "the gateway cannot check the token: see whether it reaches the key manager's keys, and trusts the certificate there (agent certs check); its log says more",
	"900901": "the token is wrong, expired or revoked, or the gateway does not know its issuer: agent token inspect shows the times and the issuer, agent token introspect whether it is revoked. A newer token of the same application revokes the one before",
	"900902": "the call has no token, or not in the header that the API wants",
	"900903": "the token has expired: get another one",
	"900904": "somebody has revoked the token: get another one",
	"900905": "the API wants a token of another kind: of an application, or of a user",
	"900906": "the API has no such resource: check PATH and --method",
	"900907": "the subscription or the API is blocked: unblock it in the Publisher",
	"900908": "the application of the token has no subscription to this version of the API: subscribe it, or choose another application with --app. A new subscription takes a second",
	"900909": "the subscription is not active: somebody must approve it in the Admin Portal",
	"900910": "the token lacks a scope of the operation: ask for it with --scope; agent scopes status shows what the application is authorized for, and a user needs a role with the scope",
	"900911": "the gateway cannot check the token: its log says more",
	"900914": "the audience of the token is not among those of the API",
	"900800": "the limit of the API is used up: wait as long as the header Retry-After says",
	"900801": "the API or its backend has had as many calls as its maxTps allows: wait, or change it in the Publisher",
	"900802": "the limit of the operation is used up: wait as long as the header Retry-After says",
	"900803": "the limit of the application is used up: wait as long as the header Retry-After says",
	"900804": "the limit of the subscription is used up: wait as long as the header Retry-After says",
	"900805": "a deny policy of the Admin Portal blocks the call",
	"900806": "a custom policy of the Admin Portal limits the call: wait as long as the header Retry-After says",
	"700700": "the API is blocked: Re-Publish it in the Publisher",
	"101503": "the gateway does not reach the backend: check the endpoint of the API from where API-M runs",
	"101504": "the backend has not answered in time",
	"303001": "the gateway has suspended the endpoint after failures: repair the backend, and wait some 30 seconds",
	"404":    "the gateway has no API, or no such resource, at this path: check API, version and PATH; a new deployment takes some seconds",
	"405":    "the resource has no such method: check --method",
}
