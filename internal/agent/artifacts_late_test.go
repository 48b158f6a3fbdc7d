package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

const lateJar = "repository/components/dropins/handler-1.0.jar"

// withUnreachable gives IS's agent artifacts, each from an address where nobody listens.
func (p *place) withUnreachable(destinations ...string) (volume, source string) {
	p.t.Helper()
	volume, source = p.withArtifacts()
	text := "artifacts:\n"
	for _, d := range destinations {
		text += "  - {url: \"https://127.0.0.1:1/" + filepath.Base(d) + "\", destination: " + d + "}\n"
	}
	list := filepath.Join(p.dir, "config", "artifacts.yaml")
	p.write(list, text)
	p.set(config.IS, func(c *config.Config) { c.Artifacts.Base, c.Artifacts.File = "none", list })
	return volume, source
}

// arrive puts a jar where the agent looks in place of the network.
func (p *place) arrive(source, name string) {
	p.t.Helper()
	made := p.t.TempDir()
	if err := wso2sim.WriteRevocationHandler(made); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(made, handlerJar), filepath.Join(source, name)); err != nil {
		p.t.Fatal(err)
	}
}

// keepingArtifacts runs the loops of IS's sidecar for artifacts and for the server.
func (p *place) keepingArtifacts() (artifacts, server *telemetry.Health) {
	p.t.Helper()
	server, artifacts = p.keeping(config.IS), telemetry.NewHealth(time.Hour)
	ctx, cancel := context.WithCancel(p.t.Context())
	var loops sync.WaitGroup
	p.t.Cleanup(func() { cancel(); loops.Wait() })
	loops.Go(func() { p.agent(config.IS).keepArtifacts(ctx, artifacts) })
	return artifacts, server
}

