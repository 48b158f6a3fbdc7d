package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

func (a Agent) identityServer(hc *http.Client) verify.IdentityServer {
	base, cred := "https://"+a.cfg.ISAddress(), a.isCredentials()
	return verify.IdentityServer{HTTP: hc, OAuth: wso2.NewIdentity(hc, base, cred), Authorization: wso2.NewAuthorization(hc, base, cred)}
}

func (a Agent) isCredentials() wso2.Credentials {
	return wso2.Credentials{User: a.cfg.ISAdminUser, Password: wso2.Secret(a.cfg.ISAdminPass), Source: "IS_ADMIN_USER and IS_ADMIN_PASS", Lockout: &a.accounts.is}
}

// judgement is what follows from what a subscriber can do at IS.
type judgement struct {
	open     bool
	accepted bool   // somebody wants it so: a warning
	pending  bool   // it ends with a restart of IS that is about to come
	message  string // what is open, and what to do
}

// judge looks at what was found out in the light of what IS's agent says about it.
func (a Agent) judge(ctx context.Context, e verify.Exposure) judgement {
	name := a.nameOf(config.IS, a.cfg.ISHost)
	var c trust.Closing
	said := false
	if name != "" {
		var err error
		if c, said, err = a.exchange().Closing(ctx, name); err != nil {
			a.log.Warn("what IS's agent says of its settings cannot be read", "error", err)
		}
	}
	return judge(e, c, said, a.cfg.Scopes == "all", a.cfg.ISContainer)
}

// judge is the decision alone. said is whether IS's agent has said anything, container is IS's.
func judge(e verify.Exposure, c trust.Closing, said, all bool, container string) judgement {
	const subject = "any API subscriber can administer IS"
	kept := all || c.AllScopes == trust.AllScopesKept
	// What is open is closed by IS's deployment.toml as it is now, or as it will be.
	closes := (!e.Scopes || kept || c.AllScopes != trust.AllScopesKept) && (!e.SCIM11 || c.SCIM11) && said
	switch {
	case !e.Any():
		return judgement{message: "API subscribers are kept out of IS's administration"}
	case e.Scopes && !e.SCIM11 && all:
		return judgement{open: true, accepted: true, message: subject + ": SCOPES is all, so IS grants every client the scopes of its administration; SCOPES=authorize ends it"}
	case e.Scopes && !e.SCIM11 && kept:
		return judgement{open: true, accepted: true, message: subject + ": its deployment.toml has [oauth] authorize_all_scopes = true; take that out, or set SETTINGS=override next to IS"}
	case closes && c.AllScopes == trust.AllScopesWaits:
		return judgement{open: true, pending: true, message: subject + " until its agent has authorized all applications and restarted it"}
	case closes && c.Restart == trust.RestartDue:
		return judgement{open: true, pending: true, message: subject + " until its restart, which is due"}
	case closes && c.Restart == trust.RestartByHand:
		return judgement{open: true, message: subject + " until it is restarted, by hand, since RESTART is none beside it: docker restart " + container}
	case e.SCIM11 && !said:
		return judgement{open: true, message: subject + ": " + remedySCIM11 + alsoScopes(e.Scopes && !kept)}
	case e.SCIM11:
		return judgement{open: true, message: subject + ": SCIM 1.1 is open though IS's agent looks after its settings; see whether SETTINGS is none beside it, or another entry [[resource.access_control]] for (.*)/wso2/scim(.*) stands in its deployment.toml" + alsoScopes(e.Scopes && !kept)}
	}
	return judgement{open: true, message: subject + ": IS grants every client the scopes of its administration; " + remedyScopes}
}

const (
	remedyScopes = "set [oauth] authorize_all_scopes = false in its deployment.toml and restart it, or accept it with SCOPES=all"
	remedySCIM11 = "SCIM 1.1 takes every token for its client's owner; put an entry [[resource.access_control]] for (.*)/wso2/scim(.*) before all others in its deployment.toml, as docs/security.md says, and restart it"
)

func alsoScopes(open bool) string {
	if !open {
		return ""
	}
	return "; and " + remedyScopes
}

