package wso2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ErrHeldBack: a request was not sent, because the server has refused the same password twice.
var ErrHeldBack = errors.New("not sent, because the server has refused this password twice")

// Bounds of a Lockout.
const (
	lockoutRefusals = 2
	lockoutPause    = 5 * time.Minute
)

// Lockout keeps a wrong password from locking an administrator out of a server. After two answers 401 it holds back
// every request with the same password for five minutes, then lets one through, and so on. Another password counts at
// once. Until a password has worked, one request at a time tries it. It is safe for concurrent use; all clients that use
// the same account share one.
type Lockout struct {
	trial sync.Mutex // held by a request whose password has not worked yet

	mu       sync.Mutex // guards what follows
	password Secret
	works    bool // it was accepted, and not refused since
	refusals int
	last     time.Time // of the last refusal
}

// allow waits for its turn, and returns an error that wraps ErrHeldBack if a password must not be tried. Otherwise
// answered must be called with the answer, or with status 0 where none came.
func (l *Lockout) allow(ctx context.Context, password Secret) (answered func(status int, empty bool), err error) {
	if l == nil {
		return func(int, bool) {}, nil
	}
	if l.accepted(password) {
		return func(status int, empty bool) { l.note(status, empty) }, nil
	}
	l.trial.Lock() // for as long as one request takes at most
	if err := l.held(password); err != nil || ctx.Err() != nil {
		l.trial.Unlock()
		return nil, errors.Join(err, ctx.Err())
	}
	return func(status int, empty bool) { l.note(status, empty); l.trial.Unlock() }, nil
}

// accepted reports whether the password has worked and was not refused since.
func (l *Lockout) accepted(password Secret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.password == password && l.works
}

// held returns an error while the password must not be tried. Another password than before starts a new count.
func (l *Lockout) held(password Secret) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.password != password {
		l.password, l.works, l.refusals = password, false, 0
	}
	wait := time.Until(l.last.Add(lockoutPause))
	if l.refusals < lockoutRefusals || wait <= 0 || wait > lockoutPause {
		return nil
	}
	return fmt.Errorf("%w; the next try is in %s", ErrHeldBack, wait.Round(time.Second))
}

// note counts an answer. IS also answers 401, without a body, for a client that does not exist; that says nothing about
// the password, and neither does an empty answer, a redirect or a failure of a server that starts or stops.
func (l *Lockout) note(status int, empty bool) {
	if status == 0 || status >= 500 || status >= 300 && status < 400 || empty {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.works = status != http.StatusUnauthorized; !l.works {
		l.refusals++
		l.last = time.Now()
	} else if time.Since(l.last) > lockoutPause {
		l.refusals = 0
	}
}
