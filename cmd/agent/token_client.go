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
	sandbox     bool
}

// flags adds the flags of a choice.
func (c *choice) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.application, "app", "", "the application `NAME` in KEYS_FILE (default: the first one)")
	cmd.Flags().BoolVar(&c.sandbox, "sandbox", false, "use the key of type SANDBOX, not that of type PRODUCTION")
	_ = cmd.RegisterFlagCompletionFunc("app", func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return namesFor(cmd.Context(), applicationsWithKeys, nil, begun), cobra.ShellCompDirectiveNoFileComp
	}) // it fails only without the flag
}

// applicationsWithKeys lists the applications in the keys file.
func applicationsWithKeys(_ context.Context, r *reached, _ []string) ([]string, error) {
	keys, err := bootstrap.FilesOf(r.cfg).Clients()
	return ofApplications(keys), err
}

// ofApplications lists the applications that keys are of, each once.
func ofApplications(keys []keysfile.Key) (names []string) {
	for _, k := range keys {
		if !slices.Contains(names, k.Application) {
			names = append(names, k.Application)
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
	application := keys[0].Application
	if c.application != "" {
		if application, err = objects.Pick("application", c.application, ofApplications(keys), func(name string) string { return name }); err != nil {
			return keysfile.Key{}, fmt.Errorf("%s: %w", files.Keys.JSON, err)
		}
	}
	kind := "PRODUCTION"
	if c.sandbox {
		kind = "SANDBOX"
	}
	for _, k := range keys {
		if k.Application == application && k.Type == kind {
			return k, nil
		}
	}
	return keysfile.Key{}, remedy.Add(fmt.Errorf("%w: application %q has no key of type %s in %s", bootstrap.ErrPermanent, application, kind, files.Keys.JSON),
		"list the key in the API configuration, and run agent apply")
}

// clientOf returns the OAuth client of a key.
func clientOf(r *reached, k keysfile.Key) tokens.Client {
	return tokens.Client{HTTP: r.HTTP, ID: k.ConsumerKey, Secret: k.ConsumerSecret, TokenEndpoint: k.TokenEndpoint}
}
