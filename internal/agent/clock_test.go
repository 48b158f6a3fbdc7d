package agent

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
	"wso2agent/internal/rotation"

	"wso2agent/internal/config"
)

const year = 366 * 24 * time.Hour // longer than an issued certificate lasts

// calm does passes of both sidecars until nobody asks for anything, and counts the restarts. At each moment what a server presents
// must be published as the one in use, and trusted by the peer that runs.
func (p *place) calm(when string, is, am *side) (restarts int) {
	p.t.Helper()
	for round, quiet := 0, 0; quiet < 3; round++ {
		if round == 20 {
			p.t.Fatalf("%s: no end of it", when)
		}
		quiet++
		for _, s := range []*side{is, am} {
			s.once()
			if s.restart() {
				restarts, quiet = restarts+1, 0
				s.once()
			}
			name := p.agent(s.product).cfg.Server.Name
			inUse := p.published(name)[0]
			if !rotation.RunsWith(s.r.started.Generation, rotation.Certificate{Fingerprint: inUse.Fingerprint().String()}) {
				p.t.Errorf("%s: %s runs with %s, and %s is published as in use", when, name, s.r.started.Generation, inUse.Fingerprint())
			}
			for _, product := range []string{config.IS, config.AM} {
				if !p.trusts(product, inUse) {
					p.t.Errorf("%s: %s does not trust what %s presents", when, product, name)
				}
			}
		}
	}
	return restarts
}

// inBubble runs f with a clock of its own, which shows 2000-01-01 at first.
func (p *place) inBubble(t *testing.T, f func()) {
	synctest.Test(t, func(inner *testing.T) {
		outer := p.t
		p.t = inner
		defer func() { p.t = outer }()
		f()
	})
}

func TestAClockThatJumpsAYearAheadAndBackLosesNothing(t *testing.T) {
	p := newPlace(t)
	var is, am *side
	now := func(name string) string { return p.published(name)[0].Fingerprint().String() }
	var before, ahead string
	p.inBubble(t, func() {
		is, am = p.issued()
		if n := p.calm("before the jump", is, am); n != 0 {
			t.Errorf("%d restarts before the jump", n)
		}
		before = now("wso2is")
		time.Sleep(year)
		if !is.k.due() || !am.k.due() {
			t.Error("the renewal is not due")
		}
		// Both certificates have ended by this clock: both are renewed, once, in the order that fails no handshake.
		if n := p.calm("a year ahead", is, am); n == 0 || n > 4 {
			t.Errorf("%d restarts a year ahead", n)
		}
		ahead = now("wso2is")
		if ahead == before {
			t.Error("the certificate that has ended is not renewed")
		}
	})
	p.inBubble(t, func() { // the clock is right again, a year back
		if !is.k.due() || !am.k.due() {
			t.Error("what was to be done by the other clock would wait for a year")
		}
		if n := p.calm("back again", is, am); n != 0 {
			t.Errorf("%d restarts for a clock that was put right", n)
		}
		if now("wso2is") != ahead {
			t.Error("another certificate is in use")
		}
		if len(p.lines("level=WARN", "is not valid before")) == 0 {
			t.Error("nothing is told of certificates of the future")
		}
		time.Sleep(time.Hour)
		p.calm("an hour later", is, am)
		for _, name := range []string{"wso2is", "wso2am"} {
			if n := len(p.published(name)); n != 1 {
				t.Errorf("%d certificates of %s are still published an hour after the clock was put right", n, name)
			}
		}
	})
}

func TestAClockThatJumpsWhileASwitchWaitsEndsTheWaitAndNothingElse(t *testing.T) {
	p := newPlace(t)
	p.inBubble(t, func() {
		is, am := p.issued()
		p.calm("before", is, am)
		if err := os.WriteFile(filepath.Join(ControlDir(p.agent(config.IS).cfg), "rotate"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		is.once()
		if is.restart() || len(p.published("wso2is")) != 2 {
			t.Fatal("it does not wait")
		}
		time.Sleep(time.Hour)
		if !is.k.due() {
			t.Error("nothing is due")
		}
		is.once()
		if !is.restart() || len(p.lines("level=ERROR", "not every peer trusts it")) != 1 {
			t.Error("it waits on, or nothing is told")
		}
		am.once() // whose server would refuse IS until it is restarted: that is what was told
		if n := p.calm("afterwards", is, am); n != 1 {
			t.Errorf("%d restarts afterwards, want the peer's", n)
		}
	})
}

// issued is bothIssued in a bubble, in which nothing can wait for events of files.
func (p *place) issued() (is, am *side) {
	p.t.Helper()
	is, am = p.sidecar(config.IS), p.sidecar(config.AM)
	for range 2 { // the second time with what the other one has published
		for _, s := range []*side{is, am} {
			p.set(s.product, func(c *config.Config) {
				c.Settings.Mode, c.TLS.Mode, c.AM.Host, c.IS.Host = "merge", "issue", "wso2am", "wso2is"
			})
			v, err := p.agent(s.product).pass(p.t.Context(), nil)
			if err != nil {
				p.t.Fatal(err)
			}
			s.r.started.Generation = v.Generation
		}
	}
	return is, am
}
