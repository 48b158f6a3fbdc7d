package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
)

// blockCipher is a cipher of the kind that PKCS#12 runs in CBC mode.
type blockCipher struct {
	oid     string // within PBES2; with pbe false
	pbe     bool   // oid is an algorithm of RFC 7292 with SHA-1 and its own derivation
	keySize int
	ivSize  int
	new     func(key []byte) (cipher.Block, error)
}

func blockCiphers() []blockCipher {
	rc2 := func(key []byte) (cipher.Block, error) { return newRC2(key, 8*len(key)), nil }
	twoKeys := func(key []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...))
	}
	return []blockCipher{
		{oidPBE + "\x03", true, 24, des.BlockSize, des.NewTripleDESCipher},
		{oidPBE + "\x04", true, 16, des.BlockSize, twoKeys},
		{oidPBE + "\x05", true, 16, rc2BlockSize, rc2},
		{oidPBE + "\x06", true, 5, rc2BlockSize, rc2},
		{oidAES + "\x02", false, 16, aes.BlockSize, aes.NewCipher},
		{oidAES + "\x16", false, 24, aes.BlockSize, aes.NewCipher},
		{oidAES + "\x2a", false, 32, aes.BlockSize, aes.NewCipher},
		{oidDESEDE3CBC, false, 24, des.BlockSize, des.NewTripleDESCipher},
	}
}

func cipherByOID(oid string, pbe bool) (blockCipher, bool) {
	all := blockCiphers()
	i := slices.IndexFunc(all, func(c blockCipher) bool { return c.oid == oid && c.pbe == pbe })
	if i < 0 {
		return blockCipher{}, false
	}
	return all[i], true
}

// scheme is a password-based encryption with its parameters, complete enough to be written as it was read.
type scheme struct {
	cipher blockCipher
	kdf    pbkdf2Params // within PBES2; its salt and rounds are those of the other algorithms, too
	iv     []byte       // within PBES2
}

// saltSize is what Java writes, in bytes.
const saltSize = 20

func newScheme(oid string, pbe bool, rounds int) *scheme {
	c, _ := cipherByOID(oid, pbe)
	prf, _ := digestWhere(func(d digest) bool { return d.mac == MACSHA256 })
	s := &scheme{cipher: c, kdf: pbkdf2Params{salt: make([]byte, saltSize), rounds: rounds}}
	if !pbe {
		s.kdf.prf, s.kdf.prfRaw, s.kdf.keySize = prf, encodeAlgorithm(prf.hmacOID), c.keySize
	}
	return s
}

// parseScheme reads an AlgorithmIdentifier. Errors wrap ErrFormat for an algorithm that this package does not have.
func parseScheme(algorithm []byte) (*scheme, error) {
	r := reader{rest: algorithm}
	oid := string(r.take(tagOID).body)
	if oid == oidPBES2 {
		return parsePBES2(r.into(tagSequence))
	}
	if r.err != nil {
		return nil, fmt.Errorf("read an encryption algorithm: %w", r.err)
	}
	c, ok := cipherByOID(oid, true)
	if !ok {
		return nil, fmt.Errorf("the encryption algorithm %s is not supported: %w", dotted([]byte(oid)), ErrFormat)
	}
	parameters := r.into(tagSequence)
	s := &scheme{cipher: c}
	s.kdf.salt, s.kdf.rounds = parameters.take(tagOctets).body, parameters.integer()
	return s, checkParameters(&r, parameters, s.kdf.rounds)
}

// parsePBES2 reads PBES2-params (RFC 8018, appendix A.4).
func parsePBES2(r *reader) (*scheme, error) {
	kdf := r.into(tagSequence)
	encryption := r.into(tagSequence)
	oid := encryption.take(tagOID).body
	if r.err != nil || encryption.err != nil {
		return nil, fmt.Errorf("read the parameters of PBES2: %w", ErrDamaged)
	}
	c, ok := cipherByOID(string(oid), false)
	if !ok {
		return nil, fmt.Errorf("the cipher %s is not supported: %w", dotted(oid), ErrFormat)
	}
	params, err := parsePBKDF2(kdf)
	if err != nil {
		return nil, err
	}
	s := &scheme{cipher: c, kdf: params, iv: encryption.take(tagOctets).body}
	if len(s.iv) != c.ivSize || params.keySize != 0 && params.keySize != c.keySize {
		return nil, fmt.Errorf("PBES2 with a key or an initial vector of the wrong size: %w", ErrDamaged)
	}
	return s, checkParameters(r, encryption, params.rounds)
}

// checkParameters is the end of reading parameters that an edit writes anew: nothing may be left over.
func checkParameters(outer, inner *reader, rounds int) error {
	for _, r := range []*reader{inner, outer} {
		if err := r.end(); err != nil {
			return fmt.Errorf("read the parameters of an algorithm: %w", err)
		}
	}
	return checkRounds(rounds)
}

func checkRounds(rounds int) error {
	switch {
	case rounds < 1:
		return fmt.Errorf("a derivation of %d rounds: %w", rounds, ErrDamaged)
	case rounds > maxRounds:
		return fmt.Errorf("a derivation of %d rounds, at most %d are spent on a file: %w", rounds, maxRounds, ErrTooLarge)
	}
	return nil
}

