package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

// Credentials are a key of an application: its OAuth client at a key manager.
type Credentials struct {
	Application, ApplicationID string
	Type                       string // PRODUCTION or SANDBOX
	KeyManager                 string // its name
	ConsumerKey                string
	ConsumerSecret             wso2.Secret // empty if the server shows it only once, and nobody has kept it
	MappingID                  string      // of the key in API-M
	TokenEndpoint              string      // at which clients get tokens; empty if the key manager does not say
}

// keyName identifies a key on a server.
type keyName struct{ application, kind, manager string }

func (k Credentials) name() keyName { return keyName{k.ApplicationID, k.Type, k.KeyManager} }

// client is a key that is to be made.
type client struct {
	keyName
	application string // its name
	managerID   string
	managerType string
	want        desired.Key
}

// key makes a key of an application.
func (r *round) key(ctx context.Context, c plan.Change, want desired.Key) error {
	k, err := r.client(c, want)
	if err != nil {
		return err
	}
	have, exists := c.Have.(plan.Object)
	if exists && !plan.KeyReplaced(c.Fields) {
		return r.updateKey(ctx, k, have)
	}
	if exists {
		if err := r.hasNew(ctx, k, want.ClientID.Value); err != nil { // the client that is there now cannot come back
			return err
		}
		if err := r.DevPortal.DeleteKeys(ctx, k.keyName.application, textOf(have, "keyMappingId")); err != nil {
			return moved(err)
		}
		r.keep(k, wso2.Keys{})
	}
	mapped, recovered := want.ClientID.Value != "", false
	var made wso2.Keys
	if mapped {
		body := plan.MapKeyBody(want, k.managerID)
		secret := wso2.Secret(textOf(body, "consumerSecret"))
		made, err = r.DevPortal.MapKeys(ctx, k.keyName.application, k.kind, k.managerID, textOf(body, "consumerKey"), secret)
		made.ConsumerSecret = secret
	} else {
		if made, err = r.DevPortal.MakeKeys(ctx, k.keyName.application, k.request()); err != nil {
			made, recovered = r.madeAnyway(ctx, k, err)
		}
	}
	if err != nil && !recovered {
		return r.refusedGrant(ctx, k, r.unmappable(ctx, k, r.afterFailure(ctx, k, err)))
	}
	r.past.forget("key manager "+k.manager, hidden(k), unmapped(k), lost(k))
	if !mapped {
		if err := r.refuseFormerOwner(ctx, k, made); err != nil {
			return err
		}
	}
	r.keep(k, made)
	r.noteID(c, made.MappingID)
	if mapped || recovered {
		if err := r.setMapped(ctx, k, made.MappingID); err != nil {
			return err
		}
	}
	if recovered && made.ConsumerSecret == "" { // the next round generates another one
		return again(fmt.Errorf("the answer with the consumer secret of application %q is lost, and API-M does not show the secret again", k.application))
	}
	return nil
}

// madeAnyway returns the key that a failed generation has made: only its answer or the first token failed. Its owner is to be looked at as
// that of any other new key, and the next plan would not, because it has no difference.
func (r *round) madeAnyway(ctx context.Context, k client, cause error) (made wso2.Keys, found bool) {
	switch {
	case wso2.HasCode(cause, wso2.CodeKeyMappingExists):
		if !r.past.seen(lost(k)) { // somebody else has made it
			return made, false
		}
	case wso2.IsPermanent(cause):
		return made, false
	default:
		r.past.since(lost(k))
	}
	rows, err := r.DevPortal.Keys(ctx, k.keyName.application)
	if err != nil {
		return made, false
	}
	i := slices.IndexFunc(rows, func(row wso2.Keys) bool {
		return row.KeyManager == k.manager && row.KeyType == k.kind && row.ConsumerKey != ""
	})
	if i < 0 {
		return made, false
	}
	return rows[i], true
}

func lost(k client) string { return fmt.Sprintf("lost %v", k.keyName) }

