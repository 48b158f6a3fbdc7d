package wso2sim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// copyVolume does what the entrypoints of the products' images do before the server starts, `cp -RL volume/* home/`
// under `set -e`: dot files at the top stay behind and deeper ones come along, links are followed, nothing in home is
// deleted, and one file that cannot be read ends the start. A volume with nothing but dot files does too, for then the
// shell passes the asterisk on; a missing or empty one is no error.
func copyVolume(volume, home string) error {
	entries, err := os.ReadDir(volume)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copy the configuration volume: %w", err)
	}
	copied := false
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		copied = true
		if err := copyTree(filepath.Join(volume, e.Name()), filepath.Join(home, e.Name())); err != nil {
			return fmt.Errorf("copy the configuration volume %s over %s: %w", volume, home, err)
		}
	}
	if !copied {
		return fmt.Errorf("copy the configuration volume %s over %s: cannot stat '*': it holds nothing but dot files", volume, home)
	}
	return nil
}

func copyTree(from, to string) error {
	info, err := os.Stat(from) // follows links
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(from, to, info.Mode().Perm())
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyTree(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// noteStart adds a line to the start log, so that restarts can be counted whoever caused them.
func noteStart(path, product string, at time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("note the start: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s\n", at.UTC().Format(time.RFC3339Nano), product)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("note the start in %s: %w", path, err)
	}
	return nil
}

// writePID leaves the number of the process in the home as the products' launcher does: a buffer of 100 bytes, with
// NUL bytes behind the number. It stays there when the server has gone.
func writePID(home string) error {
	buffer := make([]byte, 100)
	copy(buffer, strconv.Itoa(os.Getpid())+"\n")
	if err := os.WriteFile(filepath.Join(home, pidFile), buffer, 0o644); err != nil {
		return fmt.Errorf("note the number of the process: %w", err)
	}
	return nil
}

const pidFile = "wso2carbon.pid"
