// Command agent makes WSO2 Identity Server and WSO2 API Manager work together without manual steps: as init container and
// sidecar next to each server, as supervisor of the server's entrypoint, or once from a shell.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
)

// gcPercent is how far the heap may grow between two collections, in percent of what is in use. Go's own 100 waits for at least 4 MiB. A
// sidecar is idle nearly always, and uses less than 1 MiB. A command that compares hundreds of APIs fits into a container of 64 MiB.
const gcPercent = 25

func main() {
	debug.SetGCPercent(gcPercent)
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
