package owned

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

const (
	// limit is the largest size of a record, in bytes. It holds some 10,000 objects.
	limit   = 4 << 20
	version = 1
)

// stored is the form of the file.
type stored struct {
	Version int            `json:"version"`
	Key     []byte         `json:"key"` // 32 random bytes
	Objects []storedObject `json:"objects"`
}

type storedObject struct {
	Kind    string            `json:"kind"`
	Name    string            `json:"name"`
	Of      string            `json:"of,omitempty"`
	ID      string            `json:"id,omitempty"`
	Secrets map[string]string `json:"secrets,omitempty"` // HMAC-SHA-256 as hexadecimal digits, by path
	Before  plan.Object       `json:"before,omitempty"`  // of an API, what a new definition has reset
}

// Path returns the path of the record of agents with one keys file: in the folder that they share.
func Path(keysFile string) string {
	return filepath.Join(filepath.Dir(keysFile), file.WorkDir, "applied.json")
}

// Load reads the record at path. found is false if there is none. The record is always usable: if the file is missing, or if the agent
// cannot read it, the record owns nothing. The error of the latter says what to do.
func Load(path string) (r *Record, found bool, err error) {
	s, found, err := file.LoadJSON[stored](path, limit)
	switch {
	case err != nil:
	case !found:
		return New(), false, nil
	case s.Version != version:
		err = fmt.Errorf("its version is %d, and this agent knows version %d", s.Version, version)
	case len(s.Key) != sha256.Size:
		err = fmt.Errorf("its key has %d bytes, and should have %d", len(s.Key), sha256.Size)
	}
	if err != nil {
		return New(), false, remedy.Add(fmt.Errorf("read the record of what the agent has made, %s: %w", path, err),
			"restore the file from a backup; without it the agent removes nothing that it made before")
	}
	r = New()
	r.key = s.Key
	for _, o := range s.Objects {
		r.objects[name{o.Kind, o.Name, o.Of}] = entry{o.ID, o.Secrets, o.Before}
	}
	return r, true, nil
}

// Save replaces the file at path with the record, with mode 0600. It writes nothing if the file has the same bytes.
func (r *Record) Save(path string) error {
	s := stored{Version: version, Key: r.key, Objects: []storedObject{}}
	for _, o := range r.Owned() {
		e := r.entry(o)
		s.Objects = append(s.Objects, storedObject{o.Kind, o.Name, o.Of, o.ID, e.secrets, e.before})
	}
	data, err := file.EncodeJSON(s)
	if err == nil && len(data) > limit {
		err = fmt.Errorf("it has %d bytes, and may have %d", len(data), limit)
	}
	if err == nil {
		_, err = file.Write(path, data, 0o600, filepath.Dir(path))
	}
	if err != nil {
		return remedy.Add(fmt.Errorf("write the record of what the agent has made, %s: %w", path, err),
			"let this user write the folder; until then the agent does not know what it may remove")
	}
	return nil
}

func (r *Record) entry(o plan.OwnedObject) entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects[name{o.Kind, o.Name, o.Of}] // nobody changes its maps
}
