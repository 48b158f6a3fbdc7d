package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
)

// rootCommand returns the command line of the agent.
func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "agent",
		Short: "Make WSO2 Identity Server and WSO2 API Manager work together",
		Long: "agent makes WSO2 Identity Server and WSO2 API Manager work together.\n\n" +
			`Every setting is an environment variable: "agent help settings" lists them.` + "\n\nExit codes:\n\n" + exitCodesText(),
		Example: `  PRODUCT=is agent init      # before IS starts for the first time
  PRODUCT=is agent run       # next to IS, as long as it runs
  agent certs list --help    # what a command does, and its flags`,
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
	})
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.DisableAutoGenTag = true // the same sources make the same man pages on every day
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usageOf(root.UsageFunc()))
	root.AddGroup(&cobra.Group{ID: "server", Title: "Next to a server:"}, &cobra.Group{ID: "people", Title: "For people and scripts:"},
		&cobra.Group{ID: "more", Title: "More:"})
	add := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	add("server", runCommand(), initCommand(), bootstrapCommand(), execCommand(), probeCommand(), installCommand())
	add("people",
		certsCommand(), restartCommand(), historyCommand(), undoCommand(), configCommand(), scopesCommand(), kmCommand(), apisCommand(), appsCommand(), subscriptionsCommand(),
		clientsCommand(), usersCommand(), rolesCommand(), keysCommand(), tokenCommand(), callCommand(), validateCommand(),
		planCommand(), applyCommand(), verifyCommand(), doctorCommand(), dumpCommand(), schemaCommand(), upCommand(),
		uninstallCommand())
	add("more", backendCommand(), versionCommand())
	help := helpCommand()
	help.GroupID = "more"
	root.SetHelpCommand(help)
	root.SetCompletionCommandGroupID("more")
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	group(completion)
	for _, shell := range completion.Commands() {
		shell.Args = noArgs
	}
	return root
}

// exitCodesText is the table of exit codes in a string.
func exitCodesText() string {
	var b strings.Builder
	writeExitCodes(&b) // a strings.Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}

// groupUse ends the usage of a command that only has commands below it.
const groupUse = " [command]"

func isGroup(c *cobra.Command) bool { return strings.HasSuffix(c.Use, groupUse) }

// group makes c a command that only has commands below it. Its help command is there because "agent certs help" was before every
// command had --help.
func group(c *cobra.Command) *cobra.Command {
	c.Use += groupUse
	c.DisableFlagsInUseLine = true
	c.Args = cobra.ArbitraryArgs // an unknown command reaches RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && !cmd.HasParent():
			return errors.Join(cmd.Help(), usage(cmd, "a command is missing"))
		case len(args) == 0:
			return usage(cmd, "a command is missing: %s", strings.Join(commandNames(cmd), ", "))
		case args[0] == "help":
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	return c
}

// usageOf returns plain without the first line that it prints for a group. Only a command that runs has that line, and a group runs
// only to refuse what is not one of its commands.
func usageOf(plain func(*cobra.Command) error) func(*cobra.Command) error {
	return func(cmd *cobra.Command) error {
		if isGroup(cmd) {
			defer func(run func(*cobra.Command, []string) error) { cmd.RunE = run }(cmd.RunE)
			cmd.RunE = nil
		}
		return plain(cmd)
	}
}

// commandNames are the names of the commands below cmd that help shows.
func commandNames(cmd *cobra.Command) (names []string) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := suggest.Nearest(name, commandNames(cmd)); near != "" {
		return usageError{remedy.Add(fmt.Errorf("%s: unknown command %q", cmd.CommandPath(), name), `did you mean "%s %s"?`, cmd.CommandPath(), near)}
	}
	return usage(cmd, "unknown command %q", name)
}

// usage returns a mistake on the command line of cmd, with the remedy to read its help.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return usageError{remedy.Add(fmt.Errorf(cmd.CommandPath()+": "+format, args...), `"%s --help" describes the command`, cmd.CommandPath())}
}

// noArgs refuses arguments. It does not repeat them, because one of them may be a password.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{remedy.Add(fmt.Errorf("%s takes no arguments", cmd.CommandPath()),
			`"%s --help" lists its flags; every setting is an environment variable: "agent help settings" lists them`, cmd.CommandPath())}
	}
	return nil
}

// flagError words what pflag refused. It does not repeat the value of an unknown flag, or of one that takes no value, because that may
// be a password. No known flag takes a password.
func flagError(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); isGroup(cmd) && len(before) > 0 {
		return unknownCommand(cmd, before[0])
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		return usage(cmd, "--%s takes no value but true and false", invalid.GetFlag().Name)
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usage(cmd, "%w", err)
	}
	name, short := unknownFlag(unknown)
	switch {
	case short && cmd.Flags().Lookup(name) != nil:
		return usageError{remedy.Add(fmt.Errorf("%s: unknown flag -%s", cmd.CommandPath(), name), "write --%s, with two dashes", name)}
	case short:
		return usage(cmd, "unknown flag -%s", unknown.GetSpecifiedName())
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := suggest.Nearest(name, known); near != "" {
		return usageError{remedy.Add(fmt.Errorf("%s: unknown flag --%s", cmd.CommandPath(), name), "did you mean --%s?", near)}
	}
	return usage(cmd, "unknown flag --%s", name)
}

// unknownFlag returns the name of a flag as it was written, without dashes and value, and reports whether it had one dash.
func unknownFlag(err *pflag.NotExistError) (name string, short bool) {
	if group := err.GetSpecifiedShortnames(); group != "" {
		name, _, _ = strings.Cut(group, "=")
		return name, true
	}
	return err.GetSpecifiedName(), false
}
