package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
)

// single returns what makes single changes on the servers.
func (r *reached) single() apply.Single {
	s := apply.Single{Clients: actual.Connect(r.HTTP, r.settings), Log: r.log}
	if !r.settings.SkipKeyManager {
		s.KeyManager = r.settings.KMName
	}
	return s
}

// changing calls do while no other run of the agent changes the servers: neither one with the same keys file, nor one on another machine.
// The next apply reads everything, because no list shows a deployment that do may change. do has at most BOOTSTRAP_TIMEOUT, including the
// wait.
func (r *reached) changing(cmd *cobra.Command, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), r.cfg.Bootstrap.Timeout,
		fmt.Errorf("%w: BOOTSTRAP_TIMEOUT is %s", context.DeadlineExceeded, r.cfg.Bootstrap.Timeout))
	defer cancel()
	files := bootstrap.FilesOf(r.cfg)
	if files.CheckKeys() == nil { // else the agent keeps nothing here, as on a laptop
		unlock, err := files.Lock(ctx, func() {
			r.log.Info("waiting", "for", "another agent that brings the servers to the desired state", "keys", files.Keys.JSON)
		})
		if err != nil {
			return err
		}
		defer unlock()
		if err := files.ForgetUnchanged(); err != nil {
			return err
		}
	}
	held, release, _, err := apply.Turns(actual.Connect(r.HTTP, r.settings), r.log, cmd.CommandPath())(ctx)
	if err != nil {
		return byHand(err)
	}
	defer release()
	return byHand(do(held))
}

// deletion is what the flags of a command say that deletes one object.
type deletion struct {
	yes, asJSON bool
}

func (d *deletion) on(cmd *cobra.Command) *cobra.Command {
	agree(cmd, &d.yes)
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print JSON")
	return cmd
}

// run asks a person, deletes the object that find returns, and takes it out of the agent's record.
func (d *deletion) run(cmd *cobra.Command, find func(context.Context, *reached) (objects.Removal, error)) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	removal, err := find(cmd.Context(), r)
	if err != nil {
		return byHand(err)
	}
	if err := explainRemoval(stderr, removal); err != nil {
		return err
	}
	if err := confirm(cmd, fmt.Sprintf("Delete %s?", removal.Title), d.yes); err != nil {
		return err
	}
	if err := r.changing(cmd, func(ctx context.Context) error {
		stays, err := removal.Do(ctx)
		for _, line := range stays {
			fmt.Fprintln(stderr, "warning:", printable(line))
		}
		if err != nil {
			return err
		}
		known, err := apply.Forget(bootstrap.FilesOf(r.cfg), removal.OwnedObject)
		if known {
			fmt.Fprintln(stderr, "note: the agent had made or adopted it. The next apply makes it again if the desired state still names it")
		}
		return err
	}); err != nil {
		return err
	}
	return printDeleted(stdout, removal, d.asJSON)
}

// printDeleted says what a command has deleted.
func printDeleted(stdout io.Writer, removal objects.Removal, asJSON bool) error {
	if asJSON {
		return writeJSON(stdout, map[string]any{"deleted": map[string]string{"kind": removal.Kind, "name": removal.Name, "id": removal.ID}, "with": orEmpty(removal.With)})
	}
	_, err := fmt.Fprintln(stdout, "deleted", printable(removal.Title))
	return err
}

// explainRemoval prints what goes with an object.
func explainRemoval(w io.Writer, removal objects.Removal) error {
	if removal.Warning != "" {
		if _, err := fmt.Fprintln(w, "warning:", printable(removal.Warning)); err != nil {
			return err
		}
	}
	return consequences(w, removal.Title+" is deleted", removal.With)
}

// consequences prints what a change brings with it, before a person agrees to it. change is such as "application Shop is deleted".
func consequences(w io.Writer, change string, with []string) error {
	if len(with) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "If %s:\n", printable(change)); err != nil {
		return err
	}
	for _, line := range with {
		if _, err := fmt.Fprintln(w, "  -", printable(line)); err != nil {
			return err
		}
	}
	return nil
}
