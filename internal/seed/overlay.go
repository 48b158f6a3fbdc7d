package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"wso2agent/internal/file"
)

// What becomes of one of ReloadFiles.
const (
	FileReloads  FileAction = "changed so that the server loads a new TLS certificate while it runs"
	FileRestored FileAction = "without the agent's lines again"
)

// Overlay gives ReloadFiles the agent's lines, or takes the lines away (see Seed.Reload), and adds to the report what became of
// them. The logging settings get their lines only if the template has a listener. A file that Overlay cannot change is no error of
// Overlay: see Outcome.Err.
//
// Errors wrap file.ErrBeingWritten, or are those of ctx. The caller makes sure that no server runs, and that nobody else writes
// these files at the same time.
func (s Seed) Overlay(ctx context.Context, r *Report) error {
	with := s.Reload
	for _, p := range ReloadFiles() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var o Outcome
		has, err := s.overlay(p, with, &o)
		if errors.Is(err, file.ErrBeingWritten) {
			return fmt.Errorf("change %s for the reload of TLS certificates: %w", p, err)
		}
		o.Path, o.Err, with = p, errors.Join(o.Err, err), has
		if o.Action != fileUnchanged || o.Err != nil {
			r.Files = append(r.Files, o)
		}
	}
	return nil
}

// overlay brings one file up to date, and reports whether it has what the reload needs. It merges the three versions of the file
// without the agent's lines. An empty version counts as none. overlay removes a file that is then equal to the image's from the
// volume, because it would hide the file of the next image.
func (s Seed) overlay(p string, with bool, o *Outcome) (has bool, err error) {
	v, err := s.versions(p)
	if err != nil {
		return false, err
	}
	if len(v.own) == 0 {
		v.own = nil
	}
	written, had := v.own, false
	v.base, _ = WithoutReload(p, v.base) // the home from which the seed comes may be one in which a server ran
	v.seed, _ = WithoutReload(p, v.seed)
	v.own, had = WithoutReload(p, v.own)
	var result []byte
	if result, o.Action = merged(v, had); with && result != nil {
		text, err := withReload(p, result)
		if has = err == nil; has {
			result = text
		}
		o.Err = err
	}
	switch {
	case bytes.Equal(result, written) && (result == nil) == (written == nil):
		// the file is as it should be
	case result == nil || had && bytes.Equal(result, v.seed):
		o.Action, err = FileRestored, os.Remove(s.own(p))
	case written == nil && bytes.Equal(result, v.seed):
		// the image has the same file
	default:
		if o.Action == fileUnchanged && has {
			o.Action = FileReloads
		} else if o.Action == fileUnchanged {
			o.Action = FileRestored
		}
		err = s.put(s.own(p), written, result, s.mode(p))
	}
	if err != nil {
		return had, err
	}
	return has, s.remember(p, v)
}

// merged returns what the file should be without the agent's lines; nil for no file. had says that the server's own file had such
// lines.
func merged(v versions, had bool) ([]byte, FileAction) {
	switch {
	case v.own == nil:
		return v.seed, fileUnchanged
	case v.seed == nil && had && bytes.Equal(v.own, v.base):
		return nil, fileUnchanged // a copy of an image that is gone
	case v.seed == nil || v.base == nil || bytes.Equal(v.base, v.seed) || bytes.Equal(v.own, v.seed):
		return v.own, fileUnchanged
	case bytes.Equal(v.own, v.base):
		return v.seed, FileReplaced
	}
	return v.own, FileKept
}

// remember keeps the stock version that overlay has merged.
func (s Seed) remember(p string, v versions) error {
	switch {
	case v.seed != nil && (v.base == nil || !bytes.Equal(v.seed, v.base)):
		return s.put(s.stock(p), nil, v.seed, 0o600)
	case v.seed == nil && v.base != nil:
		return os.Remove(s.stock(p))
	}
	return nil
}

// hasReloadFiles reports whether the volume has one of ReloadFiles.
func (s Seed) hasReloadFiles() bool {
	return slices.ContainsFunc(ReloadFiles(), func(p string) bool {
		_, err := os.Stat(s.own(p))
		return err == nil && file.CheckOwner(s.own(p)) == nil // else whoever checks the stores says who may write there
	})
}
