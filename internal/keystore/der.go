package keystore

import (
	"encoding/asn1"
	"fmt"
	"slices"
)

// The tags that PKCS#12 is made of.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctets      = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagBMPString   = 0x1e
	tagSequence    = 0x30
	tagSet         = 0x31
	tagImplicit0   = 0x80 // [0], primitive
	tagExplicit0   = 0xa0 // [0], constructed
	tagExplicit3   = 0xa3
	constructed    = 0x20
	highTagNumber  = 0x1f
	lengthLong     = 0x80 // a first length byte of 0x80 itself means indefinite length: BER, see ber.go
	maxLengthBytes = 4
	maxHeader      = 2 + maxLengthBytes
)

// element is one ASN.1 value; its slices share memory with the input, so that what is not understood is kept verbatim.
type element struct {
	tag  byte
	raw  []byte // with its header
	body []byte
}

// splitElement takes the first element of definite length from data. A length may have more bytes than it needs:
// older encoders do that, and nothing is gained by refusing it. Errors wrap ErrDamaged.
func splitElement(data []byte) (e element, rest []byte, err error) {
	header, length, err := splitHeader(data)
	if err != nil {
		return element{}, nil, err
	}
	if length > len(data)-header {
		return element{}, nil, fmt.Errorf("an element of %d bytes has only %d left: %w", length, len(data)-header, ErrDamaged)
	}
	end := header + length
	return element{tag: data[0], raw: data[:end:end], body: data[header:end:end]}, data[end:], nil
}

// splitHeader returns the sizes of an element's tag and length bytes, and of what they announce.
func splitHeader(data []byte) (header, length int, err error) {
	if len(data) < 2 {
		return 0, 0, fmt.Errorf("an element ends in its header: %w", ErrDamaged)
	}
	if data[0]&highTagNumber == highTagNumber {
		return 0, 0, fmt.Errorf("a tag of several bytes, which no keystore has: %w", ErrDamaged)
	}
	if data[1] < lengthLong {
		return 2, int(data[1]), nil
	}
	n := int(data[1] &^ lengthLong)
	if n == 0 || n > maxLengthBytes {
		return 0, 0, fmt.Errorf("a length of %d bytes: %w", n, ErrDamaged)
	}
	if len(data) < 2+n {
		return 0, 0, fmt.Errorf("an element ends in its length: %w", ErrDamaged)
	}
	for _, b := range data[2 : 2+n] {
		length = length<<8 | int(b)
	}
	return 2 + n, length, nil
}

// reader takes elements one after the other; after the first error everything it returns is empty.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) more() bool { return r.err == nil && len(r.rest) > 0 }

// peek is the tag of the next element, 0 at the end.
func (r *reader) peek() byte {
	if !r.more() {
		return 0
	}
	return r.rest[0]
}

func (r *reader) any() element {
	if r.err != nil {
		return element{}
	}
	var e element
	e, r.rest, r.err = splitElement(r.rest)
	return e
}

// take returns the next element, which must have that tag.
func (r *reader) take(tag byte) element {
	e := r.any()
	if r.err == nil && e.tag != tag {
		r.err = fmt.Errorf("an element with tag %#02x in place of %#02x: %w", e.tag, tag, ErrDamaged)
		return element{}
	}
	return e
}

// into is take for a constructed element, of which it returns a reader.
func (r *reader) into(tag byte) *reader { return &reader{rest: r.take(tag).body, err: r.err} }

// integer takes a small INTEGER that is not negative.
func (r *reader) integer() int {
	body := r.take(tagInteger).body
	if r.err != nil {
		return 0
	}
	if len(body) == 0 || body[0] >= 0x80 {
		r.err = fmt.Errorf("a number that is negative or empty: %w", ErrDamaged)
		return 0
	}
	n := 0
	for _, b := range body {
		if n > 1<<40 {
			r.err = fmt.Errorf("a number of %d bytes where a small one belongs: %w", len(body), ErrTooLarge)
			return 0
		}
		n = n<<8 | int(b)
	}
	return n
}

