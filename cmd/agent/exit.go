package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"wso2agent/internal/agent"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
)

// Exit codes. `agent exec` exits with the server's own code instead. 64 is EX_USAGE of BSD's sysexits.h; 127 and 130 are what a
// shell returns for a command that it cannot start, and for one that SIGINT ends.
const (
	exitOK          = 0
	exitFailure     = 1
	exitDifferences = 2
	exitTimeout     = 3
	exitPermanent   = 4
	exitUsage       = 64
	exitNotFound    = 127
	exitStopped     = 130
)

// exitMeaning says what one exit code means.
type exitMeaning struct {
	code    int
	meaning string
}

// exitCodes are all exit codes of the agent. The README has the same table.
func exitCodes() []exitMeaning {
	return []exitMeaning{
		{exitOK, "the command is done; `run` and `backend` stopped because they were asked to"},
		{exitFailure, "the command failed, or a check of `verify` did, or `doctor` found a trouble"},
		{exitDifferences, "there are differences, and nothing else is wrong: `plan`, `config diff`, `scopes status`, and a restart that is due in `restart status`"},
		{exitTimeout, "the time is up: `init`, `bootstrap`, `apply`, `verify`, `doctor`, `up`, or no answer in time"},
		{exitPermanent, "a person must change something first; the error says what. `bootstrap` also exits with 4 if any API subscriber can administer IS"},
		{exitUsage, "the command line or a setting is wrong"},
		{exitNotFound, "`exec` cannot start the server, or the server's database does not answer within `DATABASE_TIMEOUT`. Otherwise `exec` exits with the server's own code"},
		{exitStopped, "SIGINT or SIGTERM stopped the command before it was done"},
	}
}

// writeExitCodes writes the table of exit codes for a terminal.
func writeExitCodes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range exitCodes() {
		fmt.Fprintf(table, "    %d\t%s\n", e.code, strings.ReplaceAll(e.meaning, "`", ""))
	}
	return table.Flush()
}

// Reasons for an exit code that no package below knows.
var (
	errDifferences = errors.New("there are differences")
	errNoServer    = errors.New("no server") // the server could not be started at all
	errStopped     = errors.New("stopped before it was done")
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// serverExited carries the exit code of a supervised server.
type serverExited struct{ code int }

func (e serverExited) Error() string { return fmt.Sprintf("the server exited with code %d", e.code) }

// report prints err and its remedy to stderr, and returns the process's exit code. Both may have texts of servers in them.
func report(err error, stderr io.Writer) int {
	code := exitCode(err)
	var exited serverExited
	if err == nil || errors.As(err, &exited) || err == errDifferences { // the differences themselves are on stdout
		return code
	}
	text, remedies := remedy.Split(err)
	if errors.Is(err, config.ErrInvalid) {
		remedies = append(remedies, `"agent help settings NAME" describes a setting`)
	}
	fmt.Fprintln(stderr, "error:", escapedLines(text))
	if len(remedies) > 0 {
		fmt.Fprintln(stderr, "hint:", escapedLines(strings.Join(remedies, "; ")))
	}
	return code
}

// exitCode returns the exit code for what a command returned.
func exitCode(err error) int {
	var exited serverExited
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exited):
		return exited.code
	case errors.Is(err, errStopped):
		return exitStopped
	case errors.Is(err, errDifferences):
		return exitDifferences
	case errors.As(err, &usage), errors.Is(err, config.ErrInvalid):
		return exitUsage
	case errors.Is(err, bootstrap.ErrPermanent):
		return exitPermanent
	case errors.Is(err, agent.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.Is(err, errNoServer):
		return exitNotFound
	}
	return exitFailure
}
