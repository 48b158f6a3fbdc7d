package identity

import (
	"fmt"
	"slices"

	"wso2agent/internal/keystore"
)

// Encode returns a keystore that holds the identity under alias and nothing else. The key has the password of the store, as
// the products require.
func (i Identity) Encode(format keystore.Format, alias, password string) ([]byte, error) {
	store, err := keystore.New(keystore.Options{Format: format, Password: password})
	if err != nil {
		return nil, fmt.Errorf("make the TLS keystore: %w", err)
	}
	if err := store.SetKey(alias, i.key, i.Chain, password, i.leaf.NotBefore); err != nil {
		return nil, fmt.Errorf("make the TLS keystore: %w", err)
	}
	data, err := store.Encode()
	if err != nil {
		return nil, fmt.Errorf("make the TLS keystore: %w", err)
	}
	return data, nil
}

// FromKeystore reads an identity from a keystore: the key under alias, or the only key if alias is empty. Errors wrap those of
// package keystore. They wrap keystore.ErrDamaged also if the certificate belongs to another key.
func FromKeystore(data []byte, password, alias string) (Identity, error) {
	id, err := fromKeystore(data, password, alias)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	return id, nil
}

func fromKeystore(data []byte, password, alias string) (Identity, error) {
	store, err := keystore.Open(data, password)
	if err != nil {
		return Identity{}, err
	}
	key, err := store.PrivateKey(alias, password)
	if err != nil {
		return Identity{}, err
	}
	leaf, err := store.Leaf(alias)
	if err != nil {
		return Identity{}, err
	}
	parsed, err := leaf.Parse()
	if err != nil {
		return Identity{}, err
	}
	if !keystore.Belongs(key, parsed) {
		return Identity{}, fmt.Errorf("the certificate %s belongs to another key: %w", leaf.Fingerprint(), keystore.ErrDamaged)
	}
	entries := store.Entries()
	if err := keystore.CheckJava(entries); err != nil {
		return Identity{}, err
	}
	at := slices.IndexFunc(entries, func(e keystore.Entry) bool {
		return e.Kind == keystore.KeyEntry && len(e.Chain) > 0 && sameCertificate(e.Chain[0], leaf)
	})
	return Identity{Chain: entries[at].Chain, key: key, leaf: parsed}, nil
}
