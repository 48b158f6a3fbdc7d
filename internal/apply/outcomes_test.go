package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

func change(action plan.Action, kind, name string) plan.Change {
	return plan.Change{Action: action, Kind: kind, Name: name}
}

func TestWhatFailedForGoodIsNotTriedAgain(t *testing.T) {
	all := outcomes{at: map[object]int{}}
	good, broken, slow, child, lost := change(plan.Create, plan.KindAPI, "Good 1"), change(plan.Create, plan.KindAPI, "Broken 1"),
		change(plan.Create, plan.KindAPI, "Slow 1"), change(plan.Create, plan.KindSubscription, "to API Slow 1"), change(plan.Create, plan.KindAPI, "Lost 1")
	all.open([]plan.Change{good, broken, slow, lost, child}, nil)
	all.note(good, nil)
	all.note(broken, byHand(errors.New("refused")))
	all.note(slow, errors.New("busy"))
	all.note(lost, errors.New("no answer"))
	all.note(child, fmt.Errorf("API Slow 1: %w", errNeeds))
	if err := all.first(); err == nil || !strings.Contains(err.Error(), "API Slow 1: busy") {
		t.Errorf("the failure to repeat is %v", err)
	}
	var names []string
	for _, c := range all.open([]plan.Change{broken, slow, child}, nil) { // the plan of the next round: Lost was made
		names = append(names, c.Name)
	}
	if got := strings.Join(names, ", "); got != "Slow 1, to API Slow 1" {
		t.Errorf("the second round makes %s", got)
	}
	all.note(slow, nil)
	all.note(child, nil)
	report := Report{Outcomes: all.list}
	if report.Failed() != 1 || all.first() != nil {
		t.Errorf("%d failed, and %v is to be repeated", report.Failed(), all.first())
	}
	if err := report.Err(); !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "1 of 5 changes failed") {
		t.Errorf("the error is %v", err)
	}
}

func TestVersionsOfAnAPIAndKeysOfAnApplicationFollowEachOther(t *testing.T) {
	api := func(name, version string) plan.Change {
		return plan.Change{Kind: plan.KindAPI, Name: name + " " + version, Want: desired.API{Name: desired.Text{Set: true, Value: name}}}
	}
	key := func(of string) plan.Change { return plan.Change{Kind: plan.KindKey, Of: of, Want: desired.Key{}} }
	subscription := plan.Change{Kind: plan.KindSubscription, Of: "application One", Want: plan.WantedSubscription{}}
	var got []string
	for _, lane := range (&round{}).lanes([]plan.Change{api("A", "1"), api("B", "1"), api("A", "2"), key("one"), key("two"), key("one"), subscription, subscription}) {
		got = append(got, fmt.Sprint(len(lane)))
	}
	if fmt.Sprint(got) != "[2 1 2 1 1 1]" {
		t.Errorf("the lanes have %v changes", got)
	}
}

func TestWhatIsPermanent(t *testing.T) {
	cause := errors.New("x")
	for _, test := range []struct {
		err  error
		want bool
	}{
		{cause, false}, {byHand(cause), true}, {again(cause), false}, {again(byHand(cause)), false}, {byHand(again(cause)), true}, {fmt.Errorf("at API A: %w", byHand(cause)), true},
		{actual.ErrMoving, false}, {bootstrap.ErrPermanent, true}, {errNeeds, true}, {errUndone, false}, {context.Canceled, false},
	} {
		if permanent(test.err) != test.want {
			t.Errorf("%v: permanent is %t", test.err, !test.want)
		}
	}
}

func TestTheReportSaysWhatFailedAndWhatToDo(t *testing.T) {
	r := Report{Run: "id", Outcomes: []Outcome{
		{Change: change(plan.Create, plan.KindAPI, "Orders 1.0.0")},
		{Change: change(plan.Update, plan.KindRole, "Clerk")},
		{Change: plan.Change{Action: plan.Create, Kind: plan.KindKey, Name: "production of key manager WSO2-IS", Of: "application Shop",
			Want: desired.Key{Type: desired.Text{At: desired.Place{File: "file.yaml", Line: 3, Column: 7}}}},
			Err: remedy.Add(errors.New("refused\x1b[2J"), "look there")},
	}}
	want := `created  API Orders 1.0.0
updated  role Clerk
failed   key production of key manager WSO2-IS (application Shop)
         at: file.yaml:3:7
         error: refused\x1b[2J
         hint: look there
the logs of the servers have this run as Correlation-ID id
apply: 2 done, 1 failed
`
	if got := r.Text(); got != want {
		t.Errorf("the report is\n%s\nand should be\n%s", got, want)
	}
	text, err := r.JSON(nil)
	must(t, err)
	var read struct {
		Run          string
		Outcomes     []map[string]string
		Done, Failed int
		Problems     []any
	}
	must(t, json.Unmarshal(text, &read))
	if read.Run != "id" || read.Done != 2 || read.Failed != 1 || read.Problems == nil || len(read.Outcomes) != 3 || read.Outcomes[2]["hint"] != "look there" || read.Outcomes[2]["at"] != "file.yaml:3:7" || read.Outcomes[0]["state"] != "created" {
		t.Errorf("the report in JSON is\n%s", text)
	}
	if got := (Report{}).Text(); got != "apply: nothing to change\n" {
		t.Errorf("an empty report is %q", got)
	}
	r.Problems = desired.Problems{{Message: "context"}}
	if got := r.Text(); !strings.HasSuffix(got, "apply: 2 done, 1 failed, 1 for a person to solve\n") {
		t.Errorf("with a problem the report is\n%s", got)
	}
}
