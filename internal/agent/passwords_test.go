package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"wso2agent/internal/rotation"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2sim"
)

func TestAWrongPasswordOfEitherServerIsToldBeforeAnythingIsMade(t *testing.T) {
	for _, c := range []struct {
		server string
		set    func(*config.Config)
		says   []string
	}{
		{"API-M", func(c *config.Config) { c.AM.AdminPass = "wrong" }, []string{`API-M refuses the password of its administrator "admin", AM_ADMIN_PASS`, "set AM_ADMIN_PASS to the password that the server's database was made with"}},
		{"IS", func(c *config.Config) { c.IS.AdminPass = "wrong" }, []string{`IS refuses the password of its administrator "admin", IS_ADMIN_PASS`, "docs/operating.md"}},
	} {
		t.Run(c.server, func(t *testing.T) {
			p := newPlace(t)
			p.initBoth()
			p.startServers()
			p.acknowledge()
			p.set(config.AM, c.set)
			err := p.agent(config.AM).Bootstrap(t.Context())
			if !errors.Is(err, bootstrap.ErrPermanent) {
				t.Fatalf("error = %v", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error = %v, want %q in it", err, part)
				}
			}
			if log := p.log.String(); strings.Contains(log, "created") || strings.Contains(log, "registered") {
				t.Errorf("something was made:\n%s", log)
			}
		})
	}
}

func TestAPIMsSettingsWithAnotherPasswordThanItAcceptsAreTold(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	p.replaceInSettings(config.AM, `password = "admin"`, `password = "other"`)
	err := p.agent(config.AM).Bootstrap(t.Context())
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "API-M accepts AM_ADMIN_PASS, but [super_admin] password in "+p.cfg[config.AM].DeploymentTOML()+" is another") {
		t.Errorf("error = %v", err)
	}
}

