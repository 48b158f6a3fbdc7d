package keystore

import (
	"bytes"
	"errors"
	"slices"
	"sync"
)

// encode writes the file. Safes that were not changed are written from the bytes that were read.
//
// The key of the MAC is derived while the safes are encrypted: it does not depend on them, and takes as long.
func (p *pkcs12) encode() ([]byte, error) {
	if err := p.checkCost(); err != nil {
		return nil, err
	}
	var mac *macData
	var macKey []byte
	var macErr error
	var deriving sync.WaitGroup
	if p.mac != nil && (p.macRaw == nil || slices.ContainsFunc(p.safes, func(s *safe) bool { return s.raw == nil })) {
		mac = p.mac.fresh()
		deriving.Go(func() { macKey, macErr = mac.key(p.password) })
	}
	safes, err := p.encodeSafes()
	deriving.Wait()
	if err := errors.Join(err, macErr); err != nil {
		return nil, err
	}
	content := nest(tagSequence, safes...)
	if mac != nil {
		p.macRaw = mac.encode(macKey, content...)
	}
	parts := [][]byte{encodeInteger(3)}
	parts = append(parts, nestInfo(oidData, nest(tagOctets, content...)...)...)
	parts = append(parts, p.macRaw)
	return bytes.Join(append(nest(tagSequence, parts...), p.trailing), nil), nil
}

func (p *pkcs12) encodeSafes() ([][]byte, error) {
	safes := make([][]byte, len(p.safes))
	for i, s := range p.safes {
		if s.raw == nil {
			var err error
			if s.raw, err = s.encode(p.password); err != nil {
				return nil, err
			}
		}
		safes[i] = s.raw
	}
	return safes, nil
}

// encode writes a ContentInfo, encrypted as it was before.
func (s *safe) encode(pw password) ([]byte, error) {
	raws := make([][]byte, len(s.bags))
	for i, b := range s.bags {
		raws[i] = b.raw
	}
	if s.scheme == nil {
		return contentInfo(oidData, nest(tagOctets, nest(tagSequence, raws...)...)...), nil
	}
	data, algorithm, err := s.scheme.encrypt(pw, nest(tagSequence, raws...)...)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{s.prefix}
	parts = append(parts, nest(tagSequence, append([][]byte{encodeOID(oidData), algorithm}, nest(tagImplicit0, data)...)...)...)
	parts = append(parts, s.suffix)
	return contentInfo(oidEncryptedData, nest(tagSequence, parts...)...), nil
}

// nest puts a header before what may be many parts, so that a store of megabytes is copied once and not at every level.
func nest(tag byte, parts ...[]byte) [][]byte {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	return append([][]byte{appendHeader(nil, tag, length)}, parts...)
}

// nestInfo is a ContentInfo around content.
func nestInfo(oid string, content ...[]byte) [][]byte {
	return nest(tagSequence, append([][]byte{encodeOID(oid)}, nest(tagExplicit0, content...)...)...)
}

func contentInfo(oid string, content ...[]byte) []byte {
	return bytes.Join(nestInfo(oid, content...), nil)
}
