package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func clientsShowCommand() *cobra.Command {
	var asJSON, secret bool
	cmd := &cobra.Command{
		Use:   "show CLIENT",
		Short: "Show an OAuth client of IS",
		Long:  "show prints an OAuth client of IS. Its secret is masked unless --show-secrets is there.",
		Example: `  agent clients show zt5HrlQSa873s7Zc_Zl0TZkwBVga
  agent clients show reporting --show-secrets`,
		Args:              arguments("CLIENT"),
		ValidArgsFunction: completed(clientNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showClient(cmd.Context(), args[0], secret, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&secret, "show-secrets", false, "print the client's secret")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showClient(ctx context.Context, name string, secret, asJSON bool, stdout, stderr io.Writer) error {
	r, servers, err := reachClients(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	c, registered, err := objects.ReadClient(ctx, servers, name)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, struct {
			objects.Client
			Secret    string   `json:"clientSecret"` // masked unless a person asks for it
			Grants    []string `json:"grantTypes"`
			Callbacks []string `json:"callbacks"`
			TokenType string   `json:"tokenType"`
		}{c, masked(registered.Secret, secret), orEmpty(registered.Grants), orEmpty(registered.Callbacks), registered.TokenType})
	}
	return details(stdout, [][2]string{
		{"name", c.Name}, {"id", c.ID}, {"client id", c.ClientID}, {"client secret", masked(registered.Secret, secret)}, {"owner", c.Owner},
		{"application of API-M", c.Application}, {"grant types", strings.Join(registered.Grants, " ")}, {"callbacks", strings.Join(registered.Callbacks, " ")},
		{"token type", registered.TokenType},
	})
}
