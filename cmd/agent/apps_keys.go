package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/objects"
	"wso2agent/internal/tokens"
	"wso2agent/internal/wso2"
)

// keysFlags are what the flags of apps keys say.
type keysFlags struct {
	keyManager                 string // empty: all; with generate and delete, that of the settings
	sandbox, generate, removes bool
	secret                     bool
	deletion
	grants, callbacks     []string
	lifetime, refreshTime time.Duration // 0: that of the key manager
}

// kind is the type of the keys that a person means.
func (f keysFlags) kind() string {
	if f.sandbox {
		return wso2.Sandbox
	}
	return wso2.Production
}

func appsKeysCommand() *cobra.Command {
	var f keysFlags
	cmd := &cobra.Command{
		Use:   "keys APP",
		Short: "Show the keys of an application, make them, or delete them",
		Long: `keys shows the production keys of an application: its client at each key manager, with grant types and callbacks. The
secret is masked unless --show-secrets is there. API-M does not show keys of a key manager that is disabled.

With --generate it makes the keys if they are missing, at the key manager that --key-manager or KEY_MANAGER_NAME names,
and authorizes the client for the scopes of APIs as apply does: --grant, --callback and the lifetimes are for a new
client, scopes need no flag. Keys that exist stay as they are. A secret that API-M shows only in this answer is printed
unmasked.

With --delete it deletes the key at that key manager, with its client. Its tokens end; subscriptions stay. A client that
somebody else has made stays at the key manager. It asks first, or needs --yes where there is no terminal.`,
		Example: `  agent apps keys Shop
  agent apps keys Shop --generate --key-manager WSO2-IS
  agent apps keys Shop --generate --grant authorization_code --grant refresh_token --callback https://shop.example/done
  agent apps keys Shop --delete --sandbox
  agent apps keys Shop --show-secrets --json`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			if f.removes {
				return f.deletion.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
					return objects.RemoveKey(ctx, r.single(), args[0], r.keyManagerFor(f.keyManager), f.kind())
				})
			}
			return applicationKeys(cmd, args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.keyManager, "key-manager", "", "the key manager with this `NAME` (default: KEY_MANAGER_NAME; to show keys, all)")
	cmd.Flags().BoolVar(&f.sandbox, "sandbox", false, "sandbox keys in place of production keys")
	cmd.Flags().BoolVar(&f.generate, "generate", false, "make the keys if they are missing")
	cmd.Flags().BoolVar(&f.removes, "delete", false, "delete the keys")
	cmd.Flags().StringArrayVar(&f.grants, "grant", nil, "with --generate: a `GRANT` of the client, by its name in agent token or in full; can be repeated (default: client_credentials, password, refresh_token)")
	cmd.Flags().StringArrayVar(&f.callbacks, "callback", nil, "with --generate: a `URL` to which the key manager may redirect; can be repeated")
	cmd.Flags().DurationVar(&f.lifetime, "token-lifetime", 0, "with --generate: how long access tokens are valid, a `TIME` of whole seconds")
	cmd.Flags().DurationVar(&f.refreshTime, "refresh-token-lifetime", 0, "with --generate: how long refresh tokens are valid, a `TIME` of whole seconds")
	cmd.Flags().BoolVar(&f.secret, "show-secrets", false, "print the consumer secret")
	f.deletion.on(cmd)
	completeFlag(cmd, "key-manager", keyManagerNames)
	_ = cmd.RegisterFlagCompletionFunc("grant", cobra.FixedCompletions(tokens.Grants, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check refuses flags that contradict each other, and settings that no key can have.
func (f keysFlags) check(cmd *cobra.Command) error {
	if f.removes && (f.generate || f.secret) {
		return usage(cmd, "--delete goes with neither --generate nor --show-secrets")
	}
	for _, flag := range []string{"grant", "callback", "token-lifetime", "refresh-token-lifetime"} {
		if cmd.Flags().Changed(flag) && !f.generate {
			return usage(cmd, "--%s is for --generate", flag)
		}
	}
	for _, g := range f.grants {
		if err := desired.CheckGrant(tokens.GrantType(g)); err != nil {
			return usage(cmd, "--grant %w", err)
		}
	}
	for _, c := range f.callbacks {
		if err := desired.CheckCallback(c); err != nil {
			return usage(cmd, "--callback %w", err)
		}
	}
	for flag, d := range map[string]time.Duration{"token-lifetime": f.lifetime, "refresh-token-lifetime": f.refreshTime} {
		if cmd.Flags().Changed(flag) && (d <= 0 || d%time.Second != 0 || d/time.Second > 1<<31-1) {
			return usage(cmd, "--%s must be whole seconds above 0, such as 3600s or 1h", flag)
		}
	}
	return nil
}

// key is the key that --generate makes.
func (f keysFlags) key() desired.Key {
	grants := make([]string, len(f.grants))
	for i, g := range f.grants {
		grants[i] = tokens.GrantType(g)
	}
	list := func(texts []string) (l desired.Texts) {
		for _, t := range texts {
			l.Set = true
			l.Value = append(l.Value, desired.Text{Set: true, Value: t})
		}
		return l
	}
	seconds := func(d time.Duration) desired.Number {
		return desired.Number{Set: d > 0, Value: int(d / time.Second)}
	}
	return desired.Key{
		Type: desired.Text{Set: true, Value: f.kind()}, GrantTypes: list(grants), Callbacks: list(f.callbacks),
		ApplicationLifetime: seconds(f.lifetime), UserLifetime: seconds(f.lifetime), RefreshLifetime: seconds(f.refreshTime),
	}
}

// keyLine is one key in JSON.
type keyLine struct {
	KeyManager  string   `json:"keyManager"`
	Type        string   `json:"type"`
	ConsumerKey string   `json:"consumerKey"`
	Secret      string   `json:"consumerSecret"` // masked unless a person asks for it
	Grants      []string `json:"grantTypes"`
	Callbacks   []string `json:"callbacks"`
	Mapped      bool     `json:"mapped"` // API-M has not made the client
}

func keyLines(keys []objects.Key, show bool) []keyLine {
	lines := []keyLine{}
	for _, k := range keys {
		lines = append(lines, keyLine{k.KeyManager, k.Type, k.ConsumerKey, masked(k.Secret, show || k.Once), orEmpty(k.Grants), orEmpty(k.Callbacks), k.Mapped})
	}
	return lines
}

func applicationKeys(cmd *cobra.Command, name string, f keysFlags) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	ctx := cmd.Context()
	app, err := objects.FindApplication(ctx, r.DevPortal, name)
	if err != nil {
		return byHand(err)
	}
	var keys []objects.Key
	if f.generate {
		keys, err = generateKeys(cmd, r, app, f)
	} else {
		keys, err = findKeys(cmd, r, app, f)
	}
	if err != nil {
		return byHand(err)
	}
	if slices.ContainsFunc(keys, func(k objects.Key) bool { return k.Once }) {
		noteOnce(cmd)
	}
	if f.asJSON {
		return writeJSON(cmd.OutOrStdout(), keyLines(keys, f.secret))
	}
	if len(keys) == 0 {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "application %s: no %s keys; --generate makes them\n", printable(app.Name), strings.ToLower(f.kind()))
		return err
	}
	return printApplicationKeys(cmd.OutOrStdout(), keyLines(keys, f.secret))
}

