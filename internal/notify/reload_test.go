package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordedHome is a Home that records its calls in the file "home" of a volume. What it answers is in other files there.
type recordedHome struct{ volume string }

func (h recordedHome) has(name string) bool {
	_, err := os.Stat(filepath.Join(h.volume, name))
	return err == nil
}

func (h recordedHome) say(line string) {
	f, err := os.OpenFile(filepath.Join(h.volume, "home"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

func (h recordedHome) Starting(context.Context) (trusts []string, certificate string) {
	data, err := os.ReadFile(filepath.Join(h.volume, "trusts"))
	if err != nil {
		return nil, ""
	}
	return append([]string{}, strings.Fields(string(data))...), "c0"
}

func (h recordedHome) Reloads(context.Context) bool { return h.has("reloads") }

func (h recordedHome) Place(_ context.Context, certificate string) (placed bool, err error) {
	h.say("place " + certificate)
	if h.has("refuses") {
		return false, errors.New("the store is bad")
	}
	return true, nil
}

func (h recordedHome) Repair(context.Context) { h.say("repair") }

func (s *supervised) home(line string) int {
	data, _ := os.ReadFile(s.file("home"))
	return strings.Count(string(data), line+"\n")
}

// says waits for a report.
func (s *supervised) says(t *testing.T, what string, holds func(Started) bool) (st Started) {
	t.Helper()
	s.until(t, what, func() bool {
		var ok bool
		var err error
		st, ok, err = s.control.Started()
		return ok && err == nil && holds(st)
	})
	return st
}

func (s *supervised) ask(t *testing.T, r Reload) {
	t.Helper()
	if err := (Exec{s.control}).Reload(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// want asks for a generation before the start.
func want(generation string) func(Control) { return func(c Control) { c.Want(generation) } }

const sleeps = `echo run >> $VOLUME/runs; exec sleep 1000`

func serving(st Started) bool { return st.Serves == ServesNow }

func TestAServerGetsANewCertificateWithoutARestart(t *testing.T) {
	s := start(t, sleeps, want("g0"), write(map[string]string{"serves": "", "reloads": "", "trusts": "A B"}))
	first := s.says(t, "it serves", serving)
	if !first.Reloads || first.Placed != nil || !slices.Equal(first.Trusts, []string{"A", "B"}) || first.Certificate != "c0" {
		t.Errorf("the start is reported as %+v", first)
	}
	if _, err := s.control.Hold("g0", "g1"); err != nil {
		t.Fatal(err)
	}
	s.ask(t, Reload{Generation: "g1", Certificate: "c1"})
	placed := s.says(t, "the keystore is placed", func(st Started) bool { return st.Placed != nil })
	if p := *placed.Placed; p.Generation != "g1" || p.Certificate != "c1" || p.Error != "" || time.Since(p.At) > time.Minute || placed.Generation != "g0" {
		t.Errorf("placed %+v of a server that runs with %s", p, placed.Generation)
	}
	s.ask(t, Reload{Generation: "g1", Certificate: "c1", Served: true})
	served := s.says(t, "the new generation is in use", func(st Started) bool { return st.Generation == "g1" })
	served.Generation, served.Loading = placed.Generation, placed.Loading
	if !reflect.DeepEqual(served, placed) {
		t.Errorf("the report changed from %+v to %+v", placed, served)
	}
	// What the sidecar wants now is what the server has.
	if _, err := s.control.Want("g1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if s.runs() != 1 || s.home("place c1") != 1 {
		t.Errorf("the server ran %d times\n%s", s.runs(), s.log)
	}
	s.ask(t, Reload{Generation: "g2", Certificate: "c2"})
	s.says(t, "the next one is placed", func(st Started) bool { return st.Placed.Certificate == "c2" && st.Generation == "g1" })
	if _, err := s.control.Want("g3"); err != nil { // for another reason
		t.Fatal(err)
	}
	again := s.starts(t, 2)
	if again.Generation != "g3" || again.Placed != nil {
		t.Errorf("the next process is reported as %+v", again)
	}
}

// TestAServerGoesBackToTheCertificateThatItHasServed: somebody restores the keystore before all listeners serve the new one.
func TestAServerGoesBackToTheCertificateThatItHasServed(t *testing.T) {
	s := start(t, sleeps, want("g0"), write(map[string]string{"serves": "", "reloads": ""}))
	s.says(t, "it serves", serving)
	s.ask(t, Reload{Generation: "g1", Certificate: "c1"})
	placed := s.says(t, "the keystore is placed", func(st Started) bool { return st.Placed != nil })
	if !slices.Equal(placed.Loading, []string{"c1"}) {
		t.Errorf("placed, and reported as %+v", placed)
	}
	// An earlier report comes back with the volume. The supervisor writes its own again.
	restored := placed
	restored.Placed, restored.Loading = nil, nil
	if err := s.control.report(restored); err != nil {
		t.Fatal(err)
	}
	s.says(t, "it is reported again", func(st Started) bool { return len(st.Loading) == 1 })
	back := Reload{Generation: "g0", Certificate: "c0"}
	s.ask(t, back)
	st := s.says(t, "the earlier keystore is placed", func(st Started) bool { return st.Placed.Certificate == "c0" })
	if !slices.Equal(st.Loading, []string{"c1", "c0"}) || st.Generation != "g0" {
		t.Errorf("placed, and reported as %+v", st)
	}
	back.Served = true
	s.ask(t, back)
	st = s.says(t, "all listeners serve it", func(st Started) bool { return len(st.Loading) == 0 })
	if st.Generation != "g0" || s.runs() != 1 {
		t.Errorf("runs with %s, %d starts", st.Generation, s.runs())
	}
}

func TestAKeystoreThatIsNotPlacedIsAnsweredOnceWithTheReason(t *testing.T) {
	s := start(t, sleeps, want("g0"), write(map[string]string{"serves": "", "reloads": "", "refuses": ""}))
	s.says(t, "it serves", serving)
	bad := Reload{Generation: "g1", Certificate: "c1"}
	s.ask(t, bad)
	s.says(t, "the reason is reported", func(st Started) bool {
		return st.Placed != nil && st.Placed.Error == "the store is bad" && len(st.Loading) == 0
	})
	s.ask(t, bad)
	bad.Served = true // a sidecar that is wrong
	s.ask(t, bad)
	time.Sleep(300 * time.Millisecond)
	if st, _, _ := s.control.Started(); st.Generation != "g0" || s.home("place c1") != 1 || strings.Count(s.log.String(), "level=WARN") != 1 {
		t.Errorf("runs with %s, asked %d times\n%s", st.Generation, s.home("place c1"), s.log)
	}
	if err := os.Remove(s.file("refuses")); err != nil {
		t.Fatal(err)
	}
	s.ask(t, Reload{Generation: "g2", Certificate: "c2"})
	s.says(t, "the next request is answered", func(st Started) bool { return st.Placed.Generation == "g2" && st.Placed.Error == "" })
}

func TestOnlyAServerThatServesGetsANewCertificate(t *testing.T) {
	s := start(t, sleeps, want("g0"))
	s.starts(t, 1)
	s.ask(t, Reload{Generation: "g1", Certificate: "c1"})
	time.Sleep(300 * time.Millisecond)
	if s.home("place c1") != 0 {
		t.Error("placed while the server reads its files")
	}
	if err := os.WriteFile(s.file("serves"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if st := s.says(t, "placed once it serves", func(st Started) bool { return st.Placed != nil }); st.Reloads {
		t.Error("it is reported to reload, and does not")
	}
	if s.home("repair") != 0 {
		t.Error("a keystore that the server does not load again was repaired")
	}
}

func TestANewProcessOfTheServerKnowsNothingOfTheOneBefore(t *testing.T) {
	s := start(t, sleeps, want("g0"), write(map[string]string{"serves": "", "reloads": ""}))
	s.says(t, "it serves", serving)
	r := Reload{Generation: "g1", Certificate: "c1"}
	s.ask(t, r)
	s.says(t, "placed", func(st Started) bool { return st.Placed != nil })
	if _, err := s.control.Want("g2"); err != nil {
		t.Fatal(err)
	}
	s.starts(t, 2)
	r.Served = true // it may come late
	s.ask(t, r)
	s.says(t, "it serves again", serving)
	time.Sleep(300 * time.Millisecond)
	if st, _, _ := s.control.Started(); st.Generation != "g2" || st.Placed != nil {
		t.Errorf("the second process is reported as %+v", st)
	}
}

func TestARequestForWhatTheStartHasReadIsNotAnswered(t *testing.T) {
	s := start(t, sleeps, want("g1"), write(map[string]string{"serves": "", "reloads": ""}), func(c Control) {
		if _, err := c.AskReload(Reload{Generation: "g1", Certificate: "c1"}); err != nil {
			t.Error(err)
		}
	})
	s.says(t, "it serves", serving)
	time.Sleep(300 * time.Millisecond)
	if st, _, _ := s.control.Started(); st.Placed != nil || s.home("place c1") != 0 {
		t.Errorf("reported as %+v", st)
	}
}

// The server did not load that certificate, and has been restarted for another generation since.
func TestARequestFromBeforeTheStartIsNotAnswered(t *testing.T) {
	old := Reload{Generation: "g1", Certificate: "c1"}
	s := start(t, sleeps, want("g2"), write(map[string]string{"serves": "", "reloads": ""}), func(c Control) {
		if _, err := c.AskReload(old); err != nil {
			t.Error(err)
		}
	})
	s.says(t, "it serves", serving)
	if _, err := s.control.Hold("g2", "g3"); err != nil { // the supervisor looks at its requests
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if st, _, _ := s.control.Started(); st.Placed != nil || s.home("place c1") != 0 {
		t.Errorf("reported as %+v", st)
	}
	s.ask(t, Reload{Generation: "g3", Certificate: "c3"})
	s.says(t, "the next request is answered", func(st Started) bool { return st.Placed != nil && st.Placed.Certificate == "c3" })
	if s.home("place c1") != 0 {
		t.Error("the old request is answered, too")
	}
}

// TestARequestLikeOneFromBeforeTheStartIsAnswered: somebody goes back to an earlier certificate.
func TestARequestLikeOneFromBeforeTheStartIsAnswered(t *testing.T) {
	old := Reload{Generation: "g1", Certificate: "c1", Served: true}
	s := start(t, sleeps, want("g2"), write(map[string]string{"serves": "", "reloads": ""}), func(c Control) {
		if _, err := c.AskReload(old); err != nil {
			t.Error(err)
		}
	})
	s.says(t, "it serves", serving)
	for _, r := range []Reload{{Generation: "g3", Certificate: "c3"}, {Generation: "g1", Certificate: "c1"}} {
		s.ask(t, r)
		s.says(t, "it is placed", func(st Started) bool { return st.Placed != nil && st.Placed.Certificate == r.Certificate })
	}
	s.ask(t, old)
	s.says(t, "the supervisor confirms it", func(st Started) bool { return st.Generation == "g1" })
}

// TestARequestEqualToOneFromBeforeTheStartIsAnswered: somebody took the certificate back before the server presented it, and gives
// it again after the start.
func TestARequestEqualToOneFromBeforeTheStartIsAnswered(t *testing.T) {
	r := Reload{Generation: "g1", Certificate: "c1"}
	s := start(t, sleeps, want("g2"), write(map[string]string{"serves": "", "reloads": ""}), func(c Control) {
		if _, err := c.AskReload(r); err != nil {
			t.Error(err)
		}
	})
	s.says(t, "it serves", serving)
	s.ask(t, r)
	s.says(t, "it is placed", func(st Started) bool { return st.Placed != nil && st.Placed.Certificate == r.Certificate })
}

func TestTheKeystoreOfARunningServerIsLookedAtAgainAndAgain(t *testing.T) {
	s := start(t, sleeps, write(map[string]string{"serves": "", "reloads": ""}))
	s.until(t, "it is looked at three times", func() bool { return s.home("repair") >= 3 })
}

// TestReportsOfOtherVersionsAreRead: a sidecar and agent exec are replaced one after the other.
func TestReportsOfOtherVersionsAreRead(t *testing.T) {
	c := newControl(t)
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Started{
		`{"generation":"g1","pid":7,"since":"0001-01-01T00:00:00Z","starts":2,"serves":"yes"}`:              {Generation: "g1", PID: 7, Starts: 2, Serves: ServesNow},
		`{"generation":"g1","trusts":[],"further":{"a":1}}`:                                                 {Generation: "g1", Trusts: []string{}},
		`{"generation":"g1","trusts":["A"],"reloads":true,"placed":{"generation":"g2","error":"no","x":1}}`: {Generation: "g1", Trusts: []string{"A"}, Reloads: true, Placed: &Placed{Generation: "g2", Error: "no"}},
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, startedFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, ok, err := c.Started()
		if err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
	}
	// An older sidecar reads what it knows, and a list that is empty is not one that is missing.
	for _, trusts := range [][]string{nil, {}, slices.Repeat([]string{strings.Repeat("AB:", 31) + "AB"}, 100)} {
		if err := c.report(Started{Generation: "g1", Trusts: trusts}); err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Started()
		if err != nil || (got.Trusts == nil) != (trusts == nil) || len(got.Trusts) != len(trusts) {
			t.Errorf("%d fingerprints (nil: %t) are read as %d (nil: %t), %v", len(trusts), trusts == nil, len(got.Trusts), got.Trusts == nil, err)
		}
	}
	var old struct{ Generation string }
	data, err := os.ReadFile(filepath.Join(c.Dir, startedFile))
	if err == nil {
		err = json.Unmarshal(data, &old)
	}
	if err != nil || old.Generation != "g1" {
		t.Errorf("%+v, %v", old, err)
	}
}

// TestASidecarOfTheVersionBeforeReadsTheReportOfDefaultPools: it reads at most 4096 bytes. Each of three servers has its certificate, a
// retired one and the three successors of the default.
func TestASidecarOfTheVersionBeforeReadsTheReportOfDefaultPools(t *testing.T) {
	c := newControl(t)
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fingerprint := strings.Repeat("AB:", 31) + "AB"
	generation := strings.Repeat("a", 24) + "-" + strings.Repeat("b", 8)
	size := func(n int) int {
		t.Helper()
		if err := c.report(Started{Generation: generation, PID: 1 << 22, Since: time.Now(), Starts: 1000, Serves: ServesNow, Reloads: true, Certificate: fingerprint,
			Trusts: slices.Repeat([]string{fingerprint}, n), Placed: &Placed{Generation: generation, Certificate: fingerprint, At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(c.Dir, startedFile))
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Size())
	}
	if got := size(3 * 5); got > 4096 {
		t.Errorf("15 fingerprints take %d bytes", got)
	}
	if got := size(30); got > 4096 { // docs/decisions.md names this number
		t.Errorf("30 fingerprints take %d bytes", got)
	}
	if got := size(40); got <= 4096 {
		t.Errorf("40 fingerprints take %d bytes: docs/decisions.md has another limit", got)
	}
}

func TestARequestToReloadIsWrittenOnceAndRead(t *testing.T) {
	c := newControl(t)
	if r, ok, err := c.Reload(); ok || err != nil || r != (Reload{}) {
		t.Errorf("before any request: %+v, %t, %v", r, ok, err)
	}
	want := Reload{Generation: "g1", Certificate: "c1", Served: true}
	for i := range 2 {
		if changed, err := c.AskReload(want); changed != (i == 0) || err != nil {
			t.Errorf("request %d: %t, %v", i+1, changed, err)
		}
	}
	if r, ok, err := c.Reload(); r != want || !ok || err != nil {
		t.Errorf("%+v, %t, %v", r, ok, err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, reloadFile), []byte(`{"generation":"g2","further":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, ok, err := c.Reload(); r.Generation != "g2" || !ok || err != nil {
		t.Errorf("of another version: %+v, %t, %v", r, ok, err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, reloadFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Reload(); ok || err == nil || !strings.Contains(err.Error(), reloadFile) {
		t.Errorf("half a file: %t, %v", ok, err)
	}
	if err := (None{c, slog.New(slog.DiscardHandler), ""}).Reload(t.Context(), Reload{Generation: "g3"}); err != nil {
		t.Error(err)
	}
	if _, err := (Control{Dir: filepath.Join(t.TempDir(), ".agent")}).AskReload(want); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("on an empty volume: %v", err)
	}
}

// A name that changes at a reload would look like a restart.
func TestAReloadIsNoOtherProcess(t *testing.T) {
	c := newControl(t)
	since := time.Now()
	names := map[string]bool{}
	for _, generation := range []string{"g0", "g1"} {
		if err := c.report(Started{Generation: generation, PID: 7, Since: since, Starts: 1}); err != nil {
			t.Fatal(err)
		}
		name, _ := (Exec{c}).Process(t.Context())
		names[name] = true
	}
	if len(names) != 1 || names[""] {
		t.Errorf("the names are %v", names)
	}
}

func TestARestartForAnotherGenerationStaysDueAfterAReload(t *testing.T) {
	s := start(t, sleeps, want("g0"), write(map[string]string{"serves": "", "reloads": ""}))
	for i, g := range []string{"g1", "g2"} { // the budget
		s.says(t, "it serves", serving)
		if _, err := s.control.Want(g); err != nil {
			t.Fatal(err)
		}
		s.starts(t, i+2)
	}
	s.says(t, "it serves", serving)
	if _, err := s.control.Want("g3"); err != nil {
		t.Fatal(err)
	}
	s.until(t, "the restart is held", func() bool { return strings.Contains(s.log.String(), "restart held") })
	due := func(st Started) bool {
		t.Helper()
		due, err := s.control.Due(st)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	r := Reload{Generation: "g4", Certificate: "c4"}
	s.ask(t, r)
	s.says(t, "placed", func(st Started) bool { return st.Placed != nil })
	r.Served = true
	s.ask(t, r)
	st := s.says(t, "the new generation is in use", func(st Started) bool { return st.Generation == "g4" })
	if !due(st) || st.Starts != 3 {
		t.Errorf("no restart is due for g3: %+v", st)
	}
	if _, err := s.control.Want("g4"); err != nil {
		t.Fatal(err)
	}
	if due(st) {
		t.Error("a restart is due for what the server has loaded")
	}
}
