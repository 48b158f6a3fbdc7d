package wso2

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ErrHeldBack: a request was not sent, because the server has refused the same password twice.
var ErrHeldBack = errors.New("not sent, since the server has refused this password twice")

// Bounds of a Lockout.
const (
	lockoutRefusals = 2
	lockoutPause    = 5 * time.Minute
)

// Lockout keeps a wrong password from locking an administrator out of a server. After two answers 401 it holds back
// every request with the same password for five minutes, then lets one through, and so on. Another password counts at
// once. It is safe for concurrent use; all clients that use the same account share one.
type Lockout struct {
	mu       sync.Mutex
	password Secret
	refusals int
	last     time.Time // of the last refusal
}

// allow returns an error that wraps ErrHeldBack while a password must not be tried.
func (l *Lockout) allow(password Secret) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := time.Until(l.last.Add(lockoutPause))
	if l.password != password || l.refusals < lockoutRefusals || wait <= 0 || wait > lockoutPause {
		return nil
	}
	return fmt.Errorf("%w; the next try with it is in %s", ErrHeldBack, wait.Round(time.Second))
}

// note counts an answer. IS also answers 401, without a body, for a client that does not exist; that says nothing of
// the password, and neither does a server that starts, stops or fails.
func (l *Lockout) note(password Secret, status int, empty bool) {
	if l == nil || status >= 500 || status >= 300 && status < 400 || status == http.StatusUnauthorized && empty {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.password != password {
		l.password, l.refusals = password, 0
	}
	if status != http.StatusUnauthorized {
		l.refusals = 0
		return
	}
	l.refusals++
	l.last = time.Now()
}
