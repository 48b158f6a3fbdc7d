package versions

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/product"
	"wso2agent/internal/server"
	"wso2agent/internal/wso2sim"
)

// plan is what differs between versions of a product in what agent init makes.
type plan struct {
	version, home        string
	keystore, truststore string // in the primary keystore's table, and the truststore's
	databases            string // of PostgreSQL, that the settings name
	artifacts            string // file names of what the image lacks
	keyDigits            int    // of the encryption key on a new database; 0: none
	used                 string // part of what init says of a used database without a known key; empty: nothing
	refuses              bool   // it says so as an error
}

const (
	oldHandler, newHandler = "wso2is.notification.event.handlers-2.0.5.jar", "wso2is.notification.event.handlers-2.1.2.jar"
	driver                 = "postgresql-42.7.13.jar"
)

// plans are by product. They are written down from docs/versions.md, and not computed from the agent's table.
var plans = map[string][]plan{
	product.IS: {
		{version: "7.0.0", home: "/home/wso2carbon/wso2is-7.0.0", keystore: "wso2carbon.jks", truststore: "client-truststore.jks", databases: "identity_db shared_db",
			artifacts: oldHandler + " " + driver, keyDigits: 32, used: "default key"},
		{version: "7.1.0", home: "/home/wso2carbon/wso2is-7.1.0", keystore: "wso2carbon.p12", truststore: "client-truststore.p12", databases: "identity_db shared_db",
			artifacts: oldHandler + " " + driver, keyDigits: 64, used: "default key"},
		{version: "7.2.0", home: "/home/wso2carbon/wso2is-7.2.0", keystore: "wso2carbon.p12", truststore: "client-truststore.p12", databases: "identity_db shared_db agent_identity_db",
			artifacts: oldHandler + " " + driver, keyDigits: 64, used: "default key"},
		{version: "7.3.0", home: "/home/wso2carbon/wso2is-7.3.0", keystore: "wso2carbon.p12", truststore: "client-truststore.p12", databases: "identity_db shared_db agent_identity_db",
			artifacts: newHandler + " " + driver, keyDigits: 64, used: "default key"},
	},
	product.AM: {
		{version: "4.4.0", home: "/home/wso2carbon/wso2am-4.4.0", keystore: "wso2carbon.jks", truststore: "client-truststore.jks", databases: "apim_db shared_db", artifacts: driver},
		{version: "4.5.0", home: "/home/wso2carbon/wso2am-4.5.0", keystore: "wso2carbon.jks", truststore: "client-truststore.jks", databases: "apim_db shared_db", artifacts: driver},
		{version: "4.6.0", home: "/home/wso2carbon/wso2am-4.6.0", keystore: "wso2carbon.jks", truststore: "client-truststore.jks", databases: "apim_db shared_db", artifacts: driver},
		{version: "4.7.0", home: "/home/wso2carbon/wso2am-4.7.0", keystore: "wso2carbon.jks", truststore: "client-truststore.jks", databases: "apim_db shared_db", artifacts: driver,
			keyDigits: 64, used: "no key is known", refuses: true},
	},
}

// TestEveryPairIsPlanned plans what agent init makes next to both servers of all sixteen pairs, on the stock deployment.toml of each version,
// with PostgreSQL. The peer has another version in each pair, and nothing that is planned depends on it.
func TestEveryPairIsPlanned(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stock := map[string][]byte{} // by name of the home
	for name, list := range plans {
		for _, p := range list {
			home := filepath.Join(t.TempDir(), path.Base(p.home))
			if err := wso2sim.UnpackWith(home, name, wso2sim.UnpackOptions{Version: p.version, Rounds: 10, Key: key}); err != nil {
				t.Fatal(err)
			}
			if stock[p.home], err = os.ReadFile(filepath.Join(home, "repository/conf/deployment.toml")); err != nil {
				t.Fatal(err)
			}
		}
	}
	pairs := 0
	for _, is := range plans[product.IS] {
		for _, am := range plans[product.AM] {
			pairs++
			t.Run("IS "+is.version+" and API-M "+am.version, func(t *testing.T) {
				is.check(t, product.IS, stock[is.home])
				am.check(t, product.AM, stock[am.home])
			})
		}
	}
	if pairs != 16 {
		t.Errorf("%d pairs, want all sixteen", pairs)
	}
}

