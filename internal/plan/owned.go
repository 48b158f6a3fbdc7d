package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/sorting"
)

// OwnedObject is an object that the agent has made or adopted. Kind, Name and Of are those of its [Change].
type OwnedObject struct {
	Kind, Name, Of string
	ID             string // what the server calls it; empty if the agent has not seen it yet
}

// Found is an object that the file names and that a server has.
type Found struct {
	OwnedObject
	Secrets map[string]string // what the file says now, by path; see [Secrets]
}

// Left is an owned object that the file no longer names and that a server still has, with the same id. What belongs to one that is
// left is not listed: it goes or stays with it.
type Left struct {
	OwnedObject
	Parent      string       // the id of the API or the application that it belongs to
	State       string       // of the lifecycle of an API
	Subscribers []Subscriber // of an API; read only if the agent is to remove it
}

// Subscriber is an application that has subscribed to an API.
type Subscriber struct {
	Subscription, ApplicationID string // ids
	Application, Owner          string // names
}

// Level is a group of kinds whose objects do not need each other.
type Level struct {
	Name  string // for people
	Kinds []string
}

// Levels returns all kinds in the order in which their objects are made: each level needs those before it. API-M refuses to save an API
// while it cannot reach a key manager. A group names its users, and a role its groups and the scopes of APIs. The agent removes objects in
// the reverse order.
func Levels() []Level {
	return []Level{
		{"key managers", []string{KindKeyManager}},
		{"scopes and certificates", []string{KindScope, KindCertificate}},
		{"APIs", []string{KindAPI}},
		{"documents and users", []string{KindDocument, KindUser}},
		{"groups", []string{KindGroup}},
		{"roles", []string{KindRole}},
		{"applications", []string{KindApplication}},
		{"subscriptions", []string{KindSubscription}},
		{"keys", []string{KindKey}},
	}
}

// order has the kinds in the order of their levels.
var order = func() (kinds []string) {
	for _, l := range Levels() {
		kinds = append(kinds, l.Kinds...)
	}
	return kinds
}()

// idOf returns the id of an object that a server has; "" if it shows none. That of a certificate is its content, because an alias
// alone does not say whose certificate it is.
func idOf(kind string, have any) string {
	switch v := have.(type) {
	case API:
		return textAt(v.Object, "id", "")
	case Agreed:
		return v.ID
	case Document:
		return textAt(v.Object, "documentId", "")
	case Application:
		return textAt(v.Object, "applicationId", "")
	case EndpointCertificate:
		return CertificateID(textAt(v.Object, "alias", ""), v.Fingerprint)
	case Object:
		switch kind {
		case KindSubscription:
			return textAt(v, "subscriptionId", "")
		case KindKey:
			return textAt(v, "keyMappingId", "")
		}
		return textAt(v, "id", "")
	}
	return ""
}

// CertificateID returns the id by which the agent knows an endpoint certificate: API-M gives it none. The fingerprint is SHA-256, as
// hexadecimal digits.
func CertificateID(alias, fingerprint string) string {
	if fingerprint == "" {
		return ""
	}
	return alias + " " + strings.ToLower(fingerprint)
}

// IDAfter returns the id of an object after its change; "" if only the next read shows it.
func IDAfter(want Wanted, c Change) string {
	switch w := c.Want.(type) {
	case desired.EndpointCertificate:
		return CertificateID(w.Alias.Value, want.Fingerprints[desired.PathOf(w.File)])
	case desired.Key:
		if KeyReplaced(c.Fields) {
			return ""
		}
	}
	return idOf(c.Kind, c.Have)
}

// Secrets returns the secrets that a change of an object sends, by the paths of their differences. want and have are those of the
// [Change]. The additional properties of a key manager are among them, because only its connector knows which ones are secrets.
func Secrets(want, have any) map[string]string {
	all := map[string]string{}
	note := func(path string, p desired.Password) {
		if p.Set && !p.Null {
			all[path] = p.Value.Reveal()
		}
	}
	switch w := want.(type) {
	case desired.API:
		on, _ := have.(API)
		return APISecrets(w, on.Object)
	case desired.KeyManager:
		note("password", w.Password)
		for name, value := range w.AdditionalProperties.Value {
			all["additional_properties."+name] = value.Value
		}
	case desired.User:
		note("password", w.Password)
	case desired.Key:
		note("client_secret", w.ClientSecret)
	}
	return all
}

