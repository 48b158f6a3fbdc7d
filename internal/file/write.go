// Package file reads and writes files that other processes read and write at the same time: a file appears whole or
// not at all, a half-written one is read again before it is called broken, and a changed one is noticed on every kind
// of volume.
//
// It knows nothing of what the bytes mean.
package file

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrOwner says that a file belongs to another user than the one this process runs as. Replacing it would change its
// owner, and the server that reads it could then be unable to.
var ErrOwner = errors.New("file belongs to another user")

// errNotRegular says that something else stands where a file belongs.
var errNotRegular = errors.New("it is not a regular file")

// tempSuffix marks temporary files, so that those a killed process left behind can be told from anything else.
const tempSuffix = ".tmp"

// Write replaces the file at path with data, whole or not at all: readers see the old bytes or the new ones, also
// after a crash at any point. The temporary file is made in tempDir, which is made if need be and must lie on the same
// file system as path.
//
// An existing file keeps its mode and group; a new one gets mode. A file that belongs to another user, or to a group
// that this process may not give, is left alone, with an error that wraps ErrOwner. A file that has the bytes already is
// not written: changed is false.
//
// A file has one writer at a time. So what a killed writer of the same file has left in tempDir is removed on the way.
func Write(path string, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	path, err = resolve(path)
	if err != nil {
		return false, err
	}
	return replace(anywhere{}, path, data, mode, tempDir, nothing)
}

// WriteIn is Write for the file name in root. It does not leave root: a symbolic link at name is replaced, and one on the
// way that leads out of root is an error.
func WriteIn(root *os.Root, name string, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	return replace(root, name, data, mode, tempDir, nothing)
}

// Replace is Write for a file that other programs write too: before are the bytes that its reader found. An error that
// wraps ErrBeingWritten says that the file has other bytes now, or that somebody has it open for writing; it is then
// left alone.
func Replace(path string, before, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	path, err = resolve(path)
	if err != nil {
		return false, err
	}
	return replace(anywhere{}, path, data, mode, tempDir, func(temp string) (release func(), err error) {
		return claim(path, before, temp)
	})
}

// nothing is to be done before a file is replaced that nobody else writes.
func nothing(string) (release func(), err error) { return func() {}, nil }

// replace does the work of Write. last is called right before the new file, which is at temp then, takes the old one's place.
func replace(in folder, path string, data []byte, mode fs.FileMode, tempDir string, last func(temp string) (release func(), err error)) (changed bool, err error) {
	group := -1
	info, err := in.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("write %s: %w", path, err)
	case info.Mode()&fs.ModeSymlink != 0: // its target is not written, and not read either
	// A named pipe or a huge file in its place, which anybody can make on a shared volume, must hold up nothing.
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("write %s: %w but %s; remove it", path, errNotRegular, info.Mode().Type())
	default:
		if info.Size() == int64(len(data)) {
			if old, err := read(in, path, info.Size()); err == nil && bytes.Equal(old, data) {
				return false, nil
			}
		}
		if err := checkOwner(path, info); err != nil {
			return false, err
		}
		mode = info.Mode().Perm()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			group = int(stat.Gid)
		}
	}
	if err := step("make folder", tempDir, func() error { return in.MkdirAll(tempDir, 0o700) }); err != nil {
		return false, fmt.Errorf("make folder for temporary files: %w", err)
	}
	removeTemps(in, tempDir, filepath.Base(path))
	temp, err := writeTemp(in, tempDir, filepath.Base(path), data, mode, group)
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	release, err := last(temp)
	if err != nil {
		in.Remove(temp)
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	defer release()
	return true, place(in, temp, path)
}

// Move makes the file at from the one at to, whole or not at all, with the given mode. Both must lie on the same file
// system. It refuses what Write refuses.
func Move(from, to string, mode fs.FileMode) error {
	to, err := resolve(to)
	if err != nil {
		return err
	}
	info, err := os.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("write %s: %w", to, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("write %s: %w but %s; remove it", to, errNotRegular, info.Mode().Type())
	default:
		if err := checkOwner(to, info); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(from, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = step("set mode", from, func() error { return f.Chmod(mode) })
	if err == nil {
		err = step("sync", from, f.Sync)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	return place(anywhere{}, from, to)
}

// place moves a finished file to its place. One that cannot be moved is removed.
func place(in folder, temp, path string) error {
	if err := step("rename", path, func() error { return in.Rename(temp, path) }); err != nil {
		in.Remove(temp)
		switch {
		case errors.Is(err, syscall.EXDEV):
			err = fmt.Errorf("%w: %s must be on the same volume", err, filepath.Dir(temp))
		case errors.Is(err, syscall.EBUSY):
			err = fmt.Errorf("%w: it is mounted by itself, and such a file cannot be replaced; mount its folder instead", err)
		}
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return syncDir(in, filepath.Dir(path))
}

// CheckOwner returns an error that wraps ErrOwner when the file at path belongs to another user than this process's.
func CheckOwner(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return checkOwner(path, info)
}

func checkOwner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to %d:%d, this process runs as %d:%d; run it with user: \"%d:%d\"",
		ErrOwner, path, stat.Uid, stat.Gid, os.Geteuid(), os.Getegid(), stat.Uid, stat.Gid)
}

// removeTemps removes what killed writers of the file named base have left in dir. What cannot be removed stays: it is
// in nobody's way.
func removeTemps(in folder, dir, base string) {
	d, err := in.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		random, ok := strings.CutPrefix(name, base+".")
		random, temp := strings.CutSuffix(random, tempSuffix)
		if ok && temp && !strings.Contains(random, ".") {
			left := filepath.Join(dir, name)
			step("remove", left, func() error { return in.Remove(left) })
		}
	}
}

// Remove removes the file at path. That it is not there, is no error: changed is false.
func Remove(path string) (changed bool, err error) { return remove(anywhere{}, path) }

// RemoveIn is Remove for the file name in root.
func RemoveIn(root *os.Root, name string) (changed bool, err error) { return remove(root, name) }

func remove(in folder, path string) (changed bool, err error) {
	if _, err := in.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	err = step("remove", path, func() error { return in.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Writable returns an error if no file can be made in dir, which itself is made if need be.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "writable.*"+tempSuffix)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// resolve follows a symbolic link at path, so that the file behind it is replaced and not the link.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return real, nil
}

// writeTemp makes a temporary file with a random name: a fixed one, left behind by a kill, would wedge every later run.
// group is -1 for the process's own.
func writeTemp(in folder, dir, base string, data []byte, mode fs.FileMode, group int) (path string, err error) {
	temp := filepath.Join(dir, base+"."+rand.Text()+tempSuffix)
	var f *os.File
	err = step("make temporary", temp, func() (err error) {
		f, err = in.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			in.Remove(temp)
		}
	}()
	err = step("write", temp, func() error {
		_, err := f.Write(data)
		return err
	})
	if err != nil {
		return "", err
	}
	if group >= 0 {
		if err := step("give to group", temp, func() error { return f.Chown(-1, group) }); err != nil {
			return "", fmt.Errorf("%w: its group is %d, which this process may not give (%w); run it with that group", ErrOwner, group, err)
		}
	}
	if err := step("set mode", temp, func() error { return f.Chmod(mode) }); err != nil {
		return "", err
	}
	return temp, step("sync", temp, f.Sync)
}

// syncDir makes a rename in dir last through a loss of power, where the file system can.
func syncDir(in folder, dir string) error {
	d, err := in.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := step("sync", dir, d.Sync); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