// check holds what the agent plans for a server against the plan: with the seed of its image on a config volume, and a new database.
func (p plan) check(t *testing.T, name string, stock []byte) {
	volume, record := t.TempDir(), t.TempDir()
	files := map[string][]byte{
		filepath.Join(volume, config.SeedProduct):                []byte(path.Base(p.home) + "\n"),
		filepath.Join(volume, "repository/conf/deployment.toml"): stock,
		filepath.Join(record, name):                              []byte("new\n"),
	}
	for file, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for variable, value := range map[string]string{"PRODUCT": name, "CONFIG_DIR": volume, "EXCHANGE_DIR": t.TempDir(), "IS_HOST": "wso2is", "AM_HOST": "wso2am",
		"DATABASE": "postgres", "IS_DB_PASSWORD": "p", "AM_DB_PASSWORD": "p", "DATABASE_RECORD_DIR": record} {
		t.Setenv(variable, value)
	}
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		t.Fatal(err)
	}
	wants := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %s: %q, want %q", what, cfg.Release.Name(), got, want)
		}
	}
	wants("home", cfg.Server.Home, p.home)
	if !cfg.Release.Known {
		t.Errorf("the agent does not know %s", p.home)
	}
	stores, err := server.ReadStores(cfg.Release, stock, cfg.Given)
	if err != nil {
		t.Fatal(err)
	}
	primary, err := server.ReadPrimary(cfg.Release, stock)
	if err != nil {
		t.Fatal(err)
	}
	wants("keystore", primary.File, p.keystore)
	wants("truststore", stores.Truststore, p.truststore)
	wants("keystore, if the settings name none,", cfg.Keystore.File, p.keystore)
	wants("truststore, if the settings name none,", cfg.Truststore.File, p.truststore)

	var lacks []string
	for _, a := range artifact.Default(cfg.Release, true) {
		lacks = append(lacks, path.Base(a.Destination))
	}
	wants("artifacts", strings.Join(lacks, " "), p.artifacts)

	free := func(context.Context) (func(), error) { return func() {}, nil }
	if err := server.PrepareKey(t.Context(), cfg, slog.New(slog.DiscardHandler), free); err != nil {
		t.Fatal(err)
	}
	needs, err := server.OwnNeeds(cfg, stock)
	if err != nil {
		t.Fatal(err)
	}
	text, changes, made, err := needs.Merge(stock, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if !c.Made() {
			t.Errorf("%s of the stock settings of %s is %s", c.Setting, cfg.Release.Name(), c.Action)
		}
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	setting := func(path ...string) string {
		v, _ := doc.Get(path...)
		text, _ := v.Data.(string)
		return text
	}
	var databases []string
	for _, table := range [][]string{{"database", "apim_db"}, {"database", "identity_db"}, {"database", "shared_db"}, {"datasource", "AgentIdentity"}} {
		if address := setting(append(table, "url")...); address != "" {
			database, _, _ := strings.Cut(path.Base(address), "?")
			databases = append(databases, database)
			if !strings.HasPrefix(address, "jdbc:postgresql://") {
				t.Errorf("%s of %s is %s", table, cfg.Release.Name(), address)
			}
		}
	}
	wants("databases", strings.Join(databases, " "), p.databases)
	if got := len(setting("encryption", "key")); got != p.keyDigits {
		t.Errorf("the encryption key of %s has %d digits, want %d", cfg.Release.Name(), got, p.keyDigits)
	}
	if name == product.IS {
		wants("host name", setting("server", "hostname"), "wso2is")
		if endpoint := `"https://wso2am:9443/internal/data/v1/notify"`; !strings.Contains(string(text), endpoint) {
			t.Errorf("%s does not report revoked tokens to %s", cfg.Release.Name(), endpoint)
		}
	}
	if again, changes, _, err := needs.Merge(text, made, false); err != nil || len(changes) > 0 || string(again) != string(text) {
		t.Errorf("planned again, %s gets other settings: %v, %v", cfg.Release.Name(), changes, err)
	}

	d, err := server.KeyEvidence{Release: cfg.Release, Database: server.UsedDatabase}.Decide()
	says := d.Warning
	if err != nil {
		says = err.Error()
	}
	if errors.Is(err, server.ErrKey) != p.refuses || !strings.Contains(says, p.used) || (says == "") != (p.used == "") {
		t.Errorf("of a used database without a key, init says of %s: %q, an error: %t; want %q, an error: %t", cfg.Release.Name(), says, err != nil, p.used, p.refuses)
	}
}
