// Package docker is a small client of the Engine API of Docker, and of Podman, which serves the same: it inspects a container, reads and
// writes files in it, and stops, starts and restarts it. It runs no command in a container.
//
// The API is described at https://docs.docker.com/reference/api/engine/, and what its archive does in moby/moby,
// daemon/archive_unix.go.
package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/remedy"
)

// Errors of the engine that a caller decides on.
var (
	ErrNoEngine = errors.New("no container engine")
	ErrNotFound = errors.New("not found")
)

// newest is the newest version of the API that this package was written for. Docker Engine 29 serves nothing older.
const newest = "1.44"

// answerLimit is the largest answer in JSON, in bytes.
const answerLimit = 4 << 20

// requestTimeout bounds a request that waits for no container.
const requestTimeout = time.Minute

// Engine is a container engine. Several goroutines may use it at once.
type Engine struct {
	address string // as people write it in DOCKER_HOST
	base    string // scheme and host of requests
	client  *http.Client

	mu      sync.Mutex
	version string // of the API, once it is negotiated
	podman  bool   // whether the engine is Podman
}

// Address returns where the engine is, as in DOCKER_HOST.
func (e *Engine) Address() string { return e.address }

// Local reports whether the engine is at an address of this machine, so that it publishes ports here.
func (e *Engine) Local() bool {
	u, err := url.Parse(e.address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "unix" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Close closes the idle connections.
func (e *Engine) Close() { e.client.CloseIdleConnections() }

// Ping negotiates the version of the API. Errors wrap [ErrNoEngine] if nothing answers. The other methods call it.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.negotiated(ctx)
	return err
}

// negotiated returns the version of the API that both sides know. An engine that reports none gets requests without a version.
func (e *Engine) negotiated(ctx context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.version != "" {
		return e.version, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+"/_ping", nil)
	if err != nil {
		return "", err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return "", e.unreachable(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, answerLimit)) // "OK", and nobody reads it
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %s answers %s to /_ping", ErrNoEngine, e.address, resp.Status)
	}
	e.version, e.podman = "/v"+older(newest, resp.Header.Get("Api-Version")), resp.Header.Get("Libpod-API-Version") != ""
	return e.version, nil
}

// older returns the older one of two versions of the API, such as 1.41; b may be empty or no version.
func older(a, b string) string {
	minor := func(v string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(v, "1."))
		if err != nil || !strings.HasPrefix(v, "1.") {
			return -1
		}
		return n
	}
	if n := minor(b); n >= 0 && n < minor(a) {
		return b
	}
	return a
}

func (e *Engine) unreachable(err error) error {
	var cause *url.Error
	if errors.As(err, &cause) { // its text repeats the address of the request
		err = cause.Err
	}
	err = fmt.Errorf("%w answers at %s: %w", ErrNoEngine, e.address, err)
	var network *net.OpError
	if errors.As(err, &network) {
		return remedy.Add(err, "start the engine, or set DOCKER_HOST to its address; the user of this command needs the right to use it")
	}
	return err
}

// refusal is an answer that is no success.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return fmt.Sprintf("the engine answers %d: %s", r.status, r.message) }

// Is makes a missing container or file ErrNotFound.
func (r refusal) Is(target error) bool {
	return target == ErrNotFound && r.status == http.StatusNotFound
}

// do makes a request for a path below the version, and returns the answer if it is a success. The caller closes its body.
func (e *Engine) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	version, err := e.negotiated(ctx)
	if err != nil {
		return nil, err
	}
	address := e.base + version + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-tar")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, e.unreachable(err)
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified { // 304: it is started or stopped already
		return resp, nil
	}
	defer resp.Body.Close()
	var answer struct {
		Message string `json:"message"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if json.Unmarshal(text, &answer) != nil || answer.Message == "" {
		answer.Message = http.StatusText(resp.StatusCode)
	}
	return nil, refusal{resp.StatusCode, answer.Message}
}

// Restart stops and starts a container, as docker restart does. The engine sends SIGKILL to a container that has not stopped after
// wait; 0 is the time that the container was made with, 10 s by default.
func (e *Engine) Restart(ctx context.Context, id string, wait time.Duration) error {
	return e.change(ctx, "restart", id, wait)
}

// Stop stops a container. wait is as for Restart. A container that does not run is no error.
func (e *Engine) Stop(ctx context.Context, id string, wait time.Duration) error {
	return e.change(ctx, "stop", id, wait)
}

// Start starts a container. One that runs is no error.
func (e *Engine) Start(ctx context.Context, id string) error { return e.change(ctx, "start", id, 0) }

func (e *Engine) change(ctx context.Context, verb, id string, wait time.Duration) error {
	query := url.Values{}
	if wait > 0 {
		query.Set("t", strconv.Itoa(int(wait.Round(time.Second)/time.Second)))
	}
	resp, err := e.do(ctx, http.MethodPost, "/containers/"+url.PathEscape(id)+"/"+verb, query, nil)
	if err != nil {
		return fmt.Errorf("%s container %s: %w", verb, id, err)
	}
	return resp.Body.Close()
}
