package rotation

import "fmt"

// kills are the events that kill the agent of a server, and start another one in its place.
func (m *model) kills(i int) (all []step) {
	s := m.servers[i]
	kill := func(after string, before func(*model)) *step {
		all = append(all, step{name: s.name + ": its agent is killed after " + after + ", and replaced", event: true, do: func(m *model) {
			before(m)
			s := m.servers[i]
			s.memory, s.pending, s.words, s.again, s.pressed, s.hurried = Memory{}, nil, nil, false, false, false
		}})
		return &all[len(all)-1]
	}
	if len(s.pending) > 0 || s.again || s.memory.Asked != "" || !s.memory.Queued.IsZero() || len(s.memory.Claims) > 0 {
		for n := range max(1, s.shared()) { // between any two actions
			kill(fmt.Sprintf("%d actions", n), func(m *model) {
				for range n {
					m.act(i)
				}
			})
		}
	}
	if len(s.pending) == 0 {
		return all
	}
	// An action that changes several files can be half done.
	if do, is := s.pending[0].(StageSuccessor); is {
		calm := m.restartsNobody() == ""
		staged := func(m *model) { m.servers[i].staged = do.Fingerprint }
		kill("it has staged a successor, before it answers the request", staged).free = calm
		kill("it has answered the request, before it removes the successor from the pool", func(m *model) {
			staged(m)
			m.servers[i].asked, m.servers[i].stolen = false, false
		}).free = calm
	}
	return all
}
