package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wso2agent/internal/keystore"
)

func certsList(ctx context.Context, args []string, stdout, _ io.Writer) error {
	flags := newCertsFlags("list").withJSON()
	if err := flags.parse(args); err != nil {
		return err
	}
	store, _, err := flags.open()
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
	if flags.json {
		return printJSON(stdout, rows)
	}
	fmt.Fprintf(stdout, "%s: %s, %d entries\n", store.Path, format, len(entries))
	return printRows(stdout, rows)
}

// row is an entry as it is shown.
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

// printable keeps what a file says from steering the terminal, or from making a second line.
func printable(text string) string {
	quoted := fmt.Sprintf("%+q", text)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) {
		return quoted
	}
	return text
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
