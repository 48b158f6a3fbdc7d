package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// standIn starts a stand-in of IS with one API's scope and the keys of one application, publishes its certificate as
// its agent would, and sets IS_HOST and IS_PORT.
func standIn(ts *testscript.TestScript, _ bool, _ []string) {
	home := ts.MkAbs("is")
	ts.Check(wso2sim.UnpackWith(home, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 10}))
	ctx := context.Background()
	is, err := wso2sim.StartIS(ctx, wso2sim.Options{Home: home, Listen: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(func() { is.Close() })
	ts.Check(is.Wait(ctx))
	text, err := os.ReadFile(filepath.Join(home, "repository/resources/security/wso2carbon.p12"))
	ts.Check(err)
	store, err := keystore.Open(text, "wso2carbon")
	ts.Check(err)
	leaf, err := store.Leaf("wso2carbon")
	ts.Check(err)
	published := ts.MkAbs("exchange/wso2is/certs.pem")
	ts.Check(os.MkdirAll(filepath.Dir(published), 0o755))
	ts.Check(os.WriteFile(published, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.DER}), 0o644))
	address, err := url.Parse(is.URL())
	ts.Check(err)
	host, port, err := net.SplitHostPort(address.Host)
	ts.Check(err)
	ts.Setenv("IS_HOST", host)
	ts.Setenv("IS_PORT", port)
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

type pinned struct{ leaf keystore.Certificate }

func (p pinned) Pinned(string) ([]keystore.Fingerprint, bool, error) {
	return []keystore.Fingerprint{p.leaf.Fingerprint()}, true, nil
}
