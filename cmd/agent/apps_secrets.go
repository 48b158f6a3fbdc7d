package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

func appsSecretsCommand() *cobra.Command {
	var f keysFlags
	var revoke string
	cmd := &cobra.Command{
		Use:   "secrets APP",
		Short: "List the consumer secrets of a key, or revoke one",
		Long: `secrets lists the secrets of a production key of an application, the oldest first. From version ` +
			product.Since(product.AM, func(f product.Facts) bool { return f.SecretsShownOnce }) + ` on, a client of API-M
can have several. API-M shows a secret only in the answer that makes it, so the list has ids and no secrets.

With --revoke it revokes one of them. Clients that use it get no more tokens. API-M does not revoke the latest one.`,
		Example: `  agent apps secrets Shop
  agent apps secrets Shop --revoke 2f6f5b0e-8a30-4a39-8e4b-0c0e0f4f1f5b`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return applicationSecrets(cmd, args[0], revoke, f)
		},
	}
	cmd.Flags().StringVar(&f.keyManager, "key-manager", "", "the key manager with this `NAME`")
	cmd.Flags().BoolVar(&f.sandbox, "sandbox", false, "sandbox keys in place of production keys")
	cmd.Flags().StringVar(&revoke, "revoke", "", "revoke the secret with this `ID`")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	completeFlag(cmd, "key-manager", keyManagerNames)
	return cmd
}

// secretLine is one secret in JSON, without its value.
type secretLine struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	Expires     string `json:"expires"` // empty: never
}

func applicationSecrets(cmd *cobra.Command, name, revoke string, f keysFlags) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	app, err := objects.FindApplication(cmd.Context(), r.DevPortal, name)
	if err != nil {
		return byHand(err)
	}
	f.keyManager = cmp.Or(f.keyManager, r.settings.KeyManagerName, bootstrap.ResidentKeyManager)
	keys, err := findKeys(cmd, r, app, f)
	if err != nil {
		return byHand(err)
	}
	if len(keys) == 0 {
		return bootstrap.Permanent(remedy.Add(fmt.Errorf("application %q has no %s key at key manager %q", app.Name, strings.ToLower(f.kind()), f.keyManager), "name another key manager with --key-manager, or --sandbox"))
	}
	list, err := r.DevPortal.Secrets(cmd.Context(), app.ID, keys[0].ID)
	if err != nil {
		return secretsRefused(err)
	}
	if revoke != "" {
		at := slices.IndexFunc(list, func(s wso2.ConsumerSecret) bool { return s.ID == revoke })
		if at < 0 {
			return bootstrap.Permanent(remedy.Add(fmt.Errorf("the key has no secret %q", revoke), "list them without --revoke"))
		}
		err := r.changing(cmd, func(ctx context.Context) error {
			return r.DevPortal.RevokeSecret(ctx, app.ID, keys[0].ID, revoke)
		})
		if err != nil && at == len(list)-1 {
			err = bootstrap.Permanent(remedy.Add(err, "API-M does not revoke the latest secret of a client: make the whole key again with agent km clients renew"))
		}
		if err != nil {
			return secretsRefused(err)
		}
		list = slices.Delete(list, at, at+1)
	}
	lines, rows := []secretLine{}, [][]string{}
	for _, s := range list {
		line := secretLine{ID: s.ID}
		line.Description, _ = s.Properties["description"].(string)
		if at, _ := s.Properties["expiresAt"].(float64); at > 0 {
			line.Expires = time.Unix(int64(at), 0).UTC().Format(time.RFC3339)
		}
		lines, rows = append(lines, line), append(rows, []string{line.ID, cmp.Or(line.Expires, "never"), line.Description})
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), lines)
	}
	return table(cmd.OutOrStdout(), []string{"ID", "EXPIRES", "DESCRIPTION"}, rows)
}

// secretsRefused adds what to do where a client has one secret.
func secretsRefused(err error) error {
	if errors.Is(err, wso2.ErrOneSecret) {
		return bootstrap.Permanent(remedy.Add(err, "make the key again with another secret: agent km clients renew"))
	}
	return byHand(err)
}
