package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
)

// settingsLimit is the most that a deployment.toml may hold, in bytes. API-M's has 9 kB.
const settingsLimit = 1 << 20

// SettingsFile is a server's deployment.toml.
type SettingsFile struct {
	Path    string
	WorkDir string // for temporary files and the record, on the same file system; empty: no record is kept
}

// recordFile is where the agent remembers which settings it made.
const recordFile = "settings.json"

// Read returns the file's text, read again while somebody is just writing it. Errors wrap fs.ErrNotExist, or ErrRefused
// with line and reason.
func (f SettingsFile) Read(ctx context.Context) ([]byte, error) {
	data, err := file.ReadStable(ctx, f.Path, settingsLimit, func(data []byte) error {
		if _, err := deployment.Parse(data); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the server's settings: %w; put them on the config volume first, or set SETTINGS=none", err)
	case err != nil:
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	return data, nil
}

// Apply makes the needs true in the file, whole or not at all, and returns its text then. See Needs.Merge.
func (f SettingsFile) Apply(ctx context.Context, n Needs, override bool) (text []byte, changes []Change, err error) {
	before, err := f.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	record, err := f.record()
	if err != nil {
		return nil, nil, err
	}
	text, changes, next, err := n.Merge(before, record, override)
	if err != nil {
		return nil, nil, fmt.Errorf("merge the needed settings into %s: %w", f.Path, err)
	}
	if string(text) != string(before) {
		// Whatever moment a kill comes at, the record knows the agent's settings for what they are.
		if err := f.remember(record.pending(next)); err != nil {
			return nil, nil, err
		}
		if _, err := file.Write(f.Path, text, 0o600, f.tempDir()); err != nil {
			return nil, nil, fmt.Errorf("write the server's settings: %w; where they come from somewhere else, make the settings there and set SETTINGS=none", err)
		}
	}
	return text, changes, f.remember(next)
}

func (f SettingsFile) tempDir() string {
	if f.WorkDir != "" {
		return f.WorkDir
	}
	return filepath.Dir(f.Path)
}

func (f SettingsFile) record() (Record, error) {
	if f.WorkDir == "" {
		return nil, nil
	}
	path := filepath.Join(f.WorkDir, recordFile)
	data, err := file.Read(path, settingsLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("read which settings the agent made: %w; remove %s, and settings that the agent made count as yours", err, path)
	}
	return r, nil
}

func (f SettingsFile) remember(r Record) error {
	if f.WorkDir == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if _, err := file.Write(filepath.Join(f.WorkDir, recordFile), append(data, '\n'), 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("remember which settings the agent made: %w", err)
	}
	return nil
}
