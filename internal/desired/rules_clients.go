package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/suggest"
)

// checkApplications reports applications that API-M takes for one, and what is wrong with each.
func (f *File) checkApplications(ps *Problems) {
	var all []entry
	for _, item := range f.Applications.Value {
		app := item.Value
		all = append(all, entry{strings.ToLower(app.Name.Value), fmt.Sprintf("application %q", app.Name.Shown()), item.At, app})
		f.checkSubscriptions(app, ps)
		app.checkKeys(ps)
	}
	twice(all, ps)
}

// checkSubscriptions reports subscriptions to APIs that no file lists or that cannot have any, and second subscriptions to an API.
func (f *File) checkSubscriptions(app Application, ps *Problems) {
	var names, shown []string
	for _, a := range f.APIs.Value {
		names, shown = append(names, a.Value.Name.Value), append(shown, a.Value.Name.Shown())
	}
	first := map[string]Place{}
	for _, item := range app.Subscriptions.Value {
		name, title, policy := item.Value.APIName.Value, item.Value.APIName.Shown(), item.Value.ThrottlingPolicy
		if name == "" {
			continue
		}
		if at, again := first[name]; again {
			ps.Add(item.At, "", "the subscription to %q appears twice, first %s", title, seen(at, item.At))
			continue
		}
		first[name] = item.At
		if !slices.Contains(names, name) {
			ps.Add(item.At, strings.TrimPrefix(suggest.Hint(title, shown), ": "), "the subscription is to %q, which %s does not list", title, f.section)
			continue
		}
		open := false
		for _, a := range f.APIs.Value {
			if a.Value.Name.Value != name {
				continue
			}
			open = open || !slices.Contains([]string{"CREATED", "RETIRED"}, a.Value.Lifecycle.Value)
			offered := a.Value.Policies
			if offered.Set && !offered.Null && !slices.ContainsFunc(offered.Value, func(t Text) bool { return t.Value == policy.Or("Unlimited") }) {
				ps.Add(item.At, "", "the subscription to %q has the policy %s, which policies of the API does not offer (%s)", title, cmp.Or(policy.Raw, policy.Or("Unlimited")), offered.At)
			}
		}
		if !open {
			ps.Add(item.At, "", "nobody can subscribe to %q: none of its versions is published", title)
		}
	}
}

func (app Application) checkKeys(ps *Problems) {
	var all []entry
	for _, item := range app.Keys.Value {
		k := item.Value
		title := fmt.Sprintf("the %s key", k.Type.Shown())
		if k.KeyManager.Value != "" {
			title += fmt.Sprintf(" of %q", k.KeyManager.Shown())
		}
		if k.Type.Value != "" {
			all = append(all, entry{k.Type.Value + "\x00" + k.KeyManager.Value, title, item.At, k})
		}
		for _, grant := range k.GrantTypes.Value {
			if (grant.Value == "authorization_code" || grant.Value == "implicit") && len(k.Callbacks.Value) == 0 {
				ps.Add(grant.At, "add callbacks", "the grant type %s needs a callback", grant.Shown())
			}
		}
		if k.GrantTypes.Null {
			ps.Add(k.GrantTypes.At, "name a grant type, or leave it out", "a key cannot do without grant types")
		}
		if k.Callbacks.Null {
			ps.Add(k.Callbacks.At, "leave it out, or name a callback", "API-M cannot remove the callbacks of a key: it keeps the old ones")
		}
		if k.ClientID.Set != k.ClientSecret.Set {
			ps.Add(item.At, "", "an existing client needs client_id and client_secret")
		}
	}
	twice(all, ps)
}

// checkKeyManagers reports key managers that API-M or its gateway takes for one, and what is wrong with each.
func (f *File) checkKeyManagers(ps *Problems) {
	var all []entry
	issuers := map[string]Place{}
	for _, item := range f.KeyManagers.Value {
		km := item.Value
		all = append(all, entry{km.Name.Value, fmt.Sprintf("key manager %q", km.Name.Shown()), item.At, km})
		if issuer := km.Issuer.Value; issuer != "" {
			if at, again := issuers[issuer]; again {
				ps.Add(km.Issuer.At, "", "another key manager has the same issuer (%s): the gateway would take one of them for all tokens", at)
			}
			issuers[issuer] = km.Issuer.At
		}
		km.check(item.At, ps)
	}
	twice(all, ps)
}

// residentKeyManager is the name of the key manager that API-M brings.
const residentKeyManager = "Resident Key Manager"

func (km KeyManager) check(at Place, ps *Problems) {
	kind := km.Type.Or("WSO2-IS-7")
	resident := km.Name.Value == residentKeyManager
	if resident && km.Type.Set && kind != "default" {
		ps.Add(km.Type.At, "write default", "the type of %s is default", residentKeyManager)
	}
	if km.Username.Set != km.Password.Set {
		ps.Add(at, "", "key manager %q needs username and password, or neither", km.Name.Shown())
	}
	endpoints := km.TokenEndpoint.Set && km.RevokeEndpoint.Set && km.IntrospectionEndpoint.Set && km.RegistrationEndpoint.Set
	if !resident && !strings.HasPrefix(kind, "WSO2-IS") && !km.WellKnown.Set && !endpoints {
		ps.Add(at, "", "key manager %q needs well_known_endpoint, or all of token_endpoint, revoke_endpoint, introspection_endpoint and client_registration_endpoint", km.Name.Shown())
	}
	if kind == "WSO2-IS-7" && strings.HasSuffix(km.UserInfoEndpoint.Value, "/oauth2/userinfo") {
		ps.Add(km.UserInfoEndpoint.At, "write https://…/scim2/Me", "user_info_endpoint of a key manager of type WSO2-IS-7 is the one of SCIM2: with /oauth2/userinfo its connector fails")
	}
	if p := km.Permissions.Value; km.Permissions.Set && !km.Permissions.Null {
		switch public := p.Type.Value == "PUBLIC"; {
		case p.Type.Value == "":
		case public && len(p.Roles.Value) > 0:
			ps.Add(p.Roles.At, "remove the roles, or set type to ALLOW or DENY", "roles have no effect while permissions are PUBLIC")
		case !public && len(p.Roles.Value) == 0:
			ps.Add(p.Type.At, "add roles", "permissions are %s, and there are no roles", p.Type.Shown())
		}
	}
	for key, value := range km.AdditionalProperties.Value {
		if strings.EqualFold(key, "password") || strings.EqualFold(key, "username") || strings.EqualFold(key, "client_secret") {
			ps.Add(value.At, "write username and password of the key manager", "additional_properties must not contain %s: they are no secrets", key)
		}
	}
}

// checkIdentityServer reports roles, groups and users that IS takes for one.
func (f *File) checkIdentityServer(ps *Problems) {
	is := f.IdentityServer.Value
	var roles, groups, users []entry
	for _, r := range is.Roles.Value {
		roles = append(roles, entry{strings.ToLower(r.Value.Name.Value), fmt.Sprintf("role %q", r.Value.Name.Shown()), r.At, r.Value})
	}
	for _, g := range is.Groups.Value {
		groups = append(groups, entry{strings.ToLower(g.Value.Name.Value), fmt.Sprintf("group %q", g.Value.Name.Shown()), g.At, g.Value})
	}
	for _, u := range is.Users.Value {
		users = append(users, entry{strings.ToLower(u.Value.Username.Value), fmt.Sprintf("user %q", u.Value.Username.Shown()), u.At, u.Value})
	}
	twice(roles, ps)
	twice(groups, ps)
	twice(users, ps)
}
