package keystore

import (
	"fmt"
	"slices"
)

// pfx is the outermost layer of a PKCS#12 file.
type pfx struct {
	content  []byte // the AuthenticatedSafe, which the MAC covers
	mac      *macData
	trailing []byte
}

// parsePFX reads the outermost layer. Only here can a file be torn: inside, a length that runs over is damage.
func parsePFX(data []byte, left *budget) (pfx, error) {
	if err := checkPFXStart(data); err != nil {
		return pfx{}, err
	}
	whole, trailing, short, err := toDefinite(data, left)
	if short {
		return pfx{}, fmt.Errorf("%d bytes are not all of it: %w", len(data), ErrTorn)
	}
	if err != nil {
		return pfx{}, err
	}
	outer := reader{rest: whole}
	r := outer.into(tagSequence)
	if version := r.integer(); r.err == nil && version != 3 {
		return pfx{}, fmt.Errorf("PKCS#12 of version %d, only 3 is known: %w", version, ErrFormat)
	}
	info := r.into(tagSequence)
	kind := string(info.take(tagOID).body)
	if info.err == nil && kind == oidSignedData {
		return pfx{}, fmt.Errorf("it is protected by a signature in place of a password: %w", ErrFormat)
	}
	if info.err == nil && kind != oidData {
		return pfx{}, fmt.Errorf("its content is of type %s, not data: %w", dotted([]byte(kind)), ErrFormat)
	}
	explicit := info.into(tagExplicit0)
	f := pfx{content: explicit.take(tagOctets).body, trailing: trailing}
	for _, part := range []*reader{explicit, info} {
		if err := part.end(); err != nil {
			return pfx{}, fmt.Errorf("read the outer layer: %w", err)
		}
	}
	if r.more() {
		if f.mac, err = parseMAC(r.into(tagSequence)); err != nil {
			return pfx{}, err
		}
	}
	return f, r.end()
}

// checkPFXStart tells a PKCS#12 file, even one that is cut short, from other things that begin with a SEQUENCE, such as
// a certificate or a key.
func checkPFXStart(data []byte) error {
	start := []byte{tagInteger, 1}
	if len(data) < 2 {
		return fmt.Errorf("%d bytes are not all of it: %w", len(data), ErrTorn)
	}
	at := 2
	if data[1] >= lengthLong {
		at += int(data[1] &^ lengthLong)
	}
	for i, want := range start {
		if at+i < len(data) && data[at+i] != want {
			return fmt.Errorf("it is ASN.1, but not PKCS#12: %w", ErrFormat)
		}
	}
	if at > 2+maxLengthBytes {
		return fmt.Errorf("it is ASN.1, but not PKCS#12: %w", ErrFormat)
	}
	if header, length, err := splitHeader(data); err == nil && length > len(data)-header || at+len(start) > len(data) {
		return fmt.Errorf("%d bytes are not all of it: %w", len(data), ErrTorn)
	}
	return nil
}

// parseAuthenticatedSafe reads the safes, and the bags of those in the clear. The rounds of every safe are set aside
// before any is derived, as often as it may be tried.
func parseAuthenticatedSafe(content []byte, left *budget, attempts int) ([]*safe, error) {
	whole, rest, _, err := toDefinite(content, left)
	if err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("read the list of safes: %w", orDamaged(err))
	}
	outer := reader{rest: whole}
	r := outer.into(tagSequence)
	var safes []*safe
	for r.more() {
		if err := left.count(); err != nil {
			return nil, err
		}
		s, err := parseSafe(r.take(tagSequence), left)
		if err == nil && s.scheme != nil {
			err = left.spend(attempts * s.scheme.cost())
		} else if err == nil {
			s.bags, err = parseBags(s.data, left)
		}
		if err != nil {
			return nil, fmt.Errorf("safe %d: %w", len(safes)+1, err)
		}
		safes = append(safes, s)
	}
	return safes, r.end()
}

func orDamaged(err error) error {
	if err == nil {
		return ErrDamaged
	}
	return err
}

// parseSafe reads a ContentInfo.
func parseSafe(e element, left *budget) (*safe, error) {
	r := reader{rest: e.body}
	kind := string(r.take(tagOID).body)
	explicit := r.into(tagExplicit0)
	if err := r.end(); err != nil {
		return nil, err
	}
	s := &safe{raw: e.raw}
	switch kind {
	case oidData:
		s.data = explicit.take(tagOctets).body
		return s, explicit.end()
	case oidEncryptedData:
		return s, s.parseEncrypted(explicit, left)
	case oidEnvelopedData:
		return nil, fmt.Errorf("it is encrypted for a public key in place of a password: %w", ErrFormat)
	}
	return nil, fmt.Errorf("its content is of the unknown type %s: %w", dotted([]byte(kind)), ErrFormat)
}

