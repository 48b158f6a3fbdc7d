package wso2sim

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// clientSecret is a further secret of a client.
type clientSecret struct{ ID, Value, Description string }

// primarySecret is the id of the secret that a client was made with. What the product calls it is not known.
const primarySecret = "default"

// accepts reports whether a secret is one of the client's.
func (c *oauthClient) accepts(secret string) bool {
	return secret != "" && slices.ContainsFunc(c.secrets(), func(s clientSecret) bool { return s.Value == secret })
}

// secrets are all of a client, the oldest first.
func (c *oauthClient) secrets() []clientSecret {
	if c.secret == "" { // it was revoked
		return c.more
	}
	return append([]clientSecret{{primarySecret, c.secret, ""}}, c.more...)
}

// severalSecrets reports whether a client of the Resident Key Manager can have more than one secret. Each is then in the answer that makes
// it, and masked in every other (carbon-apimgt 9.33; default.json of product-apim v4.7.0).
func (am *AM) severalSecrets() bool {
	if enabled, ok := am.settings.at("oauth.multiple_client_secrets.enable").(bool); ok {
		return enabled && am.behaviour.SecretsOnce
	}
	return am.behaviour.SecretsOnce
}

// maskedSecret is what is shown of a secret later. That it shows three letters is how the Developer Portal does it (apim-apps, Secrets/util.js).
func maskedSecret(secret string) string {
	return secret[:min(3, len(secret))] + strings.Repeat("*", 13)
}

// later has the view of a key without the secret, where the answer that made it was the only one with it.
func (am *AM) later(m *keyMapping, view object) object {
	once := am.severalSecrets()
	if !m.keyManager.resident() {
		once = am.behaviour.SecretsOnceIS7
	}
	if secret, ok := view["consumerSecret"].(string); ok && once {
		view["consumerSecret"] = maskedSecret(secret)
	}
	return view
}

var (
	errSeveralSecretsOff = &fault{status: 403, code: 900916, message: "Forbidden", description: "Multiple client secrets are disabled"}
	// errSecret is the answer to a refusal of the key manager: to regenerate-secret where a client has several (consumer_secret_rotation.feature
	// of product-apim), and to revoking the latest one (api-manager#4965).
	errSecret = &fault{status: 500, code: 900967, message: "General Error", description: "Server Error Occurred"}
)

func (am *AM) secretRoutes(mux *http.ServeMux, key string) {
	if !am.behaviour.SecretsOnce { // the paths came with 4.7
		return
	}
	mux.HandleFunc("POST "+key+"/generate-secret", am.unlocked(scopesApplication, am.withKey(am.ofResident(am.generateSecret))))
	mux.HandleFunc("GET "+key+"/secrets", am.unlocked(scopesApplication, am.withKey(am.ofResident(am.listSecrets))))
	mux.HandleFunc("POST "+key+"/revoke-secret", am.unlocked(scopesApplication, am.withKey(am.ofResident(am.revokeSecret))))
}

// ofResident passes on the client of a key. Other connectors have no such operations (WSO2IS7KeyManager of apim-km-wso2is v2.1.2): the
// answer to that is assumed. op holds the lock.
func (am *AM) ofResident(op func(http.ResponseWriter, *http.Request, *oauthClient) error) func(http.ResponseWriter, *http.Request, *keyMapping) error {
	return func(w http.ResponseWriter, r *http.Request, m *keyMapping) error {
		am.mu.Lock()
		defer am.mu.Unlock()
		c := am.oauth.clients[m.clientID]
		switch {
		case !am.severalSecrets():
			return errSeveralSecretsOff
		case !m.keyManager.resident() || c == nil:
			return &upstreamError{errSecret, errors.New("the key manager has no further secrets")}
		}
		return op(w, r, c)
	}
}

// generateSecret makes a further secret. The ones before it stay good.
func (am *AM) generateSecret(w http.ResponseWriter, r *http.Request, c *oauthClient) error {
	var body struct {
		AdditionalProperties object `json:"additionalProperties"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	description, _ := body.AdditionalProperties["description"].(string)
	made := clientSecret{newUUID(), newSecret(), description}
	c.more = append(c.more, made)
	am.changed("client", c.id)
	writeJSON(w, http.StatusCreated, made.view(made.Value))
	return nil
}

func (s clientSecret) view(value string) object {
	properties := object{}
	if s.Description != "" {
		properties["description"] = s.Description
	}
	return object{"secretId": s.ID, "secretValue": value, "additionalProperties": properties}
}

func (am *AM) listSecrets(w http.ResponseWriter, _ *http.Request, c *oauthClient) error {
	list := []object{}
	for _, s := range c.secrets() {
		list = append(list, s.view(maskedSecret(s.Value)))
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
	return nil
}

// revokeSecret ends a secret. The latest one cannot be revoked.
func (am *AM) revokeSecret(w http.ResponseWriter, r *http.Request, c *oauthClient) error {
	var body struct {
		ID string `json:"secretId"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	all := c.secrets()
	at := slices.IndexFunc(all, func(s clientSecret) bool { return s.ID == body.ID })
	switch {
	case at < 0:
		return notFound("secret", cmp.Or(body.ID, "null")) // assumed
	case at == len(all)-1:
		return &upstreamError{errSecret, errors.New("the latest secret cannot be revoked")}
	case body.ID == primarySecret:
		c.secret = ""
	default:
		c.more = slices.DeleteFunc(c.more, func(s clientSecret) bool { return s.ID == body.ID })
	}
	am.changed("client", c.id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