// lookAtLost looks at the owners of keys that an earlier round has made without an answer, and that API-M shows only now. The plan has no
// difference of them.
func (r *round) lookAtLost(ctx context.Context) {
	for _, o := range r.all.list {
		want, is := o.Change.Want.(desired.Key)
		if !is || slices.ContainsFunc(r.changes, func(c plan.Change) bool { return objectOf(c) == objectOf(o.Change) }) {
			continue
		}
		k, err := r.client(o.Change, want)
		if err != nil || !r.past.seen(lost(k)) {
			continue
		}
		for _, have := range r.have.Applications[k.application].Keys {
			if have["keyType"] != k.kind || have["keyManager"] != k.manager || textOf(have, "consumerKey") == "" {
				continue
			}
			r.past.forget(lost(k))
			err := r.refuseFormerOwner(ctx, k, wso2.Keys{MappingID: textOf(have, "keyMappingId"), ConsumerKey: textOf(have, "consumerKey")})
			if err != nil && !permanent(err) {
				r.keep(k, wso2.Keys{}) // it is deleted, and the next round makes another one
			}
			r.all.note(o.Change, err)
		}
	}
}

// refuseFormerOwner deletes a new key if its client belongs to another user than the one that the key manager has. API-M loads another user
// within 3 s, as recorded, and makes clients with the former one until then. A client keeps its owner, so the next try makes another one.
func (r *round) refuseFormerOwner(ctx context.Context, k client, made wso2.Keys) error {
	user := r.userOf(k.manager)
	if !r.ownKeyManager(k) || user == "" {
		return nil
	}
	var owner string
	err := r.insist(ctx, func() (err error) {
		owner, err = r.IS.ClientOwner(ctx, made.ConsumerKey)
		return err
	})
	if err != nil { // the key is as good as before
		r.log.Warn("the agent cannot read the owner of a new client", "application", k.application, "client", made.ConsumerKey, "error", err)
	}
	if err != nil || owner == "" || serviceuser.Same(owner, user) {
		r.past.forget(ownerOf(k))
		return nil
	}
	if r.past.since(ownerOf(k)) {
		r.log.Warn("a new client belongs to another user than the one of its key manager", "application", k.application, "client", made.ConsumerKey, "owner", owner, "user", user)
		return nil
	}
	err = r.insist(ctx, func() error { return orGone(r.DevPortal.DeleteKeys(ctx, k.keyName.application, made.MappingID)) })
	if err != nil { // the next plan has no difference, so only a person can still see it
		return byHand(remedy.Add(fmt.Errorf("the new client %s of application %q belongs to %s, key manager %s has the user %s, and the agent cannot delete the client: %w", made.ConsumerKey, k.application, owner, k.manager, user, err),
			"run agent km clients renew with the name of the application"))
	}
	return again(fmt.Errorf("the new client of application %q belongs to %s, and key manager %s has the user %s: API-M has not loaded it yet", k.application, owner, k.manager, user))
}

// insist repeats a request that a change must not go without, for as long as something must last before it counts.
func (r *round) insist(ctx context.Context, request func() error) error {
	for end := time.Now().Add(r.past.wait); ; {
		err := request()
		if err == nil || permanent(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(keyWait, wso2.RetryAfter(err))):
		}
	}
}

func ownerOf(k client) string { return fmt.Sprintf("owner %v", k.keyName) }

