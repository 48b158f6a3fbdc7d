package keystore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"
)

// maxChain ends a chain that no server could use, so that many keys with one long chain cost no memory.
const maxChain = 32

// javaKeyID is what Java takes for the localKeyID of a key that has none.
const javaKeyID = "01"

// nameKey stands for a name of any length: the index then takes as much memory for a file of long names as for one of
// short ones, and compares them as fast. It is half a SHA-256.
type nameKey [sha256.Size / 2]byte

func keyOf(name []byte) nameKey {
	sum := sha256.Sum256(name)
	return nameKey(sum[:])
}

// nameIndex finds bags by a name. It takes a fraction of what a map does.
type nameIndex []namedPlace

type namedPlace struct {
	key nameKey
	at  place
}

func (x *nameIndex) add(key nameKey, at place) { *x = append(*x, namedPlace{key, at}) }

func (x nameIndex) sort() {
	sort.Slice(x, func(i, j int) bool { // slices.SortFunc adds 15 KB for each type
		a, b := x[i], x[j]
		return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.at.safe, b.at.safe), cmp.Compare(a.at.bag, b.at.bag)) < 0
	})
}

// first and last find a bag of that name, where several bear it by the order of the file.
func (x nameIndex) first(key nameKey) (place, bool) {
	i := sort.Search(len(x), func(i int) bool { return bytes.Compare(x[i].key[:], key[:]) >= 0 })
	if i == len(x) || x[i].key != key {
		return place{}, false
	}
	return x[i].at, true
}

func (x nameIndex) last(key nameKey) (place, bool) {
	i := sort.Search(len(x), func(i int) bool { return bytes.Compare(x[i].key[:], key[:]) > 0 }) - 1
	if i < 0 || x[i].key != key {
		return place{}, false
	}
	return x[i].at, true
}

// certificateIndex finds certificates as Java does.
type certificateIndex struct {
	exact   nameIndex // by localKeyID and alias, the first
	byKeyID nameIndex // the last
	byAlias nameIndex // the last
	base    []int     // the number of each safe's first bag, counted over the whole file
	issuers []place   // by a bag's number: the certificate of the issuer
	linked  []bool    // by a bag's number: whether it is in a chain already
}

// noPlace is where the issuer of a root stands.
func noPlace() place { return place{-1, -1} }

func (x *certificateIndex) number(at place) int { return x.base[at.safe] + int(at.bag) }

func (p *pkcs12) indexCertificates() *certificateIndex {
	x := &certificateIndex{base: make([]int, len(p.safes))}
	bags, certificates, keys := 0, 0, 0
	for i, s := range p.safes {
		x.base[i] = bags
		bags += len(s.bags)
		for j := range s.bags {
			if s.bags[j].certificate != nil {
				certificates++
			}
		}
	}
	for _, index := range []*nameIndex{&x.exact, &x.byKeyID, &x.byAlias} {
		*index = make(nameIndex, 0, certificates)
	}
	x.linked = make([]bool, bags)
	for i, s := range p.safes {
		for j := range s.bags {
			b := &s.bags[j]
			if b.entryKind() == KeyEntry {
				keys++
			}
			if b.certificate == nil || b.trusted {
				continue // a trusted certificate can be an issuer, but not a leaf
			}
			keyID := b.keyID
			if keyID == nil && keys == 1 && j == 0 {
				keyID = []byte(javaKeyID) // so Java finds the leaf in files without any localKeyID
			}
			x.addLeaf(b, keyID, place{int32(i), int32(j)})
		}
	}
	for _, index := range []nameIndex{x.exact, x.byKeyID, x.byAlias} {
		index.sort()
	}
	x.findIssuers(p, bags, certificates)
	return x
}

func (x *certificateIndex) addLeaf(b *bag, keyID []byte, at place) {
	if len(keyID) > 0 {
		x.exact.add(exactKey(keyID, b.name), at)
		x.byKeyID.add(keyOf(keyID), at)
	}
	if b.name != "" {
		x.byAlias.add(aliasKey(b.name), at)
	}
}

