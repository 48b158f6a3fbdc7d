package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
)

// settingsLimit is the maximum size of a deployment.toml, in bytes. That of API-M has 9 kB.
const settingsLimit = 1 << 20

// SettingsFile is a server's deployment.toml.
type SettingsFile struct {
	Path    string
	WorkDir string // for temporary files and the record, on the same file system; empty: no record
	Named   bool   // a person named the path, so a missing file is probably a wrong name
}

// SettingsFileOf returns the deployment.toml of the own server, on the config volume.
func SettingsFileOf(cfg config.Config) SettingsFile {
	return SettingsFile{Path: cfg.DeploymentTOML(), WorkDir: notify.ControlOf(cfg).Dir}
}

// ReadOwn returns the text of the deployment.toml of the own server; nil if the config volume has none and the agent needs none.
// Errors are those of [SettingsFile.Read].
func ReadOwn(ctx context.Context, cfg config.Config) ([]byte, error) {
	text, err := SettingsFileOf(cfg).Read(ctx)
	if errors.Is(err, fs.ErrNotExist) && cfg.Settings.Mode == "none" && cfg.TLS.Mode == "none" {
		return nil, nil
	}
	return text, err
}

// recordFile holds the Record of the settings that the agent made.
const recordFile = "settings.json"

// sizeFile holds the size of the last complete file, in bytes.
const sizeFile = "settings.size"

// editTime is the time that a person or a program may need to write the file. Until then a text of less than half of the
// former size counts as unfinished. An empty text always counts as unfinished, because no product has an empty file.
const editTime = 30 * time.Second

