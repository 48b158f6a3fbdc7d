package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// checkApplications reports applications that API-M takes for one, and what is wrong with each.
func (f *File) checkApplications(ps *Problems) {
	var all []entry
	offers, left := f.offers(), mostGuesses
	for i := range f.Applications.Value {
		item := &f.Applications.Value[i]
		app := &item.Value
		all = append(all, entry{strings.ToLower(app.Name.Value), fmt.Sprintf("application %q", app.Name.Shown()), item.At, app})
		f.checkSubscriptions(app, offers, &left, ps)
		app.checkKeys(f.words, ps)
	}
	twice(all, f.words, ps)
}

// offer is what the versions of an API offer to applications.
type offer struct {
	open     bool    // a version can have subscriptions
	policies []Texts // of the versions that limit them
}

// offers returns the offers of the APIs by their names.
func (f *File) offers() map[string]*offer {
	all := map[string]*offer{}
	for i := range f.APIs.Value {
		a := &f.APIs.Value[i].Value
		o := all[a.Name.Value]
		if o == nil {
			o = &offer{}
			all[a.Name.Value] = o
		}
		o.open = o.open || a.Lifecycle.Value != "CREATED" && a.Lifecycle.Value != "RETIRED"
		if a.Policies.Set && !a.Policies.Null {
			o.policies = append(o.policies, a.Policies)
		}
	}
	return all
}

// checkSubscriptions reports subscriptions to APIs that no file lists or that cannot have any, and second subscriptions to an API.
func (f *File) checkSubscriptions(app *Application, offers map[string]*offer, left *guesses, ps *Problems) {
	first := map[string]Place{}
	_, unnamed := offers[""]
	unsure := unnamed || f.partial || f.APIs.Wrong && len(f.APIs.Value) == 0 // the API may be there, with a mistake that is reported
	for i := range app.Subscriptions.Value {
		item := &app.Subscriptions.Value[i]
		name, title, policy := item.Value.APIName.Value, item.Value.APIName.Shown(), item.Value.ThrottlingPolicy
		if name == "" {
			continue
		}
		if at, again := first[name]; again {
			ps.Add(item.At, "", "the subscription to %q appears twice, first %s", title, seen(at, item.At))
			continue
		}
		first[name] = item.At
		of := offers[name]
		if of == nil && unsure {
			continue
		}
		if of == nil {
			ps.Add(item.At, f.meant(title, left), "the subscription is to %q, which %s does not list", title, f.section)
			continue
		}
		for _, offered := range of.policies {
			if !policy.Wrong && !offered.Wrong && !slices.ContainsFunc(offered.Value, func(t Text) bool { return t.Value == policy.Or("Unlimited") }) {
				ps.Add(item.At, "", "the subscription to %q has the policy %s, which %s of the API does not offer (%s)", title, cmp.Or(policy.Raw, policy.Or("Unlimited")), f.words.of(offered.At, "policies"), offered.At)
			}
		}
		if !of.open {
			ps.Add(item.At, "", "nobody can subscribe to %q: none of its versions is published", title)
		}
	}
}

// meant returns a hint that names the API that may be meant by a name, or all APIs if there are few.
func (f *File) meant(name string, left *guesses) string {
	shown := func() (names []string) {
		for i := range f.APIs.Value {
			names = append(names, f.APIs.Value[i].Value.Name.Shown())
		}
		return names
	}
	near := left.nearest(name, shown)
	switch {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(f.APIs.Value) > 0 && len(f.APIs.Value) <= mostListed:
		return "known are " + strings.Join(shown(), ", ")
	}
	return ""
}

func (app *Application) checkKeys(w words, ps *Problems) {
	var all []entry
	for i := range app.Keys.Value {
		item := &app.Keys.Value[i]
		k := &item.Value
		title := fmt.Sprintf("the %s key", k.Type.Shown())
		if k.KeyManager.Value != "" {
			title += fmt.Sprintf(" of %q", k.KeyManager.Shown())
		}
		if k.Type.Value != "" {
			all = append(all, entry{k.Type.Value + "\x00" + k.KeyManager.Value, title, item.At, k})
		}
		for _, grant := range k.GrantTypes.Value {
			if (grant.Value == "authorization_code" || grant.Value == "implicit") && len(k.Callbacks.Value) == 0 && !k.Callbacks.Wrong {
				ps.Add(grant.At, "add callbacks", "the grant type %s needs a callback", grant.Shown())
			}
		}
		if k.GrantTypes.Null && !k.GrantTypes.Wrong {
			ps.Add(k.GrantTypes.At, "name a grant type, or leave it out", "a key cannot do without grant types")
		}
		if k.Callbacks.Null && !k.Callbacks.Wrong {
			ps.Add(k.Callbacks.At, "leave it out, or name a callback", "API-M cannot remove the callbacks of a key: it keeps the old ones")
		}
		for _, c := range k.Callbacks.Value {
			if len(k.Callbacks.Value) > 1 && strings.ContainsAny(c.Value, "()[]*$") {
				ps.Add(c.At, "write %28 and so on, or make it the only callback", "a callback that is not the only one must not contain ( ) [ ] * or $: API-M makes one regular expression of all")
			}
		}
		if k.ClientID.Set != k.ClientSecret.Set {
			ps.Add(item.At, "", "an existing client needs client_id and client_secret")
		}
	}
	twice(all, w, ps)
}