// parseEncrypted reads EncryptedData (RFC 2315, section 13).
func (s *safe) parseEncrypted(explicit *reader, left *budget) error {
	r := explicit.into(tagSequence)
	s.prefix = r.take(tagInteger).raw
	info := r.into(tagSequence)
	s.suffix = r.rest
	kind := info.take(tagOID).body
	algorithm := info.take(tagSequence).body
	data := info.any()
	for _, part := range []*reader{info, explicit} {
		if err := part.end(); err != nil {
			return fmt.Errorf("read the encrypted data: %w", err)
		}
	}
	if string(kind) != oidData {
		return fmt.Errorf("encrypted content of the unknown type %s: %w", dotted(kind), ErrFormat)
	}
	var err error
	if s.scheme, err = parseScheme(algorithm); err != nil {
		return err
	}
	switch data.tag {
	case tagImplicit0:
		s.data = data.body
	case tagExplicit0: // BER: an octet string in chunks, of which the tag hides that it is one
		if err := left.rewrite(len(data.body)); err != nil {
			return err
		}
		whole := appendElement(nil, tagOctetsInChunks, data.body)
		definite, _, _, err := toDefinite(whole, left)
		if err != nil {
			return err
		}
		chunks := reader{rest: definite}
		s.data = chunks.take(tagOctets).body
	default:
		return fmt.Errorf("encrypted data with tag %#02x: %w", data.tag, ErrDamaged)
	}
	return nil
}

// decrypt returns the SafeContents of an encrypted safe. The error wraps ErrPassword if what comes out is none.
func (s *safe) decrypt(p password) ([]byte, error) {
	plain, err := s.scheme.decrypt(p, s.data)
	if err != nil {
		return nil, err
	}
	header, length, err := splitHeader(plain)
	open := len(plain) > 1 && plain[1] == lengthLong // BER
	if len(plain) > 0 && plain[0] == tagSequence && (open || err == nil && header+length == len(plain)) {
		return plain, nil
	}
	return nil, fmt.Errorf("what is decrypted is no list of entries: %w", ErrPassword)
}

// parseBags reads SafeContents.
func parseBags(data []byte, left *budget) ([]bag, error) {
	whole, rest, _, err := toDefinite(data, left)
	if err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("read the list of entries: %w", orDamaged(err))
	}
	outer := reader{rest: whole}
	r := outer.into(tagSequence)
	bags := make([]bag, 0, min(r.count(), maxEntries))
	for r.more() {
		if err := left.count(); err != nil {
			return nil, err
		}
		b, err := parseBag(r.take(tagSequence), left)
		if err == nil {
			err = left.spend(b.cost)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(bags)+1, err)
		}
		bags = append(bags, b)
	}
	return bags, r.end()
}

func parseBag(e element, left *budget) (bag, error) {
	b := bag{raw: e.raw}
	r := reader{rest: e.body}
	oid := string(r.take(tagOID).body)
	b.value = r.take(tagExplicit0).body
	if r.more() {
		attributes := r.take(tagSet)
		b.attributes = attributes.raw
		if err := b.parseAttributes(attributes.body, left); err != nil {
			return bag{}, err
		}
	}
	if err := r.end(); err != nil {
		return bag{}, err
	}
	if len(oid) == len(oidBag)+1 && oid[:len(oidBag)] == oidBag {
		if kind := oid[len(oidBag)]; slices.Contains([]byte{bagKey, bagShroudedKey, bagCertificate, bagSecret}, kind) {
			b.kind = kind
		}
	}
	switch b.kind {
	case bagCertificate:
		return b, b.parseCertificate()
	case bagShroudedKey:
		// An algorithm that is not known does no harm before the key is asked for; too many rounds are refused here.
		if s, err := b.scheme(); err == nil {
			b.cost = s.cost()
		} else if isTooLarge(err) {
			return bag{}, err
		}
	}
	return b, nil
}

// parseCertificate reads CertBag; one that holds no X.509 certificate is left alone.
func (b *bag) parseCertificate() error {
	outer := reader{rest: b.value}
	r := outer.into(tagSequence)
	oid := string(r.take(tagOID).body)
	explicit := r.into(tagExplicit0)
	if oid != oidX509Certificate && r.err == nil {
		b.kind = 0
		return nil
	}
	b.certificate = explicit.take(tagOctets).body
	for _, part := range []*reader{explicit, r, &outer} {
		if err := part.end(); err != nil {
			return fmt.Errorf("read a certificate bag: %w", err)
		}
	}
	return nil
}

func (b *bag) parseAttributes(set []byte, left *budget) error {
	var name []byte
	all := reader{rest: set}
	for all.more() {
		r := all.into(tagSequence)
		oid := string(r.take(tagOID).body)
		values := r.into(tagSet)
		switch {
		case values.err != nil:
			return fmt.Errorf("read the attributes: %w", values.err)
		case oid == oidFriendlyName && values.peek() == tagBMPString:
			name = values.any().body
		case oid == oidLocalKeyID && values.peek() == tagOctets:
			b.keyID = values.any().body
		case oid == oidTrustedKeyUsage:
			b.trusted = true
		}
	}
	size := sizeUTF16(name)
	if err := left.name(size); err != nil {
		return err
	}
	b.name = decodeUTF16(name, size)
	return all.end()
}
