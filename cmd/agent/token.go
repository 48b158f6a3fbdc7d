package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func tokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "token",
		Short: "Print an access token of the application, to try an API",
		Long: `token requests an access token with the keys of the application, and prints it. It needs PRODUCT, and the file
that KEYS_FILE names.

The new token revokes the previous token of the application, unless TOKENS_SIDE_BY_SIDE is true.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printToken(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

// printToken prints a token and nothing else, so that a shell can put it into another command line.
func printToken(ctx context.Context, stdout, stderr io.Writer) error {
	a, err := newAgent(stderr, "PRODUCT")
	if err != nil {
		return err
	}
	token, err := a.Token(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, string(token))
	return err
}
