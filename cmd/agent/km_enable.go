package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

// kmEnableCommand returns the command enable, or disable.
func kmEnableCommand(enable bool) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "enable NAME",
		Short: "Enable a key manager",
		Long: `enable enables a key manager of API-M, and changes nothing else of it. Keys of applications that it has hidden while it
was disabled are there again.`,
		Example:           `  agent km enable WSO2-IS`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(keyManagerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return enableKeyManager(cmd, args[0], enable, asJSON)
		},
	}
	if !enable {
		cmd.Use, cmd.Example = "disable NAME", "  agent km disable WSO2-IS"
		cmd.Short = "Disable a key manager: API-M makes no keys with it until it is enabled"
		cmd.Long = `disable disables a key manager of API-M, and changes nothing else of it. API-M then neither makes nor shows keys of this
key manager. The key manager of the agent's own IS is enabled again by the next bootstrap.`
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func enableKeyManager(cmd *cobra.Command, name string, enable, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var changed bool
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		changed, err = objects.EnableKeyManager(ctx, r.Admin, name, enable)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"name": name, "enabled": enable, "changed": changed})
	}
	state := map[bool]string{true: "enabled", false: "disabled"}[enable]
	if !changed {
		state += " already"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "key manager %s: %s\n", printable(name), state)
	return err
}
