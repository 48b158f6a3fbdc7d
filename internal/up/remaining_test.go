package up

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestOnlyWarningsWithARemedyRemain(t *testing.T) {
	var out bytes.Buffer
	w := NewWarnings(slog.NewTextHandler(&out, nil))
	log := slog.New(w).With("run", "1").WithGroup("")
	log.Warn("not yet, trying again", "error", "no answer")
	log.Info("check", "check", "token", "verdict", "pass", "remedy", "of a pass")
	log.Warn("check", "check", "API", "verdict", "fail", "evidence", "HTTP 500", "remedy", "look at the backend")
	log.Warn("check", "check", "name", "verdict", "fail", "evidence", "localhost", "remedy", "make a certificate")
	log.Info("check", "check", "API", "verdict", "pass", "evidence", "HTTP 200")
	log.Warn("everything works, but no name", "remedy", "make a certificate")
	log.Warn("IS is open", "error", errors.New("SCIM 1.1"), "remedy", "close it")
	want := []Remaining{{"name: localhost", "make a certificate"}, {"IS is open: SCIM 1.1", "close it"}}
	if got := w.Remaining(); !slices.Equal(got, want) {
		t.Errorf("remaining: %q", got)
	}
	if lines := strings.Count(out.String(), "run=1"); lines != 7 {
		t.Errorf("the log has %d of 7 lines\n%s", lines, &out)
	}
}

func TestAWarningThatTheLogLeavesOutRemains(t *testing.T) {
	var out bytes.Buffer
	w := NewWarnings(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
	slog.New(w).Warn("IS is open", "remedy", "close it")
	if got := w.Remaining(); len(got) != 1 || out.Len() > 0 {
		t.Errorf("remaining %q, log %q", got, &out)
	}
}
