package bootstrap

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
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
	files := FilesOf(cfg)
	desired, err := files.Desired()
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
	k.Tell("bringing the servers to the desired state")
	servers, result, err := k.reach(ctx, cfg, desired)
	if err != nil {
		return err
	}
	k.Tell("verifying it")
	return k.Verify(ctx, cfg, servers, result)
}

// reach brings the servers to the desired state, writes the application's keys, and logs what earlier runs have left on the
// servers.
func (k *Keeper) reach(ctx context.Context, cfg config.Config, desired *Desired) (servers Servers, result Result, err error) {
	files, settings := FilesOf(cfg), SettingsOf(cfg, k.Accounts)
	hc, err := k.connect(cfg)
	if err != nil {
		return servers, result, err
	}
	before, _ := file.Read(files.Keys.JSON, filesLimit) // of an earlier run, if there was one
	settings.KeyMappingID = KeyMappingID(before)
	if settings.Owner, err = files.Owner(); err != nil {
		return servers, result, err
	}
	record := files.readRecord(k.Log)
	record.APIs = desired.Names(record.APIs)
	settings.Known = record.APIs
	if err := files.writeRecord(record); err != nil { // before Run makes anything: a run that is killed forgets nothing
		return servers, result, err
	}
	servers = Connect(hc, settings)
	if result, err = Run(ctx, k.Log, servers, settings, desired); err != nil {
		return servers, result, err
	}
	reportOtherKey(k.Log, MadeBefore(before), result, files.Keys.JSON)
	// The keys of other applications are those of agent apply.
	earlier, _ := keysfile.Decode(before)
	keys := keysfile.Merge(earlier, result.keys())
	slices.SortStableFunc(keys, func(a, b keysfile.Key) int {
		switch own := result.Application; {
		case a.Application == own && b.Application != own:
			return -1
		case a.Application != own && b.Application == own:
			return 1
		}
		return 0
	})
	if err := files.Keys.Write(keys); err != nil {
		return servers, result, err
	}
	return servers, result, files.reportLeftOver(k.Log, record, desired, result)
}

// reportOtherKey logs that the consumer key of the same application and key manager has changed. Clients have to learn the
// new one.
func reportOtherKey(log *slog.Logger, before Made, now Result, keys string) {
	if before.ConsumerKey == "" || before.ConsumerKey == now.ConsumerKey || before.Application != now.Application || before.KeyManager != now.KeyManager {
		return
	}
	log.Warn("the application has another consumer key than before, because the old one was lost",
		"application", now.Application, "was", before.ConsumerKey, "now", now.ConsumerKey, "keys", keys, "remedy", "give clients the keys in the keys file")
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
