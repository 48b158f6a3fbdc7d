package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2sim"
)

// TestNothingIsRemovedWhileAPersonMustSolveSomething: the file names the application in another letter case, and API-M takes both for one.
func TestNothingIsRemovedWhileAPersonMustSolveSomething(t *testing.T) {
	s, folder, record := start(t, nil), t.TempDir(), owned.New()
	s.run("applications: [{name: Shop, keys: []}]", folder, record, false)
	s.amRequests.Reset()
	s.isRequests.Reset()
	report := s.run("applications: [{name: shop, keys: []}]", folder, record, true)
	s.noWrites("the name in another letter case")
	if len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Message, "takes both for one name") {
		t.Errorf("problems %v", report.Problems)
	}
	same(t, "kept", names(report.Kept), "application Shop")
}

// TestWithoutAnIdentityServerNothingOfItIsRemoved: the settings name no IS any more, and the file is the same.
func TestWithoutAnIdentityServerNothingOfItIsRemoved(t *testing.T) {
	s, folder, record := start(t, nil), t.TempDir(), owned.New()
	file := "applications: [{name: Shop}]"
	s.allMade(s.run(file, folder, record, false))
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	s.amRequests.Reset()
	s.isRequests.Reset()
	report := s.run(file, folder, record, true)
	same(t, "changes", lines(report), "create key production of key manager Resident Key Manager")
	same(t, "kept", names(report.Kept), "key production of key manager WSO2-IS", "key manager WSO2-IS")
	for _, r := range append(s.amRequests.List(), s.isRequests.List()...) {
		if r.Method == "DELETE" {
			t.Errorf("a removal: %s %s", r.Method, r.Path)
		}
	}
}

// TestASubscriptionIsKnownFromItsAnswer: the next run removes it, without a run that has seen it.
func TestASubscriptionIsKnownFromItsAnswer(t *testing.T) {
	s, folder, record := start(t, nil), t.TempDir(), owned.New()
	file := `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]
applications: [{name: Shop, keys: [], subscriptions: [%s]}]`
	report := s.run(fmt.Sprintf(file, "Orders"), folder, record, false)
	s.run(fmt.Sprintf(file, ""), folder, record, true)
	if list, err := s.clients().DevPortal.Subscriptions(t.Context(), report.IDs.Applications["Shop"]); err != nil || len(list) > 0 {
		t.Errorf("subscriptions %v, %v", list, err)
	}
}

func TestWhatNeedsAnotherObjectHoldsNoRemovalUp(t *testing.T) {
	all := outcomes{at: map[object]int{}}
	key, api := change(plan.Create, plan.KindKey, "k"), change(plan.Create, plan.KindAPI, "a")
	all.open([]plan.Change{key, api}, nil)
	all.note(api, nil)
	all.note(key, fmt.Errorf("key manager: %w", errNeeds))
	if all.lost() {
		t.Error("a key that its key manager kept up is lost")
	}
	all.note(key, byHand(errors.New("refused")))
	if !all.lost() {
		t.Error("a refused key is not lost")
	}
}

// TestARemovalOfWhatIsLeftIsNotDone: the next plan has a problem in place of the change.
func TestARemovalOfWhatIsLeftIsNotDone(t *testing.T) {
	all := outcomes{at: map[object]int{}}
	removal := change(plan.Delete, plan.KindAPI, "a")
	all.open([]plan.Change{removal}, nil)
	all.note(removal, again(errors.New("somebody has subscribed")))
	left := []plan.Left{{OwnedObject: plan.OwnedObject{Kind: plan.KindAPI, Name: "a"}}}
	if all.open(nil, left); all.list[0].Err == nil || all.first() != nil {
		t.Errorf("the removal has the error %v", all.list[0].Err)
	}
	all.note(removal, nil)
	if all.open(nil, left); all.list[0].Err != nil { // a list that is behind still has it
		t.Error("a removal that is done has an error")
	}
	all.note(removal, again(errors.New("no answer")))
	if all.open(nil, nil); all.list[0].Err != nil {
		t.Errorf("a removal whose answer is lost has the error %v", all.list[0].Err)
	}
}

// TestALaterRoundOfASavedPlanMakesNothingMore: somebody changes an API between two rounds.
func TestALaterRoundOfASavedPlanMakesNothingMore(t *testing.T) {
	s, folder := start(t, nil), t.TempDir()
	api := `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1", description: Planned}]` + "\n"
	s.apply(s.read(api, folder), Options{})
	want := s.read(api+"applications: [{name: Shop, keys: []}]", folder)
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/am/devportal/v3/applications", Status: 503, Count: 1})
	must(t, err)
	name, changed := plan.APIName{Name: "Orders", Version: "1"}, false
	report := s.apply(want, Options{
		Record: owned.New(), Check: func(plan.Wanted, []plan.Change) error { return nil },
		Save: func() error {
			if changed {
				return nil
			}
			changed = true
			object := s.have(want).APIs[name].Object
			object["description"] = "By hand"
			_, err := s.clients().Publisher.UpdateAPIObject(t.Context(), textOf(object, "id"), object)
			return err
		},
	})
	if got := textOf(s.have(want).APIs[name].Object, "description"); got != "By hand" || report.Failed() > 0 || report.IDs.Applications["Shop"] == "" {
		t.Errorf("the description is %q: %q", got, lines(report))
	}
}

// TestASecretGoesOutWithADefinition: both have changed, and a comparison with the server shows only the definition.
func TestASecretGoesOutWithADefinition(t *testing.T) {
	s, folder, record := start(t, nil), t.TempDir(), owned.New()
	file := `apis: [{name: Orders, version: "1", context: /orders, openapi: o.yaml, endpoints: {production: {url: "http://a:1", security: {type: BASIC, username: u, password: %s}}}}]`
	write := func(more string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(folder, "o.yaml"), []byte("openapi: 3.0.1\ninfo: {title: Orders, version: \"1\"}\npaths:\n  /a: {get: {responses: {200: {description: ok}}}}\n"+more), 0o600))
	}
	write("")
	s.run(fmt.Sprintf(file, "throwAway1"), folder, record, false)
	puts := func() (n int) {
		for _, r := range s.amRequests.List() {
			if r.Method == "PUT" && strings.HasPrefix(r.Path, "/api/am/publisher/v4/apis/") && strings.Count(r.Path, "/") == 6 {
				n++
			}
		}
		s.amRequests.Reset()
		return n
	}
	puts()
	time.Sleep(2 * time.Millisecond) // the times have whole milliseconds
	write("  /b: {get: {summary: more, responses: {200: {description: ok}}}}\n")
	s.run(fmt.Sprintf(file, "throwAway1"), folder, record, false)
	alone := puts()
	write("  /b: {get: {summary: another, responses: {200: {description: ok}}}}\n")
	s.run(fmt.Sprintf(file, "throwAway2"), folder, record, false)
	if both := puts(); both != alone+1 {
		t.Errorf("with a secret the API is saved %d times, without one %d times", both, alone)
	}
}
