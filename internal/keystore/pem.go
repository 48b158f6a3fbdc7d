package keystore

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"wso2agent/internal/javacert"
	"wso2agent/internal/remedy"
)

// What callers distinguish of a file in PEM with errors.Is. All errors about PEM are worded to follow the name of the file.
var (
	// ErrPEMEmpty: there is nothing but white space.
	ErrPEMEmpty = errors.New("is empty")
	// ErrPEMTorn: a block has a beginning and no end, or cannot be read, as in a file that somebody is writing.
	ErrPEMTorn = errors.New("is cut off or damaged")
	// ErrPEMKey: there is a private key. What to do about it depends on where the file lies.
	ErrPEMKey = errors.New("holds a private key")
)

// maxPEM is the most bytes of PEM that are read. A published file has the same limit.
const maxPEM = 64 << 10

// PEM says which certificates a file in PEM may hold. It refuses everything else, and a private key by name: somebody has to
// learn that it lies there.
type PEM struct {
	Max    int  // certificates
	Strict bool // refuse text behind the last certificate: openssl and people write it, agents do not
	Bundle bool // accept certificates that Java does not read: a bundle of public CAs may hold some
}

// Certificates returns the certificates in data, at least one, in their order.
func (p PEM) Certificates(data []byte) (certs []Certificate, err error) {
	blocks, rest, err := splitPEM(data)
	for _, b := range blocks { // also if the file is cut off
		if strings.HasSuffix(b.Type, "PRIVATE KEY") {
			return nil, ErrPEMKey
		}
	}
	if err != nil {
		return nil, err
	}
	if len(blocks) > p.Max {
		return nil, fmt.Errorf("holds %d certificates, more than %d", len(blocks), p.Max)
	}
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a %.40q; only certificates belong there", b.Type)
		}
		if err := javacert.Check(b.Bytes); err != nil && !p.Bundle {
			return nil, fmt.Errorf("holds a %w", err)
		}
		certs = append(certs, Certificate{DER: b.Bytes})
	}
	if p.Strict && len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w, or has text behind its last certificate", ErrPEMTorn)
	}
	return certs, nil
}

// PEMBlocks splits PEM into its blocks, at least one. There may be any text between them, as openssl writes it. With ErrPEMTorn it
// returns the blocks that it could read.
func PEMBlocks(data []byte) ([]*pem.Block, error) {
	blocks, _, err := splitPEM(data)
	return blocks, err
}

func splitPEM(data []byte) (blocks []*pem.Block, rest []byte, err error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, ErrPEMEmpty
	}
	if len(data) > maxPEM {
		return nil, nil, fmt.Errorf("has %d bytes, more than %d", len(data), maxPEM)
	}
	begun := bytes.Count(data, []byte("-----BEGIN "))
	block, rest := pem.Decode(data)
	for ; block != nil; block, rest = pem.Decode(rest) {
		blocks = append(blocks, block)
	}
	switch {
	case begun == 0:
		return nil, nil, remedy.Add(errors.New("is not PEM"),
			"convert it from DER with openssl, a certificate with: openssl x509 -inform DER -in FILE -out FILE.pem")
	case len(blocks) != begun: // the decoder skips what it cannot read
		return blocks, nil, ErrPEMTorn
	}
	return blocks, rest, nil
}

// PEM returns the certificate in PEM.
func (c Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})
}
