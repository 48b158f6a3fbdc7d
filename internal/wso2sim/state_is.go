package wso2sim

type roleRecord struct {
	Name        string
	Permissions []object
}

type resourceRecord struct {
	Name, Identifier, Kind string
	Scopes                 []resourceScope
}

// describe is what is kept of a record.
func (is *IS) describe(r record) any {
	switch r.kind {
	case "role":
		for _, found := range is.roles {
			if found.id == r.id {
				return roleRecord{found.name, found.permissions}
			}
		}
		return nil
	case "resource":
		for _, a := range is.resources {
			if a.id == r.id {
				return resourceRecord{a.name, a.identifier, a.kind, a.scopes}
			}
		}
		return nil
	}
	return is.oauth.describe(r)
}

// restoreAll takes what was kept in place of what is there. A server that finds no user makes what a first start makes.
func (is *IS) restoreAll(held map[string][]entry) error {
	if err := is.oauth.restore(held); err != nil {
		return err
	}
	is.roles, is.resources = nil, nil
	err := decode(held, "role", func(id string, r roleRecord) {
		is.roles = append(is.roles, &role{id: id, name: r.Name, permissions: r.Permissions})
	})
	if err != nil {
		return err
	}
	err = decode(held, "resource", func(id string, r resourceRecord) {
		is.resources = append(is.resources, &apiResource{id: id, name: r.Name, identifier: r.Identifier, kind: r.Kind, scopes: r.Scopes})
	})
	if err != nil || held["user"] != nil {
		return err
	}
	is.roles, is.resources = systemRoles(), systemResources()
	for _, r := range is.roles {
		is.changed("role", r.id)
	}
	for _, a := range is.resources {
		is.changed("resource", a.id)
	}
	is.changed("user", is.admin)
	return nil
}
