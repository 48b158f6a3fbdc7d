package scopes

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2"
)

func TestHowLongRefusedApplicationsDelayTheUpgrade(t *testing.T) {
	const patience = 10 * time.Minute
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failing := Report{Applications: 2, Failures: []Failure{{Err: errors.New("not this one")}}}
	all := Report{Applications: 1, Failures: failing.Failures}
	long := now.Add(-2 * patience)
	tests := []struct {
		name   string
		waits  bool
		report Report
		err    error
		since  time.Time
		want   bool
		logs   string
	}{
		{"all are authorized", true, Report{Applications: 2}, nil, time.Time{}, true, ""},
		{"one cannot be, at first", true, failing, nil, time.Time{}, false, ""},
		{"one cannot be, for almost as long as it may", true, failing, nil, now.Add(1 - patience), false, ""},
		{"one cannot be, for long", true, failing, nil, long, true, "removing authorize_all_scopes although"},
		{"none can be, for long", true, all, nil, long, false, "any API subscriber can administer IS"},
		{"IS does not answer, for long", true, Report{}, errors.New("no answer"), long, false, "any API subscriber can administer IS"},
		{"nothing waits", false, failing, nil, long, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log testenv.Buffer
			w := Watch{Keeper: Keeper{Log: slog.New(slog.NewTextHandler(&log, nil))}, last: tt.report, upgrade: upgrade{since: tt.since}}
			for range 2 {
				if got := w.mayClose(tt.waits, patience, now, tt.err); got != tt.want {
					t.Errorf("%v, want %v", got, tt.want)
				}
			}
			if text := log.String(); tt.logs == "" && text != "" || strings.Count(text, tt.logs) != 1 && tt.logs != "" {
				t.Errorf("log: %s", text)
			}
		})
	}
}

func TestEachKindOfTroubleIsLoggedOnce(t *testing.T) {
	failing := Report{Failures: []Failure{{Err: errors.New("not this one")}}}
	for name, c := range map[string]struct {
		report Report
		err    error
		want   trouble
	}{
		"none":                                {Report{}, nil, none},
		"no answer":                           {Report{}, errors.New("connection refused"), unreachable},
		"a password that is not tried again":  {Report{}, fmt.Errorf("poll: %w", wso2.ErrHeldBack), refused},
		"an application that IS refuses":      {failing, failing.Err(), partly},
		"a client of SCOPES_CLIENTS is wrong": {Report{Missing: []string{"x"}}, errors.New("IS has no client x"), partly},
	} {
		if got := troubleOf(c.report, c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	var log testenv.Buffer
	w := Watch{Keeper: Keeper{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	for _, err := range []error{nil, errors.New("a"), errors.New("b"), nil, nil} {
		w.Report(err)
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || strings.Count(text, "level=WARN") != 1 || strings.Count(text, "in IS again") != 1 {
		t.Errorf("log: %s", text)
	}
}

func TestWhichAgentAuthorizesApplications(t *testing.T) {
	for name, c := range map[string]struct {
		product, at, scopes string
		closes, may, now    bool
		says                string
	}{
		"next to IS":                                   {config.IS, config.IS, "authorize", false, true, true, "applications authorized: 0"},
		"next to IS, which leaves it to API-M's":       {config.IS, config.AM, "authorize", false, true, false, "SCOPES_AT"},
		"so too, until authorize_all_scopes is off":    {config.IS, config.AM, "authorize", true, true, true, "applications authorized: 0"},
		"next to API-M, which leaves it to IS's":       {config.AM, config.IS, "authorize", false, false, false, "SCOPES_AT"},
		"next to API-M":                                {config.AM, config.AM, "authorize", false, true, true, "applications authorized: 0"},
		"nobody, because every client gets all scopes": {config.IS, config.IS, "all", true, true, false, "SCOPES is all"},
	} {
		cfg := config.Config{Server: config.Server{Product: c.product}, Scopes: config.Scopes{At: c.at, Mode: c.scopes}}
		if may, now := May(cfg), Authorizes(cfg, c.closes); may != c.may || now != c.now {
			t.Errorf("%s: may %v, now %v", name, may, now)
		}
		if ok, says := new(Watch).State(cfg, c.closes, nil); !ok || !strings.Contains(says, c.says) {
			t.Errorf("%s: %v, %s", name, ok, says)
		}
		if ok, says := new(Watch).State(cfg, c.closes, errors.New("IS does not answer")); ok || says != "IS does not answer" {
			t.Errorf("%s, after a failure: %v, %s", name, ok, says)
		}
	}
}
