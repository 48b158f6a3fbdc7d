// Package engine is a stand-in of a container engine for tests: it serves the part of the Engine API that the agent uses, over a unix
// socket. Containers are folders, and no process runs in them.
package engine

import (
	"archive/tar"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Engine is a stand-in of a container engine.
type Engine struct {
	Host    string // for DOCKER_HOST
	Version string // of the API that it reports; empty: none, as old engines
	Podman  bool   // it says that it is Podman

	mu         sync.Mutex
	containers []*Container
	requests   []string
	cut        string
	starts     int
}

// Mount is a folder of this machine in a container.
type Mount struct {
	Target, Source string
	ReadOnly       bool
}

// Container is a container of the stand-in.
type Container struct {
	Name, Image, Project, Service string
	Root                          string // the folder that is its root
	Network                       string // its mode; empty: bridge
	Env                           []string
	Mounts                        []Mount
	Ports                         map[int]int // of the container to those of this machine
	Stopped, ReadOnly             bool
	Restart                       func() error // called by a restart; may be nil

	started string
	owners  map[string][2]int // of files that were written, by their path on this machine
}

// Start starts an engine with containers. It ends with the test.
func Start(t testing.TB, containers ...*Container) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return Serve(t, filepath.Join(dir, "docker.sock"), containers...)
}

// Serve is Start with a socket at a path.
func Serve(t testing.TB, socket string, containers ...*Container) *Engine {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{Host: "unix://" + socket, Version: "1.45", containers: containers}
	for _, c := range containers {
		c.owners = map[string][2]int{}
		e.began(c)
	}
	server := &http.Server{Handler: e.handler(), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) // always http.ErrServerClosed, after Close
	t.Cleanup(func() { server.Close() })
	return e
}

// Requests returns the requests since the start: method, path and query, without the version.
func (e *Engine) Requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.requests)
}

// Cut breaks the connection in the middle of the next file with this name that is written, as a client that is killed does.
func (e *Engine) Cut(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut = name
}

// Owner returns the owner with which a file was written last.
func (e *Engine) Owner(c *Container, file string) (uid, gid int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := c.owners[c.local(file)]
	return o[0], o[1]
}

// began gives a container another time of its start. The caller holds the lock, or nobody else knows the engine.
func (e *Engine) began(c *Container) {
	e.starts++
	c.started = time.Date(2026, 1, 2, 3, 4, e.starts, 5, time.UTC).Format(time.RFC3339Nano)
}

func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) {
		if e.Version != "" {
			w.Header().Set("Api-Version", e.Version)
		}
		if e.Podman {
			w.Header().Set("Libpod-API-Version", "4.9.3")
		}
		fmt.Fprint(w, "OK")
	})
	mux.HandleFunc("GET /containers/{id}/json", e.with(e.inspect))
	mux.HandleFunc("GET /containers/{id}/archive", e.with(e.get))
	mux.HandleFunc("PUT /containers/{id}/archive", e.with(e.put))
	mux.HandleFunc("POST /containers/{id}/{verb}", e.with(e.change))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); ok && strings.HasPrefix(version, "v1.") {
			if newer(strings.TrimPrefix(version, "v"), e.Version) {
				refuse(w, http.StatusBadRequest, "client version "+version+" is too new")
				return
			}
			r.URL.Path = "/" + rest
			e.mu.Lock()
			e.requests = append(e.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.URL.RawQuery))
			e.mu.Unlock()
		}
		mux.ServeHTTP(w, r)
	})
}

func newer(a, b string) bool {
	minor := func(v string) int { n, _ := strconv.Atoi(strings.TrimPrefix(v, "1.")); return n }
	return b != "" && minor(a) > minor(b)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message}) // to a client that may be gone
}

func (e *Engine) with(do func(http.ResponseWriter, *http.Request, *Container)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		i := slices.IndexFunc(e.containers, func(c *Container) bool { return c.Name == r.PathValue("id") || c.id() == r.PathValue("id") })
		if i < 0 {
			refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
			return
		}
		do(w, r, e.containers[i])
	}
}

func (c *Container) id() string { return fmt.Sprintf("%064x", c.Name) }

