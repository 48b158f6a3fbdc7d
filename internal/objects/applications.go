package objects

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/lease"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Application is what commands show of an application. It has no secret.
type Application struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Owner       string `json:"owner"`
	Policy      string `json:"policy"`
	Status      string `json:"status"` // APPROVED, or CREATED while it waits for approval
	Description string `json:"description"`
}

func applicationOf(o wso2.Object) Application {
	return Application{o.ID, o.Name, text(o.Fields, "owner"), text(o.Fields, "throttlingPolicy"), text(o.Fields, "status"), text(o.Fields, "description")}
}

// Applications lists the applications of the user, in the order of their names. The lease of the agent, which is an application too, is
// not among them.
func Applications(ctx context.Context, portal *wso2.DevPortal) (all []Application, err error) {
	list, err := portal.ApplicationObjects(ctx)
	for _, o := range list {
		if o.Name != lease.Application {
			all = append(all, applicationOf(o))
		}
	}
	sortBy(all, func(a Application) []string { return []string{a.Name} })
	return all, err
}

// AllApplications lists the applications of all users, in the order of their names and owners. API-M lists neither their policies nor their
// descriptions.
func AllApplications(ctx context.Context, admin *wso2.Admin) (all []Application, err error) {
	list, err := admin.Applications(ctx)
	for _, o := range list {
		if o.Name != lease.Application {
			all = append(all, applicationOf(o))
		}
	}
	sortBy(all, func(a Application) []string { return []string{a.Name, a.Owner} })
	return all, err
}

// ReadApplicationOf reads an application of another user, and the number of its subscriptions. API-M shows its subscriptions and keys to its
// owner alone.
func ReadApplicationOf(ctx context.Context, admin *wso2.Admin, name, owner string) (app Application, subscriptions int, err error) {
	list, err := AllApplications(ctx, admin)
	if err != nil {
		return app, 0, err
	}
	list = slices.DeleteFunc(list, func(a Application) bool { return a.Owner != owner })
	found, err := Pick("application of user "+owner, name, list, func(a Application) string { return a.Name })
	if err != nil {
		return app, 0, err
	}
	o, err := admin.Application(ctx, found.ID)
	count, _ := o.Fields["subscriptionCount"].(float64)
	return applicationOf(o), int(count), err
}

// RemoveApplicationOf returns what to know before an application of another user is deleted.
func RemoveApplicationOf(ctx context.Context, s apply.Single, name, owner string) (r Removal, err error) {
	app, subscriptions, err := ReadApplicationOf(ctx, s.Admin, name, owner)
	if err != nil {
		return r, err
	}
	r = Removal{OwnedObject: plan.OwnedObject{Kind: plan.KindApplication, Name: name, ID: app.ID}, Title: fmt.Sprintf("application %s of user %s", name, owner)}
	r.With = []string{
		fmt.Sprintf("its subscriptions end: %d", subscriptions),
		"its keys are deleted, and their tokens end; API-M shows them to " + owner + " alone",
	}
	r.Do = func(ctx context.Context) ([]string, error) {
		err := s.Admin.DeleteApplication(ctx, app.ID)
		if actual.IsGone(err) {
			err = nil
		}
		return nil, err
	}
	return r, nil
}

// FindApplication finds an application of the user by its name.
func FindApplication(ctx context.Context, portal *wso2.DevPortal, name string) (Application, error) {
	list, err := Applications(ctx, portal)
	if err != nil {
		return Application{}, err
	}
	return Pick("application", name, list, func(a Application) string { return a.Name })
}

// CreateApplication makes an application. One of the name must not exist.
func CreateApplication(ctx context.Context, portal *wso2.DevPortal, name, policy, description string) (Application, error) {
	policies, err := portal.ApplicationPolicies(ctx)
	if err != nil {
		return Application{}, err
	}
	if _, err := Pick("application policy", policy, policies, func(p string) string { return p }); err != nil {
		return Application{}, err
	}
	a, err := portal.CreateApplication(ctx, name, policy, description)
	return Application{a.ID, a.Name, a.Owner, a.ThrottlingPolicy, a.Status, a.Description}, err
}

