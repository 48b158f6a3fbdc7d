package main

import (
	"context"
	"fmt"
	"io"
)

// tokenCommand prints a token and nothing else, to stand in another command line.
func tokenCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		return usageError{"agent token takes no arguments: every setting is an environment variable"}
	}
	a, err := newAgent(stderr, "PRODUCT")
	if err != nil {
		return err
	}
	token, err := a.Token(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, string(token))
	return nil
}
