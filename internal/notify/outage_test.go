package notify

import (
	"testing"
	"time"
)

func TestOutagesOfTheServer(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 0, s, 0, time.UTC) }
	look := func(second, start int, serves Serves) (int, Started) {
		return second, Started{PID: start, Since: at(10 * start), Starts: start, Serves: serves}
	}
	type step struct {
		second int
		said   Started
		asked  bool
		ended  string // from, to and whether this agent had asked for it
	}
	s := func(second, start int, serves Serves, asked bool, ended string) step {
		second, said := look(second, start, serves)
		return step{second, said, asked, ended}
	}
	no, yes, silent := ServesNot, ServesNow, ServesNotSaid
	for name, steps := range map[string][]step{
		"a first start":                        {s(10, 1, no, false, ""), s(15, 1, yes, false, ""), s(16, 1, yes, false, "")},
		"a restart that this agent asked for":  {s(15, 1, yes, false, ""), s(18, 1, no, true, ""), s(20, 2, no, true, ""), s(27, 2, yes, false, "18 27 true")},
		"a crash":                              {s(15, 1, yes, false, ""), s(20, 2, no, false, ""), s(27, 2, yes, false, "20 27 false"), s(28, 2, yes, false, "")},
		"two of them":                          {s(15, 1, yes, false, ""), s(20, 2, no, false, ""), s(22, 2, yes, false, "20 22 false"), s(30, 3, no, false, ""), s(35, 3, yes, false, "30 35 false")},
		"a restart that nobody has looked at":  {s(15, 1, yes, false, ""), s(29, 2, yes, false, "20 29 false")},
		"a sidecar that comes in the middle":   {s(25, 2, no, false, ""), s(27, 2, yes, false, "20 27 false")},
		"a sidecar that comes after it":        {s(29, 2, yes, false, "")},
		"an agent exec that says nothing":      {s(15, 1, silent, false, ""), s(25, 2, silent, false, "")},
		"one that says nothing after a change": {s(15, 1, yes, false, ""), s(25, 2, silent, false, ""), s(35, 3, yes, false, "")},
	} {
		t.Run(name, func(t *testing.T) {
			var o Outages
			for _, step := range steps {
				got := ""
				if ended, ok := o.See(step.said, step.asked, at(step.second)); ok {
					planned := map[bool]string{true: "true", false: "false"}[ended.Planned]
					got = ended.From.Format("5") + " " + ended.To.Format("5") + " " + planned
				}
				if got != step.ended {
					t.Errorf("at %d: %q, want %q", step.second, got, step.ended)
				}
			}
		})
	}
}
