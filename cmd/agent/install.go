package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"wso2agent/internal/file"
)

// installCommand copies the running program, so that a volume can carry it into a container whose image lacks it. The
// copy is executable for everybody: the other container's user is another one. With --shared it also makes a folder on a
// volume that several users share, such as the exchange.
func installCommand(_ context.Context, args []string, stdout, _ io.Writer) error {
	flags := flag.NewFlagSet("install", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	shared := flags.String("shared", "", "a folder to be shared")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		return usageError{"agent install takes one folder, such as: agent install /agent; and before it, if need be, --shared and a folder that several users are to share"}
	}
	if *shared != "" {
		if err := share(*shared); err != nil {
			return err
		}
	}
	dir := flags.Arg(0)
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("install: no folder at %s; mount a volume there", dir)
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

// shareMode lets everybody make files, and nobody remove or rename what is another's.
const shareMode = 0o777 | fs.ModeSticky

// share makes a folder that all may write to. It belongs to a user who is none of them: the owner of a folder may rename
// everything in it in spite of the sticky bit.
func share(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a folder to be shared: %w; %s must be writable for %d:%d", err, filepath.Dir(dir), os.Geteuid(), os.Getegid())
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("make a folder to be shared: %w", err)
	}
	if info.IsDir() && info.Mode()&shareMode == shareMode {
		return nil
	}
	if err := os.Chmod(dir, shareMode); err != nil {
		return fmt.Errorf("share a folder: %w; it was made by somebody else: remove it, or give it the mode 1777", err)
	}
	return nil
}