// cost is the number of rounds that one decryption or encryption takes.
func (s *scheme) cost() int {
	if !s.cipher.pbe {
		return s.kdf.cost(s.cipher.keySize)
	}
	sha1, _ := digestWhere(func(d digest) bool { return d.mac == MACSHA1 })
	return deriveCost(sha1, s.kdf.rounds, s.cipher.keySize) + deriveCost(sha1, s.kdf.rounds, s.cipher.ivSize)
}

func (s *scheme) block(p password) (block cipher.Block, iv []byte, err error) {
	var key []byte
	if s.cipher.pbe {
		sha1, _ := digestWhere(func(d digest) bool { return d.mac == MACSHA1 })
		var both sync.WaitGroup // each takes as long as the other, and neither needs the other
		both.Go(func() { key = derive(sha1, p.bmp, s.kdf.salt, deriveKey, s.kdf.rounds, s.cipher.keySize) })
		iv = derive(sha1, p.bmp, s.kdf.salt, deriveIV, s.kdf.rounds, s.cipher.ivSize)
		both.Wait()
	} else {
		iv = s.iv
		if key, err = s.kdf.key(p, s.cipher.keySize); err != nil {
			return nil, nil, err
		}
	}
	block, err = s.cipher.new(key)
	return block, iv, err
}

// decrypt undoes encrypt. A padding that is none means a wrong password or damage; which one, the caller knows better,
// so the error wraps ErrPassword.
func (s *scheme) decrypt(p password, data []byte) ([]byte, error) {
	size := s.cipher.ivSize
	if len(data) == 0 || len(data)%size != 0 {
		return nil, fmt.Errorf("%d encrypted bytes, no multiple of %d: %w", len(data), size, ErrDamaged)
	}
	block, iv, err := s.block(p)
	if err != nil {
		return nil, fmt.Errorf("derive the key: %w", err)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size || !bytes.Equal(plain[len(plain)-padding:], slices.Repeat([]byte{byte(padding)}, padding)) {
		return nil, fmt.Errorf("decrypt: %w", ErrPassword)
	}
	return plain[:len(plain)-padding], nil
}

// encrypt returns the encrypted bytes of all parts of plain, one behind the other, and the AlgorithmIdentifier to stand beside them: that of s with a salt and an
// initial vector of its own.
func (s *scheme) encrypt(p password, plain ...[]byte) (data, algorithm []byte, err error) {
	fresh := *s
	fresh.kdf.salt = freshBytes(max(len(s.kdf.salt), 8))
	fresh.iv = freshBytes(s.cipher.ivSize)
	block, iv, err := fresh.block(p)
	if err != nil {
		return nil, nil, fmt.Errorf("derive the key: %w", err)
	}
	length := 0
	for _, part := range plain {
		length += len(part)
	}
	padding := s.cipher.ivSize - length%s.cipher.ivSize
	data = bytes.Join(append(plain, slices.Repeat([]byte{byte(padding)}, padding)), nil)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return data, fresh.algorithm(), nil
}

func (s *scheme) algorithm() []byte {
	if s.cipher.pbe {
		return encodeAlgorithm(s.cipher.oid, encodeElement(tagSequence,
			encodeElement(tagOctets, s.kdf.salt), encodeInteger(s.kdf.rounds)))
	}
	return encodeAlgorithm(oidPBES2, encodeElement(tagSequence,
		s.kdf.algorithm(), encodeAlgorithm(s.cipher.oid, encodeElement(tagOctets, s.iv))))
}

func freshBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, says its documentation
	return b
}

// pbkdf2Params are the parameters of PBKDF2 (RFC 8018, appendix A.2).
type pbkdf2Params struct {
	salt    []byte
	rounds  int
	keySize int // 0 where the file does not say
	prf     digest
	prfRaw  []byte // as the file has it; nil where it does not say, which means HMAC-SHA1
}

// parsePBKDF2 reads the inside of an AlgorithmIdentifier that must be PBKDF2's.
func parsePBKDF2(r *reader) (p pbkdf2Params, err error) {
	if oid := r.take(tagOID).body; r.err == nil && string(oid) != oidPBKDF2 {
		return p, fmt.Errorf("the key derivation %s is not supported: %w", dotted(oid), ErrFormat)
	}
	parameters := r.into(tagSequence)
	p.salt = parameters.take(tagOctets).body
	p.rounds = parameters.integer()
	if parameters.peek() == tagInteger {
		p.keySize = parameters.integer()
	}
	p.prf, _ = digestWhere(func(d digest) bool { return d.mac == MACSHA1 })
	if parameters.more() {
		prf := parameters.take(tagSequence)
		if p.prfRaw = prf.raw; parameters.err == nil {
			if p.prf, err = parseDigest(prf.body, true); err != nil {
				return p, err
			}
		}
	}
	return p, checkParameters(r, parameters, p.rounds)
}

func (p pbkdf2Params) cost(size int) int { return deriveCost(p.prf, p.rounds, size) }

func (p pbkdf2Params) key(pw password, size int) ([]byte, error) {
	return pbkdf2.Key(p.prf.new, string(pw.utf8), p.salt, p.rounds, size)
}

func (p pbkdf2Params) algorithm() []byte {
	parts := [][]byte{encodeElement(tagOctets, p.salt), encodeInteger(p.rounds)}
	if p.keySize != 0 {
		parts = append(parts, encodeInteger(p.keySize))
	}
	return encodeAlgorithm(oidPBKDF2, encodeElement(tagSequence, append(parts, p.prfRaw)...))
}
