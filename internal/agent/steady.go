package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wso2agent/internal/notify"
)

// steady does work on the own server while that runs on. A restart that was asked for comes first, and if the server was
// restarted while the work failed, the work is done again. serves returns why the server does not serve yet.
func (a Agent) steady(ctx context.Context, serves, work func(context.Context) error) error {
	for {
		before, err := a.settled(ctx)
		if err != nil {
			return err
		}
		if err := a.awaitServer(ctx, a.cfg.ServerName, serves); err != nil {
			return err
		}
		err = work(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		after, pending := a.process(ctx)
		before.Serves = after.Serves // it may have begun to answer meanwhile: that is the same process
		if !pending && after == before {
			return err
		}
		a.log.Info("the server was restarted meanwhile, so what failed is done again once it serves", "server", a.cfg.ServerName, "failed", err)
	}
}

// whileServing does work that needs another server, and does it again if that does not serve when the work has failed: its own
// agent may have restarted it meanwhile, for a certificate or a setting.
func (a Agent) whileServing(ctx context.Context, server string, serves, work func(context.Context) error) error {
	for {
		err := work(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if down := serves(ctx); down == nil || ctx.Err() != nil {
			return err
		}
		a.log.Info("the server does not serve, so what failed is done again once it does", "server", server, "failed", err)
		if err := a.awaitServer(ctx, server, serves); err != nil {
			return err
		}
	}
}

// settled waits until agent exec has done the restart that was asked for, and returns the server's process.
func (a Agent) settled(ctx context.Context) (notify.Started, error) {
	var started notify.Started
	err := a.await(ctx, "the restart of "+a.cfg.ServerName+" that its agent has asked for", min(a.cfg.Poll, time.Second), func(ctx context.Context) error {
		var pending bool
		if started, pending = a.process(ctx); pending {
			return errRestartPending
		}
		return nil
	})
	return started, err
}

// errRestartPending says that agent exec is about to restart the server.
var errRestartPending = errors.New("agent exec has not restarted it yet")

// process is the server's process, as agent exec says; pending reports whether it is about to be replaced. Where no agent
// exec is there, nothing is known and nothing is pending.
func (a Agent) process(ctx context.Context) (started notify.Started, pending bool) {
	if !a.supervised() {
		return started, false
	}
	started, known, err := a.restarter().Started(ctx)
	if err != nil || !known {
		return started, false
	}
	due, err := a.control().Due(started)
	present, presentErr := a.control().Present()
	return started, err == nil && presentErr == nil && present && due
}

// awaitServer waits until the server serves. It asks every second: a server that has just been restarted takes a minute or
// two, and a person may be waiting.
func (a Agent) awaitServer(ctx context.Context, server string, serves func(context.Context) error) error {
	return a.await(ctx, server+" to serve", time.Second, serves)
}

// await calls ready, and again every interval, until it returns nil or ctx ends. It logs once what the agent waits for.
func (a Agent) await(ctx context.Context, what string, every time.Duration, ready func(context.Context) error) error {
	for logged := false; ; logged = true {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !logged {
			a.log.Info("waiting", "for", what, "error", err)
		}
		if !sleep(ctx, every) {
			return fmt.Errorf("waiting for %s: %w; %w", what, context.Cause(ctx), err)
		}
	}
}