// replaceInSettings edits the first such place in the server's settings.
func (p *place) replaceInSettings(product, old, with string) {
	p.t.Helper()
	path := p.cfg[product].DeploymentTOML()
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	changed := strings.Replace(string(text), old, with, 1)
	if changed == string(text) {
		p.t.Fatalf("%s has no %s", path, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// administrator is the password that the server's settings have of its administrator.
func (p *place) administrator(product string) (password string) {
	p.t.Helper()
	text, err := os.ReadFile(p.cfg[product].DeploymentTOML())
	if err != nil {
		p.t.Fatal(err)
	}
	_, password, _, err = server.ReadAdministrator(text, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return password
}

// shipped has the product's databases recorded as the seed step does.
func (p *place) shipped(product string) {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.home(product), server.EmbeddedDatabase))
	if err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(ControlDir(p.cfg[product]), server.StockDatabases)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	line := fmt.Sprintf("%x %d %s\n", sha256.Sum256(data), len(data), filepath.Base(server.EmbeddedDatabase))
	if err := os.WriteFile(path, []byte("0 0 WSO2CARBON_DB.mv.db\n"+line), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// mergeSettings makes the needed settings, and returns those that are kept.
func (p *place) mergeSettings(product string) []rotation.KeptSetting {
	p.t.Helper()
	for {
		r, err := p.agent(product).read(p.t.Context(), nil, false, rotation.Memory{})
		if err != nil {
			p.t.Fatal(err)
		}
		if !r.snapshot.Deployment.Pending {
			return r.snapshot.Deployment.Kept
		}
		if err := r.makeSettings(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestOnlyOnANewDatabaseTheAdministratorIsSet(t *testing.T) {
	p := newPlace(t)
	p.shipped(config.AM)
	pass := func(password string) {
		t.Helper()
		p.set(config.AM, func(c *config.Config) { c.Settings.Mode, c.AM.AdminPass = "merge", password })
		p.mergeSettings(config.AM)
	}
	pass("first")
	if got := p.administrator(config.AM); got != "first" {
		t.Fatalf("a new server gets %q", got)
	}
	pass("second")
	if got := p.administrator(config.AM); got != "second" {
		t.Fatalf("a server that has not started yet has %q", got)
	}
	am, err := wso2sim.StartAM(t.Context(), wso2sim.Options{Home: p.home(config.AM), ConfigVolume: p.volume(config.AM), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := am.Close(); err != nil {
		t.Fatal(err)
	}
	kept := p.mergeSettings(config.AM)
	if len(kept) > 0 {
		t.Errorf("the same password is told of: %+v", kept)
	}
	p.set(config.AM, func(c *config.Config) { c.AM.AdminPass = "third" })
	kept = p.mergeSettings(config.AM)
	if len(kept) != 1 || !kept[0].Settled {
		t.Errorf("%+v", kept)
	}
	if got := p.administrator(config.AM); got != "second" {
		t.Errorf("the used server's became %q", got)
	}
	if _, err := p.agent(config.AM).pass(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if log := p.log.String(); !strings.Contains(log, "super_admin.password") || strings.Contains(log, "third") || strings.Contains(log, "second") {
		t.Errorf("log:\n%s", log)
	}
}

func TestADatabaseThatIsDownIsNotTakenForAWrongPassword(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	database, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port := hostPort(t, "tcp://"+database.Addr().String())
	p.set(config.AM, func(c *config.Config) {
		c.Database.Kind, c.Database.Host, c.Database.Port, c.AM.AdminPass, c.Bootstrap.Timeout = "postgres", host, port, "refused", 4*time.Second
	})
	if err := p.agent(config.AM).Bootstrap(t.Context()); !errors.Is(err, bootstrap.ErrPermanent) {
		t.Errorf("while the database answers: %v", err)
	}
	if err := database.Close(); err != nil {
		t.Fatal(err)
	}
	err = p.agent(config.AM).Bootstrap(t.Context())
	if errors.Is(err, bootstrap.ErrPermanent) || !errors.Is(err, ErrTimeout) {
		t.Errorf("while it does not: %v", err)
	}
	for _, cause := range []string{"the database " + database.Addr().String() + " (PGHOST, PGPORT) does not answer", "the server's database is down", "AM_ADMIN_USER and AM_ADMIN_PASS"} {
		if !strings.Contains(err.Error(), cause) {
			t.Errorf("%v lacks %q", err, cause)
		}
	}
}

func TestTheListenersPasswordFollowsOnceAPIMHasAcceptedIt(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.set(config.IS, func(c *config.Config) { c.Settings.Mode, c.AM.AdminPass = "merge", "former" })
	settings := p.cfg[config.IS].DeploymentTOML()
	has := func(password string) bool {
		text, err := os.ReadFile(settings)
		return err == nil && strings.Contains(string(text), "\""+password+"\"\n'header.X-WSO2-KEY-MANAGER'")
	}
	is := p.agent(config.IS)
	k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: is.restarter()}
	if err := k.once(t.Context(), is); err != nil || !has("former") {
		t.Fatalf("a new listener: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	defer loops.Wait()
	defer cancel()
	loops.Go(func() { is.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	loops.Go(func() { is.keepListener(ctx, telemetry.NewHealth(time.Hour)) })
	p.set(config.IS, func(c *config.Config) { c.AM.AdminPass = "mistaken" })
	p.wakeTrust(config.IS)
	p.until("a wrong password is told", func() bool { return strings.Contains(p.log.String(), "API-M refuses AM_ADMIN_PASS: IS goes on") })
	if !has("former") {
		t.Error("IS's settings follow a password that API-M refuses")
	}
	p.set(config.IS, func(c *config.Config) { c.AM.AdminPass = "admin" })
	p.wakeTrust(config.IS)
	p.until("the settings follow", func() bool { return has("admin") })
}

// wakeTrust makes the sidecar's passes look again.
func (p *place) wakeTrust(product string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(ControlDir(p.cfg[product]), "woken"), []byte(time.Now().String()), 0o644); err != nil {
		p.t.Fatal(err)
	}
}
