package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
	"wso2agent/internal/remedy"
)

func clientsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "clients",
		Short: "Show and delete the OAuth clients of IS",
		Long: `clients shows and deletes the OAuth clients of IS, with the applications of API-M that use them. CLIENT is a client id or a
name. API-M shows only the applications of the user with which the agent calls it; of others, the name of the client
says to whom it belongs. It reaches both servers by their settings, and runs anywhere.

"agent km clients" lists only the clients that API-M has made, to find those that IS's administrator owns.`,
		Example: `  agent clients list
  agent clients show admin_5fb8112d-ec9d-4b49-a6c9-565da6dc34e3_PRODUCTION`,
	})
	cmd.AddCommand(clientsListCommand(), clientsShowCommand(), clientsDeleteCommand())
	return cmd
}

// clientServers returns what the clients are read from.
func (r *reached) clientServers() (objects.ClientServers, error) {
	if r.settings.SkipKeyManager {
		return objects.ClientServers{}, remedy.Add(bootstrap.Permanent(errors.New("the settings name no Identity Server")), "name IS in PEERS")
	}
	return objects.ClientServers{Applications: r.Scopes, Registration: r.IS, DevPortal: r.DevPortal, User: r.settings.AMCredentials.User}, nil
}

// reachClients is reach for commands about clients.
func reachClients(stderr io.Writer) (*reached, objects.ClientServers, error) {
	r, err := reach(stderr)
	if err != nil {
		return nil, objects.ClientServers{}, err
	}
	s, err := r.clientServers()
	if err != nil {
		r.connection.Close()
	}
	return r, s, err
}

// clientNames lists the clients of IS by name. It asks nobody for their owners.
func clientNames(ctx context.Context, r *reached, _ []string) (names []string, err error) {
	list, err := r.Scopes.AllApplications(ctx)
	for _, app := range list {
		if app.ClientID != "" {
			names = append(names, app.Name)
		}
	}
	return names, err
}
