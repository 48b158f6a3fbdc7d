package rotation

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

// step is one transition of the model: what happens to which server. Steps that are events come from outside.
type step struct {
	name  string
	event bool
	do    func(*model)
	free  bool // from then on no server may restart until all is at rest
}

// steps are all transitions from a state: the next step of each agent, agent exec and server, and if any is left each event.
func (m *model) steps(events bool) (all []step) {
	for i, s := range m.servers {
		add := func(event bool, name string, do func(*model)) {
			all = append(all, step{name: s.name + ": " + name, event: event, do: do})
		}
		if len(s.pending) > 0 {
			add(false, "its agent does "+s.upToShared(), func(m *model) { m.actShared(i) })
		} else {
			add(false, "its agent decides", func(m *model) { m.decide(i, false) })
		}
		if what, ok := m.clone().advance(i); ok {
			add(false, what, func(m *model) { m.advance(i) })
		}
		if what, ok := m.clone().load(i); ok {
			add(false, what, func(m *model) { m.load(i) })
		}
		if !events {
			continue
		}
		all = append(all, m.kills(i)...)
		switch s.tlsMode {
		case "issue":
			add(true, "somebody asks for a rotation", func(m *model) { m.servers[i].asked = true })
			all[len(all)-1].free = m.hasPool(i)
			if s.ahead > 0 {
				add(true, "somebody asks for a rotation after a theft", func(m *model) { m.servers[i].asked, m.servers[i].stolen = true, true })
				if s.phase == serving && !s.stuck {
					add(true, "its other port stops to load keystores", func(m *model) { m.servers[i].stuck = true })
				}
				if s.presented != "" && *s.own() != s.presented {
					add(true, "somebody restores the keystore of its start", func(m *model) { m.replaceByHand(i, s.presented) })
				}
			}
		case "files":
			add(true, "its files are renewed", func(m *model) { m.servers[i].pem = m.certificate() })
		case "none":
			add(true, "somebody replaces its keystore", func(m *model) { m.replaceByHand(i, m.certificate()) })
		}
		add(true, "its folder on the exchange volume is lost", func(m *model) {
			s := m.servers[i]
			m.shared = m.shared || s.turn.Wants != "" // what it has claimed is lost, too
			s.published, s.successors, s.trusts, s.turn = nil, nil, trust.Trusts{}, trust.Turn{}
			if !s.supervised { // nobody can say any more what it presents
				m.excused = cloneWith(m.excused, s.shows)
			}
		})
		if s.backup != nil {
			add(true, "somebody restores an older folder of it on the exchange volume", func(m *model) {
				s := m.servers[i]
				m.shared = m.shared || s.turn.Wants != ""
				s.published, s.successors, s.trusts, s.turn = s.backup.published, s.backup.successors, s.backup.trusts, s.backup.turn
			})
		}
		if s.phase != down {
			add(true, "it crashes", func(m *model) { m.crash(i) })
		}
		if !s.supervised {
			add(true, "somebody restarts it", func(m *model) { m.crash(i); m.start(i) })
		}
	}
	// A pass that stands still for as long as a deadline is long decides on what was before: no protocol with deadlines bears that.
	standsStill := slices.ContainsFunc(m.servers, func(s *modelServer) bool { return len(s.pending) > 0 })
	if events && !standsStill {
		if c := m.clone(); c.tick() {
			all = append(all, step{name: "the clock passes the next deadline", event: true, do: func(m *model) { m.tick() }})
		}
	}
	return all
}

// shared is how many of the actions ahead come up to the first that anybody else can notice, and this one.
func (s *modelServer) shared() int {
	for n, a := range s.pending {
		switch a.(type) {
		case Issue, IssueSuccessor, StageSuccessor, DropSuccessor, RaiseEdition, Stage, DropStaged, MakeSettings, KeepServed, SaveRotation, SaveHistories, DropReplaced:
		default:
			return n + 1
		}
	}
	return len(s.pending)
}

func (s *modelServer) upToShared() string {
	return strings.Join(s.words[:s.shared()], ", ")
}

// actShared executes actions up to the first that anybody else can notice. In which order the others come with what the rest of
// the world does makes no difference.
func (m *model) actShared(i int) {
	for range m.servers[i].shared() {
		m.act(i)
	}
}

