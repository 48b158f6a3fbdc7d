// Command agent makes WSO2 Identity Server and WSO2 API Manager work together with no manual steps: as init container
// and sidecar beside each server, as supervisor of the server's entrypoint, or once from a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"wso2agent/internal/agent"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
)

// Exit codes. `agent exec` ends with the server's own instead.
const (
	exitOK          = 0
	exitFailure     = 1 // something went wrong
	exitUsage       = 2 // wrong command line or settings
	exitWouldChange = 2 // of agent config diff alone
	exitTimeout     = 3 // what was waited for did not come in time
	exitPermanent   = 4 // a person has to change something first: the error says what
	exitNotFound    = 127
	exitStopped     = 130 // init or bootstrap was asked to stop before it was done
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// command is one word that the agent understands.
type command struct {
	name, args, summary string
	run                 func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"run", "", "stay beside a server: exchange certificates, restart it when due, keep the desired state", runCommand},
		{"init", "", "prepare a server's first start: publish, wait for the peers, import, end", initCommand},
		{"bootstrap", "", "bring both servers to the desired state once, prove it, end", bootstrapCommand},
		{"exec", "-- COMMAND [ARG...]", "run a server's entrypoint, and restart it when its sidecar asks", execCommand},
		{"probe", "[--wait TIME] [--trust | --server | http://ADDRESS]", "a health check: is the sidecar (or only its trust), the server or that address ready? exit code 1 if not", probeCommand},
		{"keys", "", "print the application's keys, its secret too", keysCommand},
		{"token", "", "print an access token of the application, to try an API", tokenCommand},
		{"backend", "[ADDRESS]", "serve a sample backend for the example's APIs, on :8080", backendCommand},
		{"install", "[--shared DIR] DIR", "copy this program to DIR, to carry it into another container; make a folder that users share", installCommand},
		{"certs", "list|show|check|export|import|delete|rotate [FLAG...]", "look into any keystore, and edit its trusted certificates; agent certs help tells more", certsCommand},
		{"config", "diff|apply --product is|am --file FILE [--override]", "show or make the settings that a server needs in its deployment.toml; diff ends with 2 if some are missing", configCommand},
		{"scopes", "sync|status [--json]", "authorize API-M's applications in IS for the scopes of APIs, once; or show which are: exit code 1 if one is not", scopesCommand},
		{"version", "", "print the version", versionCommand},
	}
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		usage(stdout)
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(c.run(ctx, args[1:], stdout, stderr), stderr)
		}
	}
	return exitCode(usageError{fmt.Sprintf("unknown command %q; agent help lists them", args[0])}, stderr)
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "agent makes WSO2 Identity Server and WSO2 API Manager work together.\n\nusage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  agent %-60s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprintf(w, "\nEvery setting is an environment variable; the README lists them all.\n")
	fmt.Fprintf(w, "exit codes: %d done, %d failed, %d wrong command line or settings, %d timed out, %d something must be changed by hand, %d stopped before it was done\n",
		exitOK, exitFailure, exitUsage, exitTimeout, exitPermanent, exitStopped)
}

// usageError is a mistake on the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// serverEnded carries the exit code of a supervised server.
type serverEnded struct{ code int }

func (e serverEnded) Error() string { return fmt.Sprintf("the server ended with exit code %d", e.code) }

// exitCode prints err and says what the process ends with.
func exitCode(err error, stderr io.Writer) int {
	var ended serverEnded
	if errors.As(err, &ended) {
		return ended.code
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errWouldChange):
		return exitWouldChange
	}
	fmt.Fprintln(stderr, "agent:", err)
	var usage usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, config.ErrInvalid):
		return exitUsage
	case errors.Is(err, bootstrap.ErrPermanent):
		return exitPermanent
	case errors.Is(err, agent.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.Is(err, errNoServer):
		return exitNotFound
	case errors.Is(err, errStopped):
		return exitStopped
	}
	return exitFailure
}
