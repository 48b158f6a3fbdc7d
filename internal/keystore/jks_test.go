package keystore

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// writeJKS writes trusted certificates the way a program other than this one may: any version, any spelling.
func writeJKS(version uint32, password []byte, certType string, entries ...jksEntry) []byte {
	be := binary.BigEndian
	data := []byte("\xfe\xed\xfe\xed")
	data = be.AppendUint32(data, version)
	data = be.AppendUint32(data, uint32(len(entries)))
	for _, e := range entries {
		data = be.AppendUint32(data, jksTrustedTag)
		data = append(be.AppendUint16(data, uint16(len(e.rawAlias))), e.rawAlias...)
		data = be.AppendUint64(data, uint64(e.Created.UnixMilli()))
		if version == 2 {
			data = append(be.AppendUint16(data, uint16(len(certType))), certType...)
		}
		data = append(be.AppendUint32(data, uint32(len(e.Chain[0].DER))), e.Chain[0].DER...)
	}
	return signJKS(data, password)
}

// signJKS adds the digest over a JKS file, with the salt that sun.security.provider.JavaKeyStore takes.
func signJKS(data, password []byte) []byte {
	digest := sha1.New()
	digest.Write(password)
	digest.Write([]byte("Mighty Aphrodite"))
	digest.Write(data)
	return digest.Sum(bytes.Clone(data))
}

// jksWithKey is a file with one key and no certificate, whatever the key's bytes are.
func jksWithKey(key []byte) []byte {
	data := []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x03key")
	data = append(data, make([]byte, 8)...)
	data = append(binary.BigEndian.AppendUint32(data, uint32(len(key))), key...)
	return signJKS(append(data, 0, 0, 0, 0), javaPassword(testPassword))
}

func javaPassword(text string) []byte { return encodeUTF16(text) }

func jksTrusted(alias string, c Certificate) jksEntry {
	return jksEntry{Entry: Entry{Kind: TrustedCertificate, Chain: []Certificate{c}, Created: testTime()}, rawAlias: encodeJavaUTF8(alias)}
}

func TestJKSOfOtherWritersSurvivesAnEdit(t *testing.T) {
	one, two, added := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate(), newIdentity(t, "added", nil).certificate()
	var files []string
	want := make(map[string]view)
	for name, data := range map[string][]byte{
		"version 1":                writeJKS(1, javaPassword(testPassword), "", jksTrusted("one", one), jksTrusted("two", two)),
		"a certificate type X.509": writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("one", one), jksTrusted("two", two)),
		"a certificate type X509":  writeJKS(2, javaPassword(testPassword), "X509", jksTrusted("one", one), jksTrusted("two", two)),
		"wide aliases":             writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("𝄞 größe", one), jksTrusted("a\x00b", two)),
		"bytes behind the end":     append(writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("one", one), jksTrusted("two", two)), "\n"...),
	} {
		s := mustOpen(t, data, testPassword)
		if !bytes.Equal(mustEncode(t, s), data) {
			t.Errorf("%s: an unmodified store does not encode to its input", name)
		}
		before := viewOf(s.Entries())
		mustSet(t, s, "added", added)
		edited := mustEncode(t, s)
		if name == "bytes behind the end" && !bytes.HasSuffix(edited, []byte("\n")) {
			t.Errorf("%s were lost", name)
		}
		if name == "a certificate type X509" && bytes.Count(edited, []byte("\x00\x04X509")) != 2 {
			t.Errorf("%s: the types were changed", name)
		}
		file := write(t, "store", edited)
		files, want[file] = append(files, file), before.with("added", TrustedCertificate, added)
		for _, e := range mustOpen(t, edited, testPassword).Entries() {
			if !e.Created.Equal(testTime()) {
				t.Errorf("%s: %s was created %s", name, e.Alias, e.Created)
			}
		}
	}
	views := javaViews(t, testPassword, files...)
	for _, file := range files {
		if d := diff(want[file], views[file]); d != "" {
			t.Errorf("%s, as Java sees it:\n%s", filepath.Base(file), d)
		}
	}
}

