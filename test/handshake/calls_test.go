package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

func (w *world) apiConfig() string { return filepath.Join(w.dir, "api-config.yaml") }
func (w *world) keysFile() string  { return filepath.Join(w.dir, "application-keys.json") }

// serveAPIs writes the example of APIs with a backend that is there.
func (w *world) serveAPIs() {
	w.t.Helper()
	backend, err := wso2sim.StartBackend("127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { backend.Close() })
	config, err := os.ReadFile("../../examples/api-config.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	config = regexp.MustCompile(`(?m)(backend_url: *)\S+`).ReplaceAll(config, []byte("${1}"+backend.URL()))
	if err := os.WriteFile(w.apiConfig(), config, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// caller gets tokens from IS and calls an API through the gateway with them.
type caller struct {
	tokens, calls int
	failed        []string
	is, gateway   string
	key, secret   string
	// A new connection for each call, and one that lasts as long as the server keeps it.
	fresh, lasting *http.Client
}

// call has an API called all the time, as soon as a call succeeds. The function that it returns ends that, and fails if one
// has failed.
func (w *world) call() (end func()) {
	w.t.Helper()
	roots := x509.NewCertPool() // what the servers trust at their start, and nothing later
	for _, s := range w.sides() {
		_, entries, err := (trust.Store{Path: filepath.Join(s.home, securityDir, s.truststore()), Password: password}).List(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			if parsed, err := e.Chain[0].Parse(); err == nil && e.Kind == keystore.TrustedCertificate {
				roots.AddCert(parsed)
			}
		}
	}
	client := func(fresh bool) *http.Client {
		return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: fresh, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	}
	c := &caller{is: "https://localhost:" + w.is.port, gateway: "https://localhost:" + w.am.gateway, fresh: client(true), lasting: client(false)}
	w.until("a call succeeds", func() bool {
		c.readKeys(w.keysFile())
		return c.key != "" && c.round(w.t.Context()) == nil
	})
	c.tokens, c.calls, c.failed = 0, 0, nil
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := c.round(context.WithoutCancel(ctx)); err != nil {
				c.failed = append(c.failed, time.Now().UTC().Format(time.RFC3339Nano)+" "+err.Error())
			}
		}
	}()
	return func() {
		w.t.Helper()
		cancel()
		<-done
		w.t.Logf("%d tokens and %d calls through the gateway: %d failed", c.tokens, c.calls, len(c.failed))
		for _, line := range c.failed[:min(5, len(c.failed))] {
			w.t.Error(line)
		}
		if c.tokens < 20 || c.calls < 400 {
			w.t.Error("too few for a load")
		}
	}
}

func (c *caller) readKeys(path string) {
	var keys struct {
		Production struct {
			Key    string `json:"consumerKey"`
			Secret string `json:"consumerSecret"`
		} `json:"production"`
	}
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &keys) == nil {
		c.key, c.secret = keys.Production.Key, keys.Production.Secret
	}
}

// round gets a token and calls the API with it some times.
func (c *caller) round(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.is+"/oauth2/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.key, c.secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	body, err := do(c.fresh, req)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	c.tokens++
	for n := range 20 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.gateway+"/payments/1.0.0/hello", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+answer.Token)
		if _, err := do([]*http.Client{c.fresh, c.lasting}[n%2], req); err != nil {
			return fmt.Errorf("call the API: %w", err)
		}
		c.calls++
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %d: %.200s", resp.StatusCode, body)
	}
	return body, err
}
