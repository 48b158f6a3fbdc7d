package keystore

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// digest is a hash with the names it has as a plain hash and within HMAC.
type digest struct {
	mac     MAC
	oid     string
	hmacOID string
	new     func() hash.Hash
}

// digests are those of RFC 7292 and RFC 8018, appendix B.1.
func digests() []digest {
	return []digest{
		{MACSHA1, oidSHA1, oidDigestPKCS + "\x07", sha1.New},
		{"SHA-224", oidNISTHash + "\x04", oidDigestPKCS + "\x08", sha256.New224},
		{MACSHA256, oidNISTHash + "\x01", oidDigestPKCS + "\x09", sha256.New},
		{MACSHA384, oidNISTHash + "\x02", oidDigestPKCS + "\x0a", sha512.New384},
		{MACSHA512, oidNISTHash + "\x03", oidDigestPKCS + "\x0b", sha512.New},
		{"SHA-512/224", oidNISTHash + "\x05", oidDigestPKCS + "\x0c", sha512.New512_224},
		{"SHA-512/256", oidNISTHash + "\x06", oidDigestPKCS + "\x0d", sha512.New512_256},
	}
}

func digestWhere(match func(digest) bool) (digest, bool) {
	all := digests()
	i := slices.IndexFunc(all, match)
	if i < 0 {
		return digest{}, false
	}
	return all[i], true
}

// parseDigest reads an AlgorithmIdentifier that names a hash, or with hmac one that names an HMAC.
func parseDigest(algorithm []byte, hmac bool) (digest, error) {
	r := reader{rest: algorithm}
	oid := string(r.take(tagOID).body)
	if r.err != nil {
		return digest{}, fmt.Errorf("read a digest algorithm: %w", r.err)
	}
	d, ok := digestWhere(func(d digest) bool { return !hmac && d.oid == oid || hmac && d.hmacOID == oid })
	if !ok {
		return digest{}, fmt.Errorf("the digest algorithm %s is not supported: %w", dotted([]byte(oid)), ErrFormat)
	}
	return d, nil
}

// encodeAlgorithm writes an AlgorithmIdentifier; no parameters mean NULL, as RFC 8018 wants for digests.
func encodeAlgorithm(oid string, parameters ...[]byte) []byte {
	if len(parameters) == 0 {
		parameters = [][]byte{encodeElement(tagNull)}
	}
	return encodeElement(tagSequence, append([][]byte{encodeOID(oid)}, parameters...)...)
}

// password is a password in both ways that PKCS#12 files use it.
type password struct {
	utf8 []byte // PBES2 and PBMAC1
	bmp  []byte // the derivation of RFC 7292: UTF-16, big-endian, with two zero bytes behind it
}

// passwords lists the readings of a password to try. Only the empty one has two: Java and most tools write its two
// zero bytes, others nothing at all.
func passwords(text string) []password {
	p := password{utf8: []byte(text), bmp: append(encodeUTF16(text), 0, 0)}
	if text == "" {
		return []password{p, {utf8: p.utf8}}
	}
	return []password{p}
}

// encodeUTF16 writes big-endian UTF-16 with surrogates where needed, as Java fills BMPStrings and key material.
func encodeUTF16(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit>>8), byte(unit))
	}
	return out
}

// sizeUTF16 is what decodeUTF16 will take, in bytes.
func sizeUTF16(data []byte) int {
	size := 0
	for r := range runesUTF16(data) {
		size += utf8.RuneLen(r)
	}
	return size
}

// decodeUTF16 undoes encodeUTF16.
func decodeUTF16(data []byte, size int) string {
	var text strings.Builder
	text.Grow(size)
	for r := range runesUTF16(data) {
		text.WriteRune(r)
	}
	return text.String()
}

// runesUTF16 yields the characters of big-endian UTF-16, half of a pair of surrogates as the replacement character.
func runesUTF16(data []byte) iter.Seq[rune] {
	unit := func(at int) rune { return rune(data[at])<<8 | rune(data[at+1]) }
	return func(yield func(rune) bool) {
		for at := 0; at+1 < len(data); at += 2 {
			r := unit(at)
			if utf16.IsSurrogate(r) {
				half := r
				r = utf8.RuneError
				if at+3 < len(data) {
					r = utf16.DecodeRune(half, unit(at+2))
				}
				if r != utf8.RuneError {
					at += 2
				}
			}
			if !yield(r) {
				return
			}
		}
	}
}

// What derive is to make: RFC 7292, appendix B.3.
const (
	deriveKey = 1
	deriveIV  = 2
	deriveMAC = 3
)

// derive makes size bytes out of a password, as RFC 7292, appendix B.2 says.
func derive(d digest, bmp, salt []byte, purpose byte, rounds, size int) []byte {
	h := d.new()
	v := h.BlockSize()
	diversifier := slices.Repeat([]byte{purpose}, v)
	input := append(fillBlocks(salt, v), fillBlocks(bmp, v)...)
	a := make([]byte, 0, h.Size())
	var out []byte
	for {
		h.Reset()
		h.Write(diversifier)
		h.Write(input)
		a = iterate(d, h, h.Sum(a[:0]), rounds-1)
		out = append(out, a...)
		if len(out) >= size {
			return out[:size]
		}
		addToBlocks(input, fillBlocks(a, v)[:v])
	}
}

// iterate hashes a again and again, in place. SHA-1 gets a loop of its own that takes half the time: nearly all of the
// time to open one of IS's stores is spent here.
func iterate(d digest, h hash.Hash, a []byte, rounds int) []byte {
	if d.oid == oidSHA1 {
		sum := [sha1.Size]byte(a)
		for range rounds {
			sum = sha1.Sum(sum[:])
		}
		return append(a[:0], sum[:]...)
	}
	for range rounds {
		h.Reset()
		h.Write(a)
		a = h.Sum(a[:0])
	}
	return a
}

// fillBlocks repeats data until it fills whole blocks of v bytes; nothing stays nothing.
func fillBlocks(data []byte, v int) []byte {
	if len(data) == 0 {
		return nil
	}
	size := (len(data) + v - 1) / v * v
	out := make([]byte, 0, size+len(data))
	for len(out) < size {
		out = append(out, data...)
	}
	return out[:size]
}

// addToBlocks adds b+1 to every block of the size of b, each a big-endian number that may overflow.
func addToBlocks(blocks, b []byte) {
	for ; len(blocks) > 0; blocks = blocks[len(b):] {
		carry := 1
		for i := len(b) - 1; i >= 0; i-- {
			carry += int(blocks[i]) + int(b[i])
			blocks[i] = byte(carry)
			carry >>= 8
		}
	}
}

// deriveCost is how many rounds derive spends on size bytes.
func deriveCost(d digest, rounds, size int) int {
	blocks := (size + d.new().Size() - 1) / d.new().Size()
	return rounds * blocks
}
