package objects

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// KeyManager is what commands show of a key manager. It has no secret.
type KeyManager struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Enabled       bool     `json:"enabled"`
	Description   string   `json:"description"`
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"tokenEndpoint"` // for clients
	Keys          string   `json:"signingKeys"`   // the address of the JWKS, or PEM
	Grants        []string `json:"grantTypes"`
	User          string   `json:"user"` // with which the connector of IS calls IS; "" for other types
	Permission    string   `json:"permission"`
	Roles         []string `json:"roles"` // of the permission
	Applications  []string `json:"applications"`
	APIs          []string `json:"apis"` // that name it; others may take all key managers
}

// FindKeyManager finds a key manager by its name.
func FindKeyManager(ctx context.Context, admin *wso2.Admin, name string) (wso2.KeyManagerInfo, error) {
	list, err := admin.KeyManagers(ctx)
	if err != nil {
		return wso2.KeyManagerInfo{}, err
	}
	return Pick("key manager", name, list, func(km wso2.KeyManagerInfo) string { return km.Name })
}

// ReadKeyManager reads a key manager and what uses it.
func ReadKeyManager(ctx context.Context, admin *wso2.Admin, name string) (km KeyManager, err error) {
	info, err := FindKeyManager(ctx, admin, name)
	if err != nil {
		return km, err
	}
	o, err := admin.KeyManagerObject(ctx, info.ID)
	if err != nil {
		return km, err
	}
	properties := object(o.Fields["additionalProperties"])
	permissions, certificates := object(o.Fields["permissions"]), object(o.Fields["certificates"])
	km = KeyManager{
		ID: info.ID, Name: info.Name, Type: info.Type, Enabled: info.Enabled, Description: text(o.Fields, "description"), Issuer: text(o.Fields, "issuer"),
		TokenEndpoint: cmp.Or(text(o.Fields, "displayTokenEndpoint"), text(o.Fields, "tokenEndpoint")), Keys: text(certificates, "type"),
		Grants: texts(o.Fields["availableGrantTypes"]), User: text(properties, "Username"),
		Permission: text(permissions, "permissionType"), Roles: texts(permissions["roles"]),
	}
	if km.Keys == "JWKS" {
		km.Keys = text(certificates, "value")
	}
	km.Applications, km.APIs, err = keyManagerUses(ctx, admin, info.ID)
	return km, err
}

// keyManagerUses lists the applications that have keys of a key manager, with their owners, and the APIs that name it.
func keyManagerUses(ctx context.Context, admin *wso2.Admin, id string) (applications, apis []string, err error) {
	applications, apis = []string{}, []string{}
	using, err := admin.KeyManagerApplications(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range using {
		applications = append(applications, fmt.Sprintf("%s of %s", a.Name, a.Owner))
	}
	naming, err := admin.KeyManagerAPIs(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range naming {
		apis = append(apis, a.Name+":"+a.Version)
	}
	slices.Sort(applications)
	slices.Sort(apis)
	return applications, apis, nil
}

// RemoveKeyManager returns what to know before a key manager is deleted. API-M's own key manager cannot be deleted, and API-M refuses to
// delete one that has keys or that an API names (902015, recorded).
func RemoveKeyManager(ctx context.Context, s apply.Single, name string) (Removal, error) {
	if name == bootstrap.ResidentKeyManager {
		return Removal{}, refuse(fmt.Sprintf("agent km disable '%s' stops it", name), "key manager %q is API-M's own and cannot be deleted", name)
	}
	info, err := FindKeyManager(ctx, s.Admin, name)
	if err != nil {
		return Removal{}, err
	}
	applications, apis, err := keyManagerUses(ctx, s.Admin, info.ID)
	switch {
	case err != nil:
		return Removal{}, err
	case len(applications) > 0:
		return Removal{}, refuse("delete the keys of these applications in the Developer Portal, or the applications", "key manager %q cannot be deleted, because applications have keys of it: %s", name, strings.Join(applications, ", "))
	case len(apis) > 0:
		return Removal{}, refuse("take the key manager out of these APIs in the Publisher", "key manager %q cannot be deleted, because APIs name it: %s", name, strings.Join(apis, ", "))
	}
	stored, err := s.Admin.KeyManager(ctx, info.ID)
	if err != nil {
		return Removal{}, err
	}
	owned := plan.OwnedObject{Kind: plan.KindKeyManager, Name: name, ID: info.ID}
	r := Removal{OwnedObject: owned, Title: "key manager " + name, Do: func(ctx context.Context) ([]string, error) { return nil, s.Remove(ctx, plan.Left{OwnedObject: owned}) }}
	if stored.Issuer != "" {
		r.With = []string{"the gateway no longer accepts tokens of " + stored.Issuer}
	}
	return r, nil
}

// EnableKeyManager enables or disables a key manager, and reports whether that was a change. It writes the stored object with this one
// field changed: the password that API-M shows masked stays.
func EnableKeyManager(ctx context.Context, admin *wso2.Admin, name string, enabled bool) (changed bool, err error) {
	info, err := FindKeyManager(ctx, admin, name)
	if err != nil {
		return false, err
	}
	o, err := admin.KeyManagerObject(ctx, info.ID)
	if err != nil || o.Fields["enabled"] == enabled {
		return false, err
	}
	o.Fields["enabled"] = enabled
	return true, admin.UpdateKeyManagerObject(ctx, info.ID, o.Fields)
}

// text returns a text of an object; "" if it has none.
func text(o map[string]any, key string) string {
	value, _ := o[key].(string)
	return value
}

// object returns an object in an object; nil if it is none.
func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

// texts returns the texts of a list, without empty ones: API-M stores an empty list as one with an empty text.
func texts(value any) []string {
	all := []string{}
	list, _ := value.([]any)
	for _, item := range list {
		if t, _ := item.(string); t != "" {
			all = append(all, t)
		}
	}
	return all
}
