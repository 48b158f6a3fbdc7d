package wso2sim

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	modeCreated = "CREATED"
	modeMapped  = "MAPPED"
)

// keyMapping ties an application to a client in a key manager. The product writes the row before it has a client, and
// leaves it behind when making one fails: then clientID is empty.
type keyMapping struct {
	id, keyType, mode, clientID string
	application                 *application
	keyManager                  *keyManager
	grants                      []string
	callback                    string
	known                       time.Time // when the gateway knows it
}

// generateRequest is the body of generate-keys.
type generateRequest struct {
	KeyType              *string  `json:"keyType" enum:"PRODUCTION|SANDBOX"`
	KeyManager           *string  `json:"keyManager"`
	GrantTypes           []string `json:"grantTypesToBeSupported"`
	CallbackURL          *string  `json:"callbackUrl"`
	Scopes               []string `json:"scopes"`
	ValidityTime         *text    `json:"validityTime"`
	ClientID             *string  `json:"clientId"`
	ClientSecret         *string  `json:"clientSecret"`
	AdditionalProperties object   `json:"additionalProperties"`
}

// mapRequest is the body of map-keys.
type mapRequest struct {
	ConsumerKey    *string `json:"consumerKey"`
	ConsumerSecret *string `json:"consumerSecret"`
	KeyManager     *string `json:"keyManager"`
	KeyType        *string `json:"keyType" enum:"PRODUCTION|SANDBOX"`
}

func (am *AM) keyRoutes(mux *http.ServeMux) {
	app := devportalPath + "/applications/{id}"
	key := app + "/oauth-keys/{mapping}"
	mux.HandleFunc("POST "+app+"/generate-keys", am.unlocked(scopesApplication, am.generateKeys))
	mux.HandleFunc("POST "+app+"/map-keys", am.unlocked(scopesApplication, am.mapKeys))
	mux.HandleFunc("GET "+app+"/oauth-keys", am.unlocked(scopesApplication, am.listKeys))
	mux.HandleFunc("GET "+key, am.unlocked(scopesApplication, am.withKey(am.showKey)))
	mux.HandleFunc("PUT "+key, am.unlocked(scopesApplication, am.withKey(am.updateKey)))
	mux.HandleFunc("DELETE "+app+"/oauth-keys/{$}", am.unlocked(scopesApplication, func(http.ResponseWriter, *http.Request) error {
		return &fault{status: http.StatusMethodNotAllowed, code: http.StatusMethodNotAllowed, message: "Method Not Allowed", description: "HTTP 405 Method Not Allowed"}
	}))
	mux.HandleFunc("DELETE "+key, am.unlocked(scopesApplication, am.withKey(am.deleteKey)))
	mux.HandleFunc("POST "+key+"/clean-up", am.unlocked(scopesApplication, am.withKey(func(w http.ResponseWriter, _ *http.Request, m *keyMapping) error {
		am.forget(m)
		w.WriteHeader(http.StatusOK)
		return nil
	})))
	mux.HandleFunc("POST "+key+"/regenerate-secret", am.unlocked(scopesApplication, am.withKey(am.regenerateSecret)))
	am.secretRoutes(mux, key)
}

// withKey finds the key mapping of the path. The operation runs without the lock.
func (am *AM) withKey(op func(http.ResponseWriter, *http.Request, *keyMapping) error) operation {
	return func(w http.ResponseWriter, r *http.Request) error {
		am.mu.Lock()
		var found *keyMapping
		if app := am.applications[r.PathValue("id")]; app != nil {
			for _, m := range app.keys {
				if m.id == r.PathValue("mapping") {
					found = m
				}
			}
		}
		am.mu.Unlock()
		if found == nil {
			return errInternal // a NullPointerException in the product
		}
		return op(w, r, found)
	}
}

// forget removes the row alone, and leaves the client.
func (am *AM) forget(m *keyMapping) {
	am.mu.Lock()
	defer am.mu.Unlock()
	am.changed("application", m.application.id)
	remove(am.lookup.byClient, m.clientID, m)
	m.application.keys = slices.DeleteFunc(m.application.keys, func(other *keyMapping) bool { return other == m })
}

// newMapping checks what generate-keys and map-keys have in common, and writes the row. The lock is held.
func (am *AM) newMapping(applicationID, keyType, manager, mode string) (*keyMapping, error) {
	app := am.applications[applicationID]
	if app == nil {
		return nil, notFound("application", applicationID)
	}
	k := am.keyManagerByID(manager)
	if k != nil && k.denies() { // permissions are looked up by UUID alone: a name gets past them
		return nil, &fault{status: 403, code: 902013, message: "Unauthorized Access to Key Manager",
			description: "Key Manager is Restricted for this user"}
	}
	if k == nil {
		k = am.keyManagerByName(manager)
	}
	if k == nil || !k.enabled() {
		return nil, errKMUnknown
	}
	allowed := k.dto.EnableOAuthAppCreation
	if mode == modeMapped {
		allowed = k.dto.EnableMapOAuthConsumerApps
	}
	if !*allowed || *k.dto.TokenType == "EXCHANGED" {
		return nil, &fault{status: 400, code: 901405, message: "Key Manager doesn't support generating OAuth applications",
			description: "Key Manager doesn't support generating OAuth applications"}
	}
	for _, m := range app.keys {
		if m.keyManager == k && m.keyType == keyType {
			return nil, errKeysExist
		}
	}
	m := &keyMapping{id: newUUID(), keyType: keyType, mode: mode, application: app, keyManager: k}
	app.keys = append(app.keys, m)
	am.changed("application", app.id)
	return m, nil
}

