package keystore

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/testenv"
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

// maxTime is a guard against work that grows with the square of the input, which takes minutes on a file of two megabytes. It
// counts the time of the processor and measures no speed: each call takes less than a second on an ordinary machine.
const maxTime = 20 * time.Second

// lasts runs call and checks what time of the processor it takes.
func lasts(t *testing.T, name string, call func() error) {
	t.Helper()
	start := processorTime(t)
	err := call()
	spent := processorTime(t) - start
	t.Logf("%s: %s, %v", name, spent, err)
	if spent > maxTime {
		t.Errorf("%s: %s, %v", name, spent, err)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestNoInputTakesLong: files of two megabytes made to be slow.
func TestNoInputTakesLong(t *testing.T) {
	testenv.WithoutRace(t)
	const size = 2 << 20
	key := encodeElement(tagSequence, encodeOID(oidBag+"\x01"), encodeElement(tagExplicit0), encodeElement(tagSet, keyIDAttribute([]byte("1"))))
	bag := func(der []byte, attributes ...[]byte) []byte {
		return encodeElement(tagSequence, encodeOID(oidBag+"\x03"), encodeElement(tagExplicit0, certificateValue(Certificate{der})), encodeElement(tagSet, attributes...))
	}
	var chain []byte
	for i := 0; len(chain) < size/2; i++ { // the last is the leaf
		chain = append(chain, bag(namedCertificate(strconv.Itoa(i-1), strconv.Itoa(i)), keyIDAttribute([]byte("1")))...)
	}
	manyKeys := append(bytes.Repeat(key, size/2/len(key)), chain...)
	someKeys := append(bytes.Repeat(key, maxEntries/maxChain-1), chain...)
	// The leaf names an issuer at great length; or it is large itself.
	manyLeaves := func(der []byte) []byte {
		return append(bytes.Repeat(key, size/2/len(key)), bag(der, keyIDAttribute([]byte("1")))...)
	}
	large := bytes.Clone(namedCertificate("a", strings.Repeat("x", size/3)))
	long := nameAttribute(strings.Repeat("Ä", 30_000))
	longNames := bytes.Repeat(bag(namedCertificate("a", "b"), long, trustedAttribute()), size/len(long))
	same := bag(namedCertificate("a", "b"), nameAttribute("a"), trustedAttribute())
	deep := strings.Repeat("\x30\x80", 20)
	chunks := strings.Repeat("\x24\x80\x04\x01a\x00\x00", size/8)
	cert := newIdentity(t, "one", nil).certificate()
	for name, data := range map[string][]byte{
		"many keys with a long chain":    clearFile(manyKeys),
		"some keys with a long chain":    clearFile(someKeys),
		"many keys with a long issuer":   clearFile(manyLeaves(namedCertificate(strings.Repeat("x", size/3), "a"))),
		"many keys with a large leaf":    clearFile(manyLeaves(large)),
		"long names":                     clearFile(longNames),
		"one name for all":               clearFile(bytes.Repeat(same, size/len(same))),
		"many attributes":                clearFile(bag(namedCertificate("a", "b"), bytes.Repeat(nameAttribute("a"), size/20))),
		"deep and open":                  []byte("\x30\x80\x02\x01\x03" + deep + chunks + strings.Repeat("\x00\x00", 21)),
		"deep and open, in small pieces": []byte("\x30\x80\x02\x01\x03" + strings.Repeat(deep+strings.Repeat("\x00\x00", 20), size/80)),
		"an alias for every JKS entry":   manyJKSEntries(size),
	} {
		var s *Store
		lasts(t, name+", open", func() (err error) { s, err = Open(data, testPassword); return err })
		if s == nil {
			continue
		}
		lasts(t, name+", set", func() error { return s.SetTrusted("one", cert, testTime()) })
		lasts(t, name+", delete", func() error { return s.Delete("a") })
		lasts(t, name+", encode", func() error { _, err := s.Encode(); return err })
	}
}

// BenchmarkMostRounds derives keys with as many rounds as one file may ask for, with each hash.
func BenchmarkMostRounds(b *testing.B) {
	for _, d := range digests() {
		m := &macData{digest: d, pbmac1: &pbkdf2Params{salt: []byte("saltsalt"), rounds: maxRounds, keySize: d.new().Size(), prf: d}}
		b.Run(cmp.Or(string(d.mac), "SHA-256"), func(b *testing.B) {
			for b.Loop() {
				if _, err := m.key(passwords(testPassword)[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func manyJKSEntries(size int) []byte {
	var entries []jksEntry
	for i := range min(maxEntries, size/48) {
		entries = append(entries, jksTrusted(strconv.Itoa(i), Certificate{[]byte{0x30, 0}}))
	}
	return writeJKS(2, javaPassword(testPassword), "X.509", entries...)
}
