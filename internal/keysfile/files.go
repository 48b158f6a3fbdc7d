package keysfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Files are the files that the agent writes. An empty path: the agent does not write that one.
type Files struct {
	JSON      string // path (KEYS_FILE)
	Env       string // path (KEYS_ENV_FILE)
	EnvFormat Format
	Manifest  string // path (KEYS_SECRET_FILE)
	Name      string // of the Secret in the manifest
	Namespace string // of the Secret; may be empty
}

// form is one file: its setting, its path, and what makes its content.
type form struct {
	setting, path string
	encode        func([]Key) ([]byte, error)
}

// forms returns the files that have a path.
func (f Files) forms() (forms []form) {
	for _, one := range []form{
		{"KEYS_FILE", f.JSON, func(keys []Key) ([]byte, error) { return JSON(keys), nil }},
		{"KEYS_ENV_FILE", f.Env, func(keys []Key) ([]byte, error) { return Env(keys, f.EnvFormat) }},
		{"KEYS_SECRET_FILE", f.Manifest, func(keys []Key) ([]byte, error) { return Manifest(keys, f.Name, f.Namespace) }},
	} {
		if one.path != "" {
			forms = append(forms, one)
		}
	}
	return forms
}

// readLimit is the most that a keys file may hold, in bytes.
const readLimit = 4 << 20

// Read returns the keys in the JSON file. The error wraps [fs.ErrNotExist] if there is no such file.
func (f Files) Read() ([]Key, error) {
	data, err := file.Read(f.JSON, readLimit)
	if err != nil {
		return nil, err
	}
	return Decode(data)
}

// Write writes each file, whole or not at all, and leaves alone those that have the content already. A new file has mode 0600; an
// existing one keeps its mode. A failure of one file does not stop the others; the error joins all of them.
func (f Files) Write(keys []Key) error {
	var errs []error
	for _, one := range f.forms() {
		data, err := one.encode(keys)
		if err == nil {
			_, err = file.Write(one.path, data, 0o600, WorkDir(one.path))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write the application's keys to %s (%s): %w", one.path, one.setting, err))
		}
	}
	return errors.Join(errs...)
}

// Check returns an error if the agent could not write one of the files. It creates the folders for temporary files next to them.
func (f Files) Check() error {
	for _, one := range f.forms() {
		if err := writable(one.path); err != nil {
			return remedy.Add(fmt.Errorf("the agent cannot write the application's keys to %s: %w", one.path, err),
				"mount a folder there that this user may write to, or set %s", one.setting)
		}
	}
	return nil
}

func writable(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if err := file.CheckOwner(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return file.Writable(WorkDir(path))
}

// WorkDir returns the folder next to a file for the agent's own files, such as temporary ones.
func WorkDir(path string) string { return filepath.Join(filepath.Dir(path), file.WorkDir) }