func (am *AM) generateKeys(w http.ResponseWriter, r *http.Request) error {
	var body generateRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.KeyType == nil {
		return invalid("keyType", "must not be null")
	}
	if body.GrantTypes == nil {
		return invalid("grantTypesToBeSupported", "must not be null")
	}
	manager := residentName
	if body.KeyManager != nil {
		manager = *body.KeyManager
	}
	if err := checkCallback(body.GrantTypes, value(body.CallbackURL)); err != nil {
		return err
	}
	am.mu.Lock()
	am.ensureSubscriber(r)
	texts, err := am.settingsOf(manager).read(body.AdditionalProperties, false)
	var m *keyMapping
	if err == nil {
		m, err = am.newMapping(r.PathValue("id"), *body.KeyType, manager, modeCreated)
	}
	if err != nil {
		am.mu.Unlock()
		return err
	}
	m.grants, m.callback = body.GrantTypes, value(body.CallbackURL)
	dto, loaded := m.keyManager.dto, m.keyManager.loaded(time.Now())
	ask := clientRequest{
		name: am.admin + "_" + m.application.id + "_" + m.keyType, displayName: m.application.name, grants: body.GrantTypes,
		callback: m.callback, id: value(body.ClientID), secret: value(body.ClientSecret), settings: texts,
	}
	am.mu.Unlock()
	if !loaded {
		return &upstreamError{errGeneral, errors.New("key manager " + value(dto.Name) + " is not loaded")}
	}
	client, err := am.makeClient(r.Context(), m, &dto, ask)
	if err != nil {
		return &upstreamError{errGeneral, err} // and the row stays
	}
	if body.ValidityTime != nil {
		if _, err := strconv.Atoi(string(*body.ValidityTime)); err != nil {
			return &upstreamError{errGeneral, err} // and the client stays
		}
	}
	token, err := am.firstToken(r.Context(), m, &dto, client, body.Scopes)
	if err != nil {
		return &upstreamError{errGeneral, err} // and the client stays too
	}
	view := keyView(m, client)
	view["keyManager"], view["keyState"] = manager, "APPROVED"
	am.mu.Lock()
	if !slices.Contains(m.application.keys, m) { // somebody has removed the row meanwhile, and its id is read last
		view["keyMappingId"] = nil
	}
	am.mu.Unlock()
	view["token"] = object{"accessToken": token.Access, "tokenScopes": orEmpty(strings.Fields(token.Scope)), "validityTime": token.Expires}
	if !slices.Contains(m.grants, "client_credentials") {
		view["token"] = object{"accessToken": "", "tokenScopes": []string{"N/A"}, "validityTime": 0}
	}
	writeJSON(w, http.StatusOK, view)
	return nil
}

