package wso2sim

import (
	"slices"
	"time"
)

type roleRecord struct {
	Name        string
	Permissions []object
	Users       []string
	Groups      []string
}

// resourceRecord says Open and not guarded, so that a record that knows neither is of a guarded resource.
type resourceRecord struct {
	Name, Identifier, Kind string
	Scopes                 []resourceScope
	Open                   bool
	Description            string
}

// accountRecord is a user. The database keeps the administrator's password that it was made with.
type accountRecord struct {
	Name, Password    string
	Created, Modified time.Time
	Given             object
}

type groupRecord struct {
	Name              string
	Created, Modified time.Time
	Members           []string
}

type providerRecord struct {
	Client, Owner string
	Created       time.Time
	Authorized    []*authorization
}

// describe is what is kept of a record.
func (is *IS) describe(r record) any {
	switch r.kind {
	case "role":
		for _, found := range is.roles {
			if found.id == r.id {
				return roleRecord{found.name, permissionRecords(found.permissions), found.users, found.groups}
			}
		}
		return nil
	case "resource":
		if a := is.resourceWithID(r.id); a != nil {
			return resourceRecord{a.name, a.identifier, a.kind, a.scopes, !a.guarded, a.description}
		}
		return nil
	case "account":
		if u := is.userWithID(r.id); u != nil {
			return accountRecord{u.name, u.password, u.created, u.modified, u.given}
		}
		return nil
	case "group":
		for _, g := range is.groups {
			if g.id == r.id {
				return groupRecord{g.name, g.created, g.modified, g.members}
			}
		}
		return nil
	case "application":
		if app := is.apps.byID[r.id]; app != nil {
			return providerRecord{app.client, app.owner, app.created, app.authorized}
		}
		return nil
	}
	return is.oauth.describe(r)
}

// permissionRecords are a role's permissions in the form that earlier stand-ins kept.
func permissionRecords(names []string) []object {
	var out []object
	for _, name := range names {
		out = append(out, object{"value": name})
	}
	return out
}

// restoreAll takes what was kept in place of what is there. A server that finds no user makes what a first start makes.
func (is *IS) restoreAll(held map[string][]entry) error {
	if err := is.oauth.restore(held); err != nil {
		return err
	}
	if err := is.restoreUsers(held); err != nil {
		return err
	}
	if err := is.restoreApplications(held); err != nil {
		return err
	}
	is.resources = nil
	err := decode(held, "resource", func(id string, r resourceRecord) {
		is.resources = append(is.resources, &apiResource{
			id: id, name: r.Name, identifier: r.Identifier, kind: r.Kind, scopes: r.Scopes, guarded: !r.Open, description: r.Description,
		})
	})
	if err != nil {
		return err
	}
	is.completeSystem()
	if held["user"] != nil {
		return nil
	}
	is.roles = is.systemRoles()
	for _, r := range is.roles {
		is.changed("role", r.id)
	}
	is.changed("user", is.admin)
	return nil
}

// restoreUsers restores users, groups and roles. The administrator is the first user, with the password of the settings
// only where the database has none yet.
func (is *IS) restoreUsers(held map[string][]entry) error {
	is.users = []*user{{id: is.oauth.userID, name: is.admin, password: is.password}}
	is.roles, is.groups = nil, nil
	err := decode(held, "account", func(id string, r accountRecord) {
		u := &user{id: id, name: r.Name, password: r.Password, created: r.Created, modified: r.Modified, given: r.Given}
		if id == is.oauth.userID {
			is.users[0].password, is.users[0].modified = u.password, u.modified
			return
		}
		is.users = append(is.users, u)
	})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(held["account"], func(e entry) bool { return e.ID == is.oauth.userID }) {
		is.changed("account", is.oauth.userID)
	}
	slices.SortStableFunc(is.users[1:], func(a, b *user) int { return a.created.Compare(b.created) })
	err = decode(held, "group", func(id string, r groupRecord) {
		is.groups = append(is.groups, &group{id: id, name: r.Name, created: r.Created, modified: r.Modified, members: r.Members})
	})
	if err != nil {
		return err
	}
	if held["user"] == nil || held["group"] == nil {
		g := &group{id: newUUID(), name: adminRole, created: is.started, modified: is.started, members: []string{is.oauth.userID}}
		is.groups = append(is.groups, g)
		is.changed("group", g.id)
	}
	return decode(held, "role", func(id string, r roleRecord) {
		restored := &role{id: id, name: r.Name, users: r.Users, groups: r.Groups}
		for _, p := range r.Permissions {
			if name, ok := p["value"].(string); ok {
				restored.permissions = append(restored.permissions, name)
			}
		}
		if restored.name == adminRole && len(restored.users) == 0 { // of an earlier stand-in
			restored.users = []string{is.oauth.userID}
			is.changed("role", id)
		}
		is.roles = append(is.roles, restored)
	})
}

// restoreApplications gives an application to every client that a state of an earlier stand-in has without one.
func (is *IS) restoreApplications(held map[string][]entry) error {
	is.apps = newServiceProviders()
	var kept []*serviceProvider
	err := decode(held, "application", func(id string, r providerRecord) {
		kept = append(kept, &serviceProvider{id: id, client: r.Client, owner: r.Owner, created: r.Created, authorized: r.Authorized})
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(kept, func(a, b *serviceProvider) int { return a.created.Compare(b.created) })
	for _, app := range kept {
		is.apps.add(app)
	}
	for _, e := range held["client"] {
		if is.apps.byClient[e.ID] == nil {
			is.addApplication(e.ID, is.admin)
		}
	}
	return nil
}
