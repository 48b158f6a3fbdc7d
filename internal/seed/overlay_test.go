package seed

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/testenv"
)

// template is one of several that differ, with and without the agent's line.
func template(name string, line bool) string {
	out := "<Server>\n    <!-- " + name + " -->\n"
	if line {
		out = strings.Replace(out, "\n", "\n    "+own+"\n", 1)
	}
	return out
}

// logging is one of several that differ, with and without the agent's loggers.
func logging(name string, lines bool) string {
	if lines {
		return silencers + silenced + name + "\n"
	}
	return "loggers = " + name + "\n"
}

func (v *volume) overlay() Report {
	v.t.Helper()
	var r Report
	r.From, r.To, _ = v.products()
	if err := v.Overlay(v.t.Context(), &r); err != nil {
		v.t.Fatal(err)
	}
	return r
}

func TestTheFilesForTheReloadAreMergedWithoutTheAgentsLines(t *testing.T) {
	const none = ""
	for _, test := range []struct {
		name            string
		base, seed, own string // names for template and logging; "+" at the end: with the lines
		reload          bool
		want            string
		action          FileAction
	}{
		{"the lines come into the image's file", none, "new", none, true, "new+", FileReloads},
		{"without the reload nothing comes onto the volume", none, "new", none, false, none, fileUnchanged},
		{"without the reload the image's file goes again", "new", "new", "new+", false, none, FileRestored},
		{"a file that is as it should be stays", "new", "new", "new+", true, "new+", fileUnchanged},
		{"a new image's file takes the place of the one before", "old", "new", "old+", true, "new+", FileReplaced},
		{"a new image's file, and the reload goes", "old", "new", "old+", false, none, FileRestored},
		{"a write of which a kill kept the agent from remembering is remembered", "old", "new", "new+", true, "new+", fileUnchanged},
		{"a file that was removed comes again", "new", "new", none, true, "new+", FileReloads},
		{"a person's own file gets the lines", none, "new", "mine", true, "mine+", FileReloads},
		{"a person's own file stays as it is", none, "new", "mine", false, "mine", fileUnchanged},
		{"a person's own file loses the lines", "new", "new", "mine+", false, "mine", FileRestored},
		{"a person's own file is kept at a new image", "old", "new", "mine+", true, "mine+", FileKept},
		{"a person's own file is kept at a new image, without the reload", "old", "new", "mine", false, "mine", FileKept},
		{"a person's own file is kept at a new image, and loses the lines", "old", "new", "mine+", false, "mine", FileKept},
		{"a person's copy of the image's file stays", "new", "new", "new", false, "new", fileUnchanged},
		{"a person's copy of the image's file follows a new image", "old", "new", "old", false, "new", FileReplaced},
		{"a copy of an image that has the file no more goes", "old", none, "old+", true, none, FileRestored},
		{"a person's own file stays with an image that has none", "old", none, "mine", true, "mine+", FileReloads},
		{"without an image a person's own file gets the lines", none, none, "mine", true, "mine+", FileReloads},
		{"a seed from a home that has the lines", none, "new+", none, true, "new+", FileReloads},
		{"a seed from a home that has the lines, without the reload", none, "new+", "new+", false, none, FileRestored},
		{"no file anywhere", none, none, none, true, none, fileUnchanged},
	} {
		for path, text := range map[string]func(string, bool) string{TomcatTemplate: template, LoggingSettings: logging} {
			t.Run(test.name+": "+filepath.Base(path), func(t *testing.T) {
				of := func(name string) string {
					if name == none {
						return ""
					}
					plain, lines := strings.CutSuffix(name, "+")
					return text(plain, lines)
				}
				v := newVolume(t)
				v.Reload = test.reload
				v.upgrade(path, of(test.base), of(test.seed), of(test.own))
				if path == LoggingSettings { // it follows the template
					v.upgrade(TomcatTemplate, template("image", false), template("image", false), template("image", test.reload))
				}
				r := v.overlay()
				if got := v.content(v.own(path)); got != of(test.want) {
					t.Errorf("the server's own:\n%s\nwant:\n%s", got, of(test.want))
				}
				if got := v.content(v.stock(path)); got != of(strings.TrimSuffix(test.seed, "+")) {
					t.Errorf("remembered = %q", got)
				}
				if got := actionFound(r, path); got != test.action {
					t.Errorf("reported: %q, want %q", got, test.action)
				}
				before := v.snapshot()
				if r := v.overlay(); len(r.Files) > 0 || v.snapshot() != before {
					t.Errorf("a second run did something: %+v", r.Files)
				}
			})
		}
	}
}

