package plan

import (
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

type api = desired.API

// apiTable has a row for each field of an API that is in the Publisher's object. Server-made fields have none.
var apiTable = slices.Concat(apiBasics, apiAccess, apiGateway, endpointTable, apiOperations)

// Fields that identify an API, and those for people.
var apiBasics = []mapping{
	textRow("name", "name", "", func(a api) desired.Text { return a.Name }),
	textRow("version", "version", "", func(a api) desired.Text { return a.Version }),
	contextRow,
	textRow("type", "type", "HTTP", func(a api) desired.Text { return a.Type }),
	nullable(textRow("description", "description", "", func(a api) desired.Text { return a.Description })),
	switchRow("default_version", "isDefaultVersion", false, func(a api) desired.Switch { return a.DefaultVersion }),
	textsRow("tags", "tags", func(a api) desired.Texts { return a.Tags }),
	textsRow("categories", "categories", func(a api) desired.Texts { return a.Categories }),
	businessRow("business_owner", "businessOwner", func(b desired.Business) desired.Text { return b.Owner }),
	businessRow("business_owner_email", "businessOwnerEmail", func(b desired.Business) desired.Text { return b.OwnerEmail }),
	businessRow("technical_owner", "technicalOwner", func(b desired.Business) desired.Text { return b.TechnicalOwner }),
	businessRow("technical_owner_email", "technicalOwnerEmail", func(b desired.Business) desired.Text { return b.TechnicalOwnerEmail }),
	{
		path: "additional_properties",
		want: func(from any) (any, bool) {
			a := from.(api)
			all := map[string]any{}
			for _, p := range a.AdditionalProperties.Value {
				all[p.Value.Name.Value] = map[string]any{"value": p.Value.Value.Value, "display": p.Value.Display.Or(false)}
			}
			return all, a.AdditionalProperties.Set
		},
		have: func(o Object) any {
			all := map[string]any{}
			for _, p := range objectsAt(o, "additionalProperties") {
				if name := textAt(p, "name", ""); name != ownershipMark {
					display, _ := p["display"].(bool)
					all[name] = map[string]any{"value": textAt(p, "value", ""), "display": display}
				}
			}
			return all
		},
		put: putProperties,
	},
}

// putProperties writes additional properties in the order of their names, and keeps the agent's own mark.
func putProperties(body Object, value any) {
	list := []any{}
	for _, p := range objectsAt(body, "additionalProperties") {
		if p["name"] == ownershipMark {
			list = append(list, map[string]any(p))
		}
	}
	all := value.(map[string]any)
	if _, renewed := all[ownershipMark]; renewed {
		list = []any{}
	}
	for _, name := range sortedKeys(all) {
		p := all[name].(map[string]any)
		list = append(list, map[string]any{"name": name, "value": p["value"], "display": p["display"]})
	}
	body["additionalProperties"] = list
}

// contextRow compares contexts with their slash.
var contextRow = mapping{
	path: "context",
	want: func(from any) (any, bool) { a := from.(api); return a.Context.Value, a.Context.Set },
	have: func(o Object) any { return "/" + strings.TrimPrefix(textAt(o, "context", ""), "/") },
	put:  func(body Object, value any) { body["context"] = value },
}

func businessRow(name, key string, of func(desired.Business) desired.Text) mapping {
	return nullable(textRow("business_information."+name, "businessInformation."+key, "", func(a api) desired.Text {
		return within(a.Business, of)
	}))
}

// Who sees and changes an API. Roles come after what they depend on, because a level without roles empties them.
var apiAccess = []mapping{
	openRow("visibility", "visibility", "PUBLIC", "visibleRoles", func(a api) desired.Text { return a.Visibility }),
	closedBy("visibility", "PUBLIC", textsRow("visible_roles", "visibleRoles", func(a api) desired.Texts { return a.VisibleRoles })),
	openRow("access_control", "accessControl", "NONE", "accessControlRoles", func(a api) desired.Text { return a.AccessControl }),
	{
		path: "access_control_roles",
		want: func(from any) (any, bool) {
			a := from.(api)
			return lower(valuesOf(a.AccessControlRoles)), a.AccessControlRoles.Set
		},
		have: func(o Object) any { return lower(textsAt(o, "accessControlRoles")) },
		put: func(body Object, value any) {
			roles := value.([]string)
			body["accessControlRoles"] = listOf(roles)
			if len(roles) == 0 {
				body["accessControl"] = "NONE"
			}
		},
	},
	textRow("subscription_availability", "subscriptionAvailability", "CURRENT_TENANT", func(a api) desired.Text { return a.SubscriptionAvailability }),
}

// closedBy opens a level of access that a row leaves without roles: API-M refuses RESTRICTED without any.
func closedBy(key, open string, row mapping) mapping {
	put := row.put
	row.put = func(body Object, value any) {
		put(body, value)
		if roles, _ := value.([]string); len(roles) == 0 && body[key] == "RESTRICTED" {
			body[key] = open
		}
	}
	return row
}

// openRow maps a level of access. A level without roles empties the list of roles: with roles next to it, accessControl would stay
// RESTRICTED.
func openRow(path, key, open, roles string, of func(api) desired.Text) mapping {
	row := textRow(path, key, open, of)
	row.put = func(body Object, value any) {
		body[key] = value
		if value != "RESTRICTED" {
			body[roles] = []any{}
		}
	}
	return row
}

// lower returns roles as API-M stores those of the Publisher.
func lower(roles []string) []string {
	all := make([]string, len(roles))
	for i, r := range roles {
		all[i] = strings.ToLower(r)
	}
	return set(all)
}
