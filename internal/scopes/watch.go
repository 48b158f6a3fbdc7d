package scopes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// OpenIS is what the log, the condition and the error of a bootstrap say while every client can administer IS.
const OpenIS = "any API subscriber can administer IS"

// Watch looks at IS from time to time, and remembers the last look. Only one goroutine uses it.
type Watch struct {
	Keeper
	last    Report
	passed  bool // the last poll succeeded, and IS has answered since
	upgrade upgrade
	logged  trouble // the last one in the log
}

// May reports whether an agent with these settings may have to authorize applications. Next to IS it always may, because all
// applications must be authorized before the agent can remove authorize_all_scopes.
func May(cfg config.Config) bool {
	return cfg.Server.Product == config.IS || cfg.Scopes.At == cfg.Server.Product
}

// Authorizes reports whether an agent with these settings authorizes applications now. closes says that authorize_all_scopes is
// still on, and that the agent removes it once all applications are authorized.
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

// Look takes one look at IS, and authorizes applications that lack scopes, unless another agent does that. closes is as for
// [Authorizes]. A non-nil unusable means that there is no connection. If polled is true, closed reports whether the agent can remove
// authorize_all_scopes now. The error says why applications lack scopes.
func (w *Watch) Look(ctx context.Context, cfg config.Config, closes bool, oauth *wso2.Identity, is *wso2.Authorization, unusable error) (closed, polled bool, err error) {
	switch {
	case unusable == nil && !Authorizes(cfg, closes):
		w.last, w.passed = Report{}, false
		w.Forget()
		return false, false, nil
	case unusable != nil:
		return false, false, unusable
	case cfg.Scopes.Interval == 0 && w.passed && len(w.last.Failures) == 0 && !closes:
		// Only a restart of IS makes a poll necessary. It takes longer than the wait between two looks, so one look finds IS down.
		_, err := oauth.Discovery(ctx)
		w.passed = err == nil
		return false, false, err
	}
	w.Clients = cfg.Scopes.Clients
	w.last, err = w.Poll(ctx, is)
	w.passed = err == nil
	closed = w.mayClose(closes, cfg.Rotate.Timeout, time.Now(), err)
	if err == nil && len(w.last.Missing) > 0 {
		err = remedy.Add(fmt.Errorf("IS has no client %s", strings.Join(w.last.Missing, ", ")), "correct SCOPES_CLIENTS")
	}
	return closed, true, errors.Join(w.last.Err(), err)
}

// State reports whether all is well after a look that returned err, and describes the state in a sentence.
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

// Unauthorized returns how many applications lack scopes of APIs. known is false if the last look failed.
func (w *Watch) Unauthorized() (applications int, known bool) {
	return len(w.last.Failures), w.passed
}

// upgrade is the state of the change from authorize_all_scopes to authorized applications.
type upgrade struct {
	since  time.Time // when the first failure delayed it; zero for none
	warned bool      // the log has a warning that it takes long
}

// mayClose reports whether the agent can remove authorize_all_scopes. Applications that IS refuses delay that for patience at most,
// because any API subscriber can administer IS meanwhile. If IS refuses all applications, the setting stays on.
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

// trouble is a kind of reason why applications lack scopes. The log reports a kind once, because the texts of a kind often differ.
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
	if kind == w.logged {
		return
	}
	w.logged = kind
	if kind == none {
		w.Keeper.Log.Info("applications can be authorized for scopes of APIs in IS again")
		return
	}
	w.Keeper.Log.Warn("applications cannot be authorized for scopes of APIs in IS, trying again", "because", string(kind), "error", err)
}

// Lack reads the applications and what they lack, and changes nothing. missing has the clients that IS does not have.
func Lack(ctx context.Context, is *wso2.Authorization, clients []string) (s State, lack []Action, missing []string, err error) {
	s, missing, err = Read(ctx, is, clients)
	return s, Decide(s, clients), missing, err
}
