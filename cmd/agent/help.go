package main

import "github.com/spf13/cobra"

// helpCommand replaces cobra's, which answers an unknown topic with exit code 0.
func helpCommand() *cobra.Command {
	help := &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Describe a command, the settings or the exit codes",
		Long:  "help describes a command as its flag --help does, or one of the topics below.",
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return commandNames(about), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return describe(cmd, args) },
	}
	help.AddCommand(helpSettingsCommand(), helpExitCodesCommand())
	return help
}

// describe prints the help of the command that args name.
func describe(help *cobra.Command, args []string) error {
	about, rest, err := help.Root().Find(args)
	switch {
	case err != nil:
		return usageError{err}
	case len(rest) > 0 && about.HasSubCommands():
		return unknownCommand(about, rest[0])
	case len(rest) > 0:
		return usage(about, "has no commands below it")
	}
	about.InitDefaultHelpFlag() // shown in the help
	return about.Help()
}
