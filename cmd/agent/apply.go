package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/telemetry"
)

func applyCommand() *cobra.Command {
	var a applying
	cmd := &cobra.Command{
		Use:   "apply [FILE...]",
		Short: "Bring both servers to the desired state, and report every change",
		Long: `apply waits until both servers serve requests, makes the changes that plan shows, and prints a table of them. A FILE
may be a folder, as for validate. Without FILE it reads what API_CONFIG names.

If a change fails, apply skips only the changes that need its object. It repeats failed changes that can still succeed,
for up to BOOTSTRAP_TIMEOUT. After a run that was stopped, the next run makes only the remaining changes.

An API that has not changed since an earlier apply, neither in the files nor in API-M's list of APIs, costs no request. No
list shows changes of documents, deployments and endpoint certificates. Every tenth read of the servers asks for
everything, and so do apply --full and plan. An apply without changes reads once, each round with changes twice.

If another apply, bootstrap or run changes the same API-M, from whatever machine, apply waits for it, and logs which
one it waits for.

With --json stdout has a line for each step while it happens, and the report as the last line, also if the servers do
not answer. The report then has the fields error and hint.

With --plan it makes exactly the changes of a plan that "agent plan --out" saved, and nothing if the files or the
servers call for others now. Use the same --prune and --prune-subscribed as for plan.

apply writes the keys of applications to KEYS_FILE, and records next to it what it has made. It also records objects that
the files name and that somebody else has made. With --prune or PRUNE=owned it removes recorded objects that the files no
longer name, also those that other files named before.

It runs anywhere, as plan does. It exits with 3 if BOOTSTRAP_TIMEOUT has passed, and with 4 if a person must change
something, for example because a server refuses a change.`,
		Example: `  agent apply api-config.yaml
  agent plan --out saved.json api-config.yaml; agent apply --plan saved.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&a.asJSON, "json", false, "print each event as a line of JSON, and the report as the last one")
	cmd.Flags().BoolVar(&a.prune, "prune", false, "remove what the agent has made and the file no longer names, as with PRUNE=owned")
	cmd.Flags().BoolVar(&a.pruneSubscribed, "prune-subscribed", false, "with --prune: remove APIs also if applications have subscribed to them")
	cmd.Flags().BoolVar(&a.full, "full", false, "read every API, also one that has not changed since an earlier apply")
	cmd.Flags().StringVar(&a.plan, "plan", "", "the `FILE` of a saved plan")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// applying is what the flags of agent apply say.
type applying struct {
	pruning
	asJSON bool
	full   bool
	plan   string // path of a saved plan; empty: none
}

func (a applying) run(ctx context.Context, paths []string, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	options := apply.Options{Full: a.full}
	if a.plan != "" {
		saved, err := readSaved(a.plan)
		if err != nil {
			return err
		}
		if len(paths) == 0 {
			paths = saved.Files
		}
		options.Check = saved.Check
	}
	l, err := load(ctx, cfg, paths)
	if err != nil {
		return refused(err, stderr)
	}
	defer l.connection.Close()
	if err := a.choose(cfg, &l.want); err != nil {
		return err
	}
	files := bootstrap.FilesOf(cfg)
	keep := files.CheckKeys()
	if keep != nil && len(l.want.File.Applications.Value) > 0 { // before anything is changed
		return keep
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Bootstrap.Timeout,
		fmt.Errorf("%w: BOOTSTRAP_TIMEOUT is %s", context.DeadlineExceeded, cfg.Bootstrap.Timeout))
	defer cancel()
	options.Run = l.connection.Run
	log, tell, end := a.reporting(cfg, options.Run, stdout, stderr)
	defer end()
	options.Tell = tell
	servers := bootstrap.Connect(l.client, l.settings)
	if err := bootstrap.Await(ctx, log, servers, l.settings); err != nil {
		return a.unchanged(apply.Report{Run: options.Run}, err, stdout)
	}
	if keep == nil {
		unlock, err := files.Lock(ctx, func() {
			log.Info("waiting", "for", "another agent that brings the servers to the desired state", "keys", files.Keys.JSON)
		})
		if err != nil {
			return a.unchanged(apply.Report{Run: options.Run}, err, stdout)
		}
		defer unlock()
	}
	options.User = apply.ServiceUser{Log: log, Servers: servers, Settings: l.settings}
	report, err, unwritten := apply.Keep(ctx, log, l.client, l.settings, files, keep, "agent apply", "", l.want, options)
	end()
	if err != nil && len(report.Outcomes) == 0 {
		return a.unchanged(report, logged(byHand(err), options.Run), stdout)
	}
	printed := a.print(report, err, stdout, stderr)
	if err == nil { // what is made needs this, also if another change has failed
		_, err = apply.Complete(ctx, log, servers, l.settings, report)
	}
	return errors.Join(printed, err, unwritten)
}

// unchanged returns the error of a run that has changed nothing. Programs get a report anyway.
func (a applying) unchanged(report apply.Report, err error, stdout io.Writer) error {
	if !a.asJSON {
		return err
	}
	text, failed := report.JSON(err)
	if failed == nil {
		_, failed = stdout.Write(text)
	}
	return errors.Join(err, failed)
}

// reporting returns the log of a run, and what gets its events: lines of JSON, a line that changes on a terminal, or lines in the log. end
// erases what only matters while the run works.
func (a applying) reporting(cfg config.Config, run string, stdout, stderr io.Writer) (log *slog.Logger, tell func(apply.Event), end func()) {
	format := cfg.Report.LogFormat
	if !a.asJSON && format != "json" && telemetry.IsTerminal(stderr) && os.Getenv("TERM") != "dumb" {
		live := apply.NewLive(stderr)
		return telemetry.Logger(live, cfg.Report.LogLevel, "text").With("run", run), live.Tell, live.Close
	}
	log = telemetry.Logger(stderr, cfg.Report.LogLevel, format).With("run", run)
	logged := apply.InLog(log)
	if !a.asJSON {
		return log, logged, func() {}
	}
	lines := apply.Lines(stdout)
	return log, func(e apply.Event) { lines(e); logged(e) }, func() {}
}

// savedLimit is the largest size of a saved plan, in bytes.
const savedLimit = 64 << 20

// readSaved reads a saved plan.
func readSaved(path string) (plan.Saved, error) {
	data, err := file.Read(path, savedLimit)
	if err != nil {
		return plan.Saved{}, fmt.Errorf("read the saved plan: %w", err)
	}
	saved, err := plan.OpenSaved(data)
	if err != nil {
		return saved, bootstrap.Permanent(fmt.Errorf("read the saved plan %s: %w", path, err))
	}
	return saved, nil
}

// print prints the report of a run that err has ended, and returns the error of its changes. A nil err means that the run came to its end.
func (a applying) print(report apply.Report, err error, stdout, stderr io.Writer) error {
	text := []byte(report.Text())
	if a.asJSON {
		if text, err = report.JSON(err); err != nil {
			return err
		}
	}
	if _, err := stdout.Write(text); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		if err := printProblems(stderr, report.Problems); err != nil {
			return err
		}
		return unsolvable(report.Problems)
	}
	if err := report.Err(); err != nil {
		return remedy.Add(err, "the report says what failed, and what to do")
	}
	return nil
}

// unsolvable returns the error for differences that no change removes.
func unsolvable(problems desired.Problems) error {
	return remedy.Add(bootstrap.Permanent(fmt.Errorf("differences that no change removes: %d", len(problems))), "the lines above say what to do")
}
