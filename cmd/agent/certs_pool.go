package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// poolReport is what list --pool --json prints.
type poolReport struct {
	trust.Pool
	Summary string `json:"summary"`
}

// listPool prints the successors of the own server, as a table or as JSON.
func listPool(ctx context.Context, json bool, stdout, stderr io.Writer) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	prospect, unreadable, err := server.ReadProspect(ctx, cfg)
	if err != nil {
		return fmt.Errorf("list the next certificates of %s: %w", cfg.Server.Name, err)
	}
	warn(stderr, unreadable)
	report := poolReport{prospect.Pool, prospect.Lasts()}
	if json {
		return writeJSON(stdout, report)
	}
	return printPool(stdout, report)
}

func printPool(w io.Writer, r poolReport) error {
	if len(r.Successors) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SHA-256\tEXPIRES\tTRUSTED BY\tNOT YET BY")
		for _, s := range r.Successors {
			fmt.Fprintln(table, strings.Join([]string{s.Fingerprint, s.NotAfter.UTC().Format(time.DateOnly), list(s.TrustedBy), list(s.NotYetBy)}, "\t"))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, r.Summary)
	return err
}

// list joins names for a column that must not be empty.
func list(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}
