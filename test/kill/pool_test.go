package kill

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/seed"
)

const (
	templateFile = seed.TomcatTemplate
	template     = "<?xml version=\"1.0\"?>\n<Server port=\"{{server.port}}\" shutdown=\"SHUTDOWN\">\n    <Service name=\"Catalina\"/>\n</Server>\n"
	poolSize     = 3 // TLS_SUCCESSORS by default
)

// newPool lays both servers out so that they rotate without a restart: the agents issue their certificates and successors of
// them, and the servers load a new one while they run. The template of the product's image is on the config volume.
func newPool(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "issue")
	w.pool = true
	w.am.gateway = w.freePort()
	for _, s := range w.sides() {
		s.mode, s.keys, s.alias = "issue", config.TLSStoreFile, "tls"
		stock := filepath.Join(s.control().Dir, "seed")
		w.must(os.MkdirAll(filepath.Dir(filepath.Join(stock, templateFile)), 0o755))
		w.must(os.WriteFile(filepath.Join(stock, templateFile), []byte(template), 0o644))
		w.must(os.WriteFile(filepath.Join(stock, "product"), []byte(map[string]string{config.IS: "wso2is-7.1.0", config.AM: "wso2am-4.5.0"}[s.product]+"\n"), 0o644))
	}
	return w
}

// loading are the settings of an agent that concern the pool and the reload.
func (w *world) loading(s *side) []string {
	if !w.pool {
		return []string{"TLS_SUCCESSORS=0", "RELOAD=off"}
	}
	more := []string{"AM_HOST=localhost", "IS_HOST=localhost"} // of the ports that the agent asks for their certificate
	if s.gateway != "" {
		more = append(more, "GW_PORT="+s.gateway)
	}
	return more
}

// successors are the fingerprints of the identities in a server's pool. What is only half there is an error.
func (s *side) successors() (all []keystore.Fingerprint, err error) {
	paths, err := filepath.Glob(filepath.Join(s.control().Dir, "identity/successors/*"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // it is in use now
			continue
		}
		var i identity.Identity
		if err == nil {
			i, err = identity.FromKeystore(data, password, identity.Alias)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, i.Leaf().Fingerprint())
	}
	return all, err
}

// wholePool returns an error unless a server's pool, what it has published of it, and the template are whole, as far as they
// are there.
func (w *world) wholePool(s *side) error {
	_, err := s.successors()
	_, publishedErr := w.exchange().Successors(w.t.Context(), s.name)
	text, templateErr := os.ReadFile(filepath.Join(s.volume, templateFile))
	if templateErr == nil && (!seed.HasReload(text) || !strings.HasSuffix(string(text), "</Server>\n")) {
		templateErr = fmt.Errorf("the template on the config volume is\n%s", text)
	}
	if errors.Is(templateErr, fs.ErrNotExist) {
		templateErr = nil
	}
	return errors.Join(err, publishedErr, templateErr)
}

// lacksPool is what a server's pool lacks: it is full and published, and both servers trust it on disk, and nothing else.
func (w *world) lacksPool(s *side) string {
	ahead, err := s.successors()
	if err != nil || len(ahead) != poolSize {
		return fmt.Sprintf("the pool has %d certificates, %v", len(ahead), err)
	}
	certs, err := w.exchange().Certificates(w.t.Context(), s.name)
	if err != nil {
		return err.Error()
	}
	published, err := w.exchange().Successors(w.t.Context(), s.name)
	if err != nil {
		return err.Error()
	}
	want := map[keystore.Fingerprint]bool{certs[0].Fingerprint(): true}
	for _, f := range ahead {
		want[f] = true
	}
	got := map[keystore.Fingerprint]bool{}
	for _, c := range published {
		got[c.Fingerprint()] = true
	}
	if !maps.Equal(got, want) {
		return fmt.Sprintf("%d successors are published, and the pool has %d others than that", len(got), len(ahead))
	}
	return ""
}

