package upgrade

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withoutPool are the settings with which an agent works as the version before.
var withoutPool = []string{"TLS_SUCCESSORS=0", "RELOAD=off"}

// poolSize is the default of TLS_SUCCESSORS.
const poolSize = 3

// interrupted is in what an agent logs of a check during which its server restarts, because a rotation makes it.
const interrupted = "check failed"

// set adds settings of both agents.
func (p place) set(settings ...string) {
	for _, s := range p.Sides() {
		s.Extra = with(s.Extra, settings...)
	}
}

// ahead are the fingerprints of the successors that a server has published, the next one first; nil before it has all of them.
func (p place) ahead(s *Side) (all []string) {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.Exchange(), s.Name, "successors.pem"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Fatal(err)
	}
	certs := p.published(s)
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if f := fingerprint(block.Bytes); !slices.Contains(certs, f) {
			all = append(all, f)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(s.Volume(), ".agent/identity/successors/*.p12")); len(all) != poolSize || len(kept) != poolSize {
		return nil
	}
	return all
}

// hasPool waits until the agents of the given servers have issued and published their successors.
func (p place) hasPool(sides ...*Side) {
	p.t.Helper()
	p.until("the pools are full", func() string {
		for _, s := range sides {
			if p.ahead(s) == nil {
				return s.Name + " has none, or a part"
			}
		}
		return ""
	})
}

// trustsAhead counts the successors of a server that the truststore of another one holds.
func (p place) trustsAhead(s, owner *Side) (n int) {
	p.t.Helper()
	for _, f := range p.ahead(owner) {
		if p.trusts(s, f) {
			n++
		}
	}
	return n
}

// acknowledges counts the successors of a server that the running server of another one trusts, as its agent says.
func (p place) acknowledges(s, owner *Side) (n int) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Exchange(), s.Name, "trusts.json"))
	p.must(err)
	for _, f := range p.ahead(owner) {
		if strings.Contains(string(text), f) {
			n++
		}
	}
	return n
}

func TestARunningInstallationGetsItsPoolWithoutARestart(t *testing.T) {
	t.Parallel()
	p := unpacked(t, Rotated)
	am, is := p.startsSoFar()
	p.run() // no init before: the servers start with the truststores of the version before
	p.ready()
	p.hasPool(p.Sides()...)
	p.until("all successors are trusted on disk", func() string {
		for _, s := range p.Sides() {
			if n := p.trustsAhead(s, s) + p.trustsAhead(s, s.Peer()); n != 2*poolSize {
				return fmt.Sprintf("%s trusts %d", s.Name, n)
			}
		}
		return p.AllReady()
	})
	for _, s := range p.Sides() {
		if now, then := p.started(s).Generation, p.startedThen(s).Generation; now != then {
			t.Errorf("%s runs with the generation %q, and ran with %q", s.Name, now, then)
		}
		if now, then := p.published(s), p.publishedThen(s); !slices.Equal(now, then) {
			t.Errorf("%s has published %s, and had published %s", s.Name, now, then)
		}
		if n := p.acknowledges(s, s.Peer()) + p.acknowledges(s, s); n > 0 {
			t.Errorf("%s says that its running server trusts %d successors, which came after its start", s.Name, n)
		}
		if lines := p.lines(s, "restart of the server asked for"); len(lines) > 0 {
			t.Errorf("%s: %s", s.Name, lines)
		}
	}
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)

	p.again(p.IS)
	if n := p.acknowledges(p.AM, p.IS); n > 0 {
		t.Errorf("API-M says that it trusts %d successors, and has not started since", n)
	}
	p.again(p.AM)

	next := p.ahead(p.IS)[0]
	p.must(p.IS.Command(t.Context(), "certs", "rotate"))
	p.until("IS presents its next certificate", func() string { return missing(p.presents(p.IS) == next, "it does not") + p.AllReady() })
	p.hasPool(p.IS)
	p.wantStarts(p.AM, am, 2)
	p.wantStarts(p.IS, is, 3) // its home is from before the reload
	p.withoutErrors(interrupted)
}

