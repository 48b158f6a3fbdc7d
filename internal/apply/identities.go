package apply

import (
	"context"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// user makes a user, and gives him the roles that IS has. A role that this round makes gets its users when it is made.
func (r *round) user(ctx context.Context, c plan.Change, want desired.User) error {
	name, secrets := want.Username.Value, secretsOf(want.Password)
	have, exists := c.Have.(plan.Object)
	if exists {
		if err := r.patch(ctx, wso2.SCIMUsers, name, have, plan.UserBody(want, have, c.Fields), secrets...); err != nil {
			return err
		}
	} else {
		id, err := r.create(ctx, wso2.SCIMUsers, name, plan.UserBody(want, nil, nil), secrets...)
		if err != nil {
			return err
		}
		r.noteID(c, id)
		have = plan.Object{"id": id}
	}
	if exists && !slices.ContainsFunc(c.Fields, func(d plan.Difference) bool { return d.Path == "roles" }) {
		return nil
	}
	want.Roles.Value = slices.DeleteFunc(slices.Clone(want.Roles.Value), func(role desired.Text) bool { return r.makesRole(role.Value) })
	ids, err := r.identities(ctx, wso2.SCIMRoles, want.Roles)
	if err != nil {
		return err
	}
	bodies, err := plan.UserRoles(want, have, plan.IDs{Roles: ids})
	if err != nil {
		return r.unknown(err, plan.KindRole)
	}
	for _, role := range slices.Sorted(maps.Keys(bodies)) {
		if err := r.patch(ctx, wso2.SCIMRoles, "with user "+name, plan.Object{"id": role}, bodies[role]); err != nil {
			return err
		}
	}
	return nil
}

// makesRole reports whether this round makes a role.
func (r *round) makesRole(name string) bool {
	return slices.ContainsFunc(r.changes, func(c plan.Change) bool {
		return c.Kind == plan.KindRole && c.Action == plan.Create && folded(c.Name) == folded(name)
	})
}

// group makes a group with its members.
func (r *round) group(ctx context.Context, c plan.Change, want desired.Users) error {
	name := want.Name.Value
	have, exists := c.Have.(plan.Object)
	ids, err := r.identities(ctx, wso2.SCIMUsers, want.Members)
	if err != nil {
		return err
	}
	body, err := plan.GroupBody(want, have, plan.IDs{Users: ids})
	if err != nil {
		return r.unknown(err, plan.KindUser)
	}
	if exists {
		return r.patch(ctx, wso2.SCIMGroups, name, have, body)
	}
	id, err := r.create(ctx, wso2.SCIMGroups, name, body)
	r.noteID(c, id)
	return err
}

// role makes a role. IS takes the users of a new role with it, and its groups afterwards.
func (r *round) role(ctx context.Context, c plan.Change, want desired.Role) error {
	name := want.Name.Value
	have, exists := c.Have.(plan.Object)
	if !exists {
		body, err := plan.RoleBody(want, nil, plan.IDs{})
		if err != nil {
			return err
		}
		if users := r.usersOf(name); len(users) > 0 {
			body["users"] = users
		}
		id, err := r.create(ctx, wso2.SCIMRoles, name, body)
		if err != nil { // IS refuses the scope of an API that was not made
			return r.explained(err, plan.KindScope, plan.KindAPI)
		}
		r.noteID(c, id)
		have = plan.Object{"id": id, "permissions": body["permissions"]}
	}
	ids, err := r.identities(ctx, wso2.SCIMGroups, want.Groups)
	if err != nil {
		return err
	}
	body, err := plan.RoleBody(want, have, plan.IDs{Groups: ids})
	if err != nil {
		return r.unknown(err, plan.KindGroup)
	}
	return r.explained(r.patch(ctx, wso2.SCIMRoles, name, have, body), plan.KindScope, plan.KindAPI)
}

// usersOf returns the users of the file that have a role themselves, as SCIM has them.
func (r *round) usersOf(role string) (users []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.want.File.IdentityServer.Value.Users.Value {
		id := r.known[wso2.SCIMUsers][folded(u.Value.Username.Value)]
		if id != "" && slices.ContainsFunc(u.Value.Roles.Value, func(t desired.Text) bool { return folded(t.Value) == folded(role) }) {
			users = append(users, map[string]any{"value": id})
		}
	}
	return users
}

func (r *round) create(ctx context.Context, kind wso2.SCIMKind, name string, body plan.Object, secrets ...wso2.Secret) (id string, err error) {
	if id, err = r.SCIM.Create(ctx, kind, body, secrets...); err != nil {
		return "", moved(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[kind][folded(name)] = id
	return id, nil
}

// patch sends the operations of a body; without any it sends nothing.
func (r *round) patch(ctx context.Context, kind wso2.SCIMKind, name string, have, body plan.Object, secrets ...wso2.Secret) error {
	var changes []wso2.Change
	operations, _ := body["Operations"].([]any)
	for _, operation := range operations {
		o, _ := operation.(map[string]any)
		changes = append(changes, wso2.Change{Op: textOf(o, "op"), Path: textOf(o, "path"), Value: o["value"]})
	}
	return moved(r.SCIM.Patch(ctx, kind, wso2.Object{ID: textOf(have, "id"), Name: name}, changes, secrets...))
}

// identities returns the ids of what IS has of these names. What the file does not name can be there anyway.
func (r *round) identities(ctx context.Context, kind wso2.SCIMKind, names desired.Texts) (map[string]string, error) {
	ids := map[string]string{}
	for _, name := range names.Value {
		r.mu.Lock()
		id := r.known[kind][folded(name.Value)]
		r.mu.Unlock()
		if id == "" {
			o, _, err := r.SCIM.Find(ctx, kind, name.Value)
			if err != nil {
				return nil, err
			}
			id = o.ID
		}
		if id != "" {
			ids[folded(name.Value)] = id
		}
	}
	return ids, nil
}

// unknown marks the error that IS does not have what an object names.
func (r *round) unknown(err error, kind string) error {
	return r.explained(byHand(remedy.Add(err, "correct the name, or add the %s to the file", kind)), kind)
}

// folded returns a name as [plan.IDs] has it: in lower case, and without the user store that IS has without a setting.
func folded(name string) string { return strings.ToLower(strings.TrimPrefix(name, "PRIMARY/")) }
