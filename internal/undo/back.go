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

// course is what an alias has had since the point to go back to: fingerprints, the one of that point first. An empty one stands for
// no entry.
type course struct {
	owner string
	had   []string
}

// notOurs is what an alias has whose entry is not the agent's.
const notOurs = "an entry of somebody else"

// back returns the changes of a truststore that put the agent's aliases of peers back to what they were after the event with the
// number to; 0 stands for the time before the first event. The error names the aliases that have what no agent gave them since.
func back(events []history.Event, to int, entries []trust.Entry, peers []string, own string) ([]trust.Change, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("the history of %s has no events", own)
	}
	if first, last := events[0].Number, events[len(events)-1].Number; to < first-1 || to > last {
		return nil, remedy.Add(fmt.Errorf("the history of %s does not reach event %d: it has the events %d to %d", own, to, first, last), "agent history shows them")
	}
	configured := append(slices.Clone(peers), own)
	courses := map[string]course{}
	for _, e := range events {
		before, after, is := trusted(e)
		owner := trust.Owner(trust.Entry{Alias: e.Alias, Fingerprint: cmp.Or(before, after)}, configured)
		if e.Number <= to || !is || owner == "" || owner == own {
			continue
		}
		alias := strings.ToLower(e.Alias)
		c := courses[alias]
		if c.had == nil {
			c = course{owner, []string{before}}
		}
		c.had = append(c.had, after)
		courses[alias] = c
	}
	now, there := map[string]string{}, map[string]bool{}
	for _, e := range entries {
		there[e.Fingerprint] = true
		now[strings.ToLower(e.Alias)] = cmp.Or(e.Fingerprint, notOurs)
		if trust.Owner(e, configured) == "" {
			now[strings.ToLower(e.Alias)] = notOurs
		}
	}
	var changes []trust.Change
	var foreign []string
	for _, alias := range slices.Sorted(maps.Keys(courses)) {
		c := courses[alias]
		has, had := now[alias], c.had[0]
		switch {
		case !slices.Contains(c.had, has):
			foreign = append(foreign, alias)
		case has == had:
		case had == "":
			changes = append(changes, trust.Change{Action: trust.Removed, Alias: alias, Fingerprint: has, Owner: c.owner})
		case has == "":
			changes = append(changes, trust.Change{Action: trust.Added, Alias: alias, Fingerprint: had, Owner: c.owner, Fresh: !there[had]})
		default:
			changes = append(changes, trust.Change{Action: trust.Replaced, Alias: alias, Fingerprint: had, Was: has, Owner: c.owner, Fresh: !there[had]})
		}
	}
	if len(foreign) > 0 {
		return nil, remedy.Add(fmt.Errorf("nothing is undone: somebody else has changed these aliases since event %d: %s", to, strings.Join(foreign, ", ")),
			"choose a later event, or change the aliases with agent certs import and agent certs delete")
	}
	return changes, nil
}

// trusted returns which certificate an alias had before and after an event, and reports whether the event is about that.
func trusted(e history.Event) (before, after string, is bool) {
	switch e.What {
	case history.Trusted:
		return "", e.Fingerprint, true
	case history.Removed:
		return e.Fingerprint, "", true
	case history.Replaced, history.Undone:
		return e.Was, e.Fingerprint, true
	}
	return "", "", false
}

// restarts reports whether a truststore trusts other certificates after the changes than before.
func restarts(entries []trust.Entry, changes []trust.Change) bool {
	before, after := map[string]bool{}, map[string]string{}
	for _, e := range entries {
		if e.Fingerprint != "" {
			before[e.Fingerprint], after[strings.ToLower(e.Alias)] = true, e.Fingerprint
		}
	}
	for _, c := range changes {
		if after[c.Alias] = c.Fingerprint; c.Action == trust.Removed {
			delete(after, c.Alias)
		}
	}
	left := map[string]bool{}
	for _, f := range after {
		left[f] = true
	}
	return !maps.Equal(before, left)
}