// NotNamed returns the owned objects that the file does not name, in the order in which they are removed. Of versions it knows those
// that the server lists: a subscription is to a version, and the file names the API. What belongs to an object that is not named is not
// named either.
func NotNamed(want Wanted, versions []APIVersion) []OwnedObject {
	named := namesOf(want)
	var all []OwnedObject
	for _, o := range want.Owned {
		is := named[OwnedObject{Kind: o.Kind, Name: o.Name, Of: o.Of}]
		if o.Kind == KindSubscription {
			is = namesSubscription(want, o, versions)
		}
		if !is && !builtIn(o) {
			all = append(all, o)
		}
	}
	sorting.By(all, func(a, b OwnedObject) int {
		return cmp.Compare(slices.Index(order, b.Kind), slices.Index(order, a.Kind))
	})
	return all
}

// builtIn reports whether an object comes with the server. The agent never removes it, although a file may have named it.
func builtIn(o OwnedObject) bool {
	switch o.Kind {
	case KindKeyManager:
		return o.Name == "Resident Key Manager"
	case KindRole, KindGroup, KindUser:
		return slices.Contains([]string{"admin", everyone, "system"}, folded(o.Name))
	case KindApplication:
		return o.Name == "DefaultApplication"
	}
	return false
}

// namesOf returns what the file names, without ids. Subscriptions are not among them.
func namesOf(want Wanted) map[OwnedObject]bool {
	m := maker{Wanted: want}
	all := map[OwnedObject]bool{}
	add := func(kind, name, of string) { all[OwnedObject{Kind: kind, Name: name, Of: of}] = true }
	for _, name := range keyManagersOf(want) {
		add(KindKeyManager, name, "")
	}
	for _, s := range m.sharedScopes() {
		add(KindScope, s.Name.Value, "")
	}
	for _, item := range want.File.APIs.Value {
		api := item.Value
		name := APIName{api.Name.Value, api.Version.Value}.String()
		add(KindAPI, name, "")
		for _, c := range api.Certificates.Value {
			add(KindCertificate, c.Value.Alias.Value, "")
		}
		for _, d := range api.Documents.Value {
			add(KindDocument, d.Value.Name.Value, "API "+name)
		}
	}
	is := want.File.IdentityServer.Value
	for _, u := range is.Users.Value {
		add(KindUser, u.Value.Username.Value, "")
	}
	for _, g := range is.Groups.Value {
		add(KindGroup, g.Value.Name.Value, "")
	}
	for _, r := range is.Roles.Value {
		add(KindRole, r.Value.Name.Value, "")
	}
	for _, item := range want.File.Applications.Value {
		add(KindApplication, item.Value.Name.Value, "")
		for _, key := range Keys(item, want.KeyManager) {
			add(KindKey, keyName(key.Value, want.KeyManager), "application "+item.Value.Name.Value)
		}
	}
	return all
}

// keyManagersOf returns the names of the key managers that the file names anywhere, and of the agent's own. One that a key or an API
// needs stays, although the list of key managers has it no longer.
func keyManagersOf(want Wanted) []string {
	names := []string{want.Own.Name.Value}
	for _, km := range want.File.KeyManagers.Value {
		names = append(names, km.Value.Name.Value)
	}
	for _, api := range want.File.APIs.Value {
		names = append(names, valuesOf(api.Value.KeyManagers)...)
	}
	for _, app := range want.File.Applications.Value {
		for _, key := range Keys(app, want.KeyManager) {
			names = append(names, key.Value.KeyManager.Value)
		}
	}
	return names
}

// namesSubscription reports whether the file names a subscription. If the server does not list the version, a name that may be meant
// counts.
func namesSubscription(want Wanted, o OwnedObject, versions []APIVersion) bool {
	i := slices.IndexFunc(want.File.Applications.Value, func(a desired.Field[desired.Application]) bool { return o.Of == "application "+a.Value.Name.Value })
	if i < 0 {
		return false
	}
	at := slices.IndexFunc(versions, func(v APIVersion) bool { return o.Name == subscriptionName(v) })
	return slices.ContainsFunc(want.File.Applications.Value[i].Value.Subscriptions.Value, func(s desired.Field[desired.Subscription]) bool {
		if at >= 0 {
			return versions[at].Name == s.Value.APIName.Value
		}
		return strings.HasPrefix(o.Name, "to API "+s.Value.APIName.Value+" ")
	})
}

func subscriptionName(v APIVersion) string { return "to API " + APIName{v.Name, v.Version}.String() }

// knows reports whether the record has an object with this id, or one that was made and not seen since.
func (m *maker) knows(o OwnedObject) bool {
	unseen := o
	unseen.ID = ""
	return m.owned[o] || m.owned[unseen]
}

// sentOf returns what was last sent for an object; nil if the record does not know it. have is as the server has it.
func (m *maker) sentOf(kind, name, of string, have any) Sent {
	if m.Sent == nil || !m.knows(OwnedObject{kind, name, of, idOf(kind, have)}) {
		return nil
	}
	return m.Sent(kind, name, of)
}

