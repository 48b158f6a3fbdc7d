package plan

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// Wanted is the desired state, with what it refers to.
type Wanted struct {
	File *desired.File
	// Own is the key manager that the agent registers by itself. Without a name there is none. Its issuer is in [Have].
	Own desired.KeyManager
	// KeyManager is the name of the key manager for keys for which the file names none.
	KeyManager string
	// VHost is the virtual host of an environment for which the file names none.
	VHost string
	// Contents are the files that the file names for documents, by their [desired.PathOf].
	Contents map[string][]byte
	// Fingerprints are the SHA-256 fingerprints of the endpoint certificates, as hexadecimal digits, by the [desired.PathOf] of
	// their file. Certificates are the same certificates in PEM.
	Fingerprints map[string]string
	Certificates map[string][]byte
	// Definitions are the OpenAPI definitions and GraphQL schemas that the file names, by their [DefinitionKey].
	Definitions map[string]Definition
	// Owned is what the agent has made or adopted, by its record.
	Owned []OwnedObject
	// Sent returns what was last sent for an object of the record, or nil if nothing is known of it. A nil Sent means that there is no
	// record.
	Sent func(kind, name, of string) Sent
	// Unrestored are APIs whose definition a run has written, and which do not have again what the definition does not say, each as
	// [BeforeDefinition] has it, by the name of its change.
	Unrestored map[string]Object
	// Owner is the name that the additional property wso2agent of an API gets. Without a name APIs get none.
	Owner string
	// Prune says that owned objects that the file no longer names are to be removed.
	Prune bool
	// Spared is the name of a key manager that settings register and the file does not name. It and its keys stay although the settings
	// name no Identity Server now: that is no change of the file. Empty: none.
	Spared string
	// PruneSubscribed says that an API goes even if applications that stay have subscribed to it.
	PruneSubscribed bool
}

// Policies returns the policies that the subscriptions of the file need of an API.
func (w Wanted) Policies(api string) (need []string) {
	for _, app := range w.File.Applications.Value {
		for _, s := range app.Value.Subscriptions.Value {
			if s.Value.APIName.Value == api {
				need = append(need, s.Value.ThrottlingPolicy.Or(unlimited))
			}
		}
	}
	return set(need)
}

// Have is what both servers have of what a file names, read once. What is missing on a server is missing here.
type Have struct {
	Issuer       string                         // of IS; "" if it is not known
	KeyManagers  map[string]Object              // by name
	Scopes       map[string]Object              // shared ones, by name
	Roles        map[string]Object              // of IS, by name
	Groups       map[string]Object              // of IS, by name
	Users        map[string]Object              // of IS, by name
	Certificates map[string]EndpointCertificate // of endpoints, by alias
	Versions     []APIVersion                   // of every API, in the order of the server
	APIs         map[APIName]API                // those that the file names, without Agreed
	Agreed       map[APIName]Agreed             // those that have all that the file says, if the reader keeps no more of them
	Applications map[string]Application         // those that the file names
	Names        []string                       // of all applications of the agent's user
	Left         []Left                         // owned objects that the file no longer names
	Gone         []OwnedObject                  // owned objects that the file no longer names, and that no server has
}

// APIName identifies an API.
type APIName struct{ Name, Version string }

func (n APIName) String() string { return n.Name + " " + n.Version }

// nameOf returns the name of an API of the file.
func nameOf(api desired.API) APIName { return APIName{api.Name.Value, api.Version.Value} }

// API is what the Publisher has of an API.
type API struct {
	Object      Object
	Deployments []Object   // environments in which a revision is deployed, with name and vhost
	Revisions   []Revision // the oldest first
	Documents   map[string]Document
	// Definition is what the Publisher gives back of the definition, if the file has one: for openapi a document in JSON, for schema the
	// text. nil if it has none, or has not been asked.
	Definition []byte
}

// Document is what the Publisher has of a document. Content is nil if it has none, and of one that is an address.
type Document struct {
	Object  Object
	Content []byte
}

// EndpointCertificate is what the Publisher has of a certificate that the gateway trusts at a backend.
type EndpointCertificate struct {
	Object      Object
	Fingerprint string // SHA-256 of the DER form, as hexadecimal digits
}

