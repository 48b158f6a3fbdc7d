package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func apisShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show API",
		Short: "Show an API, where it is deployed, and who has subscribed to it",
		Long: "show prints an API as it is saved in the Publisher, the gateway environments in which it is deployed, and who has\n" +
			"subscribed to it, also other people's applications.",
		Example:           `  agent apis show Orders:1.0.0`,
		Args:              arguments("API"),
		ValidArgsFunction: completed(apiNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showAPI(cmd.Context(), args[0], asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showAPI(ctx context.Context, name string, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	api, err := objects.ReadAPI(ctx, r.Publisher, name)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, api)
	}
	var places, subscribers []string
	for _, d := range api.Deployments {
		places = append(places, fmt.Sprintf("%s (%s)", d.Environment, d.VHost))
	}
	for _, s := range api.Subscriptions {
		subscribers = append(subscribers, fmt.Sprintf("%s (%s, %s)", s, s.Policy, s.Status))
	}
	return details(stdout, [][2]string{
		{"name", api.Name}, {"version", api.Version}, {"id", api.ID}, {"context", api.Context}, {"state", api.State}, {"type", api.Type},
		{"provider", api.Provider}, {"backend", api.Backend}, {"policies", strings.Join(api.Policies, ", ")}, {"key managers", strings.Join(api.KeyManagers, ", ")},
		{"deployed in", strings.Join(places, ", ")}, {"subscriptions", strings.Join(subscribers, ", ")},
	})
}
