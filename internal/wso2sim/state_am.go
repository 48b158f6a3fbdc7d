package wso2sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// administratorRecord is the administrator that the database was made with.
type administratorRecord struct{ Name, Password string }

type apiRecord struct {
	DTO               apiDTO
	Created           time.Time
	Revisions         []revisionRecord
	Made              int
	History           []lifecycleStep
	Definition        string
	Documents         []*document
	Deployed, Leaving *deploymentRecord
}

type revisionRecord struct {
	ID           string
	Description  *string
	Number       int
	Created      time.Time
	DTO          apiDTO
	Environments []revisionDeployment
}

type deploymentRecord struct {
	DTO  apiDTO
	From time.Time
}

type applicationRecord struct {
	Name, Policy     string
	Description      *string
	Groups           []string
	Created, Updated time.Time
	Keys             []mappingRecord
	Owner            string `json:",omitempty"`
}

type mappingRecord struct {
	ID, KeyType, Mode, Client, KeyManager, Callback string
	Grants                                          []string
	Known                                           time.Time
}

type subscriptionRecord struct {
	Tier, Application, API string
	Created, Known         time.Time
	Status, Was            string
	Since                  time.Time
	Changed                bool
}

type keyManagerRecord struct {
	DTO                   keyManagerDTO
	RefusedAt, AcceptedAt time.Time
	EncryptedWith         string `json:",omitempty"` // see encryptionKey
}

type indexRecord struct {
	Shown, Next *indexDocRecord
	Due         time.Time
}

type indexDocRecord struct {
	ID, Name, Version, Context, Status, Description string
	Tags, Categories                                []string
	Info                                            object
}

// describe is what is kept of a record.
func (am *AM) describe(r record) any {
	switch r.kind {
	case "api":
		if a := am.apis[r.id]; a != nil {
			return a.record()
		}
	case "application":
		if app := am.applications[r.id]; app != nil {
			return app.record()
		}
	case "subscription":
		if s := am.subscriptions[r.id]; s != nil {
			return subscriptionRecord{s.tier, s.application.id, s.api.id(), s.created, s.known, s.status, s.was, s.since, s.changed}
		}
	case "keymanager":
		if k := am.keyManagerByID(r.id); k != nil {
			return keyManagerRecord{k.dto, k.refusedAt, k.acceptedAt, k.encryptedWith}
		}
	case "index":
		if e := am.index[r.id]; e != nil && (e.shown != nil || e.next != nil) {
			return indexRecord{e.shown.record(), e.next.record(), e.due}
		}
	case "revoked":
		if from, ok := am.revoked[r.id]; ok {
			return from
		}
	case "scope":
		if s := am.scopes[r.id]; s != nil {
			return *s
		}
	case "certificate":
		if c := am.certificates[r.id]; c != nil {
			return *c
		}
	case "policy":
		return am.policyRecord(r.id)
	case "category":
		return am.categoryRecord(r.id)
	case "environment":
		return am.environmentRecord(r.id)
	case "subscriber":
		return am.subscribed
	case "account":
		return administratorRecord{am.admin, am.password}
	default:
		return am.oauth.describe(r)
	}
	return nil
}

func (a *api) record() apiRecord {
	r := apiRecord{
		DTO: a.dto, Created: a.created, Made: a.made, Deployed: a.deployed.record(), Leaving: a.leaving.record(),
		History: a.history, Definition: a.definition, Documents: a.documents,
	}
	for _, rev := range a.revisions {
		r.Revisions = append(r.Revisions, revisionRecord{rev.id, rev.description, rev.number, rev.created, rev.dto, rev.environments})
	}
	return r
}

func (d *deployment) record() *deploymentRecord {
	if d == nil {
		return nil
	}
	return &deploymentRecord{d.dto, d.from}
}

func (r *deploymentRecord) deployment() *deployment {
	if r == nil {
		return nil
	}
	return &deployment{dto: r.DTO, from: r.From}
}

func (d *indexDoc) record() *indexDocRecord {
	if d == nil {
		return nil
	}
	return &indexDocRecord{d.id, d.name, d.version, d.context, d.status, d.description, d.tags, d.categories, d.info}
}

func (r *indexDocRecord) doc() *indexDoc {
	if r == nil {
		return nil
	}
	return &indexDoc{
		id: r.ID, lower: strings.ToLower(r.Name), name: r.Name, version: r.Version, context: r.Context, status: r.Status,
		description: r.Description, tags: r.Tags, categories: r.Categories, info: r.Info,
	}
}

func (app *application) record() applicationRecord {
	r := applicationRecord{
		Name: app.name, Policy: app.policy, Description: app.description, Groups: app.groups,
		Created: app.created, Updated: app.updated, Owner: app.owner,
	}
	for _, m := range app.keys {
		r.Keys = append(r.Keys, mappingRecord{m.id, m.keyType, m.mode, m.clientID, m.keyManager.uuid, m.callback, m.grants, m.known})
	}
	return r
}

