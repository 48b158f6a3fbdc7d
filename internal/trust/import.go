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
	"wso2agent/internal/remedy"
)

// Entry is an entry of a truststore, as far as an import is concerned.
type Entry struct {
	Alias       string
	Fingerprint string                // of a trusted certificate; empty for an entry of another kind
	Refused     bool                  // Java refuses the certificate, and with it the whole store
	Certificate *keystore.Certificate // of an entry that the agent owns; nil for any other
}

// Change is one change of a truststore's entry.
type Change struct {
	Action      string // Added, Replaced or Removed
	Alias       string
	Fingerprint string // of the certificate that is there after it, or was, if it is removed
	Was         string // fingerprint of the certificate before, if it is replaced
	Owner       string // the peer, or the own server
	Fresh       bool   // it makes trusted what was not, under any alias
	Spare       bool   // it is Fresh, and the running server has no need to trust it before its next start
}

// What a Change does.
const (
	Added    = "added"
	Replaced = "replaced"
	Removed  = "removed"
)

func (c Change) String() string {
	return fmt.Sprintf("%s %s %s", c.Action, c.Alias, short(c.Fingerprint))
}

// short is the first eight hexadecimal digits of a fingerprint, in lower case, as keystore.Fingerprint.Short writes them.
func short(fingerprint string) string {
	digits := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
	return digits[:min(8, len(digits))]
}

// PlanImport returns what brings a truststore's entries into the state that peers ask for: the certificate in use under the
// peer's name, any further one under <peer>-<first 8 hex digits of its fingerprint>. Entries of the latter form that the peer
// no longer publishes are removed. peers are the fingerprints of published certificates by the peer's name, the one in use
// first. A peer that is not in peers, because it has published nothing, keeps what it has, and no other entry is touched.
//
// configured are the names of all servers whose entries are the agent's, present or not, so that one's are never taken for
// another's. own, one of peers, is the server itself: what it presents must be trusted by itself too, unless an entry of somebody
// else's has it. Entries of the agent's own that Java refuses are removed: an earlier version imported them.
func PlanImport(entries []Entry, peers map[string][]string, own string, configured []string) (changes []Change) {
	before, mine, others := map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, e := range entries {
		if e.Fingerprint == "" {
			continue
		}
		before[e.Fingerprint] = true
		switch owned := Owner(e, configured) != ""; {
		case owned && e.Refused:
			changes = append(changes, Change{Action: Removed, Alias: e.Alias, Fingerprint: e.Fingerprint})
		case owned:
			mine[strings.ToLower(e.Alias)] = e.Fingerprint
		default:
			others[e.Fingerprint] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		wanted := map[string]string{}
		for _, f := range peers[name] {
			switch {
			case name == own && others[f]:
			case len(wanted) == 0:
				wanted[name] = f
			case f != wanted[name]:
				wanted[name+"-"+short(f)] = f
			}
		}
		for _, alias := range slices.Sorted(maps.Keys(mine)) {
			e := Entry{Alias: alias, Fingerprint: mine[alias]}
			if _, keep := wanted[alias]; !keep && Owner(e, configured) == name {
				changes = append(changes, Change{Action: Removed, Alias: alias, Fingerprint: e.Fingerprint, Owner: name})
			}
		}
		for _, alias := range slices.Sorted(maps.Keys(wanted)) {
			c := Change{Action: Added, Alias: alias, Fingerprint: wanted[alias], Owner: name, Fresh: !before[wanted[alias]]}
			switch was, there := mine[alias]; {
			case was == c.Fingerprint:
				continue
			case there:
				c.Action, c.Was = Replaced, was
			}
			changes = append(changes, c)
		}
	}
	return changes
}

// Owner is the server of configured to which an entry belongs, or empty. The digits in the alias must be those of the very
// certificate: an alias that only looks like one of the agent's is the user's.
func Owner(e Entry, configured []string) string {
	alias := strings.ToLower(e.Alias)
	if e.Fingerprint == "" {
		return ""
	}
	if slices.Contains(configured, alias) {
		return alias
	}
	if name, ok := strings.CutSuffix(alias, "-"+short(e.Fingerprint)); ok && slices.Contains(configured, name) {
		return name
	}
	return ""
}

// Entries returns the entries of the store. configured is as for PlanImport: a store that holds another entry that Java refuses
// must not be changed, because the server cannot load it, whatever is imported; then the error names that entry.
func (s Store) Entries(ctx context.Context, configured []string) ([]Entry, error) {
	store, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := EntriesOf(store, configured)
	if err != nil {
		return nil, fmt.Errorf("import into %s: %w", s.Path, err)
	}
	return entries, nil
}

// EntriesOf is Entries for a store that is open.
func EntriesOf(store *keystore.Store, configured []string) (entries []Entry, err error) {
	var others []keystore.Entry
	for _, e := range store.Entries() {
		entry := Entry{Alias: e.Alias}
		if e.Kind == keystore.TrustedCertificate {
			entry.Fingerprint = e.Chain[0].Fingerprint().String()
		}
		if Owner(entry, configured) != "" {
			entry.Certificate = &e.Chain[0]
			entry.Refused = errors.Is(javacert.Check(e.Chain[0].DER), javacert.ErrRefused)
		} else {
			others = append(others, e)
		}
		entries = append(entries, entry)
	}
	if err := keystore.CheckJava(others); err != nil {
		return nil, err
	}
	return entries, nil
}

// Import makes the changes of PlanImport in a truststore; certificates has each certificate that becomes trusted, by its
// fingerprint. The store is replaced whole, with its mode and owner, after its first original has been kept in workDir.
func Import(ctx context.Context, s Store, changes []Change, certificates map[string]keystore.Certificate, workDir string) error {
	store, data, err := s.read(ctx)
	if err == nil {
		err = Edit(store, changes, certificates)
	}
	if err == nil {
		due := slices.ContainsFunc(changes, func(c Change) bool { return c.Fresh && !c.Spare })
		err = replace(s.Path, data, store, fresh(changes), due, workDir)
	}
	if err != nil {
		return fmt.Errorf("import into %s: %w", s.Path, err)
	}
	return nil
}

// Edit makes the changes of PlanImport in an open store. certificates are as for Import.
func Edit(store *keystore.Store, changes []Change, certificates map[string]keystore.Certificate) error {
	for _, c := range changes {
		if c.Action == Removed {
			if err := store.Delete(c.Alias); err != nil && !errors.Is(err, keystore.ErrAliasNotFound) {
				return err
			}
			continue
		}
		certificate, ok := certificates[c.Fingerprint]
		if !ok {
			return fmt.Errorf("the certificate %s of %s is not at hand", c.Fingerprint, c.Owner)
		}
		if err := store.SetTrusted(c.Alias, certificate, time.Now()); err != nil {
			return remedy.Add(err, "give the peer another name (PEERS), or rename that entry")
		}
	}
	return nil
}

// fresh are the fingerprints of certificates that were not trusted before, under any alias, by their owner's name.
func fresh(changes []Change) map[string][]string {
	added := map[string][]string{}
	for _, c := range changes {
		if c.Fresh {
			addAll(added, map[string][]string{c.Owner: {c.Fingerprint}})
		}
	}
	return added
}

// replace writes the store in place of the file at path, which had the bytes before when the store was read. added are the
// certificates that were not trusted before. due says that a running server has to read the store.
func replace(path string, before []byte, store *keystore.Store, added map[string][]string, due bool, workDir string) error {
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
	if due {
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
