package wso2sim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how a server is started. Home and Listen are required, and Gateway for API Manager.
type Options struct {
	Home         string // as Unpack makes it, or a real one
	Listen       string // "host:port" of the management port; port 0 chooses a free one
	Gateway      string // "host:port" of API Manager's gateway
	Plain        string // "host:port" of the port that serves what Listen serves in clear text, the products' 9763; empty for none
	Events       string // "host:port" of API Manager's 9711, which presents the certificate of the start; empty for none
	WebSocket    string // "host:port" of API Manager's 8099, which reads its certificate for each connection; empty for none
	ConfigVolume string // copied over Home first, as the entrypoints of the products' images do; may be empty
	Hostname     string // announced in issuer and URLs; empty is [server] hostname of deployment.toml
	StartLog     string // gets a line for every start; empty is Home/start.log
	Delays       Delays
	ReloadScale  float64                         // of the periods in which a server looks for a new certificate; 0 is 1: the products' own
	Log          *slog.Logger                    // what a real server would log; nil discards it
	Faults       *Faults                         // what is to go wrong; may be nil
	Requests     *RequestLog                     // gets every request; may be nil
	Behave       func(*Behaviour)                // changes what the home's version does; may be nil
	Wrap         func(http.Handler) http.Handler // put around what serves the ports, for tests that look on; may be nil
}

// server is what both products are made of: what they read at their start, their ports, and their way of going.
type server struct {
	identity
	behaviour Behaviour
	settings  settings
	log       *slog.Logger
	delays    Delays
	working   chan struct{} // has an entry for each request that the server works on
	hostname  string
	started   time.Time
	wrap      func(http.Handler) http.Handler // never nil
	ready     chan struct{}

	ctx    context.Context // ends with the server
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	levels          logLevels
	management      *secured // of the management port; nil until that opens
	reloadListeners []reloadListener
	reloadScale     float64

	mu     sync.Mutex // guards what follows
	doors  []*door
	ports  []*port
	plain  *port // nil where there is none
	events *port // likewise
	socket *port // likewise
	closed bool

	product, home string
	keeper        *keeper // what stands on disk; nil until it was opened
	restore       func(map[string][]entry) error

	linger   Span                // how long it serves after ServerAdmin said yes
	farewell func(time.Duration) // what it does at the end of that; may be nil
	ending   sync.Once
	exit     chan int
	shutting func() error // closes everything, once
	// isAdministrator says whether the database has this administrator.
	isAdministrator func(user, password string) bool
	faults          *Faults
	requests        *RequestLog

	wrongCertificates map[CertificateFault]*tls.Certificate // guarded by mu
}

// newServer copies the volume and reads configuration and stores. Later, only the listeners' certificate is read again.
func newServer(product string, o Options) (*server, error) {
	if info, err := os.Stat(o.Home); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("start %s: its home %q is no folder; unpack it first", product, o.Home)
	}
	behaviour, err := homeBehaviour(product, o.Home)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if o.Behave != nil {
		o.Behave(&behaviour)
	}
	if o.StartLog == "" {
		o.StartLog = filepath.Join(o.Home, "start.log")
	}
	if err := noteStart(o.StartLog, product, time.Now()); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if o.ConfigVolume != "" {
		if err := copyVolume(o.ConfigVolume, o.Home); err != nil {
			return nil, fmt.Errorf("start %s: %w", product, err)
		}
	}
	if product == ProductAM && behaviour.MakesKey {
		if err := makeEncryptionKey(o.Home, cmp.Or(o.Log, slog.New(slog.DiscardHandler))); err != nil {
			return nil, fmt.Errorf("start %s: %w", product, err)
		}
	}
	if err := writePID(o.Home); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	s := &server{product: product, home: o.Home, behaviour: behaviour, log: o.Log, delays: o.Delays, working: make(chan struct{}, cores), hostname: o.Hostname, ready: make(chan struct{})}
	if s.settings, err = readSettings(o.Home); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if s.identity, err = readIdentity(o.Home, s.settings, behaviour); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if s.levels, err = readLogLevels(o.Home); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if s.reloadListeners, err = readReloadListeners(o.Home); err != nil {
		return nil, fmt.Errorf("start %s: %w", product, err)
	}
	if s.reloadScale = o.ReloadScale; s.reloadScale == 0 {
		s.reloadScale = 1
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.wrap = o.Wrap; s.wrap == nil {
		s.wrap = func(h http.Handler) http.Handler { return h }
	}
	if s.hostname == "" {
		s.hostname = s.settings.text("server.hostname", "localhost")
	}
	if s.faults, s.requests = o.Faults, o.Requests; s.faults == nil {
		s.faults = NewFaults()
	}
	if s.requests == nil {
		s.requests = NewRequestLog()
	}
	s.faults.mu.Lock()
	s.faults.changed, s.delays = s.openOrClose, s.delays.later(s.faults.boot)
	s.faults.mu.Unlock()
	s.wrongCertificates = map[CertificateFault]*tls.Certificate{}
	s.exit, s.shutting = make(chan int, 1), sync.OnceValue(s.closeAll)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	// The delays count from here: reading the stores takes a machine under load longer than some of them.
	s.started = time.Now()
	return s, nil
}

// bind takes a port, which refuses connections until it is opened.
func (s *server) bind(addr string) (*port, error) {
	p, err := bind(addr)
	if err != nil {
		return nil, err
	}
	s.ports = append(s.ports, p)
	return p, nil
}

// bindOptional takes a port where one is asked for; nil where not.
func (s *server) bindOptional(addr string) (*port, error) {
	if addr == "" {
		return nil, nil
	}
	return s.bind(addr)
}

