package agent

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// Waits of keepSecurity.
const (
	examineAgain = 30 * time.Second // after nothing was found out, or what was found out is about to end
	examineOften = time.Hour        // though IS was not seen to restart
)

// accounts are the administrators' accounts. All requests of this process with one of them count together, so that a wrong
// password does not lock the account.
type accounts struct{ am, is wso2.Lockout }

func (a Agent) isCredentials() wso2.Credentials {
	return wso2.Credentials{User: a.cfg.ISAdminUser, Password: wso2.Secret(a.cfg.ISAdminPass), Source: "IS_ADMIN_USER and IS_ADMIN_PASS", Lockout: &a.accounts.is}
}

// identityServer are the clients of IS with the password as it is now.
func (a Agent) identityServer(hc *http.Client) verify.IdentityServer {
	base, cred := "https://"+a.cfg.ISAddress(), a.isCredentials()
	return verify.IdentityServer{HTTP: hc, OAuth: wso2.NewIdentity(hc, base, cred), Authorization: wso2.NewAuthorization(hc, base, cred)}
}

// connection is an HTTP client that keeps its connections, and is made again only for other CAs (TLS_CA_FILE).
type connection struct {
	client *http.Client
	cas    []byte
}

func (c *connection) to(a Agent) (*http.Client, error) {
	var cas []byte
	if a.cfg.TLSCAFile != "" {
		var err error
		if cas, err = file.Read(a.cfg.TLSCAFile, caLimit); err != nil {
			return nil, fmt.Errorf("read the CAs of TLS_CA_FILE: %w", err)
		}
	}
	if c.client == nil || !bytes.Equal(cas, c.cas) {
		roots, err := a.roots()
		if err != nil {
			return nil, err
		}
		if c.client != nil {
			c.client.CloseIdleConnections()
		}
		c.client, c.cas = wso2.NewHTTPClient(a.pins(), roots), cas
	}
	return c.client, nil
}

// examine finds out whether API subscribers can administer the running IS, and what follows. An error says that nothing was
// found out.
func (a Agent) examine(ctx context.Context, hc *http.Client) (judgement, error) {
	e, err := verify.Expose(ctx, a.identityServer(hc), a.cfg.ServerName)
	if err != nil {
		return judgement{}, fmt.Errorf("verify that API subscribers cannot administer IS: %w", err)
	}
	c := circumstances{all: a.cfg.Scopes == "all", container: a.cfg.ISContainer}
	if c.closing, c.said, err = a.closingOfIS(ctx); err != nil {
		a.log.Warn("what IS's agent says about its settings cannot be read", "error", err)
	}
	return judge(e, c), nil
}

// closingOfIS is what IS's agent says about the settings that keep API subscribers out; said is false where there is none.
func (a Agent) closingOfIS(ctx context.Context) (c trust.Closing, said bool, err error) {
	name := a.nameOf(config.IS, a.cfg.ISHost)
	if name == "" {
		return c, false, nil
	}
	return a.exchange().Closing(ctx, name)
}

// secure waits until API subscribers cannot administer IS, as far as that is about to come. An error that wraps
// bootstrap.ErrPermanent says that they can, and what to do.
func (a Agent) secure(ctx context.Context) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	var c connection
	for said := ""; ; {
		hc, err := c.to(a)
		if err != nil {
			return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
		}
		j, err := a.examine(ctx, hc)
		lacks := j.String()
		switch {
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("verify that API subscribers cannot administer IS: %w", context.Cause(ctx))
		case wso2.IsPermanent(err):
			return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
		case err != nil:
			lacks = err.Error()
		case j.verdict == open:
			return fmt.Errorf("%w: %s", bootstrap.ErrPermanent, j)
		case j.verdict != pending:
			a.logJudgement(j)
			return nil
		}
		if lacks != said {
			a.log.Warn("not yet, trying again", "check", "API subscribers cannot administer IS", "error", lacks)
			said = lacks
		}
		if !sleep(ctx, waits.NextBackOff()) {
			return fmt.Errorf("%s: %w", lacks, context.Cause(ctx))
		}
	}
}

func (a Agent) logJudgement(j judgement) {
	switch j.verdict {
	case closed:
		a.log.Info("check", "check", "API subscribers cannot administer IS", "verdict", verify.Pass)
	case open:
		a.log.Error(openIS, "why", j.why, "remedy", j.remedy)
	default:
		a.log.Warn(openIS, "why", j.why, "remedy", j.remedy)
	}
}

