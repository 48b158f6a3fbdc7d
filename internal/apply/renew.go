package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/sorting"
	"wso2agent/internal/wso2"
)

// Renewed is a key that was made again.
type Renewed struct {
	Credentials
	Was string // its former consumer key
}

// renewal is a key that is to be made again. The agent keeps it in a file until it is made: between the deletion and the making, no server
// knows the settings of the client.
type renewal struct {
	ApplicationID string      `json:"applicationId"`
	Manager       string      `json:"keyManager"`
	Key           plan.Object `json:"key"` // as API-M had it, without its secrets
	Begun         time.Time   `json:"begun"`
}

// renewalAge is how long another client than the one that was to be deleted counts as the one that a stopped run has made. Later somebody
// may have made it, with settings of their own.
const renewalAge = time.Hour

// made reports whether a stopped run may have made a key that the server has.
func (r renewal) made(row plan.Object) bool {
	return r.Key["consumerKey"] != row["consumerKey"] && time.Since(r.Begun) < renewalAge
}

func (r renewal) is(other renewal) bool {
	return r.ApplicationID == other.ApplicationID && r.Manager == other.Manager && r.Key["keyType"] == other.Key["keyType"]
}

// renewalsPath returns the path of the keys that are to be made again.
func renewalsPath(keys string) string { return filepath.Join(keysfile.WorkDir(keys), "renewals.json") }

// renewalsLimit is the most that the file of renewals may hold, in bytes.
const renewalsLimit = 4 << 20

func loadRenewals(keys string) ([]renewal, error) {
	all, _, err := file.LoadJSON[[]renewal](renewalsPath(keys), renewalsLimit)
	if err != nil {
		return nil, fmt.Errorf("read the keys that a stopped run has left: %w", err)
	}
	return all, nil
}

func saveRenewals(keys string, all []renewal) error {
	if len(all) == 0 {
		_, err := file.Remove(renewalsPath(keys))
		return err
	}
	_, err := file.SaveJSON(renewalsPath(keys), all, 0o600, keysfile.WorkDir(keys))
	return err
}

// dropRenewals forgets the keys that are to be made again and that a run has made: they have the settings of the desired state.
func dropRenewals(files bootstrap.Files, report Report) error {
	all, err := loadRenewals(files.Keys.JSON)
	if err != nil || len(all) == 0 {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(r renewal) bool {
		return slices.ContainsFunc(report.Outcomes, func(o Outcome) bool {
			want, is := o.Change.Want.(desired.Key)
			return is && o.Err == nil && o.Change.Action == plan.Create && want.Type.Value == r.Key["keyType"] && want.KeyManager.Value == r.Manager &&
				slices.ContainsFunc(report.Keys, func(k Credentials) bool {
					return k.ApplicationID == r.ApplicationID && o.Change.Of == "application "+k.Application
				})
		})
	})
	if len(left) == len(all) {
		return nil
	}
	return saveRenewals(files.Keys.JSON, left)
}

// Renewable returns the keys that [Single.Renew] makes again, by their types: those that the application has at the key manager, and those
// that a run has deleted that was stopped. An application without any, a client that somebody else has made in IS, and a key manager whose
// clients have settings that the agent does not know, is an error that wraps [bootstrap.ErrPermanent].
func (s Single) Renewable(ctx context.Context, files bootstrap.Files, application, manager wso2.Object) ([]plan.Object, error) {
	begun, err := s.renewals(wso2.RepeatReads(ctx), files, application, manager)
	var keys []plan.Object
	for _, r := range begun {
		keys = append(keys, r.Key)
	}
	return keys, err
}