// Application is what the Developer Portal has of an application.
type Application struct {
	Object        Object
	Subscriptions map[string]Object // by the id of the API
	Keys          []Object
}

// Action is what a change does.
type Action string

// The actions of changes.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Unsure Action = "unsure" // to create a key, if API-M does not have it and only does not show it
)

// The kinds of objects, in words for people.
const (
	KindKeyManager   = "key manager"
	KindScope        = "shared scope"
	KindCertificate  = "endpoint certificate"
	KindAPI          = "API"
	KindDocument     = "document"
	KindUser         = "user"
	KindGroup        = "group"
	KindRole         = "role"
	KindApplication  = "application"
	KindSubscription = "subscription"
	KindKey          = "key"
)

// Change makes one object of a server what the file says.
type Change struct {
	Action  Action
	Kind    string       // of the object, such as [KindAPI]
	Name    string       // of the object; of an API with the version
	Of      string       // the object that it belongs to; empty if to none
	Fields  []Difference // what an update changes, in the order of the reference; none for a creation
	Effects []string     // what else the change does, such as to end tokens
	// Want is what the file says of the object: a struct of package desired, and for a subscription a [WantedSubscription]. A key
	// names its key manager.
	Want any
	// Have is the object that the server has, as [Have] has it; nil for a creation, and a [Left] for a deletion, whose Want is nil.
	Have any
}

// Comparison is what [Compare] finds.
type Comparison struct {
	Changes  []Change         // in the order in which they are made
	Problems desired.Problems // what a person must change, because no change can bring it about
	Kept     []OwnedObject    // what the file no longer names, and no change removes
	Found    []Found          // what the file names, and a server has
}

// Make returns the changes and the problems of [Compare].
func Make(want Wanted, have Have) ([]Change, desired.Problems) {
	c := Compare(want, have)
	return c.Changes, c.Problems
}

// Compare compares the desired state with what the servers have. Its changes bring the servers to the desired state. What is to be
// removed comes last, in the reverse order of its creation.
func Compare(want Wanted, have Have) Comparison {
	m := maker{Wanted: want, has: have, versions: versionsOf(want.File, have), owned: map[OwnedObject]bool{}}
	for _, o := range want.Owned {
		m.owned[o] = true
	}
	m.keyManagers()
	m.scopes()
	m.certificates()
	m.apis()
	m.identities() // roles give the scopes of APIs
	m.applications()
	m.removals()
	for i := range m.problems { // a message may have a text of a server
		m.problems[i].Message = escaped(m.problems[i].Message)
	}
	return Comparison{m.changes, m.problems, m.kept, m.found}
}

type maker struct {
	Wanted
	has      Have
	versions []APIVersion // of all APIs, after the changes
	refuses  []string     // names of APIs of the file that API-M does not take
	changes  []Change
	problems desired.Problems
	owned    map[OwnedObject]bool
	kept     []OwnedObject
	found    []Found
}

// versionsOf returns the versions of all APIs as they are after the changes. One that is still to be made has no id.
func versionsOf(f *desired.File, have Have) []APIVersion {
	versions, index := slices.Clone(have.Versions), map[APIName]int{}
	for i, v := range versions {
		index[APIName{v.Name, v.Version}] = i
	}
	for _, api := range f.APIs.Value {
		name, state := APIName{api.Value.Name.Value, api.Value.Version.Value}, api.Value.Lifecycle.Or("PUBLISHED")
		if like(have.Versions, name) != nil {
			continue
		}
		if i, exists := index[name]; exists {
			versions[i].State = state
			continue
		}
		versions = append(versions, APIVersion{Name: name.Name, Version: name.Version, State: state})
	}
	return versions
}

// like returns a version of an API whose name differs from the given one in letter case alone; nil if there is none. API-M takes both
// for one name.
func like(versions []APIVersion, name APIName) *APIVersion {
	i := slices.IndexFunc(versions, func(v APIVersion) bool { return v.Name != name.Name && strings.EqualFold(v.Name, name.Name) })
	if i < 0 {
		return nil
	}
	return &versions[i]
}

