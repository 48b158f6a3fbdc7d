package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
)

// What Kubernetes does to files: versions behind a link, modes that change at a mount, volumes that are empty again.

func TestASecretAndAConfigMapThatKubernetesUpdatesCountWithoutARestart(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	secret := testenv.KubernetesVolume{Dir: filepath.Join(p.dir, "secret")}
	secret.Write(t, map[string]string{"am-admin-pass": "wrong\n"})
	t.Setenv("AM_ADMIN_PASS_FILE", filepath.Join(secret.Dir, "am-admin-pass"))
	apis := testenv.KubernetesVolume{Dir: filepath.Join(p.dir, "apis")}
	configuration := strings.ReplaceAll(apiConfig, "BACKEND", p.backend.URL())
	apis.Write(t, map[string]string{"api-config.yaml": configuration})
	// The settings are read from the environment and the secret's file each time; the rest is this place's.
	load := func() (config.Config, error) {
		read, err := config.Load("PRODUCT")
		if err != nil {
			return config.Config{}, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		cfg := p.cfg[config.AM]
		cfg.AM.AdminPass, cfg.SecretFiles, cfg.Bootstrap.File = read.AM.AdminPass, read.SecretFiles, filepath.Join(apis.Dir, "api-config.yaml")
		return cfg, nil
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	am := New(cfg, load, slog.New(slog.NewTextHandler(p.log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	t.Cleanup(func() { cancel(); loops.Wait() })
	is, health := p.agent(config.IS), telemetry.NewHealth(time.Hour, trustCondition, restartCondition, bootstrapCondition)
	loops.Go(func() { is.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	loops.Go(func() { am.keepTrust(ctx, health) })
	loops.Go(func() { am.keepState(ctx, health) })

	p.until("the wrong password is told", func() bool { return strings.Contains(p.message(health, bootstrapCondition), "AM_ADMIN_PASS") })
	secret.Write(t, map[string]string{"am-admin-pass": "admin\n"})
	p.until("the right one counts", health.Ready)
	for _, name := range []string{"Order API", "Invoice API"} {
		configuration = strings.Replace(configuration, "application:", "  - {name: "+name+", context: /"+name[:5]+", version: 1.0.0, backend_url: \""+p.backend.URL()+"\"}\napplication:", 1)
		apis.Write(t, map[string]string{"api-config.yaml": configuration})
		p.until(name+" is made", func() bool { return len(p.lines("msg=created", "kind=API", name)) > 0 })
		p.until("everything is ready again", health.Ready)
	}
}

func TestATLSSecretThatKubernetesUpdatesRotatesEachTime(t *testing.T) {
	p := newPlace(t)
	secret := testenv.KubernetesVolume{Dir: filepath.Join(p.dir, "tls")}
	renew := func(validity time.Duration) {
		files := map[string]string{}
		for name, content := range pemFiles(t, "wso2is", validity) {
			files[name] = string(content)
		}
		secret.Write(t, files)
	}
	renew(time.Hour)
	p.set(config.IS, func(c *config.Config) {
		c.Settings.Mode, c.TLS.Mode, c.TLS.FilesDir, c.AM.Host, c.IS.Host, c.Trust.Peers = "merge", "files", secret.Dir, "wso2am", "wso2is", nil
	})
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	health := p.keeping(config.IS)
	p.until("all is well", func() bool { return p.ok(health, trustCondition) && p.ok(health, restartCondition) })
	for i := range 3 {
		p.settled(p.volume(config.IS), filepath.Join(p.dir, "exchange")) // so that nothing but the Secret can be what is noticed
		installed := p.read(p.agent(config.IS).cfg.TLSStorePath())
		renew(time.Duration(i+2) * time.Hour)
		p.until("the new one is installed", func() bool { return p.read(p.agent(config.IS).cfg.TLSStorePath()) != installed })
		p.until("a restart is asked for", func() bool { return len(p.lines("restart of the server asked for")) == i+1 })
		p.supervise(config.IS)
		p.until("the server runs with it", func() bool { return p.ok(health, restartCondition) })
	}
	if errs := p.lines("level=ERROR"); len(errs) > 0 {
		t.Errorf("told: %v", errs)
	}
}

// TestTheThreeFilesOfATLSSecretAreNeverMixed: they are read one after the other, and each through the link.
func TestTheThreeFilesOfATLSSecretAreNeverMixed(t *testing.T) {
	p := newPlace(t)
	secret := testenv.KubernetesVolume{Dir: filepath.Join(p.dir, "tls")}
	var versions []map[string]string
	for range 60 { // so many that none comes back while files are read
		files := map[string]string{}
		for name, content := range pemFiles(t, "wso2is", time.Hour) {
			files[name] = string(content)
		}
		versions = append(versions, files)
	}
	secret.Write(t, versions[0])
	p.set(config.IS, func(c *config.Config) { c.TLS.FilesDir, c.Watch.QuietMin = secret.Dir, time.Millisecond })
	done := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-done:
				return
			default:
				secret.Write(t, versions[i%len(versions)])
			}
		}
	})
	a := p.agent(config.IS)
	read := 0
	for range 200 {
		i, err := identity.ReadPEM(t.Context(), a.cfg.TLS.FilesDir, a.cfg.Watch.QuietMin)
		if err != nil { // a file that is gone between two looks, or six torn reads in a row: said, and tried again
			continue
		}
		read++
		if len(i.Chain) != 2 {
			t.Errorf("a chain of %d", len(i.Chain))
		}
	}
	close(done)
	swaps.Wait()
	if read == 0 {
		t.Error("never read")
	}
}

func TestAnIssuerThatComesLaterCompletesTheChain(t *testing.T) {
	p := newPlace(t)
	secret := testenv.KubernetesVolume{Dir: filepath.Join(p.dir, "tls")}
	made := map[string]string{}
	for name, content := range pemFiles(t, "wso2is", time.Hour) {
		made[name] = string(content)
	}
	issuer := made["ca.crt"]
	delete(made, "ca.crt")
	secret.Write(t, made)
	p.set(config.IS, func(c *config.Config) {
		c.Settings.Mode, c.TLS.Mode, c.TLS.FilesDir, c.AM.Host, c.IS.Host, c.Trust.Peers, c.Trust.Mode = "merge", "files", secret.Dir, "wso2am", "wso2is", nil, "ca"
	})
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	is := p.sidecar(config.IS)
	is.r.started.Generation, _ = p.agent(config.IS).control().Wanted()
	is.once()
	made["ca.crt"] = issuer
	secret.Write(t, made)
	is.once()
	installed := p.read(p.agent(config.IS).cfg.TLSStorePath())
	is.once()
	if is.restart() || installed != p.read(p.agent(config.IS).cfg.TLSStorePath()) {
		t.Error("a restart for the chain alone, or it is written again and again")
	}
	if i := mustIdentity(t, p, config.IS); len(i.Chain) != 2 {
		t.Errorf("a chain of %d", len(i.Chain))
	}
	if published := p.read(filepath.Join(p.dir, "exchange", "wso2is", "ca.pem")); published != issuer {
		t.Errorf("published as CA: %s", published)
	}
}

// mount does to a folder what kubelet does at the mount of a volume with an fsGroup (pkg/volume/volume_linux.go of Kubernetes):
// the group gets everything, folders pass it on, owners stay.
func mount(t *testing.T, volume string, group int) {
	t.Helper()
	err := filepath.WalkDir(volume, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if os.Geteuid() == 0 { // others cannot give files to any group
			if err := os.Lchown(path, -1, group); err != nil {
				return err
			}
		}
		mode := info.Mode() | 0o660
		if e.IsDir() {
			mode |= fs.ModeSetgid | 0o110
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// files are all files below a folder: each with its inode, mode, group and time.
func files(t *testing.T, folder string) map[string]syscall.Stat_t {
	t.Helper()
	found := map[string]syscall.Stat_t{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it has gone meanwhile
			return nil
		}
		if err != nil || e.IsDir() || filepath.Base(path) == "lock" {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		found[path] = syscall.Stat_t{Ino: s.Ino, Mode: s.Mode, Gid: s.Gid, Mtim: s.Mtim}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// settled waits until nothing has been written to the folders for longer than a change waits to be noticed.
func (p *place) settled(folders ...string) {
	p.t.Helper()
	look := func() map[string]syscall.Stat_t {
		all := map[string]syscall.Stat_t{}
		for _, f := range folders {
			maps.Copy(all, files(p.t, f))
		}
		return all
	}
	last, since := look(), time.Now()
	p.until("nothing is written any more", func() bool {
		if now := look(); !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
}

func TestModesThatAMountHasChangedAreNoChange(t *testing.T) {
	p, is, am := bothIssued(t)
	volumes := []string{p.volume(config.IS), p.volume(config.AM), filepath.Join(p.dir, "exchange")}
	for _, s := range []*side{is, am} {
		s.once()
	}
	generation := is.r.started.Generation
	for _, v := range volumes {
		mount(t, v, 10001)
	}
	before := map[string]syscall.Stat_t{}
	for _, v := range volumes {
		maps.Copy(before, files(t, v))
	}
	for range 3 {
		is.once()
		am.once()
		if is.restart() || am.restart() {
			t.Fatal("a restart for other modes")
		}
	}
	for _, v := range volumes {
		for path, now := range files(t, v) {
			if now != before[path] {
				t.Errorf("%s was written: %+v, before %+v", path, now, before[path])
			}
		}
	}
	if is.r.started.Generation != generation {
		t.Errorf("generation %s, before %s", is.r.started.Generation, generation)
	}
	// What is written from then on stays as the mount has made it: readable for the group.
	if err := os.WriteFile(filepath.Join(ControlDir(p.agent(config.IS).cfg), "rotate"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := p.agent(config.IS).cfg.TLSStorePath()
	installed := before[path]
	for range 4 {
		is.once()
		am.once()
		is.restart()
		am.restart()
	}
	now := files(t, p.volume(config.IS))[path]
	if now.Ino == installed.Ino || now.Mode != installed.Mode || now.Gid != installed.Gid {
		t.Errorf("after a rotation: %+v, before %+v", now, installed)
	}
	if errs := p.lines("level=ERROR"); len(errs) > 0 {
		t.Errorf("told: %v", errs)
	}
}

// TestANewPodWithEmptyVolumesFindsItsPlaceAgain: the config volume is an emptyDir, what was published and what the peers know is
// from the pod before.
func TestANewPodWithEmptyVolumesFindsItsPlaceAgain(t *testing.T) {
	p, _, am := bothIssued(t)
	before := p.published("wso2is")
	entries, err := os.ReadDir(p.volume(config.IS))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(p.volume(config.IS), e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	p.reseed(config.IS, "wso2is-7.1.0")
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := p.published("wso2is")
	if len(now) != 2 || now[0].Fingerprint() == before[0].Fingerprint() || now[1].Fingerprint() != before[0].Fingerprint() {
		t.Fatalf("%d certificates are published, the one before at %d", len(now), slices.IndexFunc(now, func(c keystore.Certificate) bool { return c.Fingerprint() == before[0].Fingerprint() }))
	}
	if !p.trusts(config.IS, p.published("wso2am")[0]) || !p.trusts(config.IS, now[0]) {
		t.Error("the new volume's truststore lacks the peer's certificate or the own one")
	}
	is := p.sidecar(config.IS)
	is.r.started.Generation, _ = p.agent(config.IS).control().Wanted()
	restarts := 0
	for range 4 {
		is.once()
		am.once()
		if is.restart() {
			t.Error("the new pod's server is restarted: not all was in place at its start")
		}
		if am.restart() {
			restarts++
		}
	}
	if restarts != 1 || !p.trusts(config.AM, now[0]) {
		t.Errorf("the peer was restarted %d times, trusts the new certificate: %v", restarts, p.trusts(config.AM, now[0]))
	}
	for _, s := range []*side{is, am} {
		said, err := p.agent(s.product).exchange().Trusts(t.Context(), p.agent(s.product).cfg.Server.Name)
		if err != nil || said.Generation != s.r.started.Generation {
			t.Errorf("%s says that it runs with %s, %v; it does with %s", s.product, said.Generation, err, s.r.started.Generation)
		}
	}
}
