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
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

func planCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan [FILE...]",
		Short: "Show how both servers differ from the desired state; exit code 2 if they do",
		Long: `plan compares the desired state with both servers, prints what differs, and changes nothing. A FILE may be a folder,
as for validate. Without FILE it reads what API_CONFIG names.

It compares what the file has, also what bootstrap does not apply yet. Fields and objects that the file does not name
are no differences. Secrets are not compared.

It reaches API-M by AM_HOST and AM_PORT, and IS by IS_HOST and IS_PORT, with the accounts of the administrators. It
runs anywhere. It exits with 4 if a person must change something. Then the file has a mistake, a server refuses a
password, or no change can bring the servers to the desired state.`,
		Example: `  agent plan api-config.yaml
  agent plan --json apis/ applications.yaml    # changes with their fields, and how many create and update`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return showPlan(cmd.Context(), args, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// showPlan prints the changes to stdout, and to stderr what only a person can change. Its error is errDifferences if there are changes
// and nothing else.
func showPlan(ctx context.Context, paths []string, asJSON bool, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		paths = []string{cfg.Bootstrap.File}
	}
	changes, problems, err := compare(ctx, cfg, paths)
	if err != nil {
		return refused(err, stderr)
	}
	if err := printPlan(stdout, changes, problems, asJSON); err != nil {
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

// compare reads the desired state and the servers, and returns the changes between them.
func compare(ctx context.Context, cfg config.Config, paths []string) ([]plan.Change, desired.Problems, error) {
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), paths...)
	if err != nil {
		return nil, nil, err
	}
	settings := planSettings(cfg)
	want, err := actual.Want(ctx, f, settings)
	if err != nil {
		return nil, nil, err
	}
	var connection wso2.Connection
	hc, err := connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	if err != nil {
		return nil, nil, err
	}
	defer connection.Close()
	have, err := actual.Read(ctx, actual.Connect(hc, settings), want)
	if err != nil {
		return nil, nil, byHand(err)
	}
	changes, problems := plan.Make(want, have)
	return changes, problems, nil
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

func printPlan(w io.Writer, changes []plan.Change, problems desired.Problems, asJSON bool) error {
	text := []byte(plan.Text(changes, len(problems)))
	if asJSON {
		var err error
		if text, err = plan.JSON(changes, problems); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}
