// Package seed brings the stock files of a product image onto the config volume. The product's entrypoint copies that volume
// over the home of the server at every start. After an image upgrade the package merges three versions of each file: the
// stock that was applied last, the stock of the new image, and the server's own file.
package seed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
)

// ErrNone says that the config volume has no seed. Its files may come from somewhere else.
var ErrNone = errors.New("no seed on the config volume")

// ErrOtherProduct says that the seed belongs to another product than Seed.Product.
var ErrOtherProduct = errors.New("the seed belongs to another product")

// sizeLimit is the maximum size of one file of the seed, in bytes. The largest file of the products has 200 kB.
const sizeLimit = 16 << 20

// settingsFile is the path of the settings, relative to the volume and to the home.
const settingsFile = "repository/conf/deployment.toml"

// Seed brings the stock files of a product image to the place on the config volume from which the entrypoint of the server
// copies them. deploy/seed/seed.sh has copied them from the image. After an image upgrade the volume has three versions of
// each file. A change of the image arrives, and a change by others stays.
//
//	<volume>/.agent/seed    the stock of the image
//	<volume>/.agent/stock   the stock that was applied last
//	<volume>/repository     the server's own files
type Seed struct {
	Volume             string // the config volume
	Product            string // config.IS or config.AM
	TruststorePassword string // of the server's truststore; empty: the one in its settings
	Reload             bool   // the server is to load a new TLS certificate while it runs, see Overlay

	logged map[string]bool                                                                // what Bring logs once for this value; nil: each time
	write  func(path string, data []byte, mode fs.FileMode, tempDir string) (bool, error) // nil: file.Write
}

// Of returns the seed of the server, by the agent's settings.
func Of(cfg config.Config) Seed {
	s := Seed{Volume: cfg.Server.ConfigDir, Product: cfg.Server.Product, logged: map[string]bool{},
		Reload: cfg.TLS.Reload == "auto" && cfg.TLS.Mode != "none"}
	if cfg.Given("TRUSTSTORE_PASS") {
		s.TruststorePassword = cfg.Truststore.Pass
	}
	return s
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
	Changes []Change // of a file that was merged, completely or in part
	Err     error    // why the file could not be merged, or not be changed; it is unchanged, and the next time tries again
}

// FileAction says what became of a file.
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

// Change is a setting, a table of settings or an entry of a store that differs between the new image and the one before.
type Change struct {
	What   string // the path of the setting, or the alias of the entry
	Line   int    // in the server's own settings file before the merge; 0 for an entry
	Was    string // the server's own before the merge: a value as written, or a fingerprint; empty for none
	Now    string // the new image's; empty for none
	Action Action
	Why    string // the reason for Kept
	Secret bool   // logs must not show Was and Now
}

// Action says what became of a setting or of an entry of a store.
type Action string

// What becomes of a setting or of an entry of a store.
const (
	Added    Action = "added"
	Replaced Action = "replaced"
	Dropped  Action = "dropped" // the new image does not have it
	Kept     Action = "kept"    // the server's own stays, see Change.Why
)

// Apply copies the files of the seed to the server's own, or merges them, except ReloadFiles. The next Apply repairs what a kill leaves behind.
// The caller makes sure that nobody else writes these files at the same time.
//
// Errors wrap ErrNone, ErrOtherProduct, or those of package file; the report then has what Apply did before. A file that
// cannot be merged is no error: see Outcome.Err.
func (s Seed) Apply(ctx context.Context) (Report, error) {
	var r Report
	var err error
	if r.From, r.To, err = s.products(); err != nil {
		return r, err
	}
	r.Downgrade = product.Older(r.To, r.From)
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

// Check reports, before the first write, why Apply cannot work. Errors wrap ErrNone, ErrOtherProduct, or file.ErrOwner if
// the seed belongs to another user than that of this process.
func (s Seed) Check() error {
	if _, _, err := s.products(); err != nil {
		return err
	}
	return file.CheckOwner(s.seed("product"))
}

func (s Seed) seed(p string) string  { return filepath.Join(s.Volume, file.WorkDir, "seed", p) }
func (s Seed) stock(p string) string { return filepath.Join(s.Volume, file.WorkDir, "stock", p) }
func (s Seed) own(p string) string   { return filepath.Join(s.Volume, p) }

// products are the product of the stock that was applied last, and that of the seed.
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
		return "", "", remedy.Add(fmt.Errorf("%w: %s does not exist", ErrNone, s.seed("product")), "run seed.sh in the product's image first")
	}
	name := map[string]string{config.IS: "wso2is", config.AM: "wso2am"}
	for product, prefix := range name {
		if product != s.Product && strings.HasPrefix(to, prefix+"-") {
			return "", "", remedy.Add(fmt.Errorf("%w: %s, and this agent runs next to %s", ErrOtherProduct, to, name[s.Product]),
				"check which volume is mounted, and PRODUCT")
		}
	}
	return from, to, nil
}

// apply brings one file up to date. It writes the stock after the file itself, so that the next run repeats a run that is
// killed between the two.
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
		return o, os.Remove(s.stock(p)) // so that the next run does not report it again
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

// merge makes one version of three. The error says why it cannot.
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

// isMergeable reports whether merge compares the parts of a file.
func isMergeable(p string, v versions) bool { return p == settingsFile || isStore(p, v) }
