package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
)

// Verifier verifies a result of bootstrap by the table of checks, and repeats that if a server restarts meanwhile. It remembers what it has
// found.
type Verifier struct {
	Log     *slog.Logger
	Server  string                                            // the name of the own server, which is API-M
	Process func(context.Context) (name string, pending bool) // names the own server's process; pending: a restart is about to replace it
	Poll    time.Duration                                     // between two looks at the process; at most one second
	Write   bool                                              // also make the checks that make something on the servers, and remove it again
	Memory
	WaitInVain time.Duration // see [Selection]
}

// Verify verifies the result, and logs in one line, the last one, that everything works. It reads the statement of IS's agent again for each
// try. The caller holds the lock of the bootstrap's files.
func (v *Verifier) Verify(ctx context.Context, cfg config.Config, servers bootstrap.Servers, result bootstrap.Result) error {
	check := func(ctx context.Context) error { return v.check(ctx, cfg, servers, result) }
	return v.own(ctx, servers.Gateway.Healthy, func(ctx context.Context) error {
		if len(cfg.Trust.Peers) == 0 {
			return check(ctx)
		}
		return v.other(ctx, "IS", func(ctx context.Context) error {
			_, err := servers.IS.Discovery(ctx)
			return err
		}, check)
	})
}

// check makes the checks once. A failure of what the bootstrap has not set up is a warning.
func (v *Verifier) check(ctx context.Context, cfg config.Config, servers bootstrap.Servers, result bootstrap.Result) error {
	owner, err := bootstrap.FilesOf(cfg).Owner()
	if err != nil {
		return err
	}
	v.recall(result.APIs)
	subject := Subject{Config: cfg, Settings: bootstrap.SettingsOf(cfg, &bootstrap.Accounts{}), Servers: servers, Result: &result}
	selection := Selection{Only: v.ids(), Write: v.Write, Wait: time.Minute, EventWait: cfg.EventWait(), WaitInVain: v.WaitInVain, Owner: owner}
	ofIS := result.KeyManager == cfg.KeyManager.ISName
	var serious []Check
	checks, err := inspect(ctx, v.Log, subject, selection, func(d Definition, list []Check) {
		fails := d.Fails == always || d.Fails == withIS && ofIS
		if fails {
			serious = append(serious, list...)
		}
		v.log(d, list, fails)
	})
	if err != nil {
		return err
	}
	v.note(checks)
	n := Count(checks)
	v.Log.Info("both servers are checked", "passed", n[Pass], "failed", n[Fail], "warnings", n[Warn], "skipped", n[Skip])
	if err := failure(serious); err != nil {
		return err
	}
	v.tell(v.Log, result, "keys", cfg.Bootstrap.KeysFile, "try", result.Try(cfg.Report.AgentCommand, cfg.Gateway.VHost, cfg.Gateway.Port))
	return nil
}

// ids are the checks that a verification makes. Others look at the rest of the desired state, all the time: whether API subscribers can
// administer IS ([AwaitClosed], [Guard]), and whether applications are authorized (package scopes). The keys are what the bootstrap has
// just made. A person asks for a token of the administrator, and no run makes one by itself.
func (v *Verifier) ids() (ids []string) {
	for _, d := range Checks() {
		if (v.Write || !d.Write) && !d.is("security") && d.ID != scopesAuthorized && d.ID != keysManager && d.ID != tokenPassword {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// log logs each result of a check. APIs that the gateway has are one line.
func (v *Verifier) log(d Definition, list []Check, fails bool) {
	known := 0
	for _, c := range list {
		if d.ID == apiLoaded && c.Verdict == Pass {
			known++
			continue
		}
		args := []any{"check", c.ID, "verdict", c.Verdict}
		if api := c.subject(); api != "" {
			args = append(args, "of", api)
		}
		args = append(args, "evidence", c.Evidence)
		switch {
		case c.Verdict == Fail && fails:
			v.Log.Error("check", append(args, "remedy", c.Remedy)...)
		case c.Remedy != "":
			v.Log.Warn("check", append(args, "remedy", c.Remedy)...)
		default:
			v.Log.Info("check", args...)
		}
	}
	if known > 0 {
		v.Log.Info("check", "check", d.ID, "verdict", Pass, "evidence", fmt.Sprintf("the gateway has %d of %d APIs", known, len(list)))
	}
}

// own does work on the own server while that server keeps running. If an agent has requested a restart, own waits for it
// first. If the server was restarted while the work failed, own repeats the work. serves returns why the server does not serve.
func (v *Verifier) own(ctx context.Context, serves, work func(context.Context) error) error {
	for {
		before, err := v.settled(ctx)
		if err != nil {
			return err
		}
		if err := v.await(ctx, v.Server, serves); err != nil {
			return err
		}
		err = work(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		after, pending := v.Process(ctx)
		if !pending && after == before {
			return err
		}
		v.Log.Info("the server was restarted meanwhile, so the agent repeats what failed once it serves", "server", v.Server, "failed", err)
	}
}

// other does work that needs another server. It repeats work that has failed while that server did not serve, because the server's
// own agent may have restarted it for a certificate or a setting.
func (v *Verifier) other(ctx context.Context, server string, serves, work func(context.Context) error) error {
	for {
		err := work(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if down := serves(ctx); down == nil || ctx.Err() != nil {
			return err
		}
		v.Log.Info("the server does not serve, so the agent repeats what failed once it does", "server", server, "failed", err)
		if err := v.await(ctx, server, serves); err != nil {
			return err
		}
	}
}

// settled waits until agent exec has done a requested restart, and returns the server's process.
func (v *Verifier) settled(ctx context.Context) (process string, err error) {
	err = v.wait(ctx, "the restart of "+v.Server+" that its agent has requested", min(v.Poll, time.Second), func(ctx context.Context) error {
		var pending bool
		if process, pending = v.Process(ctx); pending {
			return errPending
		}
		return nil
	})
	return process, err
}

// errPending says that agent exec is about to restart the server.
var errPending = errors.New("agent exec has not restarted it yet")

// await waits until the server serves. It asks every second: a restarted server takes a minute or two, and a person may be
// waiting.
func (v *Verifier) await(ctx context.Context, server string, serves func(context.Context) error) error {
	return v.wait(ctx, server+" to serve", time.Second, serves)
}

// wait calls ready every interval, until it returns nil or ctx ends. It logs once what the agent waits for.
func (v *Verifier) wait(ctx context.Context, what string, every time.Duration, ready func(context.Context) error) error {
	for logged := false; ; logged = true {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !logged {
			v.Log.Info("waiting", "for", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; %w", what, context.Cause(ctx), err)
		case <-time.After(every):
		}
	}
}
