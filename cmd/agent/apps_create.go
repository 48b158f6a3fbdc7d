package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsCreateCommand() *cobra.Command {
	var policy, description string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an application",
		Long: `create makes an application without subscriptions and keys. "agent subscriptions add" and "agent apps keys --generate"
make these. The agent does not record it as its own, so no apply removes it.`,
		Example: `  agent apps create Shop --description "The web shop"`,
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return createApplication(cmd, args[0], policy, description, asJSON)
		},
	}
	cmd.Flags().StringVar(&policy, "policy", "Unlimited", "the application policy with this `NAME`")
	cmd.Flags().StringVar(&description, "description", "", "a `TEXT` that says what it is for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	completeFlag(cmd, "policy", func(ctx context.Context, r *reached, _ []string) ([]string, error) {
		return r.DevPortal.ApplicationPolicies(ctx)
	})
	return cmd
}

func createApplication(cmd *cobra.Command, name, policy, description string, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var app objects.Application
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		app, err = objects.CreateApplication(ctx, r.DevPortal, name, policy, description)
		return err
	})
	if err != nil {
		return existing(err, "choose another name; agent apps show '%s' shows the application of this name", name)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), app)
	}
	state := "created"
	if app.Status != "APPROVED" {
		state += ", and waits for approval in API-M's Admin Portal, under Tasks"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "application %s: %s\n", printable(app.Name), state)
	return err
}
