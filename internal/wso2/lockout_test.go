package wso2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// refusing answers in memory, so that five minutes pass at once, and counts.
type refusing struct {
	mu     sync.Mutex
	asked  int
	answer func(password string) (status int, body string)
}

func (r *refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked++
	r.mu.Unlock()
	_, password, _ := req.BasicAuth()
	status, body := r.answer(password)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
}

func TestAWrongPasswordIsTriedTwiceAndThenEveryFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &refusing{answer: func(password string) (int, string) {
			if password == "right" {
				return 200, `{"apiResources":[]}`
			}
			return 401, `{"code":401}`
		}}
		var lockout Lockout
		ask := func(password Secret) error {
			hc := &http.Client{Transport: server}
			_, err := NewAuthorization(hc, "https://is.example", Credentials{User: "admin", Password: password, Source: "IS_ADMIN_PASS", Lockout: &lockout}).FindResource(t.Context(), "x")
			return err
		}
		for range 10 {
			if err := ask("wrong"); err == nil || !IsPermanent(err) || !strings.Contains(err.Error(), "IS_ADMIN_PASS") {
				t.Fatalf("error = %v", err)
			}
		}
		if server.asked != 2 {
			t.Errorf("%d requests with a wrong password, want 2", server.asked)
		}
		if err := ask("wrong"); !errors.Is(err, ErrHeldBack) {
			t.Errorf("error = %v", err)
		}
		time.Sleep(5*time.Minute - time.Second)
		if err := ask("wrong"); !errors.Is(err, ErrHeldBack) || server.asked != 2 {
			t.Errorf("asked again too early: %v", err)
		}
		time.Sleep(time.Second)
		for range 5 {
			_ = ask("wrong")
		}
		if server.asked != 3 {
			t.Errorf("%d requests after five minutes, want 3", server.asked)
		}
		if err := ask("right"); err != nil || server.asked != 4 {
			t.Errorf("another password does not count at once: %v", err)
		}
		_ = ask("wrong")
		if err := ask("wrong"); errors.Is(err, ErrHeldBack) {
			t.Errorf("another password does not start a new count: %v", err)
		}
	})
}

func TestManyRequestsAtOnceTryAWrongPasswordTwice(t *testing.T) {
	var asked atomic.Int64
	server := &refusing{answer: func(string) (int, string) { asked.Add(1); time.Sleep(5 * time.Millisecond); return 401, `{"code":401}` }}
	var lockout Lockout
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _ = NewAuthorization(&http.Client{Transport: server}, "https://is.example", Credentials{User: "admin", Password: "wrong", Lockout: &lockout}).FindResource(t.Context(), "x")
		})
	}
	all.Wait()
	if asked.Load() != 2 {
		t.Errorf("%d requests with a wrong password, want 2", asked.Load())
	}
}

