package seed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"wso2agent/internal/deployment"
	"wso2agent/internal/keystore"
)

// isStore reports whether a file is a keystore. Its name counts as well as its content, because the merge must not take a
// damaged keystore for a text.
func isStore(p string, v versions) bool {
	return slices.Contains([]string{".jks", ".p12", ".pfx", ".keystore"}, path.Ext(p)) ||
		bytes.HasPrefix(v.own, []byte{0xFE, 0xED, 0xFE, 0xED})
}

// opened is a keystore with the password that opens it.
type opened struct {
	*keystore.Store
	password string
}

// mergeStore merges a truststore entry by entry. A store with a key in it stays as it is: the primary key of the server
// signs tokens and encrypts secrets. With another key the server loses them all.
func (s Seed) mergeStore(v versions) ([]byte, []Change, error) {
	stores, err := s.openAll(v)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(stores[:], func(o opened) bool { return o.HoldsKeys() }) {
		return v.own, []Change{{What: "the whole store", Action: Kept, Why: "it holds keys that sign and encrypt"}}, nil
	}
	base, seed, own := stores[0], stores[1], stores[2]
	leaves, err := s.ownLeaves()
	if err != nil {
		return nil, nil, err
	}
	changes := mergeEntries(base.Store, seed.Store, own.Store, leaves)
	if !followed(changes) {
		return v.own, changes, nil
	}
	kept := slices.ContainsFunc(changes, func(c Change) bool { return c.Action == Kept })
	if bytes.Equal(v.own, v.base) && !kept && seed.password == own.password {
		return v.seed, changes, nil
	}
	result, err := own.Encode()
	if err == nil {
		_, err = keystore.Open(result, own.password)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("write the merged truststore: %w", err)
	}
	return result, changes, nil
}

// mergeEntries changes own where the new stock differs from the one before, alias by alias. The entry of the server's own
// key stays, because the key stays too, and a server that does not trust itself does not start completely.
func mergeEntries(base, seed, own *keystore.Store, leaves []keystore.Fingerprint) []Change {
	was, next, have := base.Trusted(), seed.Trusted(), own.Trusted()
	aliases := slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(next)))
	slices.Sort(aliases)
	var changes []Change
	for _, alias := range slices.Compact(aliases) {
		b, n, t := textOf(was, alias), textOf(next, alias), textOf(have, alias)
		c := Change{What: alias, Was: t, Now: n, Action: Kept, Why: changedByBoth}
		does := judge(b, n, t)
		if does == leave {
			continue
		}
		if does == follow {
			c.Why = ""
			if slices.Contains(leaves, have[alias]) {
				c.Why = "it is the certificate of the server's own key, which stays"
			} else if err := follows(own, seed, alias, n == ""); err != nil {
				c.Why = err.Error()
			} else {
				c.Action = actionFor(n, t)
			}
		}
		changes = append(changes, c)
	}
	return changes
}

// follows makes the entry under alias what the new stock has. The error says why the entry stays as it is.
func follows(own, seed *keystore.Store, alias string, dropped bool) error {
	if dropped {
		return own.Delete(alias)
	}
	return own.CopyTrusted(alias, seed)
}

func followed(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Action != Kept })
}

// textOf is the fingerprint under alias, empty for none.
func textOf(in map[string]keystore.Fingerprint, alias string) string {
	if f, ok := in[alias]; ok {
		return f.String()
	}
	return ""
}

// openAll opens the three versions of a store, each with the passwords in the settings of its time.
func (s Seed) openAll(v versions) (stores [3]opened, err error) {
	for i, each := range []struct {
		name, settings string
		data           []byte
	}{
		{"the former image's", s.stock(settingsFile), v.base},
		{"the new image's", s.seed(settingsFile), v.seed},
		{"the server's own", s.own(settingsFile), v.own},
	} {
		passwords, err := s.passwords(each.settings)
		if err != nil {
			return stores, err
		}
		if i == 2 && s.TruststorePassword != "" {
			passwords = append([]string{s.TruststorePassword}, passwords...)
		}
		if stores[i], err = open(each.data, passwords); err != nil {
			return stores, fmt.Errorf("open %s version of the store: %w; the passwords of %s were tried, and the products' default", each.name, err, each.settings)
		}
	}
	return stores, nil
}

// open tries passwords in turn.
func open(data []byte, passwords []string) (opened, error) {
	for i, password := range passwords {
		store, err := keystore.Open(data, password)
		if err == nil {
			return opened{store, password}, nil
		}
		if !errors.Is(err, keystore.ErrPassword) || i == len(passwords)-1 {
			return opened{}, err
		}
	}
	return opened{}, keystore.ErrPassword
}

// passwords are those of the stores that a settings file names, and the products' default. A file that does not exist or
// cannot be read names none. A reference that only the server can follow names none either.
func (s Seed) passwords(settings string) ([]string, error) {
	text, err := read(settings)
	if err != nil {
		return nil, err
	}
	var out []string
	if doc, err := deployment.Parse(text); err == nil {
		for _, table := range [][]string{{"truststore"}, {"keystore", "primary"}, {"keystore", "tls"}} {
			if password, ok, err := doc.Resolved(nil, append(table, "password")...); ok && err == nil {
				out = append(out, password)
			}
		}
	}
	return append(out, "wso2carbon"), nil
}

// ownLeaves are the fingerprints of the certificates of all keys in the server's own keystores. A store that none of the
// passwords opens belongs to somebody else and adds none.
func (s Seed) ownLeaves() ([]keystore.Fingerprint, error) {
	passwords, err := s.passwords(s.own(settingsFile))
	if err != nil {
		return nil, err
	}
	var leaves []keystore.Fingerprint
	err = filepath.WalkDir(s.own("repository/resources/security"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isStore(p, versions{}) {
			return err
		}
		data, err := read(p)
		if err != nil {
			return err
		}
		if store, err := open(data, passwords); err == nil {
			leaves = append(leaves, store.Leaves()...)
		}
		return nil
	})
	return leaves, err
}
