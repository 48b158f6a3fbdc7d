package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2sim"
)

// TestARunReportsItsSteps: one creation fails once.
func TestARunReportsItsSteps(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: http.MethodPost, Path: "/api/am/devportal/v3/applications", Status: 503, Count: 1})
	must(t, err)
	var got []string
	var text bytes.Buffer
	lines := Lines(&text)
	report := s.apply(s.read(few+"applications: [{name: Shop, keys: []}]\n", folder), Options{Run: "id", Tell: func(e Event) {
		line := fmt.Sprintf("%d %s %s %d+%d/%d", e.Round, e.Step, e.Level, e.Done, e.Failed, e.Total)
		if e.Change.Kind != "" {
			line += " " + e.Change.Title()
		}
		if (e.Err != nil) != (e.Step == Failed || e.Step == Again) || (e.Wait > 0) != (e.Step == Again) || e.Time.IsZero() {
			t.Errorf("the event is %+v", e)
		}
		got = append(got, line)
		lines(e)
	}})
	want := []string{
		"1 begin scopes and certificates 0+0/2", "1 done scopes and certificates 1+0/2 ", "1 done scopes and certificates 2+0/2 ", "1 end scopes and certificates 2+0/2",
		"1 begin APIs 0+0/2", "1 done APIs 1+0/2 API Orders 1", "1 done APIs 2+0/2 API Orders 2", "1 end APIs 2+0/2",
		"1 begin documents and users 0+0/1", "1 done documents and users 1+0/1 document Guide (API Orders 1)", "1 end documents and users 1+0/1",
		"1 begin applications 0+0/1", "1 failed applications 0+1/1 application Shop", "1 end applications 0+1/1", "1 retry  0+1/0",
		"2 begin applications 0+0/1", "2 done applications 1+0/1 application Shop", "2 end applications 1+0/1",
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) { // which of two scopes or certificates is done first is open
		t.Fatalf("the events are\n%s\nand should be\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if report.Failed() > 0 || report.Run != "id" {
		t.Errorf("run %q, %d failed", report.Run, report.Failed())
	}
	all := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if len(all) != len(want) {
		t.Errorf("%d lines for %d events", len(all), len(want))
	}
	for i, line := range all {
		var e struct {
			Time                     time.Time
			Run, Event, Level, Error string
			Done, Total              int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Run != "id" || e.Time.IsZero() || e.Event != strings.Fields(want[i])[1] {
			t.Errorf("line %d is %s: %v", i, line, err)
		}
	}
	if !strings.Contains(all[12], `"event":"failed","round":1,"level":"applications","action":"create","kind":"application","name":"Shop","error":"`) {
		t.Errorf("a failure is %s", all[12])
	}
}

func TestALogHasFewLinesAboutFurtherRounds(t *testing.T) {
	var text bytes.Buffer
	tell, begin := InLog(slog.New(slog.NewTextHandler(&text, nil))), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	api := change(plan.Create, plan.KindAPI, "Orders 1")
	for i := range 121 { // a round every second
		at := begin.Add(time.Duration(i) * time.Second)
		tell(Event{Step: Begin, Time: at, Level: "APIs"})
		tell(Event{Step: Failed, Time: at, Change: api, Err: errors.New("busy")})
		tell(Event{Step: Again, Time: at, Round: i + 1, Failed: 1, Wait: time.Second, Err: errors.New("busy")})
	}
	key := change(plan.Update, plan.KindKey, "production")
	key.Of = "application Shop"
	tell(Event{Step: Made, Change: key})
	tell(Event{Step: Failed, Change: key, Err: missing(plan.KindAPI, "Orders 1")})
	tell(Event{Step: Failed, Change: api, Err: byHand(errors.New("refused"))})
	var got []string
	for line := range strings.Lines(text.String()) {
		_, after, _ := strings.Cut(strings.TrimSpace(line), " level=")
		got = append(got, after)
	}
	want := []string{
		`WARN msg="not yet, trying again" wait=1s round=1 failed=1 error=busy`, `WARN msg="not yet, trying again" wait=1s round=61 failed=1 error=busy`,
		`WARN msg="not yet, trying again" wait=1s round=121 failed=1 error=busy`, `INFO msg=updated kind=key name=production of="application Shop"`,
		`ERROR msg="failed to create" kind=API name="Orders 1" error=refused`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log is\n%s\nand should be\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestATerminalHasOneLineForEachLevel(t *testing.T) {
	var text bytes.Buffer
	live, begin := NewLive(&text), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tell := func(step Step, seconds, done, failed, total int) {
		e := Event{Step: step, Time: begin.Add(time.Duration(seconds) * time.Second), Level: "APIs", Done: done, Failed: failed, Total: total}
		if step == Again {
			e.Wait, e.Err = 4*time.Second, remedy.Add(errors.New("no answer\x1b[2J "+strings.Repeat("é", 80)), "check that")
		}
		live.Tell(e)
	}
	write := func(line string) {
		if n, err := fmt.Fprintln(live, line); err != nil || n != len(line)+1 {
			t.Errorf("wrote %d bytes: %v", n, err)
		}
	}
	write("before")
	tell(Begin, 0, 0, 0, 500)
	tell(Made, 10, 99, 0, 500)
	tell(Failed, 10, 99, 1, 500)
	write("a warning")
	tell(Made, 41, 499, 1, 500)
	tell(End, 41, 499, 1, 500)
	write("between")
	tell(Again, 41, 0, 1, 0)
	live.Close()
	live.Close()
	erase := "\r\x1b[K"
	want := "before\n" + erase + "APIs: 0 of 500" + erase + "APIs: 99 of 500, about 41s left" + erase + "APIs: 99 of 500, 1 failed, about 40s left" +
		erase + "a warning\nAPIs: 99 of 500, 1 failed, about 40s left" + erase + "APIs: 499 of 500, 1 failed" + erase + "APIs: 499 of 500, 1 failed, 41s in total\nbetween\n" +
		erase + `trying again in 4s, 1 failed: no answer\x1b[2J ` + strings.Repeat("é", 79-len(`trying again in 4s, 1 failed: no answer\x1b[2J `)) + erase
	if got := text.String(); got != want {
		t.Errorf("the terminal gets\n%q\nand should get\n%q", got, want)
	}
}
