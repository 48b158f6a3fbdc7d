package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
)

func TestTheEncryptionKeyIsDecidedByTheDatabaseAndWhatIsKnown(t *testing.T) {
	release := func(name, version string) product.Release {
		r, err := product.Of(name, version)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	am45, am47, is70, is71 := release(product.AM, "4.5.0"), release(product.AM, "4.7.0"), release(product.IS, "7.0.0"), release(product.IS, "7.1.0")
	key, other := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	made, given := recordOf(key, true), recordOf(key, false)
	for name, c := range map[string]struct {
		e       KeyEvidence
		want    KeyDecision
		refused string // a part of the error with its remedy
		warns   string // a part of the warning
	}{
		"API-M 4.7 with a new database":                       {e: KeyEvidence{Release: am47, Database: NewDatabase}, want: KeyDecision{Make: true}},
		"IS 7.1 with a new database":                          {e: KeyEvidence{Release: is71, Database: NewDatabase}, want: KeyDecision{Make: true}},
		"API-M 4.7 with a used database":                      {e: KeyEvidence{Release: am47, Database: UsedDatabase}, refused: "ENCRYPTION_KEY_FILE"},
		"API-M 4.7 with an unknown database":                  {e: KeyEvidence{Release: am47, Database: UnknownDatabase}, refused: "ENCRYPTION_KEY=new"},
		"API-M 4.7, and a person says new":                    {e: KeyEvidence{Release: am47, Database: UnknownDatabase, Given: "new"}, want: KeyDecision{Make: true}},
		"IS 7.1 with a used database":                         {e: KeyEvidence{Release: is71, Database: UsedDatabase}, warns: "default key"},
		"IS 7.1 with an unknown database":                     {e: KeyEvidence{Release: is71, Database: UnknownDatabase}, warns: "default key"},
		"API-M 4.5 on a used database":                        {e: KeyEvidence{Release: am45, Database: UsedDatabase}},
		"API-M 4.5 on a new database":                         {e: KeyEvidence{Release: am45, Database: NewDatabase}},
		"API-M 4.5 with a key":                                {e: KeyEvidence{Release: am45, Database: NewDatabase, Given: key}, warns: "no effect"},
		"API-M 4.7 that a person has encrypt with a keystore": {e: KeyEvidence{Release: am47, Database: UsedDatabase, Keystore: true}},
		"the agent has made the key":                          {e: KeyEvidence{Release: am47, Database: UsedDatabase, Record: made}, want: KeyDecision{Record: made}},
		"a made key outlives ENCRYPTION_KEY=new":              {e: KeyEvidence{Release: am47, Database: UsedDatabase, Record: made, Given: "new"}, want: KeyDecision{Record: made}, warns: "remove ENCRYPTION_KEY=new"},
		"a made key outlives a database that is new again":    {e: KeyEvidence{Release: am47, Database: NewDatabase, Record: made}, want: KeyDecision{Record: made}},
		"a person gives the key":                              {e: KeyEvidence{Release: am47, Database: UnknownDatabase, Given: key}, want: KeyDecision{Record: given}},
		"a person gives it again":                             {e: KeyEvidence{Release: am47, Database: UsedDatabase, Given: key, Record: given}, want: KeyDecision{Record: given}},
		"a person gives the key that the agent has made":      {e: KeyEvidence{Release: am47, Database: UsedDatabase, Given: key, Record: made}, want: KeyDecision{Record: made}},
		"a person gives another key":                          {e: KeyEvidence{Release: am47, Database: UsedDatabase, Given: other, Record: given}, refused: "restore the former ENCRYPTION_KEY"},
		"a person gives another key for a new database":       {e: KeyEvidence{Release: am47, Database: NewDatabase, Given: other, Record: given}, want: KeyDecision{Record: recordOf(other, false)}},
		"the given key is gone":                               {e: KeyEvidence{Release: am47, Database: UsedDatabase, Record: given}, refused: "is gone"},
		"the given key is gone, and a person says new":        {e: KeyEvidence{Release: am47, Database: UsedDatabase, Record: given, Given: "new"}, refused: "is gone"},
		"the given key is gone from IS too":                   {e: KeyEvidence{Release: is71, Database: UsedDatabase, Record: given}, refused: "restore ENCRYPTION_KEY_FILE"},
		"the given key is in the file":                        {e: KeyEvidence{Release: am47, Database: UsedDatabase, Record: given, InFile: key}, want: KeyDecision{Record: given}},
		"the record of a key in the environment is gone":      {e: KeyEvidence{Release: is71, Database: UsedDatabase, InFile: keyReference}, refused: "next to the agent too"},
		"new is left, and the record is gone":                 {e: KeyEvidence{Release: am47, Database: UsedDatabase, InFile: keyReference, Given: "new"}, refused: "restore ENCRYPTION_KEY_FILE"},
		"a person names the variable for a new database":      {e: KeyEvidence{Release: am47, Database: NewDatabase, InFile: keyReference}, refused: "remove key from [encryption]"},
		"new is left, and the key is a person's":              {e: KeyEvidence{Release: am47, Database: UsedDatabase, InFile: other, Given: "new"}},
		"the key is a person's":                               {e: KeyEvidence{Release: am47, Database: UsedDatabase, InFile: other}},
		"the key is a person's, in the secure vault":          {e: KeyEvidence{Release: am47, Database: UsedDatabase, InFile: "$secret{key}", Given: key}},
		"two keys of persons":                                 {e: KeyEvidence{Release: am47, Database: UsedDatabase, InFile: other, Given: key}, refused: "different keys"},
		"a person has replaced the made key":                  {e: KeyEvidence{Release: is71, Database: UsedDatabase, InFile: other, Record: made}, want: KeyDecision{Record: made}, warns: "old_key"},
		"the file has the default key":                        {e: KeyEvidence{Release: is71, Database: UsedDatabase, InFile: worldKey}, warns: "everybody knows"},
		"IS 7.1, whose settings are a person's, is new":       {e: KeyEvidence{Release: is71, Database: NewDatabase, ByHand: true}, warns: "before the first start"},
		"IS 7.1, whose settings are a person's, is used":      {e: KeyEvidence{Release: is71, Database: UsedDatabase, ByHand: true}, warns: "default key"},
		"a person gives a used IS a key":                      {e: KeyEvidence{Release: is71, Database: UsedDatabase, Given: key}, refused: "old_key"},
		"a person gives an IS of unknown use a key":           {e: KeyEvidence{Release: is71, Database: UnknownDatabase, Given: key}, refused: "remove ENCRYPTION_KEY"},
		"a person says new for a used IS":                     {e: KeyEvidence{Release: is71, Database: UsedDatabase, Given: "new"}, refused: "would replace the key"},
		"a person says new for an IS of unknown use":          {e: KeyEvidence{Release: is71, Database: UnknownDatabase, Given: "new"}, want: KeyDecision{Make: true}},
		"a person gives a used IS a key and names the old":    {e: KeyEvidence{Release: is71, Database: UsedDatabase, Given: key, OldKey: true}, want: KeyDecision{Record: given}},
		"a person gives a used IS the key of another node":    {e: KeyEvidence{Release: is71, Database: UsedDatabase, Given: key, InFile: key}},
		"a person gives IS the recorded key":                  {e: KeyEvidence{Release: is71, Database: UsedDatabase, Given: key, Record: given}, want: KeyDecision{Record: given}},
		"a person gives a new IS a key":                       {e: KeyEvidence{Release: is71, Database: NewDatabase, Given: key}, want: KeyDecision{Record: given}},
		"a kill before the record of another key":             {e: KeyEvidence{Release: am47, Database: NewDatabase, Given: other, InFile: other, Record: made}, want: KeyDecision{Record: recordOf(other, false)}},
		"IS 7.0 reads short keys":                             {e: KeyEvidence{Release: is70, Database: NewDatabase, Given: key}, refused: "at most 32"},
	} {
		got, err := c.e.Decide()
		if c.refused != "" {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%s: %+v, %v; want ErrKey", name, got, err)
				continue
			}
			text, remedies := remedy.Split(err)
			if !strings.Contains(text+strings.Join(remedies, ""), c.refused) || len(remedies) != 1 {
				t.Errorf("%s: %v, want %q and one remedy", name, err, c.refused)
			}
			continue
		}
		if err != nil || got.Make != c.want.Make || !got.Make && got.Record != c.want.Record || !strings.Contains(got.Warning, c.warns) || (got.Warning == "") != (c.warns == "") {
			t.Errorf("%s: %+v, %v; want %+v with a warning of %q", name, got, err, c.want, c.warns)
		}
		if strings.Contains(got.Warning, key) {
			t.Errorf("%s: the warning shows the key", name)
		}
	}
}

