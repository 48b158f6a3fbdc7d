package place

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/seed"
	"wso2agent/internal/testenv"
)

// left are the names of the files in the folder of the stores.
func (w *world) left() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.home, securityDir))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (w *world) listeners() time.Time {
	w.t.Helper()
	info, err := os.Stat(filepath.Join(w.home, listenersFile))
	if err != nil {
		w.t.Fatal(err)
	}
	return info.ModTime()
}

func TestANewKeystoreIsPlacedAndTheGatewayNoticesIt(t *testing.T) {
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	w := newWorld(t, first)
	w.Starting(t.Context())
	path := filepath.Join(w.home, keystoreFile)
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	stale := path + ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp" // of a killed agent exec
	if err := os.WriteFile(stale, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	touched := w.listeners()
	w.install(second)
	if placed, err := w.Place(t.Context(), fingerprint(second)); err != nil || !placed {
		t.Fatal(placed, err)
	}
	if !bytes.Equal(w.get(w.home, keystoreFile), w.get(w.volume, keystoreFile)) {
		t.Error("the home does not have the keystore of the config volume")
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if os.SameFile(before, after) || after.Mode().Perm() != 0o604 || after.Sys().(*syscall.Stat_t).Uid != before.Sys().(*syscall.Stat_t).Uid {
		t.Errorf("not replaced by a rename with the same mode: %v, %v", before.Mode(), after.Mode())
	}
	if left := w.left(); !slices.Equal(left, []string{"listenerprofiles.xml", "wso2agent-tls.p12"}) {
		t.Errorf("left in the home: %v", left)
	}
	if now := w.listeners(); now.Sub(touched) < time.Second {
		t.Errorf("listenerprofiles.xml was changed at %s, and is now at %s", touched, now)
	}
	if text := string(w.get(w.home, listenersFile)); text != "<profiles/>" {
		t.Errorf("listenerprofiles.xml is %q", text)
	}
}

func TestTheTimeOfTheListenersGoesForwardByASecondAlways(t *testing.T) {
	path := filepath.Join(t.TempDir(), "listenerprofiles.xml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, was := range []time.Time{time.Now().Add(-time.Hour), time.Now(), time.Now().Add(time.Hour), time.Now().Truncate(time.Second).Add(999 * time.Millisecond)} {
		if err := os.Chtimes(path, was, was); err != nil {
			t.Fatal(err)
		}
		if err := touch(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if now := info.ModTime(); now.Sub(was) < time.Second || now.Unix() <= was.Unix() || now.Before(time.Now().Add(-time.Minute)) {
			t.Errorf("from %s to %s", was, now)
		}
	}
	if err := touch(path + ".missing"); err == nil {
		t.Error("a missing file was touched")
	}
	if _, err := os.Stat(path + ".missing"); err == nil {
		t.Error("the file was made")
	}
}

func TestABadKeystoreStaysOutOfTheHome(t *testing.T) {
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	changed, err := second.Encode(keystore.PKCS12, identity.Alias, "changed1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"half-written", stored(t, second)[:500], "torn"},
		{"empty", nil, "torn"},
		{"another password", changed, "another password"},
		{"a key that does not fit", mismatched(t), "belongs to another key"},
		{"not the requested one", stored(t, first), "the sidecar requested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, first)
			w.Starting(t.Context())
			before, touched := w.get(w.home, keystoreFile), w.listeners()
			w.put(w.volume, keystoreFile, c.data)
			placed, err := w.Place(t.Context(), fingerprint(second))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Join(w.volume, keystoreFile)) {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
			if placed || !bytes.Equal(before, w.get(w.home, keystoreFile)) || !w.listeners().Equal(touched) || len(w.left()) != 2 {
				t.Errorf("the home was changed: %v, placed: %t", w.left(), placed)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		w := newWorld(t, first)
		if err := os.Remove(filepath.Join(w.volume, keystoreFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Place(t.Context(), fingerprint(second)); err == nil || !strings.Contains(err.Error(), "mount the config volume") {
			t.Error(err)
		}
	})
}

func TestWhatPreventsThePlacingIsNamed(t *testing.T) {
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   []string
	}{
		{"the server has no such keystore", func(w *world) { w.put(w.home, settingsFile, []byte("[server]\nhostname = \"am\"\n")) }, []string{"deployment.toml does not name wso2agent-tls.p12", "restart the server"}},
		{"no settings", func(w *world) { os.RemoveAll(filepath.Join(w.home, "repository/conf")) }, []string{settingsFile, "set SERVER_HOME"}},
		{"a file of listeners that cannot be changed", func(w *world) {
			os.Remove(filepath.Join(w.home, listenersFile))
			os.Symlink("listenerprofiles.xml", filepath.Join(w.home, listenersFile)) // root can change every file that there is
		}, []string{"have the gateway load the TLS keystore", "listenerprofiles.xml", "run agent exec as the owner of SERVER_HOME"}},
		{"a folder in its place", func(w *world) {
			os.Remove(filepath.Join(w.home, keystoreFile))
			os.Mkdir(filepath.Join(w.home, keystoreFile), 0o700)
		}, []string{"wso2agent-tls.p12: it is not a regular file", "remove it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, first)
			w.install(second)
			c.change(w)
			before, _ := os.ReadFile(filepath.Join(w.home, keystoreFile))
			placed, err := w.Place(t.Context(), fingerprint(second))
			if after, _ := os.ReadFile(filepath.Join(w.home, keystoreFile)); placed || !bytes.Equal(before, after) {
				t.Errorf("the keystore in the home has changed, placed: %t", placed)
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

// A traffic manager has no gateway, and neither has a control plane.
func TestAServerWithoutAGatewayGetsTheKeystoreForTomcat(t *testing.T) {
	second := issue(t, "wso2am")
	w := newWorld(t, issue(t, "wso2am"))
	w.put(w.home, settingsFile, []byte(strings.Replace(settings, `ssl_profile_interval = "60000"`, "", 1)))
	if err := os.Remove(filepath.Join(w.home, listenersFile)); err != nil {
		t.Fatal(err)
	}
	w.install(second)
	if !w.Reloads(t.Context()) {
		t.Errorf("the server is said not to reload\n%s", w.log)
	}
	if _, err := w.Place(t.Context(), fingerprint(second)); err != nil {
		t.Fatal(err)
	}
	if got := w.served(); !identity.Same(&got, &second) {
		t.Errorf("the home has %s", fingerprint(got))
	}
	if left := w.left(); !slices.Equal(left, []string{"wso2agent-tls.p12"}) {
		t.Errorf("left in the home: %v", left)
	}
}

func TestAHomeThatIsNotWritableIsNamedWithTheRemedy(t *testing.T) {
	if _, err := os.Stat("/sys/kernel"); err != nil {
		t.Skip("needs /sys, where not even root makes a file")
	}
	err := write("/sys/kernel/wso2agent-tls.p12", []byte("x"), nil)
	if err == nil || !strings.Contains(err.Error(), "/sys/kernel/wso2agent-tls.p12") || !strings.Contains(err.Error(), "run agent exec as the owner of SERVER_HOME") {
		t.Error(err)
	}
}

func TestAHomeOfAnotherUserIsNamedWithTheRemedy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	second := issue(t, "wso2am")
	w := newWorld(t, issue(t, "wso2am"))
	w.install(second)
	if err := os.Chown(filepath.Join(w.home, keystoreFile), 802, 803); err != nil {
		t.Fatal(err)
	}
	before := w.get(w.home, keystoreFile)
	if _, err := w.Place(t.Context(), fingerprint(second)); err == nil || !strings.Contains(err.Error(), `run it with user: "802:803"`) {
		t.Error(err)
	}
	if !bytes.Equal(before, w.get(w.home, keystoreFile)) || len(w.left()) != 2 {
		t.Errorf("the home was changed: %v", w.left())
	}
}

func TestAKeystoreThatIsBrokenInPlaceIsRepaired(t *testing.T) {
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	path := func(w *world) string { return filepath.Join(w.home, keystoreFile) }
	for _, c := range []struct {
		name   string
		damage func(w *world) error
	}{
		{"half", func(w *world) error { return os.Truncate(path(w), 300) }},
		{"empty", func(w *world) error { return os.Truncate(path(w), 0) }},
		{"removed", func(w *world) error { return os.Remove(path(w)) }},
		{"a key that does not fit", func(w *world) error { return os.WriteFile(path(w), mismatched(t), 0o600) }},
		{"expired", func(w *world) error {
			return os.WriteFile(path(w), stored(t, issueAt(t, time.Now().Add(-366*24*time.Hour), "wso2am")), 0o600)
		}},
	} {
		for _, placed := range []bool{false, true} {
			w := newWorld(t, first)
			w.Starting(t.Context())
			want := first
			w.install(second) // not requested yet, unless placed
			if placed {
				want = second
				if _, err := w.Place(t.Context(), fingerprint(second)); err != nil {
					t.Fatal(err)
				}
			}
			if !placed {
				w.Repair(t.Context())
			}
			if log := w.log.String(); strings.Contains(log, "WARN") {
				t.Fatalf("%s: nothing is broken yet: %s", c.name, log)
			}
			if err := c.damage(w); err != nil {
				t.Fatal(err)
			}
			touched := w.listeners()
			w.Repair(t.Context())
			if got := w.served(); !identity.Same(&got, &want) {
				t.Errorf("%s, placed %t: the home has %s", c.name, placed, fingerprint(got))
			}
			if log := w.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "was broken") || !strings.Contains(log, path(w)) {
				t.Errorf("%s: %s", c.name, log)
			}
			if !w.listeners().After(touched) {
				t.Errorf("%s: the gateway does not notice the repair", c.name)
			}
		}
	}
}

func TestAGoodKeystoreOfAPersonStaysInTheHome(t *testing.T) {
	first, persons := issue(t, "wso2am"), issue(t, "wso2am")
	w := newWorld(t, first)
	w.Starting(t.Context())
	w.put(w.home, keystoreFile, stored(t, persons))
	touched := w.listeners()
	w.Repair(t.Context())
	if got := w.served(); !identity.Same(&got, &persons) || strings.Contains(w.log.String(), "WARN") || !w.listeners().Equal(touched) {
		t.Errorf("the home has %s\n%s", fingerprint(got), w.log)
	}
	w.put(w.home, keystoreFile, []byte("broken"))
	w.Repair(t.Context())
	if got := w.served(); !identity.Same(&got, &persons) {
		t.Errorf("the last good keystore was the person's, and the home has %s", fingerprint(got))
	}
}

func TestWhatCannotBeRepairedIsLoggedOnce(t *testing.T) {
	w := newWorld(t, issue(t, "wso2am"))
	w.Starting(t.Context())
	w.put(w.home, keystoreFile, []byte("broken"))
	w.put(w.home, settingsFile, []byte(strings.Replace(settings, `"wso2carbon"`, `"changed1"`, 1)))
	for range 3 {
		w.Repair(t.Context())
	}
	if log := w.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "cannot repair it") {
		t.Error(log)
	}
	w.put(w.home, settingsFile, []byte(settings))
	w.Repair(t.Context())
	if log := w.log.String(); strings.Count(log, "level=WARN") != 2 || !strings.Contains(log, "was broken") {
		t.Error(log)
	}
}

// A start with a broken keystore leaves nothing to repair with.
func TestAKeystoreThatIsBrokenAtTheStartIsNotSpread(t *testing.T) {
	w := newWorld(t, issue(t, "wso2am"))
	w.put(w.volume, keystoreFile, mismatched(t))
	if _, certificate := w.Starting(t.Context()); certificate == "" {
		t.Error("the certificate that the server presents can be read, and is not")
	}
	w.put(w.home, keystoreFile, []byte("broken"))
	w.Repair(t.Context())
	if got := w.get(w.home, keystoreFile); string(got) != "broken" || !strings.Contains(w.log.String(), "has a fault") {
		t.Errorf("%d bytes\n%s", len(got), w.log)
	}
}

func TestJavaReadsThePlacedKeystore(t *testing.T) {
	keytool := testenv.Command(t, "keytool")
	second := issue(t, "wso2am")
	w := newWorld(t, issue(t, "wso2am"))
	w.install(second)
	if _, err := w.Place(t.Context(), fingerprint(second)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), keytool, "-list", "-v", "-keystore", filepath.Join(w.home, keystoreFile), "-storepass", password, "-alias", identity.Alias).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fingerprint(second)) || !strings.Contains(string(out), "PrivateKeyEntry") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUndoRemovesWhatAnOverlayHasLeft(t *testing.T) {
	w := newWorld(t, issue(t, "wso2am"), "RELOAD", "off")
	const logging = "repository/conf/log4j2.properties"
	w.put(w.home, logging, []byte("loggers = A\n"))
	asked := []string{}
	without := func(path string, text []byte) ([]byte, bool) {
		asked = append(asked, path)
		out := bytes.ReplaceAll(text, []byte("<Listener "), nil)
		return out, len(out) < len(text)
	}
	paths := []string{seed.TomcatTemplate, logging, "repository/conf/missing"}
	for range 2 {
		w.Undo(paths, without)
	}
	info, err := os.Stat(filepath.Join(w.home, seed.TomcatTemplate))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(w.get(w.home, seed.TomcatTemplate)); strings.Contains(text, "<Listener ") || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %q", info.Mode(), text)
	}
	if string(w.get(w.home, logging)) != "loggers = A\n" || strings.Count(w.log.String(), "removed the settings") != 1 || len(asked) != 4 {
		t.Errorf("asked for %v\n%s", asked, w.log)
	}
	if err := os.Truncate(filepath.Join(w.home, logging), fileLimit+1); err != nil {
		t.Fatal(err)
	}
	w.Undo(paths, without)
	if log := w.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "cannot remove") || !strings.Contains(log, filepath.Join(w.home, logging)) {
		t.Error(log)
	}
}

func TestNothingIsUndoneWhileTheReloadIsOn(t *testing.T) {
	w := newWorld(t, issue(t, "wso2am"))
	w.Undo([]string{seed.TomcatTemplate}, func(string, []byte) ([]byte, bool) { return nil, true })
	if text := string(w.get(w.home, seed.TomcatTemplate)); text != template {
		t.Errorf("%q", text)
	}
}
