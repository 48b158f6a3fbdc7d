package wso2sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// keeper has what a server keeps on disk. Whatever changes something says so with changed; what it has become is
// written before the request that changed it is answered.
type keeper struct {
	home, product string
	lock          *os.File
	shelves       map[string]*database // by the kind of record
	open          []*database
	describe      func(record) any // what a record is now, or nil; the server's lock is held

	saving sync.Mutex      // held while writing, and taken before the server's lock
	dirty  map[record]bool // guarded by the server's lock
}

// kinds say which data source has which records; those of solr are the index.
type kinds map[string][]string

// openKeeper reads all databases, and returns what they hold by kind, each in the order in which it came.
func openKeeper(product, home string, b Behaviour, s settings, where kinds, describe func(record) any) (*keeper, map[string][]entry, error) {
	k := &keeper{home: home, product: product, shelves: map[string]*database{}, describe: describe, dirty: map[record]bool{}}
	held := map[string][]entry{}
	for _, source := range datasources(product, b) {
		path, err := source.path(home, s)
		if err == nil {
			err = k.read(path, source.table, where[source.name], held)
		}
		if err != nil {
			return nil, nil, errors.Join(err, k.close())
		}
	}
	if index := where["solr"]; index != nil {
		path := filepath.Join(home, indexFile)
		if _, err := os.Stat(path); err != nil { // Solr makes an empty one, which is why the lists are empty then
			if err := writeEntries(path, nil); err != nil {
				return nil, nil, errors.Join(err, k.close())
			}
		}
		if err := k.read(path, "", index, held); err != nil {
			return nil, nil, errors.Join(err, k.close())
		}
	}
	return k, held, nil
}

func (k *keeper) read(path, table string, kinds []string, held map[string][]entry) error {
	if k.lock == nil {
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			if k.lock, err = lockFolder(filepath.Dir(path)); err != nil {
				return err
			}
		}
	}
	db, entries, err := openDatabase(path, table)
	if err != nil {
		return err
	}
	k.open = append(k.open, db)
	for _, kind := range kinds {
		k.shelves[kind] = db
	}
	for _, e := range entries {
		held[e.Kind] = append(held[e.Kind], e)
	}
	return nil
}

// kept is what the files hold, by kind. No writing may go on.
func (k *keeper) kept() (map[string][]entry, error) {
	held := map[string][]entry{}
	for _, db := range k.open {
		data, err := os.ReadFile(db.path)
		if err != nil {
			return nil, err
		}
		entries, err := readEntries(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", db.path, err)
		}
		for _, e := range entries {
			held[e.Kind] = append(held[e.Kind], e)
		}
	}
	return held, nil
}

func (k *keeper) close() error {
	var errs []error
	for _, db := range k.open {
		errs = append(errs, db.file.Close())
	}
	if k.lock != nil {
		errs = append(errs, k.lock.Close())
	}
	return errors.Join(errs...)
}

// keep opens what the server keeps and takes it from there: it is called once, when describe and restore can work.
func (s *server) keep(describe func(record) any, restore func(map[string][]entry) error) error {
	k, held, err := openKeeper(s.product, s.home, s.behaviour, s.settings, kindsOf(s.product), describe)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.product, err)
	}
	s.mu.Lock()
	s.keeper, s.restore = k, restore
	err = restore(held)
	s.mu.Unlock()
	if err == nil {
		err = s.save()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", s.product, err)
	}
	return nil
}

// changed notes that a record is new, another or gone. The server's lock is held.
func (s *server) changed(kind, id string) {
	if s.keeper != nil {
		s.keeper.dirty[record{kind, id}] = true
	}
}

// save writes what has changed. On an error it is tried again the next time.
func (s *server) save() error {
	k := s.keeper
	if k == nil {
		return nil
	}
	k.saving.Lock()
	defer k.saving.Unlock()
	s.mu.Lock()
	dirty := k.dirty
	k.dirty = map[record]bool{}
	lines := map[*database][]entry{}
	var err error
	for key := range dirty {
		e := entry{Kind: key.kind, ID: key.id}
		if v := k.describe(key); v != nil {
			if e.Is, err = json.Marshal(v); err != nil {
				break
			}
		}
		db := k.shelves[key.kind]
		lines[db] = append(lines[db], e)
	}
	s.mu.Unlock()
	for db, entries := range lines {
		if err == nil {
			err = db.add(entries)
		}
	}
	if err != nil {
		s.mu.Lock()
		for key := range dirty {
			k.dirty[key] = true
		}
		s.mu.Unlock()
		return fmt.Errorf("save the server's state: %w", err)
	}
	return nil
}