// again starts a server again, as somebody does with its container, and waits until its agent says that it trusts all successors.
func (p place) again(s *Side) {
	p.t.Helper()
	s.StopServer()
	p.must(s.StartServer())
	p.until("the running server trusts all successors", func() string {
		n := p.acknowledges(s, s.Peer())
		return missing(n == poolSize, fmt.Sprintf("%s trusts %d", s.Name, n)) + p.AllReady()
	})
}

// A new sidecar may come next to a server whose agent exec is of the version before, and next to a peer whose agents all are.
// Nobody can say then which successors a running server trusts. So none is imported, and a rotation restarts both servers.
func TestANewSidecarFitsAServerAndAPeerOfTheVersionBefore(t *testing.T) {
	earlier := earlierAgent(t)
	p := unpacked(t, Rotated)
	am, is := p.startsSoFar()
	p.AM.Agent, p.IS.Agent = earlier, earlier
	p.run()
	p.ready()
	p.renew(p.IS)
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)
	p.rotates(p.IS)
	p.wantStarts(p.AM, am, 2)
	p.wantStarts(p.IS, is, 2)

	p.renew(p.AM)
	p.rotates(p.AM)
	p.wantStarts(p.AM, am, 3)
	p.wantStarts(p.IS, is, 3)
	for _, s := range p.Sides() {
		if n := p.trustsAhead(s, p.IS) + p.trustsAhead(s, p.AM); n > 0 {
			t.Errorf("%s trusts %d successors on disk", s.Name, n)
		}
	}
	p.withoutErrors(interrupted)
}

// A peer whose agents are of the version before ignores the successors, and restarts for a rotation.
func TestAPeerOfTheVersionBeforeIgnoresSuccessors(t *testing.T) {
	earlier := earlierAgent(t)
	p := unpacked(t, Rotated)
	am, is := p.startsSoFar()
	p.AM.Agent = earlier
	p.run()
	p.ready()
	p.hasPool(p.IS)
	p.until("IS trusts its own successors on disk", func() string { return missing(p.trustsAhead(p.IS, p.IS) == poolSize, "it does not") })
	p.rotates(p.IS)
	p.wantStarts(p.AM, am, 2)
	p.wantStarts(p.IS, is, 2)
	if n := p.trustsAhead(p.AM, p.IS); n > 0 {
		t.Errorf("API-M trusts %d successors on disk", n)
	}
	p.withoutErrors(interrupted)
}

// The version before takes the successors out of the truststores, and goes on with the certificates in use.
func TestTheVersionBeforeGoesOnWithoutThePool(t *testing.T) {
	earlier := earlierAgent(t)
	p := unpacked(t, Rotated)
	p.init()
	p.run()
	p.ready()
	p.hasPool(p.Sides()...)
	p.Stop()
	for _, s := range p.Sides() {
		p.remove(s.Log())
		s.Agent = earlier
	}
	p.init()
	am, is := p.startsSoFar()
	p.run()
	p.ready()
	for _, s := range p.Sides() {
		if presented, then := p.presents(s), p.publishedThen(s)[0]; presented != then {
			t.Errorf("%s presents %s, and presented %s", s.Name, presented, then)
		}
		if n := p.trustsAhead(s, p.IS) + p.trustsAhead(s, p.AM); n > 0 {
			t.Errorf("%s trusts %d successors on disk", s.Name, n)
		}
	}
	p.wantStarts(p.AM, am, 1)
	p.wantStarts(p.IS, is, 1)
	p.withoutErrors()
}

// renew replaces the sidecar of a server by one of this version.
func (p place) renew(s *Side) {
	p.t.Helper()
	s.StopAgent()
	s.Agent = ""
	p.must(s.StartAgent())
	p.ready()
	p.hasPool(s)
}

// rotates has a server's agent rotate its certificate.
func (p place) rotates(s *Side) {
	p.t.Helper()
	old := p.presents(s)
	p.must(s.Command(p.t.Context(), "certs", "rotate"))
	p.until("the server presents another certificate", func() string { return missing(p.presents(s) != old, "it does not") })
	p.ready()
}
