package up

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

const (
	isHome = "/home/wso2carbon/wso2is-7.1.0"
	amHome = "/home/wso2carbon/wso2am-4.5.0"
	volume = "/home/wso2carbon/wso2-config-volume"
)

// key is that of all servers: to make one takes longest. All stock images of a version have the same key, too.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// unpack makes a home of a product.
func unpack(t *testing.T, home, product string) {
	t.Helper()
	if err := wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Rounds: 10, Key: key()}); err != nil {
		t.Fatal(err)
	}
}

// boxed returns a container with a fresh home of a product.
func boxed(t *testing.T, product, name string) *engine.Container {
	t.Helper()
	c := &engine.Container{Name: name, Image: "wso2/wso2" + product, Service: "wso2" + product, Root: t.TempDir(), Ports: map[int]int{9443: 19443}}
	home := map[string]string{"is": isHome, "am": amHome}[product]
	unpack(t, filepath.Join(c.Root, home), product)
	return c
}

// options returns those of a run with an engine.
func options(t *testing.T, e *engine.Engine) (o Options, out *bytes.Buffer) {
	t.Helper()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	out = &bytes.Buffer{}
	return Options{Config: cfg, Out: out, Engine: func() (*docker.Engine, error) {
		return docker.Open(func(name string) string { return map[string]string{"DOCKER_HOST": e.Host}[name] })
	}}, out
}

func found(t *testing.T, o Options, product, name string) (*container, error) {
	t.Helper()
	return o.findContainer(t.Context(), Target{Product: product, Container: name, URL: "https://localhost:19443"})
}