// durable holds an answer back until what the request has changed is written. The file is not synced: a killed server
// loses nothing, a machine without power may.
func (s *server) durable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &heldAnswer{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(held, r)
		if err := s.save(); err != nil {
			s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			errInternal.write(w)
			return
		}
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes()) // the client has gone; nobody is left to tell
	})
}

// heldAnswer is an answer that is not sent yet.
type heldAnswer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if !h.wrote {
		h.status, h.wrote = status, true
	}
}

func (h *heldAnswer) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(p)
}

// savedState is a server's whole state as SaveState writes it.
type savedState struct {
	Product string  `json:"product"`
	Entries []entry `json:"entries"`
}

// SaveState writes everything that the server keeps, as one JSON document, secrets and tokens included.
func (s *server) SaveState(w io.Writer) error {
	if err := s.save(); err != nil {
		return err
	}
	k := s.keeper
	k.saving.Lock()
	defer k.saving.Unlock()
	state := savedState{Product: k.product, Entries: []entry{}}
	held, err := k.kept()
	if err != nil {
		return fmt.Errorf("save the server's state: %w", err)
	}
	for _, kind := range slices.Sorted(maps.Keys(held)) {
		state.Entries = append(state.Entries, held[kind]...)
	}
	if err := json.NewEncoder(w).Encode(state); err != nil {
		return fmt.Errorf("save the server's state: %w", err)
	}
	return nil
}

// LoadState replaces everything that the server keeps, in memory and on disk, by a state that SaveState of a server of
// the same product has written. A state that cannot be used changes nothing.
func (s *server) LoadState(r io.Reader) error {
	k := s.keeper
	var state savedState
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return fmt.Errorf("load the server's state: %w", err)
	}
	if state.Product != k.product {
		return fmt.Errorf("load the server's state: it is one of %q, not of %q", state.Product, k.product)
	}
	held := map[string][]entry{}
	lines := map[*database][]entry{}
	for _, e := range state.Entries {
		db := k.shelves[e.Kind]
		if db == nil {
			return fmt.Errorf("load the server's state: it has a record of the unknown kind %q", e.Kind)
		}
		held[e.Kind] = append(held[e.Kind], e)
		lines[db] = append(lines[db], e)
	}
	if err := s.save(); err != nil {
		return err
	}
	if err := s.exchangeState(held, lines); err != nil {
		return err
	}
	return s.save() // what restoring has added to a state of an earlier stand-in
}

// exchangeState takes a state in place of what the server has, in memory and on disk.
func (s *server) exchangeState(held map[string][]entry, lines map[*database][]entry) error {
	k := s.keeper
	k.saving.Lock()
	defer k.saving.Unlock()
	before, err := k.kept()
	if err != nil {
		return fmt.Errorf("load the server's state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.dirty = map[record]bool{}
	if err := s.restore(held); err != nil {
		err = errors.Join(fmt.Errorf("load the server's state: %w", err), s.restore(before))
		k.dirty = map[record]bool{}
		return err
	}
	for _, db := range k.open {
		if err := db.replace(lines[db]); err != nil {
			return fmt.Errorf("load the server's state: %w", err)
		}
	}
	return nil
}

// decode reads the records of one kind, in the order in which they came.
func decode[T any](held map[string][]entry, kind string, each func(id string, v T)) error {
	for _, e := range held[kind] {
		var v T
		if err := json.Unmarshal(e.Is, &v); err != nil {
			return fmt.Errorf("read the %s %s: %w", kind, e.ID, err)
		}
		each(e.ID, v)
	}
	return nil
}

// kindsOf are the records of a product, by data source.
func kindsOf(product string) kinds {
	if product == ProductIS {
		return kinds{
			"shared_db":   {"user", "account", "group", "role"},
			"identity_db": {"client", "application", "token", "resource"},
		}
	}
	return kinds{
		"shared_db": {"user", "account"}, "solr": {"index"},
		"apim_db": {"keymanager", "api", "application", "subscription", "subscriber", "client", "token", "revoked", "scope", "certificate", "policy", "category", "environment"},
	}
}
