// Package trust exchanges certificates between servers: it publishes the own server's certificate on the exchange
// volume and keeps the peers' certificates in the own truststore, touching no other entry.
//
// It knows no REST API and restarts nothing.
package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

// storeLimit is the most that a keystore may hold, in bytes. The products' own have 200 kB.
const storeLimit = 16 << 20

// Store says where a keystore lies and how it is opened.
type Store struct {
	Path     string
	Password string
	Setting  string // the variable that holds the password, for errors
	Named    bool   // by a person: a missing one is a slip of the pen, and not of the set-up
}

// Check tells whether the store is there and this process may replace it, before anything is written.
func (s Store) Check() error {
	err := file.CheckOwner(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.missing(err)
	}
	return err
}

func (s Store) missing(err error) error {
	if s.Named {
		return fmt.Errorf("open keystore: %w; check the name", err)
	}
	return fmt.Errorf("open keystore: %w; put the server's stores on the config volume first, or set CONFIG_DIR", err)
}

// open reads the store, again if somebody is just writing it. Its errors wrap fs.ErrNotExist or those of package
// keystore, and name the remedy.
func (s Store) open(ctx context.Context) (*keystore.Store, error) {
	store, _, err := s.read(ctx)
	return store, err
}

// read is open, and returns the file's bytes too.
func (s Store) read(ctx context.Context) (store *keystore.Store, data []byte, err error) {
	data, err = file.ReadStable(ctx, s.Path, storeLimit, func(data []byte) (err error) {
		if len(data) == 0 {
			return fmt.Errorf("%w: the file is empty", keystore.ErrTorn)
		}
		store, err = keystore.Open(data, s.Password)
		return err
	})
	switch {
	case err == nil:
		return store, data, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, s.missing(err)
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, fmt.Errorf("open keystore: %w", errors.Join(err, s.Check()))
	case errors.Is(err, keystore.ErrPassword):
		return nil, nil, fmt.Errorf("open keystore %w; set %s or %s_FILE", err, s.Setting, s.Setting)
	case errors.Is(err, keystore.ErrTorn), errors.Is(err, keystore.ErrDamaged):
		return nil, nil, fmt.Errorf("open keystore %w; restore the file, the agent has not touched it", err)
	}
	return nil, nil, fmt.Errorf("open keystore %w", err)
}

// OwnLeaf returns the certificate of the server's own key: the leaf that belongs to the key under alias, or to the
// only key where alias is empty. The first of paths at which a file exists is the keystore.
func OwnLeaf(ctx context.Context, paths []string, password, alias string) (keystore.Certificate, error) {
	for _, path := range paths {
		store, err := Store{Path: path, Password: password, Setting: "KEYSTORE_PASS"}.open(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return keystore.Certificate{}, err
		}
		leaf, err := store.Leaf(alias)
		if err != nil {
			return keystore.Certificate{}, fmt.Errorf("find the server's own certificate in %s: %w; set KEYSTORE_ALIAS", path, err)
		}
		if err := keystore.CheckJava(store.Entries()); err != nil {
			return keystore.Certificate{}, fmt.Errorf("find the server's own certificate in %s: %w", path, err)
		}
		return leaf, nil
	}
	return keystore.Certificate{}, fmt.Errorf("find the server's own keystore: %w at %s; put the server's stores on the config volume first, or set CONFIG_DIR or KEYSTORE_FILE",
		fs.ErrNotExist, strings.Join(paths, " or "))
}

// List returns the store's format and entries, in the file's order. Its errors are those of an import.
func (s Store) List(ctx context.Context) (keystore.Format, []keystore.Entry, error) {
	store, err := s.open(ctx)
	if err != nil {
		return "", nil, err
	}
	return store.Format(), store.Entries(), nil
}

// Entry returns the entry under alias, in any case of letters. Its errors are those of an import, or wrap
// keystore.ErrAliasNotFound.
func (s Store) Entry(ctx context.Context, alias string) (keystore.Entry, error) {
	store, err := s.open(ctx)
	if err != nil {
		return keystore.Entry{}, err
	}
	entry, err := store.Entry(alias)
	if err != nil {
		return keystore.Entry{}, fmt.Errorf("look into %s: %w", s.Path, err)
	}
	return entry, nil
}
