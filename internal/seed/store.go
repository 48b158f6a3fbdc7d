package seed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

// isStore tells whether a file is a keystore. Its name counts as well as its content, since a damaged one must not be taken
// for a text.
func isStore(p string, v versions) bool {
	return slices.Contains([]string{".jks", ".p12", ".pfx", ".keystore"}, path.Ext(p)) ||
		bytes.HasPrefix(v.own, []byte{0xFE, 0xED, 0xFE, 0xED})
}

// opened is a keystore with the password that opens it.
type opened struct {
	*keystore.Store
	password string
}

// mergeStore merges a truststore entry by entry. A store with a key in it stays as it is: the server's primary key signs
// tokens and encrypts secrets, and with another one they would all be lost.
func (s Seed) mergeStore(v versions) ([]byte, []Change, error) {
	stores, err := s.openAll(v)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(stores[:], holdsKey) {
		return v.own, []Change{{What: "the whole store", Action: Kept, Why: "it holds keys that sign and encrypt"}}, nil
	}
	base, seed, own := stores[0], stores[1], stores[2]
	leaves, err := s.ownLeaves()
	if err != nil {
		return nil, nil, err
	}
	changes, err := mergeTrust(base, seed, own, leaves)
	if err != nil {
		return nil, nil, err
	}
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

// mergeTrust changes own where the new stock differs from the one before, certificate by certificate. The server's own
// certificate stays: its key does too, and a server that does not trust itself does not start whole.
func mergeTrust(base, seed, own opened, leaves map[keystore.Fingerprint]bool) ([]Change, error) {
	was, next, have := trustedIn(base), trustedIn(seed), trustedIn(own)
	var changes []Change
	for _, alias := range slices.Sorted(keysOf(was, next)) {
		b, n, t := printOf(was, alias), printOf(next, alias), printOf(have, alias)
		c := Change{What: alias, Was: t, Now: n, Action: Kept, Why: changedByBoth}
		does := judge(b, n, t)
		if does == leave {
			continue
		}
		if does == follow && t != "" && leaves[have[alias].Chain[0].Fingerprint()] {
			does, c.Why = conflict, "it is the certificate of the server's own key, which stays"
		}
		if does == follow && n != "" {
			if err := javacert.Check(next[alias].Chain[0].DER); err != nil {
				does, c.Why = conflict, err.Error()
			}
		}
		if does == follow {
			var err error
			if n == "" {
				err = own.Delete(alias)
			} else {
				err = own.SetTrusted(alias, next[alias].Chain[0], next[alias].Created)
			}
			if err != nil {
				return nil, fmt.Errorf("take %q over from the new image's truststore: %w", alias, err)
			}
			c.Action, c.Why = actionFor(n, t), ""
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func followed(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Action != Kept })
}

// trustedIn are the trusted certificates by alias, as Java sees them: in any case of letters, and of several the last.
func trustedIn(s opened) map[string]keystore.Entry {
	out := map[string]keystore.Entry{}
	for _, e := range s.Entries() {
		if e.Kind == keystore.TrustedCertificate {
			out[strings.ToLower(e.Alias)] = e
		}
	}
	return out
}

func keysOf(a, b map[string]keystore.Entry) func(func(string) bool) {
	return func(yield func(string) bool) {
		for alias := range a {
			if !yield(alias) {
				return
			}
		}
		for alias := range b {
			if _, both := a[alias]; !both && !yield(alias) {
				return
			}
		}
	}
}

func printOf(in map[string]keystore.Entry, alias string) string {
	if e, ok := in[alias]; ok {
		return e.Chain[0].Fingerprint().String()
	}
	return ""
}

func holdsKey(s opened) bool {
	return slices.ContainsFunc(s.Entries(), func(e keystore.Entry) bool { return e.Kind != keystore.TrustedCertificate && e.Kind != keystore.Other })
}

// openAll opens the three versions of a store, each with the passwords of the settings of its time.
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

// passwords are those of the stores that a settings file names, and the products' default. A file that is not there, or
// that cannot be read, names none, as does a reference that only the server can follow.
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

// ownLeaves are the certificates of the keys in the server's own keystores.
func (s Seed) ownLeaves() (map[keystore.Fingerprint]bool, error) {
	passwords, err := s.passwords(s.own(settingsFile))
	if err != nil {
		return nil, err
	}
	leaves := map[keystore.Fingerprint]bool{}
	err = filepath.WalkDir(s.own("repository/resources/security"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isStore(p, versions{}) {
			return err
		}
		data, err := read(p)
		if err != nil {
			return err
		}
		store, err := open(data, passwords)
		if err != nil {
			return nil // another one's, of which nothing is known
		}
		for _, e := range store.Entries() {
			if e.Kind != keystore.KeyEntry {
				continue
			}
			if leaf, err := store.Leaf(e.Alias); err == nil {
				leaves[leaf.Fingerprint()] = true
			}
		}
		return nil
	})
	return leaves, err
}
