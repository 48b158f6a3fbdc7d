package trust

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
)

// Turn is what an agent says about the turn to restart its server. At any time at most one agent has the turn, so agents
// never have two servers down, unless a claim has ended without its owner (see Claims.Standing).
//
// The rule is Lamport's one-bit algorithm: an agent first says that it wants the turn, and then reads what the others say.
// Of two that want it the one whose name comes later withdraws. So no file needs two writers, and no lock spans hosts.
type Turn struct {
	Wants string    `json:"wants,omitempty"` // the generation with which the server is to start; empty: the agent wants no turn
	Has   bool      `json:"has,omitempty"`   // the agent may restart its server, or is doing so
	Since time.Time `json:"since,omitzero"`  // when it said so; it tells a new statement from an old one
}

// Next is what the agent of the named server says next, after it has read what the others say. t is what it has said so far,
// which the others could read before it read them. needs is the generation with which its server is to start, empty for no
// restart. now is the time of a new statement.
func (t Turn) Next(name, needs string, others map[string]Turn, now time.Time) Turn {
	var earlier, later bool // an agent whose name comes earlier, or later, has the turn or wants it
	for other, said := range others {
		if said.Wants != "" {
			earlier = earlier || other < name
			later = later || other > name
		}
	}
	switch {
	case needs == "", !t.Has && earlier:
		return Turn{}
	case t.Wants == "":
		return Turn{Wants: needs, Since: now}
	case !t.Has && !later:
		return Turn{Wants: needs, Has: true, Since: now}
	}
	t.Wants = needs
	return t
}

// SayTurn publishes what the own agent says about the turn. A turn that it does not want leaves no file.
func (e Exchange) SayTurn(t Turn) error {
	if t.Wants == "" {
		_, err := file.Remove(filepath.Join(e.Dir, e.Name, turnFile))
		return err
	}
	_, err := e.writeJSON(turnFile, t)
	return err
}

// Turn returns what the named server's agent says about the turn. One that says nothing, as an agent of an older version,
// wants none.
func (e Exchange) Turn(ctx context.Context, name string) (t Turn, err error) {
	t, _, err = readJSON[Turn](ctx, e, name, turnFile)
	return t, err
}

// Claims are the turns that other agents have said they want or have, as one agent has seen them. The zero value has seen
// none.
type Claims struct {
	seen map[string]claim
}

type claim struct {
	turn  Turn
	since time.Time // when this agent first saw it: two hosts' clocks need not agree
}

// See notes what an agent says at the given time.
func (c *Claims) See(name string, said Turn, now time.Time) {
	if said.Wants == "" {
		delete(c.seen, name)
		return
	}
	before, ok := c.seen[name]
	if ok && before.turn.Since.Equal(said.Since) && before.turn.Has == said.Has && !before.since.After(now) {
		return
	}
	if c.seen == nil {
		c.seen = map[string]claim{}
	}
	c.seen[name] = claim{said, now}
}

// Standing are the claims that still hold: those that are not older than patience. An agent that claims the turn for longer
// is gone, or its server does not come up. next is when the next one ends, zero for never, and over names whose has ended.
func (c Claims) Standing(now time.Time, patience time.Duration) (standing map[string]Turn, next time.Time, over []string) {
	standing = map[string]Turn{}
	for name, claim := range c.seen {
		end := claim.since.Add(patience)
		if !now.Before(end) {
			over = append(over, name)
			continue
		}
		standing[name] = claim.turn
		if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	slices.Sort(over)
	return standing, next, over
}