// Read returns the text of the file. It waits while somebody else writes the file. Errors wrap fs.ErrNotExist,
// file.ErrBeingWritten if the writer does not finish, or ErrRefused with line and reason.
func (f SettingsFile) Read(ctx context.Context) ([]byte, error) {
	data, err := file.ReadStable(ctx, f.Path, settingsLimit, func(data []byte) error {
		if err := f.unfinished(data); err != nil {
			return err
		}
		if _, err := deployment.Parse(data); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.Named:
		return nil, remedy.Add(fmt.Errorf("read the settings: %w", err), "check the name")
	case errors.Is(err, fs.ErrNotExist):
		return nil, remedy.Add(fmt.Errorf("read the server's settings: %w", err), "put them on the config volume first, or set SETTINGS=none")
	case err != nil:
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	return data, nil
}

// Apply makes the needs true in the file, completely or not at all, and returns the new text. See Needs.Merge.
func (f SettingsFile) Apply(ctx context.Context, n Needs, override bool) (text []byte, changes []Change, err error) {
	m, err := f.readAndMerge(ctx, n, override)
	if err != nil {
		return nil, nil, err
	}
	if string(m.after) != string(m.before) {
		// At every moment of a kill the record identifies the agent's settings.
		if err := f.remember(m.record.pending(m.next)); err != nil {
			return nil, nil, err
		}
		if err := f.closeToOthers(m.getsSecret()); err != nil {
			return nil, nil, err
		}
		_, err := file.Replace(f.Path, m.before, m.after, 0o600, f.tempDir())
		if errors.Is(err, file.ErrBeingWritten) {
			return nil, nil, fmt.Errorf("change the server's settings: %w", err)
		}
		if err != nil {
			return nil, nil, remedy.Add(fmt.Errorf("write the server's settings: %w", err), "if another program makes this file, make the settings there and set SETTINGS=none")
		}
	}
	if err := f.rememberSize(len(m.after)); err != nil {
		return nil, nil, err
	}
	return m.after, m.changes, f.remember(m.next)
}

// unfinished returns why a text is probably a part of the file: a program that writes a file in place empties it first.
func (f SettingsFile) unfinished(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return remedy.Add(fmt.Errorf("%w: it is empty", file.ErrBeingWritten), "if nobody writes it, put the product's deployment.toml there")
	}
	info, err := os.Stat(f.Path)
	if err != nil || f.WorkDir == "" {
		return err
	}
	before, err := file.Read(filepath.Join(f.WorkDir, sizeFile), 64)
	if err != nil { // no size is known, so the text counts as complete
		return nil
	}
	whole, err := strconv.Atoi(strings.TrimSpace(string(before)))
	if age := time.Since(info.ModTime()); err == nil && len(data) < whole/2 && age >= 0 && age < editTime {
		return fmt.Errorf("%w: it has %d bytes, and had %d; the agent accepts this text when it is %s old", file.ErrBeingWritten, len(data), whole, editTime)
	}
	return nil
}

func (f SettingsFile) rememberSize(n int) error {
	if f.WorkDir == "" {
		return nil
	}
	if _, err := file.Write(filepath.Join(f.WorkDir, sizeFile), []byte(strconv.Itoa(n)+"\n"), 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("record the size of the server's settings: %w", err)
	}
	return nil
}

// Plan returns what Apply would do with this text of the file; pending reports whether it would write anything, the agent's own records included.
func (f SettingsFile) Plan(text []byte, n Needs, override bool) (changes []Change, pending bool, err error) {
	m, err := f.merge(text, n, override)
	if err != nil {
		return nil, false, err
	}
	next, err := file.EncodeJSON(m.next)
	if err != nil {
		return nil, false, err
	}
	size := []byte(strconv.Itoa(len(m.after)) + "\n")
	pending = !bytes.Equal(m.after, m.before) || f.WorkDir != "" && !(f.has(recordFile, next) && f.has(sizeFile, size))
	return m.changes, pending, nil
}

// has reports whether a file of the agent's has the content.
func (f SettingsFile) has(name string, content []byte) bool {
	data, err := file.Read(filepath.Join(f.WorkDir, name), settingsLimit)
	return err == nil && bytes.Equal(data, content)
}

// Diff returns what Apply would do as a unified diff, empty if nothing would change. It masks values that may be secrets.
func (f SettingsFile) Diff(ctx context.Context, n Needs, override bool) (unified []byte, changes []Change, err error) {
	m, err := f.readAndMerge(ctx, n, override)
	if err != nil {
		return nil, nil, err
	}
	before, err := deployment.Parse(m.before)
	if err != nil {
		return nil, nil, err
	}
	after, err := deployment.Parse(m.after)
	if err != nil {
		return nil, nil, err
	}
	old := map[string]bool{}
	was := before.Masked(func(value string) string { old[value] = true; return "*****" })
	will := after.Masked(func(value string) string {
		if old[value] {
			return "*****"
		}
		return "***** (new)"
	})
	return diff.Diff(f.Path, []byte(was), f.Path+" as needed", []byte(will)), m.changes, nil
}

// merged is the text of a file before and after a merge, with the changes and the records.
type merged struct {
	before, after []byte
	changes       []Change
	record, next  Record
}

func (f SettingsFile) readAndMerge(ctx context.Context, n Needs, override bool) (merged, error) {
	text, err := f.Read(ctx)
	if err != nil {
		return merged{}, err
	}
	return f.merge(text, n, override)
}

func (f SettingsFile) merge(text []byte, n Needs, override bool) (m merged, err error) {
	m.before = text
	if m.record, err = f.record(); err != nil {
		return m, err
	}
	m.after, m.changes, m.next, err = n.Merge(m.before, m.record, override)
	if err != nil {
		return m, fmt.Errorf("merge the needed settings into %s: %w", f.Path, err)
	}
	return m, nil
}

// getsSecret reports whether the file gets a secret that it does not have.
func (m merged) getsSecret() bool {
	for name, w := range m.next {
		if isSecret(name) && m.record[name].Text != w.Text {
			return true
		}
	}
	return false
}

// closeToOthers takes all permissions of others from a file that gets a secret. The server runs as the owner of the file.
func (f SettingsFile) closeToOthers(getsSecret bool) error {
	info, err := os.Stat(f.Path)
	if err != nil || !getsSecret || info.Mode().Perm()&0o007 == 0 {
		return err
	}
	if err := os.Chmod(f.Path, info.Mode().Perm()&^0o007); err != nil {
		return fmt.Errorf("remove the permissions of others from the server's settings before a password goes into them: %w", err)
	}
	return nil
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
	r, _, err := file.LoadJSON[Record](path, settingsLimit)
	if err != nil {
		return nil, remedy.Add(fmt.Errorf("read the record of the settings that the agent made: %w", err), "restore %s, or remove it: then the settings that the agent made count as yours", path)
	}
	return r, nil
}

func (f SettingsFile) remember(r Record) error {
	if f.WorkDir == "" {
		return nil
	}
	if _, err := file.SaveJSON(filepath.Join(f.WorkDir, recordFile), r, 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("record the settings that the agent made: %w", err)
	}
	return nil
}
