package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

func planCommand() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [FILE...]",
		Short: "Show how both servers differ from the desired state; exit code 2 if they do",
		Long: `plan compares the desired state with both servers, prints what differs, and changes nothing. A FILE may be a folder,
as for validate. Without FILE it reads what API_CONFIG names.

It compares what the file has, also what bootstrap does not apply yet. Fields and objects that the file does not name
are no differences. If there is a record of what the agent has made, next to KEYS_FILE, a secret that is no longer the
one that the agent has sent is a difference. Else no secret is compared.

An object that the agent has made, and that the file no longer names, stays, and plan names it. With PRUNE=owned or
--prune the plan removes it. An API to which applications have subscribed needs a person, or --prune-subscribed.

It reaches API-M by AM_HOST and AM_PORT, and IS by IS_HOST and IS_PORT, with the accounts of the administrators. It
runs anywhere. It exits with 4 if a person must change something. Then the file has a mistake, a server refuses a
password, or no change can bring the servers to the desired state.`,
		Example: `  agent plan api-config.yaml
  agent plan --json apis/ applications.yaml    # changes with their fields, and how many create and update`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return showPlan(cmd.Context(), args, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "plan to remove what the agent has made and the file no longer names, as with PRUNE=owned")
	cmd.Flags().BoolVar(&o.pruneSubscribed, "prune-subscribed", false, "with --prune: remove APIs also if applications have subscribed to them")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// planOptions are the flags of plan.
type planOptions struct {
	json, prune, pruneSubscribed bool
}

// showPlan prints the changes to stdout, and to stderr what only a person can change. Its error is errDifferences if there are changes
// and nothing else.
func showPlan(ctx context.Context, paths []string, o planOptions, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	if o.prune = o.prune || cfg.Bootstrap.Prune == "owned"; o.pruneSubscribed && !o.prune {
		return usageError{remedy.Add(errors.New("agent plan: --prune-subscribed alone removes nothing"), "add --prune, or set PRUNE=owned")}
	}
	if len(paths) == 0 {
		paths = []string{cfg.Bootstrap.File}
	}
	found, err := compare(ctx, cfg, paths, o, stderr)
	if err != nil {
		return refused(err, stderr)
	}
	changes, problems := found.Changes, found.Problems
	if err := printPlan(stdout, found, o.json); err != nil {
		return err
	}
	switch {
	case len(problems) > 0:
		if err := printProblems(stderr, problems); err != nil {
			return err
		}
		return remedy.Add(fmt.Errorf("%w: differences that no change removes: %d", bootstrap.ErrPermanent, len(problems)), "the lines above say what to do")
	case len(changes) > 0:
		return errDifferences
	}
	return nil
}

// compare reads the desired state and the servers, and returns the changes between them. What it cannot take into account it prints to
// stderr.
func compare(ctx context.Context, cfg config.Config, paths []string, o planOptions, stderr io.Writer) (plan.Comparison, error) {
	none := plan.Comparison{}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), paths...)
	if err != nil {
		return none, err
	}
	settings := planSettings(cfg)
	want, err := actual.Want(f, settings)
	if err != nil {
		return none, err
	}
	want.Prune, want.PruneSubscribed = o.prune, o.pruneSubscribed
	if err := addRecord(&want, owned.Path(cfg.Bootstrap.KeysFile), stderr); err != nil {
		return none, err
	}
	var connection wso2.Connection
	hc, err := connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	if err != nil {
		return none, err
	}
	defer connection.Close()
	have, err := actual.Read(ctx, actual.Connect(hc, settings), want)
	if err != nil {
		return none, byHand(err)
	}
	return plan.Compare(want, have), nil
}

// addRecord adds what the agent has made, if there is a record. A record that the agent cannot read is a warning: the comparison of
// fields needs none.
func addRecord(want *plan.Wanted, path string, stderr io.Writer) error {
	record, found, err := owned.Load(path)
	switch {
	case found:
		want.Owned, want.Sent = record.Owned(), record.Sent
		return nil
	case err == nil && want.Prune:
		err = remedy.Add(fmt.Errorf("there is no record of what the agent has made, %s", path), "set KEYS_FILE as for the agent; without a record the plan removes nothing")
	case err == nil:
		return nil
	}
	text, hints := remedy.Split(err)
	_, failed := fmt.Fprintf(stderr, "warning: %s\n", text)
	for _, hint := range hints {
		if failed == nil {
			_, failed = fmt.Fprintf(stderr, "hint: %s\n", hint)
		}
	}
	return failed
}

// planSettings returns the settings that a bootstrap next to API-M has. Without PRODUCT the settings name no peer, and so no IS.
func planSettings(cfg config.Config) bootstrap.Settings {
	accounts := &bootstrap.Accounts{}
	if cfg.Database.Kind == "postgres" { // while it is down, a server refuses right passwords
		down := server.PostgresDown(cfg.Database.Host, cfg.Database.Port)
		accounts.AM.Down, accounts.IS.Down = down, down
	}
	if cfg.Server.Product == "" {
		cfg = cfg.For(config.AM)
	}
	return bootstrap.SettingsOf(cfg, accounts)
}

// refused prints the mistakes in the desired state, if err has them, and returns the error of the command.
func refused(err error, stderr io.Writer) error {
	var problems desired.Problems
	var file *desired.FileError
	switch {
	case errors.As(err, &problems):
		if err := printProblems(stderr, problems); err != nil {
			return err
		}
		return mistakes(problems)
	case errors.As(err, &file):
		return unreadable(err, false, stderr)
	}
	return err
}

func printPlan(w io.Writer, c plan.Comparison, asJSON bool) error {
	text := []byte(plan.Text(c.Changes, len(c.Problems), c.Kept...))
	if asJSON {
		var err error
		if text, err = plan.JSON(c.Changes, c.Problems, c.Kept...); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}
