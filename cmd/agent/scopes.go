package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"wso2agent/internal/agent"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/scopes"
	"wso2agent/internal/wso2"
)

// errScopesMissing says that an application lacks scopes of APIs. The output names it.
var errScopesMissing = errors.New("not every application is authorized for the scopes of APIs; agent scopes sync authorizes them")

// scopesCommand authorizes the applications of API-M in IS for the scopes of APIs, once, or shows which are.
func scopesCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	asJSON := len(args) == 2 && args[1] == "--json"
	if len(args) == 0 || len(args) > 1 && !asJSON || !slices.Contains([]string{"sync", "status"}, args[0]) {
		return usageError{"agent scopes is followed by sync or status, and perhaps by --json"}
	}
	a, err := newAgent(stderr) // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	if args[0] == "sync" {
		return scopesSync(ctx, a, asJSON, stdout)
	}
	return scopesStatus(ctx, a, asJSON, stdout)
}

func scopesSync(ctx context.Context, a agent.Agent, asJSON bool, stdout io.Writer) error {
	report, err := a.SyncScopes(ctx)
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

// scopesLine is one application in the output of status.
type scopesLine struct {
	Application string   `json:"application"`
	ClientID    string   `json:"clientId"`
	Scopes      []string `json:"scopes"`  // names of those that it is authorized for
	Missing     []string `json:"missing"` // names of those that it lacks
}

func scopesStatus(ctx context.Context, a agent.Agent, asJSON bool, stdout io.Writer) error {
	state, lack, missing, err := a.ReadScopes(ctx)
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
	slices.SortFunc(lines, func(a, b scopesLine) int { return strings.Compare(a.Application, b.Application) })
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
		return errScopesMissing
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

func missingClients(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return fmt.Errorf("%w: IS has no client %s: correct SCOPES_CLIENTS", bootstrap.ErrPermanent, strings.Join(ids, ", "))
}

// byHand marks an error that stays until a person changes something, such as a refused password.
func byHand(err error) error {
	if wso2.IsPermanent(err) {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
