package agent

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

// TestWhateverHappensNoRestartPresentsWhatTheOtherServerRefuses does events in random order to two servers, with steps of their
// sidecars and of agent exec in between, as they may come in real life. SEQUENCES=n tries n orders, FIRST=k begins with order k.
// One order takes a minute with the race detector, and three seconds without: make test-allocations tries some more then.
func TestWhateverHappensNoRestartPresentsWhatTheOtherServerRefuses(t *testing.T) {
	number := func(variable string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
			return n
		}
		return otherwise
	}
	first, orders := number("FIRST", 0), 4
	if testenv.Race() {
		orders = 1
	}
	for order := first; order < first+number("SEQUENCES", orders); order++ {
		t.Run(fmt.Sprint("order ", order), func(t *testing.T) {
			p, _, _ := bothIssued(t)
			w := newTwo(p, uint64(order))
			for i := range 14 {
				w.something(i)
				w.meanwhile(8)
			}
			w.settle()
			if len(w.bad) > 0 {
				t.Errorf("%s\nwhat had happened:\n%s", strings.Join(w.bad, "\n"), strings.Join(w.story, "\n"))
			}
		})
	}
}

// two are two servers under agent exec with their sidecars, all of whose steps the test makes.
type two struct {
	*place
	random  *rand.Rand
	servers [2]*modelled
	story   []string
	bad     []string
}

// modelled is a server, as far as files and handshakes go.
type modelled struct {
	w             *two
	product, name string
	k             *trustKeeper // its sidecar
	leave         func()       // ends its agent exec
	runs          string       // the generation that agent exec has noted
	serves        bool
	stopped       bool                 // and is to start
	byAgent       bool                 // it is down because its agent asked for a restart
	planned       keystore.Fingerprint // what it was to present when it was stopped
	shows         keystore.Fingerprint // what it presents
	trusts        map[keystore.Fingerprint]bool
	starts        int
}

// newTwo are two servers that run, at a place whose agents' inits are done.
func newTwo(p *place, order uint64) *two {
	w := &two{place: p, random: rand.New(rand.NewPCG(order, 0))}
	for i, product := range []string{config.IS, config.AM} {
		w.servers[i] = &modelled{w: w, product: product, name: p.agent(product).cfg.Server.Name}
		w.servers[i].renewFiles()
	}
	for _, s := range w.servers {
		s.begin()
		s.freshSidecar()
	}
	p.t.Cleanup(func() {
		for _, s := range w.servers {
			s.leave()
		}
	})
	w.settle()
	for _, s := range w.servers {
		s.starts = 0
	}
	return w
}

func (w *two) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}
func (w *two) fault(format string, args ...any) { w.bad = append(w.bad, fmt.Sprintf(format, args...)) }

// something happens to one of the servers.
func (w *two) something(i int) {
	w.t.Helper()
	s := w.servers[w.random.IntN(2)]
	set := func(change func(*config.Config)) { w.set(s.product, change) }
	events := []struct {
		name string
		do   func()
	}{
		{"somebody asks for a rotation", func() { s.note(server.RequestIdentity(w.t.Context(), s.agent().cfg, false)) }},
		{"it gets another name", func() { set(func(c *config.Config) { c.TLS.Names = []string{fmt.Sprintf("n%d.example.com", i)} }) }},
		{"its files are renewed", s.renewFiles},
		{"its own keystore is replaced", func() {
			if s.product == config.IS { // API-M's primary one is of a kind that the helper does not write
				w.replaceKey(s.product, s.name, time.Now().Add(time.Hour))
			}
		}},
		{"TLS_MODE=none", func() { set(func(c *config.Config) { c.TLS.Mode = "none" }); s.freshSidecar() }},
		{"TLS_MODE=issue", func() { set(func(c *config.Config) { c.TLS.Mode = "issue" }); s.freshSidecar() }},
		{"TLS_MODE=files", func() {
			set(func(c *config.Config) { c.TLS.Mode, c.TLS.FilesDir = "files", s.files() })
			s.freshSidecar()
		}},
		{"SETTINGS=override", func() { set(func(c *config.Config) { c.Settings.Mode = "override" }); s.freshSidecar() }},
		{"SETTINGS=merge", func() { set(func(c *config.Config) { c.Settings.Mode = "merge" }); s.freshSidecar() }},
		{"its sidecar is replaced", s.freshSidecar},
		{"init runs beside it", func() { s.note(s.agent().Init(w.t.Context())) }},
		{"it crashes, and starts again", func() { s.end(); w.meanwhile(2); s.begin() }},
		{"its pod is replaced", func() {
			s.end()
			w.meanwhile(2)
			s.note(s.agent().Init(w.t.Context()))
			s.begin()
			s.freshSidecar()
		}},
	}
	e := events[w.random.IntN(len(events))]
	w.tell("%s: %s", s.name, e.name)
	e.do()
}

// meanwhile lets sidecars and agent execs do some of what they have to do.
func (w *two) meanwhile(atMost int) {
	for range w.random.IntN(atMost + 1) {
		s := w.servers[w.random.IntN(2)]
		if w.random.IntN(2) == 0 {
			s.sidecar()
		} else {
			s.exec()
		}
	}
}

