package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
)

func kmRegisterCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Register IS as key manager in API-M, and verify that",
		Long: `register registers IS as key manager in API-M under KM_NAME, or brings an existing one to the settings, and verifies that
API-M makes keys with it. It does only that part of agent bootstrap, and reads no API configuration: another run
changes nothing. To verify a new or changed key manager, it makes an application with keys, and deletes both again.

It waits until both servers serve requests. It exits with 3 after BOOTSTRAP_TIMEOUT, and with 4 if a person must change
something.`,
		Example: `  IS_HOST=wso2is AM_HOST=wso2am agent km register`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return registerKeyManager(cmd, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func registerKeyManager(cmd *cobra.Command, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if r.settings.SkipKeyManager {
		return usageError{remedy.Add(fmt.Errorf("%s: the settings name no Identity Server", cmd.CommandPath()), "name IS in PEERS")}
	}
	if files := bootstrap.FilesOf(r.cfg); files.CheckKeys() == nil {
		if r.settings.Owner, err = files.Owner(); err != nil {
			return err
		}
	}
	changes := 0
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		changes, err = bootstrap.Register(ctx, r.log, r.Servers, r.settings, &desired.File{}, nil) // changing has the lease
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"name": r.settings.KMName, "changed": changes > 0})
	}
	state := "registered already, as the settings say"
	if changes > 0 {
		state = "registered as the settings say"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "key manager %s: %s\n", r.settings.KMName, state)
	return err
}