func (e *Engine) inspect(w http.ResponseWriter, _ *http.Request, c *Container) {
	labels := map[string]string{}
	if c.Project != "" {
		labels["com.docker.compose.project"] = c.Project
	}
	if c.Service != "" {
		labels["com.docker.compose.service"] = c.Service
	}
	ports := map[string]any{"9999/udp": nil}
	for _, inner := range slices.Sorted(maps.Keys(c.Ports)) {
		outer := strconv.Itoa(c.Ports[inner])
		ports[strconv.Itoa(inner)+"/tcp"] = []map[string]string{{"HostIp": "0.0.0.0", "HostPort": outer}, {"HostIp": "::", "HostPort": outer}}
	}
	mounts := []map[string]any{}
	for _, m := range c.Mounts {
		mounts = append(mounts, map[string]any{"Type": "bind", "Source": m.Source, "Destination": m.Target, "RW": !m.ReadOnly})
	}
	json.NewEncoder(w).Encode(map[string]any{ // to a client that may be gone
		"Id": c.id(), "Name": "/" + c.Name, "State": map[string]any{"Running": !c.Stopped, "StartedAt": c.started},
		"Config":     map[string]any{"Image": c.Image, "Env": c.Env, "Labels": labels, "User": "802"},
		"HostConfig": map[string]any{"NetworkMode": cmp.Or(c.Network, "bridge"), "ReadonlyRootfs": c.ReadOnly}, "Mounts": mounts,
		"NetworkSettings": map[string]any{"Ports": ports},
	})
}

// local is where a path of the container is on this machine.
func (c *Container) local(file string) string {
	file = path.Clean("/" + file)
	root, inside, longest := c.Root, file, 0
	for _, m := range c.Mounts {
		if rest, ok := strings.CutPrefix(file, m.Target); ok && (rest == "" || rest[0] == '/') && len(m.Target) > longest {
			root, inside, longest = m.Source, rest, len(m.Target)
		}
	}
	return filepath.Join(root, inside)
}

func (c *Container) readOnly(file string) bool {
	readOnly, longest := c.ReadOnly, 0
	for _, m := range c.Mounts {
		if (file == m.Target || strings.HasPrefix(file, m.Target+"/")) && len(m.Target) > longest {
			readOnly, longest = m.ReadOnly, len(m.Target)
		}
	}
	return readOnly
}

// get serves HEAD too.
func (e *Engine) get(w http.ResponseWriter, r *http.Request, c *Container) {
	file := r.URL.Query().Get("path")
	root := c.local(file)
	info, err := os.Lstat(root)
	if err != nil {
		refuse(w, http.StatusNotFound, fmt.Sprintf("Could not find the file %s in container %s", file, c.Name))
		return
	}
	stat, _ := json.Marshal(map[string]any{"name": info.Name(), "size": info.Size(), "mode": info.Mode(), "mtime": info.ModTime()})
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(stat))
	w.Header().Set("Content-Type", "application/x-tar")
	if r.Method == http.MethodHead {
		return
	}
	archive := tar.NewWriter(w)
	defer archive.Close()
	filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error { // an error ends the archive early
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link, _ := os.Readlink(at)
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(filepath.Dir(root), at)
		if err != nil {
			return err
		}
		h.Name = inside
		if o, known := c.owners[at]; known {
			h.Uid, h.Gid = o[0], o[1]
		}
		if err := archive.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(at)
		if err == nil {
			_, err = archive.Write(data)
		}
		return err
	})
}

// put does what the engine does: it removes a file before it writes the new one, and keeps what is in a folder.
func (e *Engine) put(w http.ResponseWriter, r *http.Request, c *Container) {
	dir := r.URL.Query().Get("path")
	if info, err := os.Stat(c.local(dir)); err != nil || !info.IsDir() {
		refuse(w, http.StatusNotFound, fmt.Sprintf("Could not find the file %s in container %s", dir, c.Name))
		return
	}
	if c.readOnly(dir) {
		refuse(w, http.StatusBadRequest, "container rootfs is marked read-only")
		return
	}
	for archive := tar.NewReader(r.Body); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = e.unpack(archive, h, c, path.Join(dir, h.Name))
		}
		if errors.Is(err, errCut) {
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
	}
}

var errCut = errors.New("cut off")

func (e *Engine) unpack(from io.Reader, h *tar.Header, c *Container, file string) error {
	at := c.local(file)
	c.owners[at] = [2]int{h.Uid, h.Gid}
	if h.Typeflag == tar.TypeDir {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		return os.Chmod(at, h.FileInfo().Mode().Perm())
	}
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	cut := e.cut != "" && path.Base(file) == e.cut
	if cut {
		e.cut, data = "", data[:len(data)/2]
	}
	if err := os.WriteFile(at, data, 0o600); err != nil {
		return err
	}
	if cut {
		return errCut
	}
	return os.Chmod(at, h.FileInfo().Mode().Perm())
}

func (e *Engine) change(w http.ResponseWriter, r *http.Request, c *Container) {
	switch verb := r.PathValue("verb"); {
	case verb == "stop" && c.Stopped, verb == "start" && !c.Stopped:
		w.WriteHeader(http.StatusNotModified)
		return
	case verb == "stop":
		c.Stopped = true
	case verb == "start", verb == "restart":
		if c.Restart != nil && verb == "restart" {
			if err := c.Restart(); err != nil {
				refuse(w, http.StatusInternalServerError, err.Error())
				return
			}
		}
		c.Stopped = false
		e.began(c)
	default:
		refuse(w, http.StatusNotFound, "page not found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
