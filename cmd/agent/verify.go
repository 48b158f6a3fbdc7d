package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/verify"
)

func verifyCommand() *cobra.Command {
	var v verifying
	cmd := &cobra.Command{
		Use:   "verify [FILE...]",
		Short: "Check that both servers work together; exit code 1 if a check fails",
		Long: `verify checks both servers, their trust, the key manager, the APIs of the desired state, their scopes, and what the
gateway accepts and refuses. It prints the evidence of each check, and what to do if it fails. A FILE may be a folder, as
for validate. Without FILE it reads what API_CONFIG names. Without both it skips the checks of the desired state.

By default it changes nothing. With --write it also makes a throw-away application and clients, gets tokens with them,
calls the APIs with GET or HEAD, and revokes a token. It removes all of that again, also if it is stopped. What a killed
run has left, another run with --write removes after ten minutes. It never takes the keys of another application, and
never sends a method that writes to a back end.

It runs anywhere, as plan does. Checks of files need the volumes of the server, and PRODUCT; elsewhere they are skipped.
A check that needs one which has failed is skipped, too.`,
		Example: `  agent verify                          # what needs no change on the servers
  agent verify --write --junit junit.xml
  agent verify --only km,trust.am       # these, and what they need; they need no FILE
  agent verify --list`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.list {
				if len(args) > 0 {
					return usage(cmd, "--list takes no files")
				}
				if err := listsOnly(cmd, "only", "skip", "write", "junit", "timeout"); err != nil {
					return err
				}
				if v.asJSON {
					return writeJSON(cmd.OutOrStdout(), verify.ListJSON())
				}
				return verify.WriteList(cmd.OutOrStdout())
			}
			if err := v.check(cmd); err != nil {
				return err
			}
			return v.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().Var((*checkNames)(&v.Only), "only", "run only these `CHECKS`, by id or subject with commas between, and what they need; can be repeated")
	cmd.Flags().Var((*checkNames)(&v.Skip), "skip", "leave out these `CHECKS`, by id or subject, and what needs them; can be repeated")
	cmd.Flags().BoolVar(&v.Write, "write", false, "also run checks that make something on the servers, and remove it again")
	cmd.Flags().BoolVar(&v.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&v.junit, "junit", "", "also write the results to this `FILE`, as JUnit's XML")
	cmd.Flags().DurationVar(&v.timeout, "timeout", 5*time.Minute, "how long all checks together may take, at most "+verify.LongestInspection.String())
	cmd.Flags().BoolVar(&v.list, "list", false, "print the table of checks, and run none")
	cmd.ValidArgsFunction = yamlFiles
	for _, name := range []string{"only", "skip"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(checkIDs(), cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
	}
	return cmd
}

// checkNames is a flag with names, with commas between. It can be repeated.
type checkNames []string

func (n *checkNames) String() string { return strings.Join(*n, ",") }

// Type is what help shows of a flag without a word in backquotes.
func (n *checkNames) Type() string { return "checks" }

// Set adds names.
func (n *checkNames) Set(text string) error {
	*n = append(*n, strings.Split(text, ",")...)
	return nil
}

func checkIDs() (ids []string) {
	for _, d := range verify.Checks() {
		ids = append(ids, d.ID)
	}
	return ids
}

// verifying is what the flags of agent verify say.
type verifying struct {
	verify.Selection
	asJSON, list bool
	junit        string // where to write JUnit's XML; empty: nowhere
	timeout      time.Duration
}

// check refuses a selection that cannot run. A check that is named, and that --write is missing for, would only be skipped.
func (v verifying) check(cmd *cobra.Command) error {
	if v.timeout <= 0 || v.timeout > verify.LongestInspection {
		return usage(cmd, "--timeout is %s, and must be above 0 and at most %s", v.timeout, verify.LongestInspection)
	}
	if _, err := verify.Selected(v.Selection); err != nil {
		return usageError{err}
	}
	for _, d := range verify.Checks() {
		if d.Write && !v.Write && slices.Contains(v.Only, d.ID) {
			return usageError{remedy.Add(fmt.Errorf("%s: %s makes something on the servers, and removes it again", cmd.CommandPath(), d.ID), "add --write")}
		}
	}
	return nil
}

// run prints the results to stdout. Its error wraps [verify.ErrFailed] if a check has failed.
func (v verifying) run(ctx context.Context, paths []string, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	l, err := v.load(ctx, cfg, paths)
	if err != nil {
		return refused(err, stderr)
	}
	defer l.connection.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, v.timeout, fmt.Errorf("%w: --timeout is %s", context.DeadlineExceeded, v.timeout))
	defer cancel()
	log := telemetry.Logger(stderr, cfg.Report.LogLevel, cfg.Report.LogFormat).With("run", l.connection.Run)
	checks, err := verify.All(ctx, log, verify.Subject{Config: cfg, Settings: l.settings, Servers: bootstrap.Connect(l.client, l.settings), Want: l.want}, v.Selection)
	if err != nil && len(checks) == 0 {
		return err
	}
	if v.asJSON {
		err = errors.Join(writeJSON(stdout, verify.JSON(checks)), verdict(checks, err))
	} else {
		err = errors.Join(verify.WriteText(stdout, checks), verdict(checks, err))
	}
	if v.junit != "" {
		if failed := os.WriteFile(v.junit, verify.JUnit(checks), 0o644); failed != nil {
			err = errors.Join(err, fmt.Errorf("write the results for CI: %w", failed))
		}
	}
	return err
}

// load reads the desired state. If nobody names a file, and there is none at the default of API_CONFIG, there is no desired state: most
// checks need none.
func (v verifying) load(ctx context.Context, cfg config.Config, paths []string) (*loaded, error) {
	_, err := os.Stat(cfg.Bootstrap.File)
	if len(paths) > 0 || os.Getenv("API_CONFIG") != "" || !errors.Is(err, fs.ErrNotExist) {
		return load(ctx, cfg, paths)
	}
	l, err := loadedFrom(ctx, cfg, &desired.File{})
	if err == nil {
		l.want.File = nil
	}
	return l, err
}

// verdict returns the error of the command for an error of the checks. The output has the details of those that failed.
func verdict(checks []verify.Check, err error) error {
	if !errors.Is(err, verify.ErrFailed) {
		return err
	}
	var ids []string
	for _, c := range checks {
		if c.Verdict == verify.Fail && !slices.Contains(ids, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return remedy.Add(fmt.Errorf("%w: %s", verify.ErrFailed, strings.Join(ids, ", ")), "the hints in the output say what to do; agent doctor looks for the reasons")
}
