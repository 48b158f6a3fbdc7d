package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/scopes"
)

func scopesSyncCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Authorize every application for the scopes of APIs, once",
		Long: "sync authorizes each application of API-M in IS for the scopes of APIs that it lacks, as the agent next to IS does. It exits\n" +
			"with 1 if IS refuses one application.",
		Example: `  agent scopes sync`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return syncScopes(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// syncScopes authorizes what is missing, and prints how much that was.
func syncScopes(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	keeper := scopes.Keeper{Clients: r.cfg.Scopes.Clients, Log: r.log}
	report, err := keeper.Poll(ctx, r.Scopes)
	if err != nil {
		return byHand(err)
	}
	failures := []map[string]string{}
	for _, f := range report.Failures {
		failures = append(failures, map[string]string{"application": f.Application.Name, "clientId": f.Application.ClientID, "error": f.Err.Error()})
	}
	if asJSON {
		err = writeJSON(stdout, map[string]any{"scopes": report.Scopes, "applications": report.Applications, "changed": report.Changes,
			"failures": failures, "missingClients": orEmpty(report.Missing)})
	} else {
		_, err = fmt.Fprintf(stdout, "applications: %d, scopes: %d, authorized now: %d\n", report.Applications, report.Scopes, report.Changes)
	}
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return errors.Join(err, missingClients(report.Missing))
	}
	return missingClients(report.Missing)
}
