//go:build compose

package compose

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reloading makes both stand-ins look for a new certificate twenty times as often as the products.
const reloading = `services:
  wso2is: {environment: {RELOAD_SCALE: "0.05"}}
  wso2am: {environment: {RELOAD_SCALE: "0.05"}}
`

// reloadSoon adds reloading to the world's files. Real servers look when they look.
func (w *world) reloadSoon() {
	w.t.Helper()
	if real() {
		return
	}
	path := filepath.Join(w.t.TempDir(), "reload.yml")
	if err := os.WriteFile(path, []byte(reloading), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.files = []string{"compose.yml", "compose.override.yml", path}
}

// endpoint is a TLS port of a server, as its container has it.
type endpoint struct{ name, service, address string }

// endpoints are the ports that serve a new certificate without a restart.
func (w *world) endpoints() (all []endpoint) {
	w.t.Helper()
	for service, ports := range map[string][]string{"wso2is": {"9443"}, "wso2am": {"9443", "8243", "8099"}} {
		for _, port := range ports {
			all = append(all, endpoint{service + ":" + port, service, w.address(service, port)})
		}
	}
	return all
}

// address is where a port of a container is reached from this machine, published or not.
func (w *world) address(service, port string) string {
	w.t.Helper()
	addresses := strings.Fields(w.inspect(service, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"))
	if len(addresses) == 0 {
		w.t.Fatalf("%s is on no network", service)
	}
	return net.JoinHostPort(addresses[0], port)
}

// ahead are the certificates that both agents have published: those in use, and those that peers trust in advance.
func (w *world) ahead() *x509.CertPool {
	w.t.Helper()
	pool := x509.NewCertPool()
	for _, server := range []string{"wso2is", "wso2am"} {
		for _, file := range []string{"certs.pem", "successors.pem"} {
			if !pool.AppendCertsFromPEM(w.file("am-agent", "/exchange/"+server+"/"+file)) {
				w.t.Fatalf("%s has published no certificate in %s", server, file)
			}
		}
	}
	return pool
}

// inUse is the certificate that a server's agent publishes as the one in use.
func (w *world) inUse(server string) []byte {
	w.t.Helper()
	block, _ := pem.Decode(w.file("am-agent", "/exchange/"+server+"/certs.pem"))
	if block == nil {
		w.t.Fatalf("%s has published no certificate", server)
	}
	return block.Bytes
}

// served is the certificate that a port serves to somebody who trusts a pool.
func served(e endpoint, trusted *x509.CertPool) ([]byte, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", e.address, &tls.Config{RootCAs: trusted, ServerName: e.service})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw, nil
}

// load is what verified clients of both servers have seen. They trust only what the servers trusted at their start.
type load struct {
	connections, calls, failed atomic.Int64
	mu                         sync.Mutex
	errors                     []string // the first ones
	stop                       chan struct{}
	running                    sync.WaitGroup
}

func (l *load) fail(what string) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errors) < 10 {
		l.errors = append(l.errors, time.Now().Format(time.StampMilli)+" "+what)
	}
}

// repeat does something every 50 ms, or as often as it can.
func (l *load) repeat(do func()) {
	l.running.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			case <-time.After(50 * time.Millisecond):
				do()
			}
		}
	})
}

// end stops the load, which must have been one, and in which nothing may have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	t.Logf("%d verified connections and %d API calls, %d failed", l.connections.Load(), l.calls.Load(), l.failed.Load())
	for _, e := range l.errors {
		t.Error(e)
	}
	if l.failed.Load() > 0 || l.connections.Load() < 100 || l.calls.Load() < 100 {
		t.Error("something failed, or there was hardly any load")
	}
}

// load makes new verified connections to all endpoints, and calls an API: over one connection that stays, and over new ones.
func (w *world) load(trusted *x509.CertPool) *load {
	w.t.Helper()
	l := &load{stop: make(chan struct{})}
	for _, e := range w.endpoints() {
		l.repeat(func() {
			if _, err := served(e, trusted); err != nil {
				l.fail("connect to " + e.name + ": " + err.Error())
			}
			l.connections.Add(1)
		})
	}
	token := strings.TrimSpace(w.must("exec", "-T", "am-agent", "/agent", "token"))
	for _, anew := range []bool{false, true} {
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: "wso2am"}, DisableKeepAlives: anew,
		}}
		request, err := http.NewRequest("GET", "https://"+w.address("wso2am", "8243")+"/payments/1.0.0/pay", nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		l.repeat(func() {
			if resp, err := client.Do(request); err != nil {
				l.fail("call an API: " + err.Error())
			} else if resp.Body.Close(); resp.StatusCode != 200 {
				l.fail("call an API: " + resp.Status)
			}
			l.calls.Add(1)
		})
	}
	return l
}

