package main

import (
	"fmt"
	"testing"

	"wso2agent/internal/apply"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
)

func TestKeysOfOtherApplicationsStay(t *testing.T) {
	known := []keysfile.Key{
		{Application: "First", Type: "PRODUCTION", ConsumerKey: "one", ConsumerSecret: "kept"},
		{Application: "First", Type: "SANDBOX", ConsumerKey: "former"},
		{Application: "Gone", ConsumerKey: "two"},
		{Application: "Other", ConsumerKey: "three"},
	}
	report := apply.Report{
		Keys: []apply.Credentials{{Application: "New", ConsumerKey: "four"}, {Application: "First", Type: "PRODUCTION", ConsumerKey: "one"}},
		Outcomes: []apply.Outcome{{Change: plan.Change{Action: plan.Delete, Kind: plan.KindApplication, Name: "Gone"}},
			{Change: plan.Change{Action: plan.Delete, Kind: plan.KindApplication, Name: "Other"}, Err: fmt.Errorf("refused")}},
	}
	got := ""
	for _, k := range keysOf(report, known) {
		got += k.Application + " " + k.ConsumerKey + " " + string(k.ConsumerSecret) + ", "
	}
	if got != "First one kept, Other three , New four , " {
		t.Errorf("the keys are %s", got)
	}
}
