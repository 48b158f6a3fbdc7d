package kill

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/deployment"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// stores are a server's two stores, read.
type stores struct {
	leaf    keystore.Certificate
	trusted []keystore.Fingerprint
}

func (s stores) trusts(c keystore.Certificate) bool {
	return slices.Contains(s.trusted, c.Fingerprint())
}

// read reads a server's stores in a folder, once: what is only half there is an error.
func (s *side) read(dir string) (r stores, err error) {
	data, err := os.ReadFile(filepath.Join(dir, s.keys))
	if err != nil {
		return r, err
	}
	identity, err := identity.FromKeystore(data, password, s.alias)
	if err != nil {
		return r, fmt.Errorf("%s: %w", s.keys, err)
	}
	r.leaf = identity.Leaf()
	if data, err = os.ReadFile(filepath.Join(dir, s.trusted)); err != nil {
		return r, err
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		return r, fmt.Errorf("%s: %w", s.trusted, err)
	}
	if _, err := store.Entry("users-ca"); err != nil {
		return r, fmt.Errorf("the user's own entry: %w", err)
	}
	for _, e := range store.Entries() {
		if _, err := e.Chain[0].Parse(); err != nil {
			return r, fmt.Errorf("%s in %s: %w", e.Alias, s.trusted, err)
		}
		r.trusted = append(r.trusted, e.Chain[0].Fingerprint())
	}
	return r, nil
}

// whole returns an error unless every file that the server's agent writes is there and whole, old or new.
func (w *world) whole(s *side) error {
	disk, err := s.read(filepath.Join(s.volume, securityDir))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(s.settings())
	if err != nil {
		return err
	}
	if _, err := deployment.Parse(text); err != nil {
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
	if !disk.trusts(peers[0]) || !disk.trusts(own[0]) {
		return fmt.Errorf("%s does not trust what its peer has in use, or it itself, on disk", s.name)
	}
	said, err := w.exchange().Trusts(w.t.Context(), s.name)
	if err != nil || said.Generation == "" {
		return fmt.Errorf("what the running server trusts is not told: %+v, %w", said, err)
	}
	_, rotationErr := trust.LoadRotation(s.control().Dir)
	edition, editionErr := trust.Edition(s.control().Dir)
	wanted, wantedErr := s.control().Wanted()
	_, _, startedErr := s.control().Started()
	if edition == 0 || wanted == "" {
		return fmt.Errorf("records are lost: edition %d, wanted %q", edition, wanted)
	}
	return errors.Join(w.wholePool(s), rotationErr, editionErr, wantedErr, startedErr, s.wholeIdentity("identity/next.p12"),
		s.wholeIdentity("keystore/"+s.keys+".next"), s.wholeIdentity("keystore/"+s.keys+".served"))
}

// wholeIdentity reads the identity that waits for the switch, if there is one.
func (s *side) wholeIdentity(name string) error {
	data, err := os.ReadFile(filepath.Join(s.control().Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = identity.FromKeystore(data, password, s.alias)
	}
	return err
}

// leftBehind is a temporary file on any of the volumes.
func (w *world) leftBehind() string {
	return temporary(w.is.volume, w.am.volume, w.exchange().Dir)
}

// temporary is a temporary file below one of the folders.
func temporary(dirs ...string) (left string) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			if strings.HasSuffix(path, ".tmp") {
				left = path
			}
			return nil
		})
	}
	return left
}

// unsettled is what is still to happen until no rotation is under way and both running servers trust each other.
func (w *world) unsettled() string {
	for _, s := range w.sides() {
		if what := w.unsettledSide(s); what != "" {
			return s.name + ": " + what
		}
	}
	return ""
}

