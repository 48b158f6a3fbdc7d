package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// restarted is a stand-in of a server in a container that an engine restarts.
type restarted struct {
	product string
	address string
	server  interface{ Close() error }
	control notify.Control
	count   int
}

// start starts the server with what is on its config volume, as its entrypoint does.
func (r *restarted) start(p *place) (interface{ Close() error }, error) {
	o := wso2sim.Options{Home: p.home(r.product), ConfigVolume: p.volume(r.product), Listen: r.address, Gateway: "127.0.0.1:0"}
	if r.product == config.IS {
		return wso2sim.StartIS(p.t.Context(), o)
	}
	return wso2sim.StartAM(p.t.Context(), o)
}

func (r *restarted) serves() bool {
	s, ok, err := r.control.Started()
	return ok && err == nil && s.Serves == notify.ServesNow
}

// TestServersWithoutAgentExecRestartOneAfterAnother is of two servers in containers, which the agents restart through an engine: until
// both run with what is on disk, and again when somebody replaces the keystore of one.
func TestServersWithoutAgentExecRestartOneAfterAnother(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	var mu sync.Mutex
	servers := []*restarted{
		{product: config.IS, address: p.is.URL()[len("https://"):], server: p.is},
		{product: config.AM, address: p.am.URL()[len("https://"):], server: p.am},
	}
	var containers []*engine.Container
	for i, r := range servers {
		r.control = p.agent(r.product).control()
		root := t.TempDir()
		settings := filepath.Join(root, p.agent(r.product).cfg.Server.Home, "repository/conf/deployment.toml") // by which it is a server's container
		if err := errors.Join(os.MkdirAll(filepath.Dir(settings), 0o755), os.WriteFile(settings, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		containers = append(containers, &engine.Container{Name: "own-" + r.product, Root: root,
			Mounts: []engine.Mount{{Target: "/home/wso2carbon/wso2-config-volume", Source: p.volume(r.product)}},
			Restart: func() error {
				mu.Lock()
				defer mu.Unlock()
				if other := servers[1-i]; !other.serves() {
					t.Errorf("%s restarts while %s does not serve", r.product, other.product)
				}
				r.count++
				r.server.Close()
				next, err := r.start(p)
				if err == nil {
					r.server = next
				}
				return err
			}})
	}
	t.Cleanup(func() {
		for _, r := range servers {
			r.server.Close()
		}
	})
	t.Setenv("DOCKER_HOST", engine.Start(t, containers...).Host)
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	defer loops.Wait()
	defer cancel()
	healths := map[string]*telemetry.Health{}
	for _, r := range servers {
		p.set(r.product, func(c *config.Config) {
			c.Restart.Method, c.IS.Container, c.AM.Container = "docker", "own-is", "own-am"
		})
		healths[r.product] = telemetry.NewHealth(time.Hour, trustCondition, restartCondition)
		k := p.agent(r.product).keeper(healths[r.product])
		loops.Go(func() { k.Run(ctx) })
	}
	p.until("both servers serve", func() bool { return servers[0].serves() && servers[1].serves() })
	for _, r := range servers {
		a := p.agent(r.product)
		loops.Go(func() { a.keepTrust(ctx, healths[r.product]) })
	}
	inStep := func() bool {
		for _, r := range servers {
			if a := p.agent(r.product); !healths[r.product].Ready() || !p.presentsOwn(a) {
				return false
			}
		}
		return true
	}
	counts := func() (is, am int) {
		mu.Lock()
		defer mu.Unlock()
		return servers[0].count, servers[1].count
	}
	p.until("both run with what is on disk", inStep)
	isBefore, amBefore := counts()
	if isBefore != 1 || amBefore != 1 { // the engine's clock shows an earlier start than that of the agents
		t.Errorf("IS has restarted %d times, API-M %d times", isBefore, amBefore)
	}
	keys, err := serverKeys() // the stand-in signs tokens with it, which needs RSA
	if err != nil {
		t.Fatal(err)
	}
	leaf := p.replaceBy(config.IS, keys[config.AM], "localhost", time.Now().Add(24*time.Hour))
	p.until("API-M trusts the new certificate of IS, and IS presents it", func() bool {
		served, err := wso2.Served(t.Context(), servers[0].address)
		return err == nil && served.Fingerprint() == leaf.Fingerprint() && inStep()
	})
	if is, am := counts(); is != 2 || am != 2 {
		t.Errorf("IS has restarted %d times, API-M %d times", is, am)
	}
}

// presentsOwn reports whether the server of an agent presents the certificate on its config volume.
func (p *place) presentsOwn(a Agent) bool {
	k := a.keeper(telemetry.NewHealth(time.Hour))
	return k.Serves(p.t.Context()) == nil
}
