package bootstrap

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

func TestWhenAnAttemptIsDueAgain(t *testing.T) {
	const pause = time.Minute
	reachedWith := Input{{"the file", "1", false}, {"the certificate of wso2is", "1", true}}
	own := Input{{"the file", "2", false}, {"the certificate of wso2is", "1", true}}
	peers := Input{{"the file", "1", false}, {"the certificate of wso2is", "2", true}}
	both := Input{{"the file", "2", false}, {"the certificate of wso2is", "2", true}}
	tests := []struct {
		name    string
		now     Input
		failed  bool // and is worth another try after an hour
		after   time.Duration
		stands  bool
		because string
	}{
		{"a success stands for ever", reachedWith, false, 1000 * time.Hour, true, ""},
		{"a failure stands for its time", reachedWith, true, time.Minute, true, ""},
		{"and no longer", reachedWith, true, time.Hour, false, ""},
		{"what is one's own counts at once", own, false, 0, false, "the file"},
		{"after a failure too", own, true, 0, false, "the file"},
		{"what a peer changes counts later", peers, false, pause - 1, true, ""},
		{"but it counts", peers, false, pause, false, "the certificate of wso2is"},
		{"after a failure too", peers, true, pause, false, "the certificate of wso2is"},
		{"both are named", both, false, 0, false, "the file, the certificate of wso2is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			o := Outcome{Input: reachedWith, At: at}
			if tt.failed {
				o.Err, o.Until = ErrPermanent, at.Add(time.Hour)
			}
			stands, because := o.Stands(tt.now, at.Add(tt.after), pause)
			if got := strings.Join(because, ", "); stands != tt.stands || got != tt.because {
				t.Errorf("stands %v because of %q", stands, got)
			}
		})
	}
	if stands, because := (Outcome{}).Stands(reachedWith, time.Now(), pause); stands || because != nil {
		t.Error("nothing stands before the first attempt")
	}
}

// TestAnApprovalIsNoticedSoonerThanAPersonsChange, because the agent sees no sign of it.
func TestAnApprovalIsNoticedSoonerThanAPersonsChange(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for err, longest := range map[error]time.Duration{ErrPermanent: time.Hour, fmt.Errorf("%w: %w", ErrPermanent, ErrApproval): time.Minute} {
		a := NewAttempts(slog.New(slog.DiscardHandler), time.Minute)
		a.Ended(Input{}, err, at)
		if wait, ok := a.Wait(at); !ok || wait > longest || wait < longest/4 {
			t.Errorf("after %q: %s", err, wait)
		}
	}
}

func TestFailedAttemptsBecomeRare(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := NewAttempts(slog.New(slog.DiscardHandler), time.Minute)
	if made, err := a.Reached(); made || err != nil {
		t.Errorf("before the first attempt: %v, %v", made, err)
	}
	in := Input{{"the file", "1", false}}
	waitAfter := func(err error) time.Duration {
		a.Ended(in, err, at)
		wait, ok := a.Wait(at)
		if _, got := a.Reached(); ok != (err != nil) || got != err {
			t.Errorf("after %v: wait %v, error %v", err, ok, got)
		}
		if a.Due(in, at.Add(wait-1)) || err != nil && !a.Due(in, at.Add(wait)) {
			t.Errorf("after %v an attempt is not due after exactly %s", err, wait)
		}
		return wait
	}
	passing := errors.New("connection refused")
	last := time.Duration(0)
	for n := range 10 {
		if last = waitAfter(passing); n == 0 && (last < firstAttempt/2 || last > 2*firstAttempt) || last > 2*lastAttempt {
			t.Errorf("attempt %d is followed by a wait of %s", n, last)
		}
	}
	if last < lastAttempt/2 {
		t.Errorf("the last wait is %s", last)
	}
	if wait := waitAfter(fmt.Errorf("%w: a wrong password", ErrPermanent)); wait != permanentAttempt {
		t.Errorf("after a permanent error the wait is %s", wait)
	}
	waitAfter(nil)
	if wait := waitAfter(passing); wait > 2*firstAttempt {
		t.Errorf("after a success the wait is %s", wait)
	}
	waitAfter(nil)
	if a.Lost(); !a.Due(in, at) {
		t.Error("no attempt is due after the servers have lost something")
	}
}

// The loop calls Unreadable at every look at the servers, far more often than an attempt is due.
func TestUnreadableSettingsAreLoggedOnceUntilTheNextAttempt(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var log testenv.Buffer
	a := NewAttempts(slog.New(slog.NewTextHandler(&log, nil)), time.Minute)
	for _, step := range []struct {
		name, err string
		after     time.Duration
		lines     int // so far
	}{
		{"the first time", "AM_ADMIN_PASS_FILE", 0, 1},
		{"the same error, too early", "AM_ADMIN_PASS_FILE", time.Second, 1},
		{"another error", "IS_ADMIN_PASS_FILE", 2 * time.Second, 2},
		{"the same error, in time", "IS_ADMIN_PASS_FILE", time.Hour, 3},
	} {
		a.Unreadable(errors.New(step.err), at.Add(step.after))
		if n := strings.Count(log.String(), "the desired state is not reached"); n != step.lines {
			t.Errorf("%s: %d lines, want %d", step.name, n, step.lines)
		}
		if made, err := a.Reached(); !made || err == nil || err.Error() != step.err {
			t.Errorf("%s: %v, %v", step.name, made, err)
		}
	}
}
