package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
)

// TryPasswords waits until both servers answer, and tries the administrators' passwords on them. An error that wraps
// [ErrPermanent] names the wrong password.
func (k *Keeper) TryPasswords(ctx context.Context, cfg config.Config) error {
	hc, err := k.connect(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	if err := tryPasswords(ctx, k.Log, hc, SettingsOf(cfg, k.Accounts), k.Tell); err != nil {
		return err
	}
	problem, err := k.Check(cfg)
	if problem != "" {
		return fmt.Errorf("%w: %s", ErrPermanent, problem)
	}
	return err
}

// Reach brings the servers to the desired state, writes the application's keys, and verifies that they work.
func (k *Keeper) Reach(ctx context.Context, cfg config.Config) error {
	defer k.begin()()
	files := FilesOf(cfg)
	file, err := files.Desired()
	if err != nil {
		return err
	}
	if err := files.CheckKeys(); err != nil {
		return err
	}
	k.Tell("trying the administrators' passwords")
	if err := k.TryPasswords(ctx, cfg); err != nil {
		return err
	}
	unlock, err := files.Lock(ctx, func() {
		const other = "another agent that brings the servers to the desired state"
		k.Tell("waiting for " + other)
		k.Log.Info("waiting", "for", other, "keys", files.Keys.JSON)
	})
	if err != nil {
		return err
	}
	defer unlock()
	return k.bring(ctx, cfg, file)
}

// bring brings the servers to the desired state, and verifies that it works. If it does not, and the run has not read every API, bring
// reads everything, and verifies again if that has changed anything: no list shows that an API has lost its deployment.
func (k *Keeper) bring(ctx context.Context, cfg config.Config, file *desired.File) (failed error) {
	for {
		k.Tell("bringing the servers to the desired state")
		servers, result, err := k.reach(ctx, cfg, file)
		if err != nil {
			return err
		}
		if failed != nil && result.Changes == 0 {
			return failed
		}
		k.Tell("verifying it")
		failed = k.Verify(ctx, cfg, servers, result)
		if failed == nil || result.Whole || ctx.Err() != nil {
			return failed
		}
		k.Log.Info("the verification failed, so the agent reads everything", "error", failed)
		if err := FilesOf(cfg).ForgetUnchanged(); err != nil {
			return errors.Join(failed, err)
		}
	}
}

// reach brings the servers to the desired state, and logs what earlier runs have left on the servers.
func (k *Keeper) reach(ctx context.Context, cfg config.Config, desired *desired.File) (servers Servers, result Result, err error) {
	files, settings := FilesOf(cfg), SettingsOf(cfg, k.Accounts)
	hc, err := k.connect(cfg)
	if err != nil {
		return servers, result, err
	}
	if settings.Owner, err = files.Owner(); err != nil {
		return servers, result, err
	}
	record := files.readRecord(k.Log)
	record.APIs = namesIn(desired, record.APIs)
	settings.Known = record.APIs
	if err := files.writeRecord(record); err != nil { // before anything is made: a run that is killed forgets nothing
		return servers, result, err
	}
	if result, err = k.Apply(ctx, k.Log, hc, settings, files, desired); err != nil {
		return servers, result, err
	}
	return Connect(hc, settings), result, files.reportLeftOver(k.Log, record, desired, result)
}

// Try returns a command that calls an API through the gateway at host and port, with a token from the given agent command;
// empty if the application may call no API. The command has no quotes, because the log would escape them. API-M signs its
// own certificate, so curl needs -k, or --cacert with that certificate.
func (r Result) Try(agentCommand, host string, port int) string {
	for _, api := range r.APIs {
		if api.Subscribed {
			return fmt.Sprintf("curl -k --oauth2-bearer $(%s token) https://%s%s/", agentCommand, net.JoinHostPort(host, strconv.Itoa(port)), api.Path)
		}
	}
	return ""
}