// compare adds the change of one object, if there is one, and notes an object that exists.
func (m *maker) compare(c Change, exists bool, have any, differences func() []Difference) {
	c.Action = Create
	if exists {
		o := OwnedObject{c.Kind, c.Name, c.Of, idOf(c.Kind, have)}
		if o.ID != "" {
			m.found = append(m.found, Found{o, Secrets(c.Want, have)})
		}
		c.Action, c.Have, c.Fields = Update, have, differences()
		if len(c.Fields) == 0 {
			return
		}
		if api, is := have.(API); o.ID != "" && m.Sent != nil && !m.knows(o) && !(is && marks(api.Object, m.Owner)) {
			c.Effects = append(slices.Clone(c.Effects), adopted)
		}
	}
	if api, is := c.Want.(desired.API); is {
		on, _ := have.(API)
		c.Want = marked(api, on.Object, m.Owner)
	}
	m.changes = append(m.changes, c)
}

// adopted is the effect of a change of an object that the record does not have.
const adopted = "adopted: the record does not have it"

// MayExist returns a change that is to create a key as one that is [Unsure], because API-M may have the key and not show it.
func (c Change) MayExist() Change {
	c.Action, c.Effects = Unsure, append(slices.Clone(c.Effects), hidden)
	return c
}

// hidden is the effect of a change that is [Unsure].
const hidden = "IS has a client of this key: API-M may have the key and not show it now, and the agent makes no second client"

// fixed reports differences in fields that the server cannot change, and returns the other ones.
func (m *maker) fixed(at desired.Place, what string, all []Difference, remedy string, paths ...string) []Difference {
	return slices.DeleteFunc(all, func(d Difference) bool {
		fixed := slices.Contains(paths, d.Path)
		if fixed {
			m.problems.Add(at, remedy, "%s has the %s %v on the server and %v in the file, and the server cannot change it", what, d.Path, d.Have, d.Want)
		}
		return fixed
	})
}

func (m *maker) keyManagers() {
	for _, km := range m.Wanted.KeyManagers(m.has.Issuer) {
		name := km.Value.Name.Value
		have, exists := m.has.KeyManagers[name]
		for _, property := range UnsettableProperties(km.Value) {
			m.problems.Add(km.Value.AdditionalProperties.Value[property].At, "remove it", "key manager %q: API-M makes additional_properties.%s itself", name, property)
		}
		lacks := Lacking(km.Value)
		if m.Own.Name.Set && name == m.Own.Name.Value && !km.Value.Username.Set { // the settings say which user it has
			lacks = slices.DeleteFunc(lacks, func(field string) bool { return field == "username" || field == "password" })
		}
		if !exists && len(lacks) > 0 {
			m.problems.Add(km.At, "add them", "key manager %q: API-M makes none of type %s without %s", name, km.Value.Type.Or(TypeIS7), strings.Join(lacks, ", "))
			continue
		}
		m.compare(Change{Kind: KindKeyManager, Name: name, Want: km.Value}, exists, have, func() []Difference {
			all := KeyManagerDifferences(km.Value, have, m.sentOf(KindKeyManager, name, "", have))
			other := m.fixed(km.At, fmt.Sprintf("key manager %q", name), slices.Clone(all), "correct the file, or delete the key manager in the Admin Portal", "type")
			if len(other) < len(all) {
				return nil // what a key manager of another type has does not fit it
			}
			return all
		})
	}
}

func (m *maker) scopes() {
	for _, s := range m.sharedScopes() {
		have, exists := m.has.Scopes[s.Name.Value]
		m.compare(Change{Kind: KindScope, Name: s.Name.Value, Want: s}, exists, have, func() []Difference { return ScopeDifferences(s, have) })
	}
}

// sharedScopes returns the shared scopes of the file: those of its list, and those that only an API has.
func (m *maker) sharedScopes() (all []desired.Scope) {
	add := func(list desired.List[desired.Scope]) {
		for _, s := range list.Value {
			known := slices.ContainsFunc(all, func(other desired.Scope) bool { return other.Name.Value == s.Value.Name.Value })
			if !known && !s.Value.Local.Or(false) {
				all = append(all, s.Value)
			}
		}
	}
	add(m.File.Scopes)
	for _, api := range m.File.APIs.Value {
		add(api.Value.Scopes)
	}
	return all
}

