package keystore

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// addTrusted puts the certificate where the others are.
func (p *pkcs12) addTrusted(alias string, cert Certificate, _ time.Time) error {
	b, err := newBag(bagCertificate, certificateValue(cert), nameAttribute(alias), trustedAttribute())
	if err != nil {
		return err
	}
	s := p.certificateSafe()
	s.bags, s.raw = append(s.bags, b), nil
	p.list()
	return nil
}

// replaceTrusted keeps the entry's place and its attributes as they are.
func (p *pkcs12) replaceTrusted(at int, cert Certificate, _ time.Time) error {
	where := p.places[at]
	old := p.bagAt(where)
	b, err := assembleBag(bagCertificate, certificateValue(cert), old.attributes)
	if err != nil {
		return err
	}
	*old, p.safes[where.safe].raw = b, nil
	p.list()
	return nil
}

// remove takes out the trusted certificates under alias: all of them, for Java would show the one below the last.
func (p *pkcs12) remove(alias string) error {
	var gone []place
	for i, e := range p.listing {
		if e.Kind == TrustedCertificate && sameAlias(e.Alias, alias) {
			gone = append(gone, p.places[i])
		}
	}
	p.drop(gone)
	p.list()
	return nil
}

func (p *pkcs12) drop(gone []place) {
	isGone := make(map[place]bool, len(gone))
	for _, at := range gone {
		isGone[at] = true
	}
	for i, s := range p.safes {
		kept := make([]bag, 0, len(s.bags))
		for j, b := range s.bags {
			if !isGone[place{int32(i), int32(j)}] {
				kept = append(kept, b)
			}
		}
		if len(kept) < len(s.bags) {
			s.bags, s.raw = kept, nil
		}
	}
}

// setKey writes a key as Java does: the key in a safe of its own in the clear, for it is encrypted by itself, the
// certificates beside the others, and a localKeyID with the date to tie both together.
func (p *pkcs12) setKey(k newKey) error {
	info, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return fmt.Errorf("a private key of type %T cannot be written: %w", k.key, ErrFormat)
	}
	reading := passwords(k.password)[0]
	if k.password == "" && len(p.password.utf8) == 0 {
		reading = p.password
	}
	data, algorithm, err := p.keyScheme.encrypt(reading, info)
	if err != nil {
		return err
	}
	p.drop(p.replacedBy(k.alias))
	ms := unixMilli(k.created)
	id := []byte(timePrefix + strconv.FormatInt(ms, 10))
	for p.hasKeyID(id) {
		ms++
		id = []byte(timePrefix + strconv.FormatInt(ms, 10))
	}
	key, err := newBag(bagShroudedKey, encodeElement(tagSequence, algorithm, encodeElement(tagOctets, data)),
		nameAttribute(k.alias), keyIDAttribute(id))
	if err != nil {
		return err
	}
	certificates, err := p.chainBags(k, id)
	if err != nil {
		return err
	}
	s := p.keySafe()
	s.bags, s.raw = append(s.bags, key), nil
	s = p.certificateSafe()
	s.bags, s.raw = append(certificates, s.bags...), nil // a key's chain goes first: issuers are found by name
	p.list()
	return nil
}

// chainBags makes the bags of a key's certificates, without issuers that are there already.
func (p *pkcs12) chainBags(k newKey, keyID []byte) ([]bag, error) {
	leaf, err := newBag(bagCertificate, certificateValue(k.chain[0]), nameAttribute(k.alias), keyIDAttribute(keyID))
	all := []bag{leaf}
	for _, c := range k.chain[1:] {
		there := slices.ContainsFunc(p.safes, func(s *safe) bool {
			return slices.ContainsFunc(s.bags, func(b bag) bool { return !b.trusted && bytes.Equal(b.certificate, c.DER) })
		})
		if err != nil || there {
			continue
		}
		var b bag
		b, err = newBag(bagCertificate, certificateValue(c))
		all = append(all, b)
	}
	return all, err
}

// replacedBy lists the bags of the key that stands under alias now, without certificates that others need.
func (p *pkcs12) replacedBy(alias string) []place {
	index := p.indexCertificates()
	uses := make(map[place]int)
	for i, e := range p.listing {
		if e.Kind == KeyEntry {
			for _, at := range index.chain(p.bagAt(p.places[i]), e.Alias) {
				uses[at]++
			}
		}
	}
	var gone []place
	for i, e := range p.listing {
		if e.Kind != KeyEntry || !sameAlias(e.Alias, alias) {
			continue
		}
		gone = append(gone, p.places[i])
		for _, at := range index.chain(p.bagAt(p.places[i]), e.Alias) {
			if uses[at]--; uses[at] == 0 && !p.bagAt(at).trusted {
				gone = append(gone, at)
			}
		}
	}
	return gone
}

// certificateSafe is the safe for a new certificate: the last that holds some, an empty one of the right kind, or a
// new one.
func (p *pkcs12) certificateSafe() *safe {
	for _, s := range slices.Backward(p.safes) {
		if slices.ContainsFunc(s.bags, func(b bag) bool { return b.certificate != nil }) {
			return s
		}
	}
	for _, s := range slices.Backward(p.safes) {
		if len(s.bags) == 0 && (s.scheme == nil) == (p.certScheme == nil) {
			return s
		}
	}
	s := &safe{scheme: p.certScheme, prefix: encodeInteger(0)}
	p.safes = append(p.safes, s)
	return s
}

func (p *pkcs12) keySafe() *safe {
	for _, s := range p.safes {
		if slices.ContainsFunc(s.bags, func(b bag) bool { return b.kind == bagShroudedKey }) {
			return s
		}
	}
	s := &safe{}
	p.safes = slices.Insert(p.safes, 0, s)
	return s
}

// unixMilli is the date as both formats write it; an unknown one becomes 1970.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func newBag(kind byte, value []byte, attributes ...[]byte) (bag, error) {
	var set []byte
	if len(attributes) > 0 {
		set = encodeElement(tagSet, attributes...)
	}
	return assembleBag(kind, value, set)
}

// assembleBag makes a SafeBag of its parts; attributes may be nil.
func assembleBag(kind byte, value, attributes []byte) (bag, error) {
	e, _, err := splitElement(encodeElement(tagSequence,
		encodeOID(oidBag+string([]byte{kind})), encodeElement(tagExplicit0, value), attributes))
	if err != nil {
		return bag{}, err
	}
	return parseBag(e, newBudget())
}

func certificateValue(c Certificate) []byte {
	return encodeElement(tagSequence, encodeOID(oidX509Certificate),
		encodeElement(tagExplicit0, encodeElement(tagOctets, c.DER)))
}

func nameAttribute(alias string) []byte {
	return encodeAttribute(oidFriendlyName, encodeElement(tagBMPString, encodeUTF16(alias)))
}

func keyIDAttribute(id []byte) []byte {
	return encodeAttribute(oidLocalKeyID, encodeElement(tagOctets, id))
}

// trustedAttribute makes Java see a certificate as a trusted one, for any use.
func trustedAttribute() []byte {
	return encodeAttribute(oidTrustedKeyUsage, encodeOID(oidAnyKeyUsage))
}

func encodeAttribute(oid string, value []byte) []byte {
	return encodeElement(tagSequence, encodeOID(oid), encodeElement(tagSet, value))
}
