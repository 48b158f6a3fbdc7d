package scopes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

// OpenIS is the fact to report while IS grants every client every scope, or otherwise lets every client administer it.
const OpenIS = "any API subscriber can administer IS"

// Watch looks at IS from time to time, and remembers the last look. Only one goroutine uses it.
type Watch struct {
	Keeper
	last    Report
	passed  bool // the last poll succeeded, and IS has answered since
	upgrade upgrade
	told    trouble // that the log has last
}

// May reports whether an agent with these settings may have to authorize applications. Next to IS it may, because they must be
// authorized before authorize_all_scopes can go.
func May(cfg config.Config) bool {
	return cfg.Server.Product == config.IS || cfg.Scopes.At == cfg.Server.Product
}

// Authorizes reports whether an agent with these settings authorizes applications now. closes says that authorize_all_scopes
// is still on, and waits until all applications are authorized.
func Authorizes(cfg config.Config, closes bool) bool {
	return cfg.Scopes.Mode == "authorize" && (cfg.Server.Product == cfg.Scopes.At || closes)
}

// Wait returns how long to wait for the next look.
func (w *Watch) Wait(cfg config.Config, closes bool) time.Duration {
	if cfg.Scopes.Interval == 0 || !Authorizes(cfg, closes) {
		return cfg.Watch.Poll
	}
	return cfg.Scopes.Interval
}

// Look takes one look at IS, and authorizes applications that lack scopes, unless another agent does. closes is as for
// [Authorizes]. unusable says that there is no connection. If polled is true, closed reports whether authorize_all_scopes can go
// now. An error says what keeps applications from being authorized.
func (w *Watch) Look(ctx context.Context, cfg config.Config, closes bool, oauth *wso2.Identity, is *wso2.Authorization, unusable error) (closed, polled bool, err error) {
	switch {
	case unusable == nil && !Authorizes(cfg, closes):
		w.last, w.passed = Report{}, false
		w.Forget()
		return false, false, nil
	case unusable != nil:
		return false, false, unusable
	case cfg.Scopes.Interval == 0 && w.passed && len(w.last.Failures) == 0 && !closes:
		// Only a start of IS calls for a poll. It takes longer than the wait between two looks, so a look sees IS away.
		_, err := oauth.Discovery(ctx)
		w.passed = err == nil
		return false, false, err
	}
	w.Clients = cfg.Scopes.Clients
	w.last, err = w.Poll(ctx, is)
	w.passed = err == nil
	closed = w.mayClose(closes, cfg.Rotate.Timeout, time.Now(), err)
	if err == nil && len(w.last.Missing) > 0 {
		err = fmt.Errorf("IS has no client %s: correct SCOPES_CLIENTS", strings.Join(w.last.Missing, ", "))
	}
	return closed, true, errors.Join(w.last.Err(), err)
}

// State reports whether all is well after a look that returned err, and says in a sentence what holds.
func (w *Watch) State(cfg config.Config, closes bool, err error) (ok bool, message string) {
	switch {
	case err != nil:
		return false, err.Error()
	case cfg.Scopes.Mode == "all":
		return true, "SCOPES is all: IS grants every client every scope"
	case !Authorizes(cfg, closes):
		return true, "the agent next to API-M authorizes applications (SCOPES_AT)"
	}
	return true, fmt.Sprintf("applications authorized: %d, scopes of APIs: %d", w.last.Applications, w.last.Scopes)
}

// Unauthorized returns how many applications lack scopes of APIs; known is false if the last look did not find out.
func (w *Watch) Unauthorized() (applications int, known bool) {
	return len(w.last.Failures), w.passed
}

// upgrade is how far IS is on its way from authorize_all_scopes to authorized applications.
type upgrade struct {
	since  time.Time // when the first failure held it up; zero if none does
	warned bool      // that it takes long
}

// mayClose reports whether authorize_all_scopes can go. Applications that IS refuses hold it up for patience and no longer:
// any API subscriber can administer IS meanwhile. If no application at all can be authorized, it stays on.
func (w *Watch) mayClose(closes bool, patience time.Duration, now time.Time, err error) bool {
	u := &w.upgrade
	if !closes {
		*u = upgrade{}
	}
	switch {
	case err == nil && len(w.last.Failures) == 0:
		return true
	case !closes:
		return false
	case u.since.IsZero():
		u.since = now
	}
	if now.Sub(u.since) < patience {
		return false
	}
	some := err == nil && len(w.last.Failures) < w.last.Applications
	if !u.warned {
		u.warned = true
		if some {
			w.Keeper.Log.Error("removing authorize_all_scopes although applications are not authorized: they lose their scopes", "waited", patience.String(), "error", w.last.Err())
		} else {
			w.Keeper.Log.Error(OpenIS, "why", "authorize_all_scopes stays on, because no application can be authorized", "since", u.since.UTC().Format(time.RFC3339), "error", errors.Join(w.last.Err(), err))
		}
	}
	return some
}

// trouble is a kind of reason that keeps applications from being authorized. The texts of one kind change all the time.
type trouble string

const (
	none        trouble = ""
	unreachable trouble = "IS does not answer"
	refused     trouble = "IS refuses the administrator"
	partly      trouble = "some applications cannot be authorized"
)

// troubleOf returns the kind of err, which a look with this report returned.
func troubleOf(r Report, err error) trouble {
	switch {
	case err == nil:
		return none
	case len(r.Failures) > 0 || len(r.Missing) > 0:
		return partly
	case errors.Is(err, wso2.ErrHeldBack) || wso2.HasStatus(err, http.StatusUnauthorized) || wso2.HasStatus(err, http.StatusForbidden):
		return refused
	}
	return unreachable
}

// Report logs the error of a look, or its end, once for each kind.
func (w *Watch) Report(err error) {
	kind := troubleOf(w.last, err)
	if kind == w.told {
		return
	}
	w.told = kind
	if kind == none {
		w.Keeper.Log.Info("applications can be authorized for scopes of APIs in IS again")
		return
	}
	w.Keeper.Log.Warn("applications cannot be authorized for scopes of APIs in IS, trying again", "because", string(kind), "error", err)
}

// Lack reads which applications there are and what they lack. It changes nothing. missing are those of clients that IS does
// not have.
func Lack(ctx context.Context, is *wso2.Authorization, clients []string) (s State, lack []Action, missing []string, err error) {
	s, missing, err = Read(ctx, is, clients)
	return s, Decide(s, clients), missing, err
}