// makeClient makes the client in the key manager and notes it in the row.
func (am *AM) makeClient(ctx context.Context, m *keyMapping, dto *keyManagerDTO, ask clientRequest) (remoteClient, error) {
	var client remoteClient
	var err error
	switch value(dto.Type) {
	case typeResident:
		client, err = am.makeResidentClient(ask)
	case typeIS7:
		client, err = am.connector.register(ctx, dto, ask)
	default:
		err = errors.New("the connector of type " + value(dto.Type) + " does not speak the registration API of IS 7")
	}
	if err != nil {
		return client, err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	m.known = time.Now().Add(am.delays.Client.pick())
	am.tie(m, client.ID)
	return client, nil
}

func (am *AM) makeResidentClient(ask clientRequest) (remoteClient, error) {
	am.mu.Lock()
	defer am.mu.Unlock()
	if slices.ContainsFunc(ask.grants, func(g string) bool { return !registrable(g) }) {
		return remoteClient{}, errors.New("the Resident Key Manager does not know the grant")
	}
	redirects := joinedRedirects(redirectURIs(ask.callback))
	c, err := am.oauth.add(oauthClient{
		id: ask.id, secret: ask.secret, name: ask.name, displayName: ask.displayName, grants: ask.grants,
		redirects: redirects, tokenType: "JWT", settings: residentSettings.apply(defaultClientSettings(), ask.settings),
	})
	if err != nil {
		return remoteClient{}, err
	}
	return residentClient(c), nil
}

func residentClient(c *oauthClient) remoteClient {
	return remoteClient{ID: c.id, Secret: c.secret, Grants: c.grants, Redirects: c.redirects, Properties: residentSettings.show(c.settings)}
}

// firstToken is the token that generate-keys fetches for the new client, where it may have one at all.
func (am *AM) firstToken(ctx context.Context, m *keyMapping, dto *keyManagerDTO, c remoteClient, scopes []string) (issuedToken, error) {
	if !slices.Contains(m.grants, "client_credentials") {
		return issuedToken{}, nil
	}
	if value(dto.Type) != typeResident {
		return am.connector.token(ctx, dto, c.ID, c.Secret, scopes)
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	client := am.oauth.clients[c.ID]
	t := am.oauth.issue(accessToken{client: c.ID, grant: "client_credentials", jwt: true, scopes: am.oauth.rules.scopes(client, "", scopes)})
	answer, fault := am.oauth.answer(client, t)
	if fault != nil {
		return issuedToken{}, fault
	}
	access, _ := answer["access_token"].(string)
	return issuedToken{Access: access, Scope: strings.Join(t.scopes, " "), Expires: int64(t.expires.Sub(t.issued).Seconds())}, nil
}

// keyView is a key as the DevPortal shows it when it reads it.
func keyView(m *keyMapping, c remoteClient) object {
	grants := c.Grants
	if len(grants) == 0 {
		grants = []string{""}
	}
	return object{
		"keyMappingId": m.id, "keyManager": m.keyManager.label, "consumerKey": c.ID, "consumerSecret": c.Secret,
		"supportedGrantTypes": grants, "callbackUrl": strings.Join(redirectURIs(strings.Join(c.Redirects, ",")), ","),
		"keyState": "COMPLETED", "keyType": m.keyType, "mode": m.mode, "groupId": nil,
		"token":                noToken(),
		"additionalProperties": c.Properties,
	}
}

func noToken() object { return object{"accessToken": nil, "tokenScopes": []any{}, "validityTime": 0} }

// leakedView is a row without a client.
func leakedView(m *keyMapping) object {
	return object{
		"keyMappingId": m.id, "keyManager": m.keyManager.label, "consumerKey": nil, "consumerSecret": nil,
		"supportedGrantTypes": nil, "callbackUrl": nil, "keyState": "APPROVED", "keyType": m.keyType, "mode": m.mode,
		"groupId": nil, "token": noToken(), "additionalProperties": nil,
	}
}

// view shows a row; nil where the product leaves it out, because its key manager is disabled or not loaded, or refuses to give the client
// back. One that does not answer at all fails the request: getApplicationKeys of AbstractAPIManager (carbon-apimgt) passes over an
// APIManagementException alone, and Feign throws a RetryableException.
func (am *AM) view(ctx context.Context, m *keyMapping) (object, error) {
	am.mu.Lock()
	id, dto, usable := m.clientID, m.keyManager.dto, m.keyManager.enabled() && m.keyManager.loaded(time.Now())
	var resident *oauthClient
	if m.keyManager.resident() {
		resident = am.oauth.clients[id]
	}
	am.mu.Unlock()
	switch {
	case id == "":
		return leakedView(m), nil
	case !usable:
		return nil, nil
	case value(dto.Type) == typeResident:
		if resident == nil {
			return nil, nil
		}
		return keyView(m, residentClient(resident)), nil
	}
	client, err := am.connector.retrieve(ctx, &dto, id)
	if err != nil {
		am.log.Error("client not retrieved", "keyManager", value(dto.Name), "error", err)
		if errors.Is(err, errNoAnswer) {
			return nil, &upstreamError{errInternal, err}
		}
		return nil, nil
	}
	return keyView(m, client), nil
}

func (am *AM) listKeys(w http.ResponseWriter, r *http.Request) error {
	am.mu.Lock()
	am.ensureSubscriber(r)
	app := am.applications[r.PathValue("id")]
	var rows []*keyMapping
	if app != nil {
		rows = slices.Clone(app.keys)
	}
	am.mu.Unlock()
	if app == nil {
		return notFound("application", r.PathValue("id"))
	}
	list := []object{}
	for _, m := range rows {
		view, err := am.view(r.Context(), m)
		if err != nil {
			return err
		}
		if view != nil {
			list = append(list, am.later(m, view))
		}
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
	return nil
}

func (am *AM) showKey(w http.ResponseWriter, r *http.Request, m *keyMapping) error {
	view, err := am.view(r.Context(), m)
	if err != nil {
		return err
	}
	if view == nil { // the key manager refuses to show the client, or is not loaded
		w.WriteHeader(http.StatusOK)
		return nil
	}
	view["keyManager"] = m.keyManager.uuid
	writeJSON(w, http.StatusOK, am.later(m, view))
	return nil
}

func (am *AM) deleteKey(w http.ResponseWriter, r *http.Request, m *keyMapping) error {
	if err := am.removeClient(r.Context(), m); err != nil {
		return err
	}
	am.forget(m)
	w.WriteHeader(http.StatusOK)
	return nil
}

// settingsOf are the names of the additional properties of a key manager's clients. The lock is held.
func (am *AM) settingsOf(manager string) settingNames {
	k := am.keyManagerByID(manager)
	if k == nil {
		k = am.keyManagerByName(manager)
	}
	if k != nil && k.resident() {
		return residentSettings
	}
	return extSettings
}
