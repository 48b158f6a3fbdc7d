package trust

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestADamagedRecordIsAnErrorOnlyWhereItMustNotCountAsNone: the agent works on without a chain (it then undoes nothing) and
// without histories (it then imports the next change at once), but never forgets silently what the server refused.
func TestADamagedRecordIsAnErrorOnlyWhereItMustNotCountAsNone(t *testing.T) {
	for name, content := range map[string]string{
		"half a document":       `{"known": [`,
		"another type":          `"text"`,
		"no document":           "",
		"more than may be read": strings.Repeat(" ", chainLimit) + "{}",
	} {
		dir := t.TempDir()
		for _, base := range []string{chainFile, historiesFile, refusedFile, rotationFile} {
			if err := os.WriteFile(filepath.Join(dir, base), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c := loadChain(dir); c != nil {
			t.Errorf("%s: chain %v", name, c)
		}
		if h := LoadHistories(dir); h == nil || len(h) != 0 {
			t.Errorf("%s: histories %v, want an empty map", name, h)
		}
		if _, err := LoadRefusals(dir); err == nil || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, refusedFile)) {
			t.Errorf("%s: refusals: %v", name, err)
		}
		if _, err := LoadRotation(dir); err == nil || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, rotationFile)) {
			t.Errorf("%s: rotation: %v", name, err)
		}
	}
}

func TestTheRecordsOfAVersionThatWroteThemOnOneLineAreRead(t *testing.T) {
	dir := t.TempDir()
	for base, content := range map[string]string{
		chainFile:     `[{"sha256":"aa"},{"sha256":"bb","added":{"wso2is":["f1"]}}]` + "\n",
		historiesFile: `{"wso2is":{"known":["f1"],"changes":["2026-01-02T03:04:05Z"]}}` + "\n",
		refusedFile:   `{"suspected":{"wso2is":["f1"]}}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, base), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if added, ok := loadChain(dir).since("aa"); !ok || len(added["wso2is"]) != 1 {
		t.Errorf("the chain has %v, %v", added, ok)
	}
	if h := LoadHistories(dir)["wso2is"]; len(h.Known) != 1 || len(h.Changes) != 1 || !h.Changes[0].Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("the history is %+v", h)
	}
	if r, err := LoadRefusals(dir); err != nil || len(r.Suspected["wso2is"]) != 1 {
		t.Errorf("the refusals are %+v, %v", r, err)
	}
}

// TestHistoriesOfTheDocumentNullTakeNewOnes: JSON's null is no map.
func TestHistoriesOfTheDocumentNullTakeNewOnes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, historiesFile), []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := LoadHistories(dir)
	h["wso2is"] = History{Known: []string{"f1"}}
	if err := h.Save(dir); err != nil {
		t.Fatal(err)
	}
	if got := LoadHistories(dir); len(got["wso2is"].Known) != 1 {
		t.Errorf("saved %v", got)
	}
}

func TestNothingUndoneLeavesNoFile(t *testing.T) {
	folder := t.TempDir()
	for _, u := range []Undone{{"wso2is": {"A"}}, {}, nil} {
		if err := u.Save(folder); err != nil {
			t.Fatal(err)
		}
		got, err := LoadUndone(folder)
		if _, there := os.Stat(UndonePath(folder)); err != nil || len(got) != len(u) || (there == nil) != (len(u) > 0) {
			t.Errorf("after %v: %v, %v, the file: %v", u, got, err, there)
		}
	}
}

func TestTheRecordsOfAPassAreReadFromBothFolders(t *testing.T) {
	folder, workDir := t.TempDir(), t.TempDir()
	since := time.Unix(1000, 0).UTC()
	h := Histories{"wso2is": {Known: []string{"A"}}}
	refusals := Refusals{Refused: map[string][]string{"wso2is": {"B"}}}
	if err := errors.Join(Rotation{Announced: "C", Since: since}.Save(folder), refusals.Save(workDir), h.Save(workDir), RaiseEdition(workDir), Undone{"wso2is": {"D"}}.Save(folder)); err != nil {
		t.Fatal(err)
	}
	r, err := LoadRecords(folder, workDir)
	if err != nil || r.Rotation.Announced != "C" || len(r.Refusals.Refused) != 1 || r.RefusalsAt != RefusalsPath(workDir) || len(r.Undone) != 1 || r.UndoneAt != UndonePath(folder) || len(r.Histories) != 1 || r.Edition != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := LoadRecords(t.TempDir(), t.TempDir()); err != nil || r.Rotation.Announced != "" || r.Histories == nil || r.Undone != nil || r.Edition != 0 {
		t.Errorf("of empty folders: %+v, %v", r, err)
	}
	for _, path := range []string{filepath.Join(folder, rotationFile), UndonePath(folder), filepath.Join(workDir, refusedFile), filepath.Join(workDir, editionFile)} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadRecords(folder, workDir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a damaged %s: %v", path, err)
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
