package seed

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/testenv"
)

const (
	seedTestStore = "repository/resources/security/client-truststore.p12"
	seedTestOther = "repository/resources/security/sslprofiles.xml"
)

// seedVolume is a config volume with a seed on it.
type volume struct {
	Seed
	t *testing.T
}

func newVolume(t *testing.T) *volume {
	v := &volume{Seed{Volume: t.TempDir(), Product: config.IS}, t}
	v.write(v.seed("product"), "wso2is-7.1.0\n")
	return v
}

func (v *volume) write(path, content string) {
	v.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// upgrade gives the volume the three versions of a file; an empty one is none.
func (v *volume) upgrade(path, base, seed, own string) {
	v.t.Helper()
	for at, content := range map[string]string{v.stock(path): base, v.seed(path): seed, v.own(path): own} {
		if content != "" {
			v.write(at, content)
		}
	}
}

func (v *volume) apply() Report {
	v.t.Helper()
	r, err := v.Apply(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

func (v *volume) content(path string) string {
	v.t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return string(data)
}

// names are the paths of files below the volume, but for what killed writers leave.
func (v *volume) names() []string {
	v.t.Helper()
	var out []string
	err := filepath.WalkDir(v.Volume, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".tmp") {
			out = append(out, strings.TrimPrefix(path, v.Volume))
		}
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}

// snapshot is every file below the volume with its content.
func (v *volume) snapshot() string {
	v.t.Helper()
	var out strings.Builder
	for _, name := range v.names() {
		out.WriteString(name + "\n" + v.content(v.own(name)) + "\n")
	}
	return out.String()
}

func TestEachFileOfTheSeedComesToItsPlaceAndWhatOthersChangedStays(t *testing.T) {
	for _, test := range []struct {
		name            string
		base, seed, own string
		want            string // own, afterwards
		remembered      string
		action          FileAction
	}{
		{"a file that is not there is copied", "", "new", "", "new", "new", FileCopied},
		{"one that was removed is copied again", "old", "old", "", "old", "old", FileCopied},
		{"a user's own file stays", "", "new", "mine", "mine", "new", FileFound},
		{"a copy of which a kill kept the agent from remembering is remembered", "", "new", "new", "new", "new", fileUnchanged},
		{"an image that has not changed changes nothing", "old", "old", "mine", "mine", "old", fileUnchanged},
		{"a new image's file takes the place of an untouched one", "old", "new", "old", "new", "new", FileReplaced},
		{"a file that both changed stays", "old", "new", "mine", "mine", "new", FileKept},
		{"a file that both changed alike is left", "old", "new", "new", "new", "new", fileUnchanged},
		{"a file that the new image lacks stays", "old", "", "old", "old", "", FileOrphaned},
		{"a file that nobody has any more is forgotten", "old", "", "", "", "", fileUnchanged},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVolume(t)
			v.upgrade(seedTestOther, test.base, test.seed, test.own)
			r := v.apply()
			if got := v.content(v.own(seedTestOther)); got != test.want {
				t.Errorf("the server's own = %q, want %q", got, test.want)
			}
			if got := v.content(v.stock(seedTestOther)); got != test.remembered {
				t.Errorf("remembered = %q, want %q", got, test.remembered)
			}
			if got := actionFound(r, seedTestOther); got != test.action {
				t.Errorf("told: %q, want %q", got, test.action)
			}
			before := v.snapshot()
			if r := v.apply(); len(r.Files) > 0 || v.snapshot() != before {
				t.Errorf("a second run did something: %+v", r.Files)
			}
		})
	}
}

func actionFound(r Report, path string) FileAction {
	for _, o := range r.Files {
		if o.Path == path {
			return o.Action
		}
	}
	return fileUnchanged
}

func TestTheProductsVersionIsRememberedAndAStepBackIsTold(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		downgrade      bool
	}{
		{"the first time", "", "wso2is-7.1.0", false},
		{"an upgrade", "wso2is-7.1.0", "wso2is-7.10.0", false},
		{"a downgrade", "wso2is-7.10.0", "wso2is-7.9.0", true},
		{"a downgrade from an update level", "wso2is-7.1.0.12", "wso2is-7.1.0", true},
		{"a name without numbers", "wso2is-7.1.0", "wso2is-7.1.0-alpha", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVolume(t)
			if test.from != "" {
				v.write(v.stock("product"), test.from+"\n")
			}
			v.write(v.seed("product"), test.to+"\n")
			r := v.apply()
			if r.From != test.from || r.To != test.to || r.Downgrade != test.downgrade {
				t.Errorf("report = %+v", r)
			}
			if r := v.apply(); r.From != test.to || r.Downgrade {
				t.Errorf("the second report = %+v", r)
			}
		})
	}
}

