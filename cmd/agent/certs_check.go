package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/trust"
)

// errFindings says that a check found errors. The output names them.
var errFindings = errors.New("the store has errors")

func certsCheckCommand() *cobra.Command {
	var f certsFlags
	return f.withJSON(f.on(&cobra.Command{
		Use:   "check",
		Short: "Find what is wrong with a store, or soon will be; exit code 1 if something is wrong",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkStore(cmd.Context(), f, cmd.OutOrStdout())
		},
	}))
}

// checkStore prints all findings about a store. Its error wraps errFindings if one of them is an error.
func checkStore(ctx context.Context, f certsFlags, stdout io.Writer) error {
	store, _, err := f.open()
	if err != nil {
		return err
	}
	report, err := store.Lint(ctx, time.Now())
	if err != nil {
		return err
	}
	if f.json {
		err = writeJSON(stdout, report)
	} else {
		printReport(stdout, report)
	}
	if err == nil && report.Failed() {
		err = fmt.Errorf("check %s: %w", store.Path, errFindings)
	}
	return err
}

func printReport(w io.Writer, r trust.Report) {
	count := map[trust.Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
		about := ""
		if f.Alias != "" {
			about = fmt.Sprintf("%q: ", f.Alias)
		}
		fmt.Fprintf(w, "%-8s %-17s %s%s\n", f.Severity, f.Check, about, printable(f.Message))
	}
	what := "not opened"
	if r.Format != "" {
		what = fmt.Sprintf("%s, %d entries", r.Format, r.Entries)
	}
	fmt.Fprintf(w, "%s: %s; %d errors, %d warnings, %d infos\n", r.Store, what, count[trust.Error], count[trust.Warning], count[trust.Info])
}
