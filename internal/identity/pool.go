package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/sorting"
)

// The pool holds the successors of a server: identities that the agent has issued in advance. Peers trust their certificates
// before they start, so that a rotation to one of them restarts no server. Each has a keystore of its own, which is named by the
// first eight hexadecimal digits of the fingerprint.

// poolExt ends the names of the keystores in the pool. Other files there, and folders, are not the agent's.
const poolExt = ".p12"

func (f Files) pool() string { return filepath.Join(f.WorkDir, "identity", "successors") }

func (f Files) successor(i Identity) string {
	return filepath.Join(f.pool(), i.Leaf().Fingerprint().Short()+poolExt)
}

// added is where a successor is written before it moves into the pool. The name is always the same, so that the next write
// removes what a killed one has left.
func (f Files) added() string { return filepath.Join(f.WorkDir, "identity", "successor"+poolExt) }

// AddSuccessor puts i into the pool. It writes nothing that is there already.
func (f Files) AddSuccessor(i Identity) error {
	if f.holds(f.successor(i), i) {
		return nil
	}
	err := os.MkdirAll(f.pool(), 0o700)
	if err == nil {
		err = f.write(f.added(), i)
	}
	if err == nil {
		err = file.Move(f.added(), f.successor(i), 0o600)
	}
	if err != nil {
		return f.inPool("add a successor", err)
	}
	return nil
}

// StageSuccessor moves i from the pool to where it waits for the switch, which answers a request as Stage does. If a kill comes
// in between, i is in both places, and the same call again removes it from the pool.
func (f Files) StageSuccessor(i Identity) error {
	if err := f.Stage(i); err != nil {
		return err
	}
	return f.DropSuccessor(i)
}

// DropSuccessor removes i from the pool. It is no error if i is not there.
func (f Files) DropSuccessor(i Identity) error {
	if _, err := file.Remove(f.successor(i)); err != nil {
		return f.inPool("drop a successor", err)
	}
	return nil
}

// inPool is an error of an action on the pool.
func (f Files) inPool(action string, err error) error {
	return remedy.Add(fmt.Errorf("%s: %w", action, err), "give the agent's user write access to %s and all that is in it", filepath.Dir(f.pool()))
}

// PutAsideSuccessors moves each file of the pool that Read cannot read into a folder next to it, because it may be somebody's. It
// returns the new paths. Without such files it does nothing. It moves no folder: if the agent cannot list the pool, that may be
// full of good successors.
func (f Files) PutAsideSuccessors(ctx context.Context) (moved []string, err error) {
	_, unreadable, err := f.readPool(ctx)
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(unreadable)) {
		if info, err := os.Stat(path); path == f.pool() && err == nil && info.IsDir() {
			return moved, f.inPool("list the successors", unreadable[path])
		}
		to, err := f.aside(path)
		if err == nil {
			err = os.Rename(path, to)
		}
		if err != nil {
			return moved, f.inPool("put aside a successor that cannot be read", err)
		}
		moved = append(moved, to)
	}
	return moved, nil
}

// aside makes the folder for what is put aside, and returns a path in it that no file has.
func (f Files) aside(path string) (string, error) {
	dir := filepath.Join(f.WorkDir, "identity", "unreadable")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	free := filepath.Join(dir, filepath.Base(path))
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return free, err
		}
		free = filepath.Join(dir, fmt.Sprintf("%s.%d", filepath.Base(path), n))
	}
}

// readPool returns the successors, the one that ends first before the others, and by path what is in the pool and cannot be read.
// The only error says that ctx has ended.
func (f Files) readPool(ctx context.Context) (successors []*Identity, unreadable map[string]error, err error) {
	unreadable = map[string]error{}
	entries, err := os.ReadDir(f.pool())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unreadable[f.pool()] = err
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), poolExt) {
			continue
		}
		path := filepath.Join(f.pool(), e.Name())
		id, bad, err := f.load(ctx, path)
		switch bad = errors.Join(bad, err); {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case bad != nil:
			unreadable[path] = bad
		case id == nil: // somebody has removed it just now
		case f.successor(*id) != path: // else it could not be dropped
			unreadable[path] = fmt.Errorf("%s holds the successor %s, which belongs into %s", path, id.Leaf().Fingerprint(), f.successor(*id))
		default:
			successors = append(successors, id)
		}
	}
	sorting.By(successors, func(a, b *Identity) int {
		return cmp.Or(a.leaf.NotAfter.Compare(b.leaf.NotAfter), strings.Compare(a.Leaf().Fingerprint().String(), b.Leaf().Fingerprint().String()))
	})
	return successors, unreadable, nil
}

// joined returns the errors in the order of their paths.
func joined(byPath map[string]error) error {
	var all []error
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		all = append(all, byPath[path])
	}
	return errors.Join(all...)
}
