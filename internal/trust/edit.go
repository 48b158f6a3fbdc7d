package trust

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// ErrExists: the alias holds another certificate, and the caller has not allowed to replace it.
var ErrExists = errors.New("the alias holds another certificate")

// Editor changes single entries of a store for a person, who expects this change and nothing else. Unlike Import it keeps no copy
// of the original.
type Editor struct {
	Store Store
	// WorkDir holds temporary files and the lock, which an agent takes too if the store lies on its config volume. If it is empty,
	// the editor makes a folder next to the store and removes it afterwards.
	WorkDir string
	// Waiting is called once if somebody else changes a store there at the moment.
	Waiting func()
}

// Set makes c trusted under alias. If it is already, Set writes nothing and the change has no action. Errors wrap ErrExists if
// another certificate is there and replace is false, and keystore.ErrAliasTaken if the alias is that of a key.
func (e Editor) Set(ctx context.Context, alias string, c keystore.Certificate, replace bool) (change Change, err error) {
	err = e.edit(ctx, func(store *keystore.Store) (bool, error) {
		old, err := store.Entry(alias)
		if err == nil && old.Kind == keystore.TrustedCertificate && old.Chain[0].Fingerprint() != c.Fingerprint() && !replace {
			return false, fmt.Errorf("%w under %q: SHA-256 %s, %s", ErrExists, old.Alias, old.Chain[0].Fingerprint(), subject(old.Chain[0]))
		}
		change = Change{Action: Added, Alias: alias, Fingerprint: c.Fingerprint().String()}
		switch {
		case err != nil && !errors.Is(err, keystore.ErrAliasNotFound):
			return false, err
		case err == nil && old.Kind == keystore.TrustedCertificate && old.Chain[0].Fingerprint() == c.Fingerprint():
			change = Change{}
			return false, nil
		case err == nil && old.Kind == keystore.TrustedCertificate:
			change.Action, change.Was = Replaced, old.Chain[0].Fingerprint().String()
		}
		return true, store.SetTrusted(alias, c, time.Now())
	})
	return change, err
}

// Delete removes the trusted certificate under alias and returns it. Errors wrap keystore.ErrAliasNotFound, or
// keystore.ErrAliasTaken if the alias is that of anything else, which Delete never removes.
func (e Editor) Delete(ctx context.Context, alias string) (removed keystore.Certificate, err error) {
	err = e.edit(ctx, func(store *keystore.Store) (bool, error) {
		old, err := store.Entry(alias)
		if err != nil {
			return false, err
		}
		if err := store.Delete(alias); err != nil {
			return false, err
		}
		removed = old.Chain[0]
		return true, nil
	})
	return removed, err
}

// edit takes the lock, opens the store, calls change, and replaces the whole file. It does not touch a file that another user owns,
// or that change refuses or leaves as it is.
func (e Editor) edit(ctx context.Context, change func(*keystore.Store) (changed bool, err error)) error {
	if err := e.Store.Check(); err != nil { // before the folder is made
		return err
	}
	work := e.WorkDir
	if work == "" {
		path, err := filepath.EvalSymlinks(e.Store.Path)
		if err != nil {
			return fmt.Errorf("find the keystore: %w", err)
		}
		work = filepath.Join(filepath.Dir(path), file.WorkDir)
	}
	lock := file.LockPath(work)
	unlock, err := file.Lock(ctx, lock, e.Waiting)
	if err != nil {
		return err
	}
	defer unlock()
	if e.WorkDir == "" {
		defer os.Remove(work) // stays if anything else is in it
		defer os.Remove(lock)
	}
	store, before, err := e.Store.read(ctx)
	if err != nil {
		return err
	}
	var data []byte
	changed, err := change(store)
	if err == nil && changed {
		if data, err = store.Encode(); err == nil {
			_, err = file.Replace(e.Store.Path, before, data, 0o600, work)
		}
	}
	if err != nil {
		return fmt.Errorf("change %s: %w", e.Store.Path, err)
	}
	return nil
}

func subject(c keystore.Certificate) string {
	parsed, err := c.Parse()
	if err != nil {
		return "a certificate that Go cannot read, although Java may"
	}
	return parsed.Subject.String()
}

// ReadCertificate reads the only certificate in a PEM file. It refuses a file with a private key, which has no place in a
// truststore, and one with several certificates, because each needs an alias.
func ReadCertificate(path string) (keystore.Certificate, error) {
	data, err := file.Read(path, exchangeLimit)
	if err != nil {
		return keystore.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	certs, err := keystore.PEM{Max: MaxCertificates}.Certificates(data)
	switch {
	case errors.Is(err, keystore.ErrPEMKey):
		err = remedy.Add(fmt.Errorf("it %w", err), "give a file with the certificate alone")
	case err != nil:
		err = fmt.Errorf("it %w", err)
	case len(certs) > 1:
		err = remedy.Add(fmt.Errorf("it holds %d certificates", len(certs)), "give each a file and an alias of its own")
	default:
		return certs[0], nil
	}
	return keystore.Certificate{}, fmt.Errorf("read certificate from %s: %w", path, err)
}
