package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

// ServiceUser says which user of IS the key manager calls IS with. The zero value stands for IS's administrator.
type ServiceUser struct {
	Setting  string      // KM_SERVICE_USER: create, admin, or the name of a user; empty: see [serviceuser.Choose]
	Password wso2.Secret // of a user that Setting names
	Rights   string      // KM_RIGHTS
	Record   string      // path of the record; see [serviceuser.Path]
}

// KeyManagerUser is the user that the key manager has, or is to have.
type KeyManagerUser struct {
	serviceuser.Account
	Kind   serviceuser.Kind
	Known  bool         // API-M has this account, as far as the agent knows
	record func() error // notes that API-M has it; nil: there is nothing to note
}

// Taken notes that API-M has taken the account.
func (u KeyManagerUser) Taken() error {
	if u.record == nil {
		return nil
	}
	return u.record()
}

// maker returns what makes users in IS.
func (s Settings) maker(log *slog.Logger, servers Servers) serviceuser.Maker {
	return serviceuser.Maker{
		SCIM: servers.SCIM, Path: s.KMUser.Record, Rights: serviceuser.Rights(s.KMUser.Rights), Log: log,
		As: func(a serviceuser.Account) *wso2.Identity {
			return wso2.NewIdentity(servers.HTTP, s.ISURL, wso2.Credentials{User: a.User, Password: a.Password, Source: "KM_SERVICE_USER and KM_SERVICE_PASS"})
		},
	}
}

// registered reads the key manager that the settings name. Its ID is empty if API-M has none.
func (s Settings) registered(ctx context.Context, admin *wso2.Admin) (km wso2.StoredKeyManager, err error) {
	list, err := admin.KeyManagers(ctx)
	if err != nil {
		return km, err
	}
	same := KeeperFirst(list, s.KMName)
	if len(same) == 0 {
		return km, nil
	}
	km, err = admin.KeyManager(ctx, same[0].ID)
	return km, orDeleted(err)
}

// FindUser reads which user the key manager has, or is to have, and changes nothing.
func (s Settings) FindUser(ctx context.Context, admin *wso2.Admin) (km wso2.StoredKeyManager, kind serviceuser.Kind, err error) {
	if km, err = s.registered(ctx, admin); err != nil {
		return km, 0, err
	}
	if s.KMUser.Record == "" || km.ID != "" && km.User == "" { // of another type, which the agent refuses to change
		return km, serviceuser.Administrator, nil
	}
	record, err := serviceuser.Load(s.KMUser.Record)
	if err != nil {
		return km, 0, Permanent(err)
	}
	user := ""
	if record.Made() {
		user = record.User
	}
	return km, serviceuser.Choose(s.KMUser.Setting, user, km.User, s.ISCredentials.User), nil
}

// ChooseUser returns the user that the key manager is to have, and makes the user in IS if the agent is to make one; an empty one for a key
// manager with mutual TLS. The key manager stays as it is. An error that wraps [ErrPermanent] needs a person.
func ChooseUser(ctx context.Context, log *slog.Logger, servers Servers, s Settings) (user KeyManagerUser, err error) {
	km, kind, err := s.FindUser(ctx, servers.Admin)
	if err != nil {
		return user, err
	}
	if km.MutualTLS { // by somebody's choice: it needs no password, and gets none
		return KeyManagerUser{Known: true}, nil
	}
	if kind == serviceuser.Kept && serviceuser.IsMade(km.User) {
		if kind, err = s.kept(ctx, log, servers.SCIM, km.User); err != nil {
			return user, err
		}
	}
	user.Kind, user.Known = kind, true
	if kind != serviceuser.Administrator { // whose connector makes the resource by itself
		if _, err := scopes.MakeResource(ctx, servers.Scopes); err != nil {
			return user, err
		}
	}
	m := s.maker(log, servers)
	var record serviceuser.Record
	switch kind {
	case serviceuser.Kept:
		user.Account = serviceuser.Account{User: km.User, Password: wso2.MaskedPassword}
		return user, nil
	case serviceuser.Made:
		if record, err = m.Ensure(ctx); err != nil {
			return user, userUnready(err)
		}
		user.Account = record.Account()
	case serviceuser.Named:
		user.Account = serviceuser.Account{User: s.KMUser.Setting, Password: s.KMUser.Password}
		if err := m.Check(ctx, user.Account); err != nil {
			return user, userRefused(err)
		}
		if record, err = serviceuser.Load(s.KMUser.Record); err != nil {
			return user, Permanent(err)
		}
	default:
		user.Account = serviceuser.Account{User: s.ISCredentials.User, Password: s.ISCredentials.Password}
		if s.KMUser.Record == "" {
			return user, nil
		}
		if s.KMUser.Setting == "" && km.User != "" {
			log.Info("the key manager calls IS as the administrator", "user", km.User, "remedy", "set KM_SERVICE_USER=create for a user with few rights, or admin to keep this one")
		}
		if record, err = serviceuser.Load(s.KMUser.Record); err != nil {
			return user, Permanent(err)
		}
	}
	if kind != serviceuser.Administrator && s.KMUser.Rights == serviceuser.RolesToo {
		log.Warn("with KM_RIGHTS=roles, the key manager's user has a right that equals IS's administrator", "user", user.User, "right", "internal_role_mgt_update", "remedy", "set KM_RIGHTS=least")
	}
	user.Known = known(record, kind, km.User, user.Account)
	if user.Known && record == (serviceuser.Record{}) {
		if err := record.Taken(user.Account).Save(s.KMUser.Record); err != nil {
			return user, err
		}
	}
	user.record = func() error { return record.Taken(user.Account).Save(s.KMUser.Record) }
	return user, nil
}

