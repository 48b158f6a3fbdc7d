package keystore

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// maxMemory is the most that one call may allocate, in bytes, counting also what is freed on the way.
const maxMemory = 64 << 20

// takes runs call and checks what it allocates.
func takes(t *testing.T, name string, call func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := call()
	runtime.ReadMemStats(&after)
	spent := after.TotalAlloc - before.TotalAlloc
	t.Logf("%s: %d MiB, %v", name, spent>>20, err)
	if spent > maxMemory {
		t.Errorf("%s: %d MiB, %v", name, spent>>20, err)
	}
}

// TestNoInputTakesMuchMemory tries files as large as allowed, each made to be copied, listed or indexed at great cost.
func TestNoInputTakesMuchMemory(t *testing.T) {
	testenv.WithoutRace(t)
	cert := newIdentity(t, "one", nil).certificate()
	for name, data := range hungryFiles(t) {
		if len(data) > maxBytes {
			t.Fatalf("%s has %d bytes", name, len(data))
		}
		var s *Store
		takes(t, name+", open", func() (err error) { s, err = Open(data, testPassword); return err })
		if s == nil {
			continue
		}
		takes(t, name+", list", func() error { s.Entries(); return nil })
		takes(t, name+", set", func() error { return s.SetTrusted("one", cert, testTime()) })
		takes(t, name+", encode", func() error { _, err := s.Encode(); return err })
		takes(t, name+", encode again", func() error { _, err := s.Encode(); return err })
		takes(t, name+", delete", func() error { return s.Delete("one") })
	}
}

// hungryBags are contents of PKCS#12 files. Those that go beyond a cap are here, too: to find out must not cost much.
func hungryBags() map[string][]byte {
	bag := func(kind byte, value []byte, attributes ...[]byte) []byte {
		return encodeElement(tagSequence, encodeOID(oidBag+string([]byte{kind})), encodeElement(tagExplicit0, value), encodeElement(tagSet, attributes...))
	}
	cert := func(der []byte, attributes ...[]byte) []byte {
		return bag(bagCertificate, certificateValue(Certificate{der}), attributes...)
	}
	key := func(id string) []byte { return bag(bagKey, nil, keyIDAttribute([]byte(id))) }
	const most = maxBytes - 1000
	many := func(n int, f func(i string) []byte) []byte {
		var out bytes.Buffer
		for i := range n {
			b := f(strconv.Itoa(i))
			if out.Len()+len(b) > most {
				break
			}
			out.Write(b)
		}
		return out.Bytes()
	}
	chained := func(i string) []byte {
		n, _ := strconv.Atoi(i)
		return cert(namedCertificate(strconv.Itoa(n-1), i), keyIDAttribute([]byte("1"))) // the last is the leaf
	}
	return map[string][]byte{
		"one large bag":     bag(99, make([]byte, most-100)),
		"many small bags":   many(maxEntries-1, func(string) []byte { return bag(bagSecret, nil) }),
		"one long name":     bag(bagSecret, nil, nameAttribute(strings.Repeat("一", most/2-100))),
		"many names of one": bag(bagSecret, nil, many(3000, func(string) []byte { return nameAttribute(strings.Repeat("一", 1000)) })),
		"long names":        many(1700, func(i string) []byte { return bag(bagSecret, nil, nameAttribute(strings.Repeat("一", 1000)+i)) }),
		"many trusted": many(maxEntries-1, func(i string) []byte {
			return cert(namedCertificate("a", i), nameAttribute(strings.Repeat("x", 70)+i), trustedAttribute())
		}),
		"many certificates and a key": append(key("1"), many(maxEntries-2, func(i string) []byte {
			n, _ := strconv.Atoi(i)
			return cert(namedCertificate(strconv.Itoa(n-1), i+strings.Repeat("x", 70)), nameAttribute(i), keyIDAttribute([]byte(i)))
		})...),
		"many keys with a long chain": append(many(maxEntries-50, func(string) []byte { return key("1") }), many(40, chained)...),
		"some keys with a long chain": append(many(maxEntries/maxChain-1, func(string) []byte { return key("1") }), many(40, chained)...),
		"as many keys as certificates": append(many(maxEntries/2-1, key), many(maxEntries/2-1, func(i string) []byte {
			return cert(namedCertificate("a", i), keyIDAttribute([]byte(i)), nameAttribute(i))
		})...),
		"long identifiers": append(key("1"), many(maxEntries, func(i string) []byte {
			return cert(namedCertificate("a", i), keyIDAttribute(bytes.Repeat([]byte(i), 1000)))
		})...),
	}
}

