package agent

import (
	"context"
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
	for told := false; ; told = true {
		started, pending := a.process(ctx)
		if !pending {
			return started, nil
		}
		if !told {
			a.log.Info("waiting", "for", "the restart of "+a.cfg.ServerName+" that its agent has asked for")
		}
		select {
		case <-ctx.Done():
			return started, fmt.Errorf("waiting for the restart of %s: %w", a.cfg.ServerName, context.Cause(ctx))
		case <-time.After(min(a.cfg.Poll, time.Second)):
		}
	}
}

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
	for told := false; ; told = true {
		err := serves(ctx)
		if err == nil {
			return nil
		}
		if !told {
			a.log.Info("waiting", "for", server+" to serve", "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to serve: %w; %w", server, context.Cause(ctx), err)
		case <-time.After(time.Second):
		}
	}
}
