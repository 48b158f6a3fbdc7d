package scopes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// The connector binds scopes to roles of IS only if the key manager's user may change roles, which equals the administrator. Without that
// right API-M answers a save in the same way, and IS keeps scopes without roles. Then the agent binds them, as administrator.

// Role is a role of IS for the whole organization.
type Role struct {
	ID, Name string
	Scopes   []string // its permissions, also those of IS's own API resources
}

// RoleAction is one request to IS about a role.
type RoleAction struct {
	Role        Role // an empty ID: IS has no such role yet
	Add, Remove []string
}

// userStoreRole begins the names that the connector gives to roles of API-M's user store (apim-km-wso2is, with enable_roles_creation).
// Nobody else names roles in this way, because IS refuses the prefix by default.
const userStoreRole = "system_primary_"

// adminRole is the role of IS that has every right. The agent leaves it alone.
const adminRole = "admin"

// RoleInIS returns the name in IS of a role of API-M, as the connector chooses it. makes says that the connector makes roles.
func RoleInIS(role string, makes bool) string {
	if !makes {
		return role
	}
	if internal, ok := strings.CutPrefix(role, "Internal/"); ok {
		return internal
	}
	return userStoreRole + role
}

// DecideRoles returns the actions after which the roles of IS have the scopes that API-M binds to them. bound has the roles of API-M by
// the name of the scope; scopes are those that IS has of API-M. A role loses only scopes of which API-M says other roles, and only if its
// name is one that the connector gives. If makes is false, as enable_roles_creation of the key manager, roles get only scopes, names are
// as API-M has them, and IS gets no new role. Each action ends the tokens of the users of the role.
func DecideRoles(bound map[string][]string, scopes []wso2.Scope, roles []Role, makes bool) (actions []RoleAction) {
	wanted := map[string][]string{} // scopes by role of IS
	kept := map[string][]string{}   // scopes that a role of IS may have, too
	decided := map[string]bool{}    // scopes of which API-M says the roles
	for _, s := range scopes {
		names, known := bound[s.Name]
		decided[s.Name] = known
		for _, role := range names {
			name := RoleInIS(role, makes)
			// The connector gives a scope that changes to another role than a new one: system_primary_x for Internal/x.
			also := userStoreRole + strings.TrimPrefix(role, "Internal/")
			kept[also] = append(kept[also], s.Name)
			if name != adminRole && !slices.Contains(wanted[name], s.Name) {
				wanted[name] = append(wanted[name], s.Name)
			}
		}
	}
	have := map[string]Role{}
	for _, r := range roles {
		have[r.Name] = r
		if _, is := wanted[r.Name]; !is && makes && strings.HasPrefix(r.Name, userStoreRole) {
			wanted[r.Name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		a := RoleAction{Role: have[name]}
		if a.Role.ID == "" && !makes {
			continue
		}
		a.Role.Name = name
		for _, scope := range wanted[name] {
			if !slices.Contains(a.Role.Scopes, scope) {
				a.Add = append(a.Add, scope)
			}
		}
		for _, scope := range a.Role.Scopes {
			if makes && strings.HasPrefix(name, userStoreRole) && decided[scope] && !slices.Contains(kept[name], scope) {
				a.Remove = append(a.Remove, scope)
			}
		}
		if len(a.Add)+len(a.Remove) > 0 {
			slices.Sort(a.Add)
			slices.Sort(a.Remove)
			actions = append(actions, a)
		}
	}
	return actions
}

// Roles keeps the roles of IS bound to scopes as API-M has them. It remembers the scopes of APIs that have not changed. Only one goroutine
// uses it.
type Roles struct {
	Log *slog.Logger

	local map[string]localScopes // of APIs, by their ids
	full  time.Time              // when Roles last read every API
}

// localScopes are the roles of the scopes of one API, as a read at a time of the API's list showed them.
type localScopes struct {
	updated string
	bound   map[string][]string
}

// Servers are the parts of both servers that [Roles] needs.
type Servers struct {
	Publisher     *wso2.Publisher
	Authorization *wso2.Authorization
	SCIM          *wso2.SCIM
}

// Refusal is a role that IS does not let the agent make or change. It stops no other role.
type Refusal struct {
	Role string
	err  error
}

func (r *Refusal) Error() string { return r.err.Error() }
func (r *Refusal) Unwrap() error { return r.err }

// Remedies of refusals.
const (
	retried    = "wait: the next pass tries again"
	prefixed   = "let IS allow the name: set allow_system_prefix_for_role = true under [role_mgt] in its deployment.toml, and restart IS"
	renamed    = "IS allows no such name: take the role away from the scopes of APIs in API-M"
	forbidden  = "give IS's administrator the rights to make and change roles"
	impossible = "correct the role in IS, or take it away from the scopes of APIs in API-M"
)

// refusal returns what IS refused if err is an answer that only concerns one role; nil for any other error.
func refusal(role string, err error) *Refusal {
	if wso2.HasStatus(err, http.StatusUnauthorized) || !wso2.IsPermanent(err) {
		return nil
	}
	hint := impossible
	switch {
	case wso2.HasStatus(err, http.StatusForbidden):
		hint = forbidden
	case !wso2.HasStatus(err, http.StatusBadRequest), strings.Contains(err.Error(), "Permission: "): // another agent, or API-M with a scope
		hint = retried
	case strings.Contains(role, "/"):
		hint = renamed
	case strings.HasPrefix(role, "system_"):
		hint = prefixed
	}
	return &Refusal{role, remedy.Add(fmt.Errorf("IS refuses role %s: %w", role, err), "%s", hint)}
}

// Bind makes the connector's API resource if IS has none, and binds its scopes to roles. makes is as for [DecideRoles]. Bind returns how
// many roles it has changed, and those that IS refuses. also are ids of APIs that API-M may not list yet. If no API has a scope, it only
// reads the resource.
func (k *Roles) Bind(ctx context.Context, s Servers, makes bool, also ...string) (changes int, refused []*Refusal, err error) {
	resource, err := MakeResource(ctx, s.Authorization)
	if err != nil {
		return 0, nil, err
	}
	scopes, err := s.Authorization.Scopes(ctx, resource)
	if err != nil || len(scopes) == 0 {
		return 0, nil, err
	}
	bound, err := k.bound(ctx, s.Publisher, also)
	if err != nil {
		return 0, nil, err
	}
	roles, err := rolesOf(ctx, s.SCIM)
	if err != nil {
		return 0, nil, err
	}
	var failed []error
	for _, a := range DecideRoles(bound, scopes, roles, makes) {
		err := act(ctx, s.SCIM, a)
		switch r := refusal(a.Role.Name, err); {
		case err == nil:
			changes++
			k.Log.Info("bound a role of IS to scopes of APIs as API-M has them", "role", a.Role.Name, "added", len(a.Add), "removed", len(a.Remove))
			continue
		case r != nil:
			refused = append(refused, r)
			continue
		}
		failed = append(failed, fmt.Errorf("bind scopes of APIs to role %s of IS: %w", a.Role.Name, err))
		if ctx.Err() != nil || wso2.HasStatus(err, http.StatusUnauthorized) || errors.Is(err, wso2.ErrHeldBack) { // the next requests would fail too
			break
		}
	}
	return changes, refused, errors.Join(failed...)
}

// MakeResource returns the id of the API resource in which the connector keeps all scopes, and makes it if IS has none, as the
// connector does. The right to make API resources is not among those of the key manager's user.
func MakeResource(ctx context.Context, is *wso2.Authorization) (id string, err error) {
	if id, err = is.FindResource(ctx, Resource); err != nil || id != "" {
		return id, err
	}
	id, err = is.CreateResource(ctx, "User-defined OAuth2 Resource", Resource)
	if wso2.HasStatus(err, http.StatusConflict) { // another agent has made it since
		if found, findErr := is.FindResource(ctx, Resource); findErr == nil && found != "" {
			return found, nil
		}
	}
	return id, err
}

// rolesOf reads the roles of IS.
func rolesOf(ctx context.Context, scim *wso2.SCIM) (roles []Role, err error) {
	list, err := scim.List(ctx, wso2.SCIMRoles)
	for _, o := range list {
		r := Role{ID: o.ID, Name: o.Name}
		permissions, _ := o.Fields["permissions"].([]any)
		for _, p := range permissions {
			fields, _ := p.(map[string]any)
			if name, ok := fields["value"].(string); ok {
				r.Scopes = append(r.Scopes, name)
			}
		}
		roles = append(roles, r)
	}
	return roles, err
}

// act makes or changes one role.
func act(ctx context.Context, scim *wso2.SCIM, a RoleAction) error {
	var add []map[string]any
	for _, name := range a.Add {
		add = append(add, map[string]any{"value": name})
	}
	if a.Role.ID == "" {
		_, err := scim.Create(ctx, wso2.SCIMRoles, map[string]any{"displayName": a.Role.Name, "permissions": add})
		return err
	}
	var changes []wso2.Change
	if len(add) > 0 {
		changes = append(changes, wso2.Change{Op: "add", Path: "permissions", Value: add})
	}
	for _, name := range a.Remove {
		changes = append(changes, wso2.Change{Op: "remove", Path: fmt.Sprintf("permissions[value eq %s]", name)})
	}
	return scim.Patch(ctx, wso2.SCIMRoles, wso2.Object{ID: a.Role.ID, Name: a.Role.Name}, changes)
}

// bound reads the roles of all scopes, by the names of the scopes: of shared scopes, and of the local ones of APIs. It reads an API again
// only if the list says that it has changed, and every API every ten minutes.
func (k *Roles) bound(ctx context.Context, p *wso2.Publisher, also []string) (map[string][]string, error) {
	shared, err := p.SharedScopes(ctx)
	if err != nil {
		return nil, err
	}
	apis, err := p.APIs(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range also {
		if !slices.ContainsFunc(apis, func(a wso2.API) bool { return a.ID == id }) {
			apis = append(apis, wso2.API{ID: id})
		}
	}
	if now := time.Now(); k.local == nil || now.Sub(k.full) >= fullEvery {
		k.local, k.full = map[string]localScopes{}, now
	}
	local := make([]*localScopes, len(apis))
	err = inFlight(ctx, len(apis), func(ctx context.Context, i int) error {
		known, ok := k.local[apis[i].ID]
		if ok && known.updated == apis[i].UpdatedTime && known.updated != "" && !slices.Contains(also, apis[i].ID) {
			local[i] = &known
			return nil
		}
		api, err := p.APIObject(ctx, apis[i].ID)
		switch {
		case wso2.HasStatus(err, http.StatusNotFound): // deleted since the list was read
			return nil
		case err == nil:
			local[i] = &localScopes{apis[i].UpdatedTime, localBindings(api)}
		}
		return err
	})
	read := map[string]localScopes{}
	for i, of := range local {
		if of != nil {
			read[apis[i].ID] = *of
		}
	}
	if err != nil {
		maps.Copy(k.local, read) // the next pass reads the others
		return nil, err
	}
	k.local = read
	bound := map[string][]string{}
	for _, of := range read {
		for scope, roles := range of.bound { // versions of an API have the same local scopes
			bound[scope] = append(bound[scope], roles...)
		}
	}
	for _, s := range shared {
		bound[s.Name] = texts(s.Fields["bindings"])
	}
	return bound, nil
}

// localBindings returns the roles of the scopes that belong to one API.
func localBindings(api wso2.Object) map[string][]string {
	bound := map[string][]string{}
	list, _ := api.Fields["scopes"].([]any)
	for _, entry := range list {
		fields, _ := entry.(map[string]any)
		scope, _ := fields["scope"].(map[string]any)
		name, _ := scope["name"].(string)
		if shared, _ := fields["shared"].(bool); name != "" && !shared {
			bound[name] = texts(scope["bindings"])
		}
	}
	return bound
}

// texts returns the texts of a list; an empty list if it is none.
func texts(list any) []string {
	all, _ := list.([]any)
	out := []string{}
	for _, one := range all {
		if text, ok := one.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