// RemoveApplication returns what to know before an application is deleted.
func RemoveApplication(ctx context.Context, s apply.Single, name string) (r Removal, err error) {
	if name == lease.Application {
		return r, refuse("a lease that nobody renews expires after a minute", "application %q is the lease with which the agents take turns to change API-M", name)
	}
	app, err := FindApplication(ctx, s.DevPortal, name)
	if err != nil {
		return r, err
	}
	subscriptions, err := s.DevPortal.Subscriptions(ctx, app.ID)
	if err != nil {
		return r, err
	}
	keys, err := Keys(ctx, s.DevPortal, app.ID)
	if err != nil {
		return r, err
	}
	hiding, err := HidingKeys(ctx, s.Admin, app)
	if err != nil {
		return r, err
	}
	r = Removal{OwnedObject: plan.OwnedObject{Kind: plan.KindApplication, Name: name, ID: app.ID}, Title: "application " + name}
	for _, sub := range subscriptions {
		r.With = append(r.With, fmt.Sprintf("its subscription to API %s:%s ends", sub.API.Name, sub.API.Version))
	}
	for _, k := range keys {
		r.With = append(r.With, goesWith(k))
	}
	for _, manager := range hiding {
		r.With = append(r.With, fmt.Sprintf("API-M does not show its keys at key manager %s, because the key manager is disabled", manager))
	}
	r.Do = func(ctx context.Context) (stays []string, err error) {
		if err := s.Remove(ctx, plan.Left{OwnedObject: r.OwnedObject}); err != nil {
			return nil, err
		}
		return clientsLeft(ctx, s, keys), nil
	}
	return r, nil
}

// clientsLeft names the clients in IS that API-M should have deleted with an application. It does not delete them if the key manager's user
// may not, and answers 200 anyway.
func clientsLeft(ctx context.Context, s apply.Single, keys []Key) (left []string) {
	for _, k := range keys {
		if k.Mapped || k.ConsumerKey == "" || s.IS == nil || k.KeyManager != s.KeyManager {
			continue
		}
		found, err := s.IS.HasClient(ctx, k.ConsumerKey)
		if err != nil {
			left = append(left, fmt.Sprintf("IS does not say whether client %s is deleted: %v", k.ConsumerKey, err))
		} else if found {
			left = append(left, fmt.Sprintf("API-M has not deleted client %s in IS, which can still get tokens: agent clients delete %s", k.ConsumerKey, k.ConsumerKey))
		}
	}
	return left
}

// RemoveKey returns what to know before a key of an application is deleted: that of the type, PRODUCTION or SANDBOX, at the key manager.
func RemoveKey(ctx context.Context, s apply.Single, name, manager, kind string) (r Removal, err error) {
	app, err := FindApplication(ctx, s.DevPortal, name)
	if err != nil {
		return r, err
	}
	km, err := FindKeyManager(ctx, s.Admin, manager)
	if err != nil {
		return r, err
	}
	if !km.Enabled {
		return r, DisabledKeyManager(manager)
	}
	keys, err := Keys(ctx, s.DevPortal, app.ID)
	if err != nil {
		return r, err
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.KeyManager == manager && k.Type == kind })
	if i < 0 {
		return r, bootstrap.Permanent(fmt.Errorf("application %q has no %s key at key manager %q", name, strings.ToLower(kind), manager))
	}
	key := keys[i]
	named := plan.KeyName(desired.Key{Type: desired.Text{Set: true, Value: kind}, KeyManager: desired.Text{Set: true, Value: manager}})
	owned := plan.OwnedObject{Kind: plan.KindKey, Name: named, Of: "application " + app.Name, ID: key.ID}
	r = Removal{OwnedObject: owned, Title: fmt.Sprintf("the %s key of application %s at key manager %s", strings.ToLower(kind), app.Name, manager), With: []string{goesWith(key)}}
	r.Do = func(ctx context.Context) (stays []string, err error) {
		if err := s.Remove(ctx, plan.Left{OwnedObject: owned, Parent: app.ID}); err != nil {
			return nil, err
		}
		return clientsLeft(ctx, s, []Key{key}), nil
	}
	return r, nil
}

