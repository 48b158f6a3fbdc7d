package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/product"
	"wso2agent/internal/server"
)

func configCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "config",
		Short: "Show or make the settings that a server needs in its deployment.toml",
		Long: `config compares a deployment.toml with the settings that IS and API-M need to work together. The settings of the
agent, such as AM_HOST and IS_HOST, determine their values.

diff prints what the file lacks, and changes nothing. apply writes it. Both keep a setting that somebody else made,
unless --override or SETTINGS=override is set.`,
	})
	cmd.AddCommand(configDiffCommand(), configApplyCommand())
	return cmd
}

// settingsFile is the flags of diff and apply: a deployment.toml, and what to make of it.
type settingsFile struct {
	product, path string
	override      bool
}

// whichRelease says for which version of a server both commands make settings (config.Config.For).
func whichRelease() string {
	return fmt.Sprintf(`The settings depend on the version of the server. If PRODUCT is the same server, the agent detects the version as next to
that server. Otherwise it takes the one in SERVER_HOME, such as %s, or else %s or %s.`,
		product.Default(product.IS).Home(), product.Default(product.IS).Name(), product.Default(product.AM).Name())
}

// flags adds the flags and the help to cmd, which checks them instead of arguments.
func (f *settingsFile) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Long = cmd.Short + ".\n\n" + whichRelease()
	cmd.Flags().StringVar(&f.product, "product", "", "the `SERVER` that reads the file: is or am")
	cmd.Flags().StringVar(&f.path, "file", "", "the `FILE`, a deployment.toml")
	cmd.Flags().BoolVar(&f.override, "override", false, "replace settings that somebody else made")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 || f.path == "" || !slices.Contains([]string{config.IS, config.AM}, f.product) {
			return usage(cmd, "needs --product is or --product am, and --file with the deployment.toml; --override is the only other flag")
		}
		return nil
	}
	cmd.MarkFlagFilename("file", "toml") // these two fail only for a flag that does not exist
	cmd.RegisterFlagCompletionFunc("product", cobra.FixedCompletions([]string{config.IS, config.AM}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// edit calls act with the file, with what the server needs in it, and with whether that replaces settings of somebody else. If
// the file is on a server's config volume, the agent next to that server waits until act has returned.
func (f settingsFile) edit(ctx context.Context, stderr io.Writer, act func(s server.SettingsFile, needs server.Needs, override bool) error) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	cfg = cfg.For(f.product)
	s := server.SettingsFile{Path: f.path, WorkDir: cfg.VolumeWorkDir(f.path), Named: true}
	override := f.override || cfg.Settings.Mode == "override"
	if s.WorkDir == "" {
		return act(s, server.NeedsOf(cfg), override)
	}
	unlock, err := lockVolume(ctx, s.WorkDir, stderr)
	if err != nil {
		return err
	}
	defer unlock()
	text, err := s.Read(ctx)
	if err != nil {
		return err
	}
	needs, err := server.NeedsWithoutSidecar(cfg, text) // a server's own file needs more than a new one
	if err != nil {
		return err
	}
	return act(s, needs, override)
}

// lockVolume keeps the agent next to the server away from the server's files until unlock is called.
func lockVolume(ctx context.Context, workDir string, stderr io.Writer) (unlock func(), err error) {
	return file.Lock(ctx, file.LockPath(workDir), func() {
		fmt.Fprintln(stderr, "waiting for the agent that is working on this server's files")
	})
}

// printChanges prints a line for each change, and masks secrets.
func printChanges(w io.Writer, changes []server.Change) {
	for _, c := range changes {
		was, now := c.Was, c.Now
		if c.Secret {
			was, now = "*****", "*****"
		}
		switch c.Action {
		case server.Kept:
			fmt.Fprintf(w, "kept: %s of line %d is %s, though %s is needed; --override replaces it\n", c.Setting, c.Line, was, now)
		case server.Settled:
			fmt.Fprintf(w, "stays: %s is another, but the server's database has an administrator, or may have one: change his password in the server first\n", c.Setting)
		case server.Waits:
			if c.Setting != server.AllScopesSetting {
				fmt.Fprintf(w, "waits: line %d keeps %s until the sidecar next to IS has tried the new one on API-M\n", c.Line, c.Setting)
				continue
			}
			fmt.Fprintf(w, "waits: line %d keeps %s = %s until the sidecar next to IS has authorized all applications\n", c.Line, c.Setting, was)
		case server.Added:
			fmt.Fprintf(w, "added: %s: %s\n", c.Setting, now)
		default:
			fmt.Fprintf(w, "%s: %s, was %s, is %s\n", c.Action, c.Setting, was, now)
		}
	}
}
