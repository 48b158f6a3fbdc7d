package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/objects"
	"wso2agent/internal/remedy"
	"wso2agent/internal/tokens"
)

// choice is whose token a command uses.
type choice struct {
	application string // empty: the first one of the keys file
	keyManager  string // empty: the first one at which the application has a key
	sandbox     bool
}

// flags adds the flags of a choice.
func (c *choice) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.application, "app", "", "the application `NAME` in KEYS_FILE (default: the first one)")
	cmd.Flags().StringVar(&c.keyManager, "key-manager", "", "the key at the key manager `NAME` (default: the first one of the application)")
	cmd.Flags().BoolVar(&c.sandbox, "sandbox", false, "use the key of type SANDBOX, not that of type PRODUCTION")
	for flag, name := range map[string]func(keysfile.Key) string{"app": applicationOf, "key-manager": keyManagerOf} {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			list := func(_ context.Context, r *reached, _ []string) ([]string, error) {
				keys, err := bootstrap.FilesOf(r.cfg).Clients()
				return namesIn(keys, name), err
			}
			return namesFor(cmd.Context(), list, nil, begun), cobra.ShellCompDirectiveNoFileComp
		}) // it fails only without the flag
	}
}

func applicationOf(k keysfile.Key) string { return k.Application }
func keyManagerOf(k keysfile.Key) string  { return k.KeyManager }

// namesIn returns the names in keys, each once, in the order of the keys.
func namesIn(keys []keysfile.Key, name func(keysfile.Key) string) (names []string) {
	for _, k := range keys {
		if !slices.Contains(names, name(k)) {
			names = append(names, name(k))
		}
	}
	return names
}

// key returns the key of the choice in the keys file.
func (c choice) key(r *reached) (keysfile.Key, error) {
	files := bootstrap.FilesOf(r.cfg)
	keys, err := files.Clients()
	if err != nil {
		return keysfile.Key{}, err
	}
	itself := func(name string) string { return name }
	application := keys[0].Application
	if c.application != "" {
		if application, err = objects.Pick("application", c.application, namesIn(keys, applicationOf), itself); err != nil {
			return keysfile.Key{}, fmt.Errorf("%s: %w", files.Keys.JSON, err)
		}
	}
	if c.keyManager != "" {
		if _, err := objects.Pick("key manager", c.keyManager, namesIn(keys, keyManagerOf), itself); err != nil {
			return keysfile.Key{}, fmt.Errorf("%s: %w", files.Keys.JSON, err)
		}
	}
	kind := "PRODUCTION"
	if c.sandbox {
		kind = "SANDBOX"
	}
	for _, k := range keys {
		if k.Application == application && k.Type == kind && (c.keyManager == "" || k.KeyManager == c.keyManager) {
			return k, nil
		}
	}
	if c.keyManager != "" {
		kind += " at " + c.keyManager
	}
	return keysfile.Key{}, remedy.Add(bootstrap.Permanent(fmt.Errorf("application %q has no key of type %s in %s", application, kind, files.Keys.JSON)),
		"list the key in the API configuration, and run agent apply")
}

// clientOf returns the OAuth client of a key.
func clientOf(r *reached, k keysfile.Key) tokens.Client {
	return tokens.Client{HTTP: r.HTTP, ID: k.ConsumerKey, Secret: k.ConsumerSecret, TokenEndpoint: k.TokenEndpoint}
}