// goesWith says what happens to the client of a key that is deleted.
func goesWith(k Key) string {
	if k.Mapped {
		return fmt.Sprintf("client %s stays at key manager %s, because API-M has not made it", k.ConsumerKey, k.KeyManager)
	}
	return fmt.Sprintf("its %s client %s at key manager %s is deleted, and its tokens end", strings.ToLower(k.Type), k.ConsumerKey, k.KeyManager)
}

// Key is a key of an application: its client at a key manager.
type Key struct {
	ID          string // of API-M's row of the key
	KeyManager  string
	Type        string      // PRODUCTION or SANDBOX
	ConsumerKey string      // empty in a row that a failed generation has left behind
	Secret      wso2.Secret // empty if API-M does not show it
	Once        bool        // a new key, whose secret API-M does not show again
	Grants      []string
	Callbacks   []string
	Mapped      bool // API-M has not made the client
}

// Keys lists the keys of an application. API-M does not show those of a key manager that is disabled or that it cannot reach.
func Keys(ctx context.Context, portal *wso2.DevPortal, application string) (all []Key, err error) {
	list, err := portal.KeyObjects(ctx, application)
	for _, o := range list {
		all = append(all, Key{
			ID: o.ID, KeyManager: o.Name, Type: text(o.Fields, "keyType"), ConsumerKey: text(o.Fields, "consumerKey"), Secret: wso2.Secret(text(o.Fields, "consumerSecret")).Shown(),
			Grants: texts(o.Fields["supportedGrantTypes"]), Callbacks: plan.Callbacks(text(o.Fields, "callbackUrl")), Mapped: text(o.Fields, "mode") == "MAPPED",
		})
	}
	sortBy(all, func(k Key) []string { return []string{k.KeyManager, k.Type} })
	return all, err
}

// HidingKeys lists the disabled key managers of which an application has keys: API-M does not show these.
func HidingKeys(ctx context.Context, admin *wso2.Admin, app Application) (names []string, err error) {
	list, err := admin.KeyManagers(ctx)
	if err != nil {
		return nil, err
	}
	for _, km := range list {
		if km.Enabled {
			continue
		}
		uses, err := admin.KeyManagerApplications(ctx, km.ID)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(uses, func(u wso2.Use) bool { return u.ID == app.ID }) {
			names = append(names, km.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// DisabledKeyManager is the error for keys of a key manager that is disabled.
func DisabledKeyManager(name string) error {
	return refuse(fmt.Sprintf("agent km enable '%s'", name), "key manager %q is disabled, so API-M neither makes nor shows keys of it", name)
}

// MakeKey makes a key of an application with the type and the settings of want, unless it has one of that type at the key manager. made
// reports whether it has.
func MakeKey(ctx context.Context, s apply.Single, application Application, manager string, want desired.Key) (key Key, made bool, err error) {
	kind := want.Type.Value
	find := func() (bool, error) {
		keys, err := Keys(ctx, s.DevPortal, application.ID)
		i := slices.IndexFunc(keys, func(k Key) bool { return k.KeyManager == manager && k.Type == kind && k.ConsumerKey != "" })
		if i >= 0 {
			key = keys[i]
		}
		return i >= 0, err
	}
	info, err := FindKeyManager(ctx, s.Admin, manager)
	if err != nil {
		return key, false, err
	}
	if !info.Enabled {
		return key, false, DisabledKeyManager(manager)
	}
	if found, err := find(); err != nil || found {
		return key, false, err
	}
	o, err := s.DevPortal.ApplicationObject(ctx, application.ID)
	if err != nil {
		return key, false, err
	}
	km, err := s.Admin.KeyManagerObject(ctx, info.ID)
	if err != nil {
		return key, false, err
	}
	credentials, err := s.MakeKey(ctx, o, km, want)
	if err != nil {
		return key, false, err
	}
	if found, err := find(); err != nil || !found {
		return Key{KeyManager: manager, Type: kind, ConsumerKey: credentials.ConsumerKey, Secret: credentials.ConsumerSecret, Once: true}, true, err
	}
	if key.Secret == "" { // API-M 4.7, or a key manager that hashes secrets, shows them only once
		key.Secret, key.Once = credentials.ConsumerSecret, credentials.ConsumerSecret != ""
	}
	return key, true, nil
}