// known reports whether API-M has an account as far as the agent knows. registered is the user that the key manager has now. An agent that
// kept no record has registered the administrator; keys that fail make the agent send it again.
func known(record serviceuser.Record, kind serviceuser.Kind, registered string, a serviceuser.Account) bool {
	return record.Has(a) || kind == serviceuser.Administrator && record == (serviceuser.Record{}) && serviceuser.Same(registered, a.User)
}

// lostRecord is what a person can do if the record of the key manager's user is lost.
const lostRecord = "if another agent keeps the user, do nothing; if km-user.json is lost, run agent bootstrap with KM_SERVICE_USER=admin, and then with create, and delete the former user"

// kept returns [serviceuser.Kept] if IS has the user, which an agent has made and this one has no record of. If IS has lost the user, the
// agent is to make another one.
func (s Settings) kept(ctx context.Context, log *slog.Logger, scim *wso2.SCIM, user string) (serviceuser.Kind, error) {
	switch _, found, err := scim.Find(ctx, wso2.SCIMUsers, user); {
	case err != nil:
		return serviceuser.Kept, err
	case !found:
		log.Warn("IS has lost the key manager's user, and this agent has no record of it: the agent makes another one", "was", user)
		return serviceuser.Made, nil
	}
	log.Warn("the key manager keeps a user of which this agent has no record", "user", user, "remedy", lostRecord)
	return serviceuser.Kept, nil
}

// userUnready marks the errors of a user that the agent has made: IS may need a moment until it knows a right or a password.
func userUnready(err error) error {
	if errors.Is(err, serviceuser.ErrPassword) || errors.Is(err, serviceuser.ErrRights) {
		return transient(err)
	}
	return err
}

// userRefused marks the errors of a user that somebody else has made.
func userRefused(err error) error {
	switch {
	case errors.Is(err, serviceuser.ErrPassword):
		return Permanent(remedy.Add(err, "correct KM_SERVICE_USER or KM_SERVICE_PASS"))
	case errors.Is(err, serviceuser.ErrRights):
		return Permanent(remedy.Add(err, "give the user a role with the rights in docs/security.md"))
	}
	return err
}

// NamesUser reports whether a file says as whom a key manager calls its server: as a user with a password, or by mutual TLS.
func NamesUser(f *desired.File, keyManager string) bool {
	km, ok := ownIn(f, keyManager)
	return ok && (km.Username.Set || km.MutualTLS())
}

// ownIn returns what a file says of a key manager.
func ownIn(f *desired.File, name string) (km desired.KeyManager, ok bool) {
	if f == nil {
		return km, false
	}
	i := slices.IndexFunc(f.KeyManagers.Value, func(km desired.Field[desired.KeyManager]) bool { return km.Value.Name.Value == name })
	if i < 0 {
		return km, false
	}
	return f.KeyManagers.Value[i].Value, true
}

// UserRegistered reports whether the key manager has the user that it is to have, so that [RegisterUser] writes nothing to API-M. It only
// reads.
func UserRegistered(ctx context.Context, servers Servers, s Settings) (bool, error) {
	s, err := s.Normalised()
	if err != nil {
		return false, err
	}
	km, kind, err := s.FindUser(ctx, servers.Admin)
	if err != nil || km.ID == "" || km.User == "" {
		return err == nil, err
	}
	return s.hasUser(ctx, servers, km, kind)
}

