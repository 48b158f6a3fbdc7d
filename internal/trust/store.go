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
	"wso2agent/internal/remedy"
)

// storeLimit is the largest size of a keystore, in bytes. Those of the products have 200 kB.
const storeLimit = 16 << 20

// Store says where a keystore lies and how to open it.
type Store struct {
	Path     string
	Password string
	Setting  string // the variable that holds the password, for errors
	Named    bool   // a person gave the path, so a missing file is a typing error, not a wrong installation
}

// Check returns nil if the store exists and this process may replace it. Call it before anything is written.
func (s Store) Check() error {
	err := file.CheckOwner(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.missing(err)
	}
	return err
}

func (s Store) missing(err error) error {
	if s.Named {
		return remedy.Add(fmt.Errorf("open keystore: %w", err), "check the name")
	}
	return remedy.Add(fmt.Errorf("open keystore: %w", err), "put the server's stores on the config volume first, or set CONFIG_DIR")
}

// open reads the store, again if somebody is writing it. Errors wrap fs.ErrNotExist or those of package keystore, and name the
// remedy.
func (s Store) open(ctx context.Context) (*keystore.Store, error) {
	store, _, err := s.read(ctx)
	return store, err
}

// read does what open does, and also returns the bytes of the file.
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
		return nil, nil, remedy.Add(fmt.Errorf("open keystore %w", err), "set %s or %s_FILE", s.Setting, s.Setting)
	case errors.Is(err, keystore.ErrTorn), errors.Is(err, keystore.ErrDamaged):
		return nil, nil, remedy.Add(fmt.Errorf("open keystore %w", err), "restore the file, the agent has not touched it")
	}
	return nil, nil, fmt.Errorf("open keystore %w", err)
}

// OwnLeaf returns the certificate of the server's own key: that of the key under alias, or of the only key if alias is empty. The
// keystore is the first file of paths that exists.
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
			return keystore.Certificate{}, remedy.Add(fmt.Errorf("find the server's own certificate in %s: %w", path, err), "set KEYSTORE_ALIAS")
		}
		if err := keystore.CheckJava(store.Entries()); err != nil {
			return keystore.Certificate{}, fmt.Errorf("find the server's own certificate in %s: %w", path, err)
		}
		return leaf, nil
	}
	return keystore.Certificate{}, remedy.Add(fmt.Errorf("find the server's own keystore: %w at %s", fs.ErrNotExist, strings.Join(paths, " or ")),
		"put the server's stores on the config volume first, or set CONFIG_DIR or KEYSTORE_FILE")
}

// List returns the format and the entries of the store, in the order of the file. Errors are those of Import.
func (s Store) List(ctx context.Context) (keystore.Format, []keystore.Entry, error) {
	store, err := s.open(ctx)
	if err != nil {
		return "", nil, err
	}
	return store.Format(), store.Entries(), nil
}

// Entry returns the entry under alias, whose case does not matter. Errors are those of Import, or wrap keystore.ErrAliasNotFound.
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
