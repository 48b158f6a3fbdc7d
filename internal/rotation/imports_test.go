package rotation

import (
	"slices"
	"testing"

	"wso2agent/internal/trust"
)

func TestOneLineTellsThatAServerHasSwitched(t *testing.T) {
	old, next, other := "11:11", "22:22", "33:33"
	for name, c := range map[string]struct{ changes, want []trust.Change }{
		"nothing": {},
		"announced": {
			[]trust.Change{{Action: "added", Alias: "is-2", Fingerprint: next}},
			[]trust.Change{{Action: "added", Alias: "is-2", Fingerprint: next}},
		},
		"switched": {
			[]trust.Change{
				{Action: "removed", Alias: "is-2", Fingerprint: next}, {Action: "replaced", Alias: "is", Fingerprint: next, Was: old},
				{Action: "added", Alias: "is-1", Fingerprint: old},
			},
			[]trust.Change{{Action: switched, Alias: "is", Fingerprint: next, Was: old}},
		},
		"switched to one that nobody announced": {
			[]trust.Change{{Action: "replaced", Alias: "is", Fingerprint: next, Was: old}, {Action: "added", Alias: "is-1", Fingerprint: old}},
			[]trust.Change{{Action: "replaced", Alias: "is", Fingerprint: next, Was: old}},
		},
		"switched, and another one has gone": {
			[]trust.Change{
				{Action: "removed", Alias: "is-2", Fingerprint: next}, {Action: "removed", Alias: "is-3", Fingerprint: other},
				{Action: "replaced", Alias: "is", Fingerprint: next, Was: old}, {Action: "added", Alias: "is-1", Fingerprint: old},
			},
			[]trust.Change{{Action: "removed", Alias: "is-3", Fingerprint: other}, {Action: switched, Alias: "is", Fingerprint: next, Was: old}},
		},
	} {
		if got := reported(c.changes); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAReportOfAReplacedCertificateNamesBoth(t *testing.T) {
	s := atRest()
	s.publishes("a", "A2")
	s.publishes("c", "C1", "C2")
	messages := Decide(s).Messages
	if len(messages) != 2 {
		t.Fatalf("%d messages: %+v", len(messages), messages)
	}
	for i, want := range [][]any{
		{"alias", "a", "fingerprint", "A2", "truststore", "trust.p12", "was", "A1"},
		{"alias", "c-c2", "fingerprint", "C2", "truststore", "trust.p12"},
	} {
		if !slices.Equal(messages[i].Args, want) {
			t.Errorf("%s %v, want %v", messages[i].Text, messages[i].Args, want)
		}
	}
}
