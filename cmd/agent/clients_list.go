package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func clientsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the OAuth clients of IS with their owners, and who uses them",
		Long: `list lists the OAuth clients of IS. APPLICATION is the application of API-M that uses a client. It is "(deleted)" if API-M has
made the client for an application that is gone: nobody needs such a client any more.`,
		Example: `  agent clients list --json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listAllClients(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listAllClients(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, servers, err := reachClients(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := objects.Clients(ctx, servers)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, append([]objects.Client{}, list...))
	}
	rows := [][]string{}
	for _, c := range list {
		rows = append(rows, []string{c.Name, c.ClientID, c.Owner, c.Application})
	}
	return table(stdout, []string{"NAME", "CLIENT", "OWNER", "APPLICATION"}, rows)
}
