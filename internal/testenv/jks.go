package testenv

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"maps"
	"slices"
	"unicode/utf16"
)

// JKS makes a truststore of any bytes by alias, those too that package keystore writes into no store.
func JKS(password string, certificates map[string][]byte) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if text, ok := v.(string); ok {
				v = append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
			}
			binary.Write(&b, binary.BigEndian, v)
		}
	}
	put(uint32(0xfeedfeed), uint32(2), uint32(len(certificates)))
	for _, alias := range slices.Sorted(maps.Keys(certificates)) {
		der := certificates[alias]
		put(uint32(2), alias, uint64(0), "X.509", uint32(len(der)), der)
	}
	digest := sha1.New()
	binary.Write(digest, binary.BigEndian, utf16.Encode([]rune(password)))
	digest.Write([]byte("Mighty Aphrodite"))
	digest.Write(b.Bytes())
	return digest.Sum(b.Bytes())
}