// userOf returns the user with which a key manager of IS calls IS now; "" if it is not known.
func (r *round) userOf(manager string) string {
	if r.account.User != "" && manager == r.want.Own.Name.Value {
		return r.account.User
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	properties, _ := r.managers[manager]["additionalProperties"].(map[string]any)
	user, _ := properties["Username"].(string)
	return user
}

// mapTries is how often API-M must fail to map a client after it has had the time to load the key manager.
const mapTries = 3

// unmappable makes a failure to map a client one for a person if it lasts. If the key manager does not have the client, or if its secret
// is another, API-M answers HTTP 500, as recorded. It also does so while it loads a key manager.
func (r *round) unmappable(ctx context.Context, k client, cause error) error {
	if k.want.ClientID.Value == "" || !wso2.HasStatus(cause, http.StatusInternalServerError) || permanent(cause) {
		r.past.forget(unmapped(k))
		return cause
	}
	if !r.past.since(unmapped(k)) || r.past.count(unmapped(k)) < mapTries {
		return cause
	}
	if err := r.hasNew(ctx, k, k.want.ClientID.Value); err != nil {
		return err
	}
	return byHand(remedy.Add(fmt.Errorf("map client %q of %s to application %q: API-M fails at each try: %w", k.want.ClientID.Shown(), k.manager, k.application, cause),
		"correct client_id at %s, or client_secret: the key manager does not have the client, or its secret is another", k.want.ClientID.At))
}

func unmapped(k client) string { return fmt.Sprintf("unmapped %v", k.keyName) }

// hasNew returns an error if IS lacks the client that a key is to have. Other key managers cannot be asked.
func (r *round) hasNew(ctx context.Context, k client, id string) error {
	if id == "" || !r.ownKeyManager(k) {
		return nil
	}
	found, err := r.IS.HasClient(ctx, id)
	if err == nil && !found {
		err = byHand(remedy.Add(fmt.Errorf("IS has no client %q, which application %q is to have", k.want.ClientID.Shown(), k.application),
			"correct client_id at %s, or make the client in IS", k.want.ClientID.At))
	}
	return err
}

// client returns what is known of a key that is to be made.
func (r *round) client(c plan.Change, want desired.Key) (client, error) {
	name, application, err := r.applicationOf(c)
	if err != nil {
		return client{}, err
	}
	manager := want.KeyManager.Value
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.ids.KeyManagers[manager]
	if id == "" {
		return client{}, missing(plan.KindKeyManager, manager)
	}
	return client{keyName{application, want.Type.Value, manager}, name, id, textOf(r.managers[manager], "type"), want}, nil
}

// request returns what a new client is to be.
func (k client) request() wso2.KeyRequest {
	body := plan.KeyBody(k.want, nil, k.managerType, k.managerID)
	request := wso2.KeyRequest{Type: k.kind, KeyManager: k.managerID, Callback: textOf(body, "callbackUrl"), Properties: map[string]string{}}
	grants, _ := body["grantTypesToBeSupported"].([]any)
	for _, grant := range grants {
		text, _ := grant.(string)
		request.Grants = append(request.Grants, text)
	}
	properties, _ := body["additionalProperties"].(map[string]any)
	for name := range properties {
		request.Properties[name] = textOf(properties, name)
	}
	return request
}

// updateKey writes the settings of a client over those that have shows.
func (r *round) updateKey(ctx context.Context, k client, have plan.Object) error {
	body := plan.KeyBody(k.want, have, k.managerType, k.managerID)
	return r.refusedGrant(ctx, k, r.DevPortal.UpdateKeys(ctx, k.keyName.application, textOf(have, "keyMappingId"), body))
}

// setMapped writes the settings of a client that was mapped, because API-M takes none with it.
func (r *round) setMapped(ctx context.Context, k client, mapping string) error {
	list, err := r.DevPortal.KeyObjects(ctx, k.keyName.application)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.ID != mapping {
			continue
		}
		if len(plan.KeyDifferences(k.want, o.Fields, k.managerType, nil)) == 0 {
			return nil
		}
		return r.updateKey(ctx, k, o.Fields)
	}
	return again(fmt.Errorf("API-M does not show the client that it has mapped"))
}

// keep notes a key that this round has made, or removed if it is empty.
func (r *round) keep(k client, made wso2.Keys) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made[k.keyName] = Credentials{
		Type: k.kind, KeyManager: k.manager, MappingID: made.MappingID, ConsumerKey: made.ConsumerKey, ConsumerSecret: made.ConsumerSecret,
	}
}

// credentials returns the keys that the file names and that the servers have, in the order of the file.
func (r *round) credentials() (all []Credentials) {
	for _, app := range r.want.File.Applications.Value {
		name := app.Value.Name.Value
		for _, want := range plan.Keys(app, r.want.KeyManager) {
			k := Credentials{Type: want.Value.Type.Value, KeyManager: want.Value.KeyManager.Value}
			for _, have := range r.have.Applications[name].Keys {
				if have["keyType"] == k.Type && have["keyManager"] == k.KeyManager {
					k.MappingID, k.ConsumerKey, k.ConsumerSecret = textOf(have, "keyMappingId"), textOf(have, "consumerKey"), secretOf(have)
					break
				}
			}
			k.ApplicationID = r.ids.Applications[name]
			if made, is := r.made[k.name()]; is {
				made.ApplicationID = k.ApplicationID
				k = made
			}
			k.Application, k.TokenEndpoint = name, r.tokenEndpoint(k.KeyManager)
			if k.ConsumerKey != "" {
				all = append(all, k)
			}
		}
	}
	return all
}

// tokenEndpoint returns where clients of a key manager get tokens.
func (r *round) tokenEndpoint(manager string) string {
	if shown := textOf(r.managers[manager], "displayTokenEndpoint"); shown != "" && manager != bootstrap.ResidentKeyManager {
		return shown
	}
	return textOf(r.managers[manager], "tokenEndpoint")
}