// openManagement begins to serve the management port, with its reloads, and the same in clear text where that is asked
// for.
func (s *server) openManagement(p *port, h http.Handler, maxVersion uint16) error {
	s.management = s.secure(maxVersion)
	if s.product == ProductIS { // clientAuth="want" of its connector
		s.management.config.ClientAuth = tls.RequestClientCert
	}
	if err := s.open(p, h, s.management.config); err != nil {
		return err
	}
	s.reloadAsTomcat(s.management)
	if s.plain == nil {
		return nil
	}
	return s.openDoor(&door{port: s.plain, handler: h})
}

// open begins to serve TLS on a bound port.
func (s *server) open(p *port, h http.Handler, config *tls.Config) error {
	return s.openDoor(&door{port: p, handler: h, tls: config})
}

func (s *server) openDoor(d *door) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return http.ErrServerClosed
	}
	d.handler = s.logged(s.faulty(s.slow(traced(s.wrap(named(d.handler))))))
	s.doors = append(s.doors, d)
	s.faults.mu.Lock()
	outage := s.faults.outage
	s.faults.mu.Unlock()
	if outage {
		return nil
	}
	return s.serve(d)
}

// serve opens a door. The lock is held.
func (s *server) serve(d *door) error {
	l, err := d.port.listen()
	if err != nil {
		return err
	}
	hs := &http.Server{
		Handler: d.handler, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 alone
	}
	d.serving = hs
	if d.tls != nil {
		l = tls.NewListener(l, d.tls) // not ServeTLS, which works on a copy of the configuration
	}
	s.work.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serving ended", "address", l.Addr().String(), "error", err)
		}
	})
	return nil
}

// after runs f at a time counted from the start of the server: at once, before it returns, when that has passed.
func (s *server) after(d time.Duration, f func()) {
	if wait := time.Until(s.started.Add(d)); d > 0 && wait > 0 {
		s.work.Go(func() {
			if s.sleep(wait) {
				f()
			}
		})
		return
	}
	f()
}

// sleep waits, and says whether the server is still there afterwards.
func (s *server) sleep(d time.Duration) bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// uptime is how long ago the server was started.
func (s *server) uptime() time.Duration { return time.Since(s.started) }

// Wait returns when the server is up, or else with the error of ctx, or with what kept the server from coming up.
func (s *server) Wait(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case <-ctx.Done():
		return fmt.Errorf("wait for the server: %w", ctx.Err())
	}
}

// shut closes all ports and waits until everything that the server does has ended.
func (s *server) shut() error { return s.shutting() }

func (s *server) closeAll() error {
	s.cancel(http.ErrServerClosed)
	s.mu.Lock()
	s.closed = true
	doors, ports := s.doors, s.ports
	s.mu.Unlock()
	var errs []error
	for _, d := range doors {
		if d.serving != nil {
			errs = append(errs, stop(d.serving))
		}
	}
	s.work.Wait()
	for _, p := range ports {
		p.close()
	}
	if s.keeper != nil {
		if context.Cause(s.ctx) != errCrashed {
			errs = append(errs, s.save())
		}
		errs = append(errs, s.keeper.close())
	}
	return errors.Join(errs...)
}

// url is how the server announces an own address: by its configured name, with the port in use.
func (s *server) url(p *port) string {
	return "https://" + net.JoinHostPort(s.hostname, strconv.Itoa(p.addr.Port))
}

// PlainURL is where the same can be reached in clear text from this machine, without a path; empty where it cannot.
func (s *server) PlainURL() string {
	if s.plain == nil {
		return ""
	}
	return "http" + strings.TrimPrefix(dialURL(s.plain), "https")
}

// EventsURL is the port that presents the certificate of the start; empty where there is none.
func (s *server) EventsURL() string {
	if s.events == nil {
		return ""
	}
	return dialURL(s.events)
}

// WebSocketURL is the port that reads its certificate for each connection; empty where there is none.
func (s *server) WebSocketURL() string {
	if s.socket == nil {
		return ""
	}
	return dialURL(s.socket)
}

// dialURL is where a port can be reached from this machine.
func dialURL(p *port) string {
	ip := p.addr.IP
	if ip == nil || ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return "https://" + net.JoinHostPort(ip.String(), strconv.Itoa(p.addr.Port))
}

// outgoingTrust is what outgoing calls trust: what the server has read at its start, or what the truststore of the home has now.
func (s *server) outgoingTrust() *truststore {
	if !s.behaviour.ReloadsTrust {
		return s.trust
	}
	certs, err := readTrusted(s.home, s.trusted)
	if err != nil { // assumed
		s.log.Error("the truststore cannot be read again", "error", err)
		return s.trust
	}
	return newTruststore(certs)
}

// caller makes the client of outgoing calls. Keep-alive stays off, so that each call proves trust anew.
func (s *server) caller(names hostnames) *http.Client {
	return &http.Client{
		Timeout:       time.Minute, // as Feign's, with which API-M calls a key manager, waits for an answer (Request.Options)
		Transport:     &http.Transport{TLSClientConfig: trusting(s.outgoingTrust, names), DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// traced puts the products' trace header on every answer.
func traced(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-WSO2-TraceId", newUUID())
		w.Header().Set("Server", "WSO2 Carbon Server")
		h.ServeHTTP(w, r)
	})
}

// stop lets the requests under way finish, for a moment, and closes the rest.
func stop(hs *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if hs.Shutdown(ctx) == nil {
		return nil
	}
	return hs.Close()
}