// trustedOnDisk is what is wrong with a server's truststore on disk, where the peer has published peers and the pool is in use.
func (w *world) trustedOnDisk(s *side, trusted []keystore.Fingerprint) string {
	want := map[keystore.Fingerprint]bool{}
	for _, name := range []string{s.name, s.peer.name} {
		certs, err := w.exchange().Certificates(w.t.Context(), name)
		ahead, aheadErr := w.exchange().Successors(w.t.Context(), name)
		if err := errors.Join(err, aheadErr); err != nil {
			return err.Error()
		}
		for _, c := range slices.Concat(certs, ahead) {
			want[c.Fingerprint()] = true
		}
	}
	if started, _, err := s.control().Started(); err == nil { // some ports present it until the next start
		for _, f := range trusted {
			if f.String() == started.Certificate {
				want[f] = true
			}
		}
	}
	for f := range want {
		if !slices.Contains(trusted, f) {
			return "the truststore on disk lacks " + f.Short()
		}
	}
	if len(trusted) != len(want)+1 { // the user's own entry
		return fmt.Sprintf("%d certificates are trusted, want %d", len(trusted), len(want)+1)
	}
	return ""
}

// serves is what is wrong with the certificates that a server's ports present; each must present the given one.
func (s *side) serves(want keystore.Fingerprint) string {
	for _, port := range []string{s.port, s.gateway} {
		if port == "" {
			continue
		}
		var got keystore.Fingerprint
		conn, err := tls.Dial("tcp", net.JoinHostPort("localhost", port), &tls.Config{
			InsecureSkipVerify: true, // the test compares the certificate itself
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				got = sha256.Sum256(raw[0])
				return nil
			},
		})
		if err != nil {
			return err.Error()
		}
		conn.Close()
		if got != want {
			return fmt.Sprintf("port %s presents %s, and %s is in use", port, got.Short(), want.Short())
		}
	}
	return ""
}

// starts counts the starts of a server.
func (s *side) starts() int {
	all, _ := filepath.Glob(filepath.Join(s.out, "start.*[0-9]"))
	return len(all)
}

// TestASidecarMayBeKilledAtEveryChangeOfARotationWithoutARestart kills the sidecar of a server that switches to a successor which
// everybody trusts, before and after each change. No kill makes a server restart.
func TestASidecarMayBeKilledAtEveryChangeOfARotationWithoutARestart(t *testing.T) {
	for name, rotated := range map[string]func(*world) []*side{
		"of IS":                   func(w *world) []*side { return []*side{w.is} },
		"of both servers at once": func(w *world) []*side { return []*side{w.am, w.is} },
	} {
		t.Run(name, func(t *testing.T) {
			stride := number(t, "KILL_STRIDE", 97)
			w := newPool(t)
			w.run()
			kills := 0
			at := firstPoint(t, stride)
			for ; ; at += stride {
				w.restartIfUsedUp()
				before := w.startsOf()
				killed := w.killedAt(at, rotated(w))
				if now := w.startsOf(); now != before {
					t.Fatalf("killed at %d: the servers have started %v times, and %v times before", at, now, before)
				}
				if !killed {
					t.Logf("killed %d times, at every %dth point; a rotation has fewer than %d points", kills, stride, at)
					break
				}
				kills++
			}
			if at < 300 {
				t.Error("a rotation changes more files than that")
			}
			w.probed.report(w)
		})
	}
}

// startsOf are the starts of both servers so far.
func (w *world) startsOf() [2]int { return [2]int{w.is.starts(), w.am.starts()} }

// restartIfUsedUp restarts both servers, one after the other, if one of them does not trust the next successors.
func (w *world) restartIfUsedUp() {
	w.t.Helper()
	for _, s := range w.sides() {
		for _, owner := range w.sides() {
			next, err := w.exchange().Successors(w.t.Context(), owner.name)
			w.must(err)
			runs, err := s.read(filepath.Join(s.out, "now"))
			w.must(err)
			if !runs.trusts(next[1]) { // the first one is in use
				w.restart(s, 0)
				break
			}
		}
	}
}

