package undo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/history"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// notOurs is what an alias has whose entry is not the agent's.
const notOurs = "an entry of somebody else"

// back returns the events that put the agent's aliases of peers back to what they were after the event with the number to. configured
// are the names of all servers, the own one first. The error names an alias that has what no agent gave it since.
func back(events []history.Event, to int, entries []trust.Entry, configured []string) ([]history.Event, error) {
	first, last := 1, 0
	if len(events) > 0 {
		first, last = events[0].Number, events[len(events)-1].Number
	}
	if to < first-1 || to > last {
		return nil, remedy.Add(fmt.Errorf("the history of %s has the events %d to %d, so event %d is not among them", configured[0], first, last, to), "agent history shows them")
	}
	had := map[string][]string{} // what each alias has had since: fingerprints, the one to go back to first; an empty one is no entry
	owners := map[string]string{}
	for i := range events {
		e := &events[i]
		alias := strings.ToLower(e.Alias)
		before, after := e.Was, e.Fingerprint
		switch e.What {
		case history.Trusted, history.Replaced, history.Undone:
		case history.Removed:
			before, after = e.Fingerprint, ""
		default:
			continue
		}
		owner := trust.Owner(trust.Entry{Alias: alias, Fingerprint: cmp.Or(before, after)}, configured)
		if e.Number <= to || owner == "" || owner == configured[0] {
			continue
		}
		if owners[alias] = owner; had[alias] == nil {
			had[alias] = []string{before}
		}
		had[alias] = append(had[alias], after)
	}
	now := map[string]string{}
	for _, e := range entries {
		alias := strings.ToLower(e.Alias)
		if now[alias] = e.Fingerprint; trust.Owner(e, configured) == "" {
			now[alias] = notOurs
		}
	}
	changes := []history.Event{}
	for _, alias := range slices.Sorted(maps.Keys(had)) {
		if !slices.Contains(had[alias], now[alias]) {
			return nil, remedy.Add(fmt.Errorf("nothing is undone: somebody else has changed %s since event %d", alias, to),
				"choose a later event, or change the alias with agent certs import or agent certs delete")
		}
		if then := had[alias][0]; then != now[alias] {
			changes = append(changes, history.Event{What: history.Undone, Alias: alias, Peer: owners[alias], Fingerprint: then, Was: now[alias], Because: fmt.Sprint("back to event ", to)})
		}
	}
	return changes, nil
}
