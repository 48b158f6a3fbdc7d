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

	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
)

// settingsLimit is the most that a deployment.toml may hold, in bytes. API-M's has 9 kB.
const settingsLimit = 1 << 20

// SettingsFile is a server's deployment.toml.
type SettingsFile struct {
	Path    string
	WorkDir string // for temporary files and the record, on the same file system; empty: no record is kept
	Named   bool   // by a person: a missing one is a slip of the pen, and not of the set-up
}

// recordFile is where the agent remembers which settings it made.
const recordFile = "settings.json"

// sizeFile is where the agent remembers how many bytes the file had when it was last whole.
const sizeFile = "settings.size"

// editTime is how long a person, or a program, may take over writing the file: until then a text of less than half of its
// former size counts as unfinished. An empty one always does, because no product has one.
const editTime = 30 * time.Second

// Read returns the file's text, read again while somebody is just writing it. Errors wrap fs.ErrNotExist,
// file.ErrBeingWritten if that is not over, or ErrRefused with line and reason.
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
		return nil, fmt.Errorf("read the settings: %w; check the name", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the server's settings: %w; put them on the config volume first, or set SETTINGS=none", err)
	case err != nil:
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	return data, nil
}

// Apply makes the needs true in the file, whole or not at all, and returns its text then. See Needs.Merge.
func (f SettingsFile) Apply(ctx context.Context, n Needs, override bool) (text []byte, changes []Change, err error) {
	m, err := f.merge(ctx, n, override)
	if err != nil {
		return nil, nil, err
	}
	if string(m.after) != string(m.before) {
		// Whatever moment a kill comes at, the record knows the agent's settings for what they are.
		if err := f.remember(m.record.pending(m.next)); err != nil {
			return nil, nil, err
		}
		if err := f.closeToOthers(m); err != nil {
			return nil, nil, err
		}
		_, err := file.Replace(f.Path, m.before, m.after, 0o600, f.tempDir())
		if errors.Is(err, file.ErrBeingWritten) {
			return nil, nil, fmt.Errorf("change the server's settings: %w", err)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("write the server's settings: %w; where they come from somewhere else, make the settings there and set SETTINGS=none", err)
		}
	}
	if err := f.rememberSize(len(m.after)); err != nil {
		return nil, nil, err
	}
	return m.after, m.changes, f.remember(m.next)
}

// unfinished returns why a text is not all of the file: whoever writes it in place has emptied it first.
func (f SettingsFile) unfinished(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%w: it is empty; if nobody does, put the product's deployment.toml there", file.ErrBeingWritten)
	}
	info, err := os.Stat(f.Path)
	if err != nil || f.WorkDir == "" {
		return err
	}
	before, err := file.Read(filepath.Join(f.WorkDir, sizeFile), 64)
	if err != nil { // none is known, and the text speaks for itself
		return nil
	}
	whole, err := strconv.Atoi(strings.TrimSpace(string(before)))
	if age := time.Since(info.ModTime()); err == nil && len(data) < whole/2 && age >= 0 && age < editTime {
		return fmt.Errorf("%w: it has %d bytes, and had %d; this text counts when it is %s old", file.ErrBeingWritten, len(data), whole, editTime)
	}
	return nil
}

func (f SettingsFile) rememberSize(n int) error {
	if f.WorkDir == "" {
		return nil
	}
	if _, err := file.Write(filepath.Join(f.WorkDir, sizeFile), []byte(strconv.Itoa(n)+"\n"), 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("remember the size of the server's settings: %w", err)
	}
	return nil
}

// Plan is what Apply would do: pending reports whether it would write anything, the agent's own records included.
func (f SettingsFile) Plan(ctx context.Context, n Needs, override bool) (changes []Change, pending bool, err error) {
	m, err := f.merge(ctx, n, override)
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

// Diff is what Apply would do: a unified diff, empty if nothing would change. Values that may be secrets are masked.
func (f SettingsFile) Diff(ctx context.Context, n Needs, override bool) (unified []byte, changes []Change, err error) {
	m, err := f.merge(ctx, n, override)
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

// merged is a file's text before and after, with what leads from one to the other.
type merged struct {
	before, after []byte
	changes       []Change
	record, next  Record
}

func (f SettingsFile) merge(ctx context.Context, n Needs, override bool) (m merged, err error) {
	if m.before, err = f.Read(ctx); err != nil {
		return m, err
	}
	if m.record, err = f.record(); err != nil {
		return m, err
	}
	m.after, m.changes, m.next, err = n.Merge(m.before, m.record, override)
	if err != nil {
		return m, fmt.Errorf("merge the needed settings into %s: %w", f.Path, err)
	}
	return m, nil
}

// closeToOthers takes a file that gets a secret away from everybody but its owner and group. The server runs as its owner.
func (f SettingsFile) closeToOthers(m merged) error {
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm()&0o007 == 0 {
		return err
	}
	getsSecret := false
	for name, w := range m.next {
		getsSecret = getsSecret || strings.HasSuffix(name, "password") && m.record[name].Text != w.Text
	}
	if !getsSecret {
		return nil
	}
	if err := os.Chmod(f.Path, info.Mode().Perm()&^0o007); err != nil {
		return fmt.Errorf("close the server's settings to others before a password goes into them: %w", err)
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
		return nil, fmt.Errorf("read which settings the agent made: %w; remove %s, and settings that the agent made count as yours", err, path)
	}
	return r, nil
}

func (f SettingsFile) remember(r Record) error {
	if f.WorkDir == "" {
		return nil
	}
	if _, err := file.SaveJSON(filepath.Join(f.WorkDir, recordFile), r, 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("remember which settings the agent made: %w", err)
	}
	return nil
}
