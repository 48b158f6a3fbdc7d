package agent

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/wso2sim"
)

const handlerJar = "repository/components/dropins/wso2is.notification.event.handlers-2.0.5.jar"

// withArtifacts gives IS's agent an artifact volume and a folder in place of the network, and returns both.
func (p *place) withArtifacts() (volume, source string) {
	p.t.Helper()
	volume, source = filepath.Join(p.dir, "artifacts"), filepath.Join(p.dir, "source")
	for _, folder := range []string{volume, source} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	p.set(config.IS, func(c *config.Config) {
		c.Artifacts.Dir, c.Artifacts.SourceDir, c.Trust.Peers, c.AM.Host = volume, source, nil, "wso2am"
	})
	return volume, source
}

func TestInitPutsTheRevocationHandlerOnTheArtifactVolume(t *testing.T) {
	p := newPlace(t)
	volume, source := p.withArtifacts()
	made := t.TempDir()
	if err := wso2sim.WriteRevocationHandler(made); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(made, handlerJar), filepath.Join(source, filepath.Base(handlerJar))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.agent(config.IS).Init(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(volume, handlerJar)); err != nil {
		t.Error(err)
	}
	if log := p.log.String(); strings.Count(log, "artifact put in place") != 1 || !strings.Contains(log, "pinned=") || strings.Contains(log, "not verified") {
		t.Errorf("log:\n%s", log)
	}
}

func TestInitGoesOnWithoutAnArtifactAndSaysWhatIsLost(t *testing.T) {
	cases := map[string]struct {
		prepare func(p *place)
		says    string
	}{
		"no volume": {func(p *place) {
			p.set(config.IS, func(c *config.Config) { c.Artifacts.Dir = filepath.Join(p.dir, "missing") })
		}, "mount one there"},
		"the saved page of an error": {func(p *place) {
			page := filepath.Join(p.dir, "source", filepath.Base(handlerJar))
			if err := os.WriteFile(page, []byte("<html>"), 0o644); err != nil {
				p.t.Fatal(err)
			}
		}, "no zip file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.withArtifacts()
			c.prepare(p)
			if err := p.agent(config.IS).Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"revocation before expiry is not verified", c.says, "ready for the server's start"} {
				if !strings.Contains(p.log.String(), part) {
					t.Errorf("the log lacks %q:\n%s", part, p.log)
				}
			}
		})
	}
}

func TestAListOfArtifactsThatCannotBeReadIsToldBeforeAnythingIsWritten(t *testing.T) {
	p := newPlace(t)
	p.withArtifacts()
	list := filepath.Join(p.dir, "config", "artifacts.yaml")
	if err := os.WriteFile(list, []byte("artifacts:\n  - {file: a.jar, destinatoin: lib/a.jar}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Artifacts.File = list })
	err := p.agent(config.IS).Init(t.Context())
	if !errors.Is(err, artifact.ErrList) || !strings.Contains(err.Error(), `:2:19: unknown key "destinatoin"`) {
		t.Errorf("error = %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "exchange", "wso2is")); err == nil {
		t.Error("a certificate was published")
	}
}

func TestTheProductsOwnArtifactsCanBeLeftOutAndOwnOnesAdded(t *testing.T) {
	p := newPlace(t)
	list := filepath.Join(p.dir, "config", "artifacts.yaml")
	if err := os.WriteFile(list, []byte("artifacts:\n  - {file: own.jar, destination: lib/own.jar}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for artifacts, want := range map[string]string{"default": handlerJar + " lib/own.jar", "none": "lib/own.jar"} {
		p.set(config.IS, func(c *config.Config) { c.Artifacts.Base, c.Artifacts.File = artifacts, list })
		all, err := p.artifacts().List()
		var names []string
		for _, a := range all {
			names = append(names, a.Destination)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("ARTIFACTS=%s: %s, %v; want %s", artifacts, got, err, want)
		}
	}
}

func TestInitWaitsForTheDriverWithoutWhichTheServerDoesNotStart(t *testing.T) {
	p := newPlace(t)
	_, source := p.withArtifacts()
	p.set(config.IS, func(c *config.Config) {
		c.Database.Kind, c.Init.Timeout, c.Database.ISPassword = "postgres", 2*time.Second, "secret"
	})
	err := p.agent(config.IS).Init(t.Context())
	if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "the server does not start without repository/components/lib/postgresql-") || !strings.Contains(err.Error(), "ARTIFACT_SOURCE_DIR") {
		t.Errorf("error = %v", err)
	}
	// It comes while init waits, in a version of one's own.
	p.set(config.IS, func(c *config.Config) {
		c.Init.Timeout, c.Artifacts.File = 30*time.Second, filepath.Join(p.dir, "config", "artifacts.yaml")
	})
	list := "artifacts:\n  - {url: \"https://jdbc.example/postgresql-42.9.9.jar\", destination: repository/components/lib/postgresql-42.9.9.jar}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "config", "artifacts.yaml"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.agent(config.IS).Init(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("init does not wait: %v", err)
	case <-time.After(time.Second):
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	if _, err := z.Create("org/postgresql/Driver.class"); err != nil {
		t.Fatal(err)
	}
	z.Close()
	if err := os.WriteFile(filepath.Join(source, "postgresql-42.9.9.jar"), jar.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
