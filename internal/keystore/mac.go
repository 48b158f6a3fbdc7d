package keystore

import (
	"crypto/hmac"
	"fmt"
)

// macData is the MAC over a PKCS#12 file (RFC 7292, section 4): a plain one, or PBMAC1 (RFC 9579).
type macData struct {
	digest    digest
	salt      []byte
	rounds    int
	algorithm []byte // as the file has it, for a plain MAC
	value     []byte
	pbmac1    *pbkdf2Params
	scheme    []byte // PBMAC1's messageAuthScheme as the file has it
	tail      []byte // salt and rounds as the file has them, which PBMAC1 does not use
}

func newMAC(mac MAC, rounds int) (*macData, error) {
	d, ok := digestWhere(func(d digest) bool { return d.mac == mac })
	if !ok {
		return nil, fmt.Errorf("unknown MAC %q: %w", mac, ErrFormat)
	}
	return &macData{digest: d, salt: make([]byte, saltSize), rounds: rounds, algorithm: encodeAlgorithm(d.oid)}, nil
}

// parseMAC reads the inside of MacData.
func parseMAC(r *reader) (*macData, error) {
	info := r.into(tagSequence)
	algorithm := info.take(tagSequence)
	m := &macData{algorithm: algorithm.raw, value: info.take(tagOctets).body, tail: r.rest, rounds: 1}
	if err := info.end(); err != nil {
		return nil, fmt.Errorf("read the MAC: %w", err)
	}
	m.salt = r.take(tagOctets).body
	if r.more() {
		m.rounds = r.integer()
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("read the MAC: %w", err)
	}
	inside := reader{rest: algorithm.body}
	if oid := inside.take(tagOID).body; string(oid) == oidPBMAC1 {
		return m, m.parsePBMAC1(inside.into(tagSequence))
	}
	var err error
	if m.digest, err = parseDigest(algorithm.body, false); err != nil {
		return nil, fmt.Errorf("read the MAC: %w", err)
	}
	return m, checkRounds(m.rounds)
}

// parsePBMAC1 reads PBMAC1-params (RFC 8018, appendix A.5), where RFC 9579 demands the key's size.
func (m *macData) parsePBMAC1(r *reader) error {
	kdf := r.into(tagSequence)
	scheme := r.take(tagSequence)
	if err := r.end(); err != nil {
		return fmt.Errorf("read the parameters of PBMAC1: %w", err)
	}
	params, err := parsePBKDF2(kdf)
	if err != nil {
		return fmt.Errorf("read the parameters of PBMAC1: %w", err)
	}
	if params.keySize < 1 || params.keySize > 1024 {
		return fmt.Errorf("PBMAC1 with a key of %d bytes: %w", params.keySize, ErrDamaged)
	}
	m.pbmac1, m.scheme = &params, scheme.raw
	m.digest, err = parseDigest(scheme.body, true)
	return err
}

func (m *macData) cost() int {
	if m.pbmac1 != nil {
		return m.pbmac1.cost(m.pbmac1.keySize)
	}
	return m.rounds
}

// key derives the key of the MAC, which is what takes time.
func (m *macData) key(p password) ([]byte, error) {
	if m.pbmac1 == nil {
		return derive(m.digest, p.bmp, m.salt, deriveMAC, m.rounds, m.digest.new().Size()), nil
	}
	key, err := m.pbmac1.key(p, m.pbmac1.keySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the MAC: %w", err)
	}
	return key, nil
}

func (m *macData) sum(key []byte, content ...[]byte) []byte {
	h := hmac.New(m.digest.new, key)
	for _, part := range content {
		h.Write(part)
	}
	return h.Sum(nil)
}

// matches tells whether the MAC is that of content under this password.
func (m *macData) matches(p password, content []byte) (bool, error) {
	key, err := m.key(p)
	return err == nil && hmac.Equal(m.sum(key, content), m.value), err
}

// fresh is a MAC of the same algorithm and rounds, with a salt of its own and no value yet.
func (m *macData) fresh() *macData {
	fresh := *m
	if m.pbmac1 != nil {
		params := *m.pbmac1
		params.salt = freshBytes(max(len(params.salt), 8))
		fresh.pbmac1 = &params
		fresh.algorithm = encodeAlgorithm(oidPBMAC1, encodeElement(tagSequence, params.algorithm(), m.scheme))
		return &fresh
	}
	fresh.salt = freshBytes(max(len(m.salt), 8))
	fresh.tail = encodeElement(tagOctets, fresh.salt)
	if m.rounds != 1 { // DEFAULT 1, which DER leaves out
		fresh.tail = append(fresh.tail, encodeInteger(m.rounds)...)
	}
	return &fresh
}

// encode writes MacData for content, under the key that belongs to m.
func (m *macData) encode(key []byte, content ...[]byte) []byte {
	value := encodeElement(tagOctets, m.sum(key, content...))
	return encodeElement(tagSequence, encodeElement(tagSequence, m.algorithm, value), m.tail)
}