// identities compares what IS has: a group names its users, and a role its groups.
func (m *maker) identities() {
	is := m.File.IdentityServer.Value
	for _, u := range is.Users.Value {
		have, exists := m.has.Users[u.Value.Username.Value]
		if !exists && !u.Value.Password.Set {
			m.problems.Add(u.At, "add password", "user %q: IS makes none without a password", u.Value.Username.Value)
			continue
		}
		m.compare(Change{Kind: KindUser, Name: u.Value.Username.Value, Want: u.Value}, exists, have, func() []Difference {
			return UserDifferences(u.Value, have, m.sentOf(KindUser, u.Value.Username.Value, "", have))
		})
	}
	for _, g := range is.Groups.Value {
		have, exists := m.has.Groups[g.Value.Name.Value]
		m.compare(Change{Kind: KindGroup, Name: g.Value.Name.Value, Want: g.Value}, exists, have, func() []Difference { return GroupDifferences(g.Value, have) })
	}
	for _, r := range is.Roles.Value {
		have, exists := m.has.Roles[r.Value.Name.Value]
		var effects []string
		all := RoleDifferences(r.Value, have)
		if exists && slices.ContainsFunc(all, func(d Difference) bool { return d.Path == "permissions" }) {
			effects = []string{"the tokens of users who have the role end"}
		}
		m.compare(Change{Kind: KindRole, Name: r.Value.Name.Value, Effects: effects, Want: r.Value}, exists, have, func() []Difference { return all })
	}
}

func (m *maker) certificates() {
	for _, api := range m.File.APIs.Value {
		for _, c := range api.Value.Certificates.Value {
			have, exists := m.has.Certificates[c.Value.Alias.Value]
			m.compare(Change{Kind: KindCertificate, Name: c.Value.Alias.Value, Want: c.Value}, exists, have, func() []Difference {
				return CertificateDifferences(c.Value, have.Object, m.Fingerprints[desired.PathOf(c.Value.File)], have.Fingerprint)
			})
		}
	}
}

func (m *maker) apis() {
	for _, item := range m.File.APIs.Value {
		if a, is := m.has.Agreed[nameOf(item.Value)]; is {
			m.agreed(item.Value, a)
			continue
		}
		m.api(item)
	}
}

// api compares an API and its documents.
func (m *maker) api(item desired.Field[desired.API]) {
	want := m.Defined(item.Value)
	name := nameOf(want)
	have, exists := m.has.APIs[name]
	var all []Difference
	var effects []string
	if exists {
		all = APIDifferences(want, have.Object, m.Policies(name.Name), m.sentOf(KindAPI, name.String(), "", have))
		all = append(all, m.definition(want, have)...)
		all = append(all, m.unrestored(want, have, all)...)
		all = m.fixed(item.At, fmt.Sprintf("API %q %s", name.Name, name.Version), all,
			"correct the file, or delete the API in the Publisher", "name", "version", "context", "type")
		if ends, reason := EndsTokens(want, have.Object); ends && len(all) > 0 {
			effects = append(effects, reason)
		}
		needs := NeedsRevision(all)
		if !needs {
			late := RevisionDifferences(want, have)
			needs, all = len(late) > 0, append(all, late...)
		}
		if needs {
			effects = append(effects, "a new revision is deployed")
		}
		all = append(all, DeploymentDifferences(want, have.Deployments, m.VHost)...)
		all = append(all, m.lifecycle(item.At, name, want, have.Object)...)
	}
	if !exists && m.refused(item.At, want, name) {
		m.refuses = append(m.refuses, name.Name)
		m.stays(name, "")
		return
	}
	m.compare(Change{Kind: KindAPI, Name: name.String(), Effects: effects, Want: want}, exists, have, func() []Difference { return all })
	for _, d := range want.Documents.Value {
		on, there := have.Documents[d.Value.Name.Value]
		content := []byte(d.Value.Content.Value)
		if d.Value.File.Set {
			content = m.Contents[desired.PathOf(d.Value.File)]
		}
		m.compare(Change{Kind: KindDocument, Name: d.Value.Name.Value, Of: "API " + name.String(), Want: d.Value}, there, on, func() []Difference {
			return DocumentDifferences(d.Value, on.Object, content, on.Content)
		})
	}
}

