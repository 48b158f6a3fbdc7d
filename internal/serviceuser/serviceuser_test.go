package serviceuser

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/wso2"
)

func TestASettingDecidesAndWithoutOneAnExistingKeyManagerKeepsItsUser(t *testing.T) {
	for _, tt := range []struct {
		name, setting, made, registered string
		want                            Kind
	}{
		{"a new key manager", "", "", "", Made},
		{"an earlier run was killed before it registered the key manager", "", "wso2agent-km-abc", "", Made},
		{"an existing key manager with the administrator", "", "", "chief", Administrator},
		{"the administrator in another spelling", "", "", "PRIMARY/Chief@carbon.super", Administrator},
		{"a user that the agent has made", "", "wso2agent-km-abc", "wso2agent-km-abc", Made},
		{"a record, and somebody has registered the administrator", "", "wso2agent-km-abc", "chief", Made},
		{"a user that another agent has made", "", "", "wso2agent-km-abc", Kept},
		{"two agents that have both made a user", "", "wso2agent-km-xyz", "wso2agent-km-abc", Kept},
		{"two agents that both are to make a user", "create", "wso2agent-km-xyz", "wso2agent-km-abc", Kept},
		{"an agent without the record", "create", "", "wso2agent-km-abc", Kept},
		{"a user that a person has registered", "", "", "hand-made", Kept},
		{"create, asked for", "create", "", "chief", Made},
		{"create, as registered", "create", "wso2agent-km-abc", "wso2agent-km-abc", Made},
		{"create, in place of a hand-made user", "create", "", "hand-made", Made},
		{"the administrator, asked for", "admin", "wso2agent-km-abc", "wso2agent-km-abc", Administrator},
		{"the administrator of a new key manager", "admin", "", "", Administrator},
		{"a name", "robot", "wso2agent-km-abc", "chief", Named},
		{"a name of a new key manager", "robot", "", "", Named},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Choose(tt.setting, tt.made, tt.registered, "chief"); got != tt.want {
				t.Errorf("kind %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTheLeastRightsAreSevenAndNoneOfThemIsAboutRolesUsersOrApplications(t *testing.T) {
	if got := Rights("least"); len(got) != 7 {
		t.Errorf("%d rights", len(got))
	}
	for _, right := range Rights("least") {
		for _, dangerous := range []string{"role", "user", "application", "group", "create_api"} {
			if strings.Contains(right, dangerous) {
				t.Errorf("the right %s", right)
			}
		}
	}
	more := Rights(RolesToo)
	if len(more) != 10 || !slices.Contains(more, "internal_role_mgt_update") || len(Rights("least")) != 7 {
		t.Errorf("with roles: %q", more)
	}
}

func TestTheUserMayDoWhatTheConnectorDoesAndCannotRaiseItself(t *testing.T) {
	s := newServer(t)
	made := s.ensure("least")
	if made.User == "" || !IsMade(made.User) {
		t.Fatalf("user %q", made.User)
	}
	own := wso2.Credentials{User: made.User, Password: wso2.Secret(made.Password)}
	id, _, err := s.as(made.Account()).RegisterClient(t.Context(), "app")
	must(t, err)
	must(t, s.as(made.Account()).DeleteClient(t.Context(), id))
	if _, err := wso2.NewAuthorization(s.http, s.base, own).FindResource(t.Context(), "User-defined-oauth2-resource"); err != nil {
		t.Error(err)
	}
	scim := wso2.NewSCIM(s.http, s.base, own)
	for what, err := range map[string]error{
		"list users":  second(scim.List(t.Context(), wso2.SCIMUsers)),
		"make a user": second(scim.Create(t.Context(), wso2.SCIMUsers, map[string]any{"userName": "eve", "password": "throwAway1"})),
		"put a right into the own role": scim.Patch(t.Context(), wso2.SCIMRoles, s.roleOf(made.User),
			[]wso2.Change{{Op: "add", Path: "permissions", Value: references([]string{"internal_user_mgt_create"})}}),
		"list applications":  second(wso2.NewAuthorization(s.http, s.base, own).Applications(t.Context(), "name co a", 0)),
		"authorize a client": wso2.NewAuthorization(s.http, s.base, own).Authorize(t.Context(), "app", "resource", []string{"a"}),
	} {
		if !wso2.HasStatus(err, http.StatusForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheRecordIsPrivateAndASecondRunOnlyReads(t *testing.T) {
	s := newServer(t)
	first := s.ensure("least")
	info, err := os.Stat(s.path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	before := s.writes.Load()
	if second := s.ensure("least"); second != first {
		t.Errorf("another record: %+v", second)
	}
	if n := s.writes.Load() - before; n != 0 {
		t.Errorf("%d requests that are no GET", n)
	}
}

func TestRightsFollowTheSettingAndRepairs(t *testing.T) {
	s := newServer(t)
	made := s.ensure(RolesToo)
	has := func() []string {
		return slices.Sorted(slices.Values(values(s.roleOf(made.User).Fields["permissions"])))
	}
	if got := has(); !slices.Equal(got, slices.Sorted(slices.Values(Rights(RolesToo)))) {
		t.Errorf("with roles: %q", got)
	}
	s.ensure("least")
	if got := has(); !slices.Equal(got, slices.Sorted(slices.Values(Rights("least")))) {
		t.Errorf("back to least: %q", got)
	}
	role := s.roleOf(made.User)
	must(t, s.scim().Patch(t.Context(), wso2.SCIMRoles, role, []wso2.Change{
		{Op: "remove", Path: "permissions[value eq internal_dcr_create]"}, {Op: "remove", Path: "users"},
		{Op: "add", Path: "permissions", Value: references([]string{"internal_user_mgt_create"})},
	}))
	s.ensure("least")
	if got := has(); !slices.Equal(got, slices.Sorted(slices.Values(Rights("least")))) {
		t.Errorf("after somebody changed the role: %q", got)
	}
	_, _, err := s.as(made.Account()).RegisterClient(t.Context(), "app")
	must(t, err)
}

func TestALostUserIsMadeAgainWithTheSamePassword(t *testing.T) {
	s := newServer(t)
	made := s.ensure("least")
	user, _, err := s.scim().Find(t.Context(), wso2.SCIMUsers, made.User)
	must(t, err)
	must(t, s.scim().Delete(t.Context(), wso2.SCIMUsers, user))
	if again := s.ensure("least"); again != made {
		t.Errorf("another record: %+v", again)
	}
	must(t, s.maker("least").Check(t.Context(), made.Account()))
}

func TestAPasswordThatSomebodyChangedInISIsSetAgain(t *testing.T) {
	s := newServer(t)
	made := s.ensure("least")
	user, _, err := s.scim().Find(t.Context(), wso2.SCIMUsers, made.User)
	must(t, err)
	must(t, s.scim().Patch(t.Context(), wso2.SCIMUsers, user, []wso2.Change{{Op: "replace", Value: map[string]any{"password": "someOther1"}}}))
	if err := s.maker("least").Check(t.Context(), made.Account()); !errors.Is(err, ErrPassword) {
		t.Fatalf("check: %v", err)
	}
	s.ensure("least")
	must(t, s.maker("least").Check(t.Context(), made.Account()))
}

func TestAnotherPasswordReplacesTheFormerOne(t *testing.T) {
	s := newServer(t)
	made := s.ensure("least")
	taken := made.Taken(made.Account())
	must(t, taken.Save(s.path))
	if !taken.Has(made.Account()) {
		t.Error("API-M has the password")
	}
	rotated, err := s.maker("least").Rotate(t.Context())
	must(t, err)
	if rotated.User != made.User || rotated.Password == made.Password || rotated.Has(rotated.Account()) {
		t.Errorf("rotated: %+v", rotated)
	}
	must(t, s.maker("least").Check(t.Context(), rotated.Account()))
	if err := s.maker("least").Check(t.Context(), made.Account()); !errors.Is(err, ErrPassword) {
		t.Errorf("the former password: %v", err)
	}
}

func TestWithoutARecordThereIsNoPasswordToChange(t *testing.T) {
	s := newServer(t)
	if _, err := s.maker("least").Rotate(t.Context()); err == nil {
		t.Error("no error")
	}
	if s.writes.Load()+s.gets.Load() > 0 {
		t.Error("IS was asked")
	}
}

// The connection ends before or after each request that a run sends. The next run reaches the end with the same user.
func TestARunThatIsKilledAnywhereIsCompletedByTheNext(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		for _, answered := range []bool{false, true} { // whether IS has done the last request
			for at := int64(1); ; at++ {
				s := newServer(t)
				work := func() error { _, err := s.maker("least").Ensure(t.Context()); return err }
				if rotate {
					s.ensure("least")
					work = func() error { _, err := s.maker("least").Rotate(t.Context()); return err }
				}
				start := s.gets.Load() + s.writes.Load()
				cut := func(_ http.ResponseWriter, _ *http.Request) bool {
					n := s.gets.Load() + s.writes.Load() - start
					if n > at || n == at && !answered {
						panic(http.ErrAbortHandler)
					}
					return false
				}
				s.intercept.Store(&cut)
				err := work()
				s.intercept.Store(nil)
				before, loadErr := Load(s.path)
				must(t, loadErr)
				after := s.ensure("least")
				if before.User != after.User || before.Password != after.Password || !before.Made() {
					t.Fatalf("killed at request %d: the record was %+v, and is %+v", at, before.User, after.User)
				}
				users, listErr := s.scim().List(t.Context(), wso2.SCIMUsers)
				must(t, listErr)
				if len(users) != 2 {
					t.Fatalf("killed at request %d: %d users", at, len(users))
				}
				if _, _, err := s.as(after.Account()).RegisterClient(t.Context(), "app"); err != nil {
					t.Fatalf("killed at request %d: %v", at, err)
				}
				if err == nil {
					if at < 4 {
						t.Errorf("the run was killed only %d times", at-1)
					}
					break
				}
			}
		}
	}
}

func TestARecordThatCannotBeWrittenStopsARunBeforeISIsChanged(t *testing.T) {
	s := newServer(t)
	m := s.maker("least")
	m.Path = filepath.Join(s.path, "no-folder", "km-user.json")
	must(t, os.WriteFile(s.path, []byte("{}"), 0o600))
	if _, err := m.Ensure(t.Context()); err == nil {
		t.Error("no error")
	}
	if s.writes.Load() > 0 {
		t.Error("IS was changed")
	}
}

func TestARecordThatCannotBeReadIsAnErrorAndNoSecondUser(t *testing.T) {
	s := newServer(t)
	for _, text := range []string{"{", `{"user":"admin","password":"p"}`, `{"user":5}`} {
		must(t, os.WriteFile(s.path, []byte(text), 0o600))
		if _, err := s.maker("least").Ensure(t.Context()); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	if s.writes.Load() > 0 {
		t.Error("IS was changed")
	}
	must(t, os.Remove(s.path))
	if r, err := Load(s.path); err != nil || r.Made() {
		t.Errorf("no file: %+v, %v (%v)", r, err, errors.Is(err, fs.ErrNotExist))
	}
}

func TestARecordOfANamedUserHasNoPassword(t *testing.T) {
	named := Account{"robot", "hisPassword1"}
	r := Record{User: "former"}.Taken(named)
	if r.Password != "" || r.User != "robot" || r.Made() {
		t.Errorf("record %+v", r)
	}
	if !r.Has(named) || r.Has(Account{"robot", "another1"}) || r.Has(Account{"rob", "hisPassword1"}) || (Record{}).Has(named) {
		t.Error("the hash does not tell accounts apart")
	}
}

func TestARecordKeepsTheUserThatTheAgentHasMadeWhileAPIMHasAnotherOne(t *testing.T) {
	made := Record{User: "wso2agent-km-a", Password: "its"}
	made = made.Taken(made.Account())
	other := Account{"admin", "his"}
	r := made.Taken(other)
	if r.Account() != made.Account() || !r.Has(other) || r.Has(made.Account()) {
		t.Errorf("record %+v", r)
	}
}

func TestPasswordsFitTheRulesOfIS(t *testing.T) {
	for range 200 {
		p := NewPassword()
		if len(p) < 8 || len(p) > 64 || !strings.ContainsAny(p, "0123456789") || strings.ToUpper(p) == p || strings.ToLower(p) == p {
			t.Fatalf("a password of %d characters", len(p))
		}
	}
}
