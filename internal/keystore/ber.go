package keystore

import "fmt"

// Older tools (Microsoft's, Mozilla's, Bouncy Castle's BER writers) write PKCS#12 in BER: lengths left open, octet
// strings in chunks. The readers here know definite lengths only; such input is rewritten first, layer by layer,
// because a MAC covers the bytes of the inner layer as they are.

// maxDepth bounds the nesting of what is rewritten; a PKCS#12 layer needs eleven levels.
const maxDepth = 24

const tagOctetsInChunks = tagOctets | constructed

// toDefinite returns the first element of data with definite lengths and whole octet strings, and what follows it.
// Input that has them is returned as it is. short reports that the data ended before the element did.
func toDefinite(data []byte, left *budget) (element []byte, rest []byte, short bool, err error) {
	w := berWalk{data: data}
	end := w.skip(0, len(data), 0)
	if w.err != nil {
		return nil, nil, w.short, w.err
	}
	if !w.ber {
		return data[:end:end], data[end:], false, nil
	}
	if err := left.rewrite(end); err != nil {
		return nil, nil, false, err
	}
	out, _ := appendDefinite(make([]byte, 0, end), data)
	return out, data[end:], false, nil
}

// berWalk goes through an element once, without writing anything, to find its end and whether it is BER.
type berWalk struct {
	data  []byte
	ber   bool
	short bool
	err   error
}

// skip returns the position behind the element at from, which must end before limit.
func (w *berWalk) skip(from, limit, depth int) int {
	if w.err != nil {
		return limit
	}
	if depth > maxDepth {
		w.err = fmt.Errorf("elements nested over %d levels deep: %w", maxDepth, ErrDamaged)
		return limit
	}
	if limit-from >= 2 && isOpen(w.data[from:]) {
		w.ber = true
		return w.skipOpen(from+2, limit, depth)
	}
	header, length, err := splitHeader(w.data[from:limit])
	if err == nil && length > limit-from-header {
		err = fmt.Errorf("an element of %d bytes has only %d left: %w", length, limit-from-header, ErrDamaged)
	}
	if err != nil {
		w.err, w.short = err, limit == len(w.data)
		return limit
	}
	end := from + header + length
	tag := w.data[from]
	if tag&constructed == 0 {
		return end
	}
	w.ber = w.ber || tag == tagOctetsInChunks
	for at := from + header; at < end && w.err == nil; {
		if tag == tagOctetsInChunks && w.data[at]&^constructed != tagOctets {
			w.err = fmt.Errorf("a chunk of an octet string is none: %w", ErrDamaged)
		}
		at = w.skip(at, end, depth+1)
	}
	return end
}

// isOpen tells whether an element has an indefinite length, which only a constructed one can have.
func isOpen(data []byte) bool {
	return data[1] == lengthLong && data[0]&constructed != 0 && data[0]&highTagNumber != highTagNumber
}

// skipOpen returns the position behind the two zero bytes that end an element of indefinite length.
func (w *berWalk) skipOpen(at, limit, depth int) int {
	inChunks := w.data[at-2] == tagOctetsInChunks
	for w.err == nil {
		if limit-at < 2 {
			w.err, w.short = fmt.Errorf("an element of indefinite length (BER) has no end: %w", ErrDamaged), limit == len(w.data)
			return limit
		}
		if w.data[at] == 0 && w.data[at+1] == 0 {
			return at + 2
		}
		if inChunks && w.data[at]&^constructed != tagOctets {
			w.err = fmt.Errorf("a chunk of an octet string is none: %w", ErrDamaged)
			return limit
		}
		at = w.skip(at, limit, depth+1)
	}
	return limit
}

// appendDefinite rewrites the first element of data, which berWalk has checked, and returns what follows it.
func appendDefinite(dst, data []byte) (out, rest []byte) {
	tag := data[0]
	if tag&constructed == 0 {
		e, rest, _ := splitElement(data)
		return append(dst, e.raw...), rest
	}
	if tag == tagOctetsInChunks {
		start := len(dst)
		dst, rest = appendChunks(dst, data)
		return insertHeader(dst, start, tagOctets), rest
	}
	start := len(dst)
	rest = eachChild(data, func(child []byte) (after []byte) {
		dst, after = appendDefinite(dst, child)
		return after
	})
	return insertHeader(dst, start, tag), rest
}

// appendChunks joins the chunks of an octet string.
func appendChunks(dst, data []byte) (out, rest []byte) {
	if data[0] == tagOctets {
		e, rest, _ := splitElement(data)
		return append(dst, e.body...), rest
	}
	rest = eachChild(data, func(child []byte) (after []byte) {
		dst, after = appendChunks(dst, child)
		return after
	})
	return dst, rest
}

// eachChild calls visit, which returns what follows, at every child of a constructed element.
func eachChild(data []byte, visit func(child []byte) (after []byte)) (rest []byte) {
	if data[1] == lengthLong {
		at := data[2:]
		for at[0] != 0 || at[1] != 0 {
			at = visit(at)
		}
		return at[2:]
	}
	e, rest, _ := splitElement(data)
	for at := e.body; len(at) > 0; {
		at = visit(at)
	}
	return rest
}

// insertHeader puts the header before a body already written; moving the body costs less than a buffer per level.
func insertHeader(dst []byte, start int, tag byte) []byte {
	length := len(dst) - start
	header := appendHeader(make([]byte, 0, 8), tag, length)
	dst = append(dst, header...)
	copy(dst[start+len(header):], dst[start:start+length])
	copy(dst[start:], header)
	return dst
}
