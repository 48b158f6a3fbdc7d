package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/testenv"
)

// settingsFile is a deployment.toml on a volume.
func settingsFile(t *testing.T, text string) SettingsFile {
	t.Helper()
	dir := t.TempDir()
	f := SettingsFile{Path: filepath.Join(dir, "deployment.toml"), WorkDir: filepath.Join(dir, ".agent")}
	if err := os.WriteFile(f.Path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestApplyWritesOnceAndKeepsTheMode(t *testing.T) {
	f := settingsFile(t, string(shipped(t, config.IS)))
	text, changes, err := f.Apply(t.Context(), isNeeds(), false)
	if err != nil || len(changes) == 0 {
		t.Fatal(err, changes)
	}
	info, _ := os.Stat(f.Path)
	if onDisk, _ := os.ReadFile(f.Path); string(onDisk) != string(text) || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, on disk\n%s", info.Mode(), onDisk)
	}
	again, changes, err := f.Apply(t.Context(), isNeeds(), false)
	if err != nil || string(again) != string(text) || len(changes) > 0 {
		t.Errorf("a second time: %v, %+v", err, changes)
	}
	if now, _ := os.Stat(f.Path); !now.ModTime().Equal(info.ModTime()) {
		t.Error("the file was written a second time")
	}
}

func TestAFileThatGetsAPasswordIsClosedToOthers(t *testing.T) {
	for name, c := range map[string]struct {
		needs func() Needs
		want  os.FileMode
	}{
		"IS gets API-M's password":  {isNeeds, 0o640},
		"API-M gets nothing secret": {func() Needs { n := amNeeds(); n.SideBySide = true; return n }, 0o644},
	} {
		f := settingsFile(t, "[server]\n")
		if err := os.Chmod(f.Path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, changes, err := f.Apply(t.Context(), c.needs(), false); err != nil || len(changes) == 0 {
			t.Fatal(err, changes)
		}
		if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != c.want {
			t.Errorf("%s: mode %v, want %v", name, info.Mode().Perm(), c.want)
		}
	}
}

// A kill can come before or after each of the three writes. Whichever it was, the next merge, with other needs, takes the
// agent's settings for its own.
func TestAKillBetweenTheWritesLosesNoTraceOfWhatIsTheAgents(t *testing.T) {
	first := isNeeds()
	second := isNeeds()
	second.AMHost, second.Hostname = "am2", "is2"
	third := isNeeds()
	third.AMHost, third.Hostname = "am3", "is3"
	before, _, record := merge(t, first, string(shipped(t, config.IS)), nil)
	after, _, next := merge(t, second, before, record)
	for name, state := range map[string]struct {
		text   string
		record Record
	}{
		"before the first write":    {before, record},
		"with the record announced": {before, record.pending(next)},
		"with the file replaced":    {after, record.pending(next)},
		"after the last write":      {after, next},
	} {
		got, changes, _ := merge(t, third, state.text, state.record)
		if strings.Contains(got, "am2") || strings.Contains(got, "wso2am") || !strings.Contains(got, `hostname = "is3"`) || !strings.Contains(got, "https://am3:9443/") {
			t.Errorf("%s: %+v\n%s", name, changes, got)
		}
	}
	// The very first write of all.
	stock := string(shipped(t, config.IS))
	after, _, next = merge(t, first, stock, nil)
	got, changes, _ := merge(t, third, after, Record(nil).pending(next))
	if !strings.Contains(got, `hostname = "is3"`) || !strings.Contains(got, "https://am3:9443/") {
		t.Errorf("after the first write of all: %+v\n%s", changes, got)
	}
}

func TestWhatCannotBeAppliedLeavesTheFileAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		spoil  func(f SettingsFile)
		reason string
	}{
		"a file that the server refuses": {"[a.b]\n[a]\n", nil, "line 2: the table [a] stands after"},
		"a record that cannot be read": {"[a]\n", func(f SettingsFile) {
			os.MkdirAll(f.WorkDir, 0o700)
			os.WriteFile(filepath.Join(f.WorkDir, recordFile), []byte("{"), 0o600)
		}, "remove "},
		"no folder for the record": {"[a]\n", func(f SettingsFile) { os.WriteFile(f.WorkDir, nil, 0o600) }, "read the record of the settings"},
	} {
		t.Run(name, func(t *testing.T) {
			f := settingsFile(t, c.text)
			if c.spoil != nil {
				c.spoil(f)
			}
			_, _, err := f.Apply(t.Context(), isNeeds(), false)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want %q", err, c.reason)
			}
			if now, _ := os.ReadFile(f.Path); string(now) != c.text {
				t.Errorf("the file became\n%s", now)
			}
		})
	}
	missing := SettingsFile{Path: filepath.Join(t.TempDir(), "nowhere.toml")}
	if _, _, err := missing.Apply(t.Context(), isNeeds(), false); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "SETTINGS=none") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestErrorsOfTheSettingsFileHaveAHint(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		spoil func(t *testing.T, f SettingsFile)
		hint  string
	}{
		"an empty file": {"", nil, "if nobody writes it, put the product's deployment.toml there"},
		"a file that the agent cannot replace": {"[a]\n", func(t *testing.T, f SettingsFile) {
			var err error
			if os.Geteuid() == 0 { // the agent refuses to replace the file of another user
				err = os.Chown(f.Path, 4711, -1)
			} else {
				err = os.Chmod(filepath.Dir(f.Path), 0o500)
				t.Cleanup(func() { os.Chmod(filepath.Dir(f.Path), 0o700) })
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "set SETTINGS=none"},
		"a record that cannot be read": {"[a]\n", func(t *testing.T, f SettingsFile) {
			os.MkdirAll(f.WorkDir, 0o700)
			if err := os.WriteFile(filepath.Join(f.WorkDir, recordFile), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "count as yours"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // nobody fills the empty file
			defer cancel()
			f := settingsFile(t, c.text)
			if c.spoil != nil {
				c.spoil(t, f)
			}
			_, _, err := f.Apply(ctx, isNeeds(), false)
			if err == nil {
				t.Fatal("no error")
			}
			if text, remedies := remedy.Split(err); strings.Contains(text, c.hint) || !strings.Contains(strings.Join(remedies, "; "), c.hint) {
				t.Errorf("text %q, remedies %q; want %q in a remedy", text, remedies, c.hint)
			}
		})
	}
}

func TestTheRecordHoldsWhatIsNeededToGoBack(t *testing.T) {
	f := settingsFile(t, string(shipped(t, config.AM)))
	if _, _, err := f.Apply(t.Context(), withAll(amNeeds()), false); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(f.WorkDir, recordFile))
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil || r["database.apim_db.type"].Was != `"h2"` {
		t.Errorf("%v: %s", err, data)
	}
	info, _ := os.Stat(filepath.Join(f.WorkDir, recordFile))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the record's mode is %v", info.Mode())
	}
	if _, _, err := f.Apply(t.Context(), amNeeds(), false); err != nil {
		t.Fatal(err)
	}
	onDisk, _ := os.ReadFile(f.Path)
	if was, now := values(t, string(shipped(t, config.AM))), values(t, string(onDisk)); now["database.apim_db.type"] != was["database.apim_db.type"] {
		t.Errorf("the database is %v, was %v", now["database.apim_db.type"], was["database.apim_db.type"])
	}
}

