package wso2sim

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	keyManagersPath = "/api/am/admin/v4/key-managers"
	typeIS7         = "WSO2-IS-7"
	typeIS5         = "WSO2-IS" // the connector for IS 5 and 6
	typeResident    = "default"
	masked          = "*****"
)

// keyManager is a registered key manager and what the rest of the server knows of it.
type keyManager struct {
	uuid, label, kind string // id, name and type, which never change
	dto               keyManagerDTO

	loadedAt time.Time // from when on it can be used; zero if never
	// refusedAt and acceptedAt are when the gateway learns that it was disabled or enabled.
	refusedAt, acceptedAt time.Time

	encryptedWith string // the key that its password is encrypted with; see AM.encryptionKey
	lost          bool   // the server has another key, and cannot read the password
}

func newKeyManager(dto keyManagerDTO) *keyManager {
	return &keyManager{uuid: value(dto.ID), label: value(dto.Name), kind: value(dto.Type), dto: dto}
}

func (k *keyManager) resident() bool { return k.label == residentName }
func (k *keyManager) enabled() bool  { return *k.dto.Enabled }

// loaded says whether its connector is there.
func (k *keyManager) loaded(now time.Time) bool {
	return !k.loadedAt.IsZero() && !now.Before(k.loadedAt)
}

// accepted says whether the gateway takes its tokens.
func (k *keyManager) accepted(now time.Time) bool {
	if k.enabled() {
		return k.loaded(now) && !now.Before(k.acceptedAt)
	}
	return k.loaded(now) && now.Before(k.refusedAt)
}

// loadable says whether the server can make a connector of it. The required endpoints may stand in the array
// endpoints for the check of the configuration, but a connector never sees that; and it needs the user info endpoint,
// which the check does not ask for.
func (k *keyManager) loadable() bool {
	return k.resident() || !k.lost && value(k.dto.ClientRegistrationEndpoint) != "" && value(k.dto.IntrospectionEndpoint) != "" &&
		value(k.dto.TokenEndpoint) != "" && value(k.dto.RevokeEndpoint) != "" && value(k.dto.UserInfoEndpoint) != ""
}

// view is what the API shows; the password only where it was just written.
func (k *keyManager) view(withPassword bool) keyManagerDTO {
	dto := k.dto
	dto.AdditionalProperties = maps.Clone(dto.AdditionalProperties)
	if _, has := dto.AdditionalProperties["Password"]; has && !withPassword {
		dto.AdditionalProperties["Password"] = masked
	}
	dto.Endpoints = []kmEndpoint{} // never given back
	return dto
}