// hungryFiles has those in the clear and encrypted, and as much BER as is let through.
func hungryFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{
		"JKS that announces gigabytes": []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff"),
		"zeros as many as allowed":     append([]byte("\x30\x83\xff\xff\xfb\x02\x01\x03"), make([]byte, maxBytes-8)...),
		"deep in BER": []byte("\x30\x80\x02\x01\x03" + strings.Repeat("\x30\x80", 20) +
			strings.Repeat("\x04\x82\x01\x00"+strings.Repeat("x", 256), 60_000)),
		"JKS with one large certificate": hungryJKS(1, "", maxBytes-1000),
		"JKS with many entries":          hungryJKS(maxEntries-1, "", 150),
		"JKS with wide aliases":          hungryJKS(maxEntries-1, strings.Repeat("一", 20), 100),
		"JKS with long aliases":          hungryJKS(80, strings.Repeat("一", 21_000), 1000),
		"JKS with aliases beyond":        hungryJKS(200, strings.Repeat("x", 65_000), 2),
	}
	for name, bags := range hungryBags() {
		list := encodeElement(tagSequence, bags)
		files[name] = clearFile(bags)
		files[name+", encrypted"] = sealedFile(t, list)
	}
	secrets := func(n int) []byte {
		secret := encodeElement(tagSequence, encodeOID(oidBag+"\x05"), encodeElement(tagExplicit0))
		return toBER(t, encodeElement(tagSequence, bytes.Repeat(secret, n)), 1000)
	}
	files["entries in BER"] = sealedFile(t, secrets(maxEntries-1))
	files["all in BER"] = toBER(t, sealedFile(t, secrets(maxEntries/2)), 1000)
	return files
}

// sealedFile is a file without MAC, with this encrypted.
func sealedFile(t *testing.T, list []byte) []byte {
	t.Helper()
	data, algorithm, err := newScheme(oidAES+"\x2a", false, 1).encrypt(passwords(testPassword)[0], list)
	if err != nil {
		t.Fatal(err)
	}
	info := encodeElement(tagSequence, encodeOID(oidData), algorithm, encodeElement(tagImplicit0, data))
	content := encodeElement(tagSequence, contentInfo(oidEncryptedData, encodeElement(tagSequence, encodeInteger(0), info)))
	return encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, encodeElement(tagOctets, content)))
}

// hungryJKS has as many trusted certificates as asked for and allowed.
func hungryJKS(n int, alias string, size int) []byte {
	var entries []jksEntry
	total := 0
	for i := range n {
		e := jksTrusted(alias+strconv.Itoa(i), Certificate{make([]byte, size)})
		if total += len(e.rawAlias) + size + 25; total > maxBytes-100 {
			break
		}
		entries = append(entries, e)
	}
	return writeJKS(2, javaPassword(testPassword), "X.509", entries...)
}

// TestWhatCostsMemoryIsCapped: what one can multiply without making the file larger, and what is copied.
func TestWhatCostsMemoryIsCapped(t *testing.T) {
	bag := func(kind byte, value []byte, attribute []byte) []byte {
		return encodeElement(tagSequence, encodeOID(oidBag+string([]byte{kind})), encodeElement(tagExplicit0, value), encodeElement(tagSet, attribute))
	}
	var chain []byte
	for i := range maxChain {
		chain = append(chain, bag(bagCertificate, certificateValue(Certificate{namedCertificate(strconv.Itoa(i-1), strconv.Itoa(i))}), keyIDAttribute([]byte("1")))...)
	}
	keys := func(n int) []byte {
		return clearFile(append(bytes.Repeat(bag(bagKey, nil, keyIDAttribute([]byte("1"))), n), chain...))
	}
	secrets := func(sizes ...int) []byte {
		var list []byte
		for _, size := range sizes {
			list = append(list, bag(bagSecret, nil, nameAttribute(strings.Repeat("x", size)))...)
		}
		return clearFile(list)
	}
	inBER := func(size int) []byte {
		return sealedFile(t, toBER(t, encodeElement(tagSequence, bag(99, encodeElement(tagOctets, make([]byte, size)), nil)), maxBytes))
	}
	long := strings.Repeat("x", 1<<15)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"as many links as allowed":          {keys(maxEntries / maxChain), nil},
		"a link too many":                   {keys(maxEntries/maxChain + 1), ErrTooLarge},
		"as many letters as allowed":        {secrets(1, maxNames-1), nil},
		"a letter too many":                 {secrets(1, maxNames), ErrTooLarge},
		"as many letters in JKS as allowed": {hungryJKS(maxNames>>15-1, long, 2), nil},
		"too many letters in JKS":           {hungryJKS(maxNames>>15, long, 2), ErrTooLarge},
		"as much BER as allowed":            {inBER(maxBER - 100), nil},
		"too much BER":                      {inBER(maxBER), ErrTooLarge},
	} {
		if _, err := Open(c.data, testPassword); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if e := mustOpen(t, keys(1), testPassword).Entries()[0]; len(e.Chain) != maxChain {
		t.Errorf("a chain of %d certificates", len(e.Chain))
	}
}
