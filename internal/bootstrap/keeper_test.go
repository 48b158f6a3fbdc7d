package bootstrap

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/serviceuser"
)

func TestAnotherPasswordOfANamedUserCallsForAnAttempt(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Config{Bootstrap: config.Bootstrap{KeysFile: filepath.Join(dir, "keys.json")}, Trust: config.Trust{ExchangeDir: dir}}
	k := &Keeper{Server: neverStarted{}}
	before := k.Input(t.Context(), cfg)
	cfg.KeyManager.ServicePass = "another1Pass"
	if own, peers := before.Changes(k.Input(t.Context(), cfg)); !slices.Equal(own, []string{"KM_SERVICE_PASS"}) || len(peers) > 0 {
		t.Errorf("changed: %q, %q", own, peers)
	}
}

// TestALookFindsAPasswordThatAPIMLacks, as after a killed agent km rotate-password, and counts it once.
func TestALookFindsAPasswordThatAPIMLacks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	record := serviceuser.Record{User: "wso2agent-km-a", Password: "first"}
	sent := record.Taken(record.Account())
	rotated := sent
	rotated.Password = "second"
	named := rotated
	named.Password = ""
	var out bytes.Buffer
	k := &Keeper{Log: slog.New(slog.NewTextHandler(&out, nil)), Accounts: &Accounts{}}
	for _, tt := range []struct {
		name    string
		record  serviceuser.Record
		setting string
		want    bool
	}{
		{"sent", sent, "", false},
		{"of the administrator", rotated, serviceuser.Admin, false},
		{"of a named user", named, "", false},
		{"rotated", rotated, "", true},
		{"the same one again", rotated, "", false},
	} {
		if err := tt.record.Save(serviceuser.Path(path)); err != nil {
			t.Fatal(err)
		}
		s := Settings{KMUser: ServiceUser{Setting: tt.setting, Record: serviceuser.Path(path)}}
		if lacks := k.lacksPassword(s); lacks != tt.want {
			t.Errorf("%s: %v", tt.name, lacks)
		}
	}
	k.unsent = serviceuser.Record{}
	cfg := config.Config{Bootstrap: config.Bootstrap{KeysFile: path}}
	if again := k.look(t.Context(), cfg, true); !again || !strings.Contains(out.String(), "API-M does not have the present password") { // it asks no server
		t.Errorf("again %v, log:\n%s", again, out.String())
	}
}

// TestAFileThatTheConfigurationNamesIsInput: a document, a definition, and a secret from a file. Each call for an attempt by its name, also
// if it is missing at first.
func TestAFileThatTheConfigurationNamesIsInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("api-config.yaml", `apis:
- name: A
  version: "1"
  context: /a
  openapi: api.json
  endpoints: {production: {url: "http://a", security: {type: BASIC, username: u, password: "${file:secret}"}}}
  documents: [{name: Guide, summary: How, file: guide.md}]
`)
	write("api.json", "{}")
	write("secret", "throwAway1")
	cfg := config.Config{Bootstrap: config.Bootstrap{File: filepath.Join(dir, "api-config.yaml"), KeysFile: filepath.Join(dir, "keys.json")}, Trust: config.Trust{ExchangeDir: dir}}
	k := &Keeper{Server: neverStarted{}}
	before := k.Input(t.Context(), cfg)
	for _, name := range []string{"api.json", "guide.md", "secret"} {
		write(name, "another text")
		now := k.Input(t.Context(), cfg)
		if own, peers := before.Changes(now); !slices.Equal(own, []string{filepath.Join(dir, name)}) || len(peers) > 0 {
			t.Errorf("after a change of %s: %q, %q", name, own, peers)
		}
		before = now
	}
	write("api-config.yaml", "apis: []\n")
	if own, _ := before.Changes(k.Input(t.Context(), cfg)); !slices.Equal(own, []string{cfg.Bootstrap.File}) || len(k.named.paths) > 0 {
		t.Errorf("after a change of the configuration: %q, and it names %q", own, k.named.paths)
	}
}

func TestALineOfTheLogNamesFiveChanges(t *testing.T) {
	for n, want := range map[int]string{1: "0", 5: "0, 1, 2, 3, 4", 7: "0, 1, 2, 3, 4 and 2 more"} {
		var parts []string
		for i := range n {
			parts = append(parts, strconv.Itoa(i))
		}
		if got := listed(parts); got != want {
			t.Errorf("%d changes are %q", n, got)
		}
	}
}
