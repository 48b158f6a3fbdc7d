package keystore

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

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
			all, places = append(all, e), append(places, place{int32(i), int32(j)})
		}
	}
	p.listing, p.places, p.links = all, places, 0
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
// writes for every key. It stops at the cap on links, which is told later.
func (p *pkcs12) listChains() {
	index := p.indexCertificates()
	inChain := make(map[nameKey]bool)
	for i, e := range p.listing {
		if e.Kind != KeyEntry || p.links > maxEntries {
			continue
		}
		chain := index.chain(p.bagAt(p.places[i]), e.Alias)
		p.links += len(chain)
		p.listing[i].Chain = make([]Certificate, len(chain))
		for j, at := range chain {
			b := p.bagAt(at)
			p.listing[i].Chain[j] = Certificate{b.certificate}
			if !index.linked[index.number(at)] { // a large one may be in thousands of chains
				index.linked[index.number(at)] = true
				inChain[keyOf(b.certificate)] = true
			}
		}
	}
	n := 0
	for i, e := range p.listing {
		if e.Kind == Other && len(e.Chain) > 0 && inChain[keyOf(e.Chain[0].DER)] {
			continue
		}
		p.listing[n], p.places[n] = e, p.places[i]
		n++
	}
	clear(p.listing[n:])
	p.listing, p.places = p.listing[:n], p.places[:n]
}
