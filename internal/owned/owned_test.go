package owned

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

// user is a change of a user with a password.
func user(action plan.Action, password string) plan.Change {
	want := desired.User{Username: desired.Text{Set: true, Value: "Ann"}, Password: desired.Password{Set: true, Value: desired.NewSecret(password, "")}}
	return plan.Change{Action: action, Kind: plan.KindUser, Name: "Ann", Want: want}
}

func object(kind, name, of, id string) plan.OwnedObject {
	return plan.OwnedObject{Kind: kind, Name: name, Of: of, ID: id}
}

func owns(t *testing.T, r *Record, want ...plan.OwnedObject) {
	t.Helper()
	if got := r.Owned(); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("the record has %v, and should have %v", got, want)
	}
}

func TestTheRecordComparesSecretsWithWhatWasLastSent(t *testing.T) {
	r := New()
	if r.Sent(plan.KindUser, "Ann", "") != nil {
		t.Error("an empty record knows a user")
	}
	r.Note(plan.KindUser, "Ann", "", map[string]string{"password": "a"})
	owns(t, r) // a note makes nothing the agent's
	r.Made(user(plan.Create, "first"), "u1")
	sent := r.Sent(plan.KindUser, "Ann", "")
	if !sent("password", "first") || sent("password", "second") || sent("other", "first") || sent("other", "") {
		t.Error("after the creation")
	}
	r.Made(user(plan.Update, "second"), "u1")
	if sent := r.Sent(plan.KindUser, "Ann", ""); sent("password", "first") || !sent("password", "second") {
		t.Error("after the update")
	}
	owns(t, r, object(plan.KindUser, "Ann", "", "u1"))
	again := user(plan.Create, "third") // somebody has deleted the user
	again.Want = desired.User{}
	r.Made(again, "u2")
	if r.Sent(plan.KindUser, "Ann", "")("password", "second") {
		t.Error("a new user has the secret of the one before")
	}
}

func TestTheRecordFollowsTheServers(t *testing.T) {
	r := New()
	api, document, other := object("API", "A 1", "", "a1"), object("document", "D", "API A 1", "d1"), object("document", "D", "API B 1", "d2")
	found := func(o plan.OwnedObject, secret string) plan.Found {
		return plan.Found{OwnedObject: o, Secrets: map[string]string{"s": secret}}
	}
	r.Settle([]plan.Found{found(api, "x"), found(document, ""), found(other, "")}, nil)
	owns(t, r, api, document, other)
	if sent := r.Sent("API", "A 1", ""); !sent("s", "x") {
		t.Error("of an adopted object, the secret in the file counts as sent")
	}
	r.Settle([]plan.Found{found(api, "y")}, nil)
	if sent := r.Sent("API", "A 1", ""); !sent("s", "x") || sent("s", "y") {
		t.Error("a read changes the secret that was last sent")
	}
	api.ID = "a2"
	r.Settle([]plan.Found{found(api, "y")}, nil)
	if sent := r.Sent("API", "A 1", ""); sent("s", "x") || !sent("s", "y") {
		t.Error("another API of the name has the secret of the one before")
	}
	owns(t, r, api, document, other)

	r.Made(user(plan.Create, "p"), "")
	if !r.Owns(plan.KindUser, "Ann", "") {
		t.Error("the user is not the agent's")
	}
	ann := object(plan.KindUser, "Ann", "", "u1")
	r.Settle([]plan.Found{found(ann, "q")}, nil)
	if sent := r.Sent(plan.KindUser, "Ann", ""); !sent("password", "p") || sent("s", "q") {
		t.Error("the first read of an object that was made forgets what was sent")
	}
	owns(t, r, api, document, other, ann)
	r.Settle(nil, []plan.OwnedObject{api})
	owns(t, r, other, ann) // with what belongs to it
	r.Gone(plan.KindUser, "Ann", "")
	owns(t, r, other)
}

