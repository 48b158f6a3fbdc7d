package bootstrap

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
)

// neverStarted is a server of which nobody knows a start.
type neverStarted struct{}

func (neverStarted) Started(context.Context) (s notify.Started, ok bool, err error) {
	return s, false, nil
}

// TestTheDesiredStateIsCurrentOnlyWhileNothingHasChanged: otherwise an attempt is due, and no comparison.
func TestTheDesiredStateIsCurrentOnlyWhileNothingHasChanged(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Config{Bootstrap: config.Bootstrap{File: filepath.Join(dir, "api.yaml"), KeysFile: filepath.Join(dir, "keys.json"), Look: time.Hour},
		Trust: config.Trust{ExchangeDir: dir}}
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(cfg.Bootstrap.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	k := &Keeper{Log: log, Server: neverStarted{}}
	is := func(when string, want bool) {
		t.Helper()
		if _, is := k.Reached(t.Context(), cfg); is != want {
			t.Errorf("%s, it is current: %t", when, !want)
		}
	}
	configure("a")
	is("before the first turn", false)
	k.attempts = NewAttempts(log, time.Hour)
	is("before the first attempt", false)
	k.attempts.Ended(k.Input(t.Context(), cfg), errors.New("no answer"), time.Now())
	is("after a failure", false)
	ended := time.Now()
	k.attempts.Ended(k.Input(t.Context(), cfg), nil, ended)
	is("after an attempt", true)
	if at, _ := k.Reached(t.Context(), cfg); !at.Equal(ended) {
		t.Errorf("the desired state is reached at %s, not at the end of the attempt, %s", at, ended)
	}
	configure("b")
	is("after a change of the file", false)
	configure("a")
	is("with the former file", true)
	k.looks.seen = Sight{AM: errors.New("no answer")}
	is("while API-M does not answer", false)
	k.looks.seen = Sight{}
	k.attempts.Lost()
	is("after a loss", false)
}
