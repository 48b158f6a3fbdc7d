package trust

import (
	"fmt"
	"slices"

	"wso2agent/internal/keystore"
)

// Encode makes a keystore that holds the identity under alias and nothing else. The key has the store's password, as the
// products want it.
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

// LoadIdentity reads an identity out of a keystore: the key under alias, or the only one where that is empty. Errors wrap
// those of package keystore; ErrDamaged also where the certificate is another key's.
func LoadIdentity(data []byte, password, alias string) (Identity, error) {
	store, err := keystore.Open(data, password)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	key, err := store.PrivateKey(alias, password)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	leaf, err := store.Leaf(alias)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	parsed, err := leaf.Parse()
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	if !belongs(key, parsed) {
		return Identity{}, fmt.Errorf("read the TLS keystore: the certificate %s is another key's: %w", leaf.Fingerprint(), keystore.ErrDamaged)
	}
	entries := store.Entries()
	at := slices.IndexFunc(entries, func(e keystore.Entry) bool {
		return e.Kind == keystore.KeyEntry && len(e.Chain) > 0 && e.Chain[0].Fingerprint() == leaf.Fingerprint()
	})
	if err := refusedByJava(entries); err != nil {
		return Identity{}, fmt.Errorf("read the TLS keystore: %w", err)
	}
	return Identity{Chain: entries[at].Chain, key: key, leaf: parsed}, nil
}
