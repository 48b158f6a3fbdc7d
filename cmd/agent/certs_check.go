package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"wso2agent/internal/trust"
)

// errFindings ends a check that has found errors, all of which it has printed.
var errFindings = errors.New("the store has errors")

func certsCheck(ctx context.Context, args []string, stdout, _ io.Writer) error {
	flags := newCertsFlags("check").withJSON()
	if err := flags.parse(args); err != nil {
		return err
	}
	store, _, err := flags.open()
	if err != nil {
		return err
	}
	report, err := store.Lint(ctx, time.Now())
	if err != nil {
		return err
	}
	if flags.json {
		err = printJSON(stdout, report)
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