// settle lets all come to rest, and says where it has not.
func (w *two) settle() {
	w.t.Helper()
	restarts := 0
	for round := range 30 {
		before := w.servers[0].starts + w.servers[1].starts
		for _, s := range w.servers {
			s.sidecar()
			s.exec()
		}
		if round >= 26 {
			restarts += w.servers[0].starts + w.servers[1].starts - before
		}
	}
	if restarts > 0 {
		w.fault("%d restarts without end", restarts)
	}
	for i, s := range w.servers {
		wanted, err := s.agent().control().Wanted()
		said, saidErr := s.agent().exchange().Trusts(w.t.Context(), s.name)
		if err != nil || saidErr != nil || !s.serves || said.Generation != s.runs || wanted != s.runs {
			w.fault("%s in the end: serves %t, runs with %s, is to run with %s, says that it runs with %s: %v, %v", s.name, s.serves, s.runs, wanted, said.Generation, err, saidErr)
		}
		if now := w.published(s.name)[0]; now.Fingerprint() != s.shows {
			w.fault("%s presents %s in the end, and has published %s as that", s.name, s.shows.Short(), now.Fingerprint().Short())
		}
		if other := w.servers[1-i]; !other.trusts[s.shows] {
			w.fault("%s is not trusted by the running %s in the end", s.name, other.name)
		}
		if said, err := s.agent().exchange().Turn(w.t.Context(), s.name); err != nil || said != (trust.Turn{}) {
			w.fault("%s still claims the turn to restart in the end: %+v, %v", s.name, said, err)
		}
	}
}

func (s *modelled) agent() Agent  { return s.w.place.agent(s.product) }
func (s *modelled) files() string { return filepath.Join(s.w.dir, "files of "+s.name) }

func (s *modelled) note(err error) {
	if err != nil {
		s.w.tell("  %v", err)
	}
}

func (s *modelled) renewFiles() {
	s.w.t.Helper()
	if err := os.MkdirAll(s.files(), 0o755); err != nil {
		s.w.t.Fatal(err)
	}
	for name, content := range pemFiles(s.w.t, s.name, time.Hour) {
		s.w.write(filepath.Join(s.files(), name), string(content))
	}
}

func (s *modelled) freshSidecar() {
	s.k = &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: s.agent().restarter()}
}

func (s *modelled) sidecar() { s.note(s.k.once(s.w.t.Context(), s.agent())) }

// begin is an agent exec that starts the server, which nobody could have held.
func (s *modelled) begin() {
	s.w.t.Helper()
	leave, ok, err := file.TryLock(filepath.Join(s.control().Dir, "running"))
	if err != nil || !ok {
		s.w.t.Fatal(ok, err)
	}
	s.leave = leave
	s.start()
}

func (s *modelled) end() { s.leave(); s.serves, s.byAgent = false, false }

func (s *modelled) control() notify.Control { return s.agent().control() }

// exec does the next thing that agent exec does: it stops a server whose restart is asked for, starts it, and says that it
// serves.
func (s *modelled) exec() {
	s.w.t.Helper()
	wanted, err := s.control().Wanted()
	if err != nil {
		s.w.t.Fatal(err)
	}
	reads, err := s.control().Reads()
	if err != nil {
		s.w.t.Fatal(err)
	}
	switch {
	case s.stopped:
		before := s.shows
		s.start()
		for _, other := range s.w.servers {
			// A keystore that somebody replaces when the restart is under way nobody could have announced.
			known := strings.HasSuffix(s.runs, s.shows.Short()) && s.shows == s.planned
			if other != s && other.serves && s.shows != before && known && !other.trusts[s.shows] {
				s.w.fault("%s is restarted and presents %s, which the running %s does not trust", s.name, s.shows.Short(), other.name)
			}
		}
		return
	case wanted == "" || wanted == s.runs || reads == s.runs:
		if !s.serves {
			s.serves, s.byAgent = true, false
			s.says(notify.ServesNow)
		}
		return
	}
	if !s.serves {
		s.w.tell("  %s is stopped in the middle of its start", s.name)
	}
	s.serves, s.stopped, s.byAgent, s.planned = false, true, true, s.onDisk().Fingerprint()
	s.says(notify.ServesNot)
	for _, other := range s.w.servers {
		if other != s && other.byAgent {
			s.w.fault("%s is stopped while %s is down, both by their agents", s.name, other.name)
		}
	}
}

// start starts the server with what is on disk.
func (s *modelled) start() {
	s.w.t.Helper()
	ctx := s.w.t.Context()
	reads, err := s.control().Reads()
	if err != nil {
		s.w.t.Fatal(err)
	}
	own := s.onDisk()
	a, err := s.agent().atStores(ctx)
	if err != nil {
		s.w.t.Fatal(err)
	}
	_, entries, err := a.truststore().List(ctx)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.trusts = map[keystore.Fingerprint]bool{}
	for _, e := range entries {
		if e.Kind == keystore.TrustedCertificate {
			s.trusts[e.Chain[0].Fingerprint()] = true
		}
	}
	s.runs, s.shows, s.serves, s.stopped = reads, own.Fingerprint(), false, false
	s.starts++
	s.says(notify.ServesNot)
	s.w.tell("  %s starts with %s and presents %s", s.name, s.runs, s.shows.Short())
}

// onDisk is the certificate that a start of the server presents.
func (s *modelled) onDisk() keystore.Certificate {
	s.w.t.Helper()
	a, err := s.agent().atStores(s.w.t.Context())
	if err != nil {
		s.w.t.Fatal(err)
	}
	own, err := trust.OwnLeaf(s.w.t.Context(), a.cfg.KeystorePaths(), a.cfg.Keystore.Pass, a.cfg.Keystore.Alias)
	if err != nil {
		s.w.fault("%s cannot start: %v", s.name, err)
	}
	return own
}

// says is what agent exec says of the server.
func (s *modelled) says(serves notify.Serves) {
	s.w.t.Helper()
	data, err := json.Marshal(notify.Started{Generation: s.runs, PID: 1, Since: time.Now(), Starts: s.starts, Serves: serves})
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.w.write(filepath.Join(s.control().Dir, "started.json"), string(data))
}
