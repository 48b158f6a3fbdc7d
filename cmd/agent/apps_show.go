package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsShowCommand() *cobra.Command {
	var asJSON bool
	var owner string
	cmd := &cobra.Command{
		Use:   "show APP",
		Short: "Show an application, its subscriptions and its keys without secrets",
		Long: `show prints an application of the user with which the agent calls API-M, its subscriptions and its keys without secrets.
With --owner it prints an application of another user. API-M shows subscriptions and keys to the owner alone, so that show
prints their number only; "agent subscriptions list --api" names the subscriptions of all users to one API.`,
		Example: `  agent apps show Shop
  agent apps show Shop --owner ann`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if owner != "" {
				return showApplicationOf(cmd, args[0], owner, asJSON)
			}
			return showApplication(cmd.Context(), args[0], asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	ownerFlag(cmd, &owner)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showApplicationOf(cmd *cobra.Command, name, owner string, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	app, subscriptions, err := objects.ReadApplicationOf(cmd.Context(), r.Admin, name, owner)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), struct {
			objects.Application
			Subscriptions int `json:"subscriptionCount"`
		}{app, subscriptions})
	}
	return details(cmd.OutOrStdout(), append(applicationLines(app), [2]string{"subscriptions", fmt.Sprint(subscriptions)}))
}

// applicationLines are the lines of an application itself.
func applicationLines(app objects.Application) [][2]string {
	return [][2]string{{"name", app.Name}, {"id", app.ID}, {"owner", app.Owner}, {"policy", app.Policy}, {"status", app.Status}, {"description", app.Description}}
}

func showApplication(ctx context.Context, name string, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	app, err := objects.FindApplication(ctx, r.DevPortal, name)
	if err != nil {
		return byHand(err)
	}
	subscriptions, err := objects.Subscriptions(ctx, r.single(), name, "")
	if err != nil {
		return byHand(err)
	}
	keys, err := objects.Keys(ctx, r.DevPortal, app.ID)
	if err != nil {
		return byHand(err)
	}
	hiding, err := objects.HidingKeys(ctx, r.Admin, app)
	if err != nil {
		return byHand(err)
	}
	noteHidden(stderr, hiding)
	if asJSON {
		return writeJSON(stdout, struct {
			objects.Application
			Subscriptions []objects.Subscription `json:"subscriptions"`
			Keys          []keyLine              `json:"keys"`
		}{app, append([]objects.Subscription{}, subscriptions...), keyLines(keys, false)})
	}
	var apis, clients []string
	for _, s := range subscriptions {
		apis = append(apis, fmt.Sprintf("%s:%s (%s, %s)", s.API, s.Version, s.Policy, s.Status))
	}
	for _, k := range keys {
		clients = append(clients, fmt.Sprintf("%s (%s, %s)", k.ConsumerKey, k.KeyManager, k.Type))
	}
	return details(stdout, append(applicationLines(app), [2]string{"subscriptions", strings.Join(apis, ", ")}, [2]string{"keys", strings.Join(clients, ", ")}))
}
