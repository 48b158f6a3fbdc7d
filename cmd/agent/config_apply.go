package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/server"
)

func configApplyCommand() *cobra.Command {
	var f settingsFile
	return f.flags(&cobra.Command{
		Use:     "apply",
		Short:   "Make the settings that a server lacks",
		Example: "  agent config apply --product is --file deployment.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return applySettings(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	})
}

// applySettings makes the settings, and prints what it changed to stdout.
func applySettings(ctx context.Context, f settingsFile, stdout, stderr io.Writer) error {
	return f.edit(ctx, stderr, func(s server.SettingsFile, needs server.Needs, override bool) error {
		_, changes, err := s.Apply(ctx, needs, override)
		if err == nil {
			printChanges(stdout, changes)
		}
		return err
	})
}