func TestASeedThatIsNotThereOrOfAnotherProductIsTold(t *testing.T) {
	v := &volume{Seed{Volume: t.TempDir(), Product: config.IS}, t}
	if _, err := v.Apply(t.Context()); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "seed.sh") {
		t.Errorf("without a seed: %v", err)
	}
	v.write(v.seed("product"), "wso2am-4.5.0\n")
	v.write(v.seed(seedTestOther), "new")
	if _, err := v.Apply(t.Context()); !errors.Is(err, ErrOtherProduct) {
		t.Errorf("API Manager's seed beside IS: %v", err)
	}
	if v.content(v.own(seedTestOther)) != "" {
		t.Error("another product's file was copied")
	}
}

func TestModesAreSuchThatTheServerCanReadItsFiles(t *testing.T) {
	v := newVolume(t)
	for path, mode := range map[string]fs.FileMode{settingsFile: 0o644, seedTestStore: 0o600, seedTestOther: 0o755} {
		v.write(v.seed(path), "x = 1\n")
		if err := os.Chmod(v.seed(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	v.apply()
	for path, want := range map[string]fs.FileMode{settingsFile: 0o600, seedTestStore: 0o600, seedTestOther: 0o644} {
		if info, err := os.Stat(v.own(path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// TestAKillAtAnyWriteIsMadeGoodByTheNextRun stops the first run before each of its writes.
func TestAKillAtAnyWriteIsMadeGoodByTheNextRun(t *testing.T) {
	stores := map[string]string{}
	for name, entries := range map[string]map[string]int{"base": {"ca": 1}, "seed": {"ca": 1, "next": 2}, "own": {"ca": 1, "mine": 3}} {
		stores[name] = trustBytes(t, "wso2carbon", entries)
	}
	prepared := func() *volume {
		v := newVolume(t)
		v.write(v.stock("product"), "wso2is-7.0.0\n")
		v.upgrade(seedTestOther, "old", "new", "old")
		v.upgrade("repository/resources/security/new.xml", "", "new", "")
		v.upgrade(seedTestStore, stores["base"], stores["seed"], stores["own"])
		v.upgrade(settingsFile, "[a]\nx = 1\n", "[a]\nx = 2\n[[l]]\nid = \"n\"\n", "[a]\nx = 1 # mine\n")
		return v
	}
	killed := errors.New("killed")
	whole := prepared()
	whole.apply()
	for n := 0; ; n++ {
		v, writes := prepared(), 0
		v.Seed.write = func(path string, data []byte, mode fs.FileMode, temp string) (bool, error) {
			if writes++; writes > n {
				return false, killed
			}
			return file.Write(path, data, mode, temp)
		}
		if _, err := v.Apply(t.Context()); !errors.Is(err, killed) {
			if err != nil || n != 9 {
				t.Errorf("a run that was not stopped makes %d writes, want 9: %v", n, err)
			}
			return
		}
		v.Seed.write = nil
		v.apply()
		for _, path := range []string{seedTestOther, settingsFile, "repository/resources/security/new.xml"} {
			if got, want := v.content(v.own(path)), whole.content(whole.own(path)); got != want {
				t.Errorf("stopped at write %d, %s is\n%s\nwant\n%s", n, path, got, want)
			}
		}
		assertTrusts(t, v.content(v.own(seedTestStore)), "wso2carbon", map[string]int{"ca": 1, "next": 2, "mine": 3})
		if got := v.names(); !slices.Equal(got, whole.names()) {
			t.Errorf("stopped at write %d: files %v", n, got)
		}
	}
}

func TestApplyEndsWhenItIsAskedTo(t *testing.T) {
	v := newVolume(t)
	v.write(v.seed(seedTestOther), "new")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Apply(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestAnotherMinorVersionIsLoggedWithWhatIsLeftToAPerson(t *testing.T) {
	const migration, truststore = "the databases may need a migration", "was=client-truststore.jks now=client-truststore.p12"
	for name, c := range map[string]struct {
		from, to  string
		logs, not []string
	}{
		"a patch":              {"wso2is-7.1.0", "wso2is-7.1.1", nil, []string{migration, truststore}},
		"IS with other stores": {"wso2is-7.0.0", "wso2is-7.3.0", []string{migration, truststore}, nil},
		"IS":                   {"wso2is-7.1.0", "wso2is-7.3.0", []string{migration, "was=wso2is-7.1.0 now=wso2is-7.3.0"}, []string{truststore}},
		"API-M":                {"wso2am-4.5.0", "wso2am-4.7.0", []string{migration}, []string{truststore}},
		"the first time":       {"", "wso2is-7.3.0", nil, []string{migration, truststore}},
	} {
		var log testenv.Buffer
		Report{From: c.from, To: c.to}.Log(slog.New(slog.NewTextHandler(&log, nil)))
		for _, text := range c.logs {
			if !strings.Contains(log.String(), text) {
				t.Errorf("%s: no %q in\n%s", name, text, log.String())
			}
		}
		for _, text := range c.not {
			if strings.Contains(log.String(), text) {
				t.Errorf("%s: %q in\n%s", name, text, log.String())
			}
		}
	}
}
