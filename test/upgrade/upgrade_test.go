package upgrade

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// noticed are the files that say what was seen last, and when: they change at every start, or with the day.
var noticed = []string{"/started.json", "/holder.json", "/changes.json", ".served"}

func TestAnInstallationAtRestGoesOnWithoutARestart(t *testing.T) {
	for _, s := range []State{FirstBoot, Rotated} {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			p := unpacked(t, s)
			p.set(withoutPool...)
			p.init()
			p.wantKept("/holder.json", "/changes.json")
			p.atRest()
		})
	}
}

// atRest starts servers and sidecars, and makes sure that they go on with what is there.
func (p place) atRest() {
	p.t.Helper()
	am, is := p.startsSoFar()
	p.run()
	p.ready()
	p.until("API-M's agent has looked after the APIs", func() string {
		return missing(len(p.lines(p.AM, "everything works")) > 0, "it has not")
	})
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)
	for _, s := range p.Sides() {
		if now, then := p.started(s).Generation, p.startedThen(s).Generation; now != then || now == "" {
			p.t.Errorf("%s runs with the generation %q, and ran with %q", s.Name, now, then)
		}
		if lines := p.lines(s, "restart of the server asked for"); len(lines) > 0 {
			p.t.Errorf("%s: %s", s.Name, lines)
		}
		if presented, then := p.presents(s), p.publishedThen(s)[0]; presented != then {
			p.t.Errorf("%s presents %s, and presented %s", s.Name, presented, then)
		}
		holder := "exchange/" + s.Name + "/holder.json"
		if now, then := p.files()[holder], p.found[holder]; instance(now) != instance(then) {
			p.t.Errorf("the agent next to %s holds the name as another one: %s, and it was %s", s.Name, now, then)
		}
	}
	for _, line := range p.lines(p.AM, "everything works") {
		if !strings.Contains(line, `"changes":0`) {
			p.t.Errorf("the APIs were changed: %s", line)
		}
	}
	p.withoutErrors()
	p.Stop()
	p.wantKept(noticed...)
}

func TestTheVersionBeforeGoesOnWithWhatTheNewOneHasTouched(t *testing.T) {
	earlier := earlierAgent(t)
	for _, s := range []State{FirstBoot, Rotated} {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			p := unpacked(t, s)
			p.set(withoutPool...)
			p.init()
			p.run()
			p.ready()
			p.Stop()
			for _, side := range p.Sides() {
				p.remove(side.Log())
				side.Agent = earlier
			}
			p.init()
			p.atRest()
		})
	}
}

func TestARetiredCertificateGoesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Rotated)
	am, is := p.startsSoFar()
	announced, err := os.Stat(filepath.Join(p.Exchange(), p.IS.Name, "certs.pem"))
	p.must(err)
	then := p.publishedThen(p.IS)
	if len(then) != 2 || !p.trusts(p.AM, then[1]) {
		t.Fatalf("IS has published %s, which API-M should trust", then)
	}
	p.IS.Extra = with(p.IS.Extra, "ROTATE_GRACE=1s")
	p.run()
	p.until("the retired certificate is gone", func() string {
		return missing(slices.Equal(p.published(p.IS), then[:1]) && !p.trusts(p.AM, then[1]), "it is not")
	})
	p.ready()
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)
	p.withoutErrors()
	for _, side := range p.Sides() {
		if now := p.changes(side); len(now) > 0 && now[len(now)-1].After(announced.ModTime()) {
			t.Errorf("%s counts certificates that its agent knew as new ones, at %s", side.Name, now)
		}
	}
}

// changes are the times at which an agent has imported another certificate of its peer.
func (p place) changes(s *Side) []time.Time {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Volume(), ".agent/changes.json"))
	p.must(err)
	var histories map[string]struct{ Changes []time.Time }
	p.must(json.Unmarshal(text, &histories))
	return histories[s.Peer().Name].Changes
}

func TestARotationGoesOnWhereItWas(t *testing.T) {
	for _, c := range []struct {
		state          State
		rotates        func(*World) *Side
		is, am         int // starts; the first one is no restart
		alsoReplacedIS bool
	}{
		{Announced, func(w *World) *Side { return w.IS }, 2, 1, false},
		{PutBack, func(w *World) *Side { return w.AM }, 1, 2, true},
	} {
		t.Run(c.state.Name, func(t *testing.T) {
			t.Parallel()
			p := unpacked(t, c.state)
			am, is := p.startsSoFar()
			s := c.rotates(p.World)
			then := p.publishedThen(s)
			if len(then) != 2 {
				t.Fatalf("%s has published %s", s.Name, then)
			}
			p.init()
			p.run()
			p.until("the server presents the certificate that was announced", func() string {
				return missing(p.presents(s) == then[1], "it presents "+p.presents(s)) + p.AllReady()
			})
			if got, want := p.published(s), []string{then[1], then[0]}; !slices.Equal(got, want) {
				t.Errorf("%s has published %s, want %s", s.Name, got, want)
			}
			if !p.trusts(s.Peer(), then[1]) {
				t.Errorf("%s does not trust it", s.Peer().Name)
			}
			if want := p.publishedThen(p.IS)[1]; c.alsoReplacedIS && p.presents(p.IS) != want {
				t.Errorf("IS presents %s, want %s", p.presents(p.IS), want)
			}
			p.wantStarts(p.AM, am, c.am)
			p.wantStarts(p.IS, is, c.is)
			p.withoutErrors("PRIMARY keystore has another key") // a person has replaced that keystore
		})
	}
}

