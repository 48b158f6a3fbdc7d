package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/product"
)

func TestThePrimaryKeyIsWatchedIfItsKeystoreCanBeRead(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Config{Release: product.Default(product.IS), Server: config.Server{Product: config.IS, ConfigDir: filepath.Join(dir, "volume"), Home: filepath.Join(dir, "home")}}
	id, err := identity.Issue(identity.Spec{Names: []string{"wso2is"}}, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := id.Encode(keystore.PKCS12, "wso2carbon", "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name, text string, want PrimaryKey, watched bool) {
		t.Helper()
		got, unwatched, err := ReadPrimaryKey(t.Context(), cfg, []byte(text))
		if got != want || (unwatched == nil) != watched || err != nil {
			t.Errorf("%s: %+v, %v, %v, want %+v", name, got, unwatched, err, want)
		}
	}
	read("there is no keystore", "", PrimaryKey{}, false)
	write(cfg.StorePaths("wso2carbon.p12")[0], data)
	now := id.Leaf().Fingerprint().String()
	read("it was never remembered", "", PrimaryKey{File: "wso2carbon.p12", Now: now}, true)
	if err := SavePrimaryKey(cfg, "earlier"); err != nil {
		t.Fatal(err)
	}
	read("another one is remembered", "", PrimaryKey{File: "wso2carbon.p12", Now: now, Remembered: "earlier"}, true)
	read("only the server knows the password", "[keystore.primary]\npassword = \"$env{P}\"\n", PrimaryKey{}, false)
	read("the password is another one", "[keystore.primary]\npassword = \"other\"\n", PrimaryKey{}, false)
}

func TestAMadeChangeSaysWhatFollows(t *testing.T) {
	for _, c := range []struct {
		change  Change
		made    bool
		follows bool
	}{
		{Change{Setting: AllScopesSetting, Action: Replaced, Now: "false"}, true, true},
		{Change{Setting: AllScopesSetting, Action: Replaced, Now: "true"}, true, false},
		{Change{Setting: "resource.access_control[(.*)/scim2/Me]", Action: Added}, true, true},
		{Change{Setting: "resource.access_control[(.*)/scim2/Me]", Action: Removed}, true, false},
		{Change{Setting: "server.hostname", Action: Added, Now: "false"}, true, false},
		{Change{Setting: "server.hostname", Action: Kept}, false, false},
		{Change{Setting: "server.hostname", Action: Settled}, false, false},
		{Change{Setting: "server.hostname", Action: Waits}, false, false},
	} {
		if c.change.Made() != c.made || (c.change.Follows() != "") != c.follows {
			t.Errorf("%+v: made is %t, and %q follows", c.change, c.change.Made(), c.change.Follows())
		}
	}
}

func TestASettingsFileThatNobodyNeedsMayBeMissing(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		settings, mode string
		missing        bool // is an error
	}{
		"neither settings nor a TLS identity are made": {"none", "none", false},
		"settings are made":                            {"merge", "none", true},
		"a TLS identity is made":                       {"none", "issue", true},
	} {
		text, err := ReadOwn(t.Context(), config.Config{Server: config.Server{ConfigDir: dir}, Settings: config.Settings{Mode: c.settings}, TLS: config.TLS{Mode: c.mode}})
		if text != nil || errors.Is(err, fs.ErrNotExist) != c.missing || (err != nil) != c.missing {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	cfg := config.Config{Server: config.Server{ConfigDir: dir}, Settings: config.Settings{Mode: "none"}, TLS: config.TLS{Mode: "none"}}
	if err := os.MkdirAll(filepath.Dir(cfg.DeploymentTOML()), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.DeploymentTOML(), []byte("[server]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadOwn(t.Context(), cfg); string(text) != "[server]\n" || err != nil {
		t.Errorf("it is there: %q, %v", text, err)
	}
}
