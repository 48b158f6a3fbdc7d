package wso2sim

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// mapKeys ties an application to a client that exists already.
func (am *AM) mapKeys(w http.ResponseWriter, r *http.Request) error {
	var body mapRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.ConsumerKey == nil {
		return invalid("consumerKey", "must not be null")
	}
	if body.KeyType == nil {
		return invalid("keyType", "must not be null")
	}
	manager := residentName
	if body.KeyManager != nil {
		manager = *body.KeyManager
	}
	am.mu.Lock()
	m, err := am.newMapping(r.PathValue("id"), *body.KeyType, manager, modeMapped)
	if err == nil && slices.ContainsFunc(am.lookup.byClient[*body.ConsumerKey], func(other *keyMapping) bool { return other.keyManager == m.keyManager }) {
		m.application.keys = slices.DeleteFunc(m.application.keys, func(other *keyMapping) bool { return other == m })
		err = errKeysExist // whatever application has it
	}
	if err == nil {
		m.known = time.Now().Add(am.delays.Client.pick())
		am.tie(m, *body.ConsumerKey)
	}
	am.mu.Unlock()
	if err != nil {
		return err
	}
	view, err := am.view(r.Context(), m)
	if view == nil || body.ConsumerSecret != nil && view["consumerSecret"] != *body.ConsumerSecret {
		am.forget(m)
		return &upstreamError{errGeneral, cmp.Or(err, errors.New("the key manager does not know the client to map"))}
	}
	view["keyManager"], view["keyState"] = manager, nil
	if grants, _ := view["supportedGrantTypes"].([]string); slices.Contains(grants, "client_credentials") {
		id, _ := view["consumerKey"].(string)
		secret, _ := view["consumerSecret"].(string)
		am.mu.Lock()
		dto, ask := m.keyManager.dto, *m
		am.mu.Unlock()
		ask.grants = grants
		token, err := am.firstToken(r.Context(), &ask, &dto, remoteClient{ID: id, Secret: secret}, nil)
		if err != nil {
			return &upstreamError{errGeneral, err}
		}
		view["token"] = object{"accessToken": token.Access, "tokenScopes": orEmpty(strings.Fields(token.Scope)), "validityTime": token.Expires}
	}
	writeJSON(w, http.StatusOK, view)
	return nil
}

// applicationKeyDTO is what an update of a key reads.
type applicationKeyDTO struct {
	KeyMappingID         *string  `json:"keyMappingId"`
	KeyManager           *string  `json:"keyManager"`
	ConsumerKey          *string  `json:"consumerKey"`
	ConsumerSecret       *string  `json:"consumerSecret"`
	SupportedGrantTypes  []string `json:"supportedGrantTypes"`
	CallbackURL          *string  `json:"callbackUrl"`
	KeyState             *string  `json:"keyState"`
	KeyType              *string  `json:"keyType" enum:"PRODUCTION|SANDBOX"`
	Mode                 *string  `json:"mode" enum:"MAPPED|CREATED"`
	GroupID              *string  `json:"groupId"`
	Token                object   `json:"token"`
	AdditionalProperties object   `json:"additionalProperties"`
}

// updateKey changes grants and callback of the client.
func (am *AM) updateKey(w http.ResponseWriter, r *http.Request, m *keyMapping) error {
	var body applicationKeyDTO
	if err := readJSON(r, &body); err != nil {
		return err
	}
	am.mu.Lock()
	dto, id, resident := m.keyManager.dto, m.clientID, m.keyManager.resident()
	texts, err := m.keyManager.settingNames().read(body.AdditionalProperties, true)
	ask := clientRequest{
		name: am.admin + "_" + m.application.id + "_" + m.keyType, displayName: m.application.name,
		grants: body.SupportedGrantTypes, callback: value(body.CallbackURL), settings: texts,
	}
	if c := am.oauth.clients[id]; err == nil && resident && c != nil {
		err = am.changeResident(c, ask.grants, ask.callback, texts)
	}
	am.mu.Unlock()
	if err != nil {
		return err
	}
	if !resident {
		if checkCallback(ask.grants, ask.callback) != nil {
			return errGeneral
		}
		if _, err := am.connector.update(r.Context(), &dto, id, ask); err != nil {
			return &upstreamError{errGeneral, err}
		}
	}
	view, err := am.view(r.Context(), m)
	if err != nil {
		return &upstreamError{errGeneral, err}
	}
	if view == nil {
		return errGeneral
	}
	view["keyManager"], view["keyState"], view["mode"], view["token"] = m.keyManager.uuid, nil, nil, nil
	writeJSON(w, http.StatusOK, am.later(m, view))
	return nil
}

// regenerateSecret is not what it says for IS 7: the connector cannot, and the answer is 200 without a secret.
func (am *AM) regenerateSecret(w http.ResponseWriter, _ *http.Request, m *keyMapping) error {
	am.mu.Lock()
	defer am.mu.Unlock()
	if m.keyManager.resident() && am.severalSecrets() {
		return &upstreamError{errSecret, errors.New("the key manager refuses another secret where a client has several")}
	}
	var secret any
	if c := am.oauth.clients[m.clientID]; m.keyManager.resident() && c != nil {
		c.secret = newSecret()
		am.changed("client", c.id)
		secret = c.secret
	}
	writeJSON(w, http.StatusOK, object{
		"keyMappingId": nil, "keyManager": nil, "consumerKey": m.clientID, "consumerSecret": secret, "supportedGrantTypes": []any{},
		"callbackUrl": nil, "keyState": nil, "keyType": nil, "mode": nil, "groupId": nil, "token": nil, "additionalProperties": nil,
	})
	return nil
}
