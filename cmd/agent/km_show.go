package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func kmShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a key manager, and the applications and APIs that use it",
		Long:              "show prints a key manager of API-M, without secrets, and the applications and APIs that use it.",
		Example:           `  agent km show WSO2-IS`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(keyManagerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showKeyManager(cmd.Context(), args[0], asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showKeyManager(ctx context.Context, name string, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	km, err := objects.ReadKeyManager(ctx, r.Admin, name)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, km)
	}
	permission := strings.Join(append([]string{km.Permission}, km.Roles...), " ")
	return details(stdout, [][2]string{
		{"name", km.Name}, {"id", km.ID}, {"type", km.Type}, {"enabled", yesNo(km.Enabled)}, {"description", km.Description}, {"issuer", km.Issuer},
		{"token endpoint", km.TokenEndpoint}, {"signing keys", km.Keys}, {"grant types", strings.Join(km.Grants, " ")}, {"user in IS", km.User},
		{"permission", strings.TrimSpace(permission)}, {"applications", strings.Join(km.Applications, ", ")}, {"APIs", strings.Join(km.APIs, ", ")},
	})
}
