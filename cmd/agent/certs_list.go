package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"wso2agent/internal/keystore"
)

func certsListCommand() *cobra.Command {
	var f certsFlags
	var pool bool
	cmd := f.withJSON(f.on(&cobra.Command{
		Use:   "list",
		Short: "List all entries of a store, or the next certificates of the own server",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pool {
				return listPool(cmd.Context(), f.json, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return listEntries(cmd.Context(), f, cmd.OutOrStdout())
		},
	}))
	cmd.Flags().BoolVar(&pool, "pool", false, "list the next certificates of the own server, which servers trust them, and how long they last")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if pool && (f.store != "" || f.keystore != "") {
			return usage(cmd, "--pool lists the next certificates of the own server: use it without --store and --keystore")
		}
		return f.check(cmd, args)
	}
	return cmd
}

// listEntries prints all entries of a store, as a table or as JSON.
func listEntries(ctx context.Context, f certsFlags, stdout io.Writer) error {
	store, _, err := f.open()
	if err != nil {
		return err
	}
	format, entries, err := store.List(ctx)
	if err != nil {
		return err
	}
	rows := []row{}
	for _, e := range entries {
		rows = append(rows, rowOf(e))
	}
	if f.json {
		return writeJSON(stdout, rows)
	}
	fmt.Fprintf(stdout, "%s: %s, %d entries\n", store.Path, format, len(entries))
	return printRows(stdout, rows)
}

// row is an entry as list prints it.
type row struct {
	Alias       string    `json:"alias"`
	Kind        string    `json:"kind"`
	Subject     string    `json:"subject,omitempty"`
	NotAfter    time.Time `json:"notAfter,omitzero"`
	Fingerprint string    `json:"sha256,omitempty"`
}

func rowOf(e keystore.Entry) row {
	r := row{Alias: e.Alias, Kind: string(e.Kind)}
	if len(e.Chain) == 0 {
		return r
	}
	r.Fingerprint = e.Chain[0].Fingerprint().String()
	r.Subject = "(this certificate cannot be read by Go, though perhaps by Java)"
	if c, err := e.Chain[0].Parse(); err == nil {
		r.Subject, r.NotAfter = c.Subject.String(), c.NotAfter.UTC()
	}
	return r
}

func printRows(w io.Writer, rows []row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ALIAS\tKIND\tEXPIRES\tSHA-256\tSUBJECT")
	for _, r := range rows {
		expires := ""
		if !r.NotAfter.IsZero() {
			expires = r.NotAfter.Format(time.DateOnly)
			if time.Now().After(r.NotAfter) {
				expires += " expired"
			}
		}
		fmt.Fprintln(table, strings.Join([]string{printable(r.Alias), r.Kind, expires, r.Fingerprint, printable(r.Subject)}, "\t"))
	}
	return table.Flush()
}

// printable quotes a text of a file or a server that would steer the terminal, begin a second line, or not look like what it is: a
// character without width, or one that turns the direction of a line, can make one name look like another.
func printable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Sprintf("%+q", text)
	}
	return text
}
