package drift

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

// TestFindingsSayWhatDiffersWithoutSecrets: an object has its fields, and a problem the remedy.
func TestFindingsSayWhatDiffersWithoutSecrets(t *testing.T) {
	all := findings(plan.Comparison{
		Changes: []plan.Change{
			{Action: plan.Create, Kind: plan.KindScope, Name: "orders:read"},
			{Action: plan.Update, Kind: plan.KindUser, Name: "ann", Fields: []plan.Difference{
				{Path: "email", Have: "a@old.example", Want: "a@new.example"}, {Path: "password", Want: "hunter2", Secret: true}}},
			{Action: plan.Delete, Kind: plan.KindDocument, Name: "Guide", Of: "API Orders 1"},
		},
		Problems: desired.Problems{{Message: "API \"Orders\" 1 is BLOCKED", Hint: "publish it"}},
	})
	text := fmt.Sprintf("%+v", all)
	for _, part := range []string{"shared scope orders:read", `email: "a@old.example" -> "a@new.example"`, "document Guide (API Orders 1)", "is BLOCKED", "hint:publish it"} {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q", text, part)
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "BLOCKED: publish it") {
		t.Error(text)
	}
	n := counts(all)
	if n[plan.KindScope] != 1 || n[plan.KindUser] != 1 || n[plan.KindDocument] != 1 || n[byHand] != 1 || len(n) != len(plan.Kinds())+1 {
		t.Errorf("the numbers are %v", n)
	}
	want := `differences between the servers and the API configuration: 4 (shared scope orders:read is missing, user ann differs in email and password, ` +
		`document Guide (API Orders 1) is no longer in the file, and 1 more)`
	if got := summary(all); got != want {
		t.Errorf("the summary is %q", got)
	}
	if got := summary(all[3:]); !strings.HasSuffix(got, `: 1 (API "Orders" 1 is BLOCKED)`) {
		t.Errorf("the summary is %q", got)
	}
}

// TestNewsAreWhatAppearsAndWhatGoes: the same difference is no news, and another field of the same object is.
func TestNewsAreWhatAppearsAndWhatGoes(t *testing.T) {
	f := func(object string, fields ...string) finding {
		return finding{kind: plan.KindAPI, object: object, action: plan.Update, fields: fields}
	}
	missing := finding{kind: plan.KindAPI, object: "A", action: plan.Create}
	for name, c := range map[string]struct{ before, now, appeared, gone []finding }{
		"nothing":                       {},
		"a first difference":            {nil, []finding{f("A", "x")}, []finding{f("A", "x")}, nil},
		"the same one":                  {[]finding{f("A", "x")}, []finding{f("A", "x")}, nil, nil},
		"another field":                 {[]finding{f("A", "x")}, []finding{f("A", "x", "y")}, []finding{f("A", "x", "y")}, nil},
		"another action":                {[]finding{f("A")}, []finding{missing}, []finding{missing}, nil},
		"it is gone":                    {[]finding{f("A", "x"), f("B", "x")}, []finding{f("B", "x")}, nil, []finding{f("A", "x")}},
		"one goes, and another appears": {[]finding{f("A", "x")}, []finding{f("B", "x")}, []finding{f("B", "x")}, []finding{f("A", "x")}},
	} {
		appeared, gone := news(c.before, c.now)
		if !slices.EqualFunc(appeared, c.appeared, finding.same) || !slices.EqualFunc(gone, c.gone, finding.same) {
			t.Errorf("%s: appeared %v, gone %v", name, appeared, gone)
		}
	}
}

// TestThePauseAfterAFixDoubles until nothing differs.
func TestThePauseAfterAFixDoubles(t *testing.T) {
	var p pause
	now := time.Unix(0, 0)
	const every = 5 * time.Minute
	for i, want := range []time.Duration{every, 2 * every, 4 * every, 8 * every, time.Hour, time.Hour} {
		if !p.over(1, now) {
			t.Fatalf("fix %d may not begin", i)
		}
		p.begin(every, now)
		if p.over(1, now.Add(want-1)) {
			t.Errorf("after fix %d, the pause is over before %s", i, want)
		}
		now = now.Add(want)
	}
	if p.over(0, now) {
		t.Error("a fix begins without a difference")
	}
	if p.begin(every, now); p.last != every {
		t.Errorf("after a pass without a difference, the pause is %s", p.last)
	}
	const rare = 3 * time.Hour
	if p = (pause{}); p.next(rare) != rare {
		t.Error(p)
	}
	p.begin(rare, now)
	if p.begin(rare, now); p.last != rare {
		t.Errorf("the pause of a long interval is %s", p.last)
	}
}

// TestJitterIsATenth of the interval, in both directions.
func TestJitterIsATenth(t *testing.T) {
	low, high := time.Hour, time.Duration(0)
	for range 1000 {
		d := jittered(10 * time.Second)
		low, high = min(low, d), max(high, d)
	}
	if low < 9*time.Second || high > 11*time.Second || high-low < time.Second {
		t.Errorf("from %s to %s", low, high)
	}
}
