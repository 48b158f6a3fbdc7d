package javacert

import (
	"math/rand/v2"
	"slices"
)

// node is an ASN.1 value that can be changed and encoded again. The values in an OCTET STRING or a BIT STRING count as its
// children where they are DER themselves.
type node struct {
	tag      byte
	prefix   []byte // in front of the children: the number of unused bits of a BIT STRING
	body     []byte // where there are no children
	children []*node
	wrong    func(header []byte) []byte // makes the header of a faulty encoding; nil for a right one
}

// treeOf reads DER as far as it is DER; nil for anything else.
func treeOf(der []byte) *node {
	nodes, ok := forest(der)
	if !ok || len(nodes) != 1 {
		return nil
	}
	return nodes[0]
}

func forest(der []byte) (nodes []*node, ok bool) {
	for r := (reader{rest: der}); r.more(); {
		e := r.any()
		if r.err != nil {
			return nil, false
		}
		n := &node{tag: e.tag, body: e.body}
		inner, skip := e.body, 0
		if e.tag == tagBitString && len(e.body) > 1 {
			skip, inner = 1, e.body[1:]
		}
		if e.tag&0x20 != 0 || (e.tag == tagOctets || e.tag == tagBitString) && len(inner) > 2 {
			if children, ok := forest(inner); ok {
				n.children, n.prefix, n.body = children, e.body[:skip], nil
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, true
}

func (n *node) encode() []byte {
	body := n.body
	if n.children != nil {
		body = slices.Clone(n.prefix)
		for _, c := range n.children {
			body = append(body, c.encode()...)
		}
	}
	header := header(n.tag, len(body))
	if n.wrong != nil {
		header = n.wrong(header)
	}
	return append(header, body...)
}

func header(tag byte, length int) []byte {
	switch {
	case length < 0x80:
		return []byte{tag, byte(length)}
	case length < 0x100:
		return []byte{tag, 0x81, byte(length)}
	case length < 0x10000:
		return []byte{tag, 0x82, byte(length >> 8), byte(length)}
	}
	return []byte{tag, 0x83, byte(length >> 16), byte(length >> 8), byte(length)}
}

// primitive and constructed make nodes.
func primitive(tag byte, body string) *node { return &node{tag: tag, body: []byte(body)} }

func constructed(tag byte, children ...*node) *node {
	if children == nil {
		children = []*node{}
	}
	return &node{tag: tag, children: children}
}

// parents are all nodes that have children.
func (n *node) parents() (all []*node) {
	if len(n.children) == 0 {
		return nil
	}
	all = append(all, n)
	for _, c := range n.children {
		all = append(all, c.parents()...)
	}
	return all
}

// tbs is the part of a certificate that is signed.
func (n *node) tbs() *node { return n.children[0] }

// field is the i-th field behind the version, which only certificates of version 3 have.
func (n *node) field(i int) **node {
	if n.tbs().children[0].tag == tagContext0 {
		i++
	}
	return &n.tbs().children[i]
}

// Positions of the fields behind the version.
const (
	fieldAlgorithm = 1
	fieldIssuer    = 2
	fieldValidity  = 3
	fieldSubject   = 4
	fieldKey       = 5
)

// extensions is the list in [3]; nil where there is none.
func (n *node) extensions() *node {
	if len(n.children) == 0 || len(n.tbs().children) == 0 {
		return nil
	}
	last := n.tbs().children[len(n.tbs().children)-1]
	if last.tag != tagContext3 || len(last.children) != 1 {
		return nil
	}
	return last.children[0]
}

// Mutator changes certificates at random, in ways that a parser may take in different ways.
type Mutator struct {
	*rand.Rand
	Corpus [][]byte
}

func pick[T any](m Mutator, from []T) T { return from[m.IntN(len(from))] }

// Next is a mutant of one of the corpus.
func (m Mutator) Next() []byte {
	der := slices.Clone(pick(m, m.Corpus))
	if m.IntN(10) < 5 {
		return m.bytes(der)
	}
	tree := treeOf(der)
	for range 1 + m.IntN(2) {
		if len(tree.parents()) > 0 {
			m.structure(tree)
		}
	}
	der = tree.encode()
	if m.IntN(20) == 0 {
		der = m.bytes(der)
	}
	return der
}

// bytes changes one or two of them.
func (m Mutator) bytes(der []byte) []byte {
	for range 1 + m.IntN(2) {
		at := m.IntN(len(der))
		switch m.IntN(4) {
		case 0:
			der[at] ^= 1 << m.IntN(8)
		case 1:
			der[at] += byte(m.IntN(3) - 1)
		default:
			der[at] = byte(m.IntN(256))
		}
	}
	return der
}

// tags that a mutant gets.
var tags = []byte{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1e, 0x1f, 0x23, 0x24,
	0x30, 0x31, 0x10, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0x41, 0x61, 0xc1}

// structure changes one node.
func (m Mutator) structure(tree *node) {
	if list := tree.extensions(); list != nil && len(list.children) > 0 && m.IntN(5) < 3 {
		m.extension(list)
		return
	}
	if m.IntN(12) == 0 && len(tree.children) == 3 && len(tree.tbs().children) > 6 {
		m.rsa(tree)
		return
	}
	parent := pick(m, tree.parents())
	at := m.IntN(len(parent.children))
	n := parent.children[at]
	switch m.IntN(12) {
	case 0:
		parent.children = slices.Delete(slices.Clone(parent.children), at, at+1)
	case 1:
		parent.children = slices.Insert(slices.Clone(parent.children), at, n)
	case 2:
		other := m.IntN(len(parent.children))
		parent.children[at], parent.children[other] = parent.children[other], n
	case 3:
		n.tag = pick(m, tags)
	case 4:
		n.children, n.body = nil, nil
	case 5:
		n.children, n.body = nil, m.garbage()
	case 6: // a length too long by a byte
		n.wrong = func(h []byte) []byte {
			if len(h) == 2 {
				return []byte{h[0], 0x81, h[1]}
			}
			return slices.Concat(h[:1], []byte{h[1] + 1, 0}, h[2:])
		}
	case 7:
		step := byte(1)
		if m.IntN(2) == 0 {
			step = 0xff
		}
		n.wrong = func(h []byte) []byte { h[len(h)-1] += step; return h }
	case 8:
		parent.children = slices.Insert(slices.Clone(parent.children), m.IntN(len(parent.children)+1), &node{tag: pick(m, tags), body: m.garbage()})
	case 9: // a part of another certificate
		other := pick(m, treeOf(pick(m, m.Corpus)).parents())
		parent.children[at] = pick(m, other.children)
	case 10:
		n.wrong = func(h []byte) []byte { return []byte{h[0], 0x80} } // indefinite
	default:
		m.value(n)
	}
}

// value changes the content of a value without children.
func (m Mutator) value(n *node) {
	if n.children != nil {
		n.children = append(slices.Clone(n.children), &node{tag: pick(m, tags), body: m.garbage()})
		return
	}
	switch m.IntN(4) {
	case 0:
		n.body = slices.Concat([]byte{0}, n.body)
	case 1:
		n.body = slices.Concat([]byte{0xff}, n.body)
	case 2:
		n.body = append(slices.Clone(n.body), m.garbage()...)
	default:
		n.body = n.body[:m.IntN(len(n.body)+1)]
	}
}

func (m Mutator) garbage() []byte {
	out := make([]byte, m.IntN(9))
	for i := range out {
		out[i] = byte(m.IntN(256))
	}
	return out
}

// oids are extensions that Java knows (OIDMap), others behind 2.5.29, and one that it does not.
var oids = func() (all []string) {
	for i := range 70 {
		all = append(all, oidExtension+string(rune(i)))
	}
	return append(all, "\x60\x86\x48\x01\x86\xf8\x42\x01\x01", "\x2b\x06\x01\x05\x05\x07\x01\x01", "\x2b\x06\x01\x05\x05\x07\x01\x0b",
		"\x2b\x06\x01\x05\x05\x07\x30\x01\x05", "\x2b\x06\x01\x05\x05\x07\x01\x03", "\x2a\x03\x04")
}()

// extension changes an extension, or adds one.
func (m Mutator) extension(list *node) {
	at := m.IntN(len(list.children))
	e := list.children[at]
	if len(e.children) < 2 {
		return
	}
	oid, value := e.children[0], e.children[len(e.children)-1]
	critical := []*node{primitive(tagBoolean, "\xff")}
	if m.IntN(4) == 0 {
		critical = nil
	}
	switch m.IntN(9) {
	case 0:
	case 1:
		oid = primitive(tagOID, pick(m, oids))
	case 2:
		value = &node{tag: tagOctets, body: m.garbage()}
	case 3:
		value = primitive(tagOctets, "")
	case 4: // another extension's value
		if other := treeOf(pick(m, m.Corpus)).extensions(); other != nil {
			from := pick(m, other.children)
			value = from.children[len(from.children)-1]
		}
	case 5: // any tag around nothing
		value = &node{tag: tagOctets, body: []byte{pick(m, tags), 0}}
	case 6, 7: // something in the value
		if parents := value.parents(); len(parents) > 0 {
			parent := pick(m, parents)
			i := m.IntN(len(parent.children))
			switch n := parent.children[i]; m.IntN(5) {
			case 0:
				n.tag = pick(m, tags)
			case 1:
				n.children, n.body = nil, m.garbage()
			case 2:
				parent.children = slices.Delete(slices.Clone(parent.children), i, i+1)
			case 3:
				parent.children = slices.Insert(slices.Clone(parent.children), i, n)
			default:
				m.value(n)
			}
		}
	default: // one more
		list.children = slices.Insert(slices.Clone(list.children), at,
			constructed(tagSequence, append(append([]*node{primitive(tagOID, pick(m, oids))}, critical...), value)...))
		return
	}
	list.children[at] = constructed(tagSequence, append(append([]*node{oid}, critical...), value)...)
}

// rsa makes the key one of RSA, of a size and with an exponent that may be possible.
func (m Mutator) rsa(tree *node) {
	size := pick(m, []int{1, 32, 63, 64, 65, 127, 128, 129, 256, 384, 512, 1024, 2047, 2048, 2049, 4096})
	n := make([]byte, size)
	for i := range n {
		n[i] = byte(m.IntN(256))
	}
	if n[0] |= 1; n[0] >= 0x80 {
		n = slices.Concat([]byte{0}, n)
	}
	e := pick(m, []string{"\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x11", "\x01\x00\x01", "\x7f\xff\xff\xff", "\x00\xff\xff\xff\xff", "\xff", "", "\x01\x00\x00\x00\x00\x00\x00\x00\x01"})
	*tree.field(fieldKey) = rsaKey(string(n), e)
}

func rsaKey(n, e string) *node {
	key := constructed(tagBitString, constructed(tagSequence, primitive(tagInteger, n), primitive(tagInteger, e)))
	key.prefix = []byte{0}
	return constructed(tagSequence, constructed(tagSequence, primitive(tagOID, oidRSA), primitive(tagNull, "")), key)
}
