package agent

import (
	"context"
	"fmt"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/drift"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/verify"
)

// ownServer is what agent exec says of the own server.
type ownServer interface {
	Started(context.Context) (s notify.Started, ok bool, err error)
	Process(context.Context) (name string, pending bool)
}

func (a Agent) ownServer() ownServer { return a.restarter().(ownServer) } // Exec or None

// bootstrapper returns what brings the servers to the desired state, and what verifies that, with or without what makes something on the
// servers for the verification. It calls tell with what it is doing.
func (a Agent) bootstrapper(write bool, tell func(doing string)) (*bootstrap.Keeper, *verify.Verifier) {
	s := a.ownServer()
	v := &verify.Verifier{Log: a.log, Server: a.cfg.Server.Name, Process: s.Process, Poll: a.cfg.Watch.Poll, Write: write, WaitInVain: a.waitInVain}
	return &bootstrap.Keeper{Log: a.log, Load: a.load, Accounts: a.accounts, Server: s, Watch: a.watch(), Tell: tell, Check: server.OwnCalls, Apply: apply.Bootstrap, Verify: v.Verify}, v
}

// Bootstrap brings the servers to the desired state once, within BOOTSTRAP_TIMEOUT, and verifies it. An error that wraps
// bootstrap.ErrPermanent names what to change; one that wraps ErrTimeout means that time ran out.
func (a Agent) Bootstrap(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.Bootstrap.Timeout,
		fmt.Errorf("%w: BOOTSTRAP_TIMEOUT, %s, has passed", ErrTimeout, a.cfg.Bootstrap.Timeout))
	defer cancel()
	files := bootstrap.FilesOf(a.cfg)
	if _, err := files.Desired(); err != nil { // at once, and not after the servers have come up
		return err
	}
	if err := files.CheckKeys(); err != nil {
		return err
	}
	// If agent exec runs the server and its sidecar waits for this command, this process does the sidecar's work for trust
	// meanwhile. A sidecar that runs does the same, and finds it done.
	if _, supervised, err := a.ownServer().Started(ctx); err == nil && supervised {
		go a.keepTrust(ctx, telemetry.NewHealth(time.Hour, trustCondition, restartCondition))
	}
	k, _ := a.bootstrapper(true, func(string) {})
	if err := k.TryPasswords(ctx, a.cfg); err != nil { // as soon as the servers answer
		return err
	}
	if err := k.AwaitTrust(ctx, a.cfg); err != nil {
		return err
	}
	if err := k.Reach(ctx, a.cfg); err != nil || len(a.cfg.Trust.Peers) == 0 {
		return err
	}
	s := a.servers()
	return verify.AwaitClosed(ctx, a.log, a.cfg, s.is)
}

// keepState keeps the servers in the desired state until ctx ends.
func (a Agent) keepState(ctx context.Context, health *telemetry.Health) {
	k, v := a.bootstrapper(false, func(doing string) { health.Set(bootstrapCondition, false, doing) })
	l, compare := a.life(health, bootstrapCondition), drift.New(a.log, health, a.accounts, k.Reached, k.Again)
	l.changes = a.watch(bootstrap.Folders(a.cfg)...).Changes(ctx)
	l.keep(ctx, func(ctx context.Context, unreadable error) time.Duration {
		wait := k.Turn(ctx, l.cfg, unreadable, l.changes)
		if err := k.Trouble(); err != nil {
			health.Set(bootstrapCondition, false, err.Error())
		} else if wait > 0 {
			health.Set(bootstrapCondition, true, "the desired state is reached and verified")
			ok, message := v.Revoked()
			health.Advise(revocationCondition, ok, message)
			wait = min(wait, compare.Turn(ctx, l.cfg))
		}
		return wait
	})
}
