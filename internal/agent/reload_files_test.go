package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/seed"
)

// reloads reports which of the two has what makes the server load a new TLS certificate while it runs: the template on the
// config volume of the product, and its deployment.toml.
func (p *place) reloads(product string) (template, settings bool) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.volume(product), seed.TomcatTemplate))
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	return seed.HasReload(text), strings.Contains(p.read(filepath.Join(p.volume(product), "repository/conf/deployment.toml")), `ssl_profile_interval = "60000"`)
}

func TestOnlyAnInitBeforeTheStartMakesWhatTheReloadNeeds(t *testing.T) {
	p := newPlace(t)
	for product, version := range map[string]string{config.IS: "wso2is-7.1.0", config.AM: "wso2am-4.5.0"} {
		p.reseed(product, version)
		template := filepath.Join(p.volume(product), ".agent", "seed", seed.TomcatTemplate)
		if err := os.MkdirAll(filepath.Dir(template), 0o755); err != nil {
			t.Fatal(err)
		}
		p.write(template, "<Server>\n    <Service>\n")
		p.set(product, func(c *config.Config) {
			c.Settings.Mode, c.AM.Host, c.IS.Host, c.TLS.Mode, c.TLS.Reload = "merge", "wso2am", "wso2is", "issue", "auto"
		})
	}
	check := func(when string, want bool) {
		t.Helper()
		for _, product := range []string{config.IS, config.AM} {
			template, settings := p.reloads(product)
			if template != want || settings != (want && product == config.AM) {
				t.Errorf("%s: %s has the template %t, and the gateway's settings %t", when, product, template, settings)
			}
		}
	}
	// change sets RELOAD while both servers run, and stops them before the last init.
	change := func(reload string) {
		t.Helper()
		was, stop := reload != "auto", []func(){}
		for _, product := range []string{config.IS, config.AM} {
			p.started(product, "as before")
			leave, ok, err := file.TryLock(filepath.Join(ControlDir(p.agent(product).cfg), "running"))
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			p.set(product, func(c *config.Config) { c.TLS.Reload = reload })
			p.steps(product)()
			stop = append(stop, leave)
		}
		check("after a pass of the sidecar, with RELOAD="+reload, was)
		p.initBoth()
		check("after an init next to running servers, with RELOAD="+reload, was)
		for _, leave := range stop {
			leave()
		}
		p.initBoth()
		check("after an init before the start, with RELOAD="+reload, !was)
	}
	p.initBoth()
	check("after the first init", true)
	change("off")
	change("auto")
}