func TestTheRecordOutlivesTheAgent(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "out", "keys.json")
	if err := os.Mkdir(filepath.Dir(keys), 0o755); err != nil {
		t.Fatal(err)
	}
	path := Path(keys)
	if r, found, err := Load(path); err != nil || found || len(r.Owned()) > 0 {
		t.Fatalf("a missing record: %v, %t, %v", r.Owned(), found, err)
	}
	r := New()
	r.Made(user(plan.Create, "first-password"), "u1")
	r.Settle([]plan.Found{{OwnedObject: object("document", "D", "API A 1", "d1")}}, nil)
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(path) != filepath.Join(filepath.Dir(keys), ".agent") {
		t.Errorf("%s has the mode %v, %v", path, info.Mode(), err)
	}
	data, _ := os.ReadFile(path)
	if strings.Contains(string(data), "first-password") {
		t.Errorf("the file has a secret:\n%s", data)
	}
	again, found, err := Load(path)
	if err != nil || !found || !reflect.DeepEqual(again.Owned(), r.Owned()) {
		t.Fatalf("%v, %t, %v", again.Owned(), found, err)
	}
	if sent := again.Sent(plan.KindUser, "Ann", ""); !sent("password", "first-password") || sent("password", "second") {
		t.Error("the hashes do not fit")
	}
	// Two objects with one secret have two hashes, and so have two records.
	if r.hash(name{"user", "a", ""}, "p", "v") == r.hash(name{"user", "b", ""}, "p", "v") || r.hash(name{}, "p", "v") == New().hash(name{}, "p", "v") {
		t.Error("equal hashes")
	}
}

func TestTheRecordHasWhatADefinitionResetsUntilItIsThereAgain(t *testing.T) {
	path, before := filepath.Join(t.TempDir(), "applied.json"), plan.Object{"id": "i1", "scopes": []any{map[string]any{"shared": false}}}
	r := New()
	r.Rewriting("Orders 1", before) // of an API that the record does not have
	if got := r.Unrestored(); len(got) > 0 {
		t.Errorf("an empty record has %v", got)
	}
	again := func() map[string]plan.Object {
		t.Helper()
		if err := r.Save(path); err != nil {
			t.Fatal(err)
		}
		var err error
		if r, _, err = Load(path); err != nil {
			t.Fatal(err)
		}
		return r.Unrestored()
	}
	r.Settle([]plan.Found{{OwnedObject: object(plan.KindAPI, "Orders 1", "", "i1")}}, nil)
	r.Rewriting("Orders 1", before)
	if got := again(); !reflect.DeepEqual(got, map[string]plan.Object{"Orders 1": before}) {
		t.Errorf("the record has %v", got)
	}
	r.Rewriting("Orders 1", nil)
	if got := again(); len(got) > 0 {
		t.Errorf("afterwards it has %v", got)
	}
	r.Rewriting("Orders 1", before)
	r.Settle([]plan.Found{{OwnedObject: object(plan.KindAPI, "Orders 1", "", "i2")}}, nil) // somebody has made the API anew
	if got := again(); len(got) > 0 {
		t.Errorf("of another API it has %v", got)
	}
}

func TestARecordThatCannotBeReadOwnsNothingAndSaysSo(t *testing.T) {
	good := New()
	good.Made(user(plan.Create, "p"), "u1")
	path := filepath.Join(t.TempDir(), "applied.json")
	if err := good.Save(path); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	replaced := func(old, text string) string {
		out := strings.Replace(string(data), old, text, 1)
		if out == string(data) {
			t.Fatalf("the file has no %s:\n%s", old, data)
		}
		return out
	}
	for why, text := range map[string]string{
		"decode":                       string(data[:len(data)/2]),
		"its version is 2":             replaced(`"version": 1`, `"version": 2`),
		"its key has 0 bytes":          replaced(`"key"`, `"k"`),
		"file is too large":            strings.Repeat(" ", limit) + string(data),
		"its version is 0, and this a": "{}",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, found, err := Load(path)
		if err == nil || found || len(r.Owned()) > 0 || r.Sent(plan.KindUser, "Ann", "") != nil {
			t.Fatalf("%s: %v, %t, %v", why, r.Owned(), found, err)
		}
		if _, hints := remedy.Split(err); !strings.Contains(err.Error(), path) || len(hints) == 0 || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, hints %q", why, err, hints)
		}
		if err := r.Save(path); err != nil { // the record after it is whole again
			t.Error(err)
		}
		if _, found, err := Load(path); !found || err != nil {
			t.Errorf("%t, %v", found, err)
		}
	}
}

func TestARecordThatIsTooLargeIsNotWritten(t *testing.T) {
	r, path := New(), filepath.Join(t.TempDir(), "applied.json")
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	r.Settle([]plan.Found{{OwnedObject: object("API", strings.Repeat("x", limit), "", "a")}}, nil)
	if err := r.Save(path); err == nil || !strings.Contains(err.Error(), "may have 4194304") {
		t.Errorf("%v", err)
	}
	data, err := os.ReadFile(path)
	var s stored
	if err != nil || json.Unmarshal(data, &s) != nil || len(s.Objects) > 0 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Dir(path), fs.FileMode(0o700))
	if err := New().Save(path); err == nil && os.Getuid() != 0 {
		t.Error("a folder that nobody may write to")
	}
}