func TestAServerOfSomebodyElseIsRefused(t *testing.T) {
	is := boxed(t, "is", "shop-wso2is-1")
	is.Ports = map[int]int{9443: 19443}
	for name, c := range map[string]struct {
		change  func(*engine.Container)
		product string
		want    string // empty: it is accepted
	}{
		"the container of IS":             {func(*engine.Container) {}, "is", ""},
		"the home that its image names":   {func(c *engine.Container) { c.Env = []string{"WSO2_SERVER_HOME=" + isHome} }, "is", ""},
		"a port that nobody publishes":    {func(c *engine.Container) { c.Ports = nil }, "is", "publishes no port 9443, so another server answers"},
		"the network of this machine":     {func(c *engine.Container) { c.Ports, c.Network = nil, "host" }, "is", ""},
		"the network of another one":      {func(c *engine.Container) { c.Ports, c.Network = nil, "container:1" }, "is", ""},
		"the container of IS as API-M's":  {func(*engine.Container) {}, "am", "it does not run API-M"},
		"another product, by its image":   {func(c *engine.Container) { c.Env = []string{"WSO2_SERVER_HOME=/home/wso2carbon/wso2mi-4.4.0"} }, "is", "wso2mi-4.4.0, which is not IS"},
		"a home of another version":       {func(c *engine.Container) { c.Env = []string{"WSO2_SERVER_HOME=/home/wso2carbon/wso2is-7.0.0"} }, "is", "has no /home/wso2carbon/wso2is-7.0.0"},
		"a version that is too old":       {func(c *engine.Container) { c.Env = []string{"WSO2_SERVER_HOME=/home/wso2carbon/wso2is-5.11.0"} }, "is", "the agent does not support this version"},
		"a container that does not run":   {func(c *engine.Container) { c.Stopped = true }, "is", "docker start shop-wso2is-1"},
		"one that is published elsewhere": {func(c *engine.Container) { c.Ports = map[int]int{9443: 29443} }, "is", "publishes its port 9443 at 29443"},
		"a name that does not exist":      {func(c *engine.Container) { c.Name = "other" }, "is", "--is-container or IS_CONTAINER"},
	} {
		one := *is
		c.change(&one)
		o, _ := options(t, engine.Start(t, &one))
		_, err := found(t, o, c.product, "shop-wso2is-1")
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrPermanent)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestTwoContainersAreOfOneInstallation(t *testing.T) {
	in := func(id, project string) docker.Container {
		return docker.Container{ID: id, Name: id, Labels: map[string]string{"com.docker.compose.project": project}}
	}
	for name, c := range map[string]struct {
		is, am docker.Container
		want   string
	}{
		"one project":        {in("1", "shop"), in("2", "shop"), ""},
		"only one has one":   {in("1", "shop"), docker.Container{ID: "2"}, ""},
		"two projects":       {in("1", "shop"), in("2", "bank"), "Compose project shop, and container 2 to bank"},
		"one container only": {in("1", "shop"), in("1", "shop"), "both servers have the container 1"},
	} {
		if err := together(c.is, c.am); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// security is a store of a container on this machine.
func security(c *engine.Container, root, name string) string {
	return filepath.Join(c.Root, root, "repository/resources/security", name)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// imported reads the files of IS in a container, and writes a peer's certificate.
func imported(t *testing.T, c *container, peer keystore.Certificate) (Files, error) {
	t.Helper()
	f, err := c.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changes := trust.PlanImport(f.Entries, map[string][]string{"wso2am": {peer.Fingerprint().String()}}, "wso2is", names())
	return f, c.write(t.Context(), f, changes, map[string]keystore.Certificate{peer.Fingerprint().String(): peer}, true)
}

// trusts are the entries of a truststore by alias.
func trusts(t *testing.T, path string) map[string]keystore.Fingerprint {
	t.Helper()
	store, err := keystore.Open(read(t, path), "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	return store.Trusted()
}

func TestATruststoreInAContainerKeepsEverythingElse(t *testing.T) {
	box := boxed(t, "is", "is-1")
	e := engine.Start(t, box)
	o, _ := options(t, e)
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	path := security(box, isHome, "client-truststore.p12")
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	original, before, peer := read(t, path), trusts(t, path), certificate(t, "wso2am")
	f, err := imported(t, c, peer)
	if err != nil {
		t.Fatal(err)
	}
	after := trusts(t, path)
	if after["wso2am"] != peer.Fingerprint() || len(after) != len(before)+1 {
		t.Errorf("%v, was %v", after, before)
	}
	for alias, fingerprint := range before {
		if after[alias] != fingerprint {
			t.Errorf("%s has changed", alias)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if uid, gid := e.Owner(box, isHome+"/repository/resources/security/client-truststore.p12"); uid != os.Getuid() || gid != os.Getgid() {
		t.Errorf("its owner is %d:%d", uid, gid)
	}
	kept := filepath.Join(box.Root, isHome, ".agent/client-truststore.p12.original")
	if !bytes.Equal(read(t, kept), original) {
		t.Error("the original is not kept")
	}
	if f, err = c.read(t.Context()); err != nil || f.Record != (Record{Unread: f.Start}) || f.Cut {
		t.Errorf("%+v, %v", f.Record, err)
	}
	if _, err := imported(t, c, certificate(t, "wso2am")); err != nil || !bytes.Equal(read(t, kept), original) {
		t.Errorf("another import: %v, or another original", err)
	}
	// The stores of another password, and one that changes meanwhile.
	t.Setenv("TRUSTSTORE_PASS", "another")
	o, _ = options(t, e)
	if c, err = found(t, o, "is", "is-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(t.Context()); !errors.Is(err, keystore.ErrPassword) || !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "TRUSTSTORE_PASS_FILE") {
		t.Errorf("another password: %v", err)
	}
}

// TestARunGoesOnWhereAnotherWasKilled: the engine does not replace a file at once.
func TestARunGoesOnWhereAnotherWasKilled(t *testing.T) {
	for _, cut := range []string{"client-truststore.p12.original", "client-truststore.p12.next", "up.json", "client-truststore.p12"} {
		box := boxed(t, "is", "is-1")
		e := engine.Start(t, box)
		o, _ := options(t, e)
		c, err := found(t, o, "is", "is-1")
		if err != nil {
			t.Fatal(err)
		}
		peer := certificate(t, "wso2am")
		path := security(box, isHome, "client-truststore.p12")
		before, original := trusts(t, path), read(t, path)
		e.Cut(cut)
		if _, err := imported(t, c, peer); err == nil {
			t.Fatalf("%s: the write succeeds", cut)
		}
		f, err := c.read(t.Context())
		if err != nil || f.Cut != (cut == "client-truststore.p12") {
			t.Fatalf("%s: cut %t, %v", cut, f.Cut, err)
		}
		changes := trust.PlanImport(f.Entries, map[string][]string{"wso2am": {peer.Fingerprint().String()}}, "wso2is", names())
		if err := c.write(t.Context(), f, changes, map[string]keystore.Certificate{peer.Fingerprint().String(): peer}, true); err != nil {
			t.Fatalf("%s: %v", cut, err)
		}
		after := trusts(t, path)
		if after["wso2am"] != peer.Fingerprint() || len(after) != len(before)+1 {
			t.Errorf("%s: %v", cut, after)
		}
		if !bytes.Equal(read(t, filepath.Join(box.Root, isHome, ".agent/client-truststore.p12.original")), original) {
			t.Errorf("%s: the original is not kept", cut)
		}
		if f, err := c.read(t.Context()); err != nil || f.Cut || f.Record.Writing || f.Record.Unread != f.Start {
			t.Errorf("%s: %+v, %v", cut, f.Record, err)
		}
	}
}

// TestARecordThatWasCutOffCausesOneRestart: a run may be killed while it writes the record after the truststore.
func TestARecordThatWasCutOffCausesOneRestart(t *testing.T) {
	box := boxed(t, "is", "is-1")
	o, _ := options(t, engine.Start(t, box))
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := imported(t, c, certificate(t, "wso2am")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(box.Root, isHome, ".agent/up.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := c.read(t.Context())
	if err != nil || f.Record.Unread != f.Start {
		t.Fatalf("%+v, %v", f.Record, err)
	}
	if err := c.restart(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if c, err = found(t, o, "is", "is-1"); err != nil {
		t.Fatal(err)
	}
	if f, err = c.read(t.Context()); err != nil || f.Record.Unread == f.Start {
		t.Errorf("another restart is due: %+v, %v", f.Record, err)
	}
}

func TestTheStoreThatCountsIsEdited(t *testing.T) {
	box := boxed(t, "is", "is-1")
	onVolume := t.TempDir()
	box.Mounts = []engine.Mount{{Target: volume, Source: onVolume}}
	if err := os.MkdirAll(filepath.Join(onVolume, "repository/resources/security"), 0o755); err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, engine.Start(t, box))
	peer := certificate(t, "wso2am")
	edit := func() (Files, error) {
		c, err := found(t, o, "is", "is-1")
		if err != nil {
			t.Fatal(err)
		}
		return imported(t, c, peer)
	}
	inHome, copied := security(box, isHome, "client-truststore.p12"), filepath.Join(onVolume, "repository/resources/security/client-truststore.p12")
	shipped := read(t, inHome)
	if err := os.WriteFile(copied, shipped, 0o640); err != nil {
		t.Fatal(err)
	}
	if f, err := edit(); err != nil || f.root != volume || trusts(t, copied)["wso2am"] != peer.Fingerprint() || !bytes.Equal(read(t, inHome), shipped) {
		t.Errorf("the volume has the store: edited in %s, %v", f.root, err)
	}
	if _, err := os.Stat(filepath.Join(onVolume, ".agent/client-truststore.p12.original")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(copied); err != nil {
		t.Fatal(err)
	}
	if f, err := edit(); err != nil || f.root != isHome || trusts(t, inHome)["wso2am"] != peer.Fingerprint() {
		t.Errorf("only the home has it: edited in %s, %v", f.root, err)
	}
	if err := os.WriteFile(copied, shipped, 0o640); err != nil {
		t.Fatal(err)
	}
	box.Mounts[0].ReadOnly = true
	if _, err := edit(); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), volume+" is mounted read-only") || !strings.Contains(err.Error(), onVolume) {
		t.Errorf("the volume is read-only: %v", err)
	}
	box.Mounts, box.ReadOnly = nil, true
	if _, err := edit(); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "root file system is read-only") {
		t.Errorf("the container is read-only: %v", err)
	}
}

// TestAFolderBelowTheVolumeCounts: the entrypoint copies what is mounted there over the home, too.
func TestAFolderBelowTheVolumeCounts(t *testing.T) {
	box := boxed(t, "is", "is-1")
	stores := t.TempDir()
	box.Mounts = []engine.Mount{{Target: volume + "/repository/resources/security", Source: stores}}
	if err := os.MkdirAll(filepath.Join(box.Root, volume), 0o755); err != nil {
		t.Fatal(err)
	}
	inHome, mounted := security(box, isHome, "client-truststore.p12"), filepath.Join(stores, "client-truststore.p12")
	before := read(t, inHome)
	if err := os.WriteFile(mounted, before, 0o640); err != nil {
		t.Fatal(err)
	}
	o, _ := options(t, engine.Start(t, box))
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	peer := certificate(t, "wso2am")
	if f, err := imported(t, c, peer); err != nil || f.root != volume || trusts(t, mounted)["wso2am"] != peer.Fingerprint() || !bytes.Equal(read(t, inHome), before) {
		t.Errorf("edited in %s, %v", f.root, err)
	}
}

// TestATruststoreThatCannotBeWrittenIsLeftAlone: nothing is written next to it either.
func TestATruststoreThatCannotBeWrittenIsLeftAlone(t *testing.T) {
	box := boxed(t, "is", "is-1")
	stores := isHome + "/repository/resources/security"
	source := filepath.Join(box.Root, stores)
	o, _ := options(t, engine.Start(t, box))
	for name, c := range map[string]struct {
		mount engine.Mount
		want  string
	}{
		"a folder that is read-only": {engine.Mount{Target: stores, Source: source, ReadOnly: true}, stores + " is mounted read-only"},
		"a mount of its own":         {engine.Mount{Target: stores + "/client-truststore.p12", Source: source + "/client-truststore.p12"}, "client-truststore.p12 is a mount of its own"},
	} {
		box.Mounts = []engine.Mount{c.mount}
		at, err := found(t, o, "is", "is-1")
		if err == nil {
			_, err = imported(t, at, certificate(t, "wso2am"))
		}
		if !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "at its source, "+c.mount.Source) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(box.Root, isHome, ".agent")); !os.IsNotExist(err) {
			t.Errorf("%s: files are written: %v", name, err)
		}
	}
}

func TestARestartThatMovesThePortIsReported(t *testing.T) {
	box := boxed(t, "is", "is-1")
	box.Ports = map[int]int{9443: 19443}
	e := engine.Start(t, box)
	o, _ := options(t, e)
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.restart(t.Context(), Files{Start: c.facts.StartedAt}); err != nil {
		t.Fatal(err)
	}
	box.Restart = func() error { box.Ports[9443] = 19444; return nil }
	if err := c.restart(context.Background(), Files{Start: c.facts.StartedAt}); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "19444") {
		t.Errorf("%v", err)
	}
}

func TestTheVersionOfAServerIsThatOfItsHome(t *testing.T) {
	o, _ := options(t, engine.Start(t))
	for home, want := range map[string]string{"/opt/wso2is-7.0.0": "7.0.0", "/opt/is": "7.1.0", "/opt/wso2am-4.6.0": "7.1.0"} {
		cfg, err := atHome(o.Config.For(config.IS), config.IS, home)
		if err != nil || cfg.Release.Version != want || cfg.Release.Product != config.IS || cfg.Truststore.File != cfg.Release.Truststore {
			t.Errorf("%s: %s with the truststore %s, %v, want %s", home, cfg.Release.Name(), cfg.Truststore.File, err, want)
		}
	}
	if _, _, err := o.find(t.Context(), Target{Product: config.IS, Home: "/opt/wso2is-6.1.0"}); !errors.Is(err, ErrPermanent) {
		t.Errorf("a home that is too old: %v, want ErrPermanent", err)
	}
}
