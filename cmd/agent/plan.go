package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

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
	var p planning
	cmd := &cobra.Command{
		Use:   "plan [FILE...]",
		Short: "Show how both servers differ from the desired state; exit code 2 if they do",
		Long: `plan compares the desired state with both servers, prints what differs, and changes nothing. A FILE may be a folder,
as for validate. Without FILE it reads what API_CONFIG names.

It compares what the file has, and apply makes these changes. Fields and objects that the file does not name
are no differences. If agent apply has left a record next to KEYS_FILE, plan also shows secrets that have changed since
apply sent them. Otherwise it compares no secret.

An object that the agent has made, and that the file no longer names, stays, and plan names it. With PRUNE=owned or
--prune the plan removes it. An API to which applications have subscribed needs a person, or --prune-subscribed.

It reaches API-M by AM_HOST and AM_PORT, and IS by IS_HOST and IS_PORT, with the accounts of the administrators, or
with the OAuth clients of AM_CLIENT_ID and IS_CLIENT_ID. It runs anywhere. It exits with 4 if a person must change
something: the file has a mistake, a server refuses a password, or no change can bring the servers to the desired
state.`,
		Example: `  agent plan api-config.yaml
  agent plan --json apis/ applications.yaml    # changes with their fields, and how many create and update`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&p.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&p.prune, "prune", false, "plan to remove what the agent has made and the file no longer names, as with PRUNE=owned")
	cmd.Flags().BoolVar(&p.pruneSubscribed, "prune-subscribed", false, "with --prune: remove APIs also if applications have subscribed to them")
	cmd.Flags().StringVar(&p.out, "out", "", "save the plan to this `FILE` for agent apply --plan, unless a person must change something")
	cmd.ValidArgsFunction = yamlFiles
	return cmd
}

// pruning is what the flags for removals say.
type pruning struct{ prune, pruneSubscribed bool }

// choose says in the desired state whether what the file no longer names is to be removed.
func (p pruning) choose(cfg config.Config, want *plan.Wanted) error {
	want.Prune, want.PruneSubscribed = p.prune || cfg.Bootstrap.Prune == "owned", p.pruneSubscribed
	if want.PruneSubscribed && !want.Prune {
		return usageError{remedy.Add(errors.New("--prune-subscribed alone removes nothing"), "add --prune, or set PRUNE=owned")}
	}
	return nil
}

// planning is what the flags of agent plan say.
type planning struct {
	pruning
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
	if err := p.choose(cfg, &l.want); err != nil {
		return err
	}
	if err := addRecord(&l.want, owned.Path(cfg.Bootstrap.KeysFile), stderr); err != nil {
		return err
	}
	l.settings = reading(cfg, l.settings, actual.RightsFor(l.want))
	found, err := l.compare(ctx)
	if err != nil {
		return err
	}
	changes, problems := found.Changes, found.Problems
	if err := printPlan(stdout, l.connection.Run, found, p.asJSON); err != nil {
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
	return loadedFrom(ctx, cfg, f)
}

// loadedFrom adds to a desired state what reaches the servers.
func loadedFrom(ctx context.Context, cfg config.Config, f *desired.File) (l *loaded, err error) {
	l = &loaded{settings: planSettings(cfg), connection: wso2.Connection{Run: wso2.NewRun(), Routes: cfg.Trust.ConnectTo}}
	if l.want, err = actual.Want(ctx, f, l.settings); err != nil {
		return nil, err
	}
	l.client, err = l.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	return l, err
}

// settled is how long a plan waits for a server that is changing. API-M lists a new API after some seconds, and the keys of a key manager
// as soon as it has loaded it.
const settled = 30 * time.Second

// compare reads the servers, and compares them with the desired state.
func (l *loaded) compare(ctx context.Context) (plan.Comparison, error) {
	var found plan.Comparison
	clients, until := actual.Connect(l.client, l.settings), time.Now().Add(settled)
	for {
		have, err := new(actual.Known).Read(ctx, clients, l.want)
		moving := errors.Is(err, actual.ErrMoving)
		if err == nil {
			found = plan.Compare(l.want, have)
			moving = actual.MarkHidden(ctx, clients, l.want, have, found.Changes)
		}
		switch {
		case moving && time.Now().Before(until):
		case err != nil:
			return plan.Comparison{}, logged(byHand(err), l.connection.Run)
		default:
			return found, nil
		}
		select {
		case <-ctx.Done():
			return plan.Comparison{}, context.Cause(ctx)
		case <-time.After(settled / 30):
		}
	}
}

// logged adds to a failure of a server by which id its logs have the requests of this run, and to one of a server that is changing that
// another run helps: the packages below do not know who repeats what they do.
func logged(err error, run string) error {
	if errors.Is(err, actual.ErrMoving) {
		return remedy.Add(err, "wait some seconds, and run it again")
	}
	var e *wso2.Error
	if !errors.As(err, &e) || e.Status < http.StatusInternalServerError {
		return err
	}
	return remedy.Add(err, "look for the Correlation-ID %s in the logs of the server", run)
}

// addRecord adds what the agent has made, if there is a record. A record that the agent cannot read is a warning: the comparison of
// fields needs none.
func addRecord(want *plan.Wanted, path string, stderr io.Writer) error {
	record, found, err := owned.Load(path)
	switch {
	case found:
		want.Owned, want.Sent, want.Unrestored = record.Owned(), record.Sent, record.Unrestored()
		return nil
	case err == nil && want.Prune:
		err = remedy.Add(fmt.Errorf("there is no record of what the agent has made, %s", path), "set KEYS_FILE to the path that agent apply uses; without a record the plan removes nothing")
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

// reading returns the settings of a command that changes nothing: it reads with the clients that the settings name.
func reading(cfg config.Config, s bootstrap.Settings, rights actual.Rights) bootstrap.Settings {
	use := func(c *wso2.Credentials, server, base, id, secret string, scopes []string) {
		if id != "" {
			client := &wso2.ReadingClient{TokenEndpoint: base + "/oauth2/token", ID: id, Secret: wso2.Secret(secret), Scopes: scopes}
			*c = wso2.Credentials{Reading: client, Source: server + "_CLIENT_ID and " + server + "_CLIENT_SECRET"}
		}
	}
	use(&s.AMCredentials, "AM", s.AMURL, cfg.AM.ClientID, cfg.AM.ClientSecret, rights.AM)
	use(&s.ISCredentials, "IS", s.ISURL, cfg.IS.ClientID, cfg.IS.ClientSecret, rights.IS)
	return s
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

func printPlan(w io.Writer, run string, c plan.Comparison, asJSON bool) error {
	text := []byte(plan.Text(c.Changes, len(c.Problems), c.Kept...))
	if asJSON {
		var err error
		if text, err = plan.JSON(run, c.Changes, c.Problems, c.Kept...); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}