// noteOnce says that nobody sees a secret again.
func noteOnce(cmd *cobra.Command) {
	fmt.Fprintln(cmd.ErrOrStderr(), "note: API-M shows the consumer secret only now. Keep it")
}

// keyManagerFor returns the key manager that a flag names, or the one of the application's keys in the settings.
func (r *reached) keyManagerFor(flag string) string {
	return cmp.Or(flag, r.settings.KeyManagerName, bootstrap.ResidentKeyManager)
}

// findKeys returns the keys that the flags mean.
func findKeys(cmd *cobra.Command, r *reached, app objects.Application, f keysFlags) (keys []objects.Key, err error) {
	ctx := cmd.Context()
	if f.keyManager != "" { // a mistyped name is no key manager without keys
		km, err := objects.FindKeyManager(ctx, r.Admin, f.keyManager)
		if err != nil {
			return nil, err
		}
		if !km.Enabled {
			return nil, objects.DisabledKeyManager(km.Name)
		}
	}
	all, err := objects.Keys(ctx, r.DevPortal, app.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.Type == f.kind() && (f.keyManager == "" || k.KeyManager == f.keyManager) {
			keys = append(keys, k)
		}
	}
	if f.keyManager != "" {
		return keys, nil
	}
	hiding, err := objects.HidingKeys(ctx, r.Admin, app)
	if err == nil && len(keys) == 0 && len(hiding) > 0 {
		return nil, objects.DisabledKeyManager(hiding[0])
	}
	noteHidden(cmd.ErrOrStderr(), hiding)
	return keys, err
}

// noteHidden names the key managers of which API-M shows no keys.
func noteHidden(stderr io.Writer, managers []string) {
	for _, manager := range managers {
		fmt.Fprintf(stderr, "note: API-M shows no keys of key manager %s, because it is disabled: agent km enable '%[1]s'\n", printable(manager))
	}
}

// generateKeys makes the keys if they are missing, and returns them.
func generateKeys(cmd *cobra.Command, r *reached, app objects.Application, f keysFlags) (keys []objects.Key, err error) {
	manager := r.keyManagerFor(f.keyManager)
	err = r.changing(cmd, func(ctx context.Context) error {
		key, made, err := objects.MakeKey(ctx, r.single(), app, manager, f.key())
		if err != nil {
			return err
		}
		keys = []objects.Key{key}
		if made && manager == r.settings.KMName {
			_, err := bootstrap.Authorize(ctx, r.log, r.Servers, r.settings, []string{key.ConsumerKey})
			return err
		}
		return nil
	})
	return keys, err
}

func printApplicationKeys(w io.Writer, keys []keyLine) error {
	for i, k := range keys {
		if i > 0 {
			fmt.Fprintln(w)
		}
		err := details(w, [][2]string{
			{"key manager", k.KeyManager}, {"type", k.Type}, {"consumer key", k.ConsumerKey}, {"consumer secret", k.Secret},
			{"grant types", strings.Join(k.Grants, " ")}, {"callbacks", strings.Join(k.Callbacks, " ")}, {"made by", map[bool]string{true: "somebody else, mapped", false: "API-M"}[k.Mapped]},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
