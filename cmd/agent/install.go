package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"wso2agent/internal/file"
)

// installCommand copies the running program, so that a volume can carry it into a container whose image lacks it. The
// copy is executable for everybody: the other container's user is another one.
func installCommand(_ context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) != 1 {
		return usageError{"agent install takes one folder, such as: agent install /agent"}
	}
	dir := args[0]
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