// refused reports a new API that API-M does not take next to those that it has.
func (m *maker) refused(at desired.Place, want desired.API, name APIName) bool {
	if other := like(m.has.Versions, name); other != nil {
		m.problems.Add(at, "write the name as the server has it", "API-M refuses API %q: it has %q, and takes both for one name", name.Name, other.Name)
		return true
	}
	i := slices.IndexFunc(m.has.Versions, func(v APIVersion) bool {
		return v.Context != "" && (v.Name == name.Name) != (slashed(v.Context) == slashed(want.Context.Value))
	})
	if i < 0 {
		return false
	}
	other := m.has.Versions[i]
	m.problems.Add(at, "give all versions of an API one context, and no other API the same", "API-M refuses API %q %s with the context %s: API %q %s has %s",
		name.Name, name.Version, want.Context.Value, other.Name, other.Version, other.Context)
	return true
}

func slashed(context string) string { return "/" + strings.TrimPrefix(context, "/") }

// lifecycle compares the state of an API. A state to which no way leads is a problem.
func (m *maker) lifecycle(at desired.Place, name APIName, want desired.API, have Object) []Difference {
	state, target := textAt(have, "lifeCycleStatus", ""), want.Lifecycle.Or("PUBLISHED")
	switch {
	case state == target:
		return nil
	case !want.Lifecycle.Set && (state == "BLOCKED" || state == "DEPRECATED" || state == "RETIRED"):
		remedy := "set lifecycle in the file, or remove the API from it"
		if state == "BLOCKED" {
			remedy = "publish it again in the Publisher, " + remedy
		}
		m.problems.Add(at, remedy, "API %q %s is %s, which somebody decided", name.Name, name.Version, state)
		m.stays(name, state)
		return nil
	}
	if _, err := Lifecycle(state, target, nil); err != nil {
		m.problems.Add(at, "change lifecycle in the file, or make a new version of the API", "API %q %s: %v", name.Name, name.Version, err)
		m.stays(name, state)
		return nil
	}
	return []Difference{{Path: "lifecycle", Have: state, Want: target}}
}

// stays notes that the state of an API does not become what the file says. An API without a state is not made.
func (m *maker) stays(name APIName, state string) {
	for i, v := range m.versions {
		if (APIName{v.Name, v.Version}) == name {
			m.versions[i].State = state
		}
	}
}

// definition compares the definition of an API, unless the API is of another type on the server: that is reported.
func (m *maker) definition(want desired.API, have API) []Difference {
	d, ok := m.Definition(want)
	if !ok || textAt(have.Object, "type", "HTTP") != want.Type.Or("HTTP") {
		return nil
	}
	return DefinitionDifferences(want, d, have.Definition)
}

func (m *maker) applications() {
	for _, item := range m.File.Applications.Value {
		want := item.Value
		name := want.Name.Value
		have, exists := m.has.Applications[name]
		if i := slices.IndexFunc(m.has.Names, func(n string) bool { return n != name && strings.EqualFold(n, name) }); !exists && i >= 0 {
			m.problems.Add(item.At, "write the name as the server has it", "API-M refuses application %q: it has %q, and takes both for one name", name, m.has.Names[i])
			continue
		}
		m.compare(Change{Kind: KindApplication, Name: name, Want: want}, exists, have, func() []Difference { return ApplicationDifferences(want, have.Object) })
		m.subscriptions(item, have)
		for _, key := range Keys(item, m.KeyManager) {
			m.key(name, key, have)
		}
	}
}

// keyName returns the name of a key in changes. keyManager is for one for which the file names none.
func keyName(key desired.Key, keyManager string) string {
	return strings.ToLower(key.Type.Value) + ofKeyManager + key.KeyManager.Or(keyManager)
}

