package rotation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

func TestWhoHasTheTurn(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := now.Add(-time.Minute)
	none, wants, has := trust.Turn{}, trust.Turn{Wants: "g", Since: before}, trust.Turn{Wants: "g", Has: true, Since: before}
	other := func(name string, t trust.Turn) map[string]trust.Turn { return map[string]trust.Turn{name: t} }
	for _, c := range []struct {
		name   string
		own    trust.Turn
		needs  string
		others map[string]trust.Turn
		want   trust.Turn
	}{
		{"who needs no restart says nothing", none, "", nil, none},
		{"who needs one says so first", none, "g", nil, trust.Turn{Wants: "g", Since: now}},
		{"and has the turn when nobody else wants it", wants, "g", nil, trust.Turn{Wants: "g", Has: true, Since: now}},
		{"an earlier name goes first", none, "g", other("a", wants), none},
		{"a later name does not keep one from wanting it", none, "g", other("z", wants), trust.Turn{Wants: "g", Since: now}},
		{"but one waits until it has withdrawn", wants, "g", other("z", wants), wants},
		{"or has had its turn", wants, "g", other("z", has), wants},
		{"one withdraws for an earlier name that wants it", wants, "g", other("a", wants), none},
		{"or has it", wants, "g", other("a", has), none},
		{"or is one of several", wants, "g", map[string]trust.Turn{"a": has, "b": none, "y": wants, "z": none}, none},
		{"several later names keep one waiting, too", wants, "g", map[string]trust.Turn{"y": wants, "z": none}, wants},
		{"one that says nothing is no obstacle", wants, "g", other("a", none), trust.Turn{Wants: "g", Has: true, Since: now}},
		{"who has the turn keeps it", has, "g", other("a", wants), has},
		{"for another generation, too", has, "h", other("z", wants), trust.Turn{Wants: "h", Has: true, Since: before}},
		{"until it needs none any more", has, "", other("a", wants), none},
		{"who wants it and needs none any more says nothing", wants, "", nil, none},
	} {
		if got := nextTurn(c.own, "m", c.needs, c.others, now); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAClaimEndsWhenItsOwnerSaysNothingElseForTooLong(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	const patience = 10 * time.Minute
	said := trust.Turn{Wants: "g", Since: start.Add(-time.Hour)} // by a clock that is an hour behind
	var c Claims
	look := func(minutes int, wantStanding, wantOver string) {
		t.Helper()
		standing, next, over := c.standing(at(minutes), patience)
		if got := strings.Join(slices.Sorted(maps.Keys(standing)), " "); got != wantStanding || strings.Join(over, " ") != wantOver {
			t.Errorf("after %d minutes %q stands and %v is over, want %q and %q", minutes, got, over, wantStanding, wantOver)
		}
		if (wantStanding == "") != next.IsZero() || !next.IsZero() && !next.After(at(minutes)) {
			t.Errorf("after %d minutes the next one ends at %v", minutes, next)
		}
	}
	look(0, "", "")
	c = c.with("a", said, at(0))
	c = c.with("b", trust.Turn{}, at(0))
	look(1, "a", "")
	c = c.with("a", said, at(5)) // the same again
	look(9, "a", "")
	look(10, "", "a")
	said.Has = true // it lives
	c = c.with("a", said, at(11))
	look(20, "a", "")
	said.Since = start // it has said something else since
	c = c.with("a", said, at(19))
	look(21, "a", "")
	c = c.with("a", trust.Turn{}, at(20))
	look(20, "", "")
	c = c.with("a", said, at(20))
	c = c.with("a", said, at(12)) // the clock was put back
	look(21, "a", "")
	look(22, "", "a")
	for _, name := range []string{"e", "d", "c", "b"} {
		c = c.with(name, said, at(12))
	}
	look(22, "", "a b c d e")
}

// agentModel is an agent and its server as far as turns go. Every field is what survives a kill of the agent, but read and
// reads: those are its memory.
type agentModel struct {
	needs  int    // restarts that are still to come
	said   string // its file: "", "wants" or "has"
	asked  bool   // agent exec is asked for a restart
	down   bool
	read   uint8 // bit i: the agent has read the statement of agent i in this look
	claims uint8 // bit i: what it read was a claim
	kills  int   // that may still happen
}

// modelState is the state of up to three agents.
type modelState [3]agentModel

func (s modelState) turn(i int) trust.Turn {
	return map[string]trust.Turn{"": {}, "wants": {Wants: "g"}, "has": {Wants: "g", Has: true}}[s[i].said]
}

// steps are the states that can follow when one agent, or one server, takes its next step. Reads of different files and the
// write are steps of their own, so that everything can happen in between.
func (s modelState) steps(n int) (next []modelState) {
	name := func(i int) string { return fmt.Sprint(i) }
	for i := range n {
		with := func(change func(*agentModel)) {
			after := s
			change(&after[i])
			next = append(next, after)
		}
		a := s[i]
		all := uint8(1<<n-1) &^ (1 << i)
		if a.kills > 0 && (a.said != "" || a.read != 0) {
			with(func(a *agentModel) { a.kills--; a.read, a.claims = 0, 0 })
		}
		switch {
		case a.down: // the server starts, and then serves
			with(func(a *agentModel) { a.down, a.asked = false, false; a.needs-- })
			continue
		case a.asked: // agent exec stops it
			with(func(a *agentModel) { a.down = true })
			continue
		case a.said == "has" && a.needs > 0:
			with(func(a *agentModel) { a.asked = true })
			continue
		case a.said == "" && a.needs == 0:
			continue
		case a.read == all:
			others := map[string]trust.Turn{}
			for j := range n {
				if a.claims&(1<<j) != 0 {
					others[name(j)] = trust.Turn{Wants: "g"}
				}
			}
			needs := map[bool]string{true: "g"}[a.needs > 0]
			said := nextTurn(s.turn(i), name(i), needs, others, time.Time{})
			with(func(a *agentModel) {
				a.said = map[bool]string{true: "has"}[said.Has]
				if said.Wants != "" && !said.Has {
					a.said = "wants"
				}
				a.read, a.claims = 0, 0
			})
			continue
		}
		for j := range n {
			if all&(1<<j) != 0 && a.read&(1<<j) == 0 {
				with(func(a *agentModel) {
					a.read |= 1 << j
					if s[j].said != "" {
						a.claims |= 1 << j
					}
				})
			}
		}
	}
	return next
}

// TestInNoOrderOfStepsTwoServersAreDownAndAllGetTheirTurn goes through every order in which agents can read, write, be
// killed and come back, and servers can stop and start.
func TestInNoOrderOfStepsTwoServersAreDownAndAllGetTheirTurn(t *testing.T) {
	for _, c := range []struct{ agents, restarts, kills int }{{2, 2, 2}, {3, 1, 0}} {
		var start modelState
		for i := range c.agents {
			start[i] = agentModel{needs: c.restarts, kills: c.kills}
		}
		seen, queue := map[modelState]bool{start: true}, []modelState{start}
		before := map[modelState][]modelState{} // whose step leads here
		var done []modelState
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			down, rest := 0, true
			for i := range c.agents {
				if s[i].down || s[i].asked {
					down++
				}
				rest = rest && s[i].needs == 0 && s[i].said == "" && !s[i].down
			}
			if down > 1 {
				t.Fatalf("%d agents: two servers are down, or about to be: %+v", c.agents, s)
			}
			if rest {
				done = append(done, s)
			}
			for _, next := range s.steps(c.agents) {
				before[next] = append(before[next], s)
				if !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		// From everywhere all can still get their turn, whoever was killed where.
		ends, queue := map[modelState]bool{}, done
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			if ends[s] {
				continue
			}
			ends[s] = true
			queue = append(queue, before[s]...)
		}
		if len(done) == 0 || len(ends) != len(seen) {
			t.Errorf("%d agents: of %d states %d lead to the end, %d are it", c.agents, len(seen), len(ends), len(done))
		}
		t.Logf("%d agents: %d states", c.agents, len(seen))
	}
}
