package bootstrap

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
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
