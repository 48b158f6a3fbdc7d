package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/up"
)

func uninstallCommand() *cobra.Command {
	var f uninstallFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take back what the agent has made in a server's files",
		Long: `uninstall takes back what the agent has made in the files of a server, and lists what stays on the servers with the
commands that remove it. It shows what it will do, and asks, or needs --yes where there is no terminal. It stops and restarts no server without --restart.

With PRODUCT it works next to a server, on its config volume: it removes the agent's aliases from the truststore, gives
the settings in deployment.toml their former values, and removes the agent's folder and its folder on the exchange
volume. Stop agent run before. Settings that somebody else has changed since stay, and so do those of databases and
of the administrator, because the data of the server goes with them.

With --is-home and --am-home it does the same in the home of a server on this machine. With --is-container and
--am-container it removes the aliases from the truststore in a container, which agent up has added.

It exits with 3 if a server has not restarted after BOOTSTRAP_TIMEOUT.`,
		Example: `  PRODUCT=is agent uninstall
  agent uninstall --is-container is-1 --am-container am-1 --restart`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	f.places.on(cmd)
	agree(cmd, &f.yes)
	cmd.Flags().BoolVar(&f.restart, "restart", false, "restart servers that have read what is taken back")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// uninstallFlags are the flags of agent uninstall.
type uninstallFlags struct {
	places
	yes, restart, asJSON bool
}

func (f *uninstallFlags) check(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return noArgs(cmd, args)
	}
	return f.places.check(cmd)
}

func (f *uninstallFlags) run(cmd *cobra.Command) error {
	ctx, stdout, stderr := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	o := up.Options{Config: cfg, Engine: func() (*docker.Engine, error) { return docker.Open(os.Getenv) }, Out: stderr}
	o.IS, o.AM = f.targets(cfg)
	own := cfg.Server.Product
	for _, t := range []*up.Target{&o.IS, &o.AM} {
		if t.Optional || own != "" && f.places == (places{}) { // no container unless somebody has named it
			t.Container = ""
		}
		if t.Container != "" || t.Home != "" {
			own = ""
		}
	}
	if own == "" && o.IS.Container+o.IS.Home+o.AM.Container+o.AM.Home == "" {
		return usageError{remedy.Add(errors.New("agent uninstall: nothing says where the files of a server are"),
			"set PRODUCT next to a server, or name --is-container, --am-container, --is-home or --am-home")}
	}
	if own == "" && !cfg.Given("KEYS_FILE") {
		cfg.Bootstrap.KeysFile = laptopKeys
	}
	if f.restart && own != "" {
		return usageError{remedy.Add(errors.New("agent uninstall: --restart needs a container or a home"), "restart the server's container afterwards")}
	}
	undos, err := up.PlanUninstall(ctx, o, own)
	if err != nil {
		return err
	}
	left, err := leftOnServers(cfg)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	if !f.asJSON {
		say = func(format string, args ...any) { fmt.Fprintf(stdout, format+"\n", args...) }
	}
	empty := true
	var report []up.Removal
	for _, u := range undos {
		u.Print(say)
		empty = empty && u.Empty() && !(f.restart && u.RestartDue())
		report = append(report, u.Removal)
	}
	if !empty {
		if err := confirm(cmd, "Make these changes?", f.yes); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Bootstrap.Timeout, fmt.Errorf("%w: BOOTSTRAP_TIMEOUT, %s, has passed", agent.ErrTimeout, cfg.Bootstrap.Timeout))
	defer cancel()
	restarted := []string{}
	for _, u := range undos { // each to its end: a run that fails at one server leaves no other one without its restart
		if err := u.Do(ctx); err != nil {
			return err
		}
		if !f.restart {
			continue
		}
		done, err := u.Restart(ctx)
		if err != nil {
			return err
		}
		if done {
			restarted = append(restarted, u.Place)
		}
	}
	if f.asJSON {
		return writeJSON(stdout, map[string]any{"places": append([]up.Removal{}, report...), "restarted": restarted, "left": left})
	}
	return printUninstalled(stdout, empty, f.restart, restarted, left)
}

// leftOnServers returns what stays on the servers, by the records next to KEYS_FILE.
func leftOnServers(cfg config.Config) ([]up.Left, error) {
	record, _, err := owned.Load(owned.Path(cfg.Bootstrap.KeysFile))
	if err != nil {
		return nil, err
	}
	var objects []plan.OwnedObject
	for _, o := range record.Owned() {
		if o.Of == "" { // the others go with it
			objects = append(objects, o)
		}
	}
	user, err := serviceuser.Load(serviceuser.Path(cfg.Bootstrap.KeysFile))
	if err != nil {
		return nil, err
	}
	name := ""
	if user.Made() {
		name = user.User
	}
	return up.LeftOnServers(cfg, objects, name), nil
}

func printUninstalled(w io.Writer, empty, restart bool, restarted []string, left []up.Left) error {
	if empty {
		fmt.Fprintln(w, "nothing to take back")
	}
	for _, place := range restarted {
		fmt.Fprintf(w, "%s: restarted\n", place)
	}
	if !empty && !restart {
		fmt.Fprintln(w, "a running server keeps what it has read until it is restarted")
	}
	fmt.Fprintln(w, "stays on the servers:")
	for _, l := range left {
		fmt.Fprintf(w, "  %s\n    %s\n", l.What, l.Remove)
	}
	return nil
}
