package agent

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/hook"
	"wso2agent/internal/notify"
	"wso2agent/internal/product"
	"wso2agent/internal/rotation"
	"wso2agent/internal/scopes"
	"wso2agent/internal/telemetry"
)

// restarter is a way of restarting the server.
type restarter interface {
	// Request requests a server that runs with the given generation. A second request for it costs nothing.
	Request(ctx context.Context, generation string) error
	// Hold keeps off a restart for the generation on disk: a server that runs with running goes on.
	Hold(ctx context.Context, running, onDisk string) error
	// Wish returns the last request: the generation to run with, and the one on disk.
	Wish(ctx context.Context) (running, onDisk string, err error)
	// Reload requests that the running server loads another certificate.
	Reload(ctx context.Context, r notify.Reload) error
	// Started returns what the running server started with; ok is false if that is not known.
	Started(ctx context.Context) (s notify.Started, ok bool, err error)
}

// Names of conditions. Those before the advisory ones make a running agent ready.
const (
	trustCondition     = rotation.TrustCondition
	restartCondition   = rotation.RestartCondition
	identityCondition  = rotation.IdentityCondition
	bootstrapCondition = "bootstrap"
	// These are advisory, and so are those of the pool and the ports in rotation.
	scopesCondition     = "scopes"
	securityCondition   = "security"
	rolesCondition      = "roles"
	artifactsCondition  = "artifacts"
	revocationCondition = "revocation"
	importsCondition    = rotation.ImportsCondition
)

// Run stays next to the server until ctx ends. It keeps trust and, through the restarter, the running server in step with what is
// on disk. Next to API-M it also keeps the desired state. No error ends it: it logs the error, is not ready, and tries again.
func (a Agent) Run(ctx context.Context) error {
	conditions := []string{trustCondition, restartCondition, identityCondition}
	if a.cfg.Bootstrap.Enabled {
		conditions = append(conditions, bootstrapCondition)
	}
	health := telemetry.NewHealth(4*a.cfg.Watch.Poll+time.Minute, conditions...)
	listening, err := health.Serve(ctx, a.cfg.Report.ListenAddr)
	if err != nil {
		return err
	}
	r := a.cfg.Release
	a.load = config.KeepRelease(a.load, r, func(other product.Release) {
		a.log.Warn("the volume has another version of the server than the one with which the agent has started", "version", other.Version, "keeps", r.Version, "remedy", "restart the agent, which then takes the other version")
	})
	known, message := r.Status()
	health.Advise("version", known, message)
	a.log.Info("agent running", "product", a.cfg.Server.Product, "version", r.Version, "detected", !r.Assumed, "server", a.cfg.Server.Name, "peers", a.cfg.Trust.Peers, "health", "http://"+listening)
	file.WarnOfMounts(a.log, readFiles(a.cfg))
	var loops sync.WaitGroup
	a.hooks = hook.Of(a.cfg.Hooks, a.cfg.Server.Name, func() (*http.Client, error) { s := a.servers(); return s.connect(a.cfg) }, a.log)
	loops.Go(func() { a.hooks.Run(ctx) })
	if asksIS := a.cfg.Server.Product == config.IS || len(a.cfg.Trust.Peers) > 0; asksIS {
		health.Advise(scopesCondition, false, "not yet known")
		health.Advise(securityCondition, false, "not yet known")
		loops.Go(func() { l := a.security(health); l.keep(ctx, l.turn) })
		if scopes.May(a.cfg) {
			loops.Go(func() { l := a.scopes(health); l.keep(ctx, l.turn) })
		}
	}
	if a.cfg.Server.Product == config.AM && len(a.cfg.Trust.Peers) > 0 {
		health.Advise(rolesCondition, false, "not yet known")
		loops.Go(func() { a.keepRoles(ctx, health) })
	}
	if k, _ := a.artifacts(a.cfg); k.Useful() {
		loops.Go(func() { a.keepArtifacts(ctx, health) })
	}
	loops.Go(func() { a.keepTrust(ctx, health) })
	if k := a.keeper(health); k != nil {
		loops.Go(func() { k.Run(ctx) })
	}
	if a.cfg.Server.Product == config.IS {
		loops.Go(func() { a.keepListener(ctx, health) })
	}
	if a.cfg.Bootstrap.Enabled {
		loops.Go(func() { a.keepState(ctx, health) })
	}
	loops.Wait()
	a.log.Info("agent stopped")
	return nil
}

func (a Agent) restarter() restarter {
	if a.supervised() {
		return notify.Exec{Control: a.control()}
	}
	return notify.None{Control: a.control(), Log: a.log, Container: a.cfg.Container()}
}

// keepTrust does a pass whenever something has changed, and after a failure again and again, less often each time.
func (a Agent) keepTrust(ctx context.Context, health *telemetry.Health) {
	changes := a.watch(a.trustFolders()...).Changes(ctx)
	r := a.restarter()
	if a.keepsNotices() {
		countGap(health, notify.Outage{}, 0)
	}
	k := trustKeeper{health: health, restarter: r, memory: rotation.Memory{Patience: time.Now().Add(a.cfg.Init.Timeout)}, ready: func() bool { return a.upgrade.ready() || a.listener.ready() }}
	const firstRetry, lastRetry = time.Second, time.Minute
	retry := firstRetry
	for {
		health.Beat("trust")
		err := a.reload()
		if err == nil {
			err = k.once(ctx, a)
		}
		var again <-chan time.Time
		if !waits(err) && !ended(ctx, err) {
			a.hooks.Failed(err)
		}
		if err != nil && !ended(ctx, err) {
			if !errors.Is(err, errIdentity) {
				health.Set(trustCondition, false, err.Error())
			}
			if waits(err) {
				if text := err.Error(); text != k.busy {
					a.log.Warn("waiting; the agent changes nothing meanwhile", "for", text)
					k.busy = text
				}
				again = time.After(a.cfg.Watch.Poll)
			} else {
				a.log.Error("certificates are not in step, trying again", "wait", retry.String(), "error", err)
				again = time.After(retry)
				retry = min(2*retry, lastRetry)
			}
		} else {
			retry, k.busy, again = firstRetry, "", k.soon()
		}
		beat := func() { health.Beat("trust"); a.keepName(ctx) }
		if !(file.Wait{Changes: changes, Again: again, Every: a.cfg.Watch.Poll, Beat: beat, Due: k.due}).For(ctx) {
			return
		}
	}
}
