package keysfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
)

func filesIn(dir string) Files {
	return Files{JSON: filepath.Join(dir, "keys.json"), Env: filepath.Join(dir, "keys.env"), EnvFormat: Shell, Manifest: filepath.Join(dir, "keys.yaml"), Name: "keys", Namespace: "wso2"}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestEachFileIsForItsOwnerAndWrittenOnlyIfItChanges(t *testing.T) {
	f := filesIn(t.TempDir())
	if err := f.Write(several); err != nil {
		t.Fatal(err)
	}
	env, err := Env(several, Shell)
	manifest, err2 := Manifest(several, "keys", "wso2")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	first := map[string]os.FileInfo{}
	for path, want := range map[string][]byte{f.JSON: JSON(several), f.Env: env, f.Manifest: manifest} {
		if got := read(t, path); !bytes.Equal(got, want) {
			t.Errorf("%s has\n%s\nwant\n%s", path, got, want)
		}
		if first[path] = stat(t, path); first[path].Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, first[path].Mode())
		}
	}
	if err := f.Write(several); err != nil {
		t.Fatal(err)
	}
	for path, before := range first {
		if now := stat(t, path); !os.SameFile(before, now) || now.ModTime() != before.ModTime() {
			t.Errorf("%s is written again", path)
		}
	}
	if err := f.Write(several[:2]); err != nil {
		t.Fatal(err)
	}
	for path, before := range first {
		if os.SameFile(before, stat(t, path)) {
			t.Errorf("%s is changed in place, so a reader can see a half of it", path)
		}
	}
	if left, err := os.ReadDir(WorkDir(f.JSON)); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestAFileWithoutAPathIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	f := Files{JSON: filepath.Join(dir, "keys.json")}
	if err := errors.Join(f.Check(), f.Write(several)); err != nil {
		t.Fatal(err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) != 2 { // and the folder for temporary files
		t.Errorf("%v, %v", there, err)
	}
}

func TestAFailureOfOneFileDoesNotStopTheOthers(t *testing.T) {
	f := filesIn(t.TempDir())
	f.Env = filepath.Join(filepath.Dir(f.JSON), "missing", "keys.env")
	if err := os.WriteFile(filepath.Dir(f.Env), nil, 0o600); err != nil { // a file where a folder should be
		t.Fatal(err)
	}
	err := f.Write(several)
	if err == nil || !strings.HasPrefix(err.Error(), "write the application's keys to "+f.Env+" (KEYS_ENV_FILE): ") {
		t.Errorf("error = %v", err)
	}
	if len(read(t, f.JSON)) == 0 || len(read(t, f.Manifest)) == 0 {
		t.Error("the other files are empty")
	}
	clash := []Key{several[0], several[0]}
	clash[1].Application = "orders-app"
	if err = f.Write(clash); err == nil || strings.Count(err.Error(), "both need the variable") != 2 || !bytes.Equal(read(t, f.JSON), JSON(clash)) {
		t.Errorf("error = %v", err)
	}
}

func TestTheCheckNamesTheFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := filesIn(dir).Check(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, change := range map[string]func(*Files){
		"KEYS_FILE":        func(f *Files) { f.JSON = filepath.Join(dir, "missing", "keys.json") },
		"KEYS_ENV_FILE":    func(f *Files) { f.Env = filepath.Join(dir, "missing", "keys.env") },
		"KEYS_SECRET_FILE": func(f *Files) { f.Manifest = filepath.Join(dir, "file", "keys.yaml") },
	} {
		f := filesIn(dir)
		change(&f)
		err := f.Check()
		if err == nil {
			t.Errorf("%s: no error", setting)
			continue
		}
		if _, remedies := remedy.Split(err); len(remedies) != 1 || !strings.HasSuffix(remedies[0], "or set "+setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
