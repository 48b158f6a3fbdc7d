package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func certsExportCommand() *cobra.Command {
	var f certsFlags
	return f.withAlias(f.on(&cobra.Command{
		Use:   "export --alias NAME",
		Short: "Print a certificate, or the chain of a key, as PEM; never a private key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return exportEntry(cmd.Context(), f, cmd.OutOrStdout())
		},
	}))
}

// exportEntry prints certificates only: a private key leaves its store through keytool, in a person's own hands.
func exportEntry(ctx context.Context, f certsFlags, stdout io.Writer) error {
	entry, err := f.entry(ctx)
	if err != nil {
		return err
	}
	if len(entry.Chain) == 0 {
		return fmt.Errorf("export %q: it is a %s without a certificate, and only certificates are exported", entry.Alias, entry.Kind)
	}
	for _, c := range entry.Chain {
		if _, err := stdout.Write(c.PEM()); err != nil {
			return err
		}
	}
	return nil
}
