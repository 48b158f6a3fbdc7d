package wso2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrOneSecret says that clients have one secret at their key manager: API-M has no requests for further ones (before 4.7), they are
// switched off ([oauth.multiple_client_secrets] of its deployment.toml), or the key manager of the client has none.
var ErrOneSecret = errors.New("the client has only one secret")

// ConsumerSecret is one of the secrets of a client. The paths and fields are those of devportal-api.yaml of API-M 4.7 (in product-apim).
type ConsumerSecret struct {
	ID         string         `json:"secretId"`
	Value      Secret         `json:"secretValue"`          // masked but in the answer that makes the secret
	Properties map[string]any `json:"additionalProperties"` // description, and expiresAt in seconds since 1970
}

// Masked reports whether s stands for a secret that the server does not show, such as KYo*************.
func (s Secret) Masked() bool { return strings.Contains(string(s), "***") }

// Shown returns the secret, or an empty one if the server does not show it.
func (s Secret) Shown() Secret {
	if s.Masked() {
		return ""
	}
	return s
}

// Secrets lists the secrets of a client, the oldest first, with masked values. Errors wrap [ErrOneSecret].
func (d *DevPortal) Secrets(ctx context.Context, applicationID, mappingID string) ([]ConsumerSecret, error) {
	var list struct {
		List []ConsumerSecret `json:"list"`
	}
	err := d.onSecrets(ctx, request{op: "list the consumer secrets of a key of application " + applicationID, method: http.MethodGet}, applicationID, mappingID, "/secrets", &list)
	if HasCode(err, CodeKeyManagerRefuses) { // the connector of IS 7 has no list (apim-km-wso2is v2.1.2), that it answers so is assumed
		return nil, fmt.Errorf("%w: %w", ErrOneSecret, err)
	}
	return list.List, err
}

// GenerateSecret makes one more secret. Those that the client has stay valid. Its value is in this answer only. Errors wrap [ErrOneSecret].
func (d *DevPortal) GenerateSecret(ctx context.Context, applicationID, mappingID, description string) (made ConsumerSecret, err error) {
	err = d.onSecrets(ctx, request{
		op: "generate a consumer secret for a key of application " + applicationID, method: http.MethodPost,
		body: map[string]any{"additionalProperties": map[string]any{"description": description}},
	}, applicationID, mappingID, "/generate-secret", &made)
	return made, err
}

// RevokeSecret revokes a secret. API-M refuses that of the latest one with HTTP 500 (api-manager#4965). Errors wrap [ErrOneSecret].
func (d *DevPortal) RevokeSecret(ctx context.Context, applicationID, mappingID, secretID string) error {
	return d.onSecrets(ctx, request{
		op: "revoke consumer secret " + secretID + " of application " + applicationID, method: http.MethodPost, body: map[string]string{"secretId": secretID},
	}, applicationID, mappingID, "/revoke-secret", nil)
}

func (d *DevPortal) onSecrets(ctx context.Context, r request, applicationID, mappingID, action string, answer any) error {
	r.path = keysOf(applicationID, mappingID) + action
	if mappingID == "" {
		return d.failed(r, &Error{Err: errNoMapping})
	}
	err := d.call(ctx, r, answer)
	var e *Error
	switch {
	case !errors.As(err, &e):
		return err
	// An API-M without the path answers 404 or 405 without a code of its own. To a revocation, 404 says that there is no such secret.
	case e.Code == CodeOneSecret, (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) && e.Code < 900000 && action != "/revoke-secret":
		return fmt.Errorf("%w: %w", ErrOneSecret, err)
	}
	return err
}