// restart ends a server and its agent exec, as the restart of its container does, and starts them.
func (w *world) restart(s *side, at int) {
	w.t.Helper()
	s.server.end(syscall.SIGTERM)
	w.startServer(s, at)
	w.until("the server runs again", func() string {
		if s.server.hasEnded() {
			return ""
		}
		return w.unsettled()
	})
}

// TestAgentExecMayBeKilledAtEveryChangeOfAStartAndAPlacing kills agent exec, and with it its server, before and after each change
// from its start until a rotation without a restart is done.
func TestAgentExecMayBeKilledAtEveryChangeOfAStartAndAPlacing(t *testing.T) {
	stride := number(t, "KILL_STRIDE", 31)
	for name, owner := range map[string]func(*world) *side{
		"of IS":    func(w *world) *side { return w.is },
		"of API-M": func(w *world) *side { return w.am },
	} {
		t.Run(name, func(t *testing.T) {
			w := newPool(t)
			w.run()
			starts, placings := 0, 0
			at := firstPoint(t, stride)
			for ; ; at += stride {
				s := owner(w)
				w.restartIfUsedUp()
				w.restart(s, at)
				if s.server.hasEnded() {
					starts++
					w.execAgain(s, at)
					continue
				}
				if !w.execKilled(s, at) {
					break
				}
				placings++
			}
			t.Logf("killed %d times in a start and %d times in a placing, at every %dth point", starts, placings, stride)
			if starts == 0 || placings == 0 {
				t.Error("both a start and a placing change more files than that")
			}
			w.probed.report(w)
		})
	}
}

// execKilled rotates a server's certificate until its agent exec kills itself, and goes on with one that does not. It is false
// if the rotation was done before.
func (w *world) execKilled(s *side, at int) bool {
	w.t.Helper()
	before := w.startsOf()
	done := w.rotateAll([]*side{s})
	w.until("agent exec is killed, or the rotation done", func() string {
		if s.server.hasEnded() {
			return ""
		}
		return done()
	})
	if !s.server.hasEnded() {
		if now := w.startsOf(); now != before {
			w.t.Fatalf("the servers have started %v times, and %v times before", now, before)
		}
		if left := temporary(w.home(s)); left != "" {
			w.t.Fatalf("%s is left", left)
		}
		return false
	}
	w.execAgain(s, at)
	w.until("the rotation is done", done)
	if now := w.startsOf(); now[0]+now[1] != before[0]+before[1]+1 {
		w.t.Fatalf("killed at %d: the servers have started %v times, and %v times before the kill", at, now, before)
	}
	// What a killed placing leaves in the home goes with the next placing.
	w.restartIfUsedUp()
	if temporary(w.home(s)) != "" {
		w.until("the next rotation is done", w.rotateAll([]*side{s}))
		if left := temporary(w.home(s)); left != "" {
			w.t.Fatalf("killed at %d: %s is left", at, left)
		}
	}
	return true
}

// execAgain looks at what a killed agent exec has left, and starts another, which needs no further start of the server.
func (w *world) execAgain(s *side, at int) {
	w.t.Helper()
	if !s.server.killed() {
		w.t.Fatalf("agent exec ended by itself: %v", s.server.cmd.ProcessState)
	}
	if err := w.whole(s); err != nil {
		w.t.Fatalf("killed at %d: %v", at, err)
	}
	if _, err := s.read(filepath.Join(w.home(s), securityDir)); err != nil {
		w.t.Fatalf("killed at %d: in the home: %v", at, err)
	}
	w.until("the server has ended with its agent exec", func() string {
		if conn, err := net.Dial("tcp", net.JoinHostPort("localhost", s.port)); err == nil {
			conn.Close()
			return "it has not"
		}
		return ""
	})
	before := s.starts()
	w.restart(s, 0)
	if now := s.starts(); now != before+1 {
		w.t.Fatalf("killed at %d: the server has started %d times after that", at, now-before)
	}
	w.until("no temporary file is left", w.leftBehind)
}
