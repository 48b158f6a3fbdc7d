package main

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"wso2agent/internal/keystore"
	"wso2agent/internal/up"
	"wso2agent/internal/wso2sim"
)

// homes starts stand-ins of both servers in the homes is and am, as freshly unpacked, and a backend and api-config.yaml. It sets
// IS_URL and AM_URL with their addresses, and GW_PORT. A person restarts each server once its truststore has changed.
func homes(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, stop := context.WithCancel(context.Background())
	var people sync.WaitGroup
	ts.Defer(people.Wait)
	ts.Defer(stop)
	launch := func(product, variable, truststore string) {
		home := unpack(ts, product, "")
		o := wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
		server, err := wso2sim.Launch(ctx, product, o)
		ts.Check(err)
		ts.Check(server.Wait(ctx))
		ts.Setenv(variable, server.URL())
		o.Listen = hostPort(ts, server.URL())
		if at := server.GatewayURL(); at != "" {
			o.Gateway = hostPort(ts, at)
			address(ts, at, "GW")
			ts.Setenv("GW_HOST", "")
		}
		shipped, err := os.ReadFile(security(home, truststore))
		ts.Check(err)
		people.Go(func() {
			defer func() { server.Close() }()
			for now := shipped; err != nil || bytes.Equal(now, shipped); now, err = os.ReadFile(security(home, truststore)) {
				select {
				case <-ctx.Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
			server.Close()
			if next, err := wso2sim.Launch(ctx, product, o); err == nil { // else the script fails, because nothing answers
				server = next
			}
			<-ctx.Done()
		})
	}
	launch(wso2sim.ProductIS, "IS_URL", "client-truststore.p12")
	launch(wso2sim.ProductAM, "AM_URL", "client-truststore.jks")
	backend, err := wso2sim.StartBackend("127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { backend.Close() })
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "api-config.yaml"), []byte("rest_apis:\n- {name: Payments, context: /payments, version: 1.0.0, backend_url: '"+backend.URL()+"'}\n"+
		"application: {name: Shop, throttling_policy: Unlimited}\nsubscriptions:\n- {api_name: Payments, throttling_policy: Unlimited}\n"), 0o600))
}

func hostPort(ts *testscript.TestScript, at string) string {
	parsed, err := url.Parse(at)
	ts.Check(err)
	return parsed.Host
}

func TestAPersonSeesWhatToTrust(t *testing.T) {
	shown := []up.Shown{{Server: "IS", URL: "https://localhost:9443", Subject: "CN=localhost\x1b[2J,O=WSO2", Names: []string{"localhost", "127.0.0.1\n\u202e"}, Shipped: true, Expires: time.Date(2026, 1, 8, 10, 0, 0, 0, time.UTC), Fingerprint: keystore.Fingerprint{0xab, 1}}}
	const want = "IS at https://localhost:9443 presents this certificate:\n" +
		"  subject  CN=localhost\\x1b[2J,O=WSO2\n  names    localhost, 127.0.0.1\\n\\u202e\n  expires  2026-01-08T10:00:00Z\n" +
		"  warning  WSO2 ships this certificate: everybody has its key\n" +
		"  SHA-256  AB:01:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\n"
	var out bytes.Buffer
	if err := showCertificates(&out, shown); err != nil || out.String() != want {
		t.Errorf("error %v\n%s", err, &out)
	}
}
