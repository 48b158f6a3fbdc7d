package kill

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
)

// serverVariable makes the test binary a server, whose arguments are the fields of server.
const serverVariable = "KILL_TEST_SERVER"

// server is a server as far as files and handshakes go: it reads its stores once, at its start, after it has copied the config
// volume over its home, as the products' entrypoints do. If the template in its home has the listener for it, it loads its
// keystore in the home again and again, and trust stays as it was read at the start. What it has read stays below out; out/now
// leads to it while the server runs. A killed agent exec takes the server along, as the end of their container does.
type server struct{ alias, keys, port, gateway, volume, home, out string }

func (s server) run() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	orphaned := s.orphaned()
	if err := os.MkdirAll(s.home, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-RL", filepath.Join(s.volume, "repository"), s.home).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the config volume: %w\n%s", err, out)
	}
	if err := s.writeProfiles(); err != nil {
		return err
	}
	read, err := os.MkdirTemp(s.out, "start.")
	if err != nil {
		return err
	}
	if err := os.CopyFS(read, os.DirFS(s.security())); err != nil {
		return err
	}
	certificate, err := s.certificate(read)
	if err != nil {
		return err
	}
	if err := s.now(read); err != nil {
		return err
	}
	var first, second atomic.Pointer[tls.Certificate]
	first.Store(&certificate)
	second.Store(&certificate)
	if err := errors.Join(listen(s.port, &first), listen(s.gateway, &second)); err != nil {
		return err
	}
	loads, err := s.loads()
	if err != nil {
		return err
	}
	profiles := s.profilesTime()
	for {
		select {
		case <-stop:
			return os.Remove(filepath.Join(s.out, "now"))
		case <-orphaned:
			os.Remove(filepath.Join(s.out, "now"))
			return errors.New("agent exec is gone")
		case <-time.After(10 * time.Millisecond):
		}
		if !loads {
			continue
		}
		if err := s.load(read, &first, true); err != nil {
			return err
		}
		if now := s.profilesTime(); now.After(profiles) {
			profiles = now
			if err := s.load(read, &second, false); err != nil {
				return err
			}
		}
	}
}

// listen serves on a port, and presents what certificate leads to.
func listen(port string, certificate *atomic.Pointer[tls.Certificate]) error {
	if port == "" {
		return nil
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort("localhost", port), &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.Load(), nil },
	})
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issuer":"https://localhost/oauth2/token"}`)
	}
	go (&http.Server{Handler: http.HandlerFunc(answer), ErrorLog: log.New(io.Discard, "", 0)}).Serve(listener)
	return nil
}

// load has new connections get the certificate of the keystore in the home, if that can be read. read is what the start has
// read.
func (s server) load(read string, presented *atomic.Pointer[tls.Certificate], shown bool) error {
	next, err := s.certificate(s.security())
	if err != nil || bytes.Equal(next.Certificate[0], presented.Load().Certificate[0]) {
		return nil // what cannot be read leaves the certificate, in Tomcat and in the gateway
	}
	presented.Store(&next)
	if !shown {
		return nil
	}
	loaded, err := os.MkdirTemp(s.out, "loaded.")
	if err != nil {
		return err
	}
	if err := os.CopyFS(loaded, os.DirFS(read)); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(s.security(), s.keys))
	if err == nil {
		err = os.WriteFile(filepath.Join(loaded, s.keys), data, 0o600)
	}
	if err != nil {
		return err
	}
	return s.now(loaded)
}

// now makes out/now lead to what the running server has read.
func (s server) now(read string) error {
	if err := os.Symlink(read, read+".link"); err != nil {
		return err
	}
	return os.Rename(read+".link", filepath.Join(s.out, "now"))
}

func (s server) security() string { return filepath.Join(s.home, securityDir) }

// profiles is the file whose time has the gateway load its keystore.
func (s server) profiles() string { return filepath.Join(s.security(), "listenerprofiles.xml") }

func (s server) writeProfiles() error {
	if s.gateway == "" {
		return nil
	}
	return os.WriteFile(s.profiles(), []byte("<parameter/>\n"), 0o644)
}

func (s server) profilesTime() (at time.Time) {
	if info, err := os.Stat(s.profiles()); err == nil {
		at = info.ModTime()
	}
	return at
}

// loads reports whether the template of this start has the listener with which Tomcat loads its certificate again.
func (s server) loads() (bool, error) {
	text, err := os.ReadFile(filepath.Join(s.home, templateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(text, []byte("TLSCertificateReloadListener")), err
}

// orphaned returns a channel that is closed when agent exec is gone.
func (s server) orphaned() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		parent := os.Getppid()
		for {
			name, err := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/comm")
			if err == nil && string(name) != "agent\n" || os.Getppid() != parent {
				return
			}
			<-time.After(5 * time.Millisecond)
		}
	}()
	return gone
}

func (s server) certificate(dir string) (c tls.Certificate, err error) {
	data, err := os.ReadFile(filepath.Join(dir, s.keys))
	if err != nil {
		return c, err
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		return c, err
	}
	if c.PrivateKey, err = store.PrivateKey(s.alias, password); err != nil {
		return c, err
	}
	leaf, err := store.Leaf(s.alias)
	c.Certificate = [][]byte{leaf.DER}
	return c, err
}

// serve runs a server until it is asked to stop. It ends with 143 then, as the products do.
func serve(args []string) int {
	s := server{args[0], args[1], args[2], args[3], args[4], args[5], args[6]}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 143
}

// startServer starts a side's server under agent exec, which kills itself at the given point, and never with 0.
func (w *world) startServer(s *side, at int) {
	program := filepath.Join(filepath.Dir(w.program), "server")
	s.server = startAs(w.t, s.user, filepath.Join(w.dir, s.product+"-server.log"), append(w.environment(s, at), "PATH="+os.Getenv("PATH"), serverVariable+"=true"),
		w.program, "exec", "--", program, s.alias, s.keys, s.port, s.gateway, s.volume, w.home(s), s.out)
}

func (w *world) home(s *side) string { return filepath.Join(w.dir, s.product, "home") }

// portVariable names the variable that tells agent exec where its server listens.
func (s *side) portVariable() string {
	return map[string]string{config.IS: "IS_PORT", config.AM: "AM_PORT"}[s.product]
}

// freePort is one that nobody listens on now.
func (w *world) freePort() string {
	listener, err := net.Listen("tcp", "localhost:0")
	w.must(err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	w.must(err)
	return port
}
