package wso2sim

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// newUUID is a random UUID (RFC 9562, version 4), the form of every id in both products.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newClientID has the form of consumer keys: 27 characters of base64url and an "a" behind them.
func newClientID() string {
	var b [20]byte
	rand.Read(b[:])
	return b64.EncodeToString(b[:]) + "a"
}

// newSecret is a client secret.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return b64.EncodeToString(b[:]) + "a"
}

func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(hex.EncodeToString(b[:]))
}
