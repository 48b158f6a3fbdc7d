package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/scopes"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2"
)

// upgrade is how far IS is on its way from authorize_all_scopes to authorized applications.
type upgrade struct {
	waits      atomic.Bool // authorize_all_scopes is still on, and goes once authorized is true
	authorized atomic.Bool // every application has its scopes without it
}

// ready reports whether authorize_all_scopes can go now.
func (u *upgrade) ready() bool { return u.waits.Load() && u.authorized.Load() }

// looksAfterScopes reports whether this agent may have to authorize applications: next to IS always, since they must be
// authorized before authorize_all_scopes can go.
func (a Agent) looksAfterScopes() bool {
	return a.cfg.Product == config.IS || a.cfg.ScopesAt == a.cfg.Product
}

// authorizes reports whether this agent authorizes applications now.
func (a Agent) authorizes() bool {
	return a.cfg.Scopes == "authorize" && (a.cfg.Product == a.cfg.ScopesAt || a.upgrade.waits.Load())
}

// keepScopes keeps the applications of API-M authorized in IS for the scopes of APIs, until ctx ends.
func (a Agent) keepScopes(ctx context.Context, health *telemetry.Health) {
	k := scopesKeeper{health: health, keeper: scopes.Keeper{Log: a.log}}
	beat := func() { health.Beat(scopesCondition) }
	for {
		beat()
		err := a.reload()
		if err == nil {
			whileBeating(beat, a.cfg.Poll, func() { err = k.look(ctx, a) })
		}
		if ctx.Err() != nil {
			return
		}
		k.tell(a, err)
		wait := a.cfg.ScopesInterval
		if wait == 0 || !a.authorizes() {
			wait = a.cfg.Poll
		}
		if !waitFor(ctx, nil, time.After(wait), a.cfg.Poll, beat, never) {
			return
		}
	}
}

// scopesKeeper is what keepScopes remembers from one look to the next.
type scopesKeeper struct {
	health     *telemetry.Health
	keeper     scopes.Keeper
	connection connection
	report     scopes.Report // of the last poll
	passed     bool          // the last poll succeeded, and IS was not away since
	since      time.Time     // when authorize_all_scopes began to wait; zero while it does not
	warned     bool          // that it waits for long
	told       trouble       // that was last logged
}

// look takes one look at IS, and does what follows from it. An error keeps applications from being authorized.
func (k *scopesKeeper) look(ctx context.Context, a Agent) error {
	if !a.authorizes() {
		k.report, k.passed = scopes.Report{}, false
		k.keeper.Forget()
		return nil
	}
	hc, err := k.connection.to(a)
	if err != nil {
		return err
	}
	is := a.identityServer(hc)
	if a.cfg.ScopesInterval == 0 && k.passed && len(k.report.Failures) == 0 && !a.upgrade.waits.Load() {
		// Only a start of IS counts: it is away for longer than POLL_INTERVAL.
		_, err := is.OAuth.Discovery(ctx)
		k.passed = err == nil
		return err
	}
	k.keeper.Clients = a.cfg.ScopesClients
	k.report, err = k.keeper.Poll(ctx, is.Authorization)
	k.passed = err == nil
	a.upgrade.authorized.Store(k.mayClose(a, err))
	if err == nil && len(k.report.Missing) > 0 {
		err = missingClients(k.report.Missing)
	}
	return errors.Join(k.report.Err(), err)
}

func missingClients(ids []string) error {
	return fmt.Errorf("IS has no client %s: correct SCOPES_CLIENTS", strings.Join(ids, ", "))
}