func TestATemplateThatCannotBeChangedIsLeftAloneAndLoggedOnce(t *testing.T) {
	for _, test := range []struct {
		name, product, to string
		seed, own         string
		want, why         string
	}{
		{"no Server tag", config.IS, "wso2is-7.1.0", "<Other>\n", "", "", "no <Server> tag"},
		{"no Server tag in a new image", config.IS, "wso2is-7.1.0", "<Other>\n", template("old", true), "", "no <Server> tag"},
		{"no Server tag in a person's own", config.IS, "wso2is-7.1.0", template("new", false), "<Mine>\n", "<Mine>\n", "no <Server> tag"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVolume(t)
			v.Product, v.Reload, v.logged = test.product, true, map[string]bool{}
			v.write(v.seed("product"), test.to+"\n")
			v.upgrade(TomcatTemplate, template("old", false), test.seed, test.own)
			v.upgrade(LoggingSettings, "", logging("new", false), "")
			var log testenv.Buffer
			for range 3 {
				v.bring(t, &log, false)
			}
			if got := v.content(v.own(TomcatTemplate)); got != test.want {
				t.Errorf("the template:\n%s\nwant:\n%s", got, test.want)
			}
			if got := v.content(v.own(LoggingSettings)); got != "" {
				t.Errorf("the logging is changed though nothing reloads:\n%s", got)
			}
			const text = "a new TLS certificate needs a restart: the agent cannot change the template"
			if n := strings.Count(log.String(), text); n != 1 || !strings.Contains(log.String(), test.why) {
				t.Errorf("logged %d times:\n%s", n, log.String())
			}
		})
	}
}

