package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// once does one pass of the sidecar with the agent a.
func once(t *testing.T, a Agent) error {
	return (&trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: a.restarter()}).once(t.Context(), a)
}

// TestAPeerThatKeepsChangingHoldsUpNobody: while its file is read again and again nobody has the lock, and another peer's
// certificate is imported in the same pass.
func TestAPeerThatKeepsChangingHoldsUpNobody(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Trust.Peers = []string{"busy", "wso2is"} })
	if err := once(t, p.agent(config.IS)); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(p.dir, "exchange", "busy", "certs.pem")
	if err := os.Mkdir(filepath.Dir(busy), 0o755); err != nil {
		t.Fatal(err)
	}
	change := func(n int) { // whole, or what is read twice in the middle of it would be equal
		if err := errors.Join(os.WriteFile(busy+".new", fmt.Appendf(nil, "half of it, %d", n), 0o644), os.Rename(busy+".new", busy)); err != nil {
			t.Fatal(err)
		}
	}
	change(0)
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- once(t, p.agent(config.AM)) }()
		reads := 0
		for began := time.Now(); ; time.Sleep(70 * time.Millisecond) {
			synctest.Wait()
			change(reads + 1)
			select {
			case err := <-done:
				if err != nil || reads < 5 || time.Since(began) > 2*time.Second {
					t.Errorf("after %d writes in %s: %v", reads, time.Since(began), err)
				}
				return
			default:
			}
			reads++
			unlock, ok, err := file.TryLock(filepath.Join(p.cfg[config.AM].WorkDir(), "lock"))
			if !ok || err != nil {
				t.Fatalf("write %d: the lock is taken while the peer's file is read: %v", reads, err)
			}
			unlock()
		}
	})
	v, err := p.agent(config.AM).pass(t.Context(), nil)
	if is := p.published("wso2is")[0]; err != nil || !slices.Contains(v.Trusted, is.Fingerprint().String()) {
		t.Errorf("trusted: %v, %v", v.Trusted, err)
	}
	if !strings.Contains(p.log.String(), "trusted certificate added") || strings.Count(p.log.String(), "the agent does not import a peer's certificate") != 2 {
		t.Error("the pass has not imported the other peer's certificate, or has not reported the busy one")
	}
}