// mayClose reports whether authorize_all_scopes can go, if it waits. Applications that IS refuses hold it up for as long as
// a peer holds up a rotation, and no longer: any API subscriber can administer IS meanwhile.
func (k *scopesKeeper) mayClose(a Agent, err error) bool {
	if !a.upgrade.waits.Load() {
		k.since, k.warned = time.Time{}, false
	}
	switch {
	case err == nil && len(k.report.Failures) == 0:
		return true
	case !a.upgrade.waits.Load():
		return false
	case k.since.IsZero():
		k.since = time.Now()
	}
	if time.Since(k.since) < a.cfg.RotateTimeout {
		return false
	}
	some := err == nil && len(k.report.Failures) < k.report.Applications
	if !k.warned {
		k.warned = true
		if some {
			a.log.Error("removing authorize_all_scopes although applications are not authorized: they lose their scopes", "waited", a.cfg.RotateTimeout.String(), "error", k.report.Err())
		} else {
			a.log.Error(openIS, "why", "authorize_all_scopes stays on, because no application can be authorized", "since", k.since.UTC().Format(time.RFC3339), "error", errors.Join(k.report.Err(), err))
		}
	}
	return some
}

// trouble is a kind of what keeps applications from being authorized. The texts of one kind change all the time.
type trouble string

const (
	none        trouble = ""
	unreachable trouble = "IS does not answer"
	refused     trouble = "IS refuses the administrator"
	partly      trouble = "some applications cannot be authorized"
)

func (k *scopesKeeper) trouble(err error) trouble {
	switch {
	case err == nil:
		return none
	case len(k.report.Failures) > 0 || len(k.report.Missing) > 0:
		return partly
	case errors.Is(err, wso2.ErrHeldBack) || wso2.HasStatus(err, http.StatusUnauthorized) || wso2.HasStatus(err, http.StatusForbidden):
		return refused
	}
	return unreachable
}

// tell sets the condition and the metric, and logs a trouble once.
func (k *scopesKeeper) tell(a Agent, err error) {
	const metric = "wso2agent_scopes_unauthorized_applications"
	switch {
	case err != nil:
		k.health.Advise(scopesCondition, false, err.Error())
	case a.cfg.Scopes == "all":
		k.health.Advise(scopesCondition, true, "SCOPES is all: IS grants every client every scope")
	case !a.authorizes():
		k.health.Advise(scopesCondition, true, "the agent next to API-M authorizes applications (SCOPES_AT)")
	default:
		k.health.Advise(scopesCondition, true, fmt.Sprintf("applications authorized: %d, scopes of APIs: %d", k.report.Applications, k.report.Scopes))
	}
	if k.passed {
		k.health.Gauge(metric, "Applications of API-M that lack scopes of APIs in IS.", float64(len(k.report.Failures)))
	} else {
		k.health.DropGauge(metric) // not known
	}
	kind := k.trouble(err)
	if kind == k.told {
		return
	}
	k.told = kind
	if kind == none {
		a.log.Info("applications can be authorized for scopes of APIs in IS again")
		return
	}
	a.log.Warn("applications cannot be authorized for scopes of APIs in IS, trying again", "because", string(kind), "error", err)
}

// SyncScopes does one pass: it authorizes every application that lacks scopes of APIs.
func (a Agent) SyncScopes(ctx context.Context) (scopes.Report, error) {
	hc, err := new(connection).to(a)
	if err != nil {
		return scopes.Report{}, err
	}
	k := scopes.Keeper{Clients: a.cfg.ScopesClients, Log: a.log}
	return k.Poll(ctx, a.identityServer(hc).Authorization)
}

// ReadScopes reads which applications there are and what they lack, and changes nothing. missing are those of
// SCOPES_CLIENTS that IS does not have.
func (a Agent) ReadScopes(ctx context.Context) (s scopes.State, lack []scopes.Action, missing []string, err error) {
	hc, err := new(connection).to(a)
	if err != nil {
		return s, nil, nil, err
	}
	s, missing, err = scopes.Read(ctx, a.identityServer(hc).Authorization, a.cfg.ScopesClients)
	return s, scopes.Decide(s, a.cfg.ScopesClients), missing, err
}
