package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

func kmClientsRenewCommand() *cobra.Command {
	var f renewing
	cmd := &cobra.Command{
		Use:   "renew APP",
		Short: "Make the keys of an application again, so that its client gets another owner",
		Long: `renew deletes the keys of an application at a key manager, with their clients, and makes them again with the same grant
types, callbacks and other settings. The new client belongs to the user that the key manager has now. If KEYS_FILE has
the former key, renew writes the new one there.

The former client gets no more tokens. Its tokens end when they expire, if not before. Give the users of the application
the new consumer key and secret at once: nothing else tells them. Without --show-secrets the secret is masked.

It names all that before it deletes anything, and asks; --yes agrees. If it is stopped, run it again within an hour: it keeps the settings of
the clients next to KEYS_FILE until they are made, and does not make finished keys again. It does not touch a client that
somebody has made in IS and mapped.

It exits with 4 if the application has no keys there, if the key manager does not have its user yet, or if the key
manager is neither IS 7 nor API-M's own: the agent does not know all settings of the clients of others.`,
		Example: `  agent km clients
  agent km clients renew Shop --yes --show-secrets`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&f.keyManager, "key-manager", "", "the key manager with this `NAME` (default: KEY_MANAGER_NAME)")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&f.secrets, "show-secrets", false, "print the secrets of the new clients")
	agree(cmd, &f.yes)
	completeFlag(cmd, "key-manager", keyManagerNames)
	return cmd
}

// renewing is what the flags of renew say.
type renewing struct {
	keyManager           string // "": that of the settings
	yes, asJSON, secrets bool
}

// renewedLine is one key in the output of renew.
type renewedLine struct {
	Type           string `json:"type"`
	Was            string `json:"formerConsumerKey"`
	ConsumerKey    string `json:"consumerKey"`
	ConsumerSecret string `json:"consumerSecret"`
	Owner          string `json:"owner"` // "": the key manager is not the agent's own
}

func (f renewing) run(cmd *cobra.Command, name string) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	application, manager, err := f.find(cmd.Context(), r, name)
	if err != nil {
		return byHand(err)
	}
	files := bootstrap.FilesOf(r.cfg)
	keys, err := r.single().Renewable(cmd.Context(), files, application, manager)
	if err != nil {
		return byHand(err)
	}
	if err := f.explain(cmd.ErrOrStderr(), r, application, manager, keys); err != nil {
		return err
	}
	if err := confirm(cmd, "Delete these keys and make them again?", f.yes); err != nil {
		return err
	}
	var made []apply.Renewed
	err = r.changing(cmd, func(ctx context.Context) error {
		made, err = r.single().Renew(ctx, files, application, manager)
		if len(made) == 0 {
			return err
		}
		// Also if a later key has failed: the users of these get their secrets now.
		var clients []string
		for _, k := range made {
			clients = append(clients, k.ConsumerKey)
		}
		_, unauthorized := bootstrap.Authorize(ctx, r.log, r.Servers, r.settings, clients)
		return errors.Join(err, unauthorized)
	})
	if len(made) > 0 { // also if a later step has failed: the former clients are gone
		if printed := f.print(cmd, r, application, manager, made); printed != nil && err == nil {
			err = printed
		}
	}
	return byHand(err)
}

// find returns the application and the key manager as API-M has them.
func (f renewing) find(ctx context.Context, r *reached, name string) (application, manager wso2.Object, err error) {
	list, err := r.DevPortal.ApplicationObjects(ctx)
	if err == nil {
		application, err = objects.Pick("application", name, list, func(o wso2.Object) string { return o.Name })
	}
	if err == nil {
		application, err = r.DevPortal.ApplicationObject(ctx, application.ID)
	}
	if err != nil {
		return application, manager, err
	}
	info, err := objects.FindKeyManager(ctx, r.Admin, r.keyManagerFor(f.keyManager))
	if err != nil {
		return application, manager, err
	}
	if info.Name == r.settings.KMName {
		has, err := bootstrap.UserRegistered(ctx, r.Servers, r.settings)
		if err != nil {
			return application, manager, err
		}
		if !has {
			return application, manager, remedy.Add(fmt.Errorf("%w: key manager %s does not have the user or the password that the settings name, so new clients would fail or get the wrong owner", bootstrap.ErrPermanent, info.Name),
				"run agent apply or agent bootstrap first")
		}
	}
	manager, err = r.Admin.KeyManagerObject(ctx, info.ID)
	return application, manager, err
}

// explain says what is about to be deleted.
func (f renewing) explain(w io.Writer, r *reached, application, manager wso2.Object, keys []plan.Object) error {
	for _, key := range keys {
		kind, _ := key["keyType"].(string)
		client, _ := key["consumerKey"].(string)
		if _, err := fmt.Fprintf(w, "%s key of application %s at key manager %s: client %s\n", strings.ToLower(kind), printable(application.Name), printable(manager.Name), printable(client)); err != nil {
			return err
		}
	}
	with := []string{
		"the former clients get no more tokens, also not with refresh tokens",
		"access tokens of the former clients end when they expire, if not before",
		"the new keys have other consumer keys and secrets: the application's users need them at once, and nothing else tells them",
		"KEYS_FILE, KEYS_ENV_FILE and KEYS_SECRET_FILE get the new keys where they have the former ones",
	}
	if manager.Name == r.settings.KMName {
		with = append(with, "the new clients belong to the present user of the key manager, and are authorized for the scopes of APIs again")
	}
	if err := consequences(w, "these keys are deleted and made again", with); err != nil || manager.Name != r.settings.KMName {
		return err
	}
	properties, _ := manager.Fields["additionalProperties"].(map[string]any)
	if user, _ := properties["Username"].(string); serviceuser.Same(user, r.settings.ISCredentials.User) {
		_, err := fmt.Fprintf(w, "warning: the key manager calls IS as the administrator, who will own the new client too; set KM_SERVICE_USER=create and run agent apply first\n")
		return err
	}
	return nil
}

// print prints the new keys.
func (f renewing) print(cmd *cobra.Command, r *reached, application, manager wso2.Object, made []apply.Renewed) error {
	lines := []renewedLine{}
	for _, k := range made {
		line := renewedLine{k.Type, k.Was, k.ConsumerKey, masked(k.ConsumerSecret, f.secrets), ""}
		if manager.Name == r.settings.KMName && !r.settings.SkipKeyManager {
			owner, err := r.IS.ClientOwner(cmd.Context(), k.ConsumerKey)
			if err != nil {
				r.log.Warn("cannot read the owner of the new client", "client", k.ConsumerKey, "error", err)
			}
			line.Owner = owner
		}
		lines = append(lines, line)
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"application": application.Name, "keyManager": manager.Name, "keys": lines})
	}
	for _, l := range lines {
		if err := details(cmd.OutOrStdout(), [][2]string{
			{"type", l.Type}, {"former consumer key", l.Was}, {"consumer key", l.ConsumerKey}, {"consumer secret", l.ConsumerSecret}, {"owner", l.Owner},
		}); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), handOver)
	return err
}

// handOver says what a person must do with new keys.
const handOver = `Give the users of the application the new consumer key and secret. The former client gets no more tokens, and its
tokens end when they expire, if not before.
`
