package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2sim"
)

func TestWithoutTheRevocationHandlerTheWarningStaysInTheStatusAndInTheLastLine(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	c := p.condition(health, revocationCondition)
	if c.OK || !c.Advisory || !strings.Contains(c.Message, verify.StillValid) || !strings.Contains(c.Message, "ARTIFACTS=default") {
		t.Errorf("condition %+v", c)
	}
	p.until("the last line warns", func() bool {
		return strings.Contains(p.log.String(), `level=WARN msg="everything works, but revoked tokens stay valid`) && strings.Contains(p.log.String(), "APIs=1 changes=")
	})
}

func TestISsAgentSaysThatTheRevocationHandlerIsThereIfISLoadsIt(t *testing.T) {
	p := newPlace(t)
	volume, _ := p.withArtifacts()
	says := func(want bool, with string) {
		t.Helper()
		if err := p.agent(config.IS).Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.closing().Handler != want {
			t.Errorf("with %s it says %t, want %t", with, !want, want)
		}
	}
	put := func(version string) {
		t.Helper()
		jar, err := wso2sim.RevocationHandler(version)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(volume, filepath.Dir(handlerJar), "wso2is.notification.event.handlers-"+version+".jar")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, jar, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	says(false, "no handler")
	put("2.1.1")
	says(false, "the handler of a later IS")
	put("2.1.2")
	says(true, "one that it loads in another version")
}

func TestISsAgentSaysThatISMapsCertificatesToUsers(t *testing.T) {
	p := newPlace(t)
	for version, want := range map[string]bool{"7.2.0": false, "7.3.0": true} {
		release, err := product.Of(product.IS, version)
		if err != nil {
			t.Fatal(err)
		}
		p.set(config.IS, func(c *config.Config) { c.Release, c.Trust.Peers = release, nil })
		if err := p.agent(config.IS).Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.closing().CertificateUser; got != want {
			t.Errorf("IS %s: %t", version, got)
		}
	}
}

func TestTheGatewaysWaitIsMadeNextToAPIMOnly(t *testing.T) {
	p := newPlace(t)
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) { c.Settings.Mode, c.AM.Host = "merge", "wso2am" })
	}
	p.initBoth()
	for product, want := range map[string]bool{config.IS: false, config.AM: true} {
		text, err := os.ReadFile(p.cfg[product].DeploymentTOML())
		if err != nil || strings.Contains(string(text), "event_waiting_time = 100") != want {
			t.Errorf("%s: %v\n%s", product, err, text)
		}
	}
}
