package kill

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	agentserver "wso2agent/internal/server"
	"wso2agent/internal/trust"
)

const (
	password    = "wso2carbon"
	securityDir = "repository/resources/security"
	patience    = 60 * time.Second // for what takes half a second on a machine that has nothing else to do
)

// world is two servers with their agents, on one exchange volume.
type world struct {
	t       *testing.T
	program string
	dir     string
	is, am  *side
	probed  *prober
	pool    bool // see newPool
}

// side is one server with its agent.
type side struct {
	product, name string
	mode          string // TLS_MODE: the agent issues the certificate, or somebody else puts another there
	keys, trusted string // the files of its own key and of its truststore
	alias         string // of the key
	volume, out   string
	port          string              // of the server
	gateway       string              // port of its gateway; empty for none
	user          *syscall.Credential // that its agent and its server run as; nil for the test's own
	peer          *side
	server, agent *process
}

// newWorld lays both servers out, as far as their agents' first start needs it. Nothing runs. mode is the TLS_MODE of IS;
// that of API-M is none.
func newWorld(t *testing.T, mode string) *world {
	t.Helper()
	w := &world{t: t, program: os.Getenv(agentVariable), dir: t.TempDir()}
	w.is = &side{product: config.IS, name: "wso2is", mode: mode, keys: "wso2carbon.p12", alias: "wso2carbon", trusted: "client-truststore.p12"}
	w.am = &side{product: config.AM, name: "wso2am", mode: "none", keys: "wso2carbon.jks", alias: "wso2carbon", trusted: "client-truststore.jks"}
	w.is.peer, w.am.peer = w.am, w.is
	w.must(os.Mkdir(w.exchange().Dir, 0o755))
	for _, s := range w.sides() {
		s.port = w.freePort()
		s.volume, s.out = filepath.Join(w.dir, s.product, "volume"), filepath.Join(w.dir, s.product, "out")
		w.must(os.MkdirAll(filepath.Join(s.volume, securityDir), 0o755))
		w.must(os.MkdirAll(filepath.Join(s.volume, "repository/conf"), 0o755))
		w.must(os.MkdirAll(s.out, 0o755))
		w.must(os.WriteFile(s.settings(), []byte("[server]\nhostname = \"localhost\"\n"), 0o644))
		users, _ := w.selfSigned("users-ca")
		store := w.newStore()
		w.must(store.SetTrusted("users-ca", users, time.Now()))
		w.write(s.truststore(), store)
		w.write(s.keystore(), w.newKeystore())
	}
	if mode == "issue" {
		w.is.keys, w.is.alias = config.TLSStoreFile, "tls"
	}
	t.Cleanup(w.stop)
	return w
}

// run brings everything up: init of both, both servers, the agent beside each, until both running servers trust each other.
func (w *world) run() {
	w.t.Helper()
	var inits []*process
	for _, s := range w.sides() {
		inits = append(inits, startAs(w.t, s.user, w.log(s), w.environment(s, 0), w.program, "init"))
	}
	for _, p := range inits {
		<-p.ended
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			w.t.Fatalf("init ended with %d", code)
		}
	}
	for _, s := range w.sides() {
		w.startServer(s, 0)
		w.startAgent(s, 0)
	}
	w.until("both running servers trust each other", func() string { return w.unsettled() })
	w.probed = w.probe()
}

// startAgent starts the agent beside a server. It kills itself at the given point, and lives on with 0.
func (w *world) startAgent(s *side, at int) {
	s.agent = startAs(w.t, s.user, w.log(s), w.environment(s, at), w.program, "run")
}

func (w *world) environment(s *side, at int) []string {
	return append([]string{
		"PRODUCT=" + s.product, "CONFIG_DIR=" + s.volume, "SERVER_HOME=" + w.home(s), s.portVariable() + "=" + s.port, "EXCHANGE_DIR=" + w.exchange().Dir, "TLS_MODE=" + s.mode,
		"AM_HOST=wso2am", "IS_HOST=wso2is", "ARTIFACTS=none", "BOOTSTRAP=false", "LISTEN_ADDR=127.0.0.1:0", "LOG_FORMAT=text",
		"QUIET_MIN=5ms", "POLL_INTERVAL=200ms", "ROTATE_GRACE=1ms", "ROTATE_TIMEOUT=1h", "MAX_RESTARTS=1000000", "AGENT_KILL_AT=" + strconv.Itoa(at),
	}, w.loading(s)...)
}

// rotate has a server's certificate changed: by the agent, or by somebody who replaces the keystore.
func (w *world) rotate(s *side) {
	w.t.Helper()
	if s.mode == "issue" {
		w.must(agentserver.RequestIdentity(w.t.Context(), config.Config{Server: config.Server{Product: s.product, ConfigDir: s.volume}, TLS: config.TLS{Mode: "issue"}}, false))
		return
	}
	w.write(s.keystore(), w.newKeystore())
}

// until waits for what processes bring about; not is what is missing.
func (w *world) until(what string, not func() string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		missing := not()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s: %s", patience, what, missing)
		}
	}
}

// stop ends all processes, and shows what they said last if the test has failed.
func (w *world) stop() {
	for _, s := range w.sides() {
		for _, p := range []*process{s.agent, s.server} {
			if p != nil {
				p.end(syscall.SIGTERM)
			}
		}
	}
	if !w.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(w.dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		lines := strings.SplitAfter(string(text), "\n")
		w.t.Logf("--- the end of %s\n%s", filepath.Base(path), strings.Join(lines[max(0, len(lines)-60):], ""))
	}
}

func (w *world) sides() []*side     { return []*side{w.is, w.am} }
func (w *world) log(s *side) string { return filepath.Join(w.dir, s.product+".log") }
func (s *side) settings() string    { return filepath.Join(s.volume, "repository/conf/deployment.toml") }
func (s *side) truststore() string  { return filepath.Join(s.volume, securityDir, s.trusted) }
func (s *side) keystore() string    { return filepath.Join(s.volume, securityDir, s.keys) }
func (s *side) control() notify.Control {
	return notify.Control{Dir: filepath.Join(s.volume, ".agent")}
}
func (w *world) exchange() trust.Exchange {
	return trust.Exchange{Dir: filepath.Join(w.dir, "exchange")}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newStore() *keystore.Store {
	w.t.Helper()
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: password, MACRounds: 100, CertificateRounds: 100, KeyRounds: 100})
	w.must(err)
	return store
}

func (w *world) newKeystore() *keystore.Store {
	w.t.Helper()
	store := w.newStore()
	c, key := w.selfSigned("server")
	w.must(store.SetKey("wso2carbon", key, []keystore.Certificate{c}, password, time.Now()))
	return store
}

// write puts a store in the place of another, whole.
func (w *world) write(path string, store *keystore.Store) {
	w.t.Helper()
	data, err := store.Encode()
	w.must(err)
	w.must(os.WriteFile(filepath.Join(w.dir, "new"), data, 0o640))
	w.must(os.Rename(filepath.Join(w.dir, "new"), path))
}

func (w *world) selfSigned(name string) (keystore.Certificate, *ecdsa.PrivateKey) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	w.must(err)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	w.must(err)
	return keystore.Certificate{DER: der}, key
}
