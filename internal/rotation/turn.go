package rotation

import (
	"maps"
	"slices"
	"time"

	"wso2agent/internal/trust"
)

// nextTurn is what the agent of the named server says next, after it has read what the others say. t is what it has said so far,
// which the others could read before it read them. needs is the generation with which its server is to start, empty for no
// restart. now is the time of a new statement.
func nextTurn(t trust.Turn, name, needs string, others map[string]trust.Turn, now time.Time) trust.Turn {
	var earlier, later bool // an agent whose name comes earlier, or later, has the turn or wants it
	for other, said := range others {
		if said.Wants != "" {
			earlier = earlier || other < name
			later = later || other > name
		}
	}
	switch {
	case needs == "", !t.Has && earlier:
		return trust.Turn{}
	case t.Wants == "":
		return trust.Turn{Wants: needs, Since: now}
	case !t.Has && !later:
		return trust.Turn{Wants: needs, Has: true, Since: now}
	}
	t.Wants = needs
	return t
}

// Claims are the turns that other agents want or have, by the names of their servers, as one agent has seen them.
type Claims map[string]Claim

// Claim is a turn that another agent wants or has.
type Claim struct {
	Turn  trust.Turn
	Since time.Time // when this agent first saw it: the clocks of two hosts need not agree
}

// with are the claims after the named agent has said something.
func (c Claims) with(name string, said trust.Turn, now time.Time) Claims {
	before, ok := c[name]
	if said.Wants != "" && ok && before.Turn.Since.Equal(said.Since) && before.Turn.Has == said.Has && !before.Since.After(now) {
		return c
	}
	after := maps.Clone(c)
	if after == nil {
		after = Claims{}
	}
	delete(after, name)
	if said.Wants != "" {
		after[name] = Claim{said, now}
	}
	return after
}

// standing are the claims that still hold: those that are not older than patience. An agent that claims the turn for longer is
// gone, or its server does not come up. next is when the next one ends, zero for never, and over names whose has ended.
func (c Claims) standing(now time.Time, patience time.Duration) (standing map[string]trust.Turn, next time.Time, over []string) {
	standing = map[string]trust.Turn{}
	for name, claim := range c {
		end := claim.Since.Add(patience)
		if !now.Before(end) {
			over = append(over, name)
			continue
		}
		standing[name] = claim.Turn
		next = earliest(next, end)
	}
	slices.Sort(over)
	return standing, next, over
}

// claims looks at the turns that peers claim now. A claim ends after ROTATE_TIMEOUT without another word.
func (p *pass) claims() {
	for _, name := range p.s.Settings.Peers {
		peer := p.s.Peers[name]
		said := peer.Turn
		if peer.TurnErr != nil { // it may be a claim
			p.log(Warn, "turn of "+name, "what a peer says about its restart cannot be read", "peer", name, "error", peer.TurnErr)
			said = trust.Turn{Wants: "unknown"}
		}
		p.d.Memory.Claims = p.d.Memory.Claims.with(name, said, p.s.Now)
	}
	var next time.Time
	p.others, next, p.over = p.d.Memory.Claims.standing(p.s.Now, p.s.Settings.RotateTimeout)
	p.wake(next)
}

// takeTurn claims the turn to restart the server, and reports whether this agent has it. An agent that has just claimed it looks
// again before it restarts anything, at what peers have said before they left it to this agent.
func (p *pass) takeTurn() (has bool) {
	s := p.s
	if p.d.Memory.Queued.IsZero() || p.d.Memory.Queued.After(s.Now) { // the clock was put back
		p.d.Memory.Queued = s.Now
	}
	// Each peer may have its turn first, once. One that claims it again and again must not keep the own server from its restart.
	patience := p.turnPatience()
	limit := p.d.Memory.Queued.Add(patience)
	others, over := p.others, p.over
	if len(others) > 0 {
		p.wake(limit)
		if !s.Now.Before(limit) {
			others, over = nil, slices.Sorted(maps.Keys(others))
		}
	}
	if end := hurries(p.d.Rotation, p.d.InUse); p.d.Rotation.Announced != "" && !end.IsZero() && !s.Now.Before(end) {
		others = nil // the certificate in use is about to expire
	}
	own := s.Own.Turn
	next := nextTurn(own, s.Settings.Server, p.d.Generation, others, s.Now.UTC())
	if next != own {
		p.do(SayTurn{next})
	}
	switch {
	case next.Has:
		if len(over) > 0 && !own.Has {
			p.log(Error, "", "the server restarts though a peer has not finished its restart: both may be down at a time; look at the peer's log", "server", s.Settings.Server,
				"peers", over, "waited", s.Now.Sub(p.d.Memory.Queued).Round(time.Second).String())
		}
		p.d.Memory.Queued = time.Time{}
		p.d.Again = !own.Has
		return true
	case next != own && next.Wants != "": // peers must see the claim before this agent reads theirs
		p.d.Again = true
		return false
	}
	list := slices.Sorted(maps.Keys(others))
	p.queue = names(list)
	p.remark(Info, "queue", p.queue, "the restart of the server waits until others serve again", "server", s.Settings.Server, "others", list, "at most", patience.String())
	return false
}

// turnPatience is how long the own restart waits for others at most, whatever they say.
func (p *pass) turnPatience() time.Duration {
	return time.Duration(len(p.s.Settings.Peers)+1) * p.s.Settings.RotateTimeout
}

// leaveTurn leaves the turn to others, unless the server is still down for it. Whether it is counts only after agent exec was told
// that no restart is wanted any more: so wish, what it is told now, must be what it was told before this snapshot.
func (p *pass) leaveTurn(wish Wish) {
	told := p.s.Memory.Wish == wish && p.s.Server.Wish == wish
	p.d.Memory.Queued = time.Time{}
	own, server := p.s.Own.Turn, p.s.Server
	switch {
	case own.Wants == "" && p.s.Own.TurnErr == nil:
	case own.Has && p.s.Settings.Supervised && !told:
		p.d.Again = true
	case own.Has && p.s.Settings.Supervised && server.Known && server.Starting:
	default:
		p.do(SayTurn{})
	}
}
