package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/verify"
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

func TestISsAgentSaysThatTheRevocationHandlerIsThere(t *testing.T) {
	p := newPlace(t)
	volume, _ := p.withArtifacts()
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.closing().Handler {
		t.Fatal("it says so without a handler")
	}
	jar := filepath.Join(volume, filepath.Dir(handlerJar), "wso2is.notification.event.handlers-2.1.2.jar") // in another version
	if err := os.MkdirAll(filepath.Dir(jar), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jar, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.closing().Handler {
		t.Error("it does not say so with one")
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