// renewals returns what is to be made again: what the server has, and what a stopped run has left unless the server has it.
func (s Single) renewals(ctx context.Context, files bootstrap.Files, application, manager wso2.Object) ([]renewal, error) {
	all, err := loadRenewals(files.Keys.JSON)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r renewal) bool { return r.ApplicationID != application.ID || r.Manager != manager.Name })
	rows, err := s.DevPortal.KeyObjects(ctx, application.ID)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		key := plan.Object(row.Fields)
		now := renewal{application.ID, manager.Name, key, time.Now()}
		if row.Name != manager.Name || textOf(key, "consumerKey") == "" {
			continue
		}
		if key["mode"] == "MAPPED" {
			return nil, fmt.Errorf("%w: %w", bootstrap.ErrPermanent, remedy.Add(fmt.Errorf("client %s of application %q was made by somebody else, and mapped", textOf(key, "consumerKey"), application.Name),
				"make another client in IS, and write its client_id into the file"))
		}
		if i := slices.IndexFunc(all, now.is); i >= 0 && all[i].made(key) {
			continue
		}
		all = slices.DeleteFunc(all, now.is) // the server knows the settings of today
		for _, secret := range []string{"consumerSecret", "token"} {
			delete(key, secret)
		}
		all = append(all, now)
	}
	if len(all) == 0 {
		return nil, remedy.Add(fmt.Errorf("%w: application %q has no keys at key manager %q", bootstrap.ErrPermanent, application.Name, manager.Name), "name another key manager with --key-manager")
	}
	kind := textOf(manager.Fields, "type")
	if _, whole := plan.KeyLike(all[0].Key, kind); !whole { // nothing is deleted yet
		return nil, remedy.Add(fmt.Errorf("%w: the agent does not know all settings that clients of key manager %q (type %s) have, so new clients would lack some", bootstrap.ErrPermanent, manager.Name, kind),
			"delete the keys of application %q in the Developer Portal, and make them again there", application.Name)
	}
	sorting.By(all, func(a, b renewal) int { return cmp.Compare(textOf(a.Key, "keyType"), textOf(b.Key, "keyType")) })
	return all, nil
}

// Renew deletes the keys of an application at a key manager, and makes them again with the same settings: the client then belongs to the
// user that the key manager has now. It writes the new keys to the files of keys that have the former ones, and to the record. A call that
// is stopped anywhere is completed by the next one. It repeats what another try can make until ctx ends. Errors wrap
// [bootstrap.ErrPermanent] if a person must change something first.
func (s Single) Renew(ctx context.Context, files bootstrap.Files, application, manager wso2.Object) (made []Renewed, err error) {
	if err := files.CheckKeys(); err != nil { // the settings of a deleted client would be in the memory of this process alone
		return nil, err
	}
	ctx = wso2.RepeatReads(ctx)
	begun, err := s.renewals(ctx, files, application, manager)
	if err != nil {
		return nil, err
	}
	stored, err := loadRenewals(files.Keys.JSON)
	if err != nil {
		return nil, err
	}
	// The stored ones of other applications stay.
	others := slices.DeleteFunc(stored, func(r renewal) bool { return slices.ContainsFunc(begun, r.is) })
	if err := saveRenewals(files.Keys.JSON, append(slices.Clone(others), begun...)); err != nil {
		return nil, fmt.Errorf("keep the settings of the clients until they are made again: %w", err)
	}
	for _, r := range begun {
		k, err := s.renew(ctx, application, manager, r.Key)
		if err != nil {
			return made, err
		}
		made = append(made, Renewed{k, textOf(r.Key, "consumerKey")})
		if err := noteRenewed(files, k); err != nil {
			return made, err
		}
	}
	// Not before: the next call would make again a key that this call has made, and whose secret somebody has got.
	return made, saveRenewals(files.Keys.JSON, others)
}