// restoreAll takes what was kept in place of what is there. A server that finds no user makes what a first start makes.
func (am *AM) restoreAll(held map[string][]entry) error {
	if err := am.restoreAdministrator(held); err != nil {
		return err
	}
	am.apis, am.applications, am.subscriptions = map[string]*api{}, map[string]*application{}, map[string]*subscription{}
	am.index, am.revoked, am.keySets = map[string]*indexEntry{}, map[string]time.Time{}, map[string]jwks{}
	am.scopes = map[string]*sharedScope{}
	am.lookup = newLookup()
	am.subscribed, am.eventsLost = false, time.Time{}
	am.keyManagers = []*keyManager{am.residentKeyManager()}
	for _, step := range []func(map[string][]entry) error{
		am.oauth.restore, am.restoreKeyManagers, am.restoreAPIs, am.restoreApplications, am.restoreSubscriptions,
		am.restoreScopes, am.restoreCertificates, am.restorePolicies, am.restoreCategories, am.restoreEnvironments,
	} {
		if err := step(held); err != nil {
			return err
		}
	}
	if held["user"] == nil {
		am.changed("user", am.admin)
		am.changed("keymanager", am.keyManagers[0].uuid)
	}
	return nil
}

// restoreAdministrator takes the administrator of the settings only where the database has none yet.
func (am *AM) restoreAdministrator(held map[string][]entry) error {
	am.admin, am.password = am.settings.credentials()
	if held["account"] == nil {
		am.changed("account", "administrator")
	}
	return decode(held, "account", func(_ string, r administratorRecord) { am.admin, am.password = r.Name, r.Password })
}

// restoreKeyManagers loads them as every start does: one whose event was lost can be used from then on.
func (am *AM) restoreKeyManagers(held map[string][]entry) error {
	return decode(held, "keymanager", func(_ string, r keyManagerRecord) {
		k := newKeyManager(r.DTO)
		k.refusedAt, k.acceptedAt, k.encryptedWith = r.RefusedAt, r.AcceptedAt, r.EncryptedWith
		k.lost = am.undecipherable(r.EncryptedWith)
		if k.lost {
			am.log.Error("Error while decrypting the configuration of a key manager: it was encrypted with another key", "name", k.label)
		}
		resident := am.keyManagers[len(am.keyManagers)-1]
		if k.resident() {
			if value(k.dto.Issuer) != am.oauth.issuer { // the host name or the port is another one
				k.dto = resident.dto
				k.dto.ID = ptr(k.uuid)
			}
			k.loadedAt = am.started
			am.keyManagers[len(am.keyManagers)-1] = k
			return
		}
		if k.loadable() {
			k.loadedAt = am.started
		}
		am.keyManagers = slices.Insert(am.keyManagers, len(am.keyManagers)-1, k)
	})
}

func (am *AM) restoreAPIs(held map[string][]entry) error {
	err := decode(held, "api", func(_ string, r apiRecord) {
		a := &api{
			dto: r.DTO, created: r.Created, made: r.Made, deployed: r.Deployed.deployment(), leaving: r.Leaving.deployment(),
			history: r.History, definition: r.Definition, documents: r.Documents,
		}
		for _, rev := range r.Revisions {
			a.revisions = append(a.revisions, &revision{
				id: rev.ID, description: rev.Description, number: rev.Number, created: rev.Created, dto: rev.DTO, environments: rev.Environments,
			})
		}
		am.apis[a.id()] = a
		am.lookup.addAPI(a)
	})
	if err != nil {
		return err
	}
	return decode(held, "index", func(id string, r indexRecord) {
		am.index[id] = &indexEntry{shown: r.Shown.doc(), next: r.Next.doc(), due: r.Due}
	})
}

func (am *AM) restoreApplications(held map[string][]entry) error {
	var lost error
	err := decode(held, "application", func(id string, r applicationRecord) {
		app := &application{
			id: id, name: r.Name, policy: r.Policy, description: r.Description, groups: r.Groups,
			created: r.Created, updated: r.Updated, owner: r.Owner,
		}
		for _, m := range r.Keys {
			k := am.keyManagerByID(m.KeyManager)
			if k == nil {
				lost = fmt.Errorf("read the application %s: its key manager %s is not there", id, m.KeyManager)
				return
			}
			mapping := &keyMapping{
				id: m.ID, keyType: m.KeyType, mode: m.Mode, clientID: m.Client, application: app, keyManager: k,
				grants: m.Grants, callback: m.Callback, known: m.Known,
			}
			app.keys = append(app.keys, mapping)
			add(am.lookup.byClient, m.Client, mapping)
		}
		am.applications[id] = app
		add(am.lookup.appsByName, strings.ToLower(app.name), app)
	})
	if err != nil || lost != nil {
		return cmp.Or(err, lost)
	}
	return decode(held, "subscriber", func(_ string, known bool) { am.subscribed = known })
}

func (am *AM) restoreSubscriptions(held map[string][]entry) error {
	var lost error
	err := decode(held, "subscription", func(id string, r subscriptionRecord) {
		app, a := am.applications[r.Application], am.apis[r.API]
		if app == nil || a == nil {
			lost = fmt.Errorf("read the subscription %s: its application or API is not there", id)
			return
		}
		s := &subscription{id: id, tier: r.Tier, application: app, api: a, created: r.Created, known: r.Known, status: r.Status, was: r.Was, since: r.Since, changed: r.Changed}
		am.subscriptions[id] = s
		am.lookup.addSubscription(s)
	})
	if err == nil {
		err = lost
	}
	if err != nil {
		return err
	}
	return decode(held, "revoked", func(jti string, from time.Time) { am.revoked[jti] = from })
}

func (am *AM) restoreScopes(held map[string][]entry) error {
	return decode(held, "scope", func(id string, s sharedScope) { am.scopes[id] = &s })
}