// keepSecurity verifies that API subscribers cannot administer IS, after each start of IS, until ctx ends.
func (a Agent) keepSecurity(ctx context.Context, health *telemetry.Health) {
	if a.cfg.Scopes == "all" {
		a.log.Warn("SCOPES is all: IS grants every client every scope, so any API subscriber can administer it", "remedy", "set SCOPES=authorize")
	}
	k := securityKeeper{health: health}
	beat := func() { health.Beat(securityCondition) }
	for {
		beat()
		if a.reload() == nil { // else keepTrust says so
			whileBeating(beat, a.cfg.Poll, func() { k.look(ctx, a) })
		}
		if !waitFor(ctx, nil, time.After(a.cfg.Poll), a.cfg.Poll, beat, never) {
			return
		}
	}
}

// securityKeeper is what keepSecurity remembers from one look to the next.
type securityKeeper struct {
	health     *telemetry.Health
	connection connection
	served     bool      // IS answered the last time
	start      time.Time // of the running IS, where agent exec runs it next to this agent
	due        time.Time // when IS is examined next
	unsaid     time.Time // since when no agent next to IS has said anything
}

// look asks whether IS serves, without a password, and examines it when that is due.
func (k *securityKeeper) look(ctx context.Context, a Agent) {
	hc, err := k.connection.to(a)
	if err == nil {
		_, err = a.identityServer(hc).OAuth.Discovery(ctx)
	}
	if err != nil {
		k.served = false // what was found out stays until IS serves again
		return
	}
	if start := a.startOfIS(ctx); !k.served || !start.Equal(k.start) {
		k.served, k.start, k.due = true, start, time.Now()
	}
	k.tellWhoAuthorizes(ctx, a)
	if time.Now().Before(k.due) {
		return
	}
	j, err := a.examine(ctx, hc)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		k.due = time.Now().Add(examineAgain)
		k.health.Advise(securityCondition, false, "not known: "+err.Error())
		a.log.Debug("whether API subscribers can administer IS is not known, trying again", "wait", examineAgain.String(), "error", err)
		return
	case j.verdict == pending:
		k.due = time.Now().Add(examineAgain)
	default:
		k.due = time.Now().Add(examineOften)
	}
	if k.health.Advise(securityCondition, j.verdict == closed, j.String()) {
		a.logJudgement(j)
	}
}

// startOfIS is when the running IS was started; zero where no agent exec next to this agent runs it.
func (a Agent) startOfIS(ctx context.Context) time.Time {
	if a.cfg.Product != config.IS {
		return time.Time{}
	}
	started, _, err := a.restarter().Started(ctx)
	if err != nil {
		return time.Time{}
	}
	return started.Since
}

// tellWhoAuthorizes says, next to API-M, whether an agent next to IS authorizes applications: where there is none, nobody
// does.
func (k *securityKeeper) tellWhoAuthorizes(ctx context.Context, a Agent) {
	if a.looksAfterScopes() || a.cfg.Scopes == "all" {
		return
	}
	_, said, err := a.closingOfIS(ctx)
	switch {
	case said:
		k.unsaid = time.Time{}
		k.health.Advise(scopesCondition, true, "the agent next to IS authorizes applications")
		return
	case err != nil:
		return
	case k.unsaid.IsZero():
		k.unsaid = time.Now()
	}
	if time.Since(k.unsaid) < examineAgain {
		return
	}
	const nobody = "nobody authorizes applications of API-M for scopes of APIs: no agent runs next to IS"
	if k.health.Advise(scopesCondition, false, nobody+"; set SCOPES_AT=am next to API-M") {
		a.log.Warn(nobody, "remedy", "set SCOPES_AT=am next to API-M")
	}
}

// whileBeating does work, which may take longer than a loop may be silent, and gives signs of life meanwhile. Every request in it
// has a time-out of its own.
func whileBeating(beat func(), every time.Duration, work func()) {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			beat()
		}
	}
}

// hasRevocationHandler reports whether the handler that tells API-M of revoked tokens lies on a volume of IS's or in its home,
// in any version.
func (a Agent) hasRevocationHandler() bool {
	for _, dir := range []string{a.cfg.ArtifactDir, a.cfg.ConfigDir, a.cfg.ServerHome} {
		found, err := filepath.Glob(filepath.Join(dir, "repository/components/dropins/wso2is.notification.event.handlers*.jar"))
		if err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// closingOf is what becomes of the settings that keep API subscribers out of IS, by the text of its deployment.toml and
// what was done about it. A text that the server would refuse closes nothing.
func closingOf(text []byte, changes []server.Change) (c trust.Closing) {
	closed, err := server.ReadClosed(text)
	if err != nil {
		return c
	}
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
