package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
)

func helpSettingsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "settings [NAME]",
		Short: "List the settings, or describe one",
		Long:  "settings lists every setting with its default and its meaning, or describes the setting NAME.\nEvery setting is an environment variable.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(cmd, "name one setting")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return config.SettingNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := config.WriteSettings(cmd.OutOrStdout(), strings.Join(args, ""))
			if errors.Is(err, config.ErrUnknownSetting) {
				return usageError{err}
			}
			return err
		},
	}
}