// checkKeyManagers reports key managers that API-M or its gateway takes for one, and what is wrong with each.
func (f *File) checkKeyManagers(ps *Problems) {
	var all []entry
	issuers := map[string]Place{}
	for i := range f.KeyManagers.Value {
		item := &f.KeyManagers.Value[i]
		km := &item.Value
		all = append(all, entry{km.Name.Value, fmt.Sprintf("key manager %q", km.Name.Shown()), item.At, km})
		if issuer := km.Issuer.Value; issuer != "" {
			if at, again := issuers[issuer]; again {
				ps.Add(km.Issuer.At, "", "another key manager has the same issuer (%s): the gateway would take one of them for all tokens", at)
			}
			issuers[issuer] = km.Issuer.At
		}
		km.check(item.At, ps)
	}
	twice(all, f.words, ps)
}

// residentKeyManager is the name of the key manager that API-M brings.
const residentKeyManager = "Resident Key Manager"

func (km *KeyManager) check(at Place, ps *Problems) {
	kind := km.Type.Or("WSO2-IS-7")
	resident := km.Name.Value == residentKeyManager
	if resident && km.Type.Set && !km.Type.Wrong && kind != "default" {
		ps.Add(km.Type.At, "write default", "the type of %s is default", residentKeyManager)
	}
	if km.Username.Set != km.Password.Set {
		ps.Add(at, "", "key manager %q needs username and password, or neither", km.Name.Shown())
	}
	endpoints := km.TokenEndpoint.Set && km.RevokeEndpoint.Set && km.IntrospectionEndpoint.Set && km.RegistrationEndpoint.Set
	if !resident && !km.Type.Wrong && !km.Name.Wrong && !strings.HasPrefix(kind, "WSO2-IS") && !km.WellKnown.Set && !endpoints {
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
		case !public && len(p.Roles.Value) == 0 && !p.Roles.Wrong:
			ps.Add(p.Type.At, "add roles", "permissions are %s, and there are no roles", p.Type.Shown())
		}
	}
	km.checkMutualTLS(kind, ps)
	// The connector of PingFederate has an administrator with these names, next to the client (GET /settings of the Admin API, recorded).
	administrator := km.Type.Value == "PingFederate"
	for key, value := range km.AdditionalProperties.Value {
		if administrator && (key == "username" || key == "password") {
			continue
		}
		if strings.EqualFold(key, "password") || strings.EqualFold(key, "username") || strings.EqualFold(key, "client_secret") {
			ps.Add(value.At, "write username and password of the key manager", "additional_properties must not contain %s: they are no secrets", key)
		}
	}
}

// MutualTLS reports whether API-M calls the key manager with its certificate in place of a password. The names are those of
// WSO2IS7ConnectorConfiguration of apim-km-wso2is 2.0.8, which API-M 4.6 has.
func (km *KeyManager) MutualTLS() bool {
	return km.AdditionalProperties.Value["Authentication"].Value == "MutualTLS"
}

func (km *KeyManager) checkMutualTLS(kind string, ps *Problems) {
	authentication := km.AdditionalProperties.Value["Authentication"]
	options, user := km.AdditionalProperties.Value["MutualTLSOptions"], km.AdditionalProperties.Value["IdentityUser"]
	switch {
	case !km.MutualTLS():
	case kind != "WSO2-IS-7":
		ps.Add(authentication.At, "remove it", "a key manager of type %s has no mutual TLS", kind)
	case km.Username.Set:
		ps.Add(km.Username.At, "remove username and password", "with mutual TLS API-M calls the key manager without a password")
	case options.Value != "ServerWide":
		ps.Add(authentication.At, "set MutualTLSOptions to ServerWide", "with mutual TLS the agent only makes key managers for which API-M presents the certificate of its primary keystore")
	case user.Value == "":
		ps.Add(authentication.At, "set IdentityUser to a user of IS", "with mutual TLS a key manager needs additional_properties.IdentityUser")
	}
}

// checkIdentityServer reports roles, groups and users that IS takes for one.
func (f *File) checkIdentityServer(ps *Problems) {
	is := f.IdentityServer.Value
	var roles, groups, users []entry
	for i := range is.Roles.Value {
		r := &is.Roles.Value[i]
		roles = append(roles, entry{strings.ToLower(r.Value.Name.Value), fmt.Sprintf("role %q", r.Value.Name.Shown()), r.At, &r.Value})
	}
	for i := range is.Groups.Value {
		g := &is.Groups.Value[i]
		groups = append(groups, entry{strings.ToLower(g.Value.Name.Value), fmt.Sprintf("group %q", g.Value.Name.Shown()), g.At, &g.Value})
	}
	for i := range is.Users.Value {
		u := &is.Users.Value[i]
		users = append(users, entry{strings.ToLower(u.Value.Username.Value), fmt.Sprintf("user %q", u.Value.Username.Shown()), u.At, &u.Value})
	}
	twice(roles, f.words, ps)
	twice(groups, f.words, ps)
	twice(users, f.words, ps)
}