// The time since the announcement counts, and not the time since the upgrade.
func TestTheWaitForPeersGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Announced)
	announced, err := os.Stat(filepath.Join(p.Exchange(), p.IS.Name, "certs.pem"))
	p.must(err)
	then := p.publishedThen(p.IS)
	p.must(p.IS.StartServer())
	p.serving(p.IS)
	p.must(p.IS.StartAgent()) // next to API-M nobody runs
	p.until("the switch waits", func() string {
		return missing(len(p.lines(p.IS, "waits until it is trusted")) > 0 || p.presents(p.IS) != then[0], "it does not")
	})
	if presented := p.presents(p.IS); presented != then[0] {
		t.Fatalf("IS presents %s before its time, want %s", presented, then[0])
	}
	p.IS.StopAgent()
	p.IS.Extra = with(p.IS.Extra, "ROTATE_TIMEOUT="+(time.Since(announced.ModTime())/2).String())
	p.must(p.IS.StartAgent())
	p.until("IS presents the certificate that was announced", func() string {
		return missing(p.presents(p.IS) == then[1], "it does not")
	})
}

func TestACertificateThatWasRefusedStaysRefused(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Refused)
	am, is := p.startsSoFar()
	next := p.publishedThen(p.IS)[1]
	store, record := p.truststore(p.AM), filepath.Join(p.AM.Volume(), ".agent/refused.json")
	p.init()
	p.run()
	p.until("API-M's agent is ready and says what it does not import", func() string {
		_, said := p.AM.Ask("/readyz")
		return p.AM.Ready() + missing(strings.Contains(said, "not ok imports") || strings.Contains(said, "warning") && strings.Contains(said, "is not imported"), said)
	})
	if p.trusts(p.AM, next) || p.truststore(p.AM) != store {
		t.Error("API-M's truststore has changed")
	}
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)

	p.AM.StopAgent()
	p.remove(record)
	p.must(p.AM.StartAgent())
	p.until("without the record it is imported", func() string {
		return missing(p.trusts(p.AM, next), "it is not") + p.AllReady()
	})
	p.wantStarts(p.AM, am, 2)
	p.wantStarts(p.IS, is, 1)
}

// The version before has changed the truststore since API-M last served, and trusts nothing new in it. A start that fails is then
// no reason to suspect anybody.
func TestWhatTheVersionBeforeDidToTheTruststoreIsNobodyElsesWork(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Rotated)
	store := p.truststore(p.AM)
	if store == p.found["am/volume/.agent/client-truststore.jks.served"] {
		t.Fatal("API-M has served with this truststore, so this shows nothing")
	}
	p.AM.Through = []string{"sh", "-c", "exit 7", "sh"}
	p.must(p.AM.StartServer())
	select {
	case <-p.AM.server.ended:
	case <-time.After(patience):
		t.Fatal("agent exec goes on although its server has ended")
	}
	if lines := p.lines(p.AM, "the server exited by itself"); len(lines) != 1 {
		t.Errorf("the server has ended %d times", len(lines))
	}
	if p.truststore(p.AM) != store {
		t.Error("the truststore has changed")
	}
	p.withoutErrors()
}

func TestACertificateThatChangesTooOftenGoesOnWaiting(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Paced)
	am, is := p.startsSoFar()
	certs := p.publishedThen(p.IS)
	next := certs[1]
	store := p.truststore(p.AM)
	p.must(p.AM.StartServer())
	p.serving(p.AM)
	p.must(p.AM.StartAgent())
	p.until("API-M's agent is ready and says what waits", func() string {
		_, said := p.AM.Ask("/readyz")
		return p.AM.Ready() + missing(strings.Contains(said, "changes too often"), said)
	})
	if p.trusts(p.AM, next) || p.truststore(p.AM) != store {
		t.Error("API-M's truststore has changed")
	}
	p.wantStarts(p.AM, am, 1)

	p.AM.StopAgent()
	p.AM.Extra = with(p.AM.Extra, "RESTART_WINDOW=10m", "MAX_RESTARTS=1000")
	p.must(p.AM.StartAgent())
	p.until("with time for more changes it is imported", func() string { return missing(p.trusts(p.AM, next), "it is not") + p.AM.Ready() })
	p.wantStarts(p.AM, am, 2)
	p.wantStarts(p.IS, is, 0)
	p.withoutErrors()
}

