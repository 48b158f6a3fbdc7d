package agent

import (
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/history"
	"wso2agent/internal/trust"
	"wso2agent/internal/undo"
)

func TestWhatWasUndoneIsNotImportedAgainUntilItsOwnerPublishesAnother(t *testing.T) {
	p, _, am := bothRunning(t)
	cfg := p.agent(config.AM).cfg
	events, err := p.agent(config.AM).trail().Read()
	if err != nil {
		t.Fatal(err)
	}
	first, before := p.published("wso2is")[0], events[len(events)-1].Number
	next := p.another("wso2is")
	p.publishes("wso2is", next)
	am.once()
	if !p.trusts(config.AM, next) || p.trusts(config.AM, first) || !am.restart() {
		t.Fatal("the peer's new certificate is not imported")
	}
	plan, err := undo.Read(t.Context(), cfg, before)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Do(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if p.trusts(config.AM, next) || !p.trusts(config.AM, first) {
		t.Fatal("the former certificate is not back")
	}
	am.once()
	if !am.restart() {
		t.Error("the server does not restart for the undo")
	}
	for range 3 {
		am.once()
		if p.trusts(config.AM, next) || am.restart() {
			t.Fatal("the certificate is imported again, or the server restarted for it")
		}
	}
	if c := am.imports(); c.OK || !strings.Contains(c.Message, "a person has undone what was imported of wso2is") {
		t.Errorf("condition %+v", c)
	}
	if told := p.lines("a person has undone what was imported of wso2is", trust.UndonePath(p.agent(config.AM).control().Dir)); len(told) != 1 {
		t.Errorf("told %d times: %q", len(told), told)
	}
	third := p.another("wso2is")
	p.publishes("wso2is", third)
	am.once()
	if !p.trusts(config.AM, third) || p.trusts(config.AM, first) || !am.restart() || !am.imports().OK {
		t.Error("the peer's next certificate is not imported")
	}
	events, err = p.agent(config.AM).trail().Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.What == history.Undone && e.Alias == "wso2is" && e.Fingerprint == first.Fingerprint().String() && e.Was == next.Fingerprint().String() {
			return
		}
	}
	t.Errorf("no event says what was undone: %+v", events)
}

func TestAnUndoThatIsNotWhatAPersonHasSeenChangesNothing(t *testing.T) {
	p, _, am := bothRunning(t)
	first, next := p.published("wso2is")[0], p.another("wso2is")
	p.publishes("wso2is", next, first)
	am.once()
	plan, err := undo.Read(t.Context(), p.agent(config.AM).cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.publishes("wso2is", next)
	if err := plan.Do(t.Context(), nil); err == nil || !p.trusts(config.AM, next) {
		t.Errorf("after another publication: %v", err)
	}
	if records, err := trust.LoadUndone(p.agent(config.AM).control().Dir); err != nil || len(records) > 0 {
		t.Errorf("remembered: %v, %v", records, err)
	}
}
