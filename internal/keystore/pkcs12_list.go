package keystore

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxChain ends a chain that no server could use, so that many keys with one long chain cost no memory.
const maxChain = 32

// javaKeyID is what Java takes for the localKeyID of a key that has none.
const javaKeyID = "01"

// timePrefix begins the localKeyID that Java gives a key; the milliseconds since 1970 follow.
const timePrefix = "Time "

func (p *pkcs12) entries() []Entry { return p.listing }

func (p *pkcs12) bagAt(at place) *bag { return &p.safes[at.safe].bags[at.bag] }

// list makes Java's view of the bags: what is an entry, under which alias, with which chain. Certificates in a key's
// chain are no entries of their own; those that are neither trusted nor in a chain Java leaves out, and they are
// listed here as Other.
func (p *pkcs12) list() {
	bags := 0
	for _, s := range p.safes {
		bags += len(s.bags)
	}
	all, places := make([]Entry, 0, bags), make([]place, 0, bags)
	unnamed := 0
	for i, s := range p.safes {
		for j := range s.bags {
			b := &s.bags[j]
			e := Entry{Alias: b.name, Kind: b.entryKind(), Created: b.created()}
			if e.Alias == "" && e.Kind != Other {
				unnamed++
				e.Alias = strconv.Itoa(unnamed)
			}
			if b.certificate != nil {
				e.Chain = []Certificate{{b.certificate}}
			}
			all, places = append(all, e), append(places, place{i, j})
		}
	}
	p.listing, p.places, p.chains = all, places, nil
	if slices.ContainsFunc(all, func(e Entry) bool { return e.Kind == KeyEntry }) {
		p.listChains()
	}
}

// entryKind calls a key also what Java skips (a key that is not encrypted; a second one without localKeyID), so that
// nobody takes its alias.
func (b *bag) entryKind() Kind {
	switch {
	case b.kind == bagKey || b.kind == bagShroudedKey:
		return KeyEntry
	case b.kind == bagSecret:
		return SecretKey
	case b.certificate != nil && b.trusted:
		return TrustedCertificate
	}
	return Other
}

// created is the date that Java hides in the localKeyID of a key or secret.
func (b *bag) created() time.Time {
	digits, ok := strings.CutPrefix(string(b.keyID), timePrefix)
	if !ok || b.certificate != nil {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// listChains gives every key its certificates and takes those off the list, with the copies of an issuer that Java
// writes for every key.
func (p *pkcs12) listChains() {
	index := p.indexCertificates()
	p.chains = make(map[place][]place)
	inChain := make(map[string]bool)
	for i, e := range p.listing {
		if e.Kind != KeyEntry {
			continue
		}
		chain := index.chain(p.bagAt(p.places[i]), e.Alias)
		p.chains[p.places[i]] = chain
		for _, at := range chain {
			inChain[string(p.bagAt(at).certificate)] = true
			p.listing[i].Chain = append(p.listing[i].Chain, Certificate{p.bagAt(at).certificate})
		}
	}
	n := 0
	for i, e := range p.listing {
		if e.Kind == Other && len(e.Chain) > 0 && inChain[string(e.Chain[0].DER)] {
			continue
		}
		p.listing[n], p.places[n] = e, p.places[i]
		n++
	}
	clear(p.listing[n:])
	p.listing, p.places = p.listing[:n], p.places[:n]
}

// certificateIndex finds certificates as Java does.
type certificateIndex struct {
	exact   map[string]place // by localKeyID and alias, the first
	byKeyID map[string]place // the last
	byAlias map[string]place // the last
	issuers map[string]place // by subject, the first
	names   map[place]names
}

func (p *pkcs12) indexCertificates() certificateIndex {
	x := certificateIndex{make(map[string]place), make(map[string]place), make(map[string]place),
		make(map[string]place), make(map[place]names)}
	keys := 0
	for i, s := range p.safes {
		for j := range s.bags {
			b, at := &s.bags[j], place{i, j}
			if b.entryKind() == KeyEntry {
				keys++
			}
			if b.certificate == nil {
				continue
			}
			if n, err := certificateNames(b.certificate); err == nil {
				x.names[at] = n
				setFirst(x.issuers, n.subject, at)
			}
			if b.trusted {
				continue // a trusted certificate can be an issuer, but not a leaf
			}
			keyID := string(b.keyID)
			if b.keyID == nil && keys == 1 && j == 0 {
				keyID = javaKeyID // so Java finds the leaf in files without any localKeyID
			}
			if keyID != "" {
				setFirst(x.exact, exactName(keyID, b.name), at)
				x.byKeyID[keyID] = at
			}
			if b.name != "" {
				x.byAlias[javaLower(b.name)] = at
			}
		}
	}
	return x
}

func setFirst(m map[string]place, key string, at place) {
	if _, ok := m[key]; !ok {
		m[key] = at
	}
}

func exactName(keyID, alias string) string {
	return strconv.Itoa(len(keyID)) + ":" + keyID + javaLower(alias)
}

// chain finds a key's leaf by localKeyID, then by alias, and follows the issuers' names from there.
func (x certificateIndex) chain(key *bag, alias string) []place {
	keyID := string(key.keyID)
	if key.keyID == nil {
		keyID = javaKeyID
	}
	at, ok := x.exact[exactName(keyID, alias)]
	if !ok {
		at, ok = x.byKeyID[keyID]
	}
	if !ok {
		at, ok = x.byAlias[javaLower(alias)]
	}
	var chain []place
	for ok && len(chain) < maxChain && !slices.Contains(chain, at) {
		chain = append(chain, at)
		n, known := x.names[at]
		if !known || n.issuer == n.subject {
			break
		}
		at, ok = x.issuers[n.issuer]
	}
	return chain
}

// hasKeyID tells whether any bag bears this localKeyID.
func (p *pkcs12) hasKeyID(keyID []byte) bool {
	return slices.ContainsFunc(p.safes, func(s *safe) bool {
		return slices.ContainsFunc(s.bags, func(b bag) bool { return bytes.Equal(b.keyID, keyID) })
	})
}
