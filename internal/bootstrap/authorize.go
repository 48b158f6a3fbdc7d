package bootstrap

import (
	"context"
	"log/slog"
	"slices"

	"wso2agent/internal/scopes"
)

// Authorize authorizes all applications of API-M in IS for the scopes of all APIs, unless the settings say otherwise. It returns the
// number of changes. It repeats a failure that concerns one of the own clients. The agent that keeps scopes tries the others again.
// Errors are as those of [Register].
func Authorize(ctx context.Context, log *slog.Logger, servers Servers, s Settings, own []string) (changes int, err error) {
	if !s.Authorize || s.SkipKeyManager {
		return 0, nil
	}
	keeper := scopes.Keeper{Clients: s.ScopesClients, Log: log}
	err = Repeat(ctx, log, s, "authorize the applications for the scopes of APIs", func(ctx context.Context) error {
		report, err := keeper.Poll(ctx, servers.Scopes)
		changes += report.Changes
		if err != nil {
			return err
		}
		for _, f := range report.Failures {
			if slices.Contains(own, f.Application.ClientID) {
				return f.Err
			}
		}
		if err := report.Err(); err != nil {
			log.Warn("not every application has the scopes of APIs", "error", err)
		}
		if len(report.Missing) > 0 {
			log.Warn("IS lacks clients that SCOPES_CLIENTS names", "clients", report.Missing, "remedy", "correct SCOPES_CLIENTS")
		}
		return nil
	})
	return changes, err
}
