package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func apisListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the APIs of API-M",
		Long:    "list lists the APIs of API-M with the state of their lifecycle. The list of API-M is about a second behind.",
		Example: `  agent apis list --json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listAPIs(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// apiLine is one API in the output of list.
type apiLine struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Context  string `json:"context"`
	State    string `json:"state"`
	Type     string `json:"type"`
	Provider string `json:"provider"`
}

func listAPIs(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := objects.APIs(ctx, r.Publisher)
	if err != nil {
		return byHand(err)
	}
	lines, rows := []apiLine{}, [][]string{}
	for _, a := range list {
		lines = append(lines, apiLine{a.ID, a.Name, a.Version, a.Context, a.LifeCycle, a.Type, a.Provider})
		rows = append(rows, []string{a.Name, a.Version, a.Context, a.LifeCycle, a.Type, a.Provider})
	}
	if asJSON {
		return writeJSON(stdout, lines)
	}
	return table(stdout, []string{"NAME", "VERSION", "CONTEXT", "STATE", "TYPE", "PROVIDER"}, rows)
}