// artifacts is the keeper of IS's artifacts.
func (p *place) artifacts() artifact.Keeper {
	p.t.Helper()
	k, err := p.agent(config.IS).artifacts(p.agent(config.IS).cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return k
}

func (p *place) wanted() string {
	p.t.Helper()
	wanted, err := p.agent(config.IS).control().Wanted()
	if err != nil {
		p.t.Fatal(err)
	}
	return wanted
}

func (p *place) lacking() string {
	p.t.Helper()
	names, err := p.artifacts().Lacking()
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestTheSidecarFetchesWhatInitCouldNotAndRestartsTheServerOnce(t *testing.T) {
	p := newPlace(t)
	volume, source := p.withUnreachable(lateJar)
	if err := p.artifacts().NoteLacking([]string{lateJar}); err != nil { // so that init tries once, which takes no seconds
		t.Fatal(err)
	}
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.lacking() != lateJar {
		t.Fatalf("init notes that the server starts without %q", p.lacking())
	}
	before := p.wanted()
	artifacts, server := p.keepingArtifacts()
	p.until("the condition names the file", func() bool {
		return !p.ok(artifacts, artifactsCondition) && strings.Contains(p.message(artifacts, artifactsCondition), lateJar+" is missing")
	})
	p.until("the server runs with what is on disk", func() bool { return p.ok(server, restartCondition) })
	if p.wanted() != before {
		t.Fatal("a restart was asked for with nothing new")
	}
	if !artifacts.Ready() {
		t.Error("a missing file that the server works without makes the sidecar not ready")
	}
	if n := strings.Count(p.log.String(), "goes on trying"); n != 1 {
		t.Errorf("the log says %d times that the agent goes on trying", n)
	}

	p.arrive(source, filepath.Base(lateJar))
	p.until("a restart is asked for", func() bool { return p.wanted() != before })
	if _, err := os.Stat(filepath.Join(volume, lateJar)); err != nil {
		t.Error(err)
	}
	p.until("the file counts as in place", func() bool { return p.ok(artifacts, artifactsCondition) && p.lacking() == "" })
	after := p.wanted()
	p.supervise(config.IS)
	p.until("the server runs with it", func() bool { return p.ok(server, restartCondition) })
	p.wake()
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.wanted() != after {
		t.Error("a second restart is asked for")
	}
}

func TestAKillBeforeTheRestartIsAskedForLosesNoRestart(t *testing.T) {
	p := newPlace(t)
	volume, source := p.withUnreachable(lateJar)
	a := p.agent(config.IS)
	p.arrive(source, filepath.Base(lateJar))
	list, err := p.artifacts().List()
	if err != nil {
		t.Fatal(err)
	}
	if o := p.artifacts().Fetcher.Fetch(t.Context(), list); o[0].State != artifact.Fetched {
		t.Fatal(o[0].Err)
	}
	if err := p.artifacts().NoteLacking([]string{lateJar}); err != nil { // as the kill has left it
		t.Fatal(err)
	}
	generation := func() string {
		var v view
		if err := a.alone(t.Context(), func(a Agent) (err error) { v, err = a.pass(t.Context(), nil); return err }); err != nil {
			t.Fatal(err)
		}
		return v.Generation
	}
	before := generation()
	for range 2 {
		if failed, err := p.artifacts().Retry(t.Context()); err != nil || len(failed) > 0 {
			t.Fatalf("%v, %v", failed, err)
		}
	}
	after := generation()
	if after == before || p.lacking() != "" {
		t.Errorf("no restart is due; noted as lacking: %q", p.lacking())
	}
	if _, err := p.artifacts().Retry(t.Context()); err != nil || generation() != after {
		t.Errorf("another restart is due, %v", err)
	}
	if err := os.Remove(filepath.Join(volume, lateJar)); err != nil {
		t.Fatal(err)
	}
}

// Files that nobody has noted are those of another list, or that somebody has removed.
func TestARestartThatCannotBeMadeDueForANewFileIsMadeDueLater(t *testing.T) {
	p := newPlace(t)
	volume, source := p.withUnreachable(lateJar)
	p.arrive(source, filepath.Base(lateJar))
	store := p.agent(config.IS).cfg.TruststorePath()
	kept := p.read(store)
	fetch := map[string]func() error{
		"sidecar": func() error { _, err := p.artifacts().Retry(t.Context()); return err },
		"init": func() error {
			a := p.agent(config.IS)
			a.cfg.Init.Timeout = time.Minute
			return a.prepareArtifacts(t.Context(), t.Context(), true)
		},
	}
	for name, fetch := range fetch {
		if err := errors.Join(os.RemoveAll(filepath.Join(volume, lateJar)), p.artifacts().NoteLacking(nil), os.Remove(store)); err != nil {
			t.Fatal(err)
		}
		err := fetch()
		p.write(store, kept)
		if _, statErr := os.Stat(filepath.Join(volume, lateJar)); err == nil || statErr != nil {
			t.Fatalf("%s: %v, %v", name, err, statErr)
		}
		before, _ := trust.Edition(p.agent(config.IS).cfg.WorkDir())
		if _, err := p.artifacts().Retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after, err := trust.Edition(p.agent(config.IS).cfg.WorkDir()); err != nil || after != before+1 || p.lacking() != "" {
			t.Errorf("%s: no restart is due: edition %d after %d, %v; noted as lacking: %q", name, after, before, err, p.lacking())
		}
	}
}

func TestInitLeavesWhatARunningServerLacksToItsSidecarAndFetchesWhatIsNew(t *testing.T) {
	p := newPlace(t)
	const newJar = "repository/components/dropins/new-1.0.jar"
	volume, source := p.withUnreachable(lateJar, newJar)
	if err := p.artifacts().NoteLacking([]string{lateJar}); err != nil {
		t.Fatal(err)
	}
	var generation string
	if err := p.agent(config.IS).alone(t.Context(), func(Agent) error {
		v, err := p.agent(config.IS).pass(t.Context(), nil)
		generation = v.Generation
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.beside(config.IS, notify.Started{Generation: generation, PID: 1, Since: time.Now(), Starts: 1})
	p.arrive(source, filepath.Base(newJar))
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := p.log.String(); strings.Contains(log, "127.0.0.1:1") {
		t.Errorf("init asks for what the sidecar asks for:\n%s", log)
	}
	if _, err := os.Stat(filepath.Join(volume, newJar)); err != nil || p.lacking() != lateJar {
		t.Errorf("%v; noted as lacking: %q", err, p.lacking())
	}
	v, err := p.agent(config.IS).pass(t.Context(), &notify.Started{Generation: generation})
	if err != nil || v.Generation == generation {
		t.Errorf("no restart is due for the new file, %v", err)
	}
}

func TestInitTriesOnceWhatAnEarlierStartDidWithout(t *testing.T) {
	p := newPlace(t)
	p.withUnreachable(lateJar)
	if err := p.artifacts().NoteLacking([]string{lateJar}); err != nil {
		t.Fatal(err)
	}
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := p.log.String()
	if strings.Contains(log, "could not fetch an artifact yet, trying again") || !strings.Contains(log, "an artifact is missing") || p.lacking() != lateJar {
		t.Errorf("noted as lacking: %q; log:\n%s", p.lacking(), log)
	}
}

func TestTheSidecarHasNothingToFetchWithoutAListOrAVolume(t *testing.T) {
	p := newPlace(t)
	volume, _ := p.withArtifacts()
	for name, c := range map[string]struct {
		artifacts, dir string
		want           bool
	}{"as it is": {"default", volume, true}, "none wanted": {"none", volume, false}, "no volume": {"default", filepath.Join(volume, "missing"), false}} {
		p.set(config.IS, func(cfg *config.Config) { cfg.Artifacts.Base, cfg.Artifacts.Dir = c.artifacts, c.dir })
		if got := p.artifacts().Useful(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
