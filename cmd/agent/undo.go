package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/undo"
)

func undoCommand() *cobra.Command {
	var to int
	var yes, dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "undo --to NUMBER",
		Short: "Put the agent's aliases of peers back to a point of agent history",
		Long: `undo puts the agent's aliases of peers in the truststore of the own server back to what they were right after the event with
this number in agent history. 0 stands for the time before the first event. It shows what it changes, and asks, or needs --yes
where there is no terminal. It runs next to the agent, with its PRODUCT, CONFIG_DIR, EXCHANGE_DIR and PEERS.

It never touches aliases of the own server, or entries of somebody else. If somebody else has changed an alias of the agent's
since, undo names the alias and changes nothing.

The agent does not import again what was undone, until the peer publishes other certificates, or somebody removes
.agent/undone.json on the config volume. Until then the agent leaves all aliases of that peer as they are, also while the peer
switches to a certificate that it has published already.

The server restarts afterwards, as after every import.`,
		Example: `  agent history
  agent undo --to 12 --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return noArgs(cmd, args)
			case !cmd.Flags().Changed("to"):
				return usage(cmd, "name the event with --to")
			case yes && dryRun:
				return usage(cmd, "use --yes or --dry-run")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stdout, shown := cmd.Context(), cmd.OutOrStdout(), cmd.OutOrStdout()
			if asJSON {
				shown = cmd.ErrOrStderr()
			}
			cfg, err := config.Load("PRODUCT")
			if err != nil {
				return err
			}
			p, err := undo.Read(ctx, cfg, to)
			if err != nil {
				return err
			}
			printUndo(shown, p)
			if len(p.Events) > 0 && !dryRun {
				if err := confirm(cmd, "Put these aliases back?", yes); err != nil {
					return err
				}
				err := p.Do(ctx, func() {
					fmt.Fprintf(cmd.ErrOrStderr(), "waiting for another agent that is changing %s\n", p.Truststore)
				})
				if err != nil {
					return err
				}
				fmt.Fprintln(shown, "done")
			}
			if !asJSON {
				return nil
			}
			return writeJSON(stdout, p)
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().IntVar(&to, "to", 0, "`NUMBER` of the event after which the aliases were as they are to be")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what it would change")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with whole fingerprints")
	agree(cmd, &yes)
	return cmd
}

// printUndo shows what an undo changes, and what follows from it.
func printUndo(w io.Writer, p *undo.Plan) {
	if len(p.Events) == 0 {
		fmt.Fprintf(w, "%s: nothing to do: the aliases of peers are as they were then\n", p.Truststore)
		return
	}
	fmt.Fprintf(w, "%s:\n", p.Truststore)
	for _, e := range p.Events {
		fmt.Fprintln(w, " ", subject(e))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Undone)) {
		fmt.Fprintf(w, "the agent imports nothing of %s until it publishes another certificate, or somebody removes %s\n", name, p.UndoneAt)
	}
	fmt.Fprintln(w, "a restart of the server is due afterwards")
}