// undisturbed is what a rotation without a restart leaves as it is: containers, starts of the servers, and the truststores that
// running servers have read.
func (w *world) undisturbed() map[string]string {
	w.t.Helper()
	state := map[string]string{}
	for _, service := range []string{"wso2is", "wso2am", "is-agent", "am-agent", "backend"} {
		state[service] = w.inspect(service, "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}")
	}
	for _, p := range []product{is, am} {
		state["starts of "+p.service] = strconv.Itoa(w.starts(p.service))
		sum := sha256.Sum256(w.file(p.service, p.home+p.store))
		state["truststore in the home of "+p.service] = string(sum[:])
	}
	return state
}

func (w *world) wantUndisturbed(before map[string]string) {
	w.t.Helper()
	for what, now := range w.undisturbed() {
		if now != before[what] {
			w.t.Errorf("%s was %q, and is %q", what, before[what], now)
		}
	}
}

func TestBothServersRotateUnderLoadWithoutARestart(t *testing.T) {
	w := newWorld(t)
	w.reloadSoon()
	w.up()
	w.wantStarts(1, 1)
	trusted, before, endpoints := w.ahead(), w.undisturbed(), w.endpoints()
	events := endpoint{"wso2am:9711", "wso2am", w.address("wso2am", "9711")}
	atStart, err := served(events, trusted)
	if err != nil {
		t.Fatal(err)
	}
	l := w.load(trusted)
	for i := range 3 {
		began := time.Now()
		old := map[string][]byte{"wso2is": w.inUse("wso2is"), "wso2am": w.inUse("wso2am")}
		var requests sync.WaitGroup
		for server, agent := range map[string]string{"wso2is": "is-agent", "wso2am": "am-agent"} {
			requests.Go(func() {
				out, err := w.try("exec", "-T", agent, "/agent", "certs", "rotate")
				if err != nil || !strings.HasPrefix(out, "no restart: all servers trust the next certificate, and "+server) {
					t.Errorf("rotation %d: the agent of %s does not announce a rotation without a restart: %v\n%s", i+1, server, err, out)
				}
			})
		}
		requests.Wait()
		w.eventually(2*time.Minute, "all ports serve a new certificate, which is the published one", func() bool {
			return !slices.ContainsFunc(endpoints, func(e endpoint) bool {
				leaf, err := served(e, trusted)
				return err != nil || bytes.Equal(leaf, old[e.service]) || !bytes.Equal(leaf, w.inUse(e.service))
			})
		})
		t.Logf("rotation %d: %s", i+1, time.Since(began).Round(100*time.Millisecond))
		w.eventually(30*time.Second, "both agents say that their server is in step", func() bool {
			return w.inStep("is-agent") && w.inStep("am-agent")
		})
	}
	l.end(t)
	w.works()
	w.wantUndisturbed(before)
	if leaf, err := served(events, trusted); err != nil || !bytes.Equal(leaf, atStart) {
		t.Errorf("9711 does not keep the certificate of the start: %v", err)
	}
}

// With RELOAD=off the servers lose the lines for the reload, and the owner of a new certificate restarts. Its peer trusts the
// certificate already.
func TestWithoutReloadsOnlyTheOwnerRestarts(t *testing.T) {
	w := newWorld(t)
	w.reloadSoon()
	w.up()
	const template, logging = "repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2", "repository/conf/log4j2.properties"
	lines := map[string]string{template: "TLSCertificateReloadListener", logging: "org.apache.tomcat.util.net"}
	has := func(p product, dir, path string) bool {
		text, err := exec.Command("docker", "exec", w.container(p.service), "cat", dir+path).Output()
		return err == nil && bytes.Contains(text, []byte(lines[path]))
	}
	for _, off := range []bool{false, true} {
		if off {
			w.env["RELOAD"] = "off"
			w.up()
		}
		for _, p := range []product{is, am} {
			for path := range lines {
				for _, dir := range []string{"/home/wso2carbon/wso2-config-volume/", p.home} {
					if has(p, dir, path) == off {
						t.Errorf("%s of %s: RELOAD is off: %v, and the lines for the reload are there: %v", dir+path, p.service, off, has(p, dir, path))
					}
				}
			}
		}
	}
	w.wantStarts(1, 1) // of new containers
	published := w.inUse("wso2is")
	if said := w.must("exec", "-T", "is-agent", "/agent", "certs", "rotate"); !strings.HasPrefix(said, "these servers restart, one after the other: wso2is\n  wso2is: RELOAD is off\n") {
		t.Errorf("the agent does not announce that IS alone restarts:\n%s", said)
	}
	e := endpoint{"IS", "wso2is", w.address("wso2is", "9443")}
	w.eventually(2*time.Minute, "IS serves another certificate", func() bool {
		leaf, err := served(e, w.ahead())
		return err == nil && !bytes.Equal(leaf, published) && bytes.Equal(leaf, w.inUse("wso2is"))
	})
	w.ready("wso2is", "wso2am", "is-agent", "am-agent")
	w.works()
	w.wantStarts(2, 1)
}

// inStep reports whether a sidecar is ready: its server runs with what is on disk, among other things.
func (w *world) inStep(agent string) bool {
	_, err := w.try("exec", "-T", agent, "/agent", "probe")
	return err == nil
}
