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
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// checkRetry is the wait before another try to find out whether IS is open, after one that found out nothing.
const checkRetry = 30 * time.Second

// accounts are the administrators' accounts. All requests of this process with one of them count together, so that a wrong
// password is not tried until the account is locked.
type accounts struct{ am, is wso2.Lockout }

// upgrade is how far IS is on its way from authorize_all_scopes to authorized applications.
type upgrade struct {
	waits      atomic.Bool // authorize_all_scopes is still on, and goes once authorized is true
	authorized atomic.Bool // every application has its scopes without it
}

// ready tells whether authorize_all_scopes can go now.
func (u *upgrade) ready() bool { return u.waits.Load() && u.authorized.Load() }

// keepScopes keeps the applications of API-M authorized in IS for the scopes of their APIs, and looks whether API
// subscribers are kept out of IS's administration whenever IS was away, until ctx ends.
func (a Agent) keepScopes(ctx context.Context, health *telemetry.Health) {
	k := scopesKeeper{health: health, keeper: scopes.Keeper{Log: a.log}}
	if a.cfg.Scopes == "all" {
		a.log.Warn("SCOPES is all: IS grants every client every scope, so any API subscriber can administer it", "remedy", "SCOPES=authorize")
	}
	for {
		health.Beat(scopesCondition)
		err := a.reload()
		if err == nil {
			err = k.look(ctx, a)
		}
		if ctx.Err() != nil {
			return
		}
		k.tell(a, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(k.wait(a)):
		}
	}
}

// looksAtScopes tells whether this agent looks after scopes at all: next to IS always, since it may have to authorize
// applications before authorize_all_scopes can go, and looks whether IS is open.
func (a Agent) looksAtScopes() bool {
	return a.cfg.Product == config.IS || a.cfg.ScopesAt == a.cfg.Product
}

// authorizes tells whether this agent authorizes applications: by the settings, or because IS's own agent has to before
// authorize_all_scopes can go.
func (a Agent) authorizes() bool {
	return a.cfg.Scopes == "authorize" && (a.cfg.Product == a.cfg.ScopesAt || a.upgrade.waits.Load())
}

// scopesKeeper is what keepScopes remembers from one look to the next.
type scopesKeeper struct {
	health  *telemetry.Health
	keeper  scopes.Keeper
	http    *http.Client
	served  bool          // IS answered the last time, and has been served since it came up
	report  scopes.Report // of the last pass or poll
	checkAt time.Time     // when to find out whether IS is open; zero for not before it was away again
	refused time.Time     // since when IS refuses to authorize an application; zero while it does not
	told    string        // what keeps applications from being authorized, as it was last logged
}

// wait is how long to wait before the next look.
func (k *scopesKeeper) wait(a Agent) time.Duration {
	if k.polls(a) && a.cfg.ScopesInterval > 0 {
		return a.cfg.ScopesInterval
	}
	return a.cfg.Poll
}

// polls tells whether every look is for new applications and scopes. Otherwise only a start of IS is looked for.
func (k *scopesKeeper) polls(a Agent) bool {
	return a.authorizes() && (a.cfg.ScopesInterval > 0 || a.upgrade.waits.Load())
}

// look takes one look at IS, and does what follows from it. An error keeps applications from being authorized.
func (k *scopesKeeper) look(ctx context.Context, a Agent) error {
	is, err := k.connect(a)
	if err != nil {
		return err
	}
	if k.polls(a) || a.authorizes() && !k.served {
		k.keeper.Clients = a.cfg.ScopesClients
		k.report, err = k.keeper.Poll(ctx, is.Authorization)
		if err == nil {
			a.upgrade.authorized.Store(k.mayClose(a))
		}
	} else {
		_, err = is.OAuth.Discovery(ctx)
	}
	switch {
	case err == nil && !k.served:
		k.served, k.checkAt = true, time.Now()
	case err != nil && !wso2.IsPermanent(err):
		k.served = false
	}
	if k.served && !k.checkAt.IsZero() && !time.Now().Before(k.checkAt) {
		k.check(ctx, a, is)
	}
	if err == nil && len(k.report.Missing) > 0 {
		err = fmt.Errorf("IS has no client %s: correct SCOPES_CLIENTS", strings.Join(k.report.Missing, ", "))
	}
	return errors.Join(k.report.Err(), err)
}

