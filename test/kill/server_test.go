package kill

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
)

// serverVariable makes the test binary a server, whose arguments are the fields of server.
const serverVariable = "KILL_TEST_SERVER"

// server is a server as far as files and handshakes go: it reads its stores once, at its start, after it has copied the config
// volume over its home, as the products' entrypoints do. What it has read stays below out; out/now leads to it while the server runs.
type server struct{ alias, keys, port, volume, home, out string }

func (s server) run() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if err := os.RemoveAll(s.home); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(s.home, "repository"), os.DirFS(filepath.Join(s.volume, "repository"))); err != nil {
		return err
	}
	read, err := os.MkdirTemp(s.out, "start.")
	if err != nil {
		return err
	}
	if err := os.CopyFS(read, os.DirFS(filepath.Join(s.home, securityDir))); err != nil {
		return err
	}
	certificate, err := s.certificate(read)
	if err != nil {
		return err
	}
	if err := os.Symlink(read, read+".link"); err != nil {
		return err
	}
	now := filepath.Join(s.out, "now")
	if err := os.Rename(read+".link", now); err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort("localhost", s.port), &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issuer":"https://localhost/oauth2/token"}`)
	}
	go (&http.Server{Handler: http.HandlerFunc(answer), ErrorLog: log.New(io.Discard, "", 0)}).Serve(listener)
	<-stop
	return os.Remove(now)
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
	s := server{args[0], args[1], args[2], args[3], args[4], args[5]}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 143
}

// startServer starts a side's server under agent exec.
func (w *world) startServer(s *side) {
	program := filepath.Join(filepath.Dir(w.program), "server")
	s.server = startAs(w.t, s.user, filepath.Join(w.dir, s.product+"-server.log"), append(w.environment(s, 0), "PATH="+os.Getenv("PATH"), serverVariable+"=true"),
		w.program, "exec", "--", program, s.alias, s.keys, s.port, s.volume, w.home(s), s.out)
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