// replaceByHand puts another keystore in place, which a start that the agent has not asked for may present at once.
func (m *model) replaceByHand(i int, c string) {
	s := m.servers[i]
	*s.own() = c
	m.byHand = cloneWith(m.byHand, c)
	asks := slices.ContainsFunc(s.pending, func(a Action) bool { _, is := a.(Request); return is })
	if s.phase < started || s.phase == stopping || s.due() || asks { // a restart that reads it is under way
		m.excused = cloneWith(m.excused, c)
	}
}

// crash ends a server's process, and agent exec starts it again at once.
func (m *model) crash(i int) {
	s := m.servers[i]
	s.phase = down
	if m.byHand[*s.own()] && s.shows != *s.own() {
		m.excused = cloneWith(m.excused, *s.own()) // nobody could keep it from being presented
	}
}

func cloneWith(set map[string]bool, more string) map[string]bool {
	c := map[string]bool{more: true}
	for f := range set {
		c[f] = true
	}
	return c
}

// seen is a state that was reached, with the way to it.
type seen struct {
	m      *model
	from   int
	by     string
	events int // left
}

// exploration tries every order of steps from a state.
type exploration struct {
	states  []seen
	found   map[[2]uint64]int // most events that were left when a state was reached
	settled map[[2]uint64]bool
	bad     string
}

// explore returns after all states that are reached with at most so many events, or at the deadline, or at the first counterexample.
func explore(first *model, events int, deadline time.Time) (x *exploration, complete bool) {
	x = &exploration{found: map[[2]uint64]int{}, settled: map[[2]uint64]bool{}}
	x.add(seen{first, -1, "", events})
	for i := 0; i < len(x.states); i++ {
		if i%64 == 0 && time.Now().After(deadline) {
			return x, false
		}
		at := x.states[i]
		for _, step := range at.m.steps(at.events > 0) {
			next := seen{at.m.clone(), i, step.name, at.events}
			if step.event {
				next.events--
			}
			bad := next.m.try(step)
			next.m.forgive()
			if bad == "" {
				bad = next.m.check()
			}
			if bad != "" {
				x.states = append(x.states, next)
				x.bad = bad
				return x, false
			}
			if step.free {
				if x.bad = next.m.restartsNobody(); x.bad != "" {
					x.states = append(x.states, next)
					return x, false
				}
			}
			x.add(next)
			if x.bad != "" {
				return x, false
			}
		}
		x.states[i].m = nil // only the way is needed from now on
	}
	return x, true
}

// try does a step; a panic of the model is a fault.
func (m *model) try(s step) (bad string) {
	defer func() {
		if p := recover(); p != nil {
			bad = fmt.Sprint(p)
		}
	}()
	s.do(m)
	return ""
}

// add takes note of a state, unless it was reached before with as many events left. From each new one all must come to rest.
func (x *exploration) add(s seen) {
	key := s.m.key()
	if left, ok := x.found[key]; ok && left >= s.events {
		return
	}
	_, known := x.found[key]
	x.found[key] = s.events
	x.states = append(x.states, s)
	if !known {
		x.bad = x.comesToRest(s.m)
	}
}

// comesToRest lets a copy of a state settle, until a state from which others have.
func (x *exploration) comesToRest(m *model) (bad string) {
	c := m.clone()
	defer func() {
		if p := recover(); p != nil {
			bad = fmt.Sprint(p)
		}
	}()
	var way [][2]uint64
	before := c.restarts()
	for more := true; more; {
		key := c.key()
		if x.settled[key] {
			break
		}
		way = append(way, key)
		var err error
		if more, err = c.settleStep(); err != nil {
			return err.Error()
		}
		if n := c.restarts() - before; n > c.mostRestarts() {
			return fmt.Sprintf("%d restarts until all is at rest, with %d servers", n, len(c.servers))
		}
		if name := c.pressesSince(m.now); name != "" {
			return name + " switches before its peers trust it, though nothing keeps them from it"
		}
		if len(way) > 5000 {
			return "it does not come to rest"
		}
	}
	for _, key := range way {
		x.settled[key] = true
	}
	return ""
}

