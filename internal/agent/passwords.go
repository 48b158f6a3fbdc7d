package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/server"
	"wso2agent/internal/wso2"
)

// secondTry is how long after a refusal a password is tried once more: a server that is starting may refuse right ones.
const secondTry = 2 * time.Second

// trial is an attempt to use an administrator's password.
type trial struct {
	server, user, variable string
	try                    func(context.Context) error
}

// testPasswords waits until both servers answer, and tries the administrators' passwords on them, before anything is made.
// An error that wraps bootstrap.ErrPermanent names the password that is wrong.
// tell is called with what it waits for.
func (a Agent) testPasswords(ctx context.Context, tell func(doing string)) error {
	roots, err := a.roots()
	if err != nil {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	hc := wso2.NewHTTPClient(a.pins(), roots)
	defer hc.CloseIdleConnections()
	trials := []trial{{"API-M", a.cfg.AMAdminUser, "AM_ADMIN_PASS", a.amPublisher(hc).Ready}}
	if len(a.cfg.Peers) > 0 {
		is := a.identityServer(hc).Authorization
		trials = append(trials, trial{"IS", a.cfg.ISAdminUser, "IS_ADMIN_PASS", func(ctx context.Context) error {
			_, err := is.FindResource(ctx, "wso2agent")
			return err
		}})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(trials))
	for _, t := range trials {
		go func() { results <- a.tryPassword(ctx, t, tell) }()
	}
	for range trials {
		if err := <-results; err != nil {
			return err // the other one need not be waited for
		}
	}
	return a.checkOwnCalls()
}

// tryPassword tries until the server has answered to the password.
func (a Agent) tryPassword(ctx context.Context, t trial, tell func(doing string)) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	refusals := 0
	for said := ""; ; {
		err := t.try(ctx)
		wait := max(waits.NextBackOff(), wso2.RetryAfter(err))
		switch refused := wso2.HasStatus(err, http.StatusUnauthorized); {
		case err == nil:
			return nil
		case refused && wso2.IsPermanent(err) && refusals == 0:
			refusals++
			wait = secondTry
		case refused && wso2.IsPermanent(err), errors.Is(err, wso2.ErrHeldBack) && wso2.IsPermanent(err):
			return fmt.Errorf("%w: %s refuses the password of its administrator %q, %s: a server keeps the password that its database was made with. "+
				"Set %s to that one; docs/operating.md says how to change it: %w", bootstrap.ErrPermanent, t.server, t.user, t.variable, t.variable, err)
		case wso2.IsPermanent(err):
			return fmt.Errorf("%w: try the password of %s's administrator: %w", bootstrap.ErrPermanent, t.server, err)
		case err.Error() != said:
			said = err.Error()
			tell("waiting for " + t.server + " to accept the administrator's password: " + said)
			if refused || errors.Is(err, wso2.ErrHeldBack) {
				a.log.Warn("a server refuses a password that may be right, trying again", "server", t.server, "wait", wait.Round(time.Second).String(), "error", err)
				break
			}
			a.log.Info("waiting", "for", t.server+" to answer to the administrator's password", "error", err)
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("try the password of %s's administrator: %w; the last failure: %w", t.server, context.Cause(ctx), err)
		}
	}
}

// checkOwnCalls returns an error if API-M accepts a password that its settings do not have: with theirs, its calls to itself
// fail, and its gateway never gets healthy.
func (a Agent) checkOwnCalls() error {
	if a.cfg.Product != config.AM {
		return nil
	}
	text, err := a.settingsOfServer()
	if err != nil || text == nil {
		return err
	}
	user, password, known, err := server.ReadAdministrator(text, a.cfg.Secret)
	if err != nil || !known || user != a.cfg.AMAdminUser || password == a.cfg.AMAdminPass {
		return nil // what the server would refuse is told elsewhere
	}
	return fmt.Errorf("%w: API-M accepts AM_ADMIN_PASS, but [super_admin] password in %s is another: API-M's calls to itself fail with that. "+
		"Write AM_ADMIN_PASS's there (docs/operating.md); API-M then restarts", bootstrap.ErrPermanent, a.cfg.DeploymentTOML())
}

func (a Agent) amCredentials() wso2.Credentials {
	return wso2.Credentials{User: a.cfg.AMAdminUser, Password: wso2.Secret(a.cfg.AMAdminPass), Source: "AM_ADMIN_USER and AM_ADMIN_PASS", Lockout: &a.accounts.am}
}

func (a Agent) amPublisher(hc *http.Client) *wso2.Publisher {
	return wso2.NewPublisher(hc, "https://"+a.cfg.AMAddress(), a.amCredentials())
}

// listener is how far another password of API-M's administrator is on its way into IS's settings, with which IS tells
// API-M of revoked tokens.
type listener struct {
	waits    atomic.Bool // the settings have another one
	accepted atomic.Bool // API-M has accepted it
}

// ready reports whether the settings can follow now.
func (l *listener) ready() bool { return l.waits.Load() && l.accepted.Load() }

// keepListener tries a new password of API-M's administrator on API-M before IS's settings follow, until ctx ends. One that
// is wrong would end the notices of revoked tokens.
func (a Agent) keepListener(ctx context.Context) {
	var c connection
	for told := ""; ; {
		if err := a.reload(); err == nil && a.listener.waits.Load() {
			hc, err := c.to(a)
			if err == nil {
				err = a.amPublisher(hc).Ready(ctx)
			}
			a.listener.accepted.Store(err == nil)
			if wso2.HasStatus(err, http.StatusUnauthorized) && told != a.cfg.AMAdminPass {
				told = a.cfg.AMAdminPass
				a.log.Error("API-M refuses AM_ADMIN_PASS: IS goes on telling it of revoked tokens with the password that it has", "error", err)
			}
		}
		if !waitFor(ctx, nil, time.After(a.cfg.Poll), a.cfg.Poll, func() {}, never) {
			return
		}
	}
}