func (w *world) unsettledSide(s *side) string {
	started, known, err := s.control().Started()
	wanted, _ := s.control().Wanted()
	if !known || err != nil || started.Generation != wanted {
		return fmt.Sprintf("runs with %q, wanted is %q, %v", started.Generation, wanted, err)
	}
	certs, err := w.exchange().Certificates(w.t.Context(), s.name)
	if err != nil || len(certs) != 1 {
		return fmt.Sprintf("%d certificates are published, %v", len(certs), err)
	}
	disk, err := s.read(filepath.Join(s.volume, securityDir))
	if err != nil || disk.leaf.Fingerprint() != certs[0].Fingerprint() {
		return fmt.Sprintf("another certificate is published than is on disk, %v", err)
	}
	if what := w.wrongTrust(s, disk.trusted); what != "" {
		return what
	}
	runs, err := s.read(filepath.Join(s.out, "now"))
	if err != nil || runs.leaf.Fingerprint() != certs[0].Fingerprint() {
		return fmt.Sprintf("the running server presents another certificate, %v", err)
	}
	said, _ := w.exchange().Trusts(w.t.Context(), s.name)
	peers, err := w.exchange().Certificates(w.t.Context(), s.peer.name)
	if err != nil || said.Generation != started.Generation || !slices.Contains(said.Fingerprints, peers[0].Fingerprint().String()) || !runs.trusts(peers[0]) {
		return fmt.Sprintf("%+v is said of the server that runs with %s, %v", said, started.Generation, err)
	}
	if r, err := trust.LoadRotation(s.control().Dir); err != nil || r.Announced != "" || len(r.Retired) > 0 {
		return fmt.Sprintf("the rotation is at %+v, %v", r, err)
	}
	if turn, err := w.exchange().Turn(w.t.Context(), s.name); err != nil || turn.Wants != "" {
		return fmt.Sprintf("the turn to restart is still claimed: %+v, %v", turn, err)
	}
	for _, name := range []string{"rotate", "identity/next.p12", filepath.Join("keystore", s.keys+".next")} {
		if _, err := os.Stat(filepath.Join(s.control().Dir, name)); err == nil {
			return name + " is left"
		}
	}
	if !w.pool {
		return ""
	}
	return w.lacksPool(s) + s.serves(certs[0].Fingerprint())
}

// wrongTrust is what is wrong with what a server's truststore on disk trusts.
func (w *world) wrongTrust(s *side, trusted []keystore.Fingerprint) string {
	switch {
	case w.pool:
		return w.trustedOnDisk(s, trusted)
	case len(trusted) != 3:
		return fmt.Sprintf("%d certificates are trusted", len(trusted))
	}
	return ""
}

// prober looks all the time whether the running servers trust each other.
type prober struct {
	stop, done chan struct{}

	mu       sync.Mutex
	looks    int
	switches int // certificates that were seen in use after another
	failures []string
}

// probe starts one. What a server has read it reads once for each start.
func (w *world) probe() *prober {
	p := &prober{stop: make(chan struct{}), done: make(chan struct{})}
	known := map[string]stores{}
	now := func(s *side) (dir string, r stores, runs bool) {
		dir, err := os.Readlink(filepath.Join(s.out, "now"))
		if err != nil {
			return "", r, false
		}
		if _, ok := known[dir]; !ok {
			if r, err = s.read(dir); err != nil {
				p.fail(err.Error())
			}
			known[dir] = r
		}
		return dir, known[dir], true
	}
	go func() {
		defer close(p.done)
		last := map[string]keystore.Fingerprint{}
		for {
			select {
			case <-p.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			if _, _, runs := now(w.is); !runs {
				if _, _, runs := now(w.am); !runs {
					if _, _, runs := now(w.is); !runs {
						p.failOnce("both servers are down")
					}
				}
			}
			for _, s := range w.sides() {
				dir, server, serverRuns := now(s)
				_, client, clientRuns := now(s.peer)
				if again, _, _ := now(s); serverRuns && clientRuns && again == dir { // not restarted between the looks
					p.note(s, last, server, client)
				}
			}
		}
	}()
	w.t.Cleanup(p.end)
	return p
}

func (p *prober) note(s *side, last map[string]keystore.Fingerprint, server, client stores) {
	f := server.leaf.Fingerprint()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	if before, ok := last[s.name]; ok && before != f {
		p.switches++
	}
	last[s.name] = f
	for who, r := range map[string]stores{s.peer.name: client, s.name: server} {
		if what := fmt.Sprintf("the running %s does not trust the %s that %s presents", who, f.Short(), s.name); !r.trusts(server.leaf) && !slices.Contains(p.failures, what) {
			p.failures = append(p.failures, what)
		}
	}
}

func (p *prober) failOnce(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.failures, what) {
		p.failures = append(p.failures, what)
	}
}

func (p *prober) fail(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, what)
}

func (p *prober) end() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	<-p.done
}

// report ends the looking and says what was seen.
func (p *prober) report(w *world) {
	w.t.Helper()
	p.end()
	w.t.Logf("looked %d times whether the running servers trust each other, saw %d switches to another certificate, %d failures", p.looks, p.switches, len(p.failures))
	for _, what := range p.failures {
		w.t.Error(what)
	}
	if p.looks == 0 || p.switches == 0 {
		w.t.Error("nothing was seen")
	}
}
