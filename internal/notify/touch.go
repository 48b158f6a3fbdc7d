package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Touch writes a file that somebody watches who restarts the server, such as a path unit of systemd. Its value of RESTART is file.
type Touch struct{ Path string } // RESTART_FILE

// Name is the value of RESTART.
func (*Touch) Name() string { return "file" }

// Usable returns nil if the folder of the file is there.
func (t *Touch) Usable(context.Context) (why string, err error) {
	if t.Path == "" {
		return "", remedy.Add(errors.New("there is no file"), "set RESTART_FILE")
	}
	if _, err := os.Stat(filepath.Dir(t.Path)); err != nil {
		return "", remedy.Add(err, "mount the folder of RESTART_FILE")
	}
	return "RESTART_FILE is " + t.Path, nil
}

// Restart replaces the file with o in JSON, whole or not at all.
func (t *Touch) Restart(_ context.Context, o Order) error {
	if _, err := file.SaveJSON(t.Path, o, 0o644, filepath.Dir(t.Path)); err != nil {
		return fmt.Errorf("write RESTART_FILE: %w", err)
	}
	return nil
}
