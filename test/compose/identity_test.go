//go:build compose

package compose

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/wso2sim"
)

// withHandler lists what IS's image lacks, a stand-in of it, at an address where nobody answers, for both servers. It returns a function that puts
// it into the folder that agents look into in place of the network: README tells how.
func (w *world) withHandler() (arrive func()) {
	w.t.Helper()
	files, made := w.t.TempDir(), w.t.TempDir()
	const name = "wso2is.notification.event.handlers-2.0.5.jar"
	if err := wso2sim.WriteRevocationHandler(made); err != nil {
		w.t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join(w.dir, "examples/api-config.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(files, "api-config.yaml"), example, 0o644)
	}
	if err == nil {
		list := "artifacts:\n  - {url: \"https://127.0.0.1:1/" + name + "\", destination: repository/components/dropins/" + name + "}\n"
		err = os.WriteFile(filepath.Join(files, "artifacts.yaml"), []byte(list), 0o644)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(files, "artifacts"), 0o755)
	}
	if err == nil {
		err = os.Chmod(files, 0o755)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.env["FILES_DIR"], w.env["ARTIFACTS_FILE"], w.env["ARTIFACT_SOURCE_DIR"] = files, "/config/artifacts.yaml", "/config/artifacts"
	return func() {
		w.t.Helper()
		jar, err := os.ReadFile(filepath.Join(made, "repository/components/dropins", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(files, "artifacts", "new"), jar, 0o644)
		}
		if err == nil {
			err = os.Rename(filepath.Join(files, "artifacts", "new"), filepath.Join(files, "artifacts", name))
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// gateway calls an API with a token and returns the status.
func (w *world) gateway(token string) int {
	w.t.Helper()
	req, err := http.NewRequest("GET", w.published(8243)+"/payments/1.0.0/pay", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// handlerArrives brings a world up whose IS lacks the handler at first, and gets it later.
func (w *world) handlerArrives() {
	w.t.Helper()
	arrive := w.withHandler()
	w.up()
	w.wantStarts(1, 1)
	began := time.Now()
	w.up()
	w.t.Logf("up again, with an artifact that cannot be had: %s", time.Since(began).Round(100*time.Millisecond))
	if log := w.compose("logs", "--no-log-prefix", "is-init"); strings.Count(log, "127.0.0.1:1/") != 4 {
		w.t.Errorf("of both inits the second does not leave the artifact to the sidecar:\n%s", log)
	}
	verified := func() int { return strings.Count(w.compose("logs", "--no-log-prefix", "am-agent"), "everything works") }
	before := verified()
	arrive() // at both servers: the list is of both
	w.eventually(time.Minute, "both servers are restarted with it", func() bool { return w.starts("wso2is") == 2 && w.starts("wso2am") == 2 })
	w.eventually(time.Minute, "everything works again", func() bool { return verified() > before })
	w.ready("wso2is", "wso2am", "is-agent", "am-agent")
	w.wantStarts(2, 2)
}

func TestATokenThatIsRevokedAtISIsRefusedByTheGateway(t *testing.T) {
	w := newWorld(t)
	if real() { // the handler of the release, which comes before the first start
		w.up()
		w.wantStarts(1, 1)
	} else {
		w.handlerArrives()
	}
	var keys struct {
		Production struct{ ConsumerKey, ConsumerSecret string }
	}
	if err := json.Unmarshal(w.file("am-agent", "/output/application-keys.json"), &keys); err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(w.must("exec", "-T", "am-agent", "/agent", "token"))
	w.eventually(time.Minute, "the token is good", func() bool { return w.gateway(token) == 200 })

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.file("am-agent", "/exchange/wso2is/certs.pem"))
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "wso2is"}}}
	_, address, _ := strings.Cut(strings.TrimSpace(w.must("port", "wso2is", "9443")), ":")
	req, err := http.NewRequest("POST", "https://127.0.0.1:"+address+"/oauth2/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(keys.Production.ConsumerKey, keys.Production.ConsumerSecret)
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("revoke: HTTP %d", resp.StatusCode)
	}
	w.eventually(30*time.Second, "the gateway refuses the token", func() bool { return w.gateway(token) == 401 })
	t.Logf("a token that is revoked at IS is refused by the gateway after %s", time.Since(began).Round(time.Millisecond))
}

// prober makes new TLS connections to a server, each trusting what the server's agent has published at that moment, as a
// peer's server does. Only a server that is down may refuse or cut one off.
type prober struct {
	ok, down, failed atomic.Int64
	served           []byte // the certificate that it has seen last
}

// serves reports whether the server has shown a certificate at the last connection.
func (p *prober) serves(certificate []byte) bool { return bytes.Equal(p.served, certificate) }

func (p *prober) probe(address, name string, certificates []byte) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificates)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, &tls.Config{RootCAs: pool, ServerName: name})
	switch {
	case err == nil:
		p.ok.Add(1)
		p.served = conn.ConnectionState().PeerCertificates[0].Raw
		conn.Close()
		return nil
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		p.down.Add(1)
		return nil
	}
	p.failed.Add(1)
	return err
}

func TestAnIssuedIdentityRotatesInContainersWithASidecarKilledMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name, successors string
		starts           int
	}{
		{"trusted by nobody: both servers restart", "0", 2},
		{"trusted ahead: none restarts", "3", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.reloadSoon()
			w.env["TLS_SUCCESSORS"] = c.successors
			w.up()
			before := w.file("am-agent", "/exchange/wso2is/certs.pem")
			e := endpoint{"IS", "wso2is", w.address("wso2is", "9443")}
			var p prober
			w.must("exec", "-T", "is-agent", "/agent", "certs", "rotate")
			w.eventually(time.Minute, "the new certificate is announced", func() bool {
				return bytes.Count(w.file("am-agent", "/exchange/wso2is/certs.pem"), []byte("BEGIN")) == 2
			})
			w.killIn("is-agent")
			w.eventually(3*time.Minute, "the new certificate is in use, and both servers have started as often as they must", func() bool {
				published := w.file("am-agent", "/exchange/wso2is/certs.pem")
				for range 20 {
					if err := p.probe(e.address, e.service, published); err != nil {
						t.Errorf("a handshake with IS failed: %v", err)
					}
					time.Sleep(10 * time.Millisecond)
				}
				return !bytes.HasPrefix(published, before) && p.serves(w.inUse("wso2is")) && w.starts("wso2is") == c.starts && w.starts("wso2am") == c.starts
			})
			w.ready("wso2is", "wso2am", "is-agent", "am-agent")
			w.works()
			w.wantStarts(c.starts, c.starts)
			t.Logf("handshakes with IS: %d good, %d while it was down, %d failed", p.ok.Load(), p.down.Load(), p.failed.Load())
			if p.ok.Load() == 0 {
				t.Error("the prober never reached IS")
			}
			if c.starts == 1 && p.down.Load() > 0 {
				t.Error("IS was down")
			}
		})
	}
}