// pressesSince is the server that switches because a peer has not acknowledged its certificate, though all agents have done
// whatever they could since start, a time before its deadline; empty for none. An agent without agent exec acknowledges nothing.
func (m *model) pressesSince(start time.Time) (name string) {
	for _, s := range m.servers {
		if !s.supervised {
			return ""
		}
		waits := s.record.Hurry && slices.ContainsFunc(m.servers, func(peer *modelServer) bool { return peer != s && m.now.Before(peer.opens) })
		if s.pressed && !waits && start.Before(s.record.Since.Add(modelTimeout)) {
			name = s.name
		}
	}
	return name
}

// hasPool reports whether all servers are at rest, and trust the certificates to which the i-th, and others of which somebody has
// asked the same, can switch. Then their rotations need no restart.
func (m *model) hasPool(i int) bool {
	for j, s := range m.servers {
		rests := s.supervised && s.phase == serving && s.says == serving && s.gen == s.running && s.gen == s.onDisk && len(s.pending) == 0 && !s.again && s.staged == "" &&
			s.turn.Wants == "" && s.trusts.Generation == s.gen && s.memory.Asked == "" && s.memory.Reload == (Reload{}) && !s.stuck && !s.stolen &&
			len(s.published) > 0 && s.shows == s.published[0] && s.second == s.shows
		next := s.shows
		if i == j || s.asked {
			if len(s.pool) == 0 {
				return false
			}
			next = s.pool[0]
		}
		trusted := func(other *modelServer) bool {
			return slices.Contains(other.knows, next) && slices.Contains(other.trusts.Fingerprints, next)
		}
		if !rests || slices.ContainsFunc(m.servers, func(other *modelServer) bool { return !trusted(other) }) {
			return false
		}
	}
	return true
}

// restartsNobody returns which servers restart until all is at rest; empty for none.
func (m *model) restartsNobody() string {
	c := m.clone()
	if err := c.settle(); err != nil {
		return err.Error()
	}
	for i, s := range c.servers {
		if s.starts != m.servers[i].starts {
			return s.name + " restarts for a rotation, though all servers trust the next certificate"
		}
	}
	return ""
}

func (m *model) restarts() (n int) {
	for _, s := range m.servers {
		n += s.starts
	}
	return n
}

// mostRestarts is how many starts can be needed until all is at rest, whatever has happened: each server may be down, may have
// to trust what others have announced, may have to present its own new certificate, and once more to trust one that was
// announced meanwhile.
func (m *model) mostRestarts() int { return 4 * len(m.servers) }

// trace is the way to the last state.
func (x *exploration) trace() string {
	var lines []string
	for i := len(x.states) - 1; i > 0; i = x.states[i].from {
		lines = append(lines, "  "+x.states[i].by)
	}
	slices.Reverse(lines)
	text := strings.Join(lines, "\n")
	if last := x.states[len(x.states)-1].m; last != nil {
		text += "\n" + last.String()
	}
	return text
}

func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// TestNoOrderOfEventsBreaksARotation explores the model: every order of steps of agents, agent execs and servers, with up to
// EVENTS events in between, for at most SECONDS each.
func TestNoOrderOfEventsBreaksARotation(t *testing.T) {
	testenv.WithoutRace(t)
	for _, servers := range [][]string{
		{"issue", "issue"}, {"issue ahead", "issue ahead"}, {"issue ahead", "issue"}, {"files", "none"}, {"none", "none"}, {"issue restored", "issue restored"}, {"issue ahead restored", "issue ahead restored"}, {"none restored", "none restored"}, {"issue", "none without agent exec"}, {"issue closed", "issue"}, {"none closed", "none closed"}, {"issue ahead closed", "issue ahead closed"}, {"issue", "files", "none"},
	} {
		t.Run(strings.Join(servers, ", "), func(t *testing.T) {
			x, complete := explore(newModel(servers...), number("EVENTS", 2), time.Now().Add(time.Duration(number("SECONDS", 20))*time.Second))
			if x.bad != "" {
				t.Fatalf("%s\nafter %d states, on this way:\n%s", x.bad, len(x.found), x.trace())
			}
			t.Logf("%d states, complete: %t", len(x.found), complete)
		})
	}
}
