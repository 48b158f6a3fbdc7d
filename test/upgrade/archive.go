package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Pack writes the files below dir into a new archive, with their modes and times.
func Pack(dir, archive string) (err error) {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		return pack(t, dir, path, e)
	})
	return errors.Join(err, t.Close(), z.Close())
}

func pack(t *tar.Writer, dir, path string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder", path)
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX, Typeflag: tar.TypeDir}
	if info.IsDir() {
		header.Name += "/"
		return t.WriteHeader(header)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, int64(len(data))
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	_, err = t.Write(data)
	return err
}

// Unpack writes the files of an archive below dir, which must be there.
func Unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	return untarFrom(z, archive, dir)
}

// untar writes the files of an archive that is not compressed below dir.
func untar(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	return untarFrom(f, archive, dir)
}

func untarFrom(r io.Reader, archive, dir string) error {
	for t := tar.NewReader(r); ; {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && header.Typeflag != tar.TypeXGlobalHeader {
			err = unpack(t, header, filepath.Join(dir, header.Name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
	}
}

func unpack(t *tar.Reader, header *tar.Header, path string) error {
	mode := fs.FileMode(header.Mode).Perm()
	if strings.HasSuffix(header.Name, "/") {
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		return os.Chmod(path, mode) // whatever the umask says
	}
	data, err := io.ReadAll(t)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, mode), os.Chtimes(path, header.ModTime, header.ModTime))
}
