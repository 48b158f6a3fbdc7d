package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/remedy"
)

// connectTimeout bounds a connection to the engine.
const connectTimeout = 10 * time.Second

// Open returns the engine that DOCKER_HOST names, or the one whose socket is at a usual place. It connects to nothing. getenv returns the
// value of a variable. With a tcp:// address DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem; the connection is
// always verified then. Errors wrap [ErrNoEngine].
func Open(getenv func(string) string) (*Engine, error) {
	address := getenv("DOCKER_HOST")
	if address == "" {
		places := sockets(getenv)
		for _, path := range places {
			if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
				return unixEngine(path), nil
			}
		}
		return nil, remedy.Add(fmt.Errorf("%w at %s", ErrNoEngine, strings.Join(places, " or ")), "start Docker or Podman, or set DOCKER_HOST to its address")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: DOCKER_HOST is no address", ErrNoEngine)
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		return unixEngine(u.Path), nil
	case u.Scheme == "tcp" && u.Port() != "" && u.User == nil:
		return tcpEngine(u.Host, getenv)
	}
	return nil, remedy.Add(fmt.Errorf("%w: DOCKER_HOST has the scheme %q", ErrNoEngine, u.Scheme),
		"set it to unix:///path or tcp://host:port; for ssh, forward the socket: ssh -L /tmp/engine.sock:/var/run/docker.sock HOST")
}

// sockets are the places at which Docker Engine, Docker Desktop and Podman have their sockets.
func sockets(getenv func(string) string) (paths []string) {
	paths = []string{"/var/run/docker.sock"}
	if home := getenv("HOME"); home != "" {
		paths = append(paths, filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"))
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman/podman.sock"))
	}
	return append(paths, "/run/podman/podman.sock")
}

func unixEngine(path string) *Engine {
	return &Engine{address: "unix://" + path, base: "http://engine", client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "unix", path)
		},
	}}}
}

// tcpEngine refuses a connection in clear text to another machine: who answers there could be anybody, and gets keystores.
func tcpEngine(host string, getenv func(string) string) (*Engine, error) {
	dir := getenv("DOCKER_CERT_PATH")
	if dir == "" && getenv("DOCKER_TLS_VERIFY") != "" {
		dir = filepath.Join(getenv("HOME"), ".docker")
	}
	dial := (&net.Dialer{Timeout: connectTimeout}).DialContext
	if dir == "" {
		name, _, _ := net.SplitHostPort(host)
		if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, remedy.Add(fmt.Errorf("%w: the connection to tcp://%s is not encrypted", ErrNoEngine, host), "set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem")
		}
		return &Engine{address: "tcp://" + host, base: "http://" + host, client: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
	}
	config, err := tlsConfig(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEngine, err)
	}
	return &Engine{address: "tcp://" + host, base: "https://" + host, client: &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: config}}}, nil
}

func tlsConfig(dir string) (*tls.Config, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("read the CA of the engine: %w", err)
	}
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read the CA of the engine: %s holds no certificate", filepath.Join(dir, "ca.pem"))
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if errors.Is(err, os.ErrNotExist) {
		return config, nil // an engine may ask for no certificate
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate for the engine: %w", err)
	}
	config.Certificates = []tls.Certificate{own}
	return config, nil
}
