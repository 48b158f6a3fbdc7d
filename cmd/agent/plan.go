package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

func planCommand() *cobra.Command {
	var p planning
	cmd := &cobra.Command{
		Use:   "plan [FILE...]",
		Short: "Show how both servers differ from the desired state; exit code 2 if they do",
		Long: `plan compares the desired state with both servers, prints what differs, and changes nothing. A FILE may be a folder,
as for validate. Without FILE it reads what API_CONFIG names.

It compares what the file has, and apply makes these changes. Fields and objects that the file does not name
are no differences. Secrets are not compared.

It reaches API-M by AM_HOST and AM_PORT, and IS by IS_HOST and IS_PORT, with the accounts of the administrators. It
runs anywhere. It exits with 4 if a person must change something. Then the file has a mistake, a server refuses a
password, or no change can bring the servers to the desired state.`,
		Example: `  agent plan api-config.yaml
  agent plan --json apis/ applications.yaml    # changes with their fields, and how many create and update`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&p.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&p.out, "out", "", "save the plan to this `file`, for agent apply --plan; not if a person must change something")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// planning is what the flags of agent plan say.
type planning struct {
	asJSON bool
	out    string // where to save the plan; empty: nowhere
}

// run prints the changes to stdout, and to stderr what only a person can change. Its error is errDifferences if there are changes and
// nothing else.
func (p planning) run(ctx context.Context, paths []string, stdout, stderr io.Writer) error {
	cfg, err := config.Load() // without PRODUCT: CI and laptops run next to no server
	if err != nil {
		return err
	}
	l, err := load(ctx, cfg, paths)
	if err != nil {
		return refused(err, stderr)
	}
	defer l.connection.Close()
	changes, problems, err := l.changes(ctx)
	if err != nil {
		return err
	}
	if err := printPlan(stdout, changes, problems, p.asJSON); err != nil {
		return err
	}
	switch {
	case len(problems) > 0:
		if err := printProblems(stderr, problems); err != nil {
			return err
		}
		return unsolvable(problems)
	case p.out != "":
		if err := p.save(paths, l.want, changes); err != nil {
			return err
		}
	}
	if len(changes) > 0 {
		return errDifferences
	}
	return nil
}

// save writes the plan to a file, for agent apply --plan.
func (p planning) save(paths []string, want plan.Wanted, changes []plan.Change) error {
	data, err := plan.Save(paths, want, changes, nil)
	if err == nil {
		err = os.WriteFile(p.out, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// loaded is the desired state, and what reaches the servers. Close the connection.
type loaded struct {
	want       plan.Wanted
	settings   bootstrap.Settings
	client     *http.Client
	connection wso2.Connection
}

// load reads the desired state of files, or of what API_CONFIG names if there are none.
func load(ctx context.Context, cfg config.Config, paths []string) (*loaded, error) {
	if len(paths) == 0 {
		paths = []string{cfg.Bootstrap.File}
	}
	f, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), paths...)
	if err != nil {
		return nil, err
	}
	l := &loaded{settings: planSettings(cfg)}
	if l.want, err = actual.Want(ctx, f, l.settings); err != nil {
		return nil, err
	}
	l.client, err = l.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	return l, err
}

// changes reads the servers, and returns the changes between them and the desired state.
func (l *loaded) changes(ctx context.Context) ([]plan.Change, desired.Problems, error) {
	have, err := actual.Read(ctx, actual.Connect(l.client, l.settings), l.want)
	if err != nil {
		return nil, nil, byHand(err)
	}
	changes, problems := plan.Make(l.want, have)
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
