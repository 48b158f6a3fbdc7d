// Package seed brings the stock files of a product image onto the config volume, which the product's entrypoint copies
// over the home of the server at every start. After an image upgrade it merges three versions of each file: the stock as
// applied last, the stock of now, and the own file of the server.
package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// ErrNoSeed says that no seed lies on the config volume. The files may have come there by other means.
var ErrNone = errors.New("no seed on the config volume")

// ErrOtherProduct says that the seed is of another product than the volume, or than the agent was told.
var ErrOtherProduct = errors.New("the seed is of another product")

// seedLimit is the most that one file of the seed may hold, in bytes. The products' largest has 200 kB.
const sizeLimit = 16 << 20

// seedSettings is the settings file below the home.
const settingsFile = "repository/conf/deployment.toml"

// Seed brings the product's own stores and settings, which deploy/seed/seed.sh has taken from its image, to where the server's
// entrypoint takes them from. When the image has changed since, what the image changed arrives and what others changed
// stays: for each file there is the stock as it was applied last, the stock of now, and the server's own.
//
//	<volume>/.agent/seed    the stock of now
//	<volume>/.agent/stock   the stock as applied last
//	<volume>/repository     the server's own
type Seed struct {
	Volume             string // the config volume
	Product            string // config.IS or config.AM
	TruststorePassword string // of the server's truststore; empty: as its settings say

	write func(path string, data []byte, mode fs.FileMode, tempDir string) (bool, error) // nil: file.Write
}

// Report says what Apply did.
type Report struct {
	From, To  string    // the product, such as wso2is-7.1.0, as applied last and now; From is empty the first time
	Downgrade bool      // To is older than From
	Files     []Outcome // in the order of their paths; the settings last
}

// Outcome says what became of one file.
type Outcome struct {
	Path    string // relative to the volume, and to the server's home
	Action  FileAction
	Changes []Change // one by one, where a file was merged or could not wholly be
	Err     error    // why the file could not be merged; it was left alone, and the next Apply tries again
}

// FileAction tells what became of a file.
type FileAction string

// What becomes of a file.
const (
	FileCopied    FileAction = "copied from the product's image"
	FileFound     FileAction = "left as it was found" // it was there before the first seed
	FileReplaced  FileAction = "replaced by the new image's"
	FileMerged    FileAction = "merged with the new image's"
	FileKept      FileAction = "kept, though the new image has another"
	FileOrphaned  FileAction = "kept, though the new image has none"
	fileUnchanged FileAction = ""
)

// Change is a setting, a table of settings or a certificate that the new image has otherwise than the one before.
type Change struct {
	What   string // the setting's path, or the certificate's alias
	Line   int    // of the server's own settings file as it was; 0 elsewhere
	Was    string // the server's own as it was: a value as written, or a fingerprint; empty for none
	Now    string // the new image's; empty for none
	Action Action // Added, Replaced, Dropped or Kept
	Why    string // it was kept
	Secret bool   // Was and Now are not to be shown
}

// Action says what became of a setting or of a certificate.
type Action string

// What becomes of a setting or of a certificate.
const (
	Added    Action = "added"
	Replaced Action = "replaced"
	Dropped  Action = "dropped" // the new image does not have it
	Kept     Action = "kept"    // the server's own stays, see Change.Why
)

// Apply makes the files of the seed the server's own, or merges them. It may be stopped anywhere and run again. There must
// be no other writer of these files meanwhile.
//
// Errors wrap ErrNoSeed, ErrOtherProduct, or those of package file; the report then tells what was done until then. A file
// that cannot be merged is no error: see Outcome.Err.
func (s Seed) Apply(ctx context.Context) (Report, error) {
	var r Report
	var err error
	if r.From, r.To, err = s.products(); err != nil {
		return r, err
	}
	r.Downgrade = isOlder(r.To, r.From)
	paths, err := s.paths()
	if err != nil {
		return r, err
	}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		o, err := s.apply(p)
		if err != nil {
			return r, fmt.Errorf("seed %s from the product's image: %w", p, err)
		}
		if o.Action != fileUnchanged || o.Err != nil {
			r.Files = append(r.Files, o)
		}
	}
	return r, s.put(s.stock("product"), nil, []byte(r.To+"\n"), 0o600)
}

// Check tells, before anything is written, whether there is a seed and it belongs to this process's user. Errors wrap
// ErrNoSeed or file.ErrOwner.
func (s Seed) Check() error {
	if _, _, err := s.products(); err != nil {
		return err
	}
	return file.CheckOwner(s.seed("product"))
}

func (s Seed) seed(p string) string  { return filepath.Join(s.Volume, file.WorkDir, "seed", p) }
func (s Seed) stock(p string) string { return filepath.Join(s.Volume, file.WorkDir, "stock", p) }
func (s Seed) own(p string) string   { return filepath.Join(s.Volume, p) }

