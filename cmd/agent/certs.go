package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

func certsCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) == 0 || args[0] != "list" {
		return usageError{"agent certs is followed by: list"}
	}
	flags := flag.NewFlagSet("agent certs list", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	store := flags.String("store", "", "truststore")
	keys := flags.String("keystore", "", "keystore")
	asJSON := flags.Bool("json", false, "JSON")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() > 0 || (*store != "" && *keys != "") {
		return usageError{"usage: agent certs list [--store FILE | --keystore FILE] [--json]; the password comes from TRUSTSTORE_PASS, or KEYSTORE_PASS with --keystore"}
	}
	which, err := storeOf(*store, *keys)
	if err != nil {
		return err
	}
	format, entries, err := which.List(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		return listJSON(stdout, entries)
	}
	fmt.Fprintf(stdout, "%s: %s, %d entries\n", which.Path, format, len(entries))
	return listTable(stdout, entries)
}

// storeOf is the store that was named, or the own server's truststore.
func storeOf(store, keys string) (trust.Store, error) {
	var required []string
	if store == "" && keys == "" {
		required = []string{"PRODUCT"}
	}
	cfg, err := config.Load(required...)
	if err != nil {
		return trust.Store{}, err
	}
	switch {
	case keys != "":
		return trust.Store{Path: keys, Password: cfg.KeystorePass, Setting: "KEYSTORE_PASS"}, nil
	case store == "":
		store = cfg.TruststorePath()
	}
	return trust.Store{Path: store, Password: cfg.TruststorePass, Setting: "TRUSTSTORE_PASS"}, nil
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

func listJSON(w io.Writer, entries []keystore.Entry) error {
	rows := []row{}
	for _, e := range entries {
		rows = append(rows, rowOf(e))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}

func listTable(w io.Writer, entries []keystore.Entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ALIAS\tKIND\tEXPIRES\tSHA-256\tSUBJECT")
	for _, e := range entries {
		r := rowOf(e)
		expires := ""
		if !r.NotAfter.IsZero() {
			expires = r.NotAfter.Format(time.DateOnly)
			if time.Now().After(r.NotAfter) {
				expires += " expired"
			}
		}
		fmt.Fprintln(table, strings.Join([]string{r.Alias, r.Kind, expires, r.Fingerprint, r.Subject}, "\t"))
	}
	return table.Flush()
}
