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

// firstPoint is the point at which the first agent of a test is killed: a random one of the first stride ones, from KILL_FROM on.
// So a run that was stopped can go on.
func firstPoint(t *testing.T, stride int) int {
	t.Helper()
	return number(t, "KILL_FROM", 1) + rand.IntN(stride)
}

// TestAnAgentMayBeKilledBeforeAndAfterEveryChangeOfARotation kills the agent of a server that rotates before and after each
// write, sync, rename and removal, one in each rotation, until a rotation goes through without.
func TestAnAgentMayBeKilledBeforeAndAfterEveryChangeOfARotation(t *testing.T) {
	stride := number(t, "KILL_STRIDE", 31)
	for _, c := range []struct {
		name, mode string
		rotated    func(*world) []*side // the agent of the first is killed
	}{
		{"of a certificate that the agent issues", "issue", func(w *world) []*side { return []*side{w.is} }},
		{"of a keystore that somebody else replaces", "issue", func(w *world) []*side { return []*side{w.am} }},
		{"of both servers' keystores at once", "none", func(w *world) []*side { return []*side{w.am, w.is} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.mode)
			w.run()
			at, kills := firstPoint(t, stride), 0
			for ; w.killedAt(at, c.rotated(w)); at += stride {
				kills++
			}
			t.Logf("killed %d times, at every %dth point; a rotation has fewer than %d points", kills, stride, at)
			if at < 60 {
				t.Error("a rotation changes more files than that")
			}
			w.probed.report(w)
		})
	}
}

// killedAt rotates certificates while the agent of the first of the servers kills itself at the given point, and goes on with
// one that does not. It is false when the rotation was done before.
func (w *world) killedAt(at int, rotated []*side) bool {
	w.t.Helper()
	s := rotated[0]
	s.agent.end(syscall.SIGTERM)
	done := w.rotateAll(rotated)
	w.startAgent(s, at)
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
	w.t.Logf("killed at %d", at)
	return true
}

// rotateAll has certificates changed. done tells what is still to happen until all servers have rotated.
func (w *world) rotateAll(rotated []*side) (done func() string) {
	w.t.Helper()
	before := map[*side]keystore.Fingerprint{}
	for _, s := range rotated {
		before[s] = w.presented(s).Fingerprint()
		w.rotate(s)
	}
	return func() string {
		for s, f := range before {
			if w.presented(s).Fingerprint() == f {
				return s.name + " presents what it did before"
			}
		}
		return w.unsettled()
	}
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
	done := w.rotateAll(rotated)
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
	w.until("the rotation is done", done)
	w.until("no temporary file is left", w.leftBehind)
	return kills
}

// some are one side or both.
func (w *world) some() []*side {
	return [][]*side{{w.is}, {w.am}, {w.is, w.am}, {w.am, w.is}}[rand.IntN(4)]
}
