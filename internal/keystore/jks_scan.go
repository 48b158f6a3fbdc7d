package keystore

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// The parts of a JKS file, as the JDK's sun.security.provider.JavaKeyStore reads them; all numbers are big-endian.
const (
	jksHeaderSize = 12 // magic, version, number of entries
	jksEntrySize  = 18 // the least: tag, alias, date, certificate
	jksKeyTag     = 1
	jksTrustedTag = 2
)

// jksEntry is an entry and the alias as the file spells it, in Java's own UTF-8.
type jksEntry struct {
	Entry
	rawAlias string
	key      []byte // encrypted, as the file has it; nil for a trusted certificate and for a key set since
	size     int    // what the entry takes in the file, in bytes; 0 for one set since
}

// scanJKS walks over a JKS file without copying any of it and returns its entries and the position behind its digest.
// It comes before keystore-go, which believes every length: 31 bytes can make that allocate gigabytes. Errors wrap
// ErrTorn when a length goes beyond the end of the file, ErrTooLarge, ErrFormat or ErrDamaged.
func scanJKS(data []byte) ([]jksEntry, int, error) {
	s := jksScan{data: data, at: 4, left: newBudget()}
	if s.version = s.number(4); s.err == nil && s.version != 1 && s.version != 2 {
		return nil, 0, fmt.Errorf("JKS of version %d, only 1 and 2 are known: %w", s.version, ErrFormat)
	}
	count := s.number(4)
	if count > maxEntries {
		return nil, 0, fmt.Errorf("%d entries, at most %d are read: %w", count, maxEntries, ErrTooLarge)
	}
	room := min(count, len(data)/jksEntrySize)
	entries, seen := make([]jksEntry, 0, room), make(map[string]struct{}, room)
	for len(entries) < count && s.err == nil {
		start := s.at
		e := s.entry()
		e.size = s.at - start
		if s.err != nil {
			return nil, 0, fmt.Errorf("entry %d of %d: %w", len(entries)+1, count, s.err)
		}
		if _, ok := seen[e.rawAlias]; ok {
			return nil, 0, fmt.Errorf("two entries with the alias %q, of which Java would lose one: %w", e.Alias, ErrDamaged)
		}
		seen[e.rawAlias] = struct{}{}
		entries = append(entries, e)
	}
	s.bytes(sha1.Size)
	return entries, s.at, s.err
}

// jksScan reads at a position; after the first error everything it returns is empty.
type jksScan struct {
	data    []byte
	at      int
	version int
	left    *budget
	err     error
}

func (s *jksScan) bytes(n int) []byte {
	if s.err == nil && n > len(s.data)-s.at {
		s.err = fmt.Errorf("%d bytes announced at %d, %d left: %w", n, s.at, len(s.data)-s.at, ErrTorn)
	}
	if s.err != nil {
		return nil
	}
	s.at += n
	return s.data[s.at-n : s.at : s.at]
}

func (s *jksScan) number(size int) int {
	var padded [8]byte
	copy(padded[8-size:], s.bytes(size))
	return int(binary.BigEndian.Uint64(padded[:]))
}

func (s *jksScan) entry() jksEntry {
	if err := s.left.count(); err != nil {
		s.err = err
	}
	tag := s.number(4)
	raw := s.bytes(s.number(2))
	if s.err == nil {
		s.err = s.left.name(len(raw))
	}
	if s.err != nil {
		return jksEntry{}
	}
	e := jksEntry{rawAlias: string(raw)}
	e.Created = time.UnixMilli(int64(s.number(8)))
	certificates := 1
	switch {
	case s.err != nil:
		return e
	case tag == jksKeyTag:
		e.Kind = KeyEntry
		e.key = s.bytes(s.number(4))
		certificates = s.number(4)
	case tag == jksTrustedTag:
		e.Kind = TrustedCertificate
	default:
		s.err = fmt.Errorf("an entry of the unknown type %d at %d: %w", tag, s.at, ErrDamaged)
		return e
	}
	var ok bool
	if e.Alias, ok = decodeJavaUTF8(e.rawAlias); !ok {
		s.err = fmt.Errorf("an alias that is not Java's UTF-8: %w", ErrDamaged)
	}
	for range certificates {
		if e.Kind == KeyEntry && s.err == nil {
			s.err = s.left.count()
		}
		if s.err != nil {
			return e
		}
		e.Chain = append(e.Chain, Certificate{s.certificate()})
	}
	return e
}

func (s *jksScan) certificate() []byte {
	if s.version == 2 {
		s.bytes(s.number(2)) // the type, "X.509"
	}
	return s.bytes(s.number(4))
}

// decodeJavaUTF8 reads what java.io.DataInput calls modified UTF-8: a zero takes two bytes, and a character beyond
// 16 bits is two surrogates of three bytes each. Half of such a pair becomes the replacement character.
func decodeJavaUTF8(raw string) (string, bool) {
	if !strings.ContainsFunc(raw, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return raw, true // nearly every alias; it takes no memory of its own
	}
	var text strings.Builder
	text.Grow(len(raw))
	var high rune // the first half of a pair, which waits for the second
	for i := 0; i < len(raw); {
		unit, size, ok := javaUnit(raw[i:])
		if !ok {
			return "", false
		}
		i += size
		if high != 0 {
			pair := utf16.DecodeRune(high, unit)
			text.WriteRune(pair)
			high = 0
			if pair != utf8.RuneError {
				continue
			}
		}
		if utf16.IsSurrogate(unit) && unit < 0xdc00 {
			high = unit
			continue
		}
		text.WriteRune(unit)
	}
	if high != 0 {
		text.WriteRune(utf8.RuneError)
	}
	return text.String(), true
}

// javaUnit reads one UTF-16 unit of one to three bytes.
func javaUnit(raw string) (unit rune, size int, ok bool) {
	size = 1
	switch b := raw[0]; {
	case b>>4 == 14:
		size = 3
	case b>>5 == 6:
		size = 2
	case b >= 0x80:
		return 0, 0, false
	}
	if size > len(raw) {
		return 0, 0, false
	}
	unit = rune(raw[0])
	if size > 1 {
		unit &= 0xff >> (size + 1)
	}
	for _, next := range []byte(raw[1:size]) {
		if next>>6 != 2 {
			return 0, 0, false
		}
		unit = unit<<6 | rune(next&0x3f)
	}
	return unit, size, true
}

// encodeJavaUTF8 undoes decodeJavaUTF8.
func encodeJavaUTF8(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == 0:
			out.WriteString("\xc0\x80")
		case r > 0xffff:
			for _, unit := range utf16.Encode([]rune{r}) {
				out.Write([]byte{0xe0 | byte(unit>>12), 0x80 | byte(unit>>6&0x3f), 0x80 | byte(unit&0x3f)})
			}
		default:
			out.Write(utf8.AppendRune(nil, r))
		}
	}
	return out.String()
}
