package wso2sim

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// resourceIdentifier is the API resource of IS that gets the scopes of all APIs.
const resourceIdentifier = "User-defined-oauth2-resource"

// scopeChange is what a key manager has to hear of scopes.
type scopeChange struct {
	removed []string   // names that no API has any more
	remade  []scopeDTO // deleted and added again: the connector has no other way to change a local scope
	ensured []scopeDTO // added where they are missing
	changed []scopeDTO // changed in place, as only shared scopes are
	unbound []string   // the roles that a changed scope has lost
}

func (s scopeChange) empty() bool {
	return len(s.removed)+len(s.remade)+len(s.ensured)+len(s.changed) == 0
}

// syncScopes makes a change of scopes known to IS. It calls IS even for none at all, which is why no API can be updated
// while a key manager cannot be reached. Where IS is there and does not let the key manager's user do it, nothing
// happens and nobody hears of it.
func (c *connector) syncScopes(ctx context.Context, dto *keyManagerDTO, change scopeChange) error {
	err := c.trySync(ctx, dto, change)
	var refused *statusError
	if errors.As(err, &refused) && (refused.status == http.StatusForbidden || refused.status == http.StatusBadRequest) {
		return nil
	}
	return err
}

func (c *connector) trySync(ctx context.Context, dto *keyManagerDTO, change scopeChange) error {
	address, err := c.scopeResource(ctx, dto, change)
	if err != nil || address == "" {
		return err
	}
	names := slices.Clone(change.removed)
	for _, s := range change.remade {
		names = append(names, s.Name)
	}
	for _, name := range names {
		if err := c.call(ctx, dto, http.MethodDelete, address+"/scopes/"+url.PathEscape(name), nil, nil); err != nil {
			return err
		}
	}
	for _, s := range change.changed {
		body := object{"displayName": value(s.DisplayName), "description": value(s.Description)}
		if err := c.call(ctx, dto, http.MethodPatch, address+"/scopes/"+url.PathEscape(s.Name), body, nil); err != nil {
			return err
		}
		c.rebind(ctx, dto, s, change.unbound)
	}
	return c.addScopes(ctx, dto, address, slices.Concat(change.remade, change.ensured))
}

// scopeResource finds the API resource of all scopes, and makes it where it is needed. The address is "" where nothing
// is to be done.
func (c *connector) scopeResource(ctx context.Context, dto *keyManagerDTO, change scopeChange) (address string, err error) {
	base, _ := dto.AdditionalProperties["api_resource_management_endpoint"].(string)
	var found struct {
		Resources []struct {
			ID string `json:"id"`
		} `json:"apiResources"`
	}
	query := url.Values{"filter": {"identifier eq " + resourceIdentifier}}
	if err := c.call(ctx, dto, http.MethodGet, base+"?"+query.Encode(), nil, &found); err != nil || change.empty() {
		return "", err
	}
	if len(found.Resources) > 0 {
		return base + "/" + found.Resources[0].ID, nil
	}
	if len(change.remade)+len(change.ensured) == 0 {
		return "", nil
	}
	body := object{"name": "User-defined OAuth2 Resource", "identifier": resourceIdentifier, "requiresAuthorization": true, "scopes": []any{}}
	var made struct {
		ID string `json:"id"`
	}
	if err := c.call(ctx, dto, http.MethodPost, base, body, &made); err != nil {
		return "", err
	}
	return base + "/" + made.ID, nil
}

// addScopes adds those that are missing, and binds them to their roles.
func (c *connector) addScopes(ctx context.Context, dto *keyManagerDTO, address string, scopes []scopeDTO) error {
	if len(scopes) == 0 {
		return nil
	}
	var present []resourceScope
	if err := c.call(ctx, dto, http.MethodGet, address+"/scopes", nil, &present); err != nil {
		return err
	}
	var missing []scopeDTO
	var added []object
	for _, s := range scopes {
		if !slices.ContainsFunc(present, func(p resourceScope) bool { return p.Name == s.Name }) {
			missing = append(missing, s)
			added = append(added, object{"name": s.Name, "displayName": value(s.DisplayName), "description": value(s.Description)})
		}
	}
	if len(added) == 0 {
		return nil
	}
	if err := c.call(ctx, dto, http.MethodPatch, address, object{"addedScopes": added}, nil); err != nil {
		return err
	}
	for _, s := range missing {
		for _, role := range s.Bindings {
			c.bind(ctx, dto, s.Name, roleInIS(role, createsRoles(dto)))
		}
	}
	return nil
}

// createsRoles is a property of the key manager. A text in place of a boolean is ignored.
func createsRoles(dto *keyManagerDTO) bool {
	creates, _ := dto.AdditionalProperties["enable_roles_creation"].(bool)
	return creates
}

// rebind binds a shared scope that has changed. Where the connector makes roles it takes roles of API Manager itself
// for those of a user store, and leaves the scope with the roles that it had; else it takes them away.
func (c *connector) rebind(ctx context.Context, dto *keyManagerDTO, s scopeDTO, lost []string) {
	if createsRoles(dto) {
		for _, role := range s.Bindings {
			c.bind(ctx, dto, s.Name, "system_primary_"+strings.TrimPrefix(role, "Internal/"))
		}
		return
	}
	for _, role := range lost {
		if id, err := c.roleID(ctx, dto, role); err == nil && id != "" {
			c.patchRole(ctx, dto, id, object{"op": "remove", "path": "permissions[value eq " + s.Name + "]"})
		}
	}
	for _, role := range s.Bindings {
		c.bind(ctx, dto, s.Name, role)
	}
}

// bind gives a scope to a role of IS. A role that cannot be read, made or changed is left as it is: the connector
// writes a line into its log, and the API is saved.
func (c *connector) bind(ctx context.Context, dto *keyManagerDTO, scope, role string) {
	permission := []object{{"value": scope}}
	switch id, err := c.roleID(ctx, dto, role); {
	case err != nil:
	case id != "":
		c.patchRole(ctx, dto, id, object{"op": "add", "path": "permissions", "value": permission})
	case createsRoles(dto):
		_ = c.call(ctx, dto, http.MethodPost, rolesOf(dto), object{"displayName": role, "permissions": permission}, nil)
	}
}

func rolesOf(dto *keyManagerDTO) string {
	address, _ := dto.AdditionalProperties["is7_roles_endpoint"].(string)
	return address
}

// roleID finds a role of IS by its name; the id is "" if there is none.
func (c *connector) roleID(ctx context.Context, dto *keyManagerDTO, name string) (string, error) {
	var found struct {
		Resources []struct {
			ID string `json:"id"`
		}
	}
	search := object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "startIndex": 1, "filter": "displayName eq " + name}
	if err := c.call(ctx, dto, http.MethodPost, rolesOf(dto)+"/.search", search, &found); err != nil || len(found.Resources) == 0 {
		return "", err
	}
	return found.Resources[0].ID, nil
}

func (c *connector) patchRole(ctx context.Context, dto *keyManagerDTO, id string, operation object) {
	patch := object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{operation}}
	_ = c.call(ctx, dto, http.MethodPatch, rolesOf(dto)+"/"+id, patch, nil)
}

// roleInIS is the name in IS of a role of API Manager. Where the connector makes roles it marks those of user stores.
func roleInIS(name string, creates bool) string {
	if !creates {
		return name
	}
	if internal, ok := strings.CutPrefix(name, "Internal/"); ok {
		return internal
	}
	return "system_primary_" + name
}
