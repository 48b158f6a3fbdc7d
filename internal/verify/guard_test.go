package verify

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/trust"
)

func TestISIsExaminedAfterEachStartAndOtherwiseRarely(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first, second := at.Add(-time.Hour), at.Add(time.Minute)
	var e Examination
	due := func(what string, after time.Duration, start time.Time, want bool) {
		t.Helper()
		if got := e.Due(at.Add(after), start); got != want {
			t.Errorf("%s: due is %v, want %v", what, got, want)
		}
	}
	due("IS answers for the first time", 0, first, true)
	e.Found(at, Judgement{}, errors.New("IS refuses the administrator"))
	due("nothing was found out, too early", 30*time.Second-1, first, false)
	due("nothing was found out", 30*time.Second, first, true)
	e.Found(at, Judgement{Openness: Pending}, nil)
	due("a restart is pending", 30*time.Second, first, true)
	e.Found(at, Judgement{Openness: Open}, nil)
	due("IS is open, too early", time.Hour-1, first, false)
	due("IS is open", time.Hour, first, true)
	e.Found(at, Judgement{}, nil)
	due("IS is closed", time.Minute, first, false)
	due("IS has restarted", time.Minute, second, true)
	e.Found(at.Add(time.Minute), Judgement{}, nil)
	due("nothing has changed", 2*time.Minute, second, false)
	e.Away()
	due("IS was away", 2*time.Minute, second, true)
}

func TestAfterHalfAMinuteOfSilenceNobodyAuthorizesApplications(t *testing.T) {
	cfg := config.Config{Trust: config.Trust{ExchangeDir: t.TempDir(), Peers: []string{"wso2is"}}, Server: config.Server{Product: config.AM, Name: "wso2am"}}
	is := trust.Exchange{Dir: cfg.Trust.ExchangeDir, Name: "wso2is"}
	synctest.Test(t, func(t *testing.T) {
		g := Guard{Log: slog.New(slog.DiscardHandler)}
		find := func(what string, want string) {
			t.Helper()
			got := "not known"
			if f := g.authorizer(context.Background(), cfg); f != nil {
				if got = f.Message; f.OK != strings.HasPrefix(got, "the agent") {
					t.Errorf("%s: OK is %v", what, f.OK)
				}
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		find("at first", "not known")
		time.Sleep(defaultSilence - 1)
		find("after almost half a minute", "not known")
		time.Sleep(time.Nanosecond)
		find("after half a minute", "nobody authorizes")
		if _, err := is.SayClosing(trust.Closing{}); err != nil {
			t.Fatal(err)
		}
		find("after a statement", "the agent next to IS")
		if err := os.Remove(filepath.Join(cfg.Trust.ExchangeDir, "wso2is", "closing.json")); err != nil {
			t.Fatal(err)
		}
		find("after the statement is gone", "not known")
		time.Sleep(defaultSilence)
		find("half a minute later", "nobody authorizes")
	})
}
