package rotation

import (
	"fmt"
	"slices"
)

// Topics remembers the state in which each topic was last logged. The zero value remembers none.
type Topics map[string]string

// Due reports whether to log a message: it has no topic, or its topic was last logged in another state. Due remembers the state.
func (t *Topics) Due(m Message) bool {
	if m.Topic == "" {
		return true
	}
	state := m.State
	if state == "" {
		state = fmt.Sprint(m.Text, m.Args)
	}
	if (*t)[m.Topic] == state {
		return false
	}
	if *t == nil {
		*t = Topics{}
	}
	(*t)[m.Topic] = state
	return true
}

// Keep forgets the topics that a whole pass has no message of: they are logged when they come back.
func (t Topics) Keep(messages []Message) {
	for topic := range t {
		if !slices.ContainsFunc(messages, func(m Message) bool { return m.Topic == topic }) {
			delete(t, topic)
		}
	}
}
