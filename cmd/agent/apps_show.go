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
	cmd := &cobra.Command{
		Use:               "show APP",
		Short:             "Show an application, its subscriptions and its keys without secrets",
		Example:           `  agent apps show Shop`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showApplication(cmd.Context(), args[0], asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
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
	return details(stdout, [][2]string{
		{"name", app.Name}, {"id", app.ID}, {"owner", app.Owner}, {"policy", app.Policy}, {"status", app.Status}, {"description", app.Description},
		{"subscriptions", strings.Join(apis, ", ")}, {"keys", strings.Join(clients, ", ")},
	})
}
