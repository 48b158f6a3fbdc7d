package seed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/sorting"
)

// paths are the files of the seed and of the stock that was applied last, without ReloadFiles. The settings come last, because they hold the
// passwords of the stores of the same stock.
func (s Seed) paths() ([]string, error) {
	var paths []string
	for _, root := range []string{s.seed(""), s.stock("")} {
		err := filepath.WalkDir(filepath.Join(root, "repository"), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			relative, err := filepath.Rel(root, p)
			paths = append(paths, filepath.ToSlash(relative))
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list the product's stock: %w", err)
		}
	}
	sorting.By(paths, func(a, b string) int {
		if (a == settingsFile) != (b == settingsFile) {
			return strings.Compare(b, a) // repository/resources before repository/conf
		}
		return strings.Compare(a, b)
	})
	paths = slices.DeleteFunc(paths, func(p string) bool { return slices.Contains(ReloadFiles(), p) })
	return slices.Compact(paths), nil
}

// versions are the three versions of a file: the stock that was applied last, the seed, and the server's own; nil for none.
type versions struct{ base, seed, own []byte }

func (s Seed) versions(p string) (v versions, err error) {
	for _, f := range []struct {
		into *[]byte
		path string
	}{{&v.base, s.stock(p)}, {&v.seed, s.seed(p)}, {&v.own, s.own(p)}} {
		if *f.into, err = read(f.path); err != nil {
			return v, err
		}
	}
	return v, nil
}

// mode is the mode of a file that the volume does not have yet.
func (s Seed) mode(p string) fs.FileMode {
	info, err := os.Stat(s.seed(p))
	if err != nil || p == settingsFile { // it will hold passwords; the server runs as the same user
		return 0o600
	}
	return info.Mode().Perm()&0o644 | 0o600
}

// put writes a file completely or not at all, and makes its folder readable for the server. before is what the file had when
// apply read it, because others may write it; nil for a new file and for the agent's own files.
func (s Seed) put(to string, before, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	temps := filepath.Join(s.Volume, file.WorkDir)
	var err error
	switch {
	case s.write != nil:
		_, err = s.write(to, data, mode, temps)
	case before != nil:
		_, err = file.Replace(to, before, data, mode, temps)
	default:
		_, err = file.Write(to, data, mode, temps)
	}
	return err
}

// read returns nil for a file that does not exist.
func read(p string) ([]byte, error) {
	data, err := file.Read(p, sizeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