// renew makes one key again. former is the key as API-M had it before.
func (s Single) renew(ctx context.Context, application, manager wso2.Object, former plan.Object) (Credentials, error) {
	for logged := false; ; logged = true {
		k, err := s.renewOnce(ctx, application, manager, former)
		if err == nil || permanent(err) || ctx.Err() != nil {
			return k, final(err)
		}
		if !logged {
			s.Log.Warn("cannot make the key again yet, trying again", "application", application.Name, "key manager", manager.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return Credentials{}, ended(ctx, err)
		case <-time.After(max(keyWait, wso2.RetryAfter(err))):
		}
	}
}

// renewOnce is one try of renew.
func (s Single) renewOnce(ctx context.Context, application, manager wso2.Object, former plan.Object) (k Credentials, err error) {
	want, _ := plan.KeyLike(former, textOf(manager.Fields, "type")) // renewals has refused the others
	rows, err := s.DevPortal.KeyObjects(ctx, application.ID)
	if err != nil {
		return k, err
	}
	i := slices.IndexFunc(rows, func(o wso2.Object) bool { return o.Name == manager.Name && o.Fields["keyType"] == former["keyType"] })
	if i < 0 || textOf(rows[i].Fields, "consumerKey") == "" {
		return s.makeKey(ctx, application, manager, want)
	}
	have := plan.Object(rows[i].Fields)
	if have["consumerKey"] != former["consumerKey"] { // a stopped run has made it
		current, err := s.ownedByManager(ctx, textOf(have, "consumerKey"), manager)
		if err != nil {
			return k, err
		}
		if current {
			return s.complete(ctx, application, manager, want, have)
		}
	}
	if err := s.DevPortal.DeleteKeys(ctx, application.ID, rows[i].ID); err != nil {
		return k, moved(err)
	}
	return s.makeKey(ctx, application, manager, want)
}

// complete gives a key that exists the settings of the former one, and returns it.
func (s Single) complete(ctx context.Context, application, manager wso2.Object, want desired.Key, have plan.Object) (Credentials, error) {
	kind := textOf(manager.Fields, "type")
	k := Credentials{Application: application.Name, ApplicationID: application.ID, Type: want.Type.Value, KeyManager: manager.Name, MappingID: textOf(have, "keyMappingId"),
		ConsumerKey: textOf(have, "consumerKey"), ConsumerSecret: secretOf(have)}
	if lacksSecret(have) { // the stopped run alone has seen it
		made, err := s.DevPortal.GenerateSecret(ctx, application.ID, k.MappingID, secretDescription)
		if err != nil && !errors.Is(err, wso2.ErrOneSecret) {
			return k, err
		}
		k.ConsumerSecret = made.Value
	}
	if len(plan.KeyDifferences(want, have, kind, nil)) == 0 {
		return k, nil
	}
	return k, s.DevPortal.UpdateKeys(ctx, application.ID, k.MappingID, plan.KeyBody(want, have, kind, manager.ID))
}

// noteRenewed writes a new key over the former one in the files of keys and in the record, if they have it. The files come first: nothing
// else has the new secret.
func noteRenewed(files bootstrap.Files, k Credentials) error {
	return errors.Join(renewInFiles(files.Keys, k), renewInRecord(owned.Path(files.Keys.JSON), k))
}

func renewInFiles(files keysfile.Files, k Credentials) error {
	keys, err := files.Read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the new key to the file of keys: %w", err)
	}
	i := slices.IndexFunc(keys, func(f keysfile.Key) bool {
		return f.ApplicationID == k.ApplicationID && f.Type == k.Type && f.KeyManager == k.KeyManager
	})
	if i < 0 {
		return nil
	}
	keys[i].ConsumerKey, keys[i].ConsumerSecret, keys[i].MappingID = k.ConsumerKey, k.ConsumerSecret, k.MappingID
	return files.Write(keys)
}

func renewInRecord(path string, k Credentials) error {
	record, found, err := owned.Load(path)
	change := plan.Change{Action: plan.Create, Kind: plan.KindKey, Name: plan.KeyName(desired.Key{Type: desired.Text{Set: true, Value: k.Type}, KeyManager: desired.Text{Set: true, Value: k.KeyManager}}), Of: "application " + k.Application}
	if err != nil || !found || !record.Owns(change.Kind, change.Name, change.Of) {
		return err
	}
	record.Made(change, k.MappingID)
	return record.Save(path)
}

// ownedByManager reports whether a client belongs to the user of its key manager. IS alone can say.
func (s Single) ownedByManager(ctx context.Context, consumerKey string, manager wso2.Object) (bool, error) {
	if s.IS == nil || manager.Name != s.KeyManager {
		return true, nil
	}
	properties, _ := manager.Fields["additionalProperties"].(map[string]any)
	owner, err := s.IS.ClientOwner(ctx, consumerKey)
	return serviceuser.Same(owner, textOf(properties, "Username")), err
}
