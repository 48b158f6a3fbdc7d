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
	outagePause     = 30 * time.Second // between two tries, however often the database comes and goes
	outageEcho      = 2 * time.Minute  // how long a server may refuse passwords after its database is back
)

// Lockout keeps a wrong password from locking an administrator out of a server. After two answers 401 it holds back
// every request with the same password for five minutes, then lets one through, and so on. Another password counts at
// once. Until a password has worked, one request at a time tries it. It is safe for concurrent use; all clients that use
// the same account share one.
//
// A server whose database is down refuses right passwords too. Such a refusal is in doubt, and not permanent, if the
// password has worked before, or Down says so. It is tried every five minutes, too.
type Lockout struct {
	// Down says why the server cannot check a password now, such as that its database does not answer; empty if it can,
	// as far as is known. It is asked before a refused password is tried again, and must be cheap. Nil: nothing is known.
	Down func(ctx context.Context) (why string)

	trial sync.Mutex // held by a request whose password has not worked yet

	mu       sync.Mutex // guards what follows
	password Secret
	works    bool // it was accepted, and not refused since
	worked   bool // it was accepted, ever
	refusals int
	last     time.Time // of the last refusal
	down     bool      // Down had something to say the last time
	downAt   time.Time // when it last had
}

// heldBack is why a request was not sent.
type heldBack struct {
	why  string // in doubt; empty: the password is wrong
	wait time.Duration
}

func (h heldBack) Error() string {
	return fmt.Sprintf("%v; the next try is in %s", ErrHeldBack, h.wait.Round(time.Second))
}

func (h heldBack) Is(target error) bool { return target == ErrHeldBack }

// answerNoted counts an answer. doubt is why a refusal may not be about the password.
type answerNoted func(ctx context.Context, status int, empty bool) (doubt string)

// allow waits for its turn, and returns an error that wraps ErrHeldBack if a password must not be tried. Otherwise
// answered must be called with the answer, or with status 0 where none came.
func (l *Lockout) allow(ctx context.Context, password Secret) (answered answerNoted, err error) {
	if l == nil {
		return func(context.Context, int, bool) string { return "" }, nil
	}
	if l.accepted(password) {
		return l.note, nil
	}
	l.trial.Lock() // for as long as one request takes at most
	if err := l.held(ctx, password); err != nil || ctx.Err() != nil {
		l.trial.Unlock()
		return nil, errors.Join(err, ctx.Err())
	}
	return func(ctx context.Context, status int, empty bool) string {
		defer l.trial.Unlock()
		return l.note(ctx, status, empty)
	}, nil
}

// accepted reports whether the password has worked and was not refused since.
func (l *Lockout) accepted(password Secret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.password == password && l.works
}

// Worked reports whether the server has accepted the password, ever.
func (l *Lockout) Worked(password Secret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.password == password && l.worked
}

// held returns an error while the password must not be tried. Another password than before starts a new count.
func (l *Lockout) held(ctx context.Context, password Secret) error {
	l.mu.Lock()
	if l.password != password {
		l.password, l.works, l.worked, l.refusals = password, false, false, 0
	}
	refused := l.refusals > 0
	l.mu.Unlock()
	why := ""
	if refused {
		why = l.look(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := time.Until(l.last.Add(lockoutPause))
	switch {
	case wait <= 0, wait > lockoutPause: // Down may be wrong: this process may not reach the database, and the server may
		return nil
	case why != "":
		return heldBack{why, min(wait, outagePause)}
	case l.refusals < lockoutRefusals:
		return nil
	}
	return heldBack{l.doubt(), wait}
}

// look asks whether the server can check a password. When it can do so again, one try need not wait for the whole pause.
func (l *Lockout) look(ctx context.Context) (why string) {
	if l.Down == nil {
		return ""
	}
	why = l.Down(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case why != "":
		l.down, l.downAt = true, time.Now()
	case l.down && time.Since(l.last) >= outagePause:
		l.down, l.refusals = false, min(l.refusals, lockoutRefusals-1)
	}
	return why
}

// doubt says why a refusal may not be about the password, by what was seen before; empty if nothing speaks for that.
func (l *Lockout) doubt() string {
	switch {
	case !l.downAt.IsZero() && time.Since(l.downAt) < outageEcho:
		return "the server's database did not answer a moment ago"
	case l.worked:
		return "this password has worked before"
	}
	return ""
}

// note counts an answer. IS also answers 401, without a body, for a client that does not exist; that says nothing about
// the password, and neither does an empty answer, a redirect or a failure of a server that starts or stops.
func (l *Lockout) note(ctx context.Context, status int, empty bool) (doubt string) {
	if status == 0 || status >= 500 || status >= 300 && status < 400 || empty {
		return ""
	}
	refused := status == http.StatusUnauthorized
	l.mu.Lock()
	if l.works = !refused; refused {
		l.refusals++
		l.last = time.Now()
	} else {
		l.worked = true
		if time.Since(l.last) > lockoutPause {
			l.refusals = 0
		}
	}
	l.mu.Unlock()
	if !refused {
		return ""
	}
	if why := l.look(ctx); why != "" {
		return why
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doubt()
}
