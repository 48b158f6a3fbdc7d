package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/wso2sim"
)

// launch runs the command until the test ends it, and returns its ready line and a function that does, which gives
// the exit code.
func launch(t *testing.T, args ...string) (ready string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, in, io.Discard)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no ready line, exit code %d", <-code)
	}
	go io.Copy(io.Discard, out) // nothing more is expected
	return strings.TrimSpace(line), func() int { cancel(); return <-code }
}

// get asks a server whose certificate this test does not judge.
func get(t *testing.T, address string) int {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestAServerServesFromAFreshHomeUntilItIsToldToEnd(t *testing.T) {
	for product, path := range map[string]string{
		wso2sim.ProductIS: "/oauth2/token/.well-known/openid-configuration",
		wso2sim.ProductAM: "/services/Version",
	} {
		home := filepath.Join(t.TempDir(), "home")
		ready, end := launch(t, product, "--home", home)
		words := strings.Fields(ready)
		if len(words) < 3 || words[0] != "ready" || words[1] != product {
			t.Fatalf("the ready line is %q", ready)
		}
		if status := get(t, words[2]+path); status != http.StatusOK {
			t.Errorf("%s answers %d", product, status)
		}
		if product == wso2sim.ProductAM && (len(words) != 5 || words[3] != "gateway") {
			t.Errorf("the ready line %q does not name the gateway", ready)
		}
		if code := end(); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if log, err := os.ReadFile(filepath.Join(home, "start.log")); err != nil || !strings.Contains(string(log), " "+product+"\n") {
			t.Errorf("the start log is %q: %v", log, err)
		}
	}
}

func TestTheBackendRepeatsTheNonce(t *testing.T) {
	ready, end := launch(t, "backend")
	defer end()
	resp, err := http.Get(strings.Fields(ready)[2] + "/a?nonce=mine")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"nonce":"mine"`) {
		t.Errorf("got %s: %v", body, err)
	}
}

func TestMistakesEndWithALineAndACode(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := wso2sim.UnpackWith(broken, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(broken, "repository/resources/security/wso2carbon.p12")
	if err := os.Truncate(store, 100); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"no arguments", nil, exitUsage, "usage:"},
		{"an unknown server", []string{"esb", "--home", "x"}, exitUsage, `"esb"`},
		{"an unknown flag", []string{"is", "--nosuch"}, exitUsage, "nosuch"},
		{"a negative delay", []string{"is", "--delay-scale", "-1"}, exitUsage, "usage:"},
		{"no home", []string{"is"}, exitFailed, "--home"},
		{"a store that is cut short", []string{"is", "--home", broken}, exitFailed, "wso2carbon.p12"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := run(t.Context(), tc.args, io.Discard, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(stderr.String(), tc.say) {
				t.Errorf("stderr does not say %q: %s", tc.say, stderr.String())
			}
		})
	}
}