// products are the product whose stock was applied last, and the seed's.
func (s Seed) products() (from, to string, err error) {
	was, err := read(s.stock("product"))
	if err != nil {
		return "", "", err
	}
	is, err := read(s.seed("product"))
	if err != nil {
		return "", "", err
	}
	from, to = strings.TrimSpace(string(was)), strings.TrimSpace(string(is))
	if to == "" {
		return "", "", fmt.Errorf("%w: %s is not there; run seed.sh in the product's image first", ErrNone, s.seed("product"))
	}
	name := map[string]string{config.IS: "wso2is", config.AM: "wso2am"}
	for product, prefix := range name {
		if product != s.Product && strings.HasPrefix(to, prefix+"-") {
			return "", "", fmt.Errorf("%w: %s, and this agent stands beside %s; check which volume is mounted, and PRODUCT", ErrOtherProduct, to, name[s.Product])
		}
	}
	return from, to, nil
}

// paths are the files of the stock, of now and as applied last. The settings come last: they hold the passwords of the
// stores of the same stock.
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
	slices.SortFunc(paths, func(a, b string) int {
		if (a == settingsFile) != (b == settingsFile) {
			return strings.Compare(b, a) // repository/resources goes before repository/conf
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(paths), nil
}

// versions are the three versions of a file; nil is none.
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

// apply brings one file up to date. What it remembers of the stock is written after the file itself, so that a kill between
// the two makes the next run do the same again.
func (s Seed) apply(p string) (Outcome, error) {
	o := Outcome{Path: p}
	v, err := s.versions(p)
	if err != nil {
		return o, err
	}
	result := v.own
	switch {
	case v.seed == nil:
		if v.own != nil {
			o.Action = FileOrphaned
		}
		return o, os.Remove(s.stock(p)) // told once
	case v.own == nil:
		o.Action, result = FileCopied, v.seed
	case bytes.Equal(v.own, v.seed):
	case v.base == nil:
		o.Action = FileFound
	case bytes.Equal(v.base, v.seed):
		return o, nil
	default:
		result, o.Changes, o.Err = s.merge(p, v)
		o.Action = actionOf(v, result, o)
	}
	if o.Err != nil {
		return o, nil
	}
	if !bytes.Equal(result, v.own) || v.own == nil {
		if err := s.put(s.own(p), v.own, result, s.mode(p)); err != nil {
			return o, err
		}
	}
	return o, s.put(s.stock(p), nil, v.seed, 0o600)
}

// merge makes one version of three. An error says why there is none.
func (s Seed) merge(p string, v versions) ([]byte, []Change, error) {
	switch {
	case p == settingsFile:
		return mergeSettings(v)
	case isStore(p, v):
		return s.mergeStore(v)
	case bytes.Equal(v.own, v.base):
		return v.seed, nil, nil
	}
	return v.own, nil, nil
}

func actionOf(v versions, result []byte, o Outcome) FileAction {
	switch {
	case o.Err != nil:
		return FileKept
	case bytes.Equal(result, v.seed):
		return FileReplaced
	case !bytes.Equal(result, v.own):
		return FileMerged
	case o.Changes != nil || !isMergeable(o.Path, v):
		return FileKept
	}
	return fileUnchanged
}

// isMergeable tells whether a file without changes needs no word: its parts were compared.
func isMergeable(p string, v versions) bool { return p == settingsFile || isStore(p, v) }

// mode is that of a file that is not on the volume yet.
func (s Seed) mode(p string) fs.FileMode {
	info, err := os.Stat(s.seed(p))
	if err != nil || p == settingsFile { // passwords will stand in it; the server runs as this very user
		return 0o600
	}
	return info.Mode().Perm()&0o644 | 0o600
}

// put writes a file whole or not at all, and makes its folder. What the server reads it must be able to reach. before is
// what the file had when it was read, nil for none and for the agent's own: others may be writing it.
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

// read is nil for a file that is not there.
func read(p string) ([]byte, error) {
	data, err := file.Read(p, sizeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// isOlder compares two names such as wso2is-7.1.0 by their numbers. Names that do not end in such are never older.
func isOlder(name, than string) bool {
	a, productA := numbers(name)
	b, productB := numbers(than)
	return a != nil && b != nil && productA == productB && slices.Compare(a, b) < 0
}

func numbers(name string) (version []int, product string) {
	product, text, ok := cutLast(path.Base(name), "-")
	if !ok {
		return nil, name
	}
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, name
		}
		version = append(version, n)
	}
	return version, product
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// verdict says what is to be done where the stock of now and the one before differ.
type verdict int

const (
	leave verdict = iota
	follow
	conflict
)

// judge compares three versions of one thing, each in a form that is equal for equal things and empty for none.
func judge(base, seed, own string) verdict {
	switch {
	case base == seed || own == seed:
		return leave
	case own == base:
		return follow
	}
	return conflict
}

// actionFor is what following the new stock does to the server's own.
func actionFor(seed, own string) Action {
	switch {
	case own == "":
		return Added
	case seed == "":
		return Dropped
	}
	return Replaced
}

const changedByBoth = "it was changed here and by the new image"