func TestATurnThatNobodyNeedsAnyMoreIsLeft(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Turn)
	am, is := p.startsSoFar()
	p.init()
	p.run()
	p.ready()
	for _, s := range p.Sides() {
		if _, err := os.Stat(p.turn(s)); err == nil {
			t.Errorf("%s still claims the turn", s.Name)
		}
	}
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)
	p.withoutErrors()
}

func (p place) turn(s *Side) string { return filepath.Join(p.Exchange(), s.Name, "turn.json") }

func TestATurnThatAPeerHasIsHonoured(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Turn)
	am, is := p.startsSoFar()
	p.must(p.AM.StartServer())
	p.serving(p.AM)
	p.must(p.AM.StartAgent())
	p.until("API-M's agent is ready", p.AM.Ready)
	p.edit(p.AM)
	p.until("API-M's restart waits", func() string {
		text, _ := os.ReadFile(p.turn(p.AM))
		_, said := p.AM.Ask("/readyz")
		return missing(strings.Contains(string(text), `"wants"`) && strings.Contains(said, "wso2is"), string(text)+said)
	})
	<-time.After(2 * time.Second) // some passes later
	p.wantStarts(p.AM, am, 1)
	if _, err := os.Stat(p.turn(p.IS)); err != nil {
		t.Fatal(err)
	}

	p.must(p.IS.StartServer())
	p.serving(p.IS)
	p.must(p.IS.StartAgent())
	p.until("IS leaves the turn, and API-M has it", func() string {
		return missing(p.AM.Starts() == am+2, "API-M has not started again") + p.AllReady()
	})
	p.wantStarts(p.IS, is, 1)
	p.withoutErrors()
}

// edit changes a server's settings, as a person does.
func (p place) edit(s *Side) {
	p.t.Helper()
	path := filepath.Join(s.Volume(), "repository/conf/deployment.toml")
	text, err := os.ReadFile(path)
	p.must(err)
	p.must(os.WriteFile(path+".new", append(text, "\n# another change\n"...), 0o640))
	p.must(os.Rename(path+".new", path))
}

func TestAnArtifactThatWasLackingMakesARestartDueWhenItComes(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Artifacts)
	am, is := p.startsSoFar()
	p.servers()
	p.serving(p.Sides()...)
	jar := filepath.Join(p.IS.Artifacts(), "repository/components/dropins/lacking-1.0.jar")
	p.must(WriteJar(jar))
	p.agents()
	p.until("IS has started again", func() string { return missing(p.IS.Starts() == is+2, "it has not") + p.AllReady() })
	p.wantStarts(p.AM, am, 1)
	p.withoutErrors()
}

func TestAnArtifactIsTheOneThatItWas(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Artifacts)
	const name = "there-1.0.jar"
	placed := filepath.Join(p.IS.Artifacts(), "repository/components/dropins", name)
	p.remove(placed)
	other := filepath.Join(p.Dir, "source", name)
	p.must(WriteJar(other))
	text, err := os.ReadFile(other)
	p.must(err)
	p.must(os.WriteFile(other, append(text, "more"...), 0o644))
	p.init()
	if _, err := os.Stat(placed); err == nil {
		t.Error("an artifact with another digest is put in place")
	}
	p.must(WriteJar(other))
	p.init()
	if _, err := os.Stat(placed); err != nil {
		t.Errorf("the artifact with the digest of the first time is not put in place: %v", err)
	}
}

func TestTheRecordOfTheDatabaseDecidesAboutThePassword(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Database)
	settings := func() string {
		text, err := os.ReadFile(filepath.Join(p.IS.Volume(), "repository/conf/deployment.toml"))
		p.must(err)
		return string(text)
	}
	p.init()
	p.wantKept("/holder.json")
	p.IS.Extra = with(p.IS.Extra, "IS_ADMIN_PASS=of-another-day")
	p.init()
	if text := settings(); !strings.Contains(text, "of-the-first-start") || strings.Contains(text, "of-another-day") {
		t.Errorf("the settings have another password than the used database:\n%s", text)
	}
	p.must(os.WriteFile(filepath.Join(p.Dir, "record/is"), []byte("new\n"), 0o644))
	p.init()
	if text := settings(); !strings.Contains(text, "of-another-day") {
		t.Errorf("the settings do not have the password for a new database:\n%s", text)
	}
	p.IS.Extra = with(p.IS.Extra, "DATABASE=embedded")
	p.init()
	if text := settings(); strings.Contains(text, "jdbc:postgresql") || !strings.Contains(text, "jdbc:h2:./repository/database/WSO2IDENTITY_DB") {
		t.Errorf("the settings that the version before has made are not taken back:\n%s", text)
	}
}

// instance is the name of the agents that write in a server's folder on the exchange volume.
func instance(holder string) string {
	var h struct{ Instance string }
	if err := json.Unmarshal([]byte(holder), &h); err != nil || h.Instance == "" {
		return "unreadable: " + holder
	}
	return h.Instance
}
