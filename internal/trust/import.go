package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

// Peers are the peers' published certificates by the peer's name, the one in use first.
type Peers map[string][]keystore.Certificate

// Change is one thing that an import did to the truststore.
type Change struct {
	Action      string // added, replaced or removed
	Alias       string
	Fingerprint keystore.Fingerprint // of the certificate that is there now, or for removed, was
	Was         keystore.Fingerprint // for replaced
	Owner       string               // the peer, or the own server
}

// Managed are the entries of a truststore that the agent owns.
type Managed map[string]keystore.Fingerprint

// Fingerprints are those of all managed entries, without doubles, in a fixed order.
func (m Managed) Fingerprints() []string {
	var all []string
	for _, f := range m {
		all = append(all, f.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Import makes the peers' certificates trusted: the one in use under the peer's name, any further one under
// <peer>-<first 8 hex digits of its fingerprint>. Entries of the latter form that the peer no longer publishes are
// removed. A peer that is not in peers, because it has published nothing, keeps what it has, and no other entry is
// touched. Where nothing changes nothing is written; else the store is replaced whole, with its mode and owner, after
// its first original has been kept in workDir.
//
// configured are the names of all servers whose entries are the agent's, present or not, so that one's are never taken for
// another's. A store that holds another entry that Java refuses is not touched: the server cannot load it, whatever is imported.
// own, one of them, is the server itself: what it presents must be trusted by itself too, and is imported
// unless an entry of somebody else's has it.
func Import(ctx context.Context, s Store, peers Peers, own string, configured []string, workDir string) (Managed, []Change, error) {
	store, data, err := s.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	before := trusted(store)
	changes, err := dropRefused(store, configured)
	if err != nil {
		return nil, nil, fmt.Errorf("import into %s: %w", s.Path, err)
	}
	if err := refusedByJava(store.Entries()); err != nil {
		return nil, nil, fmt.Errorf("import into %s: %w", s.Path, err)
	}
	applied, err := apply(store, withoutKnown(store, peers, own, configured), configured)
	if err != nil {
		return nil, nil, fmt.Errorf("import into %s: %w", s.Path, err)
	}
	changes = append(changes, applied...)
	if len(changes) > 0 {
		if err := replace(s.Path, data, store, newOnes(changes, before), workDir); err != nil {
			return nil, nil, fmt.Errorf("import into %s: %w", s.Path, err)
		}
	}
	return managed(store, configured), changes, nil
}

// newOnes are the fingerprints of certificates that were not trusted before, under any alias, by the peer's name.
func newOnes(changes []Change, before map[keystore.Fingerprint]bool) map[string][]string {
	added := map[string][]string{}
	for _, c := range changes {
		if c.Action != "removed" && !before[c.Fingerprint] {
			addAll(added, map[string][]string{c.Owner: {c.Fingerprint.String()}})
		}
	}
	return added
}

// dropRefused removes those of the agent's own entries for which Java does not load the store: an earlier version imported
// them.
func dropRefused(store *keystore.Store, configured []string) (changes []Change, err error) {
	for _, e := range store.Entries() {
		if e.Kind != keystore.TrustedCertificate || owner(e.Alias, e.Chain[0].Fingerprint(), configured) == "" ||
			!errors.Is(javacert.Check(e.Chain[0].DER), javacert.ErrRefused) {
			continue
		}
		if err := store.Delete(e.Alias); err != nil {
			return nil, err
		}
		changes = append(changes, Change{Action: "removed", Alias: e.Alias, Fingerprint: e.Chain[0].Fingerprint()})
	}
	return changes, nil
}

// withoutKnown leaves out what the server presents itself and trusts already by an entry that is not the agent's, such as
// the products' stock certificates.
func withoutKnown(store *keystore.Store, peers Peers, own string, configured []string) Peers {
	others := map[keystore.Fingerprint]bool{}
	for _, e := range store.Entries() {
		if e.Kind == keystore.TrustedCertificate && owner(e.Alias, e.Chain[0].Fingerprint(), configured) == "" {
			others[e.Chain[0].Fingerprint()] = true
		}
	}
	out := maps.Clone(peers)
	if _, there := peers[own]; !there {
		return out
	}
	out[own] = slices.DeleteFunc(slices.Clone(peers[own]), func(c keystore.Certificate) bool { return others[c.Fingerprint()] })
	return out
}

// trusted are the fingerprints of all certificates that a store trusts.
func trusted(store *keystore.Store) map[keystore.Fingerprint]bool {
	all := map[keystore.Fingerprint]bool{}
	for _, e := range store.Entries() {
		if e.Kind == keystore.TrustedCertificate {
			all[e.Chain[0].Fingerprint()] = true
		}
	}
	return all
}

// apply brings the store's entries into the state that peers ask for.
func apply(store *keystore.Store, peers Peers, configured []string) (changes []Change, err error) {
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		wanted := map[string]keystore.Certificate{}
		for i, c := range peers[name] {
			if i == 0 {
				wanted[name] = c
			} else if f := c.Fingerprint(); f != peers[name][0].Fingerprint() {
				wanted[name+"-"+f.Short()] = c
			}
		}
		for alias, f := range managed(store, configured) {
			if _, keep := wanted[alias]; !keep && owner(alias, f, configured) == name {
				if err := store.Delete(alias); err != nil {
					return nil, err
				}
				changes = append(changes, Change{Action: "removed", Alias: alias, Fingerprint: f, Owner: name})
			}
		}
		for _, alias := range slices.Sorted(maps.Keys(wanted)) {
			change, err := set(store, alias, wanted[alias])
			if err != nil {
				return nil, fmt.Errorf("%w; give the peer another name (PEERS), or rename that entry", err)
			}
			if change.Action != "" {
				change.Owner = name
				changes = append(changes, change)
			}
		}
	}
	return changes, nil
}

// set makes alias the given certificate. Its result has no action when it was so already.
func set(store *keystore.Store, alias string, c keystore.Certificate) (Change, error) {
	change := Change{Action: "added", Alias: alias, Fingerprint: c.Fingerprint()}
	old, err := store.Entry(alias)
	switch {
	case errors.Is(err, keystore.ErrAliasNotFound):
	case err != nil:
		return Change{}, err
	case old.Kind == keystore.TrustedCertificate && old.Chain[0].Fingerprint() == change.Fingerprint:
		return Change{}, nil
	case old.Kind == keystore.TrustedCertificate:
		change.Action, change.Was = "replaced", old.Chain[0].Fingerprint()
	}
	if err := store.SetTrusted(alias, c, time.Now()); err != nil {
		return Change{}, err
	}
	return change, nil
}

// managed finds the entries of the store that the agent owns.
func managed(store *keystore.Store, configured []string) Managed {
	m := Managed{}
	for _, e := range store.Entries() {
		if e.Kind == keystore.TrustedCertificate && owner(e.Alias, e.Chain[0].Fingerprint(), configured) != "" {
			m[strings.ToLower(e.Alias)] = e.Chain[0].Fingerprint()
		}
	}
	return m
}

// owner is the peer to which an alias belongs, or empty. The digits must be those of the very certificate: an alias
// that only looks like one of the agent's is the user's.
func owner(alias string, f keystore.Fingerprint, configured []string) string {
	alias = strings.ToLower(alias)
	if slices.Contains(configured, alias) {
		return alias
	}
	if name, ok := strings.CutSuffix(alias, "-"+f.Short()); ok && slices.Contains(configured, name) {
		return name
	}
	return ""
}

// replace writes the store in place of the file at path, which had the bytes before when the store was read. added are the
// certificates that were not trusted before: if there are any, the server has to read it.
func replace(path string, before []byte, store *keystore.Store, added map[string][]string, workDir string) error {
	data, err := store.Encode()
	if err != nil {
		return err
	}
	if err := file.CheckOwner(path); err != nil { // before anything is written, the backup too
		return err
	}
	if err := backup(path, workDir); err != nil {
		return fmt.Errorf("keep the original: %w", err)
	}
	if len(added) > 0 {
		if err := RaiseEdition(workDir); err != nil {
			return err
		}
	}
	if err := loadChain(workDir).extended(digest(before), content{Digest: digest(data), Added: added}).save(workDir); err != nil {
		return err
	}
	_, err = file.Replace(path, before, data, 0o600, workDir)
	return err
}

// backup keeps the file as it was before the agent's first write, once.
func backup(path, workDir string) error {
	original := filepath.Join(workDir, filepath.Base(path)+".original")
	if _, err := os.Stat(original); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := file.Read(path, storeLimit)
	if err != nil {
		return err
	}
	_, err = file.Write(original, data, 0o600, workDir)
	return err
}
