package kill

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/deployment"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// TestInitMayBeKilledBeforeAndAfterEveryChange kills an init container before and after each change of a first start, and
// runs it again as the engine would.
func TestInitMayBeKilledBeforeAndAfterEveryChange(t *testing.T) {
	stride := number(t, "KILL_STRIDE", 31)
	issues := func(t *testing.T) *world { return newWorld(t, "issue") }
	for name, c := range map[string]struct {
		lay   func(*testing.T) *world
		owner func(*world) *side
	}{
		"that issues a certificate":                     {issues, func(w *world) *side { return w.is }},
		"that issues none":                              {issues, func(w *world) *side { return w.am }},
		"that makes the pool and the template of IS":    {newPool, func(w *world) *side { return w.is }},
		"that makes the pool and the template of API-M": {newPool, func(w *world) *side { return w.am }},
	} {
		t.Run(name, func(t *testing.T) {
			at, kills := firstPoint(t, stride), 0
			for ; ; at += stride {
				w := c.lay(t)
				s := c.owner(w)
				init := w.startInit(s, at)
				<-init.ended
				if !init.killed() {
					break
				}
				kills++
				w.initAgain(s)
				t.Logf("killed at %d", at)
			}
			t.Logf("killed %d times, at every %dth point; an init has fewer than %d points", kills, stride, at)
			if at < 60 {
				t.Error("an init changes more files than that")
			}
		})
	}
}

// TestInitMayBeKilledAtAnyMoment kills it at random moments, several times in a row.
func TestInitMayBeKilledAtAnyMoment(t *testing.T) {
	kills := number(t, "KILLS", 25) / 2
	done, starts := 0, 0
	for done < kills {
		w := newWorld(t, "issue")
		s := []*side{w.is, w.am}[rand.IntN(2)]
		for range 3 {
			init := w.startInit(s, 0)
			<-time.After(time.Duration(rand.Int64N(int64(30 * time.Millisecond))))
			init.end(syscall.SIGKILL)
			if init.killed() {
				done++
			}
			w.initWhole(s)
		}
		w.initAgain(s)
		starts++
	}
	t.Logf("killed %d times in %d first starts", done, starts)
}

// startInit starts the init container of a server whose peer has published.
func (w *world) startInit(s *side, at int) *process {
	w.t.Helper()
	peer := w.exchange()
	peer.Name = s.peer.name
	if _, err := peer.Certificates(w.t.Context(), s.peer.name); errors.Is(err, trust.ErrNotPublished) {
		c, _ := w.selfSigned(s.peer.name)
		_, err := peer.Publish([]keystore.Certificate{c})
		w.must(err)
	}
	return start(w.t, w.log(s), w.environment(s, at), w.program, "init")
}

// initAgain looks at what a killed init has left, runs another, and looks whether everything is ready for the server.
func (w *world) initAgain(s *side) {
	w.t.Helper()
	w.initWhole(s)
	init := w.startInit(s, 0)
	<-init.ended
	if code := init.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Fatalf("the init after a kill ended with %d", code)
	}
	if err := w.ready(s); err != nil {
		w.t.Fatal(err)
	}
	if left := w.leftBehind(); left != "" {
		w.t.Fatalf("%s is left", left)
	}
}

// initWhole fails unless every file of a server before its first start is whole, as far as it is there.
func (w *world) initWhole(s *side) {
	w.t.Helper()
	text, err := os.ReadFile(s.settings())
	w.must(err)
	if _, err := deployment.Parse(text); err != nil {
		w.t.Fatalf("killed in an init: %v", err)
	}
	before := side{keys: "wso2carbon" + filepath.Ext(s.trusted), alias: "wso2carbon", trusted: s.trusted}
	if _, err := before.read(filepath.Join(s.volume, securityDir)); err != nil {
		w.t.Fatalf("killed in an init: %v", err)
	}
	if _, err := s.read(filepath.Join(s.volume, securityDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatalf("killed in an init: %v", err)
	}
	if _, err := w.exchange().Certificates(w.t.Context(), s.name); err != nil && !errors.Is(err, trust.ErrNotPublished) {
		w.t.Fatalf("killed in an init: %v", err)
	}
	_, rotationErr := trust.LoadRotation(s.control().Dir)
	_, editionErr := trust.Edition(s.control().Dir)
	_, wantedErr := s.control().Wanted()
	if err := errors.Join(w.wholePool(s), rotationErr, editionErr, wantedErr, s.wholeIdentity("identity/next.p12")); err != nil {
		w.t.Fatalf("killed in an init: %v", err)
	}
}

// ready returns an error unless a server finds everything at its first start.
func (w *world) ready(s *side) error {
	disk, err := s.read(filepath.Join(s.volume, securityDir))
	if err != nil {
		return err
	}
	own, err := w.exchange().Certificates(w.t.Context(), s.name)
	if err != nil {
		return err
	}
	peers, err := w.exchange().Certificates(w.t.Context(), s.peer.name)
	if err != nil {
		return err
	}
	if own[0].Fingerprint() != disk.leaf.Fingerprint() || !disk.trusts(own[0]) || !disk.trusts(peers[0]) {
		return fmt.Errorf("%s does not trust its peer and itself, or presents another certificate than it has published", s.name)
	}
	if what := w.wrongTrust(s, disk.trusted); what != "" || len(own) != 1 {
		return fmt.Errorf("%d certificates are published; %s", len(own), what)
	}
	if w.pool {
		if what := w.lacksPool(s); what != "" {
			return errors.New(what)
		}
		if _, err := os.Stat(filepath.Join(s.volume, templateFile)); err != nil {
			return err
		}
	}
	wanted, err := s.control().Wanted()
	if err != nil || wanted == "" {
		return fmt.Errorf("agent exec is told %q, %w", wanted, err)
	}
	return nil
}

// TestTwoAgentsThatStartAtOnceOnOneVolumeBothEndWell starts two init containers of one server at the same time.
func TestTwoAgentsThatStartAtOnceOnOneVolumeBothEndWell(t *testing.T) {
	for range 6 {
		w := newWorld(t, "none")
		first, second := w.startInit(w.am, 0), w.startInit(w.am, 0)
		for _, init := range []*process{first, second} {
			<-init.ended
			if code := init.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("an init ended with %d", code)
			}
		}
		w.must(w.ready(w.am))
		if left := w.leftBehind(); left != "" {
			t.Errorf("%s is left", left)
		}
	}
}
