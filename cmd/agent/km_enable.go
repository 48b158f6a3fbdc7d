package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

// kmEnableCommand returns the command enable, or disable.
func kmEnableCommand(enable bool) *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "enable NAME",
		Short: "Enable a key manager",
		Long: `enable enables a key manager of API-M, and changes nothing else of it. Keys of applications that it has hidden while it
was disabled are there again.`,
		Example:           `  agent km enable WSO2-IS`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(keyManagerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return enableKeyManager(cmd, args[0], enable, yes, asJSON)
		},
	}
	if !enable {
		cmd.Use, cmd.Example = "disable NAME", "  agent km disable WSO2-IS --yes"
		cmd.Short = "Disable a key manager: the gateway refuses its tokens until it is enabled"
		cmd.Long = `disable disables a key manager of API-M, and changes nothing else of it. The gateway refuses all tokens of this key manager
within seconds, and API-M neither makes nor shows keys of it. The key manager of the agent's own IS is enabled again by
the next bootstrap.

It asks first, or needs --yes where there is no terminal.`
		agree(cmd, &yes)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func enableKeyManager(cmd *cobra.Command, name string, enable, yes, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if !enable {
		if err := agreeToDisable(cmd, r, name, yes); err != nil {
			return err
		}
	}
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

// agreeToDisable says what stops working without a key manager, and asks a person. It asks nothing if the key manager is disabled already.
func agreeToDisable(cmd *cobra.Command, r *reached, name string, yes bool) error {
	km, err := objects.ReadKeyManager(cmd.Context(), r.Admin, name)
	if err != nil || !km.Enabled {
		return byHand(err)
	}
	with := []string{"the gateway refuses all tokens of this key manager within seconds", "API-M neither makes nor shows keys of it"}
	if len(km.Applications) > 0 {
		with = append(with, "applications that have keys of it: "+strings.Join(km.Applications, ", "))
	}
	if err := consequences(cmd.ErrOrStderr(), "key manager "+name+" is disabled", with); err != nil {
		return err
	}
	return confirm(cmd, fmt.Sprintf("Disable key manager %s?", printable(name)), yes)
}
