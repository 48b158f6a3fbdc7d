package desired

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeveralFilesAreMerged(t *testing.T) {
	f, err := parse("apis: [{name: A, version: '1', context: /a, backend_url: 'http://a'}]\nidentity_server: {roles: [{name: r}]}\n",
		"rest_apis: [{name: B, version: '1', context: /b, backend_url: 'http://b'}]\nidentity_server: {users: [{username: anna}], roles: [{name: s}]}\n",
		"application: {name: App}\n", "subscriptions: [{api_name: A}]\n", "subscriptions: [{api_name: B}]\n")
	if err != nil {
		t.Fatal(err)
	}
	is := f.IdentityServer.Value
	if len(f.APIs.Value) != 2 || len(is.Roles.Value) != 2 || len(is.Users.Value) != 1 || len(f.Applications.Value[0].Value.Subscriptions.Value) != 2 {
		t.Errorf("got %+v", f)
	}
	if at := f.APIs.Value[1].At.String(); at != "f2:1:13" {
		t.Errorf("the second API is at %s", at)
	}
}

func TestAConflictNamesBothPlaces(t *testing.T) {
	const a = "apis:\n  - name: A\n    version: '1'\n    context: /a\n    backend_url: http://a\n"
	for _, c := range []struct {
		name, first, second, want string
	}{
		{"the same twice", a, a, `f2:2:5: API "A" 1 appears twice, first at f1:2:5: keep one of them`},
		{"other contents", a, strings.Replace(a, "http://a", "http://b", 1), `f2:2:5: API "A" 1 appears twice with different contents, first at f1:2:5: backend_url is at f2:5:18 and at f1:5:18`},
		{"more contents", a, a + "    tags: [t]\n", `endpoints`},
		{"a field that one has", a, a + "    description: x\n", `f2:2:5: API "A" 1 appears twice with different contents, first at f1:2:5: description is only at f2:6:18`},
		{"a value of its own", "gateway: {host: a}\n", "gateway: {host: a}\n", "f2:1:17: host stands here and at f1:1:17: keep one of them"},
		{"a name in another case", a, strings.Replace(a, "A", "a", 1), `f2:2:5: API "a" differs only in letter case from "A" at f1:2:5`},
		{"a password", "identity_server: {users: [{username: anna, password: hunter2Hunter}]}\n", "identity_server: {users: [{username: anna, password: hunter2Hunter2}]}\n", "password is at f2:1:54 and at f1:1:54"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.first, c.second)
			if c.name == "more contents" {
				c.want = `tags[0] is only at f2:6:12`
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not say %q:\n%v", c.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has a password: %v", err)
			}
		})
	}
}

func TestLoadReadsTheFilesOfFoldersInTheOrderOfTheirNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.yml", "applications: [{name: B, description: '${file:secret}'}]\n")
	write("a.yaml", "applications: [{name: A}]\n")
	write("secret", "from a file\n")
	write(".hidden.yaml", "no: thing\n")
	f, err := Load(FromSystem(os.LookupEnv, nil), dir)
	if err != nil {
		t.Fatal(err)
	}
	apps := f.Applications.Value
	if len(apps) != 2 || apps[0].Value.Name.Value != "A" || apps[1].Value.Description.Value != "from a file" {
		t.Errorf("got %+v", apps)
	}
	if _, err := Load(FromSystem(os.LookupEnv, nil), filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Load(FromSystem(os.LookupEnv, nil), t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no *.yaml") {
		t.Errorf("an empty folder: %v", err)
	}
	write("large.yaml", "#"+strings.Repeat("x", limit))
	if _, err := Load(FromSystem(os.LookupEnv, nil), filepath.Join(dir, "large.yaml")); err == nil {
		t.Error("a file over 4 MiB is read")
	}
	write("bomb.yaml", "a: &a [x, *a]\n")
	if _, err := Load(FromSystem(os.LookupEnv, nil), filepath.Join(dir, "bomb.yaml")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "aliases") {
		t.Errorf("a bomb of aliases: %v", err)
	}
}

func TestAFileThatIsNamedTwiceIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.yaml")
	if err := os.WriteFile(path, []byte("applications: [{name: B}]\ngateway: {host: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(from, to string) error{"soft.yaml": os.Symlink, "hard.yaml": os.Link} {
		if err := link(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Load(FromSystem(os.LookupEnv, nil), dir, path, filepath.Join(dir, "..", filepath.Base(dir), "soft.yaml"))
	if err != nil || len(f.Applications.Value) != 1 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	for _, target := range []string{"a.yaml", "nowhere", "."} { // a cycle, a file that is not there, and a folder with a file that is none
		dir := t.TempDir()
		path := filepath.Join(dir, "a.yaml")
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		_, err := Load(FromSystem(os.LookupEnv, nil), dir)
		var failed *FileError
		if !errors.As(err, &failed) || failed.Path != path || !strings.Contains(err.Error(), path) {
			t.Errorf("a link to %s: got %v", target, err)
		}
	}
	empty := t.TempDir()
	_, err := Load(FromSystem(os.LookupEnv, nil), empty)
	if failed := (*FileError)(nil); !errors.As(err, &failed) || failed.Path != empty {
		t.Errorf("a folder without files: %v", err)
	}
}
