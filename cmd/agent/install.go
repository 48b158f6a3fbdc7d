package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

func installCommand() *cobra.Command {
	var shared string
	cmd := &cobra.Command{
		Use:   "install [--shared DIR] DIR",
		Short: "Copy this program to a folder, from where another container runs it",
		Long: `install copies this program to DIR, so that a volume carries it into a container whose image lacks it.

With --shared it first makes a folder that several users share, such as one on the exchange volume.
All may write there, and nobody may remove or rename the files of another.`,
		Example:               "  agent install /agent",
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "name one folder, such as: agent install /agent")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error { return install(args[0], shared, cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&shared, "shared", "", "make the folder `DIR`, which several users share")
	cmd.MarkFlagDirname("shared") // the flag exists
	return cmd
}

// install copies the running program to dir, after it made the folder shared if that is not empty. The copy is executable for
// everybody, because the other container runs as another user.
func install(dir, shared string, stdout io.Writer) error {
	if shared != "" {
		if err := share(shared); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return remedy.Add(fmt.Errorf("install: no folder at %s", dir), "mount a volume there")
	}
	target := filepath.Join(dir, "agent")
	changed, err := file.Write(target, program, 0o755, dir)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := os.Chmod(target, 0o755); err != nil { // an older copy keeps its mode otherwise
		return fmt.Errorf("install: %w", err)
	}
	fmt.Fprintln(stdout, map[bool]string{true: "installed", false: "already there:"}[changed], target)
	return nil
}

// shareMode lets everybody make files, and nobody remove or rename the files of another.
const shareMode = 0o777 | fs.ModeSticky

// share makes a folder that all may write to. Its owner should be none of the users who write there: the owner of a folder may
// rename everything in it in spite of the sticky bit.
func share(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return remedy.Add(fmt.Errorf("make a shared folder: %w", err), "%s must be a folder that %d:%d may write to", filepath.Dir(dir), os.Geteuid(), os.Getegid())
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("make a shared folder: %w", err)
	}
	if info.IsDir() && info.Mode()&shareMode == shareMode {
		return nil
	}
	if err := os.Chmod(dir, shareMode); err != nil {
		return remedy.Add(fmt.Errorf("share a folder that somebody else made: %w", err), "remove it, or give it the mode 1777")
	}
	return nil
}
