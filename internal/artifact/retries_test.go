package artifact

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

func TestTheWaitsBetweenRetriesGrowAndEachReasonIsLoggedOnce(t *testing.T) {
	var log testenv.Buffer
	r := Retries{First: 20 * time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil))}
	lacks := func(reason string) []Outcome {
		return []Outcome{{Artifact: Artifact{Destination: "lib/a.jar"}, State: Failed, Err: errors.New(reason)}}
	}
	steps := []struct {
		name   string
		failed []Outcome
		err    error
		wait   time.Duration
		lines  int // so far
	}{
		{"the first failure", lacks("no route"), nil, 20 * time.Minute, 2},
		{"the same reason", lacks("no route"), nil, 40 * time.Minute, 2},
		{"another reason", lacks("no host"), nil, time.Hour, 4},
		{"a call that fails itself", nil, errors.New("no list"), time.Hour, 5},
		{"which does so again", nil, errors.New("no list"), time.Hour, 5},
		{"nothing is missing", nil, nil, 0, 5},
	}
	for _, s := range steps {
		if wait := r.After(s.failed, s.err); wait != s.wait {
			t.Errorf("%s: wait %s, want %s", s.name, wait, s.wait)
		}
		if n := strings.Count(log.String(), "\n"); n != s.lines {
			t.Errorf("%s: %d lines, want %d:\n%s", s.name, n, s.lines, log.String())
		}
	}
}