// count is how many elements are left, as far as they can be read.
func (r *reader) count() int {
	n := 0
	for ahead := *r; ahead.more(); n++ {
		ahead.any()
	}
	return n
}

// end reports the first error, or that something is left which an edit would lose.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%d bytes more than the structure has: %w", len(r.rest), ErrDamaged)
	}
	return r.err
}

// appendElement writes an element with the shortest length, as DER wants it.
func appendElement(dst []byte, tag byte, parts ...[]byte) []byte {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	dst = appendHeader(slices.Grow(dst, length+maxHeader), tag, length)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

func appendHeader(dst []byte, tag byte, length int) []byte {
	dst = append(dst, tag)
	if length < lengthLong {
		return append(dst, byte(length))
	}
	n := 1
	for length>>(8*n) > 0 {
		n++
	}
	dst = append(dst, lengthLong|byte(n))
	for n--; n >= 0; n-- {
		dst = append(dst, byte(length>>(8*n)))
	}
	return dst
}

func encodeElement(tag byte, parts ...[]byte) []byte { return appendElement(nil, tag, parts...) }

func encodeOID(oid string) []byte { return encodeElement(tagOID, []byte(oid)) }

func encodeInteger(n int) []byte {
	body := []byte{byte(n)}
	for n >>= 8; n > 0; n >>= 8 {
		body = append([]byte{byte(n)}, body...)
	}
	if body[0] >= 0x80 {
		body = append([]byte{0}, body...)
	}
	return encodeElement(tagInteger, body)
}

// dotted writes an object identifier for an error message.
func dotted(oid []byte) string {
	var id asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(encodeElement(tagOID, oid), &id); err != nil {
		return fmt.Sprintf("%x", oid)
	}
	return id.String()
}

// names are the issuer and the subject of a certificate, as DER, and the identifiers of their keys if it has them.
type names struct{ issuer, subject, issuerKeyID, subjectKeyID []byte }

// certificateNames reads no more of a certificate (RFC 5280, section 4.1) than a chain needs; it takes what
// crypto/x509 refuses, a negative serial number for one.
func certificateNames(der []byte) (names, error) {
	outer := reader{rest: der}
	whole := outer.into(tagSequence)
	tbs := whole.into(tagSequence)
	if tbs.peek() == tagExplicit0 {
		tbs.any() // version
	}
	tbs.take(tagInteger)  // serial number
	tbs.take(tagSequence) // signature algorithm
	issuer := tbs.take(tagSequence)
	tbs.take(tagSequence) // validity
	subject := tbs.take(tagSequence)
	tbs.take(tagSequence) // public key
	whole.take(tagSequence)
	whole.take(tagBitString)
	for _, r := range []*reader{&outer, whole} {
		if err := r.end(); err != nil {
			return names{}, fmt.Errorf("read the certificate: %w", err)
		}
	}
	if tbs.err != nil {
		return names{}, fmt.Errorf("read the certificate: %w", tbs.err)
	}
	n := names{issuer: issuer.raw, subject: subject.raw}
	for tbs.more() {
		if e := tbs.any(); e.tag == tagExplicit3 {
			n.readKeyIDs(e.body)
		}
	}
	return n, nil
}

// readKeyIDs looks for the two extensions (RFC 5280, sections 4.2.1.1 and 4.2.1.2). What cannot be read is not there.
func (n *names) readKeyIDs(extensions []byte) {
	outer := reader{rest: extensions}
	for all := outer.into(tagSequence); all.more(); {
		extension := all.into(tagSequence)
		oid := string(extension.take(tagOID).body)
		if extension.peek() == tagBoolean {
			extension.any()
		}
		value := reader{rest: extension.take(tagOctets).body}
		switch oid {
		case oidSubjectKeyID:
			n.subjectKeyID = value.take(tagOctets).body
		case oidAuthorityKeyID:
			n.issuerKeyID = value.into(tagSequence).take(tagImplicit0).body
		}
	}
}