func (am *AM) residentKeyManager() *keyManager {
	dto := newKeyManagerDTO()
	at := am.url(am.port)
	dto.ID, dto.Name, dto.DisplayName, dto.Type = ptr(newUUID()), ptr(residentName), nil, ptr(typeResident)
	dto.Description = ptr("This is Resident Key Manager")
	dto.TokenEndpoint, dto.RevokeEndpoint = ptr(am.oauth.issuer), ptr(at+"/oauth2/revoke")
	dto.Issuer, dto.Certificates = ptr(am.oauth.issuer), &kmCertificate{Type: ptr(certificateJWKS), Value: at + "/oauth2/jwks"}
	dto.AvailableGrantTypes = supportedGrants
	dto.Enabled, dto.EnableTokenGeneration = ptr(true), ptr(true)
	dto.EnableOAuthAppCreation = ptr(true)
	dto.ClaimMapping = []kmClaim{{"email", "http://wso2.org/claims/emailaddress"}, {"groups", "http://wso2.org/claims/role"}, {"given_name", "http://wso2.org/claims/givenname"}}
	dto.TokenValidation = []kmValidation{{Enable: ptr(true), Type: ptr("REFERENCE"), Value: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"}}
	dto.AdditionalProperties = object{
		"ServerURL": at + "/services/", "TokenURL": am.oauth.issuer, "RevokeURL": at + "/oauth2/revoke", "VALIDITY_PERIOD": "3600",
		"validation_enable": true, "OAuthConfigurations.EncryptPersistedTokens": false, "enable_token_hash": false,
	}
	normalize(&dto)
	resident := newKeyManager(dto)
	resident.loadedAt = am.started
	return resident
}

func (am *AM) keyManagerRoutes(mux *http.ServeMux) {
	one := func(op func(http.ResponseWriter, *http.Request, *keyManager) error) operation {
		return func(w http.ResponseWriter, r *http.Request) error {
			k := am.keyManagerByID(r.PathValue("id"))
			if k == nil {
				return errKMMissing
			}
			return op(w, r, k)
		}
	}
	mux.HandleFunc("GET "+keyManagersPath, am.locked(scopesAdmin, am.listKeyManagers))
	mux.HandleFunc("POST "+keyManagersPath, am.unlocked(scopesAdmin, am.createKeyManager))
	mux.HandleFunc("GET "+keyManagersPath+"/{id}", am.locked(scopesAdmin, one(func(w http.ResponseWriter, _ *http.Request, k *keyManager) error {
		writeJSON(w, http.StatusOK, k.view(false))
		return nil
	})))
	mux.HandleFunc("PUT "+keyManagersPath+"/{id}", am.locked(scopesAdmin, one(am.updateKeyManager)))
	mux.HandleFunc("DELETE "+keyManagersPath+"/{id}", am.locked(scopesAdmin, one(am.deleteKeyManager)))
	mux.HandleFunc("GET "+keyManagersPath+"/{id}/api-usages", am.locked(scopesAdmin, one(func(w http.ResponseWriter, _ *http.Request, k *keyManager) error {
		list := []object{}
		for _, a := range am.apis {
			if slices.Contains(a.dto.keyManagers(), k.label) {
				list = append(list, object{"name": a.name(), "uuid": a.id(), "version": a.version(), "provider": a.dto.Provider, "organization": "carbon.super"})
			}
		}
		writeJSON(w, http.StatusOK, object{"apiCount": len(list), "apis": list})
		return nil
	})))
	mux.HandleFunc("GET "+keyManagersPath+"/{id}/app-usages", am.locked(scopesAdmin, one(func(w http.ResponseWriter, _ *http.Request, k *keyManager) error {
		list := []object{}
		for _, app := range am.applications {
			if slices.ContainsFunc(app.keys, func(m *keyMapping) bool { return m.keyManager == k }) {
				list = append(list, object{"name": app.name, "uuid": app.id, "organizationId": nil, "owner": am.ownerOf(app), "organization": "carbon.super"})
			}
		}
		writeJSON(w, http.StatusOK, object{"applicationCount": len(list), "applications": list})
		return nil
	})))
	mux.HandleFunc("POST "+keyManagersPath+"/discover", am.unlocked(scopesAdmin, am.discoverKeyManager))
}

// administratorRoles are those that a fresh installation gives its first user.
var administratorRoles = []string{"admin", "Internal/everyone", "Internal/creator", "Internal/publisher", "Internal/subscriber"}

// knownRoles are those of a fresh installation.
var knownRoles = append([]string{
	"Internal/analytics", "Internal/devops", "Internal/integration_dev", "Internal/observer", "Internal/system", "apim:admin",
}, administratorRoles...)

// checkPermissions looks for the roles. A type that does not exist is PUBLIC.
func (dto *keyManagerDTO) checkPermissions() error {
	p := dto.Permissions
	if p == nil || p.PermissionType == nil {
		dto.Permissions = &kmPermissions{PermissionType: ptr("PUBLIC")}
		return nil
	}
	if slices.ContainsFunc(p.Roles, func(role string) bool { return !slices.Contains(knownRoles, role) }) {
		return &fault{status: 404, code: 900607, message: "Role does not exist in the system", description: "Role does not exist in the system"}
	}
	return nil
}

// denies says whether the permissions of a key manager keep the admin out, who has the roles that a fresh installation
// gives its first user.
func (k *keyManager) denies() bool {
	p := k.dto.Permissions
	if p == nil {
		return false
	}
	has := slices.ContainsFunc(p.Roles, func(role string) bool {
		return slices.Contains(administratorRoles, role)
	})
	return value(p.PermissionType) == "DENY" && has || value(p.PermissionType) == "ALLOW" && !has
}

func (am *AM) keyManagerByID(id string) *keyManager {
	for _, k := range am.keyManagers {
		if k.uuid == id {
			return k
		}
	}
	return nil
}

func (am *AM) keyManagerByName(name string) *keyManager {
	for _, k := range am.keyManagers {
		if k.label == name {
			return k
		}
	}
	return nil
}

// listKeyManagers shows all, without paging; the resident one stands last.
func (am *AM) listKeyManagers(w http.ResponseWriter, _ *http.Request) error {
	list := []object{}
	for _, k := range am.keyManagers {
		list = append(list, object{
			"id": k.uuid, "name": k.label, "type": k.dto.Type, "description": k.dto.Description, "enabled": k.enabled(),
			"isGlobal": false, "isUsed": k.resident() || am.inUse(k), "tokenType": k.dto.TokenType,
		})
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
	return nil
}

// inUse says whether an API names the key manager, or an application has keys of it.
func (am *AM) inUse(k *keyManager) bool {
	for _, a := range am.apis {
		if slices.Contains(a.dto.keyManagers(), k.label) {
			return true
		}
	}
	for _, app := range am.applications {
		if slices.ContainsFunc(app.keys, func(m *keyMapping) bool { return m.keyManager == k }) {
			return true
		}
	}
	return false
}

// readKeyManager reads and checks a body in the product's order: schema, mapping, name, type, required configuration.
func readKeyManager(r *http.Request) (keyManagerDTO, error) {
	dto := newKeyManagerDTO()
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	for _, limit := range []struct {
		property string
		value    *string
		required bool
		max      int
	}{
		{"name", dto.Name, true, 100}, {"type", dto.Type, true, 45}, {"displayName", dto.DisplayName, false, 100},
		{"description", dto.Description, false, 256},
	} {
		if limit.required && limit.value == nil {
			return dto, invalid(limit.property, "must not be null")
		}
		if limit.value != nil && len(*limit.value) > limit.max {
			return dto, invalid(limit.property, "size must be between 0 and "+strconv.Itoa(limit.max))
		}
	}
	if dto.Enabled == nil || dto.TokenType == nil { // NullPointerExceptions in the product
		return dto, errInternal
	}
	return dto, nil
}

// createKeyManager looks for the name first and writes later, with nothing to hold the two together: of two requests at
// once both can be made.
func (am *AM) createKeyManager(w http.ResponseWriter, r *http.Request) error {
	dto, err := readKeyManager(r)
	if err != nil {
		return err
	}
	am.mu.Lock()
	taken := am.keyManagerByName(*dto.Name) != nil
	am.mu.Unlock()
	if taken {
		return &fault{status: 409, code: 901402, message: "Key Manager Already Exists", description: "Key Manager Already Exists"}
	}
	if err := dto.check(am.behaviour); err != nil {
		return err
	}
	if err := dto.checkPermissions(); err != nil {
		return err
	}
	normalize(&dto)
	dto.ID = ptr(newUUID())
	k := newKeyManager(dto)
	am.sleep(am.delays.Racing)
	am.mu.Lock()
	defer am.mu.Unlock()
	am.keyManagers = slices.Insert(am.keyManagers, len(am.keyManagers)-1, k)
	am.publish(k)
	w.Header().Set("Location", am.url(am.port)+"/api/am/admin/key-managers/"+k.uuid)
	writeJSON(w, http.StatusCreated, k.view(true))
	return nil
}

// publish sends the event that has the server load a key manager. One that cannot be loaded takes the events of those
// made shortly after it along: they stay unusable until their event is sent again, by an update.
func (am *AM) publish(k *keyManager) {
	if _, has := k.dto.AdditionalProperties["Password"]; has && !k.lost {
		k.encryptedWith = am.encryptionKey()
	}
	am.changed("keymanager", k.uuid)
	now := time.Now()
	switch {
	case !k.loadable():
		k.loadedAt = time.Time{}
		am.eventsLost = now.Add(am.delays.LostEvent)
		am.log.Error("key manager cannot be loaded", "name", k.label)
	case now.Before(am.eventsLost):
		am.log.Error("event of a key manager lost", "name", k.label)
	case k.loadedAt.IsZero():
		k.loadedAt = now.Add(am.delays.KeyManager.pick())
	}
}

func (am *AM) updateKeyManager(w http.ResponseWriter, r *http.Request, k *keyManager) error {
	dto, err := readKeyManager(r)
	if err != nil {
		return err
	}
	if *dto.Name != k.label {
		return badRequest("Key Manager name couldn't able to change")
	}
	lost := k.lost
	if dto.AdditionalProperties["Password"] == masked {
		dto.AdditionalProperties["Password"] = k.dto.AdditionalProperties["Password"]
	} else {
		lost = false
	}
	if !k.resident() {
		if err := dto.check(am.behaviour); err != nil {
			return err
		}
	}
	if err := dto.checkPermissions(); err != nil {
		return err
	}
	if k.resident() {
		delete(dto.AdditionalProperties, "enable_token_hash")
	}
	normalize(&dto)
	dto.ID = k.dto.ID
	was := k.enabled()
	k.dto, k.lost = dto, lost
	now := time.Now()
	if was && !k.enabled() {
		k.refusedAt = now.Add(am.delays.Disable.pick())
	}
	if !was && k.enabled() {
		k.acceptedAt = now.Add(am.delays.Enable.pick())
	}
	am.publish(k)
	writeJSON(w, http.StatusOK, k.view(true))
	return nil
}

func (am *AM) deleteKeyManager(w http.ResponseWriter, _ *http.Request, k *keyManager) error {
	if k.resident() || am.inUse(k) {
		return &fault{status: 412, code: 902015, message: "Key Manager is in use", description: "Key Manager is used by an API or an application"}
	}
	am.keyManagers = slices.DeleteFunc(am.keyManagers, func(other *keyManager) bool { return other == k })
	am.changed("keymanager", k.uuid)
	w.WriteHeader(http.StatusOK)
	return nil
}

// byIssuer is the key manager that the gateway takes for an issuer. Where several have the same, one of them gets all
// tokens, by luck of hashing, and clients of the others are never found.
func (am *AM) byIssuer(issuer string, now time.Time) *keyManager {
	var chosen *keyManager
	for _, k := range am.keyManagers {
		if value(k.dto.Issuer) == issuer && k.accepted(now) && (chosen == nil || hashOf(k.label) < hashOf(chosen.label)) {
			chosen = k
		}
	}
	return chosen
}

func hashOf(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // a hash never fails
	return h.Sum32()
}

// discoverKeyManager reads a discovery document on behalf of the client. What it proposes for user info is what the
// document says, which is not what the connector needs.
func (am *AM) discoverKeyManager(w http.ResponseWriter, r *http.Request) error {
	address, kind := r.FormValue("url"), r.FormValue("type")
	resp, err := am.connector.client.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var found struct {
		Issuer        string   `json:"issuer"`
		Token         string   `json:"token_endpoint"`
		JWKS          string   `json:"jwks_uri"`
		Introspection string   `json:"introspection_endpoint"`
		Registration  string   `json:"registration_endpoint"`
		Revocation    string   `json:"revocation_endpoint"`
		UserInfo      string   `json:"userinfo_endpoint"`
		Authorization string   `json:"authorization_endpoint"`
		Grants        []string `json:"grant_types_supported"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil || !strings.HasPrefix(resp.Status, "200") {
		return errInternal
	}
	dto := newKeyManagerDTO()
	dto.Type, dto.WellKnownEndpoint, dto.Issuer = &kind, &address, &found.Issuer
	dto.IntrospectionEndpoint, dto.ClientRegistrationEndpoint = &found.Introspection, &found.Registration
	dto.TokenEndpoint, dto.RevokeEndpoint = &found.Token, &found.Revocation
	dto.UserInfoEndpoint, dto.AuthorizeEndpoint = &found.UserInfo, &found.Authorization
	dto.Certificates, dto.AvailableGrantTypes = &kmCertificate{ptr(certificateJWKS), found.JWKS}, found.Grants
	dto.Enabled, dto.EnableTokenGeneration = ptr(true), ptr(true)
	dto.EnableOAuthAppCreation, dto.EnableMapOAuthConsumerApps = ptr(true), ptr(true)
	normalize(&dto)
	dto.Global, dto.AdditionalProperties, dto.Permissions = nil, nil, nil
	writeJSON(w, http.StatusOK, object{"valid": true, "value": dto})
	return nil
}
