// Command agent makes WSO2 Identity Server and WSO2 API Manager work together without manual steps: as init container and
// sidecar next to each server, as supervisor of the server's entrypoint, or once from a shell.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code. A first SIGINT or SIGTERM cancels the command's context, a second
// one ends the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := rootCommand(stdout, stderr)
	root.SetArgs(slices.Concat([]string{}, args)) // cobra reads os.Args instead of nil
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", errStopped, err)
	}
	return report(err, stderr)
}
