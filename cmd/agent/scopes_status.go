package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/sorting"
)

func scopesStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which application is authorized for what; exit code 2 if one lacks a scope",
		Long: "status shows for each application of API-M for how many scopes of APIs it is authorized in IS, and which it lacks. It exits\n" +
			"with 2 if one lacks a scope, and with 4 if IS has no client of an id in SCOPES_CLIENTS.",
		Example: `  agent scopes status --json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showScopes(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// scopesLine is one application in the output of status.
type scopesLine struct {
	Application string   `json:"application"`
	ClientID    string   `json:"clientId"`
	Scopes      []string `json:"scopes"`  // names of those that it is authorized for
	Missing     []string `json:"missing"` // names of those that it lacks
}

// showScopes prints every application with the scopes that it lacks. Its error wraps errDifferences if an application lacks one.
func showScopes(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	state, lack, missing, err := scopes.Lack(ctx, r.Scopes, r.cfg.Scopes.Clients)
	if err != nil {
		return byHand(err)
	}
	lines := []scopesLine{}
	for _, app := range state.Applications {
		line := scopesLine{app.Name, app.ClientID, []string{}, []string{}}
		for _, s := range app.Scopes {
			line.Scopes = append(line.Scopes, s.Name)
		}
		slices.Sort(line.Scopes)
		if i := slices.IndexFunc(lack, func(l scopes.Action) bool { return l.Application.ID == app.ID }); i >= 0 {
			line.Missing = lack[i].Scopes
		}
		lines = append(lines, line)
	}
	sorting.By(lines, func(a, b scopesLine) int { return strings.Compare(a.Application, b.Application) })
	if asJSON {
		err = writeJSON(stdout, map[string]any{"scopes": len(state.Scopes), "applications": lines, "missingClients": orEmpty(missing)})
	} else {
		err = printScopes(stdout, len(state.Scopes), lines)
	}
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return missingClients(missing)
	case len(lack) > 0:
		return remedy.Add(fmt.Errorf("%w: not every application is authorized for the scopes of APIs", errDifferences), "agent scopes sync authorizes them")
	}
	return nil
}

func printScopes(w io.Writer, count int, lines []scopesLine) error {
	fmt.Fprintf(w, "applications: %d, scopes: %d\n", len(lines), count)
	if len(lines) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APPLICATION\tCLIENT\tAUTHORIZED\tMISSING")
	for _, l := range lines {
		missing := strings.Join(l.Missing, " ")
		if missing == "" {
			missing = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%d of %d\t%s\n", l.Application, l.ClientID, count-len(l.Missing), count, missing)
	}
	return table.Flush()
}