// TestJKSAliasesWithCapitals: other writers than Java keep capitals. Two that differ in case only are two entries.
func TestJKSAliasesWithCapitals(t *testing.T) {
	one, two, three := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate(), newIdentity(t, "three", nil).certificate()
	s := mustOpen(t, writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("Peer", one), jksTrusted("other", two)), testPassword)
	mustSet(t, s, "peer", three)
	if e, err := s.Entry("PEER"); err != nil || e.Alias != "Peer" || !bytes.Equal(e.Chain[0].DER, three.DER) || len(s.Entries()) != 2 {
		t.Errorf("replaced as %q, %v", e.Alias, err)
	}
	s = mustOpen(t, mustEncode(t, s), testPassword)
	if err := s.Delete("pEER"); err != nil || len(s.Entries()) != 1 {
		t.Errorf("%d entries left, %v", len(s.Entries()), err)
	}
	s = mustOpen(t, writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("Peer", one), jksTrusted("peer", two)), testPassword)
	mustSet(t, s, "added", three)
	if s = mustOpen(t, mustEncode(t, s), testPassword); len(s.Entries()) != 3 {
		t.Errorf("%d entries are left", len(s.Entries()))
	}
}

func TestAJKSAliasThatStandsTwiceIsDamage(t *testing.T) {
	one := newIdentity(t, "one", nil).certificate()
	data := writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("one", one), jksTrusted("one", one))
	if _, err := Open(data, testPassword); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func TestJKSPasswordsBeyondASCII(t *testing.T) {
	one := newIdentity(t, "one", nil).certificate()
	data := writeJKS(2, javaPassword("größe"), "X.509", jksTrusted("one", one))
	s := mustOpen(t, data, "größe")
	mustSet(t, s, "two", newIdentity(t, "two", nil).certificate())
	if views := javaViews(t, "größe", write(t, "store", mustEncode(t, s))); len(views) != 1 {
		t.Errorf("Java sees %v", views)
	}
	data = writeJKS(2, javaPassword("日本"), "X.509", jksTrusted("one", one))
	if _, err := Open(data, "日本"); !errors.Is(err, ErrPassword) || !strings.Contains(err.Error(), "Latin-1") {
		t.Errorf("a password beyond Latin-1: %v", err)
	}
}

// TestAJKSKeyThatIsNoneIsAnError: keystore-go panics on the shortest.
func TestAJKSKeyThatIsNoneIsAnError(t *testing.T) {
	id := newIdentity(t, "one", nil)
	s := mustNew(t, quick(JKS))
	if err := s.SetKey("one", id.key, []Certificate{id.certificate()}, testPassword, testTime()); err != nil {
		t.Fatal(err)
	}
	algorithm := encodeElement(tagSequence, encodeOID("\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01"), encodeElement(tagNull))
	other := encodeElement(tagSequence, encodeOID(oidPBE+"\x03"), encodeElement(tagNull))
	for name, c := range map[string]struct {
		key  []byte
		want error
	}{
		"nothing":            {[]byte{}, ErrDamaged},
		"no ASN.1":           {[]byte("key"), ErrDamaged},
		"shorter than salt":  {encodeElement(tagSequence, algorithm, encodeElement(tagOctets, make([]byte, 10))), ErrDamaged},
		"salt and digest":    {encodeElement(tagSequence, algorithm, encodeElement(tagOctets, make([]byte, 40))), ErrDamaged},
		"another algorithm":  {encodeElement(tagSequence, other, encodeElement(tagOctets, make([]byte, 80))), ErrFormat},
		"another password's": {encodeElement(tagSequence, algorithm, encodeElement(tagOctets, make([]byte, 80))), ErrPassword},
		"very long":          {encodeElement(tagSequence, algorithm, encodeElement(tagOctets, make([]byte, 1<<20))), ErrTooLarge},
	} {
		j := s.codec.(*jks)
		j.list[0].key = c.key
		if name == "another password's" {
			j = mustOpen(t, mustEncode(t, s), testPassword).codec.(*jks)
			if _, err := j.privateKey(0, "another"); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, err := s.PrivateKey("one", testPassword); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestJavaUTF8(t *testing.T) {
	for _, text := range []string{"", "wso2is", "größe", "日本", "𝄞", "a\x00b"} {
		raw := encodeJavaUTF8(text)
		if back, ok := decodeJavaUTF8(raw); !ok || back != text {
			t.Errorf("%q became %q", text, back)
		}
	}
	for raw, text := range map[string]string{"\xed\xa0\xb4a": "\ufffda", "\xed\xa0\xb4": "\ufffd", "\xed\xb4\x9ea": "\ufffda"} {
		if got, ok := decodeJavaUTF8(raw); !ok || got != text {
			t.Errorf("half a pair of surrogates, %x, was read as %q, %t", raw, got, ok)
		}
	}
	for _, raw := range []string{"\x80", "\xc3", "\xe6\x97", "\xc3\x28", "\xf0\x9d\x84\x9e", "\xff"} {
		if text, ok := decodeJavaUTF8(raw); ok {
			t.Errorf("%x was read as %q", raw, text)
		}
	}
}