// keyVolume is a config volume of API-M 4.7 with its agent's settings. The database is as shipped.
func keyVolume(t *testing.T) (cfg *config.Config, prepare func() (string, error)) {
	t.Helper()
	cfg = &config.Config{}
	dir := t.TempDir()
	cfg.Server.Product, cfg.Server.ConfigDir, cfg.Server.Home = config.AM, filepath.Join(dir, "config"), filepath.Join(dir, "wso2am-4.7.0")
	release, err := product.Of(product.AM, "4.7.0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Release = release
	cfg.Settings.Mode, cfg.AM.AdminUser, cfg.AM.AdminPass = "merge", "admin", "admin"
	cfg.Truststore.File = "client-truststore.jks"
	folder := notify.ControlOf(*cfg).Dir
	for path, text := range map[string]string{
		cfg.DeploymentTOML():                             "[server]\nhostname = \"localhost\"\n",
		filepath.Join(cfg.Server.Home, EmbeddedDatabase): "stock",
		filepath.Join(folder, StockDatabases):            "08c4242b5f585628bb8cef8ede40e9895b8719eb8070aee2d96613583ee3904a 5 WSO2SHARED_DB.mv.db\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg, func() (string, error) {
		var log bytes.Buffer
		err := PrepareKey(t.Context(), *cfg, slog.New(slog.NewTextHandler(&log, nil)), func(ctx context.Context) (func(), error) {
			return file.Lock(ctx, file.LockPath(folder), nil)
		})
		return log.String(), err
	}
}

// start makes the settings as the first pass of an init does, uses the database as a started server does, and returns deployment.toml.
func start(t *testing.T, cfg *config.Config) string {
	t.Helper()
	text, err := ReadOwn(t.Context(), *cfg)
	if err != nil {
		t.Fatal(err)
	}
	needs, err := OwnNeeds(*cfg, text)
	if err != nil {
		t.Fatal(err)
	}
	if text, _, err = SettingsFileOf(*cfg).Apply(t.Context(), needs, cfg.Settings.Mode == "override"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Server.Home, EmbeddedDatabase), []byte("used"), 0o600); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAKeyIsMadeOnceAndStays(t *testing.T) {
	cfg, prepare := keyVolume(t)
	log, err := prepare()
	if err != nil || !strings.Contains(log, "back up the config volume") {
		t.Fatalf("%v:\n%s", err, log)
	}
	path := filepath.Join(notify.ControlOf(*cfg).Dir, keyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the record: %v, %v; want mode 0600", info, err)
	}
	record, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(record))
	first := start(t, cfg)
	// Without this line of its own the script of API-M adds a second table (EncryptionKeyGenerator compares whole lines).
	if len(key) != 64 || !strings.Contains(first, "\n[encryption]\nkey = \""+key+"\"\n") || strings.Contains(log, key) {
		t.Fatalf("key %q, log %s:\n%s", key, log, first)
	}
	if log, err = prepare(); err != nil || log != "" {
		t.Errorf("a second init: %v, %q", err, log)
	}
	cfg.Settings.Mode = "override"
	if second := start(t, cfg); second != first {
		t.Errorf("the second start changes the settings:\n%s", second)
	}

	back, err := SettingsFileOf(*cfg).GiveBack(t.Context())
	if text, _ := os.ReadFile(cfg.DeploymentTOML()); err != nil || !strings.Contains(string(text), key) {
		t.Errorf("uninstall takes the key: %v, %v:\n%s", err, back, text)
	}
	for _, c := range back {
		if c.Setting == "encryption.key" && (c.Action != Kept || !c.Secret) {
			t.Errorf("%+v, want it kept, as a secret", c)
		}
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err = prepare(); err != nil {
		t.Errorf("without the record, with the key in the file: %v", err)
	}
	if text := start(t, cfg); !strings.Contains(text, key) {
		t.Errorf("the agent takes a key back whose record is lost:\n%s", text)
	}
	if err := os.WriteFile(cfg.DeploymentTOML(), []byte("# a new file\n[server]\nhostname = \"localhost\"\nnode_ip = \"127.0.0.1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(); !errors.Is(err, ErrKey) {
		t.Errorf("without the record and the file: %v, want ErrKey", err)
	}
}

func TestAKeyInTheEnvironmentStandsNowhereElse(t *testing.T) {
	cfg, prepare := keyVolume(t)
	key := strings.Repeat("c3", 32)
	cfg.Settings.SecretsEnv, cfg.Settings.EncryptionKey = true, key
	if log, err := prepare(); err != nil || strings.Contains(log, key) {
		t.Fatalf("%v:\n%s", err, log)
	}
	record, err := os.ReadFile(filepath.Join(notify.ControlOf(*cfg).Dir, keyFile))
	if text := start(t, cfg); err != nil || !strings.Contains(text, `key = "$env{ENCRYPTION_KEY}"`) || strings.Contains(text+string(record), key) {
		t.Errorf("%v: the record is %q, the settings are:\n%s", err, record, text)
	}
	for set, want := range map[bool]string{false: key, true: ""} { // ENCRYPTION_KEY_FILE does not set the variable
		more, missing, err := Environment(t.Context(), *cfg, func(string) bool { return set })
		if err != nil || more[KeyVariable] != want || slices.Contains(missing, KeyVariable) {
			t.Errorf("ENCRYPTION_KEY is set: %t; the server's environment: %v, missing %v, %v", set, more, missing, err)
		}
	}
	cfg.Settings.EncryptionKey = ""
	if _, err := prepare(); !errors.Is(err, ErrKey) {
		t.Errorf("the Secret is gone: %v, want ErrKey", err)
	}
	cfg.Settings.EncryptionKey = strings.Repeat("d4", 32)
	if _, err := prepare(); !errors.Is(err, ErrKey) {
		t.Errorf("another Secret: %v, want ErrKey", err)
	}
}

// TestAMadeKeyStandsInTheFile: without agent exec, nobody puts it into the server's environment.
func TestAMadeKeyStandsInTheFile(t *testing.T) {
	cfg, prepare := keyVolume(t)
	cfg.Settings.SecretsEnv, cfg.Settings.EncryptionKey = true, "new"
	if _, err := prepare(); err != nil {
		t.Fatal(err)
	}
	if key, _, _, err := keyOf([]byte(start(t, cfg))); err != nil || !config.IsKey(key) {
		t.Errorf("deployment.toml has the key %q, %v", key, err)
	}
}

// TestTheEnvironmentOfTheServerGetsAKeyOrNone: a person has written the reference. ENCRYPTION_KEY=new is set, but is no key.
func TestTheEnvironmentOfTheServerGetsAKeyOrNone(t *testing.T) {
	made, own := strings.Repeat("f6", 32), strings.Repeat("a7", 32)
	for name, c := range map[string]struct {
		record, variable string
		want             string // of ENCRYPTION_KEY; empty: not changed
		missing          bool
	}{
		"the agent has made a key, and new is set": {record: made, variable: "new", want: made},
		"the agent has made a key":                 {record: made, want: made},
		"a person's key stays":                     {record: made, variable: own},
		"nobody has the key":                       {missing: true},
	} {
		cfg, _ := keyVolume(t)
		cfg.Settings.EncryptionKey = c.variable
		err := os.WriteFile(cfg.DeploymentTOML(), []byte("[encryption]\nkey = \""+keyReference+"\"\n"), 0o600)
		if err == nil && c.record != "" {
			err = os.WriteFile(filepath.Join(notify.ControlOf(*cfg).Dir, keyFile), []byte(c.record), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		more, missing, err := Environment(t.Context(), *cfg, func(string) bool { return c.variable != "" })
		if err != nil || more[KeyVariable] != c.want || slices.Contains(missing, KeyVariable) != c.missing {
			t.Errorf("%s: %v, missing %v, %v", name, more, missing, err)
		}
	}
}

// TestAKeyForANewDatabaseReplacesTheMadeOne: a person gives it after an init and before the first start. The server starts with the key
// that is recorded, also if a kill came between the file and the record.
func TestAKeyForANewDatabaseReplacesTheMadeOne(t *testing.T) {
	for name, killed := range map[string]bool{"in one run": false, "with a kill": true} {
		for _, secretsEnv := range []bool{false, true} {
			cfg, prepare := keyVolume(t)
			record := filepath.Join(notify.ControlOf(*cfg).Dir, keyFile)
			if _, err := prepare(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			start(t, cfg)
			if err := os.WriteFile(filepath.Join(cfg.Server.Home, EmbeddedDatabase), []byte("stock"), 0o600); err != nil {
				t.Fatal(err)
			}
			key := strings.Repeat("b8", 32)
			cfg.Settings.EncryptionKey, cfg.Settings.SecretsEnv = key, secretsEnv
			if log, err := prepare(); err != nil || !strings.Contains(log, "replaced the key") || strings.Contains(log, key) {
				t.Fatalf("%s: %v, %s", name, err, log)
			}
			if text, err := os.ReadFile(cfg.DeploymentTOML()); err != nil || !strings.Contains(string(text), key) {
				t.Errorf("%s: %v, the file is\n%s", name, err, text)
			}
			if killed {
				if err := os.WriteFile(record, before, 0o600); err != nil {
					t.Fatal(err)
				}
				if log, err := prepare(); err != nil || log != "" {
					t.Fatalf("%s: %v, %s", name, err, log)
				}
			}
			want := key
			if secretsEnv {
				want = keyReference
			}
			if inFile, _, _, err := keyOf([]byte(start(t, cfg))); err != nil || inFile != want {
				t.Errorf("%s: the server starts with %q, %v; want %q", name, inFile, err, want)
			}
			if after, err := readKeyRecord(filepath.Dir(record)); err != nil || after != recordOf(key, false) {
				t.Errorf("%s: the record is %+v, %v", name, after, err)
			}
			if log, err := prepare(); err != nil || log != "" {
				t.Errorf("%s: after the start: %v, %s", name, err, log)
			}
		}
	}
}

// TestAKeyMovesIntoTheEnvironmentAndBack: a key that only deployment.toml has must not become its name there.
func TestAKeyMovesIntoTheEnvironmentAndBack(t *testing.T) {
	given := strings.Repeat("e5", 32)
	for name, c := range map[string]struct {
		key  string // ENCRYPTION_KEY at first
		then string // and later
		env  bool   // the file names the variable at first
		back bool   // and at the end
	}{
		"a made key":                   {"", "", false, false},
		"a given key":                  {given, given, true, true},
		"a given key that is gone now": {given, "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, prepare := keyVolume(t)
			cfg.Settings.SecretsEnv, cfg.Settings.EncryptionKey = true, c.key
			round := func() (text, key string) {
				t.Helper()
				if _, err := prepare(); err != nil {
					t.Fatal(err)
				}
				text = start(t, cfg)
				if key, _, _, err := keyOf([]byte(text)); err != nil || key != keyReference {
					return text, key
				}
				more, missing, err := Environment(t.Context(), *cfg, func(string) bool { return false })
				if err != nil || len(missing) > 0 && missing[0] == KeyVariable {
					t.Fatalf("%v, missing %v", err, missing)
				}
				return text, more[KeyVariable]
			}
			first, key := round()
			cfg.Settings.SecretsEnv = false
			second, literal := round()
			cfg.Settings.SecretsEnv, cfg.Settings.EncryptionKey = true, c.then
			third, last := round()
			if !config.IsKey(key) || literal != key || last != key {
				t.Errorf("the keys are %q, %q and %q, want one", key, literal, last)
			}
			if inFile := func(text string) bool { return strings.Contains(text, key) }; inFile(first) == c.env || !inFile(second) || inFile(third) == c.back {
				t.Errorf("the key is in the file: %t, %t, %t", inFile(first), inFile(second), inFile(third))
			}
		})
	}
}

// TestAServerWithoutItsKeyIsNotStarted: the record is lost, and the container was restarted without an init.
func TestAServerWithoutItsKeyIsNotStarted(t *testing.T) {
	cfg, prepare := keyVolume(t)
	if err := CheckKey(*cfg); err != nil {
		t.Errorf("before the first init: %v", err)
	}
	cfg.Settings.SecretsEnv, cfg.Settings.EncryptionKey = true, "new"
	if _, err := prepare(); err != nil {
		t.Fatal(err)
	}
	text := start(t, cfg)
	made, _, _, err := keyOf([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.DeploymentTOML(), []byte(strings.Replace(text, made, keyReference, 1)), 0o600); err != nil { // by a person
		t.Fatal(err)
	}
	if err := CheckKey(*cfg); err != nil {
		t.Errorf("with the record: %v", err)
	}
	record := filepath.Join(notify.ControlOf(*cfg).Dir, keyFile)
	for says, lose := range map[string]func() error{
		"takes it from ENCRYPTION_KEY, which has no key": func() error { return os.Remove(record) },
		"is no record of an encryption key":              func() error { return os.WriteFile(record, []byte("n"), 0o600) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{"new", ""} {
			cfg.Settings.EncryptionKey = given
			err := CheckKey(*cfg)
			if text, remedies := remedy.Split(errors.Join(err, errors.New("."))); !errors.Is(err, ErrKey) || !strings.Contains(text, says) || len(remedies) != 1 {
				t.Errorf("ENCRYPTION_KEY is %q: %v, want ErrKey that %s, with a remedy", given, err, says)
			}
		}
		cfg.Settings.EncryptionKey = strings.Repeat("e5", 32)
		if err := CheckKey(*cfg); err != nil {
			t.Errorf("%s, and a person gives the key: %v", says, err)
		}
	}
	if err := os.RemoveAll(record); err != nil {
		t.Fatal(err)
	}
	isSet := func(name string) bool { return name == KeyVariable }
	for given, want := range map[string][]string{"new": {KeyVariable}, "": {KeyVariable}, strings.Repeat("e5", 32): nil} {
		cfg.Settings.EncryptionKey = given
		if _, missing, err := Environment(t.Context(), *cfg, isSet); err != nil || !slices.Equal(missing, want) {
			t.Errorf("ENCRYPTION_KEY is %q: missing %v, %v; want %v", given, missing, err, want)
		}
	}
}

func TestSettingsOfAPersonGetNoKey(t *testing.T) {
	for name, c := range map[string]struct {
		key, inFile, database, want string
		refused                     bool
	}{
		"a new database":                   {database: "stock", want: "before the first start"},
		"a used database":                  {database: "used", refused: true},
		"a key that nobody writes":         {database: "used", key: strings.Repeat("f6", 32), refused: true},
		"a variable that nobody sets":      {database: "stock", inFile: keyReference, want: "which the agent does not have"},
		"another key than that of the env": {database: "used", key: strings.Repeat("f6", 32), inFile: strings.Repeat("a7", 32), want: "different keys"},
		"a key of a person":                {database: "used", inFile: strings.Repeat("a7", 32)},
	} {
		cfg, prepare := keyVolume(t)
		cfg.Settings.Mode, cfg.Settings.EncryptionKey = "none", c.key
		text := "[server]\nhostname = \"localhost\"\n"
		if c.inFile != "" {
			text += "[encryption]\nkey = \"" + c.inFile + "\"\n"
		}
		for path, text := range map[string]string{cfg.DeploymentTOML(): text, filepath.Join(cfg.Server.Home, EmbeddedDatabase): c.database} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		log, err := prepare()
		if c.refused {
			if text, remedies := remedy.Split(errors.Join(err, errors.New("."))); !errors.Is(err, ErrKey) || !strings.Contains(text, "the database is used") || len(remedies) != 1 || !strings.Contains(remedies[0], "write the key that the server used") {
				t.Errorf("%s: %v, want ErrKey with a remedy", name, err)
			}
		} else if err != nil || (log == "") != (c.want == "") || !strings.Contains(log, c.want) {
			t.Errorf("%s: %v:\n%s\nwant %q", name, err, log, c.want)
		}
		if _, err := os.Stat(filepath.Join(notify.ControlOf(*cfg).Dir, keyFile)); err == nil {
			t.Errorf("%s: the agent has recorded a key", name)
		}
	}
}

func TestTheOldKeyIsReadFromTheFile(t *testing.T) {
	for text, want := range map[string]bool{"[encryption]\nold_key = \"a1\"\n": true, "[encryption]\n#old_key = \"a1\"\n": false} {
		if _, old, _, err := keyOf([]byte(text)); err != nil || old != want {
			t.Errorf("%s%v, %v", text, old, err)
		}
	}
}
