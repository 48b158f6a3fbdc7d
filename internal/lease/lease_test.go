package lease

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(part string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), part)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

var quiet = slog.New(slog.DiscardHandler)

// mustAcquire fails the test unless the run gets the lease.
func mustAcquire(t *testing.T, p Portal, holder string, log *slog.Logger) (context.Context, func()) {
	t.Helper()
	held, release, _, err := Acquire(t.Context(), p, holder, log)
	if err != nil {
		t.Fatal(err)
	}
	return held, release
}

func TestOneRunWaitsForAnotherAndLogsForWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, j := newMemory(), &journal{}
		first, release := mustAcquire(t, m, "host a", quiet)
		if n := len(m.calls); n != 2 {
			t.Errorf("a free lease costs %d requests: %q", n, m.calls)
		}
		time.AfterFunc(10*time.Minute, func() {
			if first.Err() != nil {
				t.Errorf("the lease has ended under its holder: %v", context.Cause(first))
			}
			release()
			release() // does nothing
		})
		began := time.Now()
		second, releaseSecond := mustAcquire(t, m, "host b", j.logger())
		if took := time.Since(began); took < 10*time.Minute || took > 10*time.Minute+3*time.Second {
			t.Errorf("it has waited %s", took)
		}
		if first.Err() == nil || second.Err() != nil {
			t.Errorf("first %v, second %v", first.Err(), second.Err())
		}
		if j.count("waiting for another run") != 1 || j.count(`holder="host a"`) != 1 {
			t.Errorf("log: %s", &j.text)
		}
		releaseSecond()
		if m.did("create") != 2 || m.did("delete") != 2 || len(m.apps) != 0 {
			t.Errorf("calls: %q", m.calls)
		}
	})
}

func TestTheLeaseOfAKilledHolderExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, j := newMemory(), &journal{}
		ctx, kill := context.WithCancel(t.Context())
		if _, _, _, err := Acquire(ctx, m, "host a", quiet); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // renewed after 20 s
		kill()
		began := time.Now()
		_, release := mustAcquire(t, m, "host b", j.logger())
		if took := time.Since(began); took < 50*time.Second || took > 63*time.Second {
			t.Errorf("it has waited %s", took)
		}
		if j.count("taking over") != 1 {
			t.Errorf("log: %s", &j.text)
		}
		release()
	})
}

// TestALongDeadLeaseIsTakenOverAtOnce: a run after a killed one of yesterday does not wait for it.
func TestALongDeadLeaseIsTakenOverAtOnce(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		wait bool
	}{{6 * time.Minute, false}, {4 * time.Minute, true}, {-time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			m.put(Application, fmt.Sprintf(`{"holder":"host a","expires":%q,"run":"X"}`, time.Now().Add(-c.ago).Format(time.RFC3339)))
			began := time.Now()
			_, release := mustAcquire(t, m, "host b", quiet)
			if took := time.Since(began); took > 0 != c.wait || took > 63*time.Second {
				t.Errorf("%s past its end: it has waited %s", c.ago, took)
			}
			release()
		})
	}
}

func TestAHolderLearnsThatItsLeaseIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		held, release := mustAcquire(t, m, "host a", quiet)
		if err := m.DeleteApplication(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-held.Done()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it has learned it after %s", took)
		}
		err := context.Cause(held)
		if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "somebody has deleted application wso2agent-lease") {
			t.Errorf("cause = %v", err)
		}
		release()
	})
}

func TestAHolderWithoutAnswersStopsBeforeAnotherRunBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, j := newMemory(), &journal{}
		l := newLine(m)
		held, release := mustAcquire(t, l, "host a", j.logger())
		time.Sleep(50 * time.Second) // renewed after 20 s and 40 s
		l.breakDown(true)
		began := time.Now()
		<-held.Done()
		if took := time.Since(began); took != 50*time.Second {
			t.Errorf("it has worked for %s without an answer, 60 s after its last renewal", took)
		}
		if err := context.Cause(held); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "no renewal for 1m0s") {
			t.Errorf("cause = %v", err)
		}
		if n := j.count("cannot renew the lease"); n < 5 {
			t.Errorf("%d warnings: %s", n, &j.text)
		}
		release()
		if j.count("cannot release the lease") != 1 {
			t.Errorf("log: %s", &j.text)
		}
	})
}

// TestTheLifeOfALeaseCountsFromItsRequest: the next run can see the lease before its holder has the answer.
func TestTheLifeOfALeaseCountsFromItsRequest(t *testing.T) {
	for _, c := range []struct {
		name       string
		cut, until time.Duration // since the first request
	}{{"of the creation", 20 * time.Second, 69 * time.Second}, {"of a renewal", 50 * time.Second, 98 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(newMemory())
			l.after = func() time.Duration { return 9 * time.Second } // the creation is sent after 9 s, the renewal after 38 s
			began := time.Now()
			held, release := mustAcquire(t, l, "host a", quiet)
			time.Sleep(c.cut - time.Since(began))
			l.breakDown(true)
			<-held.Done()
			if took := time.Since(began); took != c.until {
				t.Errorf("%s: the lease has ended after %s, want %s", c.name, took, c.until)
			}
			release()
			time.Sleep(time.Minute)
		})
	}
}

func TestAShortOutageEndsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(newMemory())
		held, release := mustAcquire(t, l, "host a", quiet)
		for range 5 {
			l.breakDown(true)
			time.Sleep(30 * time.Second)
			l.breakDown(false)
			time.Sleep(15 * time.Second)
		}
		if held.Err() != nil {
			t.Errorf("the lease has ended: %v", context.Cause(held))
		}
		release()
	})
}

// TestALostAnswerToTheCreationCostsNoWait: the run finds its own lease.
func TestALostAnswerToTheCreationCostsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := newLine(m)
		calls := 0
		l.after = func() time.Duration {
			if calls++; calls == 2 {
				l.lost = 1
			} else {
				l.lost = 0
			}
			return 0
		}
		began := time.Now()
		held, release := mustAcquire(t, l, "host a", quiet)
		if took := time.Since(began); took > 6*time.Second || m.did("create") != 1 {
			t.Errorf("after %s, calls: %q", took, m.calls)
		}
		time.Sleep(5 * time.Minute)
		if held.Err() != nil || m.did("update") == 0 {
			t.Errorf("%v, calls: %q", context.Cause(held), m.calls)
		}
		release()
	})
}

// TestAnOwnLeaseThatCameTooLateIsReplaced: the server has made it after its life was over.
func TestAnOwnLeaseThatCameTooLateIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := newLine(m)
		calls := 0
		l.before = func() time.Duration {
			if calls++; calls == 2 {
				return 61 * time.Second
			}
			return 0
		}
		_, release := mustAcquire(t, l, "host a", quiet)
		if got := strings.Join(m.calls, ", "); got != "list , create 1, list , delete 1, create 2" {
			t.Errorf("calls: %s", got)
		}
		release()
	})
}

func TestAnApplicationThatIsNoLeaseStays(t *testing.T) {
	for _, description := range []string{"", "mine", `{"holder":"host a"}`, `{"expires":7}`} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			m.put("WSO2agent-Lease", description)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_, _, _, err := Acquire(ctx, m, "host b", quiet)
			if err == nil || m.did("create")+m.did("update")+m.did("delete") > 0 {
				t.Fatalf("%q: error %v, calls %q", description, err, m.calls)
			}
			if _, remedies := remedy.Split(err); len(remedies) != 1 || !strings.Contains(err.Error(), "WSO2agent-Lease") {
				t.Errorf("%q: %v", description, err)
			}
		})
	}
}

func TestApplicationsOfOtherNamesDoNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.put("my-"+Application, "mine")
		m.put(Application+"-2", `{"holder":"host b","run":"X"}`)
		began := time.Now()
		_, release := mustAcquire(t, m, "host a", quiet)
		release()
		if time.Since(began) > 0 || len(m.apps) != 2 {
			t.Errorf("after %s: %v", time.Since(began), m.apps)
		}
	})
}

// TestAServerThatIsDownIsAskedLessOften: it may take minutes to start.
func TestAServerThatIsDownIsAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := newLine(newMemory()), &journal{}
		l.breakDown(true)
		time.AfterFunc(10*time.Minute, func() { l.breakDown(false) })
		began := time.Now()
		_, release := mustAcquire(t, l, "host a", j.logger())
		if took, tries := time.Since(began), j.count("cannot acquire the lease"); took > 11*time.Minute || tries < 10 || tries > 45 {
			t.Errorf("%d tries in %s", tries, took)
		}
		release()
	})
}

// refusing refuses every creation.
type refusing struct{ *memory }

func (refusing) CreateApplicationObject(context.Context, map[string]any) (wso2.Object, error) {
	return wso2.Object{}, answer(http.StatusForbidden)
}

func TestARefusedCreationIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		_, _, _, err := Acquire(ctx, refusing{newMemory()}, "host a", quiet)
		if !wso2.HasStatus(err, http.StatusForbidden) || !strings.HasPrefix(err.Error(), "acquire the lease on API-M, application wso2agent-lease: ") || time.Since(began) > 0 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestWhatEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		_, release := mustAcquire(t, m, "host a", quiet)
		defer release()
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("BOOTSTRAP_TIMEOUT has passed"))
		defer cancel()
		_, _, _, err := Acquire(ctx, m, "host b", quiet)
		if err == nil || !strings.Contains(err.Error(), "host a") || !strings.Contains(err.Error(), "BOOTSTRAP_TIMEOUT has passed") {
			t.Errorf("error = %v", err)
		}
		if m.did("delete") != 0 {
			t.Errorf("calls: %q", m.calls)
		}
	})
}

func TestTheReleaseComesThroughAfterTheEndOfTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		ctx, cancel := context.WithCancel(t.Context())
		held, release, _, err := Acquire(ctx, m, "host a", quiet)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-held.Done()
		release()
		if len(m.apps) != 0 {
			t.Errorf("the lease is left: %v", m.apps)
		}
		time.Sleep(time.Hour)
		if m.did("update") != 0 {
			t.Errorf("it renews a lease that it has released: %q", m.calls)
		}
	})
}

func TestTheDescriptionFitsWhateverTheHoldersName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, holder := range []string{"", "host a", strings.Repeat("<", 500), strings.Repeat("\u4e16", 500)} {
			m := newMemory()
			_, release := mustAcquire(t, m, holder, quiet)
			for _, app := range m.apps {
				var r record
				if err := json.Unmarshal([]byte(app.Description), &r); err != nil || len(app.Description) > 512 || !strings.HasPrefix(holder, r.Holder) {
					t.Errorf("%d bytes: %s, %v", len(app.Description), app.Description, err)
				}
			}
			release()
		}
	})
}
