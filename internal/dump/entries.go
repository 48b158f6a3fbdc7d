package dump

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/sorting"
)

// tree returns the file as a tree, in the order of the names of objects. Its secrets are variables.
func (d *dump) tree(all actual.Everything) (branch, error) {
	secrets := &names{taken: d.Taken, used: map[string]bool{}}
	tree := branch{}
	add := func(section string, list []any) {
		if len(list) > 0 {
			tree[section] = list
		}
	}
	apis, err := d.apis(all, secrets)
	if err != nil {
		return nil, err
	}
	add("apis", apis)
	add("scopes", d.scopes(all, apis))
	add("applications", d.applications(all, secrets))
	add("key_managers", d.keyManagers(all, secrets))
	if d.Identity {
		if is := identity(all, cmp.Or(d.Administrator, d.want.Own.Username.Value), secrets); len(is) > 0 {
			tree["identity_server"] = is
		}
	}
	return tree, nil
}

// scopes returns the shared scopes: all, or those of the selected APIs.
func (d *dump) scopes(all actual.Everything, apis []any) (list []any) {
	used := map[string]bool{}
	for _, api := range apis {
		scopes, _ := api.(branch)["scopes"].([]any)
		for _, s := range scopes {
			used[fmt.Sprint(s.(branch)["name"])] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all.Scopes)) {
		if d.whole() || used[name] {
			list = append(list, grown(plan.ScopeFields(all.Scopes[name])))
		}
	}
	return list
}

// applications returns the applications with their subscriptions and keys.
func (d *dump) applications(all actual.Everything, secrets *names) (list []any) {
	versions := map[string]plan.APIVersion{}
	for _, v := range all.Versions {
		versions[v.ID] = v
	}
	for _, name := range slices.Sorted(maps.Keys(all.Applications)) {
		app := all.Applications[name]
		if d.whole() && isBrought(app) {
			continue
		}
		entry := grown(plan.ApplicationFields(app.Object))
		if subscriptions := d.subscriptions(name, app, versions); len(subscriptions) > 0 {
			entry["subscriptions"] = subscriptions
		}
		// Without a list, the agent makes one key.
		if keys := d.keys(all, name, app, secrets); !equal(keys, []any{branch{"type": "PRODUCTION"}}) {
			entry["keys"] = keys
		}
		list = append(list, entry)
	}
	return list
}

// isBrought reports whether an application is the one that API-M makes for each user, and that nobody has used.
func isBrought(app plan.Application) bool {
	return app.Object["name"] == "DefaultApplication" && len(app.Subscriptions) == 0 && len(app.Keys) == 0
}

// subscriptions returns the subscriptions of an application. One covers all versions of an API.
func (d *dump) subscriptions(name string, app plan.Application, versions map[string]plan.APIVersion) (list []any) {
	var to []plan.APIVersion
	for id := range app.Subscriptions {
		if v, known := versions[id]; known {
			to = append(to, v)
		} else {
			d.leaveOut("application %s: a subscription to something that is no API", name)
		}
	}
	sorting.By(to, func(a, b plan.APIVersion) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	to = slices.CompactFunc(to, func(a, b plan.APIVersion) bool { return a.Name == b.Name })
	for _, v := range to {
		list = append(list, grown(plan.SubscriptionFields(v.Name, app.Subscriptions[v.ID])))
	}
	return list
}

func (d *dump) keys(all actual.Everything, name string, app plan.Application, secrets *names) []any {
	list := []any{}
	for _, key := range app.Keys {
		manager, _ := key["keyManager"].(string)
		kind, _ := all.KeyManagers[manager]["type"].(string)
		entry := grown(plan.KeyFields(key, kind))
		title := []string{name, fmt.Sprint(entry["type"])}
		if manager == d.want.KeyManager {
			delete(entry, "key_manager")
		} else {
			title = append(title, manager)
		}
		secrets.hide(entry, title...)
		list = append(list, entry)
	}
	sorting.By(list, func(a, b any) int {
		of := func(v any, key string) string { text, _ := v.(branch)[key].(string); return text }
		return cmp.Or(cmp.Compare(of(a, "type"), of(b, "type")), cmp.Compare(of(a, "key_manager"), of(b, "key_manager")))
	})
	return list
}

// keyManagers returns the key managers: all, or those of the keys of the selected applications. The agent's own one is always there if it
// differs, because a plan of any file compares it.
func (d *dump) keyManagers(all actual.Everything, secrets *names) (list []any) {
	used := map[string]bool{}
	for _, app := range all.Applications {
		for _, key := range app.Keys {
			used[fmt.Sprint(key["keyManager"])] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all.KeyManagers)) {
		if !d.whole() && !used[name] && name != d.want.Own.Name.Value {
			continue
		}
		if fields := plan.KeyManagerFields(all.KeyManagers[name], d.want.Own); fields != nil {
			entry := grown(fields)
			secrets.hide(entry, name)
			list = append(list, entry)
		}
	}
	return list
}

// builtIn are the names of users, groups and roles that IS brings.
var builtIn = []string{"admin", "everyone", "system", "selfsignup"}

// identity returns the users, groups and roles of IS, except those that it brings, and the account of the agent.
func identity(all actual.Everything, account string, secrets *names) branch {
	is := branch{}
	for _, kind := range []struct {
		section string
		have    map[string]plan.Object
		fields  func(plan.Object) plan.Fields
	}{{"roles", all.Roles, plan.RoleFields}, {"groups", all.Groups, plan.GroupFields}, {"users", all.Users, plan.UserFields}} {
		var list []any
		for _, name := range slices.Sorted(maps.Keys(kind.have)) {
			if slices.Contains(builtIn, strings.ToLower(name)) || serviceuser.IsMade(name) || kind.section == "users" && strings.EqualFold(name, account) {
				continue
			}
			entry := grown(kind.fields(kind.have[name]))
			secrets.hide(entry, name)
			list = append(list, entry)
		}
		if len(list) > 0 {
			is[kind.section] = list
		}
	}
	return is
}
