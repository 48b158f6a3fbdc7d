package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type jsonRecord struct {
	Name  string   `json:"name,omitempty"`
	Names []string `json:"names,omitempty"`
}

func TestAJSONFileHoldsWhatWasSaved(t *testing.T) {
	dir := t.TempDir()
	path, temps := filepath.Join(dir, "record.json"), filepath.Join(dir, WorkDir)
	saved := jsonRecord{Name: "wso2is", Names: []string{"a", "b"}}
	if changed, err := SaveJSON(path, saved, 0o640, temps); !changed || err != nil {
		t.Fatalf("SaveJSON = %v, %v; want a change", changed, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "{\n  \"name\": \"wso2is\",\n  \"names\": [\n    \"a\",\n    \"b\"\n  ]\n}\n" {
		t.Errorf("the file holds %q", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v, want 0640", info.Mode().Perm())
	}
	got, found, err := LoadJSON[jsonRecord](path, 100)
	if err != nil || !found || got.Name != "wso2is" || len(got.Names) != 2 {
		t.Errorf("LoadJSON = %+v, %v, %v", got, found, err)
	}
	if changed, err := SaveJSON(path, saved, 0o640, temps); changed || err != nil {
		t.Errorf("the second SaveJSON = %v, %v; want nothing written", changed, err)
	}
	assertNoTemps(t, temps)
}

func TestAMissingJSONFileIsNoError(t *testing.T) {
	got, found, err := LoadJSON[jsonRecord](filepath.Join(t.TempDir(), "folder", "record.json"), 100)
	if err != nil || found || got.Name != "" {
		t.Errorf("LoadJSON = %+v, %v, %v; want nothing", got, found, err)
	}
}

func TestADamagedJSONFileIsAnErrorThatNamesItAndGivesNoPartOfIt(t *testing.T) {
	for name, content := range map[string]string{
		"an empty file":             "",
		"half a document":           `{"name": "wso2is", "names": [`,
		"a value of another type":   `{"name": "wso2is", "names": 7}`,
		"two documents":             `{"name": "wso2is"} {}`,
		"more bytes than the limit": `{"name": "` + strings.Repeat("x", 100) + `"}`,
	} {
		path := filepath.Join(t.TempDir(), "record.json")
		write(t, path, content)
		got, found, err := LoadJSON[jsonRecord](path, 100)
		if err == nil || found || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: LoadJSON = %v, %v; want an error that names %s", name, found, err, path)
		}
		if got.Name != "" {
			t.Errorf("%s: LoadJSON gives %+v", name, got)
		}
	}
}

func TestAValueThatJSONCannotHoldReplacesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.json")
	write(t, path, "{}")
	if changed, err := SaveJSON(path, make(chan int), 0o600, t.TempDir()); err == nil || changed || !strings.Contains(err.Error(), path) {
		t.Errorf("SaveJSON = %v, %v; want an error that names the file", changed, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "{}" {
		t.Errorf("the file holds %q", got)
	}
}
