package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func apisLifecycleCommand() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "lifecycle API STATE",
		Short: "Bring an API to a state of its lifecycle, by the shortest legal way",
		Long: `lifecycle brings an API to a state: CREATED, PROTOTYPED, PUBLISHED, BLOCKED, DEPRECATED or RETIRED, in any letter case.
It takes the shortest way that API-M allows, which may have several steps.

A deprecated API can only be retired, and a retired one only deleted. So lifecycle asks first if there is no way back to
the present state, or needs --yes where there is no terminal. Retiring ends all subscriptions. It exits with 4 if there is no way, and if somebody must approve a step.`,
		Example: `  agent apis lifecycle Orders:1.0.0 blocked
  agent apis lifecycle Orders:1.0.0 retired --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments("API", "STATE")(cmd, args); err != nil {
				return err
			}
			if err := objects.CheckState(args[1]); err != nil {
				return usageError{err}
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return objects.States(), cobra.ShellCompDirectiveNoFileComp
			}
			return completed(apiNames)(cmd, args, begun)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeLifecycle(cmd, args[0], args[1], yes, asJSON)
		},
	}
	agree(cmd, &yes)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func changeLifecycle(cmd *cobra.Command, name, state string, yes, asJSON bool) error {
	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	t, err := objects.FindTransition(cmd.Context(), r.Publisher, name, state)
	if err != nil {
		return byHand(err)
	}
	api := printable(objects.APIName(t.API))
	if t.Final {
		for _, s := range t.Subscribers {
			fmt.Fprintf(stderr, "The subscription of application %s ends.\n", printable(s))
		}
		if err := confirm(cmd, fmt.Sprintf("Change API %s from %s to %s? There is no way back to %s.", api, t.From, t.To, t.From), yes); err != nil {
			return err
		}
	}
	if len(t.Actions) > 0 {
		if err := r.changing(cmd, func(ctx context.Context) error { return t.Make(ctx, r.single()) }); err != nil {
			return err
		}
	}
	if asJSON {
		return writeJSON(stdout, map[string]any{"name": t.API.Name, "version": t.API.Version, "id": t.API.ID, "was": t.From, "state": t.To,
			"actions": orEmpty(slices.Clone(t.Actions))})
	}
	if len(t.Actions) == 0 {
		_, err = fmt.Fprintf(stdout, "API %s: %s already\n", api, t.To)
		return err
	}
	_, err = fmt.Fprintf(stdout, "API %s: %s, was %s (%s)\n", api, t.To, t.From, strings.Join(t.Actions, ", "))
	return err
}
