// Package test runs independent clients against the stand-ins, each a process of its own.
package test

import (
	"bufio"
	"context"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2sim"
)

const security = "repository/resources/security"

// store is where a product keeps its key, and whom it trusts.
type store struct{ key, trust string }

var stores = map[string]store{
	wso2sim.ProductIS: {"wso2carbon.p12", "client-truststore.p12"},
	wso2sim.ProductAM: {"wso2carbon.jks", "client-truststore.jks"},
}

// program builds the stand-ins' command.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wso2sim")
	run(t, exec.CommandContext(t.Context(), testenv.Command(t, "go"), "build", "-o", path, "wso2agent/cmd/wso2sim"))
	return path
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, out)
	}
	return string(out)
}

// start runs a stand-in, or the backend, and returns the words of its ready line.
func start(t *testing.T, program string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	log := &testenv.Buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it was ended by the context of the test
		if t.Failed() {
			t.Log(log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v is not ready: %v\n%s", args, err, log)
	}
	go io.Copy(io.Discard, out)
	return strings.Fields(line)
}

// byName is an address with the name that stands in the certificate.
func byName(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://localhost:" + u.Port()
}

// exchange has keytool put each server's certificate into the other's truststore, and returns them as PEM files.
func exchange(t *testing.T, homes map[string]string) map[string]string {
	t.Helper()
	keytool := func(args ...string) {
		t.Helper()
		args = append(args, "-storepass", "wso2carbon")
		run(t, exec.CommandContext(t.Context(), testenv.Command(t, "keytool"), args...))
	}
	pems := map[string]string{}
	for product, s := range stores {
		pems[product] = filepath.Join(t.TempDir(), product+".pem")
		keytool("-exportcert", "-rfc", "-alias", "wso2carbon", "-keystore", filepath.Join(homes[product], security, s.key), "-file", pems[product])
	}
	for product, peer := range map[string]string{wso2sim.ProductIS: wso2sim.ProductAM, wso2sim.ProductAM: wso2sim.ProductIS} {
		keytool("-importcert", "-noprompt", "-alias", "wso2"+peer, "-file", pems[peer], "-keystore", filepath.Join(homes[product], security, stores[product].trust))
	}
	return pems
}

func TestTheGuidesStepsAsCorrectedRunThroughWithCurl(t *testing.T) {
	bash := testenv.Command(t, "bash")
	for _, name := range []string{"curl", "jq", "keytool", "openssl"} {
		testenv.Command(t, name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	sim, homes := program(t), map[string]string{}
	for product := range stores {
		homes[product] = filepath.Join(t.TempDir(), product)
		if err := wso2sim.UnpackWith(homes[product], product, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	pems := exchange(t, homes)
	backend := start(t, sim, "backend")
	is := start(t, sim, "is", "--home", homes[wso2sim.ProductIS])
	am := start(t, sim, "am", "--home", homes[wso2sim.ProductAM])
	script, err := os.Open("guide.sh") // not by its name: the cache of go test knows only what the test itself opens
	if err != nil {
		t.Fatal(err)
	}
	defer script.Close()
	guide := exec.CommandContext(ctx, bash)
	guide.Stdin = script
	guide.Env = append(os.Environ(),
		"AM="+byName(t, am[2]), "GATEWAY="+byName(t, am[4]), "IS="+byName(t, is[2]), "BACKEND="+backend[2],
		"AM_CERT="+pems[wso2sim.ProductAM], "IS_CERT="+pems[wso2sim.ProductIS])
	out := run(t, guide)
	for _, step := range []string{
		"readiness", "client registration", "token of the REST APIs", "key manager", "API", "revision", "deployment", "publishing",
		"application", "subscription", "keys", "token of Identity Server", "call", "call without a token",
	} {
		if !strings.Contains(out, "\nok "+step) && !strings.HasPrefix(out, "ok "+step) {
			t.Errorf("the step %q did not pass:\n%s", step, out)
		}
	}
	if !strings.HasSuffix(out, "\ndone\n") {
		t.Errorf("it ended with\n%s", out)
	}
}
