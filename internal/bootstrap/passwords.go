package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// secondTry is the wait between a first refusal and a second try. A server that starts may refuse the right password.
const secondTry = 2 * time.Second

// tryPasswords waits until the servers answer, and tries the administrators' passwords on them, before a run changes anything.
// It does not try IS if SkipKeyManager is set. An error that wraps [ErrPermanent] names the wrong password. tryPasswords reports
// to tell what it waits for.
func tryPasswords(ctx context.Context, log *slog.Logger, hc *http.Client, s Settings, tell func(doing string)) error {
	trials := []trial{{"API-M", s.AMCredentials.User, "AM_ADMIN_PASS", wso2.NewPublisher(hc, s.AMURL, s.AMCredentials).Ready}}
	if !s.SkipKeyManager {
		is := wso2.NewAuthorization(hc, s.ISURL, s.ISCredentials)
		trials = append(trials, trial{"IS", s.ISCredentials.User, "IS_ADMIN_PASS", func(ctx context.Context) error {
			_, err := is.FindResource(ctx, "wso2agent")
			return err
		}})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(trials))
	for _, t := range trials {
		go func() { results <- t.run(ctx, log, tell) }()
	}
	for range trials {
		if err := <-results; err != nil {
			return err // nobody needs the result of the other trial
		}
	}
	return nil
}

// trial is an attempt to use an administrator's password.
type trial struct {
	server, user, variable string
	try                    func(context.Context) error
}

// run tries until the server has accepted the password, or has refused it beyond doubt.
func (t trial) run(ctx context.Context, log *slog.Logger, tell func(doing string)) error {
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
			return remedy.Add(fmt.Errorf("%w: %s refuses the password of its administrator %q, %s: %w", ErrPermanent, t.server, t.user, t.variable, err),
				"set %s to the password that the server's database was made with; docs/operating.md says how to change it", t.variable)
		case wso2.IsPermanent(err):
			return fmt.Errorf("%w: try the password of %s's administrator: %w", ErrPermanent, t.server, err)
		case err.Error() != said:
			said = err.Error()
			tell("waiting for " + t.server + " to accept the administrator's password: " + said)
			if refused || errors.Is(err, wso2.ErrHeldBack) {
				log.Warn("a server refuses a password that may be right, trying again", "server", t.server, "wait", wait.Round(time.Second).String(), "error", err)
				break
			}
			log.Info("waiting", "for", t.server+" to answer to the administrator's password", "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("try the password of %s's administrator: %w; the last failure: %w", t.server, context.Cause(ctx), err)
		case <-time.After(wait):
		}
	}
}
