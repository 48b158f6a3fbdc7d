package kill

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// number is a number from the environment, of make test-kill.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number above 0", name, text)
	}
	return n
}

// TestAnAgentMayBeKilledBeforeAndAfterEveryChangeOfARotation kills the agent of the server that rotates before and after
// each write, sync, rename and removal, one in each rotation, until a rotation goes through without.
func TestAnAgentMayBeKilledBeforeAndAfterEveryChangeOfARotation(t *testing.T) {
	stride := number(t, "KILL_STRIDE", 23)
	for name, owner := range map[string]func(*world) *side{
		"of a certificate that the agent issues":    func(w *world) *side { return w.is },
		"of a keystore that somebody else replaces": func(w *world) *side { return w.am },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "issue")
			w.run()
			at, kills := 1+rand.IntN(stride), 0
			for ; w.killedAt(owner(w), at); at += stride {
				kills++
			}
			t.Logf("killed %d times, at every %dth point; a rotation has fewer than %d points", kills, stride, at)
			if kills < 60/stride {
				t.Error("a rotation changes more files than that")
			}
			w.probed.report(w)
		})
	}
}

// killedAt rotates a certificate with an agent that kills itself at the given point, and then with one that does not.
// It is false when the rotation was done before.
func (w *world) killedAt(s *side, at int) bool {
	w.t.Helper()
	before := w.presented(s)
	s.agent.end(syscall.SIGTERM)
	w.rotate(s)
	w.startAgent(s, at)
	done := func() string {
		if w.presented(s).Fingerprint() == before.Fingerprint() {
			return s.name + " presents what it did before"
		}
		return w.unsettled()
	}
	w.until("the agent is killed, or the rotation done", func() string {
		if s.agent.hasEnded() {
			return ""
		}
		return done()
	})
	if !s.agent.hasEnded() {
		return false
	}
	if !s.agent.killed() {
		w.t.Fatalf("the agent ended by itself: %v", s.agent.cmd.ProcessState)
	}
	if err := w.whole(s); err != nil {
		w.t.Fatalf("killed at %d: %v", at, err)
	}
	w.startAgent(s, 0)
	w.until("the rotation is done", done)
	w.until("no temporary file is left", w.leftBehind)
	return true
}

// presented is the certificate that a running server presents; none while it does not run.
func (w *world) presented(s *side) keystore.Certificate {
	r, _ := s.read(filepath.Join(s.out, "now"))
	return r.leaf
}

// TestAgentsMayBeKilledAtAnyMoment kills one agent or both at random moments of rotations of one certificate or both.
func TestAgentsMayBeKilledAtAnyMoment(t *testing.T) {
	kills := number(t, "KILLS", 25) / 2
	for name, mode := range map[string]string{
		"while one certificate is issued and the other replaced": "issue",
		"while both certificates are replaced":                   "none",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mode)
			w.run()
			done, rotations := 0, 0
			for done < kills {
				rotated := w.some()
				done += w.killedInRotation(rotated)
				rotations += len(rotated)
			}
			t.Logf("killed %d times in %d rotations", done, rotations)
			w.probed.report(w)
		})
	}
}

// killedInRotation rotates certificates, kills agents meanwhile and starts them again, and returns how often.
func (w *world) killedInRotation(rotated []*side) (kills int) {
	w.t.Helper()
	before := map[*side]keystore.Fingerprint{}
	for _, s := range rotated {
		before[s] = w.presented(s).Fingerprint()
		w.rotate(s)
	}
	for range 1 + rand.IntN(4) {
		<-time.After(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		for _, s := range w.some() {
			s.agent.end(syscall.SIGKILL)
			if !s.agent.killed() {
				w.t.Fatalf("the agent ended by itself: %v", s.agent.cmd.ProcessState)
			}
			kills++
			if err := w.whole(s); err != nil {
				w.t.Fatalf("killed: %v", err)
			}
			w.startAgent(s, 0)
		}
	}
	w.until("the rotation is done", func() string {
		for s, f := range before {
			if w.presented(s).Fingerprint() == f {
				return s.name + " presents what it did before"
			}
		}
		return w.unsettled()
	})
	w.until("no temporary file is left", w.leftBehind)
	return kills
}

// some are one side or both.
func (w *world) some() []*side {
	return [][]*side{{w.is}, {w.am}, {w.is, w.am}, {w.am, w.is}}[rand.IntN(4)]
}
