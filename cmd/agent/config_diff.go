package main

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/server"
)

func configDiffCommand() *cobra.Command {
	var f settingsFile
	return f.flags(&cobra.Command{
		Use:     "diff",
		Short:   "Show the settings that a server lacks, as a unified diff; exit code 2 if it lacks one",
		Example: "  agent config diff --product is --file deployment.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return diffSettings(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	})
}

// diffSettings prints the difference to stdout, and to stderr what stays as it is.
func diffSettings(ctx context.Context, f settingsFile, stdout, stderr io.Writer) error {
	return f.edit(ctx, stderr, func(s server.SettingsFile, needs server.Needs, override bool) error {
		diff, changes, err := s.Diff(ctx, needs, override)
		if err != nil {
			return err
		}
		if _, err := stdout.Write(diff); err != nil {
			return err
		}
		printChanges(stderr, slices.DeleteFunc(changes, func(c server.Change) bool {
			return !slices.Contains([]server.Action{server.Kept, server.Settled, server.Waits}, c.Action)
		}))
		if len(diff) > 0 {
			return errDifferences
		}
		return nil
	})
}
