package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func certsDeleteCommand() *cobra.Command {
	var f certsFlags
	cmd := f.withAlias(f.on(&cobra.Command{
		Use:   "delete --alias NAME",
		Short: "Delete a trusted certificate; never a key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return deleteCertificate(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}))
	cmd.Args = f.checkNamed
	return cmd
}

// deleteCertificate deletes a trusted certificate, and prints its fingerprint.
func deleteCertificate(ctx context.Context, f certsFlags, stdout, stderr io.Writer) error {
	edit, err := f.editor(stderr)
	if err != nil {
		return err
	}
	removed, err := edit.Delete(ctx, f.alias)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: deleted %q: %s\n", edit.Store.Path, f.alias, removed.Fingerprint())
	return nil
}