// mayClose tells whether authorize_all_scopes can go, if it waits. An application that IS refuses holds it up for as long as
// a peer holds up a rotation, and no longer: IS is open to everybody meanwhile.
func (k *scopesKeeper) mayClose(a Agent) bool {
	switch {
	case len(k.report.Failures) == 0:
		k.refused = time.Time{}
		return true
	case k.refused.IsZero():
		k.refused = time.Now()
	}
	if time.Since(k.refused) < a.cfg.RotateTimeout {
		return false
	}
	if a.upgrade.waits.Load() && !a.upgrade.authorized.Load() {
		a.log.Error("authorize_all_scopes goes in IS though not every application is authorized: those lose their scopes", "waited", a.cfg.RotateTimeout.String(), "error", k.report.Err())
	}
	return true
}

// connect makes the clients of IS: its connections stay, the password may be another one each time.
func (k *scopesKeeper) connect(a Agent) (verify.IdentityServer, error) {
	if k.http == nil {
		roots, err := a.roots()
		if err != nil {
			return verify.IdentityServer{}, err
		}
		k.http = wso2.NewHTTPClient(a.pins(), roots)
	}
	return a.identityServer(k.http), nil
}

// tell sets the condition, and logs what keeps applications from being authorized once.
func (k *scopesKeeper) tell(a Agent, err error) {
	switch {
	case err != nil:
		k.health.Advise(scopesCondition, false, err.Error())
	case a.cfg.Scopes == "all":
		k.health.Advise(scopesCondition, true, "SCOPES is all: IS grants every scope to every client")
	case !a.authorizes():
		k.health.Advise(scopesCondition, true, "the agent beside "+otherProduct(a.cfg.Product)+" authorizes applications (SCOPES_AT)")
	default:
		k.health.Advise(scopesCondition, true, fmt.Sprintf("%d applications are authorized for %d scopes", k.report.Applications, k.report.Scopes))
	}
	k.health.Gauge("wso2agent_scopes_unauthorized_applications", "Applications of API-M that lack scopes of APIs in IS.", float64(len(k.report.Failures)))
	told := ""
	if err != nil {
		told = err.Error()
	}
	switch {
	case told == k.told || errors.Is(err, wso2.ErrHeldBack) && k.told != "": // how long it is held back changes all the time
		return
	case err != nil:
		a.log.Warn("applications cannot be authorized for scopes of APIs in IS, trying again", "error", err)
	default:
		a.log.Info("applications can be authorized for scopes of APIs in IS again")
	}
	k.told = told
}

func otherProduct(product string) string {
	if product == config.IS {
		return "API-M"
	}
	return "IS"
}

// check finds out whether IS is open, and says so.
func (k *scopesKeeper) check(ctx context.Context, a Agent, is verify.IdentityServer) {
	e, err := verify.Expose(ctx, is, a.cfg.ServerName)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		k.checkAt = time.Now().Add(checkRetry)
		k.health.Advise(securityCondition, false, "not known whether API subscribers can administer IS: "+err.Error())
		a.log.Debug("not known whether API subscribers can administer IS, trying again", "wait", checkRetry.String(), "error", err)
		return
	}
	k.checkAt = time.Time{}
	j := a.judge(ctx, e)
	if j.pending {
		k.checkAt = time.Now().Add(checkRetry)
	}
	a.tellSecurity(k.health, j)
}

// SyncScopes does one pass: it authorizes every application that lacks scopes of APIs.
func (a Agent) SyncScopes(ctx context.Context) (scopes.Report, error) {
	roots, err := a.roots()
	if err != nil {
		return scopes.Report{}, err
	}
	k := scopes.Keeper{Clients: a.cfg.ScopesClients, Log: a.log}
	return k.Poll(ctx, a.identityServer(wso2.NewHTTPClient(a.pins(), roots)).Authorization)
}

// ReadScopes reads which applications there are and what they lack, and changes nothing. missing are those of
// SCOPES_CLIENTS that IS does not have.
func (a Agent) ReadScopes(ctx context.Context) (s scopes.State, lack []scopes.Action, missing []string, err error) {
	roots, err := a.roots()
	if err != nil {
		return s, nil, nil, err
	}
	s, missing, err = scopes.Read(ctx, a.identityServer(wso2.NewHTTPClient(a.pins(), roots)).Authorization, a.cfg.ScopesClients)
	return s, scopes.Decide(s, a.cfg.ScopesClients), missing, err
}
