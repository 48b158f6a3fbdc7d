package wso2

import (
	"context"
	"maps"
	"net/http"
)

// Sandbox is the key type of clients for tests; the other is [Production].
const Sandbox = "SANDBOX"

// KeyRequest is what a client is to be.
type KeyRequest struct {
	Type       string            // Production or Sandbox
	KeyManager string            // its id
	Grants     []string          // never none: API-M would store one without a name
	Callback   string            // one address, or several with commas between them
	Properties map[string]string // of the key manager's connector. API-M ignores numbers and booleans, so all are texts.
}

// KeyObjects lists an application's keys with all that API-M shows of their clients. Name is the name of the key manager. The order
// differs from answer to answer, and the fields have the client's secret. See Keys for the rows that are left out.
func (d *DevPortal) KeyObjects(ctx context.Context, applicationID string) ([]Object, error) {
	return d.shortList(ctx, request{
		op: "list keys of application " + applicationID, method: http.MethodGet, path: application(applicationID) + "/oauth-keys",
	}, keysOfMapping)
}

// MakeKeys makes a client as it is requested. A failure leaves what a failure of GenerateKeys leaves.
func (d *DevPortal) MakeKeys(ctx context.Context, applicationID string, k KeyRequest) (Keys, error) {
	properties := k.Properties
	if properties == nil {
		properties = map[string]string{}
	}
	return d.keys(ctx, request{
		op: "generate " + k.Type + " keys of application " + applicationID, method: http.MethodPost,
		path: application(applicationID) + "/generate-keys",
		body: map[string]any{
			"keyType": k.Type, "keyManager": k.KeyManager, "grantTypesToBeSupported": k.Grants, "callbackUrl": k.Callback,
			"scopes": []string{"am_application_scope", "default"}, "validityTime": "3600", "additionalProperties": properties,
		},
	})
}

// keys makes a request whose answer has the keys that it made.
func (d *DevPortal) keys(ctx context.Context, r request) (Keys, error) {
	var made Keys
	err := d.call(ctx, r, &made)
	if err == nil && made.MappingID == "" {
		err = d.failed(r, &Error{Err: errNoMapping})
	}
	return made, err
}

// UpdateKeys writes grants, callback and properties of a client. fields are those of an entry of KeyObjects. Its additionalProperties
// must all be texts: what is no text goes back to the default, or stays, without a word. A callback cannot be emptied. A secret that API-M
// has masked is not sent back.
func (d *DevPortal) UpdateKeys(ctx context.Context, applicationID, mappingID string, fields map[string]any) error {
	secret, _ := fields["consumerSecret"].(string)
	if Secret(secret).Masked() {
		fields = maps.Clone(fields)
		delete(fields, "consumerSecret")
	}
	return d.onKeys(ctx, request{
		op: "update keys of application " + applicationID, method: http.MethodPut, body: fields, secrets: []Secret{Secret(secret)},
	}, applicationID, mappingID, "")
}

// MapKeys gives an application a client that exists at a key manager. A client that an application has already is
// [CodeKeyMappingExists]; one that the key manager does not know, or whose secret is another, is HTTP 500.
func (d *DevPortal) MapKeys(ctx context.Context, applicationID, keyType, keyManager, clientID string, clientSecret Secret) (Keys, error) {
	return d.keys(ctx, request{
		op: "map client " + clientID + " to application " + applicationID, method: http.MethodPost,
		path: application(applicationID) + "/map-keys",
		body: map[string]string{
			"keyType": keyType, "keyManager": keyManager, "consumerKey": clientID, "consumerSecret": string(clientSecret),
		},
		secrets: []Secret{clientSecret},
	})
}
