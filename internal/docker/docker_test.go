package docker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/docker"
	"wso2agent/internal/testenv/engine"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func open(t *testing.T, e *engine.Engine) *docker.Engine {
	t.Helper()
	d, err := docker.Open(env(map[string]string{"DOCKER_HOST": e.Host}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// server is a container whose root has one file.
func server(t *testing.T) *engine.Container {
	t.Helper()
	c := &engine.Container{
		Name: "is-1", Image: "wso2/wso2is:7.1.0", Project: "shop", Service: "wso2is", Root: t.TempDir(), Ports: map[int]int{9443: 19443},
		Env:    []string{"WSO2_SERVER_HOME=/home/is", "IS_ADMIN_PASS=secret-word"},
		Mounts: []engine.Mount{{Target: "/home/is/volume/ro", Source: t.TempDir(), ReadOnly: true}, {Target: "/home/is/volume", Source: t.TempDir()}},
	}
	if err := os.MkdirAll(filepath.Join(c.Root, "home/is"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Root, "home/is/store"), []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInspectSaysWhatAContainerIs(t *testing.T) {
	e := engine.Start(t, server(t))
	d := open(t, e)
	c, err := d.Inspect(t.Context(), "is-1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "is-1" || c.Image != "wso2/wso2is:7.1.0" || c.Project() != "shop" || !c.Running || c.StartedAt == "" || c.Env.Get("WSO2_SERVER_HOME") != "/home/is" {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.Ports[9443], []int{19443}) {
		t.Errorf("ports %v", c.Ports)
	}
	for path, want := range map[string]string{"/home/is/volume/a": "/home/is/volume", "/home/is/volume": "/home/is/volume", "/home/is/volume/ro/b": "/home/is/volume/ro", "/home/is/volume2": ""} {
		if m, ok := c.MountOf(path); m.Target != want || ok != (want != "") || m.Target == "/home/is/volume/ro" == m.Writable && ok {
			t.Errorf("%s is on %+v, want %q", path, m, want)
		}
	}
	if _, err := d.Inspect(t.Context(), "nobody"); !errors.Is(err, docker.ErrNotFound) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a container that does not exist: %v", err)
	}
}

// TestNoValueOfAVariableIsPrinted: some are passwords.
func TestNoValueOfAVariableIsPrinted(t *testing.T) {
	c := docker.Container{Env: docker.NewEnv([]string{"PASS=secret-word", "HOME=/root"})}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("container", "env", c.Env, "all", c)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("container", "env", c.Env, "all", c)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%v %+v %#v %s %s", c, c, c, c.Env, text)
	if strings.Contains(b.String(), "secret-word") || !strings.Contains(b.String(), "PASS") {
		t.Error(b.String())
	}
}

func TestAFileIsReplacedWithItsOwnerAndMode(t *testing.T) {
	c := server(t)
	e := engine.Start(t, c)
	d := open(t, e)
	err := d.Write(t.Context(), "is-1", "/home/is", docker.File{Name: ".agent", Folder: true, Mode: 0o700, UID: 802, GID: 803},
		docker.File{Name: ".agent/a", Data: []byte("a"), Mode: 0o600}, docker.File{Name: "store", Data: []byte("new"), Mode: 0o640, UID: 802, GID: 803, Modified: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Read(t.Context(), "is-1", "/home/is/store")
	if err != nil || string(got.Data) != "new" || got.Mode != 0o640 || got.UID != 802 || got.GID != 803 || got.Name != "store" {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(c.Root, "home/is/.agent")); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	if uid, gid := e.Owner(c, "/home/is/.agent"); uid != 802 || gid != 803 {
		t.Errorf("the folder belongs to %d:%d", uid, gid)
	}
	for path, want := range map[string]bool{"/home/is/.agent/a": true, "/home/is/none": false} {
		if there, err := d.Exists(t.Context(), "is-1", path); there != want || err != nil {
			t.Errorf("%s: %t, %v", path, there, err)
		}
	}
	if err := os.Symlink("store", filepath.Join(c.Root, "home/is/link")); err != nil {
		t.Fatal(err)
	}
	_, missing := d.Read(t.Context(), "is-1", "/home/is/none")
	_, isFolder := d.Read(t.Context(), "is-1", "/home/is")
	_, isLink := d.Read(t.Context(), "is-1", "/home/is/link")
	nowhere := d.Write(t.Context(), "is-1", "/home/none", docker.File{Name: "a"})
	readOnly := d.Write(t.Context(), "is-1", "/home/is/volume/ro", docker.File{Name: "a"})
	for want, err := range map[string]error{"home/is/none": missing, "no regular file": isFolder, "symbolic link": isLink, "home/none": nowhere, "read-only": readOnly} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if !errors.Is(missing, docker.ErrNotFound) || !errors.Is(nowhere, docker.ErrNotFound) || errors.Is(readOnly, docker.ErrNotFound) {
		t.Errorf("%v; %v; %v", missing, nowhere, readOnly)
	}
}

// TestPodmanGivesFilesToTheUserOfTheContainer: it shows other numbers than those of the owner.
func TestPodmanGivesFilesToTheUserOfTheContainer(t *testing.T) {
	for _, podman := range []bool{false, true} {
		e := engine.Start(t, server(t))
		e.Podman = podman
		if err := open(t, e).Write(t.Context(), "is-1", "/home/is", docker.File{Name: "store", Data: []byte("new"), Mode: 0o640}); err != nil {
			t.Fatal(err)
		}
		sent := e.Requests()
		if len(sent) != 1 || strings.Contains(sent[0], "copyUIDGID=1") != podman {
			t.Errorf("Podman %t: %q", podman, sent)
		}
	}
}

func TestAContainerStopsAndStarts(t *testing.T) {
	c := server(t)
	restarts := 0
	c.Restart = func() error { restarts++; return nil }
	e := engine.Start(t, c)
	d := open(t, e)
	before, err := d.Inspect(t.Context(), "is-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return d.Restart(t.Context(), "is-1", 0) },
		func() error { return d.Stop(t.Context(), "is-1", 1500*time.Millisecond) },
		func() error { return d.Stop(t.Context(), "is-1", 0) },
		func() error { return d.Start(t.Context(), "is-1") },
		func() error { return d.Start(t.Context(), "is-1") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	after, err := d.AwaitStart(t.Context(), "is-1", before.StartedAt)
	if err != nil || after.StartedAt == before.StartedAt || restarts != 1 {
		t.Errorf("started at %s and %s, %d restarts, %v", before.StartedAt, after.StartedAt, restarts, err)
	}
	c.Stopped = true
	if _, err := d.AwaitStart(t.Context(), "is-1", before.StartedAt); err == nil || !strings.Contains(err.Error(), "container is-1 has exited after its start") {
		t.Errorf("a container that exits at once: %v", err)
	}
	c.Stopped = false
	if sent := e.Requests(); !slices.Contains(sent, "POST /containers/is-1/stop t=2") || !slices.Contains(sent, "POST /containers/is-1/restart") {
		t.Errorf("%q", sent)
	}
	if err := d.Restart(t.Context(), "nobody", 0); !errors.Is(err, docker.ErrNotFound) {
		t.Errorf("a container that does not exist: %v", err)
	}
	c.Restart = func() error { return errors.New("port is already allocated") }
	if err := d.Restart(t.Context(), "is-1", 0); err == nil || !strings.Contains(err.Error(), "port is already allocated") {
		t.Errorf("a restart that fails: %v", err)
	}
}

// TestBothSidesSpeakTheOlderVersion: the stand-in refuses a newer one, as engines do. Podman 4 reports 1.41.
func TestBothSidesSpeakTheOlderVersion(t *testing.T) {
	for _, version := range []string{"1.24", "1.41", "1.44", "1.60", ""} {
		e := engine.Start(t, server(t))
		e.Version = version
		if _, err := open(t, e).Inspect(t.Context(), "is-1"); err != nil {
			t.Errorf("an engine of version %q: %v", version, err)
		}
	}
}

func TestTheEngineIsFoundWhereItIs(t *testing.T) {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "podman"), 0o755); err != nil {
		t.Fatal(err)
	}
	engine.Serve(t, filepath.Join(dir, "podman/podman.sock"), server(t))
	for name, c := range map[string]struct {
		env  map[string]string
		want string // address, or a part of the error
	}{
		"of Podman, if there is no other":    {map[string]string{"DOCKER_HOST": "unix://" + dir + "/podman/podman.sock", "XDG_RUNTIME_DIR": dir}, "unix://" + dir + "/podman/podman.sock"},
		"on this machine, in clear text":     {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:2375"}, "tcp://127.0.0.1:2375"},
		"elsewhere, in clear text":           {map[string]string{"DOCKER_HOST": "tcp://engine.example:2375"}, "not encrypted"},
		"by ssh":                             {map[string]string{"DOCKER_HOST": "ssh://engine"}, "ssh -L"},
		"without the files of TLS":           {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_CERT_PATH": dir}, "CA of the engine"},
		"without the files of the home":      {map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "HOME": dir}, filepath.Join(dir, ".docker")},
		"no address":                         {map[string]string{"DOCKER_HOST": "tcp://%zz"}, "no address"},
		"a password, which no error repeats": {map[string]string{"DOCKER_HOST": "tcp://me:word@127.0.0.1:1"}, "no container engine"},
	} {
		e, err := docker.Open(env(c.env))
		switch {
		case err != nil && (!errors.Is(err, docker.ErrNoEngine) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "word")):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err == nil && e.Address() != c.want:
			t.Errorf("%s: %s, want %q", name, e.Address(), c.want)
		}
	}
	none, err := docker.Open(env(map[string]string{"DOCKER_HOST": "unix://" + dir + "/none.sock"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Ping(t.Context()); !errors.Is(err, docker.ErrNoEngine) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "DOCKER_HOST") {
		t.Errorf("no socket: %v", err)
	}
}

// TestAnEngineBehindTLSIsVerified: a certificate of another CA is refused.
func TestAnEngineBehindTLSIsVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.45") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that the client refuses
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	host := strings.TrimPrefix(s.URL, "https://")
	ping := func(ca []byte) error {
		if err := os.WriteFile(filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca}), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := docker.Open(env(map[string]string{"DOCKER_HOST": "tcp://" + host, "DOCKER_CERT_PATH": dir}))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		return d.Ping(t.Context())
	}
	if err := ping(s.Certificate().Raw); err != nil {
		t.Errorf("its own CA: %v", err)
	}
	if err := ping(otherCA(t)); !errors.Is(err, docker.ErrNoEngine) {
		t.Errorf("another CA: %v", err)
	}
}

// otherCA returns a certificate that has signed nothing.
func otherCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
