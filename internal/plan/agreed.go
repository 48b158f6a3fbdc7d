package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"wso2agent/internal/desired"
)

// Agreed is what is kept of an API that has all that the file says of it: what a comparison and the verification still need. It has no
// secret.
type Agreed struct {
	ID        string
	Documents map[string]string // ids of the documents that the file names, by name; may be nil
	Served    Served
}

// AgreedOf returns what is kept of an API if it and its documents have all that the file says of them. ok is false if anything differs,
// or if the record does not have the secrets of the API: then the record needs the API as the server has it.
func AgreedOf(want Wanted, item desired.Field[desired.API], have API) (a Agreed, ok bool) {
	name := nameOf(item.Value)
	m := makerOf(want, name)
	m.has.APIs = map[APIName]API{name: have}
	m.api(item)
	if len(m.changes) > 0 || len(m.problems) > 0 {
		return Agreed{}, false
	}
	if want.Sent != nil && len(APISecrets(item.Value, have.Object)) > 0 && m.sentOf(KindAPI, name.String(), "", have) == nil {
		return Agreed{}, false
	}
	a = Agreed{ID: textAt(have.Object, "id", ""), Served: ServedOf(have.Object, have.Revisions)}
	for _, f := range m.found {
		if f.Kind == KindDocument {
			if a.Documents == nil {
				a.Documents = map[string]string{}
			}
			a.Documents[f.Name] = f.ID
		}
	}
	return a, true
}

// SecretsSent reports whether the secrets that the file has of an API are those that were last sent for it. Without a record nothing is
// known of them, and then a secret is no difference.
func SecretsSent(want Wanted, api desired.API, id string) bool {
	secrets := APISecrets(api, nil)
	if len(secrets) == 0 || want.Sent == nil {
		return true
	}
	name := nameOf(api)
	m := makerOf(want, name)
	sent := m.sentOf(KindAPI, name.String(), "", Agreed{ID: id})
	for path, value := range secrets {
		if sent == nil || !sent(path, value) {
			return false
		}
	}
	return true
}

// makerOf returns a maker for one API.
func makerOf(want Wanted, name APIName) maker {
	m := maker{Wanted: want, owned: map[OwnedObject]bool{}}
	for _, o := range want.Owned {
		if o.Kind == KindAPI && o.Name == name.String() {
			m.owned[o] = true
		}
	}
	return m
}

// agreed notes that the servers have an API and its documents, which do not differ.
func (m *maker) agreed(want desired.API, a Agreed) {
	name := nameOf(want)
	m.compare(Change{Kind: KindAPI, Name: name.String(), Want: want}, true, a, func() []Difference { return nil })
	for _, d := range want.Documents.Value {
		o := OwnedObject{KindDocument, d.Value.Name.Value, "API " + name.String(), a.Documents[d.Value.Name.Value]}
		m.found = append(m.found, Found{o, Secrets(d.Value, nil)})
	}
}

// APIHash returns a hash of what the desired state says of one API, as [Wanted.Hash] does of all: with the policies that subscriptions need
// of it, and with the contents of its documents and its definition.
func (w Wanted) APIHash(item desired.Field[desired.API]) string {
	sum := sha256.New()
	hashFields(sum, &desired.File{APIs: desired.List[desired.API]{Set: true, Value: []desired.Field[desired.API]{item}}})
	fmt.Fprintf(sum, "%q %q\n", w.VHost, w.Policies(item.Value.Name.Value))
	for _, d := range item.Value.Documents.Value {
		if d.Value.File.Set {
			fmt.Fprintf(sum, "%x\n", sha256.Sum256(w.Contents[desired.PathOf(d.Value.File)]))
		}
	}
	if d, has := w.Definition(item.Value); has {
		fmt.Fprintf(sum, "%x\n", sha256.Sum256(d.Text))
		for _, s := range w.File.Scopes.Value { // decides which scopes of the definition are shared
			fmt.Fprintf(sum, "%q\n", s.Value.Name.Value)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
