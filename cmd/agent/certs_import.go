package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

func certsImportCommand() *cobra.Command {
	var f certsFlags
	var certificate string
	var replace bool
	cmd := f.withAlias(f.on(&cobra.Command{
		Use:   "import --alias NAME --cert FILE.pem",
		Short: "Make a certificate trusted",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return importCertificate(cmd.Context(), f, certificate, replace, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}))
	cmd.Flags().StringVar(&certificate, "cert", "", "PEM `FILE` with one certificate")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace another certificate under this alias")
	cmd.MarkFlagFilename("cert", "pem", "crt", "cer") // fails only for a flag that does not exist
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := f.checkNamed(cmd, args); err != nil {
			return err
		}
		if certificate == "" {
			return usage(cmd, "name the certificate's file with --cert")
		}
		return nil
	}
	return cmd
}

// importCertificate makes the certificate in a file trusted, and prints what it changed.
func importCertificate(ctx context.Context, f certsFlags, path string, replace bool, stdout, stderr io.Writer) error {
	edit, err := f.editor(stderr)
	if err != nil {
		return err
	}
	certificate, err := trust.ReadCertificate(path)
	if err != nil {
		return err
	}
	change, err := edit.Set(ctx, f.alias, certificate, replace)
	switch {
	case errors.Is(err, trust.ErrExists):
		return remedy.Add(err, "add --replace to replace it")
	case errors.Is(err, keystore.ErrAliasTaken):
		return remedy.Add(err, "choose another alias")
	case err != nil:
		return err
	case change.Action == "":
		fmt.Fprintf(stdout, "nothing to do: %s has this certificate under %q\n", edit.Store.Path, f.alias)
	case change.Action == "replaced":
		fmt.Fprintf(stdout, "%s: replaced %q: %s was %s\n", edit.Store.Path, change.Alias, change.Fingerprint, change.Was)
	default:
		fmt.Fprintf(stdout, "%s: %s %q: %s\n", edit.Store.Path, change.Action, change.Alias, change.Fingerprint)
	}
	return nil
}
