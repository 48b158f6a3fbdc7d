package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
)

// putBack are two servers that run, both of whose keystores were replaced. API-M's agent has put the old one back, and its
// restart is asked for.
func putBack(t *testing.T) (p *place, is, am *side, old string, next keystore.Certificate) {
	t.Helper()
	p, is, am = bothRunning(t)
	path := p.agent(config.AM).cfg.KeystorePaths()[0]
	old = p.read(path)
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	next = p.replaceKey(config.AM, "next", time.Now().Add(time.Hour))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	is.once()
	am.once()
	if !am.restart() || p.read(path) != old {
		t.Fatal("the old keystore is not back")
	}
	return p, is, am, old, next
}

func (p *place) kept(name string) string {
	return filepath.Join(p.volume(config.AM), ".agent", "keystore", filepath.Base(p.agent(config.AM).cfg.KeystorePaths()[0])+name)
}

func TestAKeystoreThatIsPutBackKeepsItsModeAndTheNewOneIsKept(t *testing.T) {
	p, is, am, old, next := putBack(t)
	path := p.agent(config.AM).cfg.KeystorePaths()[0]
	for file, want := range map[string]os.FileMode{path: 0o640, p.kept(".served"): 0o600, p.kept(".next"): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %s", file, info, err, want)
		}
	}
	if p.read(p.kept(".served")) != old {
		t.Error("the copy is another one")
	}
	replaced := p.read(p.kept(".next"))
	am.once()
	is.once()
	if !is.restart() {
		t.Fatal("IS is not restarted")
	}
	is.once()
	am.once()
	am.restart()
	am.once()
	if p.read(path) != replaced || p.published("wso2am")[0].Fingerprint() != next.Fingerprint() {
		t.Error("the new keystore is not in place after the switch")
	}
	if p.read(p.kept(".served")) != replaced {
		t.Error("no copy of it is kept")
	}
	if _, err := os.Stat(p.kept(".next")); err == nil {
		t.Error("a second copy of the key is left")
	}
}

func TestAKeystoreThatSomebodyPutsInPlaceMeanwhileCountsInsteadOfTheOneThatWaits(t *testing.T) {
	p, _, am, _, _ := putBack(t)
	third := p.replaceKey(config.AM, "third", time.Now().Add(time.Hour))
	am.once()
	if certs := p.published("wso2am"); len(certs) < 2 || certs[1].Fingerprint() != third.Fingerprint() {
		t.Errorf("%d certificates are published, the third is not announced", len(certs))
	}
	if n := len(p.lines("level=INFO", "somebody has put another keystore in place", "fingerprint="+third.Fingerprint().String())); n != 1 {
		t.Errorf("that is logged %d times", n)
	}
}

// The person has changed the password in the settings, too: a start would not open the old keystore.
func TestTheKeystoreThatWaitsIsTakenAtOnceWhereTheSettingsOpenNoOther(t *testing.T) {
	p, _, am, _, next := putBack(t)
	const old = "no keystore that these settings open"
	p.write(p.agent(config.AM).cfg.KeystorePaths()[0], old)
	p.write(p.kept(".served"), old)
	v, err := p.agent(config.AM).pass(t.Context(), &am.r.started)
	if err != nil || v.own.Fingerprint() != next.Fingerprint() {
		t.Errorf("a start would present %s, %v", v.own.Fingerprint(), err)
	}
}

// A person who copies a third keystore into place does not do so at once, or has yet to change the settings.
func TestAKeystoreThatSomebodyPutsInPlaceAndThatCannotBeOpenedIsNotLost(t *testing.T) {
	p, _, am, _, _ := putBack(t)
	path := p.agent(config.AM).cfg.KeystorePaths()[0]
	waits := p.read(p.kept(".next"))
	const third = "half of a third keystore"
	p.write(path, third)
	if _, err := p.agent(config.AM).pass(t.Context(), &am.r.started); err == nil {
		t.Error("a keystore that cannot be opened is no error")
	}
	if p.read(path) != third {
		t.Error("it is overwritten")
	}
	if p.read(p.kept(".next")) != waits {
		t.Error("the one that waits is lost")
	}
}

// Between the look at the files and the switch somebody may put another keystore in place.
func TestTheSwitchDoesNotOverwriteAKeystoreThatSomebodyHasJustPutInPlace(t *testing.T) {
	p, _, _, _, _ := putBack(t)
	path := p.agent(config.AM).cfg.KeystorePaths()[0]
	p.replaceKey(config.AM, "third", time.Now().Add(time.Hour))
	third := p.read(path)
	a, err := p.agent(config.AM).atStores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, _ := identity.OwnOf(a.cfg)
	if err := own.InstallNext(); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("the switch ends with %v", err)
	}
	if p.read(path) != third {
		t.Error("it is overwritten")
	}
}

func TestAKeystoreThatWaitsAndCannotBeOpenedIsKeptAndNamed(t *testing.T) {
	p, _, am, old, _ := putBack(t)
	const damaged = "damaged"
	p.write(p.kept(".next"), damaged)
	am.once()
	if p.read(p.kept(".next")) != damaged || p.read(p.agent(config.AM).cfg.KeystorePaths()[0]) != old {
		t.Error("a file was changed")
	}
	if len(p.lines("level=WARN", "cannot be opened with the server's settings", "file="+p.kept(".next"))) == 0 {
		t.Error("nothing is logged")
	}
}

func TestWithoutACopyOfTheOldKeystoreTheRestartIsHeld(t *testing.T) {
	p, is, am := bothRunning(t)
	if err := os.Remove(p.kept(".served")); err != nil {
		t.Fatal(err)
	}
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	p.replaceKey(config.AM, "next", time.Now().Add(time.Hour))
	is.once()
	am.once()
	am.once()
	if am.restart() || len(am.r.held) == 0 {
		t.Error("API-M is restarted with a certificate that IS does not trust")
	}
}

func TestInitTakesTheKeystoreThatWaitsOnceThePeersTrustIt(t *testing.T) {
	p, is, am, _, next := putBack(t)
	a := p.agent(config.AM)
	v, err := a.pass(t.Context(), nil)
	if err != nil || v.own.Fingerprint() == next.Fingerprint() {
		t.Fatalf("it is taken before IS trusts it: %v", err)
	}
	am.r.started = notify.Started{Generation: v.Generation}
	am.once()
	is.once()
	is.restart()
	is.once()
	if v, err = a.pass(t.Context(), nil); err != nil || v.own.Fingerprint() != next.Fingerprint() {
		t.Errorf("it is not taken though IS trusts it: %v", err)
	}
}
