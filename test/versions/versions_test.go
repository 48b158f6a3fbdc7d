// Package versions runs the whole life of two servers with stand-ins of other versions than the recorded ones, and holds the agent's table of
// versions against what the stand-ins do.
package versions

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wso2agent/internal/product"
	"wso2agent/internal/wso2sim"
)

// versions are those of a pair of servers.
type versions struct{ is, am string }

// pairs are those that are run: the releases that came out together, and the extremes crossed. The whole life
// of the first two and the first start of the first one are in every run of the tests, and VERSIONS=all runs all.
var pairs = []versions{
	{"7.3.0", "4.7.0"}, {"7.0.0", "4.4.0"},
	{"7.1.0", "4.5.0"}, {"7.2.0", "4.6.0"}, {"7.0.0", "4.7.0"}, {"7.3.0", "4.4.0"},
}

// TestTwoServers runs both lives of pairs.
func TestTwoServers(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./cmd/agent", "./cmd/wso2sim", "./cmd/demo")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, p := range pairs {
		all := os.Getenv("VERSIONS") == "all"
		if i < 2 || all {
			t.Run("the whole life of IS "+p.is+" and API-M "+p.am, func(t *testing.T) { t.Parallel(); wholeLife(t, root, bin, p) })
		}
		if i < 1 || all {
			t.Run("the first start of IS "+p.is+" and API-M "+p.am, func(t *testing.T) { t.Parallel(); firstStart(t, root, bin, p) })
		}
	}
}

// wholeLife runs the demo, which asks the servers itself after each step: both start, their agents exchange certificates and make the desired
// state, a second run changes nothing, both start again with certificates that agent init issues, these rotate, and agent verify finds nothing
// wrong.
func wholeLife(t *testing.T, root, bin string, p versions) {
	demo := exec.CommandContext(t.Context(), filepath.Join(bin, "demo"), "-bin", bin, "-is", p.is, "-am", p.am,
		"-apis", filepath.Join(root, "examples/api-config.yaml"))
	if out, err := demo.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// allScopes has the kinds of both tables next to each other.
var allScopes = map[product.AllScopes]wso2sim.AllScopes{
	product.AllWithInternal: wso2sim.AllOfThem, product.AllUnlessOwn: wso2sim.AllOrOwn, product.AllButInternal: wso2sim.AllButInternal,
}

// The stand-ins have a table of their own, so that a misreading is not made twice.
func TestTheAgentAndTheStandInsAgreeAboutEachVersion(t *testing.T) {
	for _, p := range []string{product.IS, product.AM} {
		for _, minor := range product.Versions(p) {
			version := minor + ".0"
			agent, err := product.Of(p, version)
			if err != nil {
				t.Fatal(err)
			}
			b, err := wso2sim.BehaviourOf(p, version)
			if err != nil {
				t.Errorf("the stand-ins lack a version: %v", err)
				continue
			}
			for what, pair := range map[string][2]any{
				"Keystore": {agent.Keystore, b.Keystore}, "Truststore": {agent.Truststore, b.Truststore}, "JDK": {agent.JDK, b.Java},
				"AgentDatabase": {agent.AgentDatabase, b.AgentDatabase}, "EncryptionKeyMade": {agent.EncryptionKeyMade, b.MakesKey},
				"SecretsShownOnce": {agent.SecretsShownOnce, b.SecretsOnce}, "ReloadsTrust": {agent.ReloadsTrust, b.ReloadsTrust},
				"KeyManagerByTLS": {agent.KeyManagerByTLS, b.MutualTLS}, "TokensNotStored": {agent.TokensNotStored, b.TokensNotStored},
				"HandlerOSGi": {agent.HandlerOSGi, b.OSGi}, "CertificateUser": {agent.CertificateUser, b.MappedCertificate},
				"AllScopes": {allScopes[agent.AllScopes], b.AllScopes}, "ScopeArray": {agent.ScopeArray, b.ScopeArray},
				"TLS13": {agent.TLS13 || p == product.AM, b.TLS == tls.VersionTLS13},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s of %s: the agent has %v, and the stand-in %v", what, agent.Name(), pair[0], pair[1])
				}
			}
		}
	}
}

// TestTheHandlerOfEachVersionResolves has the stand-in judge the version of the handler that the agent installs.
func TestTheHandlerOfEachVersionResolves(t *testing.T) {
	for _, minor := range product.Versions(product.IS) {
		release, err := product.Of(product.IS, minor+".0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := wso2sim.BehaviourOf(product.IS, minor+".0")
		if err != nil {
			t.Fatal(err)
		}
		if why := b.Resolves(release.Handler); why != "" {
			t.Errorf("handler %s in %s: %s", release.Handler, release.Name(), why)
		}
	}
}