// TestWhatAnotherAgentHasImportedIsNotUndone: this agent has looked at the exchange volume, another one of the same server
// imports what the peer publishes after that, and then this one gets the lock.
func TestWhatAnotherAgentHasImportedIsNotUndone(t *testing.T) {
	p := newPlace(t)
	late := p.agent(config.AM)
	look := trust.ExchangeOf(late.cfg).Look(t.Context(), "wso2is")
	late.seen = &look
	if err := errors.Join(once(t, p.agent(config.IS)), once(t, p.agent(config.AM))); err != nil {
		t.Fatal(err)
	}
	is := p.published("wso2is")[0].Fingerprint().String()
	if err := late.alone(t.Context(), func(a Agent) error {
		if certs, err := a.exchange().Certificates(t.Context(), "wso2is"); err != nil || certs[0].Fingerprint().String() != is {
			t.Errorf("the agent with the lock knows of %d certificates, %v", len(certs), err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// twin is an agent of another server, with another key, that has been given the name of IS too.
func (p *place) twin() Agent {
	p.t.Helper()
	volume := filepath.Join(p.dir, "twin")
	if err := os.CopyFS(volume, os.DirFS(p.volume(config.IS))); err != nil {
		p.t.Fatal(err)
	}
	p.replaceKey(config.IS, "wso2is", time.Now().Add(1000*time.Hour))
	cfg := p.cfg[config.IS]
	cfg.Server.ConfigDir = volume
	return New(cfg, func() (config.Config, error) { return cfg, nil }, slog.New(slog.NewTextHandler(p.log, nil)))
}

func (p *place) certsOfIS() string {
	data, _ := os.ReadFile(filepath.Join(p.dir, "exchange", "wso2is", "certs.pem"))
	return string(data)
}

func TestTwoServersWithOneNameDoNotFight(t *testing.T) {
	p := newPlace(t)
	second := p.twin()
	synctest.Test(t, func(t *testing.T) {
		first := p.agent(config.IS)
		if err := errors.Join(once(t, first), once(t, second)); err != nil {
			t.Fatal(err)
		}
		want := p.certsOfIS()
		for range 10 {
			if err := once(t, first); !errors.Is(err, trust.ErrNameTaken) || !strings.Contains(err.Error(), "SERVER_NAME") {
				t.Fatalf("the first one: %v", err)
			}
			if err := once(t, second); err != nil {
				t.Fatalf("the second one: %v", err)
			}
			if p.certsOfIS() != want {
				t.Fatal("the first one publishes its certificate again")
			}
			for range 6 {
				time.Sleep(10 * time.Second)
				first.keepName(t.Context())
				second.keepName(t.Context())
			}
		}
		time.Sleep(2 * time.Minute) // the second one has been stopped
		if err := once(t, first); !errors.Is(err, trust.ErrNameTaken) {
			t.Errorf("two minutes after the second one was stopped: %v", err)
		}
		time.Sleep(trust.Silence)
		if err := once(t, first); err != nil || p.certsOfIS() == want {
			t.Errorf("after its silence: %v", err)
		}
	})
}

func TestAServersOtherAgentsHaveItsName(t *testing.T) {
	p := newPlace(t)
	sidecar, other := p.agent(config.IS), p.agent(config.IS)
	for range 2 {
		if err := errors.Join(once(t, sidecar), once(t, other)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASharedNameIsLoggedOnceAndNotReady(t *testing.T) {
	p := newPlace(t)
	second := p.twin()
	health := p.keeping(config.IS)
	p.until("the first agent's pass is over", func() bool { // what it says about IS comes last
		_, said, err := p.agent(config.IS).exchange().Closing(t.Context(), "wso2is")
		return said && err == nil
	})
	if err := once(t, second); err != nil {
		t.Fatal(err)
	}
	said := "another agent publishes under this server's name"
	p.until("it is not ready", func() bool { return strings.Contains(p.message(health, trustCondition), said) })
	time.Sleep(10 * p.cfg[config.IS].Watch.Poll) // as many further passes
	if n := strings.Count(p.log.String(), said); n != 1 || strings.Contains(p.log.String(), "not in step") {
		t.Errorf("logged %d times", n)
	}
}

// TestASlowEditOfTheSettingsIsWaitedForAndLoggedOnce: the person who writes deployment.toml in place empties it first.
func TestASlowEditOfTheSettingsIsWaitedForAndLoggedOnce(t *testing.T) {
	p := newPlace(t)
	path := p.cfg[config.IS].DeploymentTOML()
	p.set(config.IS, func(c *config.Config) { c.Settings.Mode, c.Trust.Peers = "merge", nil })
	health := p.keeping(config.IS)
	p.until("the settings are made", func() bool { return p.ok(health, trustCondition) })
	edited, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited = append([]byte("# by a person\n"), edited...)
	person, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	said := "waiting; the agent changes nothing meanwhile"
	p.until("it is not ready", func() bool {
		return strings.Contains(p.message(health, trustCondition), "deployment.toml: somebody is writing it")
	})
	p.until("it is logged", func() bool { return strings.Contains(p.log.String(), said) })
	time.Sleep(10 * p.cfg[config.IS].Watch.Poll) // as many further passes
	if n := strings.Count(p.log.String(), said); n != 1 || strings.Contains(p.log.String(), "not in step") {
		t.Errorf("logged %d times", n)
	}
	if _, err := person.Write(edited); err != nil {
		t.Fatal(err)
	}
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	p.until("it is ready again", func() bool { return p.ok(health, trustCondition) })
	if now, err := os.ReadFile(path); err != nil || string(now) != string(edited) {
		t.Errorf("the person's text has become, %v\n%s", err, now)
	}
}

func TestInitWaitsForTheEndOfAnEdit(t *testing.T) {
	p := newPlace(t)
	path := p.cfg[config.IS].DeploymentTOML()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Trust.Peers = nil })
	done := make(chan error, 1)
	go func() { done <- p.agent(config.IS).Init(t.Context()) }()
	p.until("it waits", func() bool { return strings.Contains(p.log.String(), "somebody is writing it") })
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The remedy of an init that waited for an edit is not to start the peer's agent.
func TestAnEditThatNeverEndsIsNamedWhenInitGivesUp(t *testing.T) {
	p := newPlace(t)
	if err := os.Truncate(p.cfg[config.IS].DeploymentTOML(), 0); err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Trust.Peers, c.Init.Timeout = nil, 300*time.Millisecond })
	err := p.agent(config.IS).Init(t.Context())
	if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "somebody is writing it") || strings.Contains(err.Error(), "exchange volume") {
		t.Errorf("got %v", err)
	}
}

// TestANamedPipeInThePlaceOfAFileHoldsUpNoPass: whoever can write on a volume can make one, and opening it waits for ever.
func TestANamedPipeInThePlaceOfAFileHoldsUpNoPass(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.set(config.AM, func(c *config.Config) { c.Settings.Mode = "merge" })
	p.set(config.IS, func(c *config.Config) { c.TLS.Mode, c.TLS.FilesDir = "files", filepath.Join(p.dir, "tls") })
	if err := errors.Join(once(t, p.agent(config.AM)), os.Mkdir(filepath.Join(p.dir, "tls"), 0o755)); err != nil {
		t.Fatal(err)
	}
	am, exchange := p.cfg[config.AM], filepath.Join(p.dir, "exchange")
	paths := map[string]string{
		"tls.crt": config.IS, "tls.key": config.IS, // relative to TLS_FILES_DIR
		am.DeploymentTOML(): config.AM, am.TruststorePath(): config.AM, am.KeystorePaths()[0]: config.AM, am.Bootstrap.File: config.AM,
	}
	for _, name := range []string{"certs.pem", "trusts.json", "ca.pem"} {
		paths[filepath.Join(exchange, "wso2is", name)] = config.AM
		paths[filepath.Join(exchange, "wso2am", name)] = config.AM
	}
	paths[filepath.Join(exchange, "wso2am", "holder.json")] = config.AM
	for _, name := range []string{"started.json", "wanted", "wait", "running", "lock", "instance", "settings.json", "settings.size", "edition", "rotation.json"} {
		paths[filepath.Join(ControlDir(am), name)] = config.AM
	}
	for path, product := range paths {
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.dir, "tls", path)
		}
		content, err := os.ReadFile(path)
		os.Remove(path)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			a := p.agent(product)
			err := once(t, a)
			_, stateErr := bootstrap.FilesOf(a.cfg).Desired()
			_, presentErr := a.control().Beside(a.supervised())
			done <- errors.Join(err, stateErr, presentErr)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the pass is held up", path)
		}
		os.Remove(path)
		if err == nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := once(t, p.agent(config.AM)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
