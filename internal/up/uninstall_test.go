package up

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/plan"
	"wso2agent/internal/server"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/trust"
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
	o.IS = Target{Product: config.IS, Container: "is-1"}
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
	if !strings.Contains(said, "IS in container is-1: no longer trust wso2am "+peer.Fingerprint().Short()) || !strings.Contains(said, "docker exec -u 0 is-1 rm -f "+strings.ReplaceAll("WORK/up.json WORK/client-truststore.p12.next WORK/client-truststore.p12.original\n", "WORK", isHome+"/.agent")) {
		t.Error(said)
	}
	after := trusts(t, path)
	if len(after) != len(before) || after["wso2carbon"] != before["wso2carbon"] {
		t.Errorf("%v, was %v", after, before)
	}
	if !restarted || restarts != 1 {
		t.Errorf("%t, %d restarts", restarted, restarts)
	}
	if err := os.WriteFile(filepath.Join(box.Root, isHome, ".agent/settings.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, _ := uninstalled(t, o, false); !strings.Contains(said, "run agent uninstall with PRODUCT on its config volume") || strings.Contains(said, " rm ") {
		t.Errorf("an agent next to the server needs what is there: %s", said)
	}
}

// TestWhatTheOriginalHadComesBack: people and scripts use the aliases of the agent too.
func TestWhatTheOriginalHadComesBack(t *testing.T) {
	store := func(t *testing.T, aliases map[string]keystore.Certificate) *keystore.Store {
		s, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon", MAC: keystore.NoMAC, Certificates: keystore.Clear})
		for alias, c := range aliases {
			err = errors.Join(err, s.SetTrusted(alias, c, time.Now()))
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old, am, other := certificate(t, "old"), certificate(t, "am"), certificate(t, "other")
	digits := func(c keystore.Certificate) string { return c.Fingerprint().Short() }
	entries := []trust.Entry{{Alias: "wso2am", Fingerprint: am.Fingerprint().String()}, {Alias: "other", Fingerprint: other.Fingerprint().String()}}
	for name, c := range map[string]struct {
		original *keystore.Store
		changes  string
		stays    string
	}{
		"added by the agent":       {store(t, map[string]keystore.Certificate{"other": other}), "removed wso2am " + digits(am), ""},
		"replaced by the agent":    {store(t, map[string]keystore.Certificate{"wso2am": old}), "replaced wso2am " + digits(old), ""},
		"there before":             {store(t, map[string]keystore.Certificate{"WSO2AM": am}), "", "wso2am " + digits(am) + ": it was there before the agent"},
		"no original says who did": {nil, "", "wso2am " + digits(am) + ": nothing shows that the agent has added it: lost; remove it with agent certs delete if it did"},
	} {
		g := giveBackOf(entries, names(), c.original, errors.New("lost"))
		var changes []string
		for _, change := range g.changes {
			changes = append(changes, change.String())
		}
		if strings.Join(changes, "; ") != c.changes || strings.Join(g.stays, "; ") != c.stays {
			t.Errorf("%s: %q, stays %q", name, changes, g.stays)
		}
	}
}

func TestAnEntryThatNoAgentHasAddedStays(t *testing.T) {
	box := boxed(t, "is", "is-1")
	o, _ := options(t, engine.Start(t, box))
	o.IS = Target{Product: config.IS, Container: "is-1"}
	path := security(box, isHome, "client-truststore.p12")
	old, peer := certificate(t, "wso2am"), certificate(t, "wso2am")
	store, err := keystore.Open(read(t, path), "wso2carbon")
	if err == nil {
		err = store.SetTrusted("wso2am", old, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	byHand, err := store.Encode()
	if err == nil {
		err = os.WriteFile(path, byHand, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if said, _ := uninstalled(t, o, true); !strings.Contains(said, "stays: wso2am "+old.Fingerprint().Short()+": nothing shows that the agent has added it") || !bytes.Equal(read(t, path), byHand) {
		t.Errorf("no agent has run: %s", said)
	}
	home := Target{Product: config.IS, Home: filepath.Join(box.Root, isHome)}
	if said, _ := uninstalled(t, Options{Config: o.Config, IS: home, Out: &bytes.Buffer{}}, false); !strings.Contains(said, "stays: wso2am ") || !bytes.Equal(read(t, path), byHand) {
		t.Errorf("no agent has run in the home: %s", said)
	}
	c, err := found(t, o, "is", "is-1")
	if err == nil {
		_, err = imported(t, c, peer)
	}
	if err != nil || trusts(t, path)["wso2am"] != peer.Fingerprint() {
		t.Fatalf("not replaced: %v", err)
	}
	if said, _ := uninstalled(t, o, true); !strings.Contains(said, "trust wso2am "+old.Fingerprint().Short()+" in place of "+peer.Fingerprint().Short()+" again: it was there before the agent") || trusts(t, path)["wso2am"] != old.Fingerprint() {
		t.Errorf("an agent has replaced it: %s", said)
	}
}

// TestARestartThatAnEarlierRunOwesIsMadeUpFor: until then the server trusts what was taken back.
func TestARestartThatAnEarlierRunOwesIsMadeUpFor(t *testing.T) {
	o, _ := options(t, engine.Start(t, boxed(t, "is", "is-1")))
	o.IS = Target{Product: config.IS, Container: "is-1"}
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	f, err := imported(t, c, certificate(t, "wso2am"))
	if err == nil {
		err = c.restart(t.Context(), f)
	}
	if err != nil {
		t.Fatal(err)
	}
	const owed = "IS in container is-1: the running server has not read its truststore: --restart restarts it\n"
	if said, _ := uninstalled(t, o, false); strings.Contains(said, owed) {
		t.Errorf("first: %s", said)
	}
	if said, restarted := uninstalled(t, o, true); !restarted || !strings.Contains(said, owed) {
		t.Errorf("second: restarted %t, %s", restarted, said)
	}
	if said, restarted := uninstalled(t, o, true); restarted || strings.Contains(said, owed) {
		t.Errorf("third: restarted %t, %s", restarted, said)
	}
}

func TestAContainerOfAnotherProjectIsSeen(t *testing.T) {
	is, am := boxed(t, "is", "shop-is"), boxed(t, "am", "bank-am")
	is.Project, am.Project = "shop", "bank"
	o, _ := options(t, engine.Start(t, is, am))
	o.IS, o.AM = Target{Product: config.IS, Container: "shop-is"}, Target{Product: config.AM, Container: "bank-am"}
	if _, err := PlanUninstall(t.Context(), o, ""); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "container shop-is belongs to the Compose project shop, and container bank-am to bank") {
		t.Errorf("two projects: %v", err)
	}
	o.AM = Target{Product: config.AM}
	stores := filepath.Join(is.Root, isHome, "repository/resources/security")
	is.Mounts = []engine.Mount{{Target: isHome + "/repository/resources/security", Source: stores}}
	c, err := found(t, o, "is", "shop-is")
	if err == nil {
		_, err = imported(t, c, certificate(t, "wso2am"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if said, _ := uninstalled(t, o, false); !strings.HasPrefix(said, "IS in container shop-is: of the image wso2/wso2is, of the Compose project shop, with its truststore on "+stores+"\n") {
		t.Error(said)
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

// TestTheEncryptionKeyOutlivesTheAgent: without the key that the agent has made, the server cannot read what it has encrypted.
func TestTheEncryptionKeyOutlivesTheAgent(t *testing.T) {
	key := strings.Repeat("a1", 32)
	const reference = "\n[encryption]\nkey = \"$env{ENCRYPTION_KEY}\"\n"
	for name, c := range map[string]struct {
		record, settings string // added to the shipped deployment.toml
		want             string // of the added settings
		says             string
		stays            bool // the record
	}{
		"the environment has a made key":   {key, reference, "\n[encryption]\nkey = \"" + key + "\"\n", "write encryption.key itself into deployment.toml, which has \"$env{ENCRYPTION_KEY}\"", false},
		"the file has a made key":          {key, "\n[encryption]\nkey = \"" + key + "\"\n", "\n[encryption]\nkey = \"" + key + "\"\n", "remove ", false},
		"the file has it as the old key":   {key, "\n[encryption]\nkey = \"b2\"\nold_key = \"" + key + "\"\n", "\n[encryption]\nkey = \"b2\"\nold_key = \"" + key + "\"\n", "remove ", false},
		"the file has another key":         {key, "\n[encryption]\nkey = \"b2\"\n", "\n[encryption]\nkey = \"b2\"\n", "encryption-key: deployment.toml lacks this key", true},
		"the file has no key":              {key, "", "", "encryption-key: deployment.toml lacks this key", true},
		"a person gives the key":           {"sha256:c3", reference, reference, "remove ", false},
		"the agent has no record of a key": {"", reference, reference, "remove ", false},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := unpacked(t)
			o := Options{Config: h.cfg, IS: Target{Product: config.IS, Home: h.dir}, Out: &bytes.Buffer{}}
			settings, record := filepath.Join(h.dir, settingsPath), filepath.Join(h.dir, ".agent/encryption-key")
			shipped := string(read(t, settings))
			write(t, h, settingsPath, shipped+c.settings)
			write(t, h, ".agent/serving", "")
			if c.record != "" {
				write(t, h, ".agent/encryption-key", c.record+"\n")
			}
			if err := os.Chmod(settings, 0o644); err != nil {
				t.Fatal(err)
			}
			said, _ := uninstalled(t, o, false)
			if !strings.Contains(said, c.says) || strings.Contains(said, key) {
				t.Errorf("%q is not in the output, or the key is:\n%s", c.says, said)
			}
			if text := string(read(t, settings)); text != shipped+c.want {
				t.Errorf("the settings end with %q", strings.TrimPrefix(text, shipped))
			}
			if info, err := os.Stat(settings); err != nil || c.want != c.settings && info.Mode().Perm()&0o007 != 0 {
				t.Errorf("others may read the key: %v, %v", info.Mode(), err)
			}
			left, _ := filepath.Glob(filepath.Join(h.dir, ".agent/*"))
			if stays := slices.Equal(left, []string{record}); stays != c.stays || !stays && len(left) > 0 {
				t.Errorf("in the folder of the agent are %q", left)
			}
			again, _ := uninstalled(t, o, false)
			if text := string(read(t, settings)); text != shipped+c.want || strings.Contains(again, "remove") || c.stays != strings.Contains(again, c.says) {
				t.Errorf("a second time: %s", again)
			}
		})
	}
}

// TestAKeystoreThatTheSettingsNameStays: without it the server does not start. No record says who named it: a person may have, and
// records get lost.
func TestAKeystoreThatTheSettingsNameStays(t *testing.T) {
	h, _ := unpacked(t)
	write(t, h, settingsPath, string(read(t, filepath.Join(h.dir, settingsPath)))+"\n[keystore.tls]\nfile_name = \""+config.TLSStoreFile+"\"\npassword = \"changeit\"\n")
	made := "repository/resources/security/" + config.TLSStoreFile
	write(t, h, made, "a keystore")
	write(t, h, ".agent/serving", "")
	o := Options{Config: h.cfg, IS: Target{Product: config.IS, Home: h.dir}, Out: &bytes.Buffer{}}
	if said, _ := uninstalled(t, o, false); !strings.Contains(said, "stays: "+filepath.Join(h.dir, made)+": the server's settings still name it") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(h.dir, made)); err != nil {
		t.Error(err)
	}
}

func TestWhatStaysOnTheServersIsListedOnce(t *testing.T) {
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	const resource = "API resource User-defined-oauth2-resource of IS, with the scopes of all APIs"
	curl := "curl -u admin -X DELETE https://" + cfg.ISAddress() + "/api/server/v1/api-resources/ID; GET without /ID lists the ids"
	if got, want := LeftOnServers(cfg, nil, ""), []Left{{"key manager WSO2-IS of API-M", "agent km delete WSO2-IS --yes"}, {resource, curl}}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	of := func(kind, name string) plan.OwnedObject { return plan.OwnedObject{Kind: kind, Name: name} }
	objects := []plan.OwnedObject{
		of(plan.KindAPI, "Pay Now 1.0.0"), of(plan.KindScope, "read"), of(plan.KindApplication, "Bob's $shop"), of(plan.KindKeyManager, "WSO2-IS"),
		of(plan.KindRole, "Clerk"), of(plan.KindUser, "ann"),
	}
	want := []Left{
		{"application Bob's $shop", `agent apps delete 'Bob'\''s $shop' --yes`},
		{"API Pay Now 1.0.0", "agent apis delete 'Pay Now:1.0.0' --with-subscriptions --yes"},
		{"key manager WSO2-IS of API-M", "agent km delete WSO2-IS --yes"},
		{"user ann of IS", "agent users delete ann --yes"},
		{"role Clerk of IS", "agent roles delete Clerk --yes"},
		{"shared scope read", "agent apply --prune FILE, with a FILE that does not name it"},
		{"user km of IS", "agent users delete km --yes"},
		{"role km of IS", "agent roles delete km --yes"},
		{resource, curl},
	}
	if got := LeftOnServers(cfg, objects, "km"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
