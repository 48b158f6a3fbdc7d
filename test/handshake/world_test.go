package handshake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

// programs is what is built once for all tests: the agent, the stand-ins, and the Java server with its libraries.
type programs struct{ agent, wso2sim, java, classpath string }

// built has the programs as soon as a test has built them, in a folder that lasts as long as all tests. Maven and the compilers
// would take longer for each test than a rotation does.
var built struct {
	sync.Mutex
	folder string
	programs
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "handshake-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.folder = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

func build(t *testing.T) programs {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.agent != "" {
		return built.programs
	}
	javac, dir, jars := testenv.Command(t, "javac"), built.folder, filepath.Join(built.folder, "jars")
	p := programs{agent: filepath.Join(dir, "agent"), wso2sim: filepath.Join(dir, "wso2sim"), java: testenv.Command(t, "java")}
	if err := os.Rename(testenv.Maven(t, "pom.xml"), jars); err != nil { // Maven's folder ends with this test
		t.Fatal(err)
	}
	jars = filepath.Join(jars, "*")
	p.classpath = dir + string(filepath.ListSeparator) + jars
	sources, err := filepath.Glob("java/*.java")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		exec.Command("go", "build", "-o", dir, "wso2agent/cmd/agent", "wso2agent/cmd/wso2sim"),
		exec.Command(javac, append([]string{"-cp", jars, "-d", dir}, sources...)...),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	built.programs = p
	return p
}

// options are what tests want in their own way.
type options struct {
	verify bool // identities have their server's name, and clients check it; otherwise CN=localhost, unchecked
	issue  bool // the agents issue the certificates, each in a keystore of its own
	// successors is TLS_SUCCESSORS. With any, servers load new certificates while they run, and API-M has a gateway. With none,
	// RELOAD is off.
	successors int
	standIns   bool // the servers are stand-ins of the products, and the Java clients are a process of their own
	alone      bool // no sidecar runs after the start: the test makes its requests to agent exec
}

// world is two servers with their agents, on one exchange volume.
type world struct {
	t        *testing.T
	programs programs
	options  options
	dir      string
	is, am   *side
	started  []*process
}

// side is one server with its agent, in folders like the products' containers have them.
type side struct {
	product, name      string
	home, volume, out  string
	keystoreFile, kind string // kind as the product's settings name it
	port, gateway      string // gateway is empty for none
	peer               *side
	agent              *process
	probes             []*probe // the first is the one to the management port of the peer
}

// probe is a Java client with the truststore that a server has read at its start.
type probe struct {
	from, to   *side
	port, name string
	out, file  string // the folder of what it has seen, and its settings
}

// addProbes adds the clients of a server: to the peer, and if servers load new certificates, to each other port, its own too,
// because the parts of the products call each other.
func (s *side) addProbes(reload bool) {
	dir := filepath.Dir(s.home)
	add := func(to *side, port, name string) {
		p := &probe{from: s, to: to, port: port, name: fmt.Sprintf("%s to %s", s.name, name), out: s.out, file: s.properties()}
		if n := len(s.probes); n > 0 {
			p.out, p.file = filepath.Join(dir, fmt.Sprint("out-", n)), filepath.Join(dir, fmt.Sprintf("probe-%d.properties", n))
		}
		s.probes = append(s.probes, p)
	}
	add(s.peer, s.peer.port, s.peer.name)
	if reload {
		add(s, s.port, "itself")
		for _, to := range []*side{s, s.peer} {
			if to.gateway != "" {
				add(to, to.gateway, "the gateway")
			}
		}
	}
}

const (
	patience    = 3 * time.Minute // for what takes a few seconds on a machine that has nothing else to do
	password    = "wso2carbon"
	securityDir = "repository/resources/security"
)

// newWorld lays out two homes, seeds the config volumes from them, and brings everything up until both running servers
// trust each other.
func newWorld(t *testing.T, p programs, o options) *world {
	t.Helper()
	w := &world{t: t, programs: p, options: o, dir: t.TempDir()}
	w.is = &side{product: wso2sim.ProductIS, name: "wso2is", keystoreFile: "wso2carbon.p12", kind: "PKCS12"}
	w.am = &side{product: wso2sim.ProductAM, name: "wso2am", keystoreFile: "wso2carbon.jks", kind: "JKS"} // by name; PKCS#12 inside
	w.is.peer, w.am.peer = w.am, w.is
	w.is.port, w.am.port = freePort(t), freePort(t)
	if o.successors > 0 {
		w.am.gateway = freePort(t)
	}
	if err := os.Mkdir(w.exchange().Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.sides() {
		w.layOut(s)
	}
	if o.standIns {
		w.serveAPIs()
	}
	t.Cleanup(w.stop)
	w.initBoth()
	for _, s := range w.sides() {
		w.startServer(s)
		if !o.alone {
			w.startAgent(s)
		}
	}
	ready := w.inStep
	if o.alone {
		ready = w.loads
	}
	w.until("both servers run and trust each other", func() bool { return ready(w.is) && ready(w.am) })
	if o.standIns {
		w.start("clients", nil, p.java, w.java("Prober", slices.Concat(w.is.probes, w.am.probes))...)
	}
	w.untilConnected()
	return w
}

// java are the arguments of a Java program that runs probes.
func (w *world) java(class string, probes []*probe) []string {
	args := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", w.programs.classpath, class}
	for _, p := range probes {
		args = append(args, p.file)
	}
	return args
}

// initBoth runs both init containers, each of which waits for the other.
func (w *world) initBoth() {
	w.t.Helper()
	var inits []*process
	for _, s := range w.sides() {
		inits = append(inits, w.start("init of "+s.name, w.settings(s), w.programs.agent, "init"))
	}
	for _, p := range inits {
		select {
		case <-p.ended:
		case <-time.After(patience):
			w.t.Fatalf("%s has not ended within %s", p.name, patience)
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			w.t.Fatalf("%s ended with %d", p.name, code)
		}
		w.end(p)
	}
}

func (w *world) sides() []*side { return []*side{w.is, w.am} }
func (w *world) exchange() trust.Exchange {
	return trust.Exchange{Dir: filepath.Join(w.dir, "exchange")}
}
func (s *side) control() notify.Control {
	return notify.Control{Dir: filepath.Join(s.volume, ".agent")}
}
func (s *side) keystorePath() string { return filepath.Join(s.volume, securityDir, s.keystoreFile) }

// layOut makes a home with a key of the right name, the config volume seeded from it, and the server's settings.
func (w *world) layOut(s *side) {
	w.t.Helper()
	dir := filepath.Join(w.dir, s.product)
	s.home, s.volume, s.out = filepath.Join(dir, "home"), filepath.Join(dir, "config-volume"), filepath.Join(dir, "out")
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	check(wso2sim.UnpackWith(s.home, s.product, wso2sim.UnpackOptions{Rounds: 1000})) // a tenth of a second for each start less
	if !w.options.standIns {                                                          // they sign tokens with the one that they have
		check(os.WriteFile(filepath.Join(s.home, securityDir, s.keystoreFile), w.newKeystore(s), 0o640))
	}
	check(os.CopyFS(filepath.Join(s.volume, "repository"), os.DirFS(filepath.Join(s.home, "repository"))))
	check(os.Mkdir(s.out, 0o755))
	security, keys, kind, alias := filepath.Join(s.home, securityDir), s.keystoreFile, s.kind, "wso2carbon"
	if w.options.issue {
		keys, kind, alias = "wso2agent-tls.p12", "PKCS12", "tls"
	}
	server := fmt.Sprintf("home=%s\nport=%s\ngateway.port=%s\nreload.seconds=2\nkeystore=%s\nkeystore.type=%s\nkeystore.password=%s\nalias=%s\n",
		s.home, s.port, s.gateway, filepath.Join(security, keys), kind, password, alias)
	s.addProbes(w.options.successors > 0)
	for i, p := range s.probes {
		text := fmt.Sprintf("truststore=%s\ntruststore.type=%s\ntruststore.password=%s\npeer.name=%s\npeer.address=127.0.0.1\npeer.port=%s\nverify=%t\nout=%s\n",
			filepath.Join(security, s.truststore()), s.kind, password, p.to.name, p.port, w.options.verify, p.out) + w.request(p)
		if i == 0 {
			text += "pause=20\n" + server
		} else {
			text += "pause=100\n"
		}
		check(os.MkdirAll(p.out, 0o755))
		check(os.WriteFile(p.file, []byte(text), 0o644))
	}
	if w.options.standIns && s == w.is {
		check(wso2sim.WriteRevocationHandler(s.home))
	}
}

// request is what a client asks for, in its settings.
func (w *world) request(p *probe) string {
	path, status := "/", "200"
	switch {
	case !w.options.standIns:
	case p.port == w.am.gateway:
		status = "404" // no API is there
	case p.to == w.am:
		path = "/services/Version"
	default:
		path = "/oauth2/token/.well-known/openid-configuration"
	}
	protocols := "TLSv1.2"
	if w.speaksTLS13(p) {
		protocols += ",TLSv1.3"
	}
	return fmt.Sprintf("path=%s\nstatus=%s\nprotocols=%s\n", path, status, protocols)
}

// speaksTLS13 reports whether a port takes TLS 1.3. IS does not, and neither does its stand-in.
func (w *world) speaksTLS13(p *probe) bool { return !w.options.standIns || p.to != w.is }

func (s *side) truststore() string { return "client-truststore" + filepath.Ext(s.keystoreFile) }

func (s *side) properties() string { return filepath.Join(filepath.Dir(s.home), "server.properties") }

// settings are the variables of a server's agent. The one beside API-M notices everything late, as on a volume that sends
// no events, and longer after the other than a server takes to restart: what holds only because both happen to restart at
// the same time must not pass.
func (w *world) settings(s *side) []string {
	quiet := map[*side]string{w.is: "50ms", w.am: "1500ms"}[s]
	environment := []string{
		"PRODUCT=" + s.product, "CONFIG_DIR=" + s.volume, "SERVER_HOME=" + s.home, "EXCHANGE_DIR=" + w.exchange().Dir,
		"SETTINGS=none", "ARTIFACTS=none", "BOOTSTRAP=false", "LISTEN_ADDR=127.0.0.1:0", "LOG_FORMAT=text",
		"QUIET_MIN=" + quiet, "POLL_INTERVAL=1s", "ROTATE_GRACE=5s", "STOP_TIMEOUT=30s",
		"MAX_RESTARTS=1000", // ten rotations need more than five
		map[*side]string{w.is: "IS_PORT=", w.am: "AM_PORT="}[s] + s.port,
	}
	if w.options.issue { // the server's settings name the keystore then
		environment = append(environment, "TLS_MODE=issue", "SETTINGS=merge", "AM_HOST="+w.am.name)
	}
	if w.options.successors == 0 {
		return append(environment, "RELOAD=off", "TLS_SUCCESSORS=0")
	}
	environment = append(environment, fmt.Sprint("TLS_SUCCESSORS=", w.options.successors), // of two values of a variable the last one counts
		"AM_HOST=localhost", "AM_PORT="+w.am.port, "GW_PORT="+w.am.gateway, "IS_HOST=localhost", "IS_PORT="+w.is.port)
	if w.options.standIns {
		environment = append(environment, "BOOTSTRAP="+map[*side]string{w.is: "false", w.am: "true"}[s], "KEY_MANAGER_NAME=WSO2-IS",
			"KM_TOKEN_ENDPOINT=https://localhost:"+w.is.port+"/oauth2/token", "API_CONFIG="+w.apiConfig(), "KEYS_FILE="+w.keysFile())
	}
	return environment
}

// startServer runs a server's entrypoint under agent exec, as its container would.
func (w *world) startServer(s *side) {
	entrypoint, err := filepath.Abs("entrypoint.sh")
	if err != nil {
		w.t.Fatal(err)
	}
	server := append([]string{entrypoint, s.volume, s.home, w.programs.java}, w.java("Server", s.probes)...)
	if w.options.standIns {
		server = []string{w.programs.wso2sim, s.product, "--home", s.home, "--config-volume", s.volume, "--listen", "localhost:" + s.port,
			"--reload-scale", "0.03", "--delay-scale", "0"}
		if s.gateway != "" {
			server = append(server, "--gateway", "localhost:"+s.gateway)
		}
	}
	w.start(s.name, append(w.settings(s), "PATH="+os.Getenv("PATH")), w.programs.agent, append([]string{"exec", "--"}, server...)...)
}

func (w *world) startAgent(s *side) {
	s.agent = w.start("agent of "+s.name, w.settings(s), w.programs.agent, "run")
}

// inStep tells whether a server runs with what is on disk and published, and its peer's running server trusts that.
func (w *world) inStep(s *side) bool {
	own, ok := w.published(s)
	wanted, err := s.control().Wanted()
	started, known, startedErr := s.control().Started()
	said, trustsErr := w.exchange().Trusts(w.t.Context(), s.peer.name)
	peer, peerKnown, peerErr := s.peer.control().Started()
	return ok && known && peerKnown && errors.Join(err, startedErr, trustsErr, peerErr) == nil &&
		started.Generation != "" && started.Generation == wanted && said.Generation == peer.Generation &&
		strings.Contains(strings.Join(said.Fingerprints, " "), own.Fingerprint().String()) && w.starts(s).Running() && presents(s, own)
}

// published is the certificate that a server's agent says is in use.
func (w *world) published(s *side) (c keystore.Certificate, ok bool) {
	certs, err := w.exchange().Certificates(w.t.Context(), s.name)
	if err != nil {
		return c, false
	}
	return certs[0], true
}

// presents tells whether a server presents that very certificate.
func presents(s *side, want keystore.Certificate) bool {
	conn, err := tls.Dial("tcp", "127.0.0.1:"+s.port, &tls.Config{
		InsecureSkipVerify: true, // the one certificate is known
		VerifyConnection: func(state tls.ConnectionState) error {
			if got := (keystore.Certificate{DER: state.PeerCertificates[0].Raw}); got.Fingerprint() != want.Fingerprint() {
				return errors.New("another certificate")
			}
			return nil
		},
	})
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (w *world) starts(s *side) Starts {
	w.t.Helper()
	if w.options.standIns { // it says only that it starts; here it never is to be down
		log, err := os.ReadFile(filepath.Join(s.home, "start.log"))
		if err != nil {
			return Starts{}
		}
		return Starts{Up: [][2]time.Time{{}}, Count: strings.Count(string(log), "\n")}
	}
	starts, err := ReadStarts(filepath.Join(s.out, "start.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	return starts
}

// outcomes is what a server's client has seen of its peer.
func (w *world) outcomes(s *side) Outcomes {
	w.t.Helper()
	return w.seen(s.probes[0])
}

// seen is what a client has seen.
func (w *world) seen(p *probe) Outcomes {
	w.t.Helper()
	o, err := Read(p.out, w.starts(p.to))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// untilConnected waits until all clients have made enough good connections for their JVMs to be warm: a client whose
// connections take long misses what goes wrong between two of them.
func (w *world) untilConnected() {
	w.t.Helper()
	enough := map[*probe]int{}
	for _, s := range w.sides() {
		for i, p := range s.probes {
			enough[p] = w.seen(p).OK() + 40
			if i > 0 { // these connect less often
				enough[p] -= 30
			}
		}
	}
	for p, n := range enough {
		w.until(p.name+" connects", func() bool { return w.seen(p).OK() > n })
	}
}
