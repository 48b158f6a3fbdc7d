package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/keystore"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// standIn starts a stand-in of IS with one API's scope and the keys of one application, publishes its certificate as
// its agent would, and sets IS_HOST and IS_PORT.
func standIn(ts *testscript.TestScript, _ bool, _ []string) {
	ctx := context.Background()
	home := unpack(ts, wso2sim.ProductIS, "")
	is, err := wso2sim.StartIS(ctx, wso2sim.Options{Home: home, Listen: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(func() { is.Close() })
	ts.Check(is.Wait(ctx))
	leaf := publish(ts, home, "wso2carbon.p12", "wso2is")
	address(ts, is.URL(), "IS")
	hc := wso2.NewHTTPClient(pinned{leaf}, nil)
	post := func(path string, body map[string]any) {
		text, err := json.Marshal(body)
		ts.Check(err)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, is.URL()+path, bytes.NewReader(text))
		ts.Check(err)
		req.SetBasicAuth("admin", "admin")
		req.Header.Set("Content-Type", "application/json")
		resp, err := hc.Do(req)
		ts.Check(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			ts.Fatalf("POST %s: %s", path, resp.Status)
		}
	}
	scope := map[string]string{"name": "pay:read", "displayName": "pay:read", "description": "Reads payments"}
	post("/api/server/v1/api-resources", map[string]any{"name": "User-defined OAuth2 Resource", "identifier": "User-defined-oauth2-resource", "requiresAuthorization": true, "scopes": []any{scope}})
	for n, kind := range []string{"PRODUCTION", "SANDBOX"} {
		post("/api/identity/oauth2/dcr/v1.1/register", map[string]any{"client_name": fmt.Sprintf("ann_%08x-0000-4000-8000-000000000000_%s", n, kind), "ext_param_client_id": "clientof" + kind,
			"grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "token_type_extension": "JWT", "ext_allowed_audience": "organization"})
	}
}

// unpack makes the home of a product, and returns its path. version "" is the one that IS_VERSION or AM_VERSION names, or the recorded one.
func unpack(ts *testscript.TestScript, product, version string) (home string) {
	home = ts.MkAbs(product)
	ts.Check(wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Version: cmp.Or(version, ts.Getenv(strings.ToUpper(product)+"_VERSION")), Rounds: 10}))
	return home
}

// security is the path of a store in the home of a server.
func security(home, name string) string {
	return filepath.Join(home, "repository/resources/security", name)
}

func openStore(ts *testscript.TestScript, path string) *keystore.Store {
	data, err := os.ReadFile(path)
	ts.Check(err)
	store, err := keystore.Open(data, "wso2carbon")
	ts.Check(err)
	return store
}

// publish puts the certificate of a server on the exchange volume, as its agent would, and returns it.
func publish(ts *testscript.TestScript, home, store, name string) keystore.Certificate {
	leaf, err := openStore(ts, security(home, store)).Leaf("wso2carbon")
	ts.Check(err)
	published := ts.MkAbs(filepath.Join("exchange", name, "certs.pem"))
	ts.Check(os.MkdirAll(filepath.Dir(published), 0o755))
	ts.Check(os.WriteFile(published, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.DER}), 0o644))
	return leaf
}

// address sets the variables for the host and the port of a server.
func address(ts *testscript.TestScript, at, prefix string) {
	parsed, err := url.Parse(at)
	ts.Check(err)
	ts.Setenv(prefix+"_HOST", parsed.Hostname())
	ts.Setenv(prefix+"_PORT", parsed.Port())
}

