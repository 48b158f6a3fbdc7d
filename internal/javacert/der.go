package javacert

import (
	"errors"
	"fmt"
)

// The tags that certificates are made of.
const (
	tagBoolean         = 0x01
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctets          = 0x04
	tagNull            = 0x05
	tagOID             = 0x06
	tagUTF8            = 0x0c
	tagNumeric         = 0x12
	tagPrintable       = 0x13
	tagT61             = 0x14
	tagIA5             = 0x16
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagBMP             = 0x1e
	tagSequence        = 0x30
	tagSet             = 0x31
	tagUniqueIssuer    = 0x81
	tagUniqueSubject   = 0x82
	tagContext0        = 0xa0
	tagContext3        = 0xa3

	tagNumber = 0x1f // the bits of a tag that are its number; all of them announce a longer one
)

// element is one ASN.1 value. Its slices share memory with the input.
type element struct {
	tag  byte
	raw  []byte // with its header
	body []byte
}

// reader takes elements one after the other, in DER alone: each length in its shortest form, each tag in one byte. After the
// first error everything that it returns is empty.
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
	var header, length int
	if header, length, r.err = readHeader(r.rest); r.err != nil {
		return element{}
	}
	if length > len(r.rest)-header {
		r.err = fmt.Errorf("a value of %d bytes has only %d left", length, len(r.rest)-header)
		return element{}
	}
	end := header + length
	e := element{tag: r.rest[0], raw: r.rest[:end:end], body: r.rest[header:end:end]}
	r.rest = r.rest[end:]
	return e
}

// readHeader returns the sizes of an element's tag and length bytes, and of what they announce.
func readHeader(data []byte) (header, length int, err error) {
	switch {
	case len(data) < 2:
		return 0, 0, errors.New("a value ends in its header")
	case data[0]&tagNumber == tagNumber:
		return 0, 0, errors.New("a tag of several bytes")
	case data[1] < 0x80:
		return 2, int(data[1]), nil
	}
	n := int(data[1] & 0x7f)
	if n == 0 || n > 3 || len(data) < 2+n { // maxBytes fits into three
		return 0, 0, errors.New("a length that is not definite, or too long")
	}
	for _, b := range data[2 : 2+n] {
		length = length<<8 | int(b)
	}
	if length < 0x80 || length>>(8*(n-1)) == 0 {
		return 0, 0, errors.New("a length that is not in its shortest form")
	}
	return 2 + n, length, nil
}

// take returns the next element, which must have that tag.
func (r *reader) take(tag byte) element {
	if r.err == nil && r.peek() != tag {
		r.err = fmt.Errorf("the tag %#02x where %#02x belongs", r.peek(), tag)
	}
	return r.any()
}

// into is take for a constructed element, of which it returns a reader.
func (r *reader) into(tag byte) *reader {
	return &reader{rest: r.take(tag).body, err: r.err}
}

// end returns the first error, or that something is left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%d bytes too many", len(r.rest))
	}
	return r.err
}

// isInteger reports whether body is an INTEGER in its shortest form.
func isInteger(body []byte) bool {
	switch {
	case len(body) == 0:
		return false
	case len(body) == 1:
		return true
	}
	return (body[0] != 0 || body[1] >= 0x80) && (body[0] != 0xff || body[1] < 0x80)
}

// isSmall reports whether body is an INTEGER from 0 to 2^31 - 1.
func isSmall(body []byte) bool { return isInteger(body) && len(body) <= 4 && body[0] < 0x80 }

// isBitString reports whether body is a BIT STRING that is not empty, with its unused bits zero.
func isBitString(body []byte) bool {
	return len(body) >= 2 && body[0] <= 7 && body[len(body)-1]&(1<<body[0]-1) == 0
}

// isOID reports whether body is an OBJECT IDENTIFIER with each number in its shortest form. Java counts with numbers of any
// size, and has a limit of 4096 bytes since version 17.
func isOID(body []byte) bool {
	if len(body) == 0 || len(body) > 64 || body[len(body)-1] >= 0x80 {
		return false
	}
	begins := true
	for _, b := range body {
		if begins && b == 0x80 {
			return false
		}
		begins = b < 0x80
	}
	return true
}
