package keystore

// encode writes the file. Safes that were not changed are written from the bytes that were read.
func (p *pkcs12) encode() ([]byte, error) {
	if err := p.checkCost(); err != nil {
		return nil, err
	}
	parts := make([][]byte, len(p.safes))
	for i, s := range p.safes {
		if s.raw == nil {
			var err error
			if s.raw, err = s.encode(p.password); err != nil {
				return nil, err
			}
		}
		parts[i] = s.raw
	}
	content := encodeElement(tagSequence, parts...)
	var mac []byte
	if p.mac != nil {
		var err error
		if mac, err = p.mac.encode(p.password, content); err != nil {
			return nil, err
		}
	}
	file := encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, octetString(content)...), mac)
	return append(file, p.trailing...), nil
}

// encode writes a ContentInfo, encrypted as it was before.
func (s *safe) encode(pw password) ([]byte, error) {
	raws := make([][]byte, len(s.bags))
	for i, b := range s.bags {
		raws[i] = b.raw
	}
	content := encodeElement(tagSequence, raws...)
	if s.scheme == nil {
		return contentInfo(oidData, octetString(content)...), nil
	}
	data, algorithm, err := s.scheme.encrypt(pw, content)
	if err != nil {
		return nil, err
	}
	info := encodeElement(tagSequence, encodeOID(oidData), algorithm, encodeElement(tagImplicit0, data))
	return contentInfo(oidEncryptedData, encodeElement(tagSequence, s.prefix, info, s.suffix)), nil
}

// contentInfo writes a ContentInfo around content, which is given in parts so that it is copied only once.
func contentInfo(oid string, content ...[]byte) []byte {
	length := 0
	for _, part := range content {
		length += len(part)
	}
	before := [][]byte{encodeOID(oid), appendHeader(nil, tagExplicit0, length)}
	return encodeElement(tagSequence, append(before, content...)...)
}

// octetString is an OCTET STRING in two parts.
func octetString(content []byte) [][]byte {
	return [][]byte{appendHeader(nil, tagOctets, len(content)), content}
}
