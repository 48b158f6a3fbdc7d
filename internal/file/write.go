// Package file reads and writes files that other processes read and write at the same time. A file appears whole or not at
// all. A reader reads a half-written file again before it reports an error. A watch notices changes on every kind of volume.
//
// The package does not know what the bytes mean.
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
	"time"

	"wso2agent/internal/remedy"
)

// ErrOwner means that a file belongs to another user than the one that this process runs as. A replacement would change the
// owner, and the server might then be unable to read the file.
var ErrOwner = errors.New("file belongs to another user")

// errNotRegular means that there is something other than a regular file at a path.
var errNotRegular = errors.New("it is not a regular file")

// tempSuffix marks temporary files, so that the next writer recognizes those of a killed process.
const tempSuffix = ".tmp"

// Write replaces the file at path with data, whole or not at all: readers see the old bytes or the new ones, also after a
// crash at any point. Write makes the temporary file in tempDir, which must be on the same file system as path. It creates
// tempDir if it is missing.
//
// An existing file keeps its mode and group; a new one gets mode. Write does not change a file that belongs to another user, or
// to a group that this process cannot set; the error wraps ErrOwner. It does not write a file that has the bytes already;
// changed is then false.
//
// A file has one writer at a time. So Write removes the temporary files in tempDir that a killed writer of the same file left.
func Write(path string, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	path, err = resolve(path)
	if err != nil {
		return false, err
	}
	return replace(anywhere{}, path, data, mode, tempDir, nothing)
}

// WriteIn is Write for the file name in root. It does not leave root: it replaces a symbolic link at name, and a link on the way
// that leads out of root is an error.
func WriteIn(root *os.Root, name string, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	return replace(root, name, data, mode, tempDir, nothing)
}

// Replace is Write for a file that other programs also write. before are the bytes that the caller read. Replace does not change
// a file that has other bytes now, or that another process has open for writing; the error wraps ErrBeingWritten.
func Replace(path string, before, data []byte, mode fs.FileMode, tempDir string) (changed bool, err error) {
	path, err = resolve(path)
	if err != nil {
		return false, err
	}
	return replace(anywhere{}, path, data, mode, tempDir, func(temp string) (release func(), err error) {
		return claim(path, before, temp)
	})
}

// nothing is the last step of replace for a file that nobody else writes.
func nothing(string) (release func(), err error) { return func() {}, nil }

// replace does the work of Write. It calls last right before it renames the new file from temp to path.
func replace(in folder, path string, data []byte, mode fs.FileMode, tempDir string, last func(temp string) (release func(), err error)) (changed bool, err error) {
	group := -1
	var alike time.Time // modification time of a file that differs from the new one in nothing else that a look at it shows
	info, err := in.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("write %s: %w", path, err)
	case info.Mode()&fs.ModeSymlink != 0: // replaced, without a look at its target
	// Anybody can make a named pipe or a huge file on a shared volume. Neither must block this process.
	case !info.Mode().IsRegular():
		return false, remedy.Add(fmt.Errorf("write %s: %w but %s", path, errNotRegular, info.Mode().Type()), "remove it")
	default:
		if info.Size() == int64(len(data)) {
			if old, err := read(in, path, info.Size()); err == nil && bytes.Equal(old, data) {
				return false, nil
			}
			alike = info.ModTime()
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
		return false, fmt.Errorf("create the folder for temporary files: %w", err)
	}
	removeTemps(in, tempDir, filepath.Base(path))
	temp, err := writeTemp(in, tempDir, filepath.Base(path), data, mode, group)
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	if info, err := in.Lstat(temp); err == nil && info.ModTime().Sub(alike).Abs() < coarsest {
		later := alike.Add(coarsest)
		step("set time", temp, func() error { return in.Chtimes(temp, later, later) }) // without it the file is as good
	}
	release, err := last(temp)
	if err != nil {
		in.Remove(temp)
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	defer release()
	return true, place(in, temp, path)
}

// coarsest is the longest step of modification times: some file systems keep whole seconds. A file system may also give the second next
// version the inode number of the first. So the times of two versions of the same size differ by at least this.
const coarsest = time.Second

// Move renames the file at from to to, whole or not at all, and gives it mode. Both must be on the same file system. Move
// refuses what Write refuses.
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
		return remedy.Add(fmt.Errorf("write %s: %w but %s", to, errNotRegular, info.Mode().Type()), "remove it")
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

// place renames a finished temporary file to path. If that fails, it removes the temporary file.
func place(in folder, temp, path string) error {
	if err := step("rename", path, func() error { return in.Rename(temp, path) }); err != nil {
		in.Remove(temp)
		switch {
		case errors.Is(err, syscall.EXDEV):
			err = fmt.Errorf("%w: %s must be on the same volume", err, filepath.Dir(temp))
		case errors.Is(err, syscall.EBUSY):
			err = remedy.Add(fmt.Errorf("%w: the file itself is mounted, so no process can replace it", err), "mount its folder instead")
		}
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return syncDir(in, filepath.Dir(path))
}

// CheckOwner returns an error that wraps ErrOwner if the file at path belongs to another user than the one that this process
// runs as.
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
	return remedy.Add(fmt.Errorf("%w: %s belongs to %d:%d, this process runs as %d:%d", ErrOwner, path, stat.Uid, stat.Gid, os.Geteuid(), os.Getegid()),
		"run it with user: \"%d:%d\"", stat.Uid, stat.Gid)
}

// removeTemps removes the temporary files in dir that killed writers of the file named base left. It ignores errors, because
// such a file does no harm.
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

// Remove removes the file at path. A missing file is no error: changed is then false.
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

// Writable returns an error if this process cannot create a file in dir. It creates dir if it is missing.
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

// resolve follows a symbolic link at path, so that Write replaces the file behind the link and not the link.
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

// writeTemp creates a temporary file with a random name. A file with a fixed name that a killed process left would block every
// later run. group is -1 for the group of this process.
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
			return "", remedy.Add(fmt.Errorf("%w: its group is %d, which this process cannot set (%w)", ErrOwner, group, err),
				"run it with that group")
		}
	}
	if err := step("set mode", temp, func() error { return f.Chmod(mode) }); err != nil {
		return "", err
	}
	return temp, step("sync", temp, f.Sync)
}

// syncDir makes a rename in dir survive a loss of power, if the file system supports that.
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
