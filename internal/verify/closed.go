package verify

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// IdentityServerOf returns the clients of the IS that the settings of a bootstrap name.
func IdentityServerOf(hc *http.Client, s bootstrap.Settings) IdentityServer {
	return IdentityServer{HTTP: hc, OAuth: wso2.NewIdentity(hc, s.ISURL, s.ISCredentials), Authorization: wso2.NewAuthorization(hc, s.ISURL, s.ISCredentials)}
}

// closing reads the statement of IS's agent about the settings that prevent API subscribers from administering IS. said is false if
// there is none.
func closing(ctx context.Context, cfg config.Config) (c trust.Closing, said bool, err error) {
	name := trust.NameOf(cfg, config.IS, cfg.IS.Host)
	if name == "" {
		return c, false, nil
	}
	return trust.ExchangeOf(cfg).Closing(ctx, name)
}

// loggedClosing does the same as closing. It logs the error of a statement that the agent cannot read.
func loggedClosing(ctx context.Context, log *slog.Logger, cfg config.Config) (c trust.Closing, said bool) {
	c, said, err := closing(ctx, cfg)
	if err != nil {
		log.Warn("the agent cannot read what IS's agent states about its settings", "error", err)
	}
	return c, said
}

// Examine finds out whether API subscribers can administer the running IS (see [Expose]), and judges the result by the present
// circumstances. An error means that it is not known.
func Examine(ctx context.Context, log *slog.Logger, cfg config.Config, is IdentityServer) (Judgement, error) {
	is.All = cfg.Scopes.Mode == "all"
	e, err := Expose(ctx, is, cfg.Server.Name)
	if err != nil {
		return Judgement{}, fmt.Errorf("verify that %s: %w", closedCheck, err)
	}
	if e.Narrowed {
		log.Warn(narrowedBuild, "remedy", narrowedRemedy)
	}
	c, said := loggedClosing(ctx, log, cfg)
	return Judge(e, Circumstances{Closing: c, Said: said, All: is.All, Container: cfg.IS.Container}), nil
}

// AwaitClosed examines IS until API subscribers cannot administer it. It waits only if a pending restart of IS closes it. An
// error that wraps [bootstrap.ErrPermanent] says that they can, and what to do. If an examination has no result, AwaitClosed
// tries again, unless the error is permanent. connect returns the clients of IS; each of its errors is permanent.
func AwaitClosed(ctx context.Context, log *slog.Logger, cfg config.Config, connect func(config.Config) (IdentityServer, error)) error {
	is, err := connect(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for said := ""; ; {
		j, err := Examine(ctx, log, cfg, is)
		lacks := j.String()
		switch {
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("verify that %s: %w", closedCheck, context.Cause(ctx))
		case wso2.IsPermanent(err):
			return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
		case err != nil:
			lacks = err.Error()
		case j.Openness == Open:
			return remedy.Add(fmt.Errorf("%w: %s: %s", bootstrap.ErrPermanent, scopes.OpenIS, j.why), "%s", j.remedy)
		case j.Openness != Pending:
			j.Log(log)
			return nil
		}
		if lacks != said {
			log.Warn("not yet, trying again", "check", closedCheck, "error", lacks)
			said = lacks
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", lacks, context.Cause(ctx))
		case <-time.After(waits.NextBackOff()):
		}
	}
}

// Waits between two examinations of IS.
const (
	examineAgain = 30 * time.Second // after an examination without a result, or while a restart is pending
	examineOften = time.Hour        // if the agent has not seen IS restart
)

// Examination knows when to examine IS next: after each start of IS, and otherwise rarely, because it makes and deletes a
// client in IS. The zero value stands for an IS that has not answered yet.
type Examination struct {
	served bool      // IS answered the last time
	start  time.Time // of the running IS, if known
	due    time.Time
}

// Away notes that IS does not answer. The last finding stays valid until IS answers again.
func (e *Examination) Away() { e.served = false }

// Due notes that IS answers, and reports whether to examine it now. start is when IS was started; zero if unknown.
func (e *Examination) Due(now, start time.Time) bool {
	if !e.served || !start.Equal(e.start) {
		e.served, e.start, e.due = true, start, now
	}
	return !now.Before(e.due)
}

// Found notes the result of an examination. It returns the wait until the next one.
func (e *Examination) Found(now time.Time, j Judgement, err error) (wait time.Duration) {
	wait = examineOften
	if err != nil || j.Openness == Pending {
		wait = examineAgain
	}
	e.due = now.Add(wait)
	return wait
}
