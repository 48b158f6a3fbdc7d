package up

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/server"
	"wso2agent/internal/testenv/engine"
)

// uninstalled plans and does an uninstall of IS, and returns what it says.
func uninstalled(t *testing.T, o Options, restart bool) (said string, restarted bool) {
	t.Helper()
	undos, err := PlanUninstall(t.Context(), o, "")
	if err != nil || len(undos) != 1 {
		t.Fatalf("%d places, %v", len(undos), err)
	}
	var b strings.Builder
	undos[0].Print(func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) })
	if err := undos[0].Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if restart {
		if restarted, err = undos[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return b.String(), restarted
}

func TestOnlyTheAgentsAliasesLeaveAContainer(t *testing.T) {
	box := boxed(t, "is", "is-1")
	restarts := 0
	box.Restart = func() error { restarts++; return nil }
	o, _ := options(t, engine.Start(t, box))
	o.IS = Target{Product: config.IS, Container: "is-1", URL: "https://localhost"}
	path := security(box, isHome, "client-truststore.p12")
	before := trusts(t, path)
	if said, restarted := uninstalled(t, o, true); restarted || said != "" {
		t.Errorf("nothing is to be taken back: %q", said)
	}
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	peer := certificate(t, "wso2am")
	if _, err := imported(t, c, peer); err != nil {
		t.Fatal(err)
	}
	said, restarted := uninstalled(t, o, true)
	if !strings.Contains(said, "IS in container is-1: no longer trust wso2am "+peer.Fingerprint().Short()) || !strings.Contains(said, "docker exec -u 0 is-1 rm -r "+isHome+"/.agent") {
		t.Error(said)
	}
	after := trusts(t, path)
	if len(after) != len(before) || after["wso2carbon"] != before["wso2carbon"] {
		t.Errorf("%v, was %v", after, before)
	}
	if !restarted || restarts != 1 {
		t.Errorf("%t, %d restarts", restarted, restarts)
	}
}

func TestAHomeIsAsBeforeTheAgent(t *testing.T) {
	h, _ := unpacked(t)
	o := Options{Config: h.cfg, IS: Target{Product: config.IS, Home: h.dir}, Out: &bytes.Buffer{}}
	settings := filepath.Join(h.dir, settingsPath)
	shipped := read(t, settings)
	log4j2 := read(t, filepath.Join(h.dir, "repository/conf/log4j2.properties"))
	cfg := h.cfg
	cfg.Server.ConfigDir = h.dir
	f := server.SettingsFileOf(cfg)
	if _, _, err := f.Apply(t.Context(), server.NeedsOf(cfg), false); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(read(t, settings), shipped) {
		t.Fatal("the test makes no settings")
	}
	write(t, h, "repository/resources/security/"+config.TLSStoreFile, "a keystore")
	said, _ := uninstalled(t, o, false)
	for _, part := range []string{`server.hostname = "localhost" again, is "wso2is"`, "remove " + filepath.Join(h.dir, "repository/resources/security", config.TLSStoreFile), "remove " + filepath.Join(h.dir, ".agent")} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not in\n%s", part, said)
		}
	}
	if !bytes.Equal(read(t, settings), shipped) || !bytes.Equal(read(t, filepath.Join(h.dir, "repository/conf/log4j2.properties")), log4j2) {
		t.Errorf("the settings are\n%s", read(t, settings))
	}
	for _, gone := range []string{".agent", "repository/resources/security/" + config.TLSStoreFile} {
		if _, err := os.Stat(filepath.Join(h.dir, gone)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", gone, err)
		}
	}
	if said, _ := uninstalled(t, o, false); said != "" {
		t.Errorf("a second time: %s", said)
	}
}

// TestAKeystoreThatTheSettingsNameStays: without it the server does not start. No record says who named it: a person may have, and
// records get lost.
func TestAKeystoreThatTheSettingsNameStays(t *testing.T) {
	h, _ := unpacked(t)
	write(t, h, settingsPath, string(read(t, filepath.Join(h.dir, settingsPath)))+"\n[keystore.tls]\nfile_name = \""+config.TLSStoreFile+"\"\npassword = \"changeit\"\n")
	keystore := "repository/resources/security/" + config.TLSStoreFile
	write(t, h, keystore, "a keystore")
	write(t, h, ".agent/serving", "")
	o := Options{Config: h.cfg, IS: Target{Product: config.IS, Home: h.dir}, Out: &bytes.Buffer{}}
	if said, _ := uninstalled(t, o, false); !strings.Contains(said, "stays: "+filepath.Join(h.dir, keystore)+": the server's settings still name it") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(h.dir, keystore)); err != nil {
		t.Error(err)
	}
}

func TestWhatStaysOnTheServersIsListedOnce(t *testing.T) {
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	whats := func(objects []string, user string) (all []string) {
		for _, l := range LeftOnServers(cfg, objects, user) {
			all = append(all, l.What)
			if l.Remove == "" {
				t.Errorf("%s: no command", l.What)
			}
		}
		return all
	}
	const resource = "API resource User-defined-oauth2-resource of IS, with the scopes of all APIs"
	if got, want := whats(nil, ""), []string{"key manager WSO2-IS of API-M", resource}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := whats([]string{"API A 1", "key manager WSO2-IS"}, "km"), []string{"API A 1", "key manager WSO2-IS", "user km of IS", "role km of IS", resource}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
