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
	had := map[string][]string{} // what each alias has had since: fingerprints, the one to go back to first; an empty one is no entry
	for _, e := range events {
		before, after, is := trusted(e)
		owner := trust.Owner(trust.Entry{Alias: e.Alias, Fingerprint: cmp.Or(before, after)}, configured)
		if e.Number <= to || !is || owner == "" || owner == own {
			continue
		}
		alias := strings.ToLower(e.Alias)
		if had[alias] == nil {
			had[alias] = []string{before}
		}
		had[alias] = append(had[alias], after)
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
	for _, alias := range slices.Sorted(maps.Keys(had)) {
		has, then := now[alias], had[alias][0]
		if !slices.Contains(had[alias], has) {
			foreign = append(foreign, alias)
		}
		if has == then {
			continue
		}
		c := trust.Change{Action: trust.Replaced, Alias: alias, Fingerprint: then, Was: has, Fresh: !there[then]}
		switch {
		case then == "":
			c = trust.Change{Action: trust.Removed, Alias: alias, Fingerprint: has}
		case has == "":
			c.Action = trust.Added
		}
		c.Owner = trust.Owner(trust.Entry{Alias: alias, Fingerprint: c.Fingerprint}, configured)
		changes = append(changes, c)
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
	times := map[string]int{} // that the truststore has a certificate
	for _, e := range entries {
		times[e.Fingerprint]++
	}
	for _, c := range changes {
		if c.Action == trust.Removed {
			times[c.Fingerprint]--
			continue
		}
		times[c.Fingerprint]++
		times[c.Was]--
	}
	return slices.ContainsFunc(changes, func(c trust.Change) bool {
		return c.Fresh || c.Action == trust.Removed && times[c.Fingerprint] == 0 || c.Was != "" && times[c.Was] == 0
	})
}