func TestAnswersOfOtherPathsDoNotMakeRoomForMoreTries(t *testing.T) {
	n := 0
	server := &refusing{answer: func(string) (int, string) {
		if n++; n%2 == 0 {
			return 200, `{"apiResources":[]}`
		}
		return 401, `{"code":401}`
	}}
	var lockout Lockout
	refused := 0
	for range 20 {
		_, err := NewAuthorization(&http.Client{Transport: server}, "https://is.example", Credentials{User: "admin", Password: "p", Lockout: &lockout}).FindResource(t.Context(), "x")
		if HasStatus(err, 401) {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d answers 401 were asked for, want 2", refused)
	}
}

func TestAnAnswerThatSaysNothingOfThePasswordHoldsNothingBack(t *testing.T) {
	for name, status := range map[string]int{"IS's answer for a client that does not exist": 401, "a login page": 302, "a failing server": 500} {
		t.Run(name, func(t *testing.T) {
			server := &refusing{answer: func(string) (int, string) { return status, "" }}
			var lockout Lockout
			for range 5 {
				_, _ = NewIdentity(&http.Client{Transport: server}, "https://is.example", Credentials{User: "admin", Password: "right", Lockout: &lockout}).FindClient(t.Context(), "x")
			}
			if server.asked != 5 {
				t.Errorf("%d requests, want 5", server.asked)
			}
		})
	}
}

func TestARefusalInDoubtIsNotPermanentAndRarelyTriedAgain(t *testing.T) {
	const down = "its database postgres:5432 does not answer"
	for name, c := range map[string]struct {
		worked bool
		down   bool
		says   string // of the refusal; empty: it is permanent
	}{
		"the password has worked":             {worked: true, says: "this password has worked before"},
		"the database is down":                {down: true, says: down},
		"both":                                {worked: true, down: true, says: down},
		"neither: that password is a mistake": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				right, isDown := c.worked, false
				server := &refusing{answer: func(string) (int, string) {
					if right && !isDown {
						return 200, `{"apiResources":[]}`
					}
					return 401, `{"code":401,"description":"Unauthenticated request"}`
				}}
				lockout := Lockout{Down: func(context.Context) string {
					if isDown {
						return down
					}
					return ""
				}}
				ask := func() error {
					_, err := NewAuthorization(&http.Client{Transport: server}, "https://am.example", Credentials{User: "admin", Password: "p", Source: "AM_ADMIN_PASS", Lockout: &lockout}).FindResource(t.Context(), "x")
					return err
				}
				if err := ask(); c.worked != (err == nil) && !c.down {
					t.Fatalf("the first request: %v", err)
				}
				right, isDown, server.asked = false, c.down, 0
				lockout.refusals = 0
				for range 10 {
					err := ask()
					if err == nil || IsPermanent(err) != (c.says == "") || !strings.Contains(err.Error(), "AM_ADMIN_PASS") {
						t.Fatalf("error = %v, permanent %v", err, IsPermanent(err))
					}
					if c.says != "" && (!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "database is down")) {
						t.Errorf("error = %v, want both causes", err)
					}
				}
				want := 2
				if c.down {
					want = 1 // the database is asked before another try
				}
				if server.asked != want {
					t.Errorf("%d requests, want %d", server.asked, want)
				}
				time.Sleep(31 * time.Second)
				right, isDown = true, false
				err := ask()
				if c.down != (err == nil) {
					t.Errorf("after half a minute and with the database back: %v", err)
				}
				if !c.down && RetryAfter(err) < 4*time.Minute {
					t.Errorf("the next try is in %s", RetryAfter(err))
				}
				time.Sleep(5 * time.Minute)
				if err := ask(); err != nil {
					t.Errorf("after five minutes: %v", err)
				}
			})
		})
	}
}

func TestADatabaseThatComesAndGoesMakesNoMoreTriesThanEveryHalfMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &refusing{answer: func(string) (int, string) { return 401, `{"code":401}` }}
		flips := 0
		lockout := Lockout{Down: func(context.Context) string {
			if flips++; flips%2 == 0 {
				return "down"
			}
			return ""
		}}
		for range 300 {
			_, _ = NewAuthorization(&http.Client{Transport: server}, "https://am.example", Credentials{User: "admin", Password: "p", Lockout: &lockout}).FindResource(t.Context(), "x")
			time.Sleep(time.Second)
		}
		if server.asked > 11 {
			t.Errorf("%d requests in five minutes", server.asked)
		}
	})
}

// The agent may not be let to the database, as by a network policy, while the server is.
func TestADatabaseThatTheAgentNeverReachesDoesNotHoldTheRightPasswordBackForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starting := true
		server := &refusing{answer: func(string) (int, string) {
			if starting {
				return 401, `{"code":401}`
			}
			return 200, `{"apiResources":[]}`
		}}
		lockout := Lockout{Down: func(context.Context) string { return "it does not answer" }}
		ask := func() error {
			_, err := NewAuthorization(&http.Client{Transport: server}, "https://am.example", Credentials{User: "admin", Password: "p", Lockout: &lockout}).FindResource(t.Context(), "x")
			return err
		}
		_ = ask()
		starting = false
		begin := time.Now()
		for ask() != nil && time.Since(begin) < time.Hour {
			time.Sleep(5 * time.Second)
		}
		if waited := time.Since(begin); waited > lockoutPause || server.asked != 2 {
			t.Errorf("accepted after %s, %d requests", waited, server.asked)
		}
	})
}
