package serviceuser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"wso2agent/internal/wso2"
)

// Maker makes users in IS as IS's administrator.
type Maker struct {
	SCIM   *wso2.SCIM
	As     func(Account) *wso2.Identity // IS's client registration, with the account of a user
	Path   string                       // of the record, see [Path]
	Rights []string                     // of the users that it makes, see [Rights]
	Log    *slog.Logger
}

// probeName is the name of a client that nobody registers. Whoever asks IS for it learns whether IS takes a password, and whether the
// user has the right to read clients.
const probeName = "wso2agent-km-probe"

// Ensure makes the user and the role, or completes them, and returns the record with the password. It sends only GET requests if IS has
// them already. Without a record it makes another user: an existing one may belong to another API-M.
func (m Maker) Ensure(ctx context.Context) (Record, error) {
	r, err := Load(m.Path)
	if err != nil {
		return r, err
	}
	if !r.Made() {
		r = invent()
		if err := r.Save(m.Path); err != nil {
			return r, err
		}
	}
	return r, m.complete(ctx, r)
}

// Rotate gives the user another password in IS. Until API-M has it too, API-M makes no keys. Call [Record.Taken] then. Without a user that
// the agent has made, the error wraps [ErrNoUser].
func (m Maker) Rotate(ctx context.Context) (Record, error) {
	r, err := Load(m.Path)
	if err != nil {
		return r, err
	}
	if !r.Made() {
		return r, fmt.Errorf("%w in %s", ErrNoUser, m.Path)
	}
	r.Password = NewPassword()
	if err := r.Save(m.Path); err != nil {
		return r, err
	}
	return r, m.complete(ctx, r)
}

// complete brings IS to what the record says.
func (m Maker) complete(ctx context.Context, r Record) error {
	user, err := m.user(ctx, r)
	if err != nil {
		return err
	}
	if err := m.role(ctx, r, user); err != nil {
		return err
	}
	return m.password(ctx, r, user)
}

// user makes the user if IS has none of the name.
func (m Maker) user(ctx context.Context, r Record) (wso2.Object, error) {
	user, found, err := m.SCIM.Find(ctx, wso2.SCIMUsers, r.User)
	if err != nil || found {
		return user, err
	}
	id, err := m.SCIM.Create(ctx, wso2.SCIMUsers, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": r.User, "password": r.Password,
	}, wso2.Secret(r.Password))
	if err != nil {
		return user, err
	}
	m.Log.Info("made a user in IS for the key manager", "user", r.User)
	return wso2.Object{ID: id, Name: r.User}, nil
}

// role makes the role of the user, which has the user's name, with exactly the rights.
func (m Maker) role(ctx context.Context, r Record, user wso2.Object) error {
	role, found, err := m.SCIM.Find(ctx, wso2.SCIMRoles, r.User)
	if err != nil {
		return err
	}
	if !found {
		_, err := m.SCIM.Create(ctx, wso2.SCIMRoles, map[string]any{
			"displayName": r.User, "permissions": references(m.Rights), "users": references([]string{user.ID}),
		})
		if err == nil {
			m.Log.Info("made a role in IS for the key manager's user", "role", r.User, "rights", len(m.Rights))
		}
		return err
	}
	if role, err = m.SCIM.Read(ctx, wso2.SCIMRoles, role.ID); err != nil { // a list need not have all fields
		return err
	}
	changes := roleChanges(role, m.Rights, user.ID)
	if len(changes) > 0 {
		m.Log.Info("changing the role of the key manager's user in IS", "role", r.User, "rights", len(m.Rights))
	}
	return m.SCIM.Patch(ctx, wso2.SCIMRoles, role, changes)
}

// roleChanges returns what gives a role exactly the rights, and the user as a member.
func roleChanges(role wso2.Object, rights []string, user string) (changes []wso2.Change) {
	has := values(role.Fields["permissions"])
	var missing []string
	for _, right := range rights {
		if !slices.Contains(has, right) {
			missing = append(missing, right)
		}
	}
	if len(missing) > 0 {
		changes = append(changes, wso2.Change{Op: "add", Path: "permissions", Value: references(missing)})
	}
	for _, right := range has {
		if !slices.Contains(rights, right) {
			changes = append(changes, wso2.Change{Op: "remove", Path: fmt.Sprintf("permissions[value eq %s]", right)})
		}
	}
	if !slices.Contains(values(role.Fields["users"]), user) {
		changes = append(changes, wso2.Change{Op: "add", Path: "users", Value: references([]string{user})})
	}
	return changes
}

func references(names []string) []map[string]any {
	list := []map[string]any{}
	for _, name := range names {
		list = append(list, map[string]any{"value": name})
	}
	return list
}

// values returns the values of a list of SCIM references.
func values(list any) (names []string) {
	all, _ := list.([]any)
	for _, one := range all {
		fields, _ := one.(map[string]any)
		if name, ok := fields["value"].(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// password sets the user's password if IS refuses the one in the record: a run was killed before it, or somebody has changed it.
func (m Maker) password(ctx context.Context, r Record, user wso2.Object) error {
	err := m.Check(ctx, r.Account())
	if !errors.Is(err, ErrPassword) {
		return err
	}
	set := wso2.Change{Op: "replace", Value: map[string]any{"password": r.Password}}
	if err := m.SCIM.Patch(ctx, wso2.SCIMUsers, user, []wso2.Change{set}, wso2.Secret(r.Password)); err != nil {
		return err
	}
	m.Log.Info("set the password of the key manager's user in IS", "user", r.User)
	return m.Check(ctx, r.Account())
}

// ErrPassword: IS refuses the password of the key manager's user. ErrRights: the user may not read clients. ErrNoUser: no record says that
// the agent has made a user.
var (
	ErrPassword = errors.New("IS refuses the password of the key manager's user")
	ErrRights   = errors.New("the key manager's user lacks rights in IS")
	ErrNoUser   = errors.New("there is no user that the agent has made")
)

// Check asks IS with an account for a client that does not exist. The error wraps [ErrPassword] or [ErrRights] if IS refuses that.
func (m Maker) Check(ctx context.Context, a Account) error {
	_, err := m.As(a).FindClient(ctx, probeName)
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized):
		return fmt.Errorf("%w %s: %w", ErrPassword, a.User, err)
	case wso2.HasStatus(err, http.StatusForbidden):
		return fmt.Errorf("%w: %s: %w", ErrRights, a.User, err)
	}
	return err
}
