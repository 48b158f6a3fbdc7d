package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
)

// steps is the sidecar of a product, with the files through which it talks to agent exec, step by step.
func (p *place) steps(product string) (step func()) {
	k := &trustKeeper{health: telemetry.NewHealth(0), restarter: p.agent(product).restarter()}
	return func() {
		p.t.Helper()
		if err := k.once(p.t.Context(), p.agent(product)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// initMeanwhile does the first half of an init, then what comes meanwhile, and then its second half, which may be minutes later.
func (p *place) initMeanwhile(product string, meanwhile func()) {
	p.t.Helper()
	a := p.agent(product)
	k := trustKeeper{init: true, restarter: a.restarter()}
	if err := k.once(p.t.Context(), a); err != nil {
		p.t.Fatal(err)
	}
	meanwhile()
	if err := a.prepared(p.t.Context(), p.t.Context(), k.last); err != nil {
		p.t.Fatal(err)
	}
}

func TestWhatASidecarAsksForWhileInitFetchesArtifactsStands(t *testing.T) {
	for name, running := range map[string]bool{"beside a server that runs": true, "before a server's start": false} {
		t.Run(name, func(t *testing.T) {
			p, is, am := bothIssued(t)
			if running {
				p.beside(config.IS, is.r.started)
			} else {
				p.started(config.IS, is.r.started.Generation)
			}
			step := p.steps(config.IS)
			step()
			var asked string
			p.initMeanwhile(config.IS, func() {
				if err := server.RequestIdentity(t.Context(), p.agent(config.AM).cfg, false); err != nil {
					t.Fatal(err)
				}
				am.once()
				step()
				asked, _ = p.agent(config.IS).control().Wanted()
			})
			step()
			if wanted, err := p.agent(config.IS).control().Wanted(); err != nil || wanted != asked || wanted == is.r.started.Generation {
				t.Errorf("wanted is %s, the sidecar has asked for %s: %v", wanted, asked, err)
			}
		})
	}
}

func TestInitSwitchesOnlyToWhatTheRunningPeersTrust(t *testing.T) {
	p, is, _ := bothIssued(t)
	if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
		t.Fatal(err)
	}
	is.once() // announced, waits for API-M
	// Now the pod is replaced: its config volume is on a claim. API-M runs on.
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	said, _ := p.agent(config.AM).exchange().Trusts(t.Context(), "wso2am")
	if now := p.published("wso2is")[0]; !strings.Contains(strings.Join(said.Fingerprints, " "), now.Fingerprint().String()) {
		t.Error("IS starts with a certificate that the running API-M does not trust")
	}
}

func TestWithRESTARTNoneNobodyBelievesWhatWasAskedForBefore(t *testing.T) {
	p, is, _ := bothIssued(t)
	before, err := p.agent(config.IS).control().Wanted()
	if err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Restart.Method, c.Rotate.Timeout = "none", time.Nanosecond })
	is.r.started, is.r.known = notify.Started{}, false
	rotate := func() keystore.Fingerprint {
		t.Helper()
		if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
			t.Fatal(err)
		}
		is.once()
		is.once()
		return mustIdentity(t, p, config.IS).Leaf().Fingerprint()
	}
	presented := rotate()
	// Somebody restarts the server, and agent exec notes what was last asked for.
	p.beside(config.IS, notify.Started{Generation: before})
	rotate()
	p.initBoth() // another up
	p.set(config.IS, func(c *config.Config) { c.Rotate.Grace = time.Nanosecond })
	is.once()
	is.once()
	if !slices.ContainsFunc(p.published("wso2is"), func(c keystore.Certificate) bool { return c.Fingerprint() == presented }) {
		t.Error("what the running server presents is no longer published")
	}
}

