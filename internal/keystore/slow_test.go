package keystore

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clearFile is a file without MAC and in the clear, with these bags.
func clearFile(bags []byte) []byte {
	content := encodeElement(tagSequence, contentInfo(oidData, nest(tagOctets, encodeElement(tagSequence, bags))...))
	return encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, nest(tagOctets, content)...))
}

// namedCertificate is as small as a certificate can be.
func namedCertificate(issuer, subject string) []byte {
	empty := encodeElement(tagSequence)
	tbs := encodeElement(tagSequence, encodeInteger(1), empty, encodeElement(tagSequence, []byte(issuer)), empty,
		encodeElement(tagSequence, []byte(subject)), empty)
	return encodeElement(tagSequence, tbs, empty, encodeElement(tagBitString, []byte{0}))
}

// TestNoInputTakesLong: files of two megabytes made to be slow. A second is the aim on an idle machine; ten catch what
// grows with the square of the input.
func TestNoInputTakesLong(t *testing.T) {
	const size = 2 << 20
	key := encodeElement(tagSequence, encodeOID(oidBag+"\x01"), encodeElement(tagExplicit0), encodeElement(tagSet, keyIDAttribute([]byte("1"))))
	bag := func(der []byte, attributes ...[]byte) []byte {
		return encodeElement(tagSequence, encodeOID(oidBag+"\x03"), encodeElement(tagExplicit0, certificateValue(Certificate{der})), encodeElement(tagSet, attributes...))
	}
	var chain []byte
	for i := 0; len(chain) < size/2; i++ {
		chain = append(chain, bag(namedCertificate(strconv.Itoa(i+1), strconv.Itoa(i)), keyIDAttribute([]byte("1")))...)
	}
	manyKeys := append(bytes.Repeat(key, size/2/len(key)), chain...)
	long := nameAttribute(strings.Repeat("Ä", 30_000))
	longNames := bytes.Repeat(bag(namedCertificate("a", "b"), long, trustedAttribute()), size/len(long))
	same := bag(namedCertificate("a", "b"), nameAttribute("a"), trustedAttribute())
	deep := strings.Repeat("\x30\x80", 20)
	chunks := strings.Repeat("\x24\x80\x04\x01a\x00\x00", size/8)
	cert := newIdentity(t, "one", nil).certificate()
	for name, data := range map[string][]byte{
		"many keys with a long chain":    clearFile(manyKeys),
		"long names":                     clearFile(longNames),
		"one name for all":               clearFile(bytes.Repeat(same, size/len(same))),
		"many attributes":                clearFile(bag(namedCertificate("a", "b"), bytes.Repeat(nameAttribute("a"), size/20))),
		"deep and open":                  []byte("\x30\x80\x02\x01\x03" + deep + chunks + strings.Repeat("\x00\x00", 21)),
		"deep and open, in small pieces": []byte("\x30\x80\x02\x01\x03" + strings.Repeat(deep+strings.Repeat("\x00\x00", 20), size/80)),
		"an alias for every JKS entry":   manyJKSEntries(size),
	} {
		start := time.Now()
		s, err := Open(data, testPassword)
		if err == nil {
			_ = s.SetTrusted("one", cert, testTime())
			_ = s.Delete("a")
			_, err = s.Encode()
		}
		spent := time.Since(start)
		t.Logf("%s: %s, %v", name, spent, err)
		if spent > 10*time.Second {
			t.Errorf("%s: %s", name, spent)
		}
	}
}

func manyJKSEntries(size int) []byte {
	var entries []jksEntry
	for i := range min(maxEntries, size/48) {
		entries = append(entries, jksTrusted(strconv.Itoa(i), Certificate{[]byte{0x30, 0}}))
	}
	return writeJKS(2, javaPassword(testPassword), "X.509", entries...)
}
