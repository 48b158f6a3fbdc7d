// Package owned is the record of what the agent has made on the servers: which objects are its own, and keyed hashes of the secrets that
// it has sent. No server shows either. A record that is lost or that cannot be read owns nothing.
package owned

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"sync"

	"wso2agent/internal/plan"
	"wso2agent/internal/sorting"
)

// Record is what the agent has made or adopted. Several goroutines may use it at once.
type Record struct {
	key []byte // of the hashes

	mu      sync.Mutex
	objects map[name]entry
}

// name identifies an object as a [plan.Change] does.
type name struct{ kind, name, of string }

// entry is what the record has of an object. The id binds it to the servers: a new database gives other ids.
type entry struct {
	id      string            // empty until the agent has seen it
	secrets map[string]string // keyed hashes of what was last sent, by path
	before  plan.Object       // of an API: what a new definition has reset, until it is there again
}

// New returns a record that owns nothing.
func New() *Record {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Record{key: key, objects: map[name]entry{}}
}

// Owns reports whether the agent has made or adopted an object.
func (r *Record) Owns(kind, object, of string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, is := r.objects[name{kind, object, of}]
	return is
}

// Owned returns all objects, in the order of their kinds and names.
func (r *Record) Owned() []plan.OwnedObject {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]plan.OwnedObject, 0, len(r.objects))
	for n, e := range r.objects {
		all = append(all, plan.OwnedObject{Kind: n.kind, Name: n.name, Of: n.of, ID: e.id})
	}
	sorting.By(all, func(a, b plan.OwnedObject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Of, b.Of), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Made records an object that a change has made or changed, and the secrets that the change has sent. An empty id means that the agent
// does not know it yet: [Record.Settle] completes it.
func (r *Record) Made(c plan.Change, id string) {
	r.mu.Lock()
	n := name{c.Kind, c.Name, c.Of}
	e := r.objects[n]
	e.id = id
	if c.Action == plan.Create {
		e.secrets, e.before = nil, nil
	}
	r.objects[n] = e
	r.mu.Unlock()
	r.Note(c.Kind, c.Name, c.Of, plan.Secrets(c.Want, c.Have))
}

// Gone removes an object, and what belongs to it.
func (r *Record) Gone(kind, object, of string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, name{kind, object, of})
	if of == "" {
		maps.DeleteFunc(r.objects, func(n name, _ entry) bool { return n.of == kind+" "+object })
	}
}

// Note records the secrets of an object that the record has, by path, as they were last sent.
func (r *Record) Note(kind, object, of string, secrets map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := name{kind, object, of}
	e, is := r.objects[n]
	if !is || len(secrets) == 0 {
		return
	}
	e.secrets = maps.Clone(e.secrets)
	if e.secrets == nil {
		e.secrets = map[string]string{}
	}
	for path, value := range secrets {
		e.secrets[path] = r.hash(n, path, value)
	}
	r.objects[n] = e
}

// Sent returns a function that reports whether a value is what was last sent for a path of an object. It returns nil if the record does
// not have the object: nothing is known of it then.
func (r *Record) Sent(kind, object, of string) plan.Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := name{kind, object, of}
	e, is := r.objects[n]
	if !is {
		return nil
	}
	return func(path, value string) bool {
		return hmac.Equal([]byte(e.secrets[path]), []byte(r.hash(n, path, value)))
	}
}

// Settle brings the record in line with what a read of the servers shows. It drops what is gone. It completes an object that was made
// and not seen since. It adopts an object that the file names and that it does not know, or knows with another id. Of an adopted object
// it takes the secrets in the file for those on the server, because no server shows them.
func (r *Record) Settle(found []plan.Found, gone []plan.OwnedObject) {
	for _, o := range gone {
		r.Gone(o.Kind, o.Name, o.Of)
	}
	for _, f := range found {
		if r.see(f.OwnedObject) {
			r.Note(f.Kind, f.Name, f.Of, f.Secrets)
		}
	}
}

// see records the id of an object, and reports whether the object is a new one for the record.
func (r *Record) see(o plan.OwnedObject) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := name{o.Kind, o.Name, o.Of}
	e, is := r.objects[n]
	if is && (e.id == o.ID || e.id == "") {
		e.id = o.ID
		r.objects[n] = e
		return false
	}
	r.objects[n] = entry{id: o.ID}
	return true
}

// Rewriting records what a new definition resets of an API that the record has; nil if it is there again.
func (r *Record) Rewriting(api string, before plan.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := name{kind: plan.KindAPI, name: api}
	if e, is := r.objects[n]; is {
		e.before = before
		r.objects[n] = e
	}
}

// Unrestored returns what new definitions have reset, by the names of the APIs.
func (r *Record) Unrestored() map[string]plan.Object {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]plan.Object{}
	for n, e := range r.objects {
		if e.before != nil {
			all[n.name] = e.before
		}
	}
	return all
}

// hash returns the HMAC-SHA-256 of a value, as hexadecimal digits. It covers the object and the path, so that equal secrets of two
// objects do not look equal.
func (r *Record) hash(n name, path, value string) string {
	mac := hmac.New(sha256.New, r.key)
	for _, part := range []string{n.kind, n.name, n.of, path, value} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash never fails
		mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}
