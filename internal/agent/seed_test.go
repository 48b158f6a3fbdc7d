package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/wso2sim"
)

// reseed makes the product's volume what the seed step leaves on an empty one.
func (p *place) reseed(product, version string) {
	p.t.Helper()
	seed := filepath.Join(p.volume(product), ".agent", "seed")
	if err := os.RemoveAll(seed); err != nil {
		p.t.Fatal(err)
	}
	for _, folder := range []string{"repository/resources/security", "repository/conf"} {
		if err := os.CopyFS(filepath.Join(seed, folder), os.DirFS(filepath.Join(p.home(product), folder))); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(seed, "product"), []byte(version+"\n"), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) write(path, content string) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(path string) string {
	p.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func TestInitMakesAllThatTheFirstStartNeedsFromASeed(t *testing.T) {
	p := newPlace(t)
	for product, version := range map[string]string{config.IS: "wso2is-7.1.0", config.AM: "wso2am-4.5.0"} {
		if err := os.RemoveAll(p.volume(product)); err != nil {
			t.Fatal(err)
		}
		p.reseed(product, version)
		p.set(product, func(c *config.Config) { c.Settings.Mode, c.AM.Host, c.IS.Host = "merge", "wso2am", "wso2is" })
	}
	p.initBoth()
	settings := filepath.Join(p.volume(config.IS), "repository/conf/deployment.toml")
	for _, line := range []string{`hostname = "wso2is"`, `notification_endpoint = "https://wso2am:9443/internal/data/v1/notify"`, `context = "(.*)/scim2/Me"`} {
		if !strings.Contains(p.read(settings), line) {
			t.Errorf("%s lacks %s", settings, line)
		}
	}
	if !strings.Contains(p.log.String(), "IS now answers GET /scim2/Me to any valid token") {
		t.Error("what /scim2/Me opens is not told")
	}
	is, err := wso2sim.StartIS(t.Context(), wso2sim.Options{Home: p.home(config.IS), ConfigVolume: p.volume(config.IS), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatalf("the stand-in does not start with these files: %v", err)
	}
	is.Close()

	// A new image, with a setting that was not there, beside one that somebody has changed here.
	merged := strings.Replace(p.read(settings), `[super_admin]`, "# ours\n[ours]\nx = 1\n\n[super_admin]", 1)
	if err := os.WriteFile(settings, []byte(merged), 0o600); err != nil {
		t.Fatal(err)
	}
	p.reseed(config.IS, "wso2is-7.1.1")
	stock := filepath.Join(p.volume(config.IS), ".agent/seed/repository/conf/deployment.toml")
	if err := os.WriteFile(stock, []byte(p.read(stock)+"\n[new_in_this_version]\nenable = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := p.read(settings)
	for _, part := range []string{"# ours\n[ours]\nx = 1\n", "[new_in_this_version]\nenable = true\n", `hostname = "wso2is"`} {
		if !strings.Contains(now, part) {
			t.Errorf("after the upgrade the settings lack %q:\n%s", part, now)
		}
	}
	if !strings.Contains(p.log.String(), "the product's image has changed") {
		t.Error("the upgrade is not told")
	}
}

func TestASeedOfTheOtherProductIsRefused(t *testing.T) {
	p := newPlace(t)
	p.reseed(config.IS, "wso2am-4.5.0")
	before := p.read(filepath.Join(p.volume(config.IS), "repository/conf/deployment.toml"))
	err := p.agent(config.IS).Init(t.Context())
	if err == nil || !strings.Contains(err.Error(), "wso2am-4.5.0") || !strings.Contains(err.Error(), "PRODUCT") {
		t.Errorf("error %v", err)
	}
	if now := p.read(filepath.Join(p.volume(config.IS), "repository/conf/deployment.toml")); now != before {
		t.Error("the settings were touched")
	}
}