// bring is Bring as init calls it. running says that a server runs.
func (v *volume) bring(t *testing.T, log *testenv.Buffer, running bool) {
	t.Helper()
	free := func(context.Context) (func(), error) { return func() {}, nil }
	err := v.Bring(t.Context(), slog.New(slog.NewTextHandler(log, nil)), filepath.Join(v.Volume, file.WorkDir), free, func() (bool, error) { return running, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingChangesForTheReloadWhileAServerRuns(t *testing.T) {
	v := newVolume(t)
	v.Reload = true
	v.upgrade(TomcatTemplate, "", template("new", false), "")
	v.upgrade(LoggingSettings, "", logging("new", false), logging("mine", false))
	v.upgrade(seedTestOther, "", "other", "")
	var log testenv.Buffer
	v.bring(t, &log, true)
	if v.content(v.own(TomcatTemplate)) != "" || v.content(v.own(LoggingSettings)) != logging("mine", false) || v.content(v.own(seedTestOther)) != "other" {
		t.Errorf("next to a running server:\n%s", v.snapshot())
	}
	v.bring(t, &log, false)
	if v.content(v.own(TomcatTemplate)) != template("new", true) || v.content(v.own(LoggingSettings)) != logging("mine", true) {
		t.Errorf("before the server's start:\n%s", v.snapshot())
	}
	if !strings.Contains(log.String(), "loads a new TLS certificate while it runs") {
		t.Errorf("logged:\n%s", log.String())
	}
}

func TestWithoutASeedOnlyAPersonsOwnFilesAreChanged(t *testing.T) {
	v := &volume{Seed{Volume: t.TempDir(), Product: config.IS, Reload: true}, t}
	var log testenv.Buffer
	v.bring(t, &log, false)
	if names := v.names(); len(names) > 0 {
		t.Errorf("files on an empty volume: %v", names)
	}
	v.write(v.own(TomcatTemplate), template("mine", false))
	v.bring(t, &log, false)
	if got := v.content(v.own(TomcatTemplate)); got != template("mine", true) {
		t.Errorf("a person's own template:\n%s", got)
	}
}

func TestAFileThatTheAgentCannotWriteHoldsNothingUp(t *testing.T) {
	v := newVolume(t)
	v.Reload = true
	v.upgrade(TomcatTemplate, "", template("new", false), "")
	v.upgrade(LoggingSettings, "", logging("new", false), "")
	v.Seed.write = func(path string, data []byte, mode fs.FileMode, temp string) (bool, error) {
		if path == v.own(TomcatTemplate) {
			return false, fs.ErrPermission
		}
		return file.Write(path, data, mode, temp)
	}
	r := v.overlay()
	if len(r.Files) != 1 || !errors.Is(r.Files[0].Err, fs.ErrPermission) || v.content(v.own(LoggingSettings)) != "" {
		t.Errorf("report = %+v", r)
	}
	v.Seed.write = nil
	v.overlay()
	if v.content(v.own(TomcatTemplate)) != template("new", true) {
		t.Error("the next run does not make up for it")
	}
}

// TestAKillAtAnyWriteOfTheReloadIsMadeGood stops a run before each of its writes.
func TestAKillAtAnyWriteOfTheReloadIsMadeGood(t *testing.T) {
	killed := errors.New("killed")
	for name, reload := range map[string]bool{"with": true, "without": false} {
		for n := range 5 {
			v, writes := newVolume(t), 0
			v.Reload = reload
			v.upgrade(TomcatTemplate, template("old", false), template("new", false), template("old", true))
			v.upgrade(LoggingSettings, logging("old", false), logging("new", false), logging("old", true))
			v.Seed.write = func(path string, data []byte, mode fs.FileMode, temp string) (bool, error) {
				if writes++; writes > n {
					return false, killed
				}
				return file.Write(path, data, mode, temp)
			}
			v.overlay()
			v.Seed.write = nil
			v.overlay()
			want := map[string]string{TomcatTemplate: template("new", true), LoggingSettings: logging("new", true)}
			for path := range want {
				if !reload {
					want[path] = ""
				}
				if got := v.content(v.own(path)); got != want[path] {
					t.Errorf("%s the reload, stopped at write %d: %s is\n%s", name, n, path, got)
				}
			}
		}
	}
}

func TestAFileOfAnotherUserStaysAsItIs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	v := newVolume(t)
	v.Reload = true
	v.write(v.own(TomcatTemplate), template("mine", false))
	if err := os.Chown(v.own(TomcatTemplate), 802, 802); err != nil {
		t.Fatal(err)
	}
	r := v.overlay()
	if len(r.Files) != 1 || !errors.Is(r.Files[0].Err, file.ErrOwner) || v.content(v.own(TomcatTemplate)) != template("mine", false) {
		t.Errorf("report = %+v", r)
	}
}

func TestAnEmptyFileCountsAsNone(t *testing.T) {
	v := newVolume(t)
	v.write(v.own(TomcatTemplate), "")
	v.overlay()
	if _, err := os.Stat(v.own(TomcatTemplate)); err != nil {
		t.Errorf("without an image, a person's empty file is gone: %v", err)
	}
	v.Reload = true
	v.write(v.seed(TomcatTemplate), template("new", false))
	v.overlay()
	if got := v.content(v.own(TomcatTemplate)); got != template("new", true) {
		t.Errorf("with an image: %q", got)
	}
}

func TestTheOverlayEndsWhenItIsAskedTo(t *testing.T) {
	v := newVolume(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Overlay(ctx, &Report{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestTheSettingsSayWhetherTheServerReloads(t *testing.T) {
	for _, test := range []struct {
		reload, mode string
		want         bool
	}{{"auto", "issue", true}, {"auto", "files", true}, {"auto", "none", false}, {"off", "issue", false}} {
		var cfg config.Config
		cfg.TLS.Reload, cfg.TLS.Mode = test.reload, test.mode
		if got := Of(cfg).Reload; got != test.want {
			t.Errorf("RELOAD=%s, TLS_MODE=%s: %t", test.reload, test.mode, got)
		}
	}
}