// issuerIndex finds issuers as Java does (PKCS12KeyStore.findIssuer): by name and, where a certificate says by which key
// it was signed, not one that says to have another key.
type issuerIndex struct {
	byName  nameIndex // the first
	byKeyID nameIndex // by name and identifier of the key, the first
	without nameIndex // those without identifier by name, the last
}

// wantedIssuer is what a certificate says of its issuer.
type wantedIssuer struct {
	name  nameKey // zero for one that has issued itself
	keyID nameKey // name and identifier; zero if it has none
}

func (x *issuerIndex) find(w wantedIssuer) (at place, ok bool) {
	if w.name == (nameKey{}) {
		return place{}, false
	}
	if w.keyID == (nameKey{}) {
		return x.byName.first(w.name)
	}
	if at, ok = x.byKeyID.first(w.keyID); !ok {
		at, ok = x.without.last(w.name)
	}
	return at, ok
}

// findIssuers looks up every issuer once, however many keys share it: names can be long.
func (x *certificateIndex) findIssuers(p *pkcs12, bags, certificates int) {
	index := issuerIndex{make(nameIndex, 0, certificates), make(nameIndex, 0, certificates), make(nameIndex, 0, certificates)}
	wanted := make([]wantedIssuer, bags)
	for i, s := range p.safes {
		for j := range s.bags {
			n, err := certificateNames(s.bags[j].certificate)
			if err != nil {
				continue
			}
			at, name := place{int32(i), int32(j)}, keyOf(n.subject)
			index.byName.add(name, at)
			if n.subjectKeyID == nil {
				index.without.add(name, at)
			} else {
				index.byKeyID.add(withKeyID(name, n.subjectKeyID), at)
			}
			if !bytes.Equal(n.issuer, n.subject) {
				w := &wanted[x.number(at)]
				w.name = keyOf(n.issuer)
				if n.issuerKeyID != nil {
					w.keyID = withKeyID(w.name, n.issuerKeyID)
				}
			}
		}
	}
	for _, sorted := range []nameIndex{index.byName, index.byKeyID, index.without} {
		sorted.sort()
	}
	x.issuers = slices.Repeat([]place{noPlace()}, bags)
	for i, w := range wanted {
		if at, ok := index.find(w); ok {
			x.issuers[i] = at
		}
	}
}

func withKeyID(name nameKey, id []byte) nameKey { return keyOf(slices.Concat(name[:], id)) }

// exactKey stands for a localKeyID and an alias together.
func exactKey(keyID []byte, alias string) nameKey {
	length := binary.BigEndian.AppendUint64(nil, uint64(len(keyID)))
	return keyOf(slices.Concat(length, keyID, []byte(javaLower(alias))))
}

func aliasKey(alias string) nameKey { return keyOf([]byte(javaLower(alias))) }

// chain finds a key's leaf by localKeyID, then by alias, and follows the issuers' names from there.
func (x *certificateIndex) chain(key *bag, alias string) []place {
	keyID := key.keyID
	if keyID == nil {
		keyID = []byte(javaKeyID)
	}
	at, ok := x.exact.first(exactKey(keyID, alias))
	if !ok {
		at, ok = x.byKeyID.last(keyOf(keyID))
	}
	if !ok {
		at, ok = x.byAlias.last(aliasKey(alias))
	}
	if !ok {
		return nil
	}
	var room [maxChain]place
	chain := room[:0]
	for at != noPlace() && len(chain) < maxChain && !slices.Contains(chain, at) {
		chain = append(chain, at)
		at = x.issuers[x.number(at)]
	}
	return slices.Clone(chain)
}

// hasKeyID tells whether any bag bears this localKeyID.
func (p *pkcs12) hasKeyID(keyID []byte) bool {
	return slices.ContainsFunc(p.safes, func(s *safe) bool {
		return slices.ContainsFunc(s.bags, func(b bag) bool { return bytes.Equal(b.keyID, keyID) })
	})
}
