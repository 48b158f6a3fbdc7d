package up

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

func TestOtherCommandsReachTheSameServers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, value := range map[string]string{"AM_ADMIN_PASS": "s3cret", "IS_ADMIN_PASS_FILE": "is.pass", "KM_NAME": "My IS", "PEERS": "", "VHOST": "gw",
		"RESTART": "webhook", "RESTART_URL": "https://ops/s3cret", "RESTART_URL_SECRET": "s3cret", "RESTART_COMMAND": "/bin/restart s3cret", "RESTART_FILE": "/restart", "RESTART_WINDOW": "1h"} {
		t.Setenv(name, value)
	}
	if err := os.WriteFile("is.pass", []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Bootstrap.File, cfg.Bootstrap.KeysFile = "apis.yaml", "keys.json"
	of := func(product, address, name string, digit byte) side {
		s := side{Target: Target{Product: product}}
		s.place = &container{facts: docker.Container{Name: name}}
		s.Side = Side{Address: address, Certificate: keystore.Certificate{DER: []byte{digit}}}
		return s
	}
	is, am := of("is", "localhost:19443", "shop-is", 1), of("am", "localhost:19444", "shop-am", 2)
	r, err := Options{Config: cfg}.reached(is, am)
	if err != nil {
		t.Fatal(err)
	}
	got := string(Env(r, os.Getenv))
	want := envHead + "PEER_PINS=wso2is=" + is.Certificate.Fingerprint().String() + ",wso2am=" + am.Certificate.Fingerprint().String() + `
CONNECT_TO=shop-is:9443=localhost:19443
IS_HOST=shop-is
IS_PORT=9443
IS_ADMIN_PASS_FILE=DIR/is.pass
IS_CONTAINER=shop-is
AM_HOST=localhost
AM_PORT=19444
# AM_ADMIN_PASS is a secret: set it, or AM_ADMIN_PASS_FILE
AM_CONTAINER=shop-am
GW_HOST=localhost
GW_PORT=8243
VHOST=gw
KM_NAME='My IS'
KM_TOKEN_ENDPOINT=https://shop-is:9443/oauth2/token
API_CONFIG=DIR/apis.yaml
KEYS_FILE=DIR/keys.json
`
	if got = strings.ReplaceAll(got, dir, "DIR"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// With these settings, and without PRODUCT, each address has its pin.
	for _, line := range strings.Split(strings.TrimPrefix(got, envHead), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			t.Setenv(name, strings.ReplaceAll(strings.Trim(value, "'"), "DIR", dir))
		}
	}
	other, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]keystore.Certificate{"shop-is:9443": is.Certificate, "localhost:19443": is.Certificate, "localhost:19444": am.Certificate, "localhost:8243": am.Certificate} {
		pins, peer, err := trust.PinsOf(other).Pinned(address)
		if err != nil || !peer || len(pins) != 1 || pins[0] != want.Fingerprint() {
			t.Errorf("%s: %v, %t, %v", address, pins, peer, err)
		}
	}
}

func TestAFileOfSomebodyElseIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), EnvFile)
	if err := CheckEnv(path); err != nil {
		t.Errorf("no file: %v", err)
	}
	for content, ours := range map[string]bool{envHead + "IS_HOST=x\n": true, "IS_HOST=x\n": false, "": false} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := CheckEnv(path); ours != (err == nil) || err != nil && !errors.Is(err, ErrPermanent) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