// hasUser reports whether a key manager has the user that it is to have.
func (s Settings) hasUser(ctx context.Context, servers Servers, km wso2.StoredKeyManager, kind serviceuser.Kind) (has bool, err error) {
	if kind == serviceuser.Kept {
		if !serviceuser.IsMade(km.User) {
			return true, nil
		}
		_, found, err := servers.SCIM.Find(ctx, wso2.SCIMUsers, km.User)
		return found, err
	}
	account, record := serviceuser.Account{User: s.ISCredentials.User, Password: s.ISCredentials.Password}, serviceuser.Record{}
	if s.KMUser.Record != "" {
		if record, err = serviceuser.Load(s.KMUser.Record); err != nil {
			return false, Permanent(err)
		}
	}
	switch kind {
	case serviceuser.Made:
		account = record.Account()
	case serviceuser.Named:
		account = serviceuser.Account{User: s.KMUser.Setting, Password: s.KMUser.Password}
	}
	sent := s.KMUser.Record == "" || known(record, kind, km.User, account)
	return sent && serviceuser.Same(km.User, account.User), nil
}

// RegisterUser is [ChooseUser]. It also gives the user to the key manager, if API-M has the key manager and does not have this user.
func RegisterUser(ctx context.Context, log *slog.Logger, servers Servers, s Settings) (KeyManagerUser, error) {
	s, err := s.Normalised()
	if err != nil {
		return KeyManagerUser{}, err
	}
	user, err := ChooseUser(ctx, log, servers, s)
	if err != nil {
		return user, err
	}
	km, err := s.registered(ctx, servers.Admin)
	if err != nil || km.ID == "" || km.User == "" || user.Known && serviceuser.Same(km.User, user.User) {
		return user, err
	}
	whole, _, err := wso2.Merge(km.Raw, map[string]any{"additionalProperties": map[string]any{"Username": user.User, "Password": string(user.Password)}})
	if err != nil {
		return user, err
	}
	if err := servers.Admin.UpdateKeyManager(ctx, km.ID, whole, user.Password); err != nil {
		return user, fmt.Errorf("give key manager %s another user: %w", s.KMName, err)
	}
	userChanged(log, km.User, user.User)
	user.Known = true
	return user, user.Taken()
}

// userChanged logs that the key manager has another user or password.
func userChanged(log *slog.Logger, before, now string) {
	if serviceuser.Same(before, now) {
		log.Info("gave the key manager the present password of its user", "user", now)
		return
	}
	log.Info("gave the key manager another user; clients that exist keep their owner", "was", before, "now", now, "remedy", "agent km clients lists them")
}

// RotatePassword gives the user that the agent has made another password, first in IS and then in API-M. API-M makes no keys for the short
// time between the two. If the call ends between them, the next bootstrap or apply does the rest.
func RotatePassword(ctx context.Context, log *slog.Logger, servers Servers, s Settings) (KeyManagerUser, error) {
	s, err := s.Normalised()
	if err != nil {
		return KeyManagerUser{}, err
	}
	km, kind, err := s.FindUser(ctx, servers.Admin)
	if err == nil && (kind != serviceuser.Made || km.ID == "") {
		err = fmt.Errorf("%w for key manager %s", serviceuser.ErrNoUser, s.KMName)
	}
	if err == nil {
		var record serviceuser.Record
		if record, err = serviceuser.Load(s.KMUser.Record); record.Made() && !serviceuser.Same(km.User, record.User) {
			return KeyManagerUser{}, Permanent(remedy.Add(fmt.Errorf("key manager %s has the user %s, not %s, which the agent has made", s.KMName, km.User, record.User),
				"run agent bootstrap with KM_SERVICE_USER=create first"))
		}
	}
	if err == nil {
		_, err = s.maker(log, servers).Rotate(ctx)
	}
	switch lacks := errors.Is(err, serviceuser.ErrNoUser); {
	case lacks && kind == serviceuser.Kept && serviceuser.IsMade(km.User):
		err = Permanent(remedy.Add(err, "set KEYS_FILE to the path that the other commands use; %s", lostRecord))
	case lacks:
		err = Permanent(remedy.Add(err, "set KM_SERVICE_USER=create and run agent bootstrap, or set KEYS_FILE to the path that the other commands use"))
	}
	if err != nil {
		return KeyManagerUser{}, err
	}
	return RegisterUser(ctx, log, servers, s)
}
