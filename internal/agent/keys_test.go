package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/keysfile"
)

func TestBootstrapAlsoWritesTheKeysAsVariablesAndAsASecret(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	env, manifest := filepath.Join(p.dir, "output", "keys.env"), filepath.Join(p.dir, "output", "keys.yaml")
	p.set(config.AM, func(c *config.Config) {
		c.Bootstrap.KeysEnvFile, c.Bootstrap.KeysSecretFile, c.Bootstrap.KeysSecretName, c.Bootstrap.KeysSecretNamespace = env, manifest, "orders", "shop"
	})
	if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	written := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	keys, err := keysfile.Decode([]byte(written(p.keysFile())))
	if err != nil || len(keys) != 1 || keys[0].ConsumerKey == "" || keys[0].ConsumerSecret == "" {
		t.Fatalf("keys: %+v, %v", keys, err)
	}
	wantEnv, err := keysfile.Env(keys, keysfile.Shell)
	if got := written(env); err != nil || got != string(wantEnv) || !strings.Contains(got, "_PRODUCTION_CONSUMER_KEY="+keys[0].ConsumerKey+"\n") {
		t.Errorf("variables: %s", got)
	}
	wantManifest, err := keysfile.Manifest(keys, "orders", "shop")
	if got := written(manifest); err != nil || got != string(wantManifest) {
		t.Errorf("manifest: %s", got)
	}
}

// TestNoServerChangesIfAFileWithTheKeysCannotBeWritten: new keys that reach no client are of no use.
func TestNoServerChangesIfAFileWithTheKeysCannotBeWritten(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.KeysSecretFile = filepath.Join(p.dir, "missing", "keys.yaml") })
	err := p.agent(config.AM).Bootstrap(t.Context())
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "set KEYS_SECRET_FILE") || strings.Contains(p.log.String(), "msg=created") {
		t.Errorf("error = %v\n%s", err, p.log.String())
	}
}
