package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/remedy"
	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

func tokenRevokeCommand() *cobra.Command {
	var of choice
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "revoke [FILE]",
		Short: "Revoke a token of an application, with its refresh token",
		Long: `revoke ends the token in FILE, or on the standard input for - and for no FILE (RFC 7009): an access token with its
refresh token, or a refresh token with its access token. Only the client that has the token can revoke it, so KEYS_FILE
must have its keys. A JWT names its client. For an opaque token, --app and --sandbox name it.

The key manager gives the same answer for a token that it does not know. agent token introspect shows whether a token
is active.

A token is no argument, because other users of the machine can see arguments.`,
		Example: `  agent token revoke token.txt
  agent token revoke --app Shop --json < refresh-token.txt`,
		Args: tokenFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := readSecretFile(cmd, "token", strings.Join(args, ""))
			if err != nil {
				return err
			}
			return revoke(cmd, token, of, asJSON)
		},
	}
	of.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault // files
	}
	return cmd
}

// revoke ends a token, and says what the gateway does about it.
func revoke(cmd *cobra.Command, token wso2.Secret, of choice, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	j, opaque := tokens.Decode(string(token))
	key, err := of.key(r)
	if id := j.ClientID(); opaque == nil && id != "" && of == (choice{}) {
		key, err = keyOfClient(r, id)
	}
	if err != nil {
		return err
	}
	client := clientOf(r, key)
	if err := client.Revoke(cmd.Context(), token); err != nil {
		if wso2.HasCodeText(err, wso2.CodeTextUnauthorizedClient) {
			err = remedy.Add(err, "the token belongs to another client: name its application with --app")
		}
		return byHand(err)
	}
	gateway := gatewayAfter(key, j, time.Now())
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"application": key.Application, "clientId": key.ConsumerKey, "endpoint": client.Endpoint("revoke"), "gateway": gateway})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "revocation accepted: a token of application %s, at %s\nnote: the key manager gives the same answer for a token that it does not know\ngateway: %s\n", printable(key.Application), client.Endpoint("revoke"), gateway)
	return err
}

// keyOfClient returns the key of a client in the keys file.
func keyOfClient(r *reached, id string) (keysfile.Key, error) {
	files := bootstrap.FilesOf(r.cfg)
	keys, err := files.Clients()
	if err != nil {
		return keysfile.Key{}, err
	}
	for _, k := range keys {
		if k.ConsumerKey == id {
			return k, nil
		}
	}
	return keysfile.Key{}, remedy.Add(bootstrap.Permanent(fmt.Errorf("%s has no keys of the token's client %s", files.Keys.JSON, printable(id))),
		"set KEYS_FILE to the file with the keys of this client, which alone can revoke its token")
}

// gatewayAfter says what the gateway does about a revoked token. IS reports the token to API-M only with the handler that agent init
// installs; without it, the gateway verifies only the signature and the times.
func gatewayAfter(key keysfile.Key, j tokens.JWT, now time.Time) string {
	if key.KeyManager == bootstrap.ResidentKeyManager {
		return "refuses the token after about a second, because API-M reports it itself"
	}
	end := "until it expires"
	if at, ok := j.Expires(); ok {
		end += ", " + away(at.Sub(now))
	}
	return "refuses the token about a second after IS has reported it to API-M; IS reports it once, and only with the handler that agent init installs; without the report the gateway accepts the token " + end
}
