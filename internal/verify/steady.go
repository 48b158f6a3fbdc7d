package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
)

// Verifier verifies a result of bootstrap, and repeats that if a server restarts meanwhile. It remembers what it has found.
type Verifier struct {
	Log     *slog.Logger
	Server  string                                            // the name of the own server, which is API-M
	Process func(context.Context) (name string, pending bool) // names the own server's process; pending: a restart is about to replace it
	Poll    time.Duration                                     // between two looks at the process; at most one second
	Memory
	WaitInVain time.Duration // see [Options]
}

// Verify verifies the result, and logs in one line, the last one, that everything works. It reads the statement of IS's agent again for each
// try. The caller holds the lock of the bootstrap's files.
func (v *Verifier) Verify(ctx context.Context, cfg config.Config, servers bootstrap.Servers, result bootstrap.Result) error {
	check := func(ctx context.Context) error {
		is, _ := loggedClosing(ctx, v.Log, cfg)
		owner, err := bootstrap.FilesOf(cfg).Owner()
		if err != nil {
			return err
		}
		options := Options{EventWait: cfg.EventWait(), Handler: promised(is, result.KeyManager == cfg.KeyManager.ISName), Owner: owner, WaitInVain: v.WaitInVain}
		called, err := v.Memory.verify(ctx, v.Log, servers, options, result)
		if err != nil {
			return err
		}
		if len(cfg.Trust.Peers) > 0 {
			v.inspect(ctx, cfg, servers, result.APIs)
		}
		v.Memory.tell(v.Log, result, called, "keys", cfg.Bootstrap.KeysFile, "try", result.Try(cfg.Report.AgentCommand, cfg.Gateway.VHost, cfg.Gateway.Port))
		return nil
	}
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

// inspect makes the checks of the table that change nothing, and logs what they find. The verification before has looked at the APIs and the
// keys. A failure here does not undo its result: what was changed works, and the rest is often a matter of a person, such as the clocks.
func (v *Verifier) inspect(ctx context.Context, cfg config.Config, servers bootstrap.Servers, apis []bootstrap.PublishedAPI) {
	var only []string
	for _, d := range Checks() {
		if !d.Write && d.Asks != asksGateway && !strings.HasPrefix(d.ID, "keys.") {
			only = append(only, d.ID)
		}
	}
	subject := Subject{Config: cfg, Settings: bootstrap.SettingsOf(cfg, &bootstrap.Accounts{}), Servers: servers, APIs: apis}
	checks, err := All(ctx, v.Log, subject, Selection{Only: only})
	if err != nil && !errors.Is(err, ErrFailed) {
		v.Log.Warn("the agent could not check both servers", "error", err, "remedy", "run agent verify")
		return
	}
	for _, c := range checks {
		if c.Verdict == Fail || c.Verdict == Warn {
			v.Log.Warn("check", "check", c.ID, "verdict", c.Verdict, "evidence", c.Evidence, "remedy", c.Remedy)
		}
	}
	n := Count(checks)
	v.Log.Info("both servers are checked", "passed", n[Pass], "failed", n[Fail], "warnings", n[Warn], "skipped", n[Skip])
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