// secure waits until IS keeps API subscribers out of its administration, as far as that is about to come. An error that
// wraps bootstrap.ErrPermanent says that it does not, and what to do.
func (a Agent) secure(ctx context.Context) error {
	roots, err := a.roots()
	if err != nil {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	hc := wso2.NewHTTPClient(a.pins(), roots)
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for said := ""; ; {
		e, err := verify.Expose(ctx, a.identityServer(hc), a.cfg.ServerName)
		lacks := ""
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("find out whether API subscribers can administer IS: %w", context.Cause(ctx))
		case wso2.IsPermanent(err):
			return fmt.Errorf("%w: find out whether API subscribers can administer IS: %w", bootstrap.ErrPermanent, err)
		case err != nil:
			lacks = err.Error()
		default:
			j := a.judge(ctx, e)
			if !j.pending {
				return a.conclude(j)
			}
			lacks = j.message
		}
		if lacks != said {
			a.log.Warn("not yet, trying again", "check", "API subscribers are kept out of IS's administration", "error", lacks)
			said = lacks
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", lacks, context.Cause(ctx))
		case <-time.After(waits.NextBackOff()):
		}
	}
}

// conclude turns a judgement into the outcome of a bootstrap.
func (a Agent) conclude(j judgement) error {
	switch {
	case !j.open:
		a.log.Info("check", "check", "API subscribers are kept out of IS's administration", "verdict", verify.Pass)
	case j.accepted:
		a.log.Warn(j.message)
	default:
		return fmt.Errorf("%w: %s", bootstrap.ErrPermanent, j.message)
	}
	return nil
}

// lookIntoSecurity finds out what secure waits for, without waiting for a change, and sets the condition. Only the end of ctx
// is an error: what cannot be found out now is found out by the agent next to IS, and at the next attempt. A restart of IS
// makes one.
func (a Agent) lookIntoSecurity(ctx context.Context, health *telemetry.Health) error {
	roots, err := a.roots()
	if err != nil {
		return err
	}
	hc := wso2.NewHTTPClient(a.pins(), roots)
	for try := 1; ; try++ {
		e, err := verify.Expose(ctx, a.identityServer(hc), a.cfg.ServerName)
		if err == nil {
			a.tellSecurity(health, a.judge(ctx, e))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		health.Advise(securityCondition, false, "not known whether API subscribers can administer IS: "+err.Error())
		if try == lookTries || wso2.IsPermanent(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookWait):
		}
	}
}

// lookIntoSecurity tries so often, with so much time between two tries.
const (
	lookTries = 3
	lookWait  = 5 * time.Second
)

// tellSecurity sets the condition and logs a change of it.
func (a Agent) tellSecurity(health *telemetry.Health, j judgement) {
	if !health.Advise(securityCondition, !j.open, j.message) {
		return
	}
	level := slog.LevelInfo
	switch {
	case j.open && (j.accepted || j.pending):
		level = slog.LevelWarn
	case j.open:
		level = slog.LevelError
	}
	a.log.Log(context.Background(), level, j.message)
}

// sayClosing publishes what becomes of the settings that keep API subscribers out of IS. running is as in pass.
func (a Agent) sayClosing(v view, running *notify.Started) error {
	if a.cfg.Product != config.IS {
		return nil
	}
	c := v.closing
	switch {
	case running == nil: // its start reads what is on disk
	case !a.supervised():
		c.Restart = trust.RestartByHand
	case running.Generation != v.generation:
		c.Restart = trust.RestartDue
	}
	_, err := a.exchange().SayClosing(c)
	return err
}

// closingOf is what becomes of the settings that keep API subscribers out of IS, by the text of its deployment.toml and
// what was done about it.
func closingOf(text []byte, changes []server.Change) (c trust.Closing) {
	closed := server.ReadClosed(text)
	c.SCIM11 = closed.SCIM11
	if closed.Scopes {
		return c
	}
	c.AllScopes = trust.AllScopesKept
	if slices.ContainsFunc(changes, func(c server.Change) bool { return c.Setting == server.AllScopesSetting && c.Action == server.Waits }) {
		c.AllScopes = trust.AllScopesWaits
	}
	return c
}