// ofKeyManager stands in the name of a key before that of its key manager.
const ofKeyManager = " of key manager "

// subscriptions compares the subscriptions of an application.
func (m *maker) subscriptions(item desired.Field[desired.Application], have Application) {
	var subscribed []string
	for id := range have.Subscriptions {
		subscribed = append(subscribed, id)
	}
	of := "application " + item.Value.Name.Value
	for _, s := range item.Value.Subscriptions.Value {
		if !slices.ContainsFunc(m.versions, func(v APIVersion) bool { return strings.EqualFold(v.Name, s.Value.APIName.Value) }) {
			m.problems.Add(s.At, "add the API to the file, or remove the subscription", "%s subscribes to API %q, which is neither in the file nor on the server", of, s.Value.APIName.Value)
		}
	}
	all := Subscriptions(item.Value.Subscriptions.Value, m.versions, subscribed)
	for _, s := range item.Value.Subscriptions.Value {
		named := func(name string) bool { return name == s.Value.APIName.Value }
		if slices.ContainsFunc(m.refuses, named) {
			continue // reported
		}
		if slices.ContainsFunc(m.versions, func(v APIVersion) bool { return named(v.Name) }) && !slices.ContainsFunc(all, func(w WantedSubscription) bool { return named(w.API.Name) }) {
			m.problems.Add(s.At, "publish a version of it, or remove the subscription", "%s cannot subscribe to API %q: no version is published or a prototype", of, s.Value.APIName.Value)
		}
	}
	for _, w := range all {
		on, exists := have.Subscriptions[w.API.ID]
		title := APIName{w.API.Name, w.API.Version}.String()
		all := SubscriptionDifferences(w.Want, on)
		if status := SubscriptionStopped(on); exists && len(all) > 0 && status != "" {
			m.problems.Add(item.At, "unblock or approve it in the Publisher or the Admin Portal", "the subscription of %s to API %s is %s, so its policy cannot change", of, title, status)
			continue
		}
		m.compare(Change{Kind: KindSubscription, Name: subscriptionName(w.API), Of: of, Want: w}, exists, on, func() []Difference { return all })
	}
}

// key compares one key of an application.
func (m *maker) key(application string, item desired.Field[desired.Key], have Application) {
	want, manager := item.Value, item.Value.KeyManager.Value
	kind := m.kindOf(manager)
	if kind == "" {
		m.problems.Add(item.At, "correct key_manager or KEY_MANAGER_NAME, or add the key manager to the file",
			"application %s needs key manager %q, which is neither in the file nor on the server", application, manager)
		return
	}
	if fields := UnknownKeySettings(want, kind); len(fields) > 0 {
		m.problems.Add(item.At, "remove it, and set it at the key manager", "the agent cannot set %s at key manager %q, whose type is %s", strings.Join(fields, ", "), manager, kind)
	}
	i := slices.IndexFunc(have.Keys, func(k Object) bool { return k["keyType"] == want.Type.Value && k["keyManager"] == manager })
	if i < 0 && m.has.KeyManagers[manager]["enabled"] == false {
		return // API-M does not show the keys of a key manager that is switched off
	}
	var on Object
	name, of := keyName(want, manager), "application "+application
	var all []Difference
	var effects []string
	if i >= 0 {
		on = have.Keys[i]
		all = KeyDifferences(want, on, kind, m.sentOf(KindKey, name, of, on))
		if KeyReplaced(all) {
			effects = append(effects, "the key manager deletes the present client, and its tokens end")
		}
	}
	m.compare(Change{Kind: KindKey, Name: name, Of: of, Want: want, Effects: effects}, i >= 0, on, func() []Difference { return all })
}

// kindOf returns the type of a key manager of the server or of the file; "" if neither has it.
func (m *maker) kindOf(name string) string {
	if km, exists := m.has.KeyManagers[name]; exists {
		return textAt(km, "type", "")
	}
	for _, km := range append([]desired.Field[desired.KeyManager]{{Value: m.Own}}, m.File.KeyManagers.Value...) {
		if km.Value.Name.Value == name {
			return km.Value.Type.Or("WSO2-IS-7")
		}
	}
	return ""
}
