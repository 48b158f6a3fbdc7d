package agent

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
)

// TestUpgradesToEachLaterPairOnTheSameVolumes takes the files of IS 7.1 and API-M 4.5 to every later pair. The stock files are those of
// the stand-ins with what the later versions add. The databases are the products' own to migrate.
func TestUpgradesToEachLaterPairOnTheSameVolumes(t *testing.T) {
	const ours = "\n# ours\n[ours]\nx = 1\n"
	adds := map[string]string{ // product-is v7.2.0 and v7.3.0, modules/distribution/src/repository/resources/conf/deployment.toml
		"wso2is-7.2.0": "\n[datasource.AgentIdentity]\nid = \"AgentIdentity\"\ndriver = \"org.h2.Driver\"\n",
		"wso2is-7.3.0": "\n[datasource.AgentIdentity]\nid = \"AgentIdentity\"\ndriver = \"org.h2.Driver\"\n",
	}
	p := newPlace(t)
	first := map[string]product.Release{config.IS: product.Default(config.IS), config.AM: product.Default(config.AM)}
	start := func(releases map[string]product.Release) {
		for name, r := range releases {
			p.reseed(name, r.Name())
			stock := filepath.Join(p.volume(name), ".agent/seed/repository/conf/deployment.toml")
			p.write(stock, p.read(stock)+adds[r.Name()])
			p.cfg[name] = p.settings(name)
			p.set(name, func(c *config.Config) {
				c.Settings.Mode, c.AM.Host, c.IS.Host = "merge", "wso2am", "wso2is"
				if r.EncryptionKeyMade { // the database has secrets of a release that encrypts with the keystore
					c.Settings.EncryptionKey = "new"
				}
			})
			if got := p.cfg[name].Release; got != r {
				t.Fatalf("the agent detects %s, want %s", got.Name(), r.Name())
			}
		}
		p.initBoth()
	}
	settings := func(name string) string { return p.cfg[name].DeploymentTOML() }
	keystore := func(name string) []byte { return []byte(p.read(p.cfg[name].KeystorePaths()[0])) }

	for _, name := range []string{config.IS, config.AM} {
		if err := os.RemoveAll(p.volume(name)); err != nil {
			t.Fatal(err)
		}
	}
	start(first)
	before := map[string]string{}
	keys := map[string][]byte{}
	for name := range first {
		p.write(settings(name), p.read(settings(name))+ours)
		before[name], keys[name] = p.dir+"/before-"+name, keystore(name)
		if err := os.CopyFS(before[name], os.DirFS(p.volume(name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, is := range []string{"7.1.0", "7.2.0", "7.3.0"} {
		for _, am := range []string{"4.5.0", "4.6.0", "4.7.0"} {
			now := map[string]product.Release{}
			now[config.IS], _ = product.Of(config.IS, is)
			now[config.AM], _ = product.Of(config.AM, am)
			if now[config.IS] == first[config.IS] && now[config.AM] == first[config.AM] {
				continue
			}
			for name := range now {
				if err := os.RemoveAll(p.volume(name)); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(p.volume(name), os.DirFS(before[name])); err != nil {
					t.Fatal(err)
				}
			}
			said := len(p.log.String())
			start(now)
			log := p.log.String()[said:]
			for name, r := range now {
				after := p.read(settings(name))
				for _, kept := range []string{ours, adds[r.Name()]} {
					if !strings.Contains(after, kept) {
						t.Errorf("%s: the settings lack %q:\n%s", r.Name(), kept, after)
					}
				}
				if !bytes.Equal(keystore(name), keys[name]) {
					t.Errorf("%s: the primary keystore has changed", r.Name())
				}
				moved := r != first[name]
				if says := strings.Contains(log, `the databases may need a migration`) && strings.Contains(log, "now="+r.Name()+" remedy="); says != moved {
					t.Errorf("%s: the log says that a person migrates the database: %t, want %t\n%s", r.Name(), says, moved, log)
				}
			}
			if endpoint := `notification_endpoint = "https://wso2am:9443/internal/data/v1/notify"`; !strings.Contains(p.read(settings(config.IS)), endpoint) {
				t.Errorf("%s has lost %s", now[config.IS].Name(), endpoint)
			}
		}
	}
}

func TestARunKeepsItsReleaseUnderANewSeed(t *testing.T) {
	p := newPlace(t)
	p.reseed(config.IS, "wso2is-7.1.0")
	load := func() (config.Config, error) { return config.Load() }
	a := New(p.settings(config.IS), load, slog.New(slog.NewTextHandler(p.log, nil)))
	p.reseed(config.IS, "wso2is-7.3.0")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	const said = "another version of the server than the one with which the agent has started\" version=7.3.0 keeps=7.1.0"
	p.until("the log says that the volume has another version", func() bool { return strings.Contains(p.log.String(), said) })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if log := p.log.String(); strings.Count(log, "another version") != 1 || !strings.Contains(log, "version=7.1.0 detected=true") {
		t.Errorf("the log says it more than once, or not which version the agent runs with:\n%s", log)
	}
}
