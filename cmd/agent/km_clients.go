package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
	"wso2agent/internal/scopes"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/sorting"
)

func kmClientsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clients",
		Short: "List the clients of API-M's applications in IS with their owners",
		Long: `clients lists the clients in IS that API-M has registered for its applications, and those in SCOPES_CLIENTS, with the
user that owns each. APPLICATION is the application of API-M that uses a client, as in agent clients list; km clients
renew takes its name, without the type of the keys. A client keeps the owner that it was made with. Make the keys of an application again with
"agent km clients renew" if its client belongs to IS's administrator.`,
		Example: `  agent km clients
  agent km clients --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listClients(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(kmClientsRenewCommand())
	return cmd
}

// ownedLine is one client in the output of clients.
type ownedLine struct {
	Name          string `json:"name"`
	ClientID      string `json:"clientId"`
	Owner         string `json:"owner"`
	Application   string `json:"application"` // of API-M, that uses it; "" if none is known
	Administrator bool   `json:"ownedByAdministrator"`
}

func listClients(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, missing, err := scopes.Owners(ctx, r.Scopes, r.IS, r.cfg.Scopes.Clients)
	if err != nil {
		return byHand(err)
	}
	userOf, err := objects.UsersOf(ctx, r.DevPortal, r.settings.AMCredentials.User)
	if err != nil {
		return byHand(err)
	}
	lines := []ownedLine{}
	for _, o := range list {
		lines = append(lines, ownedLine{o.Name, o.ClientID, o.Owner, userOf(o.ClientID, o.Name), serviceuser.Same(o.Owner, r.settings.ISCredentials.User)})
	}
	sorting.By(lines, func(a, b ownedLine) int { return strings.Compare(a.Name, b.Name) })
	if asJSON {
		err = writeJSON(stdout, map[string]any{"clients": lines, "missingClients": orEmpty(missing)})
	} else {
		err = printClients(stdout, lines)
	}
	if err != nil {
		return err
	}
	return missingClients(missing)
}

func printClients(w io.Writer, lines []ownedLine) error {
	administrators := 0
	var rows [][]string
	for _, l := range lines {
		owner := l.Owner
		if l.Administrator {
			administrators++
			owner += " (administrator)"
		}
		rows = append(rows, []string{l.Name, l.ClientID, owner, l.Application})
	}
	if err := table(w, []string{"NAME", "CLIENT", "OWNER", "APPLICATION"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "clients: %d, owned by the administrator of IS: %d\n", len(lines), administrators)
	if err == nil && administrators > 0 {
		_, err = fmt.Fprint(w, again)
	}
	return err
}

// again says how to make a client again. The consumer key changes, so only a person can decide when.
const again = `To make such a client again, first see that the key manager has another user: KM_SERVICE_USER=create, then agent
apply or agent bootstrap. Then run agent km clients renew with the name of the application, and give its users the new
consumer key and secret.
`