// standIns [with-settings | am=VERSION] starts stand-ins of both servers, which trust each other and have what a new installation has. It publishes their
// certificates, and sets the variables with their addresses. With settings, IS also has those of its agent, and the handler of revocations.
func standIns(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	version, settled := "", len(args) > 0
	if settled {
		if v, other := strings.CutPrefix(args[0], "am="); other {
			version, settled = v, false
		}
	}
	isHome, amHome := unpack(ts, wso2sim.ProductIS, ""), unpack(ts, wso2sim.ProductAM, version)
	accept := func(path string, leaf keystore.Certificate) {
		store := openStore(ts, path)
		ts.Check(store.SetTrusted("peer", leaf, time.Time{}))
		data, err := store.Encode()
		ts.Check(err)
		ts.Check(os.WriteFile(path, data, 0o600))
	}
	accept(security(amHome, "client-truststore.jks"), publish(ts, isHome, "wso2carbon.p12", "wso2is"))
	accept(security(isHome, "client-truststore.p12"), publish(ts, amHome, "wso2carbon.jks", "wso2am"))
	am, err := wso2sim.StartAM(ctx, wso2sim.Options{Home: amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(func() { am.Close() })
	if settled {
		settle(ts, isHome, am.URL())
	}
	is, err := wso2sim.StartIS(ctx, wso2sim.Options{Home: isHome, Listen: "127.0.0.1:0", Faults: ts.Value("faults of IS").(*wso2sim.Faults)})
	ts.Check(err)
	ts.Defer(func() { is.Close() })
	ts.Check(is.Wait(ctx))
	ts.Check(am.Wait(ctx))
	address(ts, is.URL(), "IS")
	address(ts, am.URL(), "AM")
	address(ts, am.GatewayURL(), "GW")
}

// hideKeys N has API-M not show a key of IS, N times: IS answers the question for the client with HTTP 503.
func hideKeys(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	_, err = ts.Value("faults of IS").(*wso2sim.Faults).Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Method: "GET", Path: "/api/identity/oauth2/dcr/v1.1/register/*", Count: n})
	ts.Check(err)
}

// settle makes the settings of an IS as its agent does, with the handler that reports revoked tokens to the API-M at an address.
func settle(ts *testscript.TestScript, home, am string) {
	at, err := url.Parse(am)
	ts.Check(err)
	port, err := strconv.Atoi(at.Port())
	ts.Check(err)
	path := filepath.Join(home, "repository/conf/deployment.toml")
	shipped, err := os.ReadFile(path)
	ts.Check(err)
	needs := server.Needs{Product: config.IS, Hostname: "localhost", User: "admin", Password: "admin", AMHost: "localhost", AMPort: port, AMUser: "admin", AMPassword: "admin"}
	text, _, _, err := needs.Merge(shipped, nil, false)
	ts.Check(err)
	ts.Check(os.WriteFile(path, text, 0o600))
	ts.Check(wso2sim.WriteRevocationHandler(home))
}

// bootstrapped brings both servers to the desired state of a file as agent bootstrap does, but does not wait for the agents next to the
// servers, and does not verify the result.
func bootstrapped(path string) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), path)
	if err != nil {
		return err
	}
	settings := bootstrap.SettingsOf(cfg, &bootstrap.Accounts{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	hc := wso2.NewHTTPClient(trust.PinsOf(cfg), nil)
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(dir, "keys.json")}} // so that no later command finds a record
	_, err = apply.Bootstrap(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)), hc, settings, files, f)
	return err
}

// recorded writes the record of an agent that has made or adopted what a file names.
func recorded(path string) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), path)
	if err != nil {
		return err
	}
	settings := bootstrap.SettingsOf(cfg, &bootstrap.Accounts{})
	want, err := actual.Want(context.Background(), f, settings)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	have, err := actual.Read(ctx, actual.Connect(wso2.NewHTTPClient(trust.PinsOf(cfg), nil), settings), want)
	if err != nil {
		return err
	}
	record := owned.New()
	record.Settle(plan.Compare(want, have).Found, nil)
	return record.Save(owned.Path(cfg.Bootstrap.KeysFile))
}

type pinned struct{ leaf keystore.Certificate }

func (p pinned) Pinned(string) ([]keystore.Fingerprint, bool, error) {
	return []keystore.Fingerprint{p.leaf.Fingerprint()}, true, nil
}
