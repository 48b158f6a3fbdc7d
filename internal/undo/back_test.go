package undo

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/history"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// A1 and the like stand for fingerprints: their first digits are those in aliases.
const a1, a2, a3, c1, own1 = "A1:A1:A1:A1", "A2:A2:A2:A2", "A3:A3:A3:A3", "C1:C1:C1:C1", "B1:B1:B1:B1"

// story is a trail of events of the server b with the peers a and c. Its last event is that of the fact that a has switched.
func story() []history.Event {
	return []history.Event{
		{Number: 11, What: history.Trusted, Alias: "a", Fingerprint: a1},
		{Number: 12, What: history.Trusted, Alias: "b", Fingerprint: own1},
		{Number: 13, What: history.Trusted, Alias: "c", Fingerprint: c1},
		{Number: 14, What: history.Trusted, Alias: "a-a2a2a2a2", Fingerprint: a2},
		{Number: 15, What: history.Runs, Generation: "g"},
		{Number: 16, What: history.Removed, Alias: "a-a2a2a2a2", Fingerprint: a2},
		{Number: 17, What: history.Replaced, Alias: "a", Fingerprint: a2, Was: a1},
		{Number: 18, What: history.Trusted, Alias: "a-a1a1a1a1", Fingerprint: a1},
		{Number: 19, What: history.Switched, Fingerprint: own1, Was: "B0"},
	}
}

// store is a truststore with entries of the form alias=fingerprint; an empty fingerprint is a key.
func store(entries ...string) (all []trust.Entry) {
	for _, e := range entries {
		alias, fingerprint, _ := strings.Cut(e, "=")
		all = append(all, trust.Entry{Alias: alias, Fingerprint: fingerprint})
	}
	return all
}

func TestAliasesGoBackToWhatTheyWere(t *testing.T) {
	after := []string{"a=" + a2, "a-a1a1a1a1=" + a1, "b=" + own1, "c=" + c1, "users-ca=F1", "key="}
	for _, c := range []struct {
		name   string
		to     int
		events []history.Event // after those of the story
		store  []string
		want   string
	}{
		{"to the last event", 19, nil, after, ""},
		{"before a switch of two trusted certificates", 15, nil, after,
			"a A1 was A2 of a; a-a1a1a1a1 -- was A1 of a; a-a2a2a2a2 A2 was -- of a"},
		{"before the second one", 13, nil, after, "a A1 was A2 of a; a-a1a1a1a1 -- was A1 of a"},
		{"before all, and the own server stays", 10, nil, after, "a -- was A2 of a; a-a1a1a1a1 -- was A1 of a; c -- was C1 of c"},
		{"to a certificate that is gone", 17, []history.Event{{What: history.Removed, Alias: "a-a1a1a1a1", Fingerprint: a1}, {What: history.Replaced, Alias: "a", Fingerprint: a3, Was: a2}},
			[]string{"a=" + a3, "c=" + c1}, "a A2 was A3 of a"},
		{"an alias that has gone comes back", 18, []history.Event{{What: history.Removed, Alias: "a-a1a1a1a1", Fingerprint: a1}},
			[]string{"a=" + a2, "c=" + c1}, "a-a1a1a1a1 A1 was -- of a"},
		{"what was undone is undone", 19, []history.Event{{What: history.Undone, Alias: "a", Fingerprint: a1, Was: a2}, {What: history.Undone, Alias: "a-a1a1a1a1", Was: a1}},
			[]string{"a=" + a1, "c=" + c1}, "a A2 was A1 of a; a-a1a1a1a1 A1 was -- of a"},
		{"a restored truststore is part of the way there", 13, nil, []string{"a=" + a1, "a-a2a2a2a2=" + a2, "b=" + own1, "c=" + c1},
			"a-a2a2a2a2 -- was A2 of a"},
		{"the case of an alias does not matter", 15, nil, []string{"A=" + a2, "A-A1A1A1A1=" + a1, "c=" + c1},
			"a A1 was A2 of a; a-a1a1a1a1 -- was A1 of a; a-a2a2a2a2 A2 was -- of a"},
		{"somebody else has replaced one", 15, nil, []string{"a=" + a3, "a-a1a1a1a1=" + a1}, "nothing is undone: somebody else has changed a since event 15"},
		{"somebody else has removed some", 15, nil, []string{"c=" + c1}, "nothing is undone: somebody else has changed a since event 15"},
		{"somebody else has another kind of entry there", 13, nil, []string{"a=", "a-a1a1a1a1=" + c1, "c=" + c1}, "nothing is undone: somebody else has changed a since event 13"},
		{"what was changed before does not matter", 18, nil, []string{"a=" + a3}, ""},
		{"a name that is none of a peer", 10, []history.Event{{What: history.Trusted, Alias: "d", Fingerprint: a3}}, append([]string{"d=F2"}, after...),
			"a -- was A2 of a; a-a1a1a1a1 -- was A1 of a; c -- was C1 of c"},
		{"to an event that is gone", 9, nil, after, "the history of b has the events 11 to 19, so event 9 is not among them"},
		{"to an event that has not happened", 20, nil, after, "the history of b has the events 11 to 19, so event 20 is not among them"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := story()
			for i, e := range c.events {
				e.Number = 20 + i
				events = append(events, e)
			}
			changes, err := back(events, c.to, store(c.store...), []string{"b", "a", "c"})
			var words []string
			for _, e := range changes {
				if e.What != history.Undone || e.Because != fmt.Sprint("back to event ", c.to) {
					t.Errorf("%+v is no event of an undo", e)
				}
				words = append(words, fmt.Sprintf("%s %.2s was %.2s of %s", e.Alias, cmp.Or(e.Fingerprint, "--"), cmp.Or(e.Was, "--"), e.Peer))
			}
			got := strings.Join(words, "; ")
			if err != nil {
				got, _ = remedy.Split(err)
			}
			if got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
	if _, err := back(nil, 1, nil, []string{"b"}); err == nil || !strings.Contains(err.Error(), "the history of b has the events 1 to 0") {
		t.Errorf("without events: %v", err)
	}
}
