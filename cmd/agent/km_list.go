package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

func kmListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the key managers of API-M",
		Long:    "list lists the key managers of API-M. USED says whether an API or an application uses one.",
		Example: `  agent km list --json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listKeyManagers(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// keyManagerLine is one key manager in the output of list.
type keyManagerLine struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Enabled bool   `json:"enabled"`
	Used    bool   `json:"used"` // by an API or an application
}

func listKeyManagers(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return byHand(err)
	}
	lines, rows := []keyManagerLine{}, [][]string{}
	for _, km := range list {
		lines = append(lines, keyManagerLine(km))
		rows = append(rows, []string{km.Name, km.Type, yesNo(km.Enabled), yesNo(km.Used)})
	}
	if asJSON {
		return writeJSON(stdout, lines)
	}
	return table(stdout, []string{"NAME", "TYPE", "ENABLED", "USED"}, rows)
}