func TestModeNoneFindsThePrimaryKeystoreByItsOwnPassword(t *testing.T) {
	p, _, _ := bothIssued(t)
	path := p.agent(config.IS).cfg.DeploymentTOML()
	const stock = "\nfile_name = \"wso2carbon.p12\"\npassword = "
	if strings.Count(p.read(path), stock+`"wso2carbon"`) != 1 {
		t.Fatal("the stock settings name the primary keystore otherwise")
	}
	p.write(path, strings.Replace(p.read(path), stock+`"wso2carbon"`, stock+`"another"`, 1))
	primary, err := identity.Issue(identity.Spec{Names: []string{"wso2is"}}, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := primary.Encode(keystore.PKCS12, "wso2carbon", "another")
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.volume(config.IS), "repository/resources/security/wso2carbon.p12"), string(data))
	t.Setenv("KEYSTORE_PASS", "another")
	given := p.settings(config.IS)
	p.set(config.IS, func(c *config.Config) {
		*c = given
		c.Settings.Mode, c.TLS.Mode, c.AM.Host, c.IS.Host = "merge", "none", "wso2am", "wso2is"
	})
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Errorf("init: %v", err)
	}
	if now := p.published("wso2is")[0]; now.Fingerprint() != primary.Leaf().Fingerprint() {
		t.Error("the primary keystore's certificate is not the one in use")
	}
}

func TestWhatAgentExecSaysAndCannotBeReadIsNamed(t *testing.T) {
	p, is, _ := bothIssued(t)
	p.beside(config.IS, is.r.started)
	p.write(filepath.Join(ControlDir(p.agent(config.IS).cfg), "started.json"), "")
	if err := p.agent(config.IS).Init(t.Context()); err == nil || !strings.Contains(err.Error(), "started.json") || !strings.Contains(err.Error(), "remove") {
		t.Errorf("error = %v", err)
	}
}

func TestAPeerThatNeverComesDoesNotKeepAServerDownThatStartsWithoutIt(t *testing.T) {
	for _, c := range []struct {
		onTimeout string
		holds     bool
	}{{"fail", false}, {"start", true}} {
		t.Run("INIT_ON_TIMEOUT="+c.onTimeout, func(t *testing.T) {
			p := newPlace(t)
			p.set(config.IS, func(cfg *config.Config) { cfg.Init.OnTimeout = c.onTimeout })
			is := p.sidecar(config.IS)
			is.k.health = telemetry.NewHealth(time.Hour, trustCondition)
			is.once()
			if p.ok(is.k.health, trustCondition) != c.holds {
				t.Error(p.message(is.k.health, trustCondition))
			}
		})
	}
}

// TestAnInitThatIsOutOfTimePreparesTheKeyToo: another agent holds the lock until INIT_TIMEOUT has passed.
func TestAnInitThatIsOutOfTimePreparesTheKeyToo(t *testing.T) {
	for name, c := range map[string]struct {
		key  string // ENCRYPTION_KEY; whether the database is a used one is not known
		want error
	}{
		"the agent makes it":   {"new", nil},
		"it would replace one": {strings.Repeat("a1", 32), server.ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.set(config.IS, func(cfg *config.Config) {
				cfg.Settings.Mode, cfg.Settings.EncryptionKey, cfg.Trust.Peers = "merge", c.key, nil
				cfg.Init.OnTimeout, cfg.Init.Timeout = "start", time.Nanosecond
			})
			a := p.agent(config.IS)
			unlock, err := a.lock(t.Context())
			if err == nil {
				err = os.Remove(filepath.Join(p.home(config.IS), server.EmbeddedDatabase))
			}
			if err != nil {
				t.Fatal(err)
			}
			load, passes := a.load, 0
			a.load = func() (config.Config, error) {
				if passes++; passes == 2 {
					unlock()
				}
				return load()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := a.Init(ctx); !errors.Is(err, c.want) || errors.Is(err, ErrTimeout) {
				t.Errorf("init: %v, want %v", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(a.control().Dir, "encryption-key")); (err == nil) != (c.want == nil) {
				t.Errorf("the record of the key: %v", err)
			}
		})
	}
}