// removals adds the changes that remove what the file no longer names, or notes what stays.
func (m *maker) removals() {
	left := slices.DeleteFunc(slices.Clone(m.has.Left), func(l Left) bool {
		// Two names of one object, such as that of a user in another letter case.
		return slices.ContainsFunc(m.found, func(f Found) bool { return f.Kind == l.Kind && f.ID == l.ID })
	})
	sorting.By(left, func(a, b Left) int {
		return cmp.Compare(slices.Index(order, b.Kind), slices.Index(order, a.Kind))
	})
	// An object may be the one that the file names otherwise, or the one that a change that cannot be made was to replace.
	solved, stays := len(m.problems) == 0, false
	for _, l := range left {
		removes := m.Prune && solved && !m.spares(l.OwnedObject) && !(stays && apiNeeds(l.Kind))
		if removes && !m.remove(l, left) {
			removes, stays = false, true
		}
		if !removes {
			m.kept = append(m.kept, l.OwnedObject)
		}
	}
}

// apiNeeds reports whether an API may need an object of a kind. The list of APIs does not say which ones an API needs, so all stay with an
// API that stays.
func apiNeeds(kind string) bool { return slices.Index(order, kind) < slices.Index(order, KindAPI) }

// spares reports whether an object stays although the file does not name it.
func (w Wanted) spares(o OwnedObject) bool {
	if w.Spared == "" {
		return false
	}
	return o.Kind == KindKeyManager && o.Name == w.Spared || o.Kind == KindKey && strings.HasSuffix(o.Name, ofKeyManager+w.Spared)
}

// remove adds the change that removes an object, and reports whether it does. If other people's applications need the object, a person
// decides. The other removals go on: the person may never want this one.
func (m *maker) remove(l Left, left []Left) bool {
	c := Change{Action: Delete, Kind: l.Kind, Name: l.Name, Of: l.Of}
	var who []string
	l.Subscribers = slices.DeleteFunc(slices.Clone(l.Subscribers), func(s Subscriber) bool {
		return slices.ContainsFunc(left, func(other Left) bool {
			return other.Kind == KindSubscription && other.ID == s.Subscription || other.Kind == KindApplication && other.ID == s.ApplicationID
		})
	})
	for _, s := range l.Subscribers {
		who = append(who, fmt.Sprintf("%q of %s", s.Application, s.Owner))
	}
	switch {
	case len(who) > 0 && !m.PruneSubscribed:
		m.problems.Add(m.File.Begin(), "put the API back into the file, ask the owners to unsubscribe, or add --prune-subscribed",
			"API %s is no longer in the file, and these applications have subscribed to it: %s", l.Name, strings.Join(who, ", "))
		return false
	case len(who) > 0:
		c.Effects = append(c.Effects, "the agent first retires the API, which ends the subscriptions of "+strings.Join(who, ", "))
	}
	switch l.Kind {
	case KindAPI:
		c.Effects = append(c.Effects, "API-M also deletes its revisions and documents")
	case KindApplication:
		c.Effects = append(c.Effects, "its subscriptions, its keys and their clients go with it, and their tokens end")
	case KindKey:
		c.Effects = append(c.Effects, "the tokens of its client end")
	case KindUser:
		c.Effects = append(c.Effects, "the tokens of the user end")
	case KindRole:
		c.Effects = append(c.Effects, "users lose the permissions of the role")
	}
	c.Have = l
	m.changes = append(m.changes, c)
	return true
}

// marked returns an API with the additional property by which people and other agents see whose it is. The mark alone is no
// difference, so the agent writes it only together with another change.
func marked(want desired.API, have Object, owner string) desired.API {
	if owner == "" {
		return want
	}
	list := slices.Clone(want.AdditionalProperties.Value)
	if !want.AdditionalProperties.Set {
		for _, p := range objectsAt(have, "additionalProperties") {
			display, _ := p["display"].(bool)
			list = append(list, given(desired.AdditionalProperty{Name: given(textAt(p, "name", "")), Value: given(textAt(p, "value", "")), Display: given(display)}))
		}
	}
	list = slices.DeleteFunc(list, func(p desired.Field[desired.AdditionalProperty]) bool { return p.Value.Name.Value == ownershipMark })
	want.AdditionalProperties = given(append(list, given(desired.AdditionalProperty{Name: given(ownershipMark), Value: given(owner)})))
	return want
}

// marks reports whether an API has the mark of an owner.
func marks(have Object, owner string) bool {
	return owner != "" && slices.ContainsFunc(objectsAt(have, "additionalProperties"), func(p Object) bool {
		return p["name"] == ownershipMark && p["value"] == owner
	})
}