// TestASlowEditInPlaceIsNotLost: somebody empties the file, writes a part of it, thinks, and writes the rest.
func TestASlowEditInPlaceIsNotLost(t *testing.T) {
	testenv.NeedLeases(t)
	stock := string(shipped(t, config.IS))
	f := settingsFile(t, stock)
	text, _, err := f.Apply(t.Context(), isNeeds(), false)
	if err != nil {
		t.Fatal(err)
	}
	edited := "# by a person\n" + string(text)
	needs := isNeeds()
	needs.Hostname = "is2" // something is to be changed
	person, err := os.Create(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	for _, part := range []string{"", "# by a person\n", edited[len("# by a person\n") : strings.Index(edited, "\n[")+1]} {
		if _, err := person.WriteString(part); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(f.Path)
		_, _, err := f.Apply(t.Context(), needs, false)
		after, _ := os.ReadFile(f.Path)
		if !errors.Is(err, file.ErrBeingWritten) || !strings.Contains(err.Error(), f.Path) || string(after) != string(before) {
			t.Fatalf("with %d bytes written: %v; then it has %d", len(before), err, len(after))
		}
	}
	if _, err := person.WriteAt([]byte(edited), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Apply(t.Context(), needs, false); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("the person has not closed it: %v", err)
	}
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	text, _, err = f.Apply(t.Context(), needs, false)
	if err != nil || !strings.HasPrefix(string(text), "# by a person\n") || !strings.Contains(string(text), `"is2"`) || len(text) < len(stock) {
		t.Errorf("afterwards: %v\n%s", err, text)
	}
}

func TestAShortTextCountsWhenNobodyHasAddedToItForAWhile(t *testing.T) {
	f := settingsFile(t, string(shipped(t, config.IS)))
	if _, _, err := f.Apply(t.Context(), isNeeds(), false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path, []byte("[server]\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Apply(t.Context(), isNeeds(), false); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("at once: %v", err)
	}
	past := time.Now().Add(-editTime)
	if err := os.Chtimes(f.Path, past, past); err != nil {
		t.Fatal(err)
	}
	if _, changes, err := f.Apply(t.Context(), isNeeds(), false); err != nil || len(changes) == 0 {
		t.Errorf("later: %v, %+v", err, changes)
	}
	if err := errors.Join(os.WriteFile(f.Path, []byte("\n"), 0o640), os.Chtimes(f.Path, past, past)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Apply(t.Context(), isNeeds(), false); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("an empty one: %v", err)
	}
}
