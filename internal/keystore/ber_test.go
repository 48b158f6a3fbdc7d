package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// toBER rewrites DER as older tools write it: every constructed element of indefinite length, octet strings in chunks.
// Whatever lies inside octet strings stays as it is.
func toBER(t *testing.T, der []byte, chunk int) []byte {
	t.Helper()
	var out []byte
	for r := (reader{rest: der}); r.more(); {
		e := r.any()
		if r.err != nil {
			t.Fatal(r.err)
		}
		switch {
		case e.tag&constructed != 0:
			out = append(out, e.tag, 0x80)
			out = append(out, toBER(t, e.body, chunk)...)
			out = append(out, 0, 0)
		case (e.tag == tagOctets || e.tag == tagImplicit0) && len(e.body) > chunk:
			out = append(out, e.tag|constructed, 0x80)
			for at := 0; at < len(e.body); at += chunk {
				out = appendElement(out, tagOctets, e.body[at:min(at+chunk, len(e.body))])
			}
			out = append(out, 0, 0)
		default:
			out = append(out, e.raw...)
		}
	}
	return out
}

// inBER writes a store in BER, each of its layers: the MAC and the encryption cover what is rewritten.
func inBER(t *testing.T, data []byte, password string, chunk int) []byte {
	t.Helper()
	p := mustOpen(t, data, password).codec.(*pkcs12)
	var safes [][]byte
	for _, s := range p.safes {
		raws := make([][]byte, len(s.bags))
		for i, b := range s.bags {
			raws[i] = b.raw
		}
		content := toBER(t, encodeElement(tagSequence, raws...), chunk)
		if s.scheme == nil {
			safes = append(safes, contentInfo(oidData, encodeElement(tagOctets, content)))
			continue
		}
		sealed, algorithm, err := s.scheme.encrypt(p.password, content)
		if err != nil {
			t.Fatal(err)
		}
		info := encodeElement(tagSequence, encodeOID(oidData), algorithm, encodeElement(tagImplicit0, sealed))
		safes = append(safes, contentInfo(oidEncryptedData, encodeElement(tagSequence, s.prefix, info, s.suffix)))
	}
	content := toBER(t, encodeElement(tagSequence, safes...), chunk)
	var mac []byte
	if p.mac != nil {
		mac = macOver(t, p.mac, p.password, content)
	}
	return toBER(t, encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, encodeElement(tagOctets, content)), mac), chunk)
}

func macOver(t *testing.T, m *macData, p password, content []byte) []byte {
	t.Helper()
	fresh := m.fresh()
	key, err := fresh.key(p)
	if err != nil {
		t.Fatal(err)
	}
	return fresh.encode(key, content)
}

func TestBERIsReadAndLosesNothing(t *testing.T) {
	cert := newIdentity(t, "one", nil).certificate()
	var files []string
	want := make(map[string]view)
	for name, o := range quickStores() {
		if o.Format == JKS {
			continue
		}
		for _, chunk := range []int{30, 1000} {
			ber := inBER(t, mustEncode(t, mixedStore(t, o)), testPassword, chunk)
			s, err := Open(ber, testPassword)
			if err != nil {
				t.Errorf("%s in chunks of %d: %v", name, chunk, err)
				continue
			}
			before := write(t, "before", ber)
			files, want[before] = append(files, before), viewOf(s.Entries())
			if !bytes.Equal(mustEncode(t, s), ber) {
				t.Errorf("%s: an unmodified store does not encode to its input", name)
			}
			mustSet(t, s, "one", cert)
			after := write(t, "after", mustEncode(t, s))
			files, want[after] = append(files, after), want[before].with("one", TrustedCertificate, cert)
			for n := range ber {
				if _, err := Open(ber[:n], testPassword); !errors.Is(err, ErrTorn) {
					t.Fatalf("%s: %d of %d bytes: %v", name, n, len(ber), err)
				}
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

func TestBERThatIsBrokenIsDamaged(t *testing.T) {
	for name, data := range map[string]string{
		"a chunk that is a number":     "\x30\x80\x02\x01\x03\x24\x80\x02\x01\x01\x00\x00\x00\x00",
		"a chunk beyond its string":    "\x30\x80\x02\x01\x03\x24\x03\x04\x05\x01\x00\x00",
		"a definite chunk of a number": "\x30\x80\x02\x01\x03\x24\x03\x02\x01\x01\x00\x00",
		"too deep":                     "\x30\x80\x02\x01\x03" + strings.Repeat("\x30\x80", 40) + strings.Repeat("\x00\x00", 41),
	} {
		_, err := Open([]byte(data), testPassword)
		if !errors.Is(err, ErrDamaged) || name == "too deep" && !strings.Contains(err.Error(), "levels deep") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpenSSLAndThisPackageReadEachOther goes through OpenSSL's own shapes: AES-192, a key that is not encrypted, no MAC.
func TestOpenSSLAndThisPackageReadEachOther(t *testing.T) {
	leaf := newIdentity(t, "localhost", nil)
	added := newIdentity(t, "added", nil).certificate()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	certFile := write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.cert.Raw}))
	for name, args := range map[string]string{
		"its default":           "",
		"AES-192":               "-certpbe AES-192-CBC -keypbe AES-192-CBC -macalg sha512",
		"3DES within PBES2":     "-certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC -macalg sha384",
		"3DES":                  "-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1",
		"3DES with two keys":    "-certpbe PBE-SHA1-2DES -keypbe PBE-SHA1-2DES -macalg sha1",
		"RC2-128":               "-legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-RC2-128",
		"RC2-40":                "-legacy -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-RC2-40",
		"nothing encrypted":     "-certpbe NONE -keypbe NONE",
		"nothing at all":        "-certpbe NONE -keypbe NONE -nomac",
		"no MAC":                "-nomac",
		"many rounds":           "-iter 100000",
		"a MAC of one round":    "-nomaciter",
		"an empty password":     "-passout pass:",
		"a password with ümläü": "-passout pass:pässwörd-日本",
	} {
		t.Run(name, func(t *testing.T) {
			password := testPassword
			if _, chosen, ok := strings.Cut(args, "-passout pass:"); ok {
				password = chosen
			} else {
				args += " -passout pass:" + password
			}
			to := filepath.Join(t.TempDir(), "store")
			run(t, "openssl", append([]string{"pkcs12", "-export", "-inkey", keyFile, "-in", certFile, "-name", "größe", "-out", to}, strings.Fields(args)...)...)
			data := readFile(t, to)
			s := mustOpen(t, data, password)
			if key, err := s.PrivateKey("Größe", password); err != nil || !leaf.key.Equal(key) {
				t.Errorf("the key: %v", err)
			}
			if got, err := s.Leaf(""); err != nil || got.Fingerprint() != leaf.certificate().Fingerprint() {
				t.Errorf("the leaf: %v", err)
			}
			mustSet(t, s, "added", added)
			edited := mustEncode(t, s)
			checkUntouched(t, data, edited, password, "added")
			out := run(t, "openssl", "pkcs12", "-legacy", "-in", write(t, "edited", edited), "-nodes", "-passin", "pass:"+password)
			for _, want := range []string{"friendlyName: added", "CN = added", "CN = localhost", "BEGIN PRIVATE KEY"} {
				if !strings.Contains(out, want) {
					t.Errorf("OpenSSL does not see %q after the edit:\n%s", want, out)
				}
			}
		})
	}
}

// TestBothWaysOfEncodingAnEmptyPasswordAreKept: the derivation of RFC 7292 gets two zero bytes from some tools, nothing
// from others.
func TestBothWaysOfEncodingAnEmptyPasswordAreKept(t *testing.T) {
	for _, o := range newStores("") {
		if o.Format == JKS {
			continue
		}
		for _, reading := range passwords("") {
			s := mustNew(t, o)
			s.codec.(*pkcs12).password = reading
			id := newIdentity(t, "one", nil)
			if err := s.SetKey("one", id.key, []Certificate{id.certificate()}, "", testTime()); err != nil {
				t.Fatal(err)
			}
			mustSet(t, s, "added", newIdentity(t, "added", nil).certificate())
			for range 2 {
				data := mustEncode(t, s)
				s = mustOpen(t, data, "")
				if got := s.codec.(*pkcs12); o.MAC == MACSHA1 && !bytes.Equal(got.password.bmp, reading.bmp) {
					t.Errorf("%q was read as %q", reading.bmp, got.password.bmp)
				}
				if key, err := s.PrivateKey("", ""); err != nil || !id.key.Equal(key) {
					t.Error(err)
				}
				run(t, "openssl", "pkcs12", "-legacy", "-in", write(t, "store", data), "-nodes", "-passin", "pass:")
				if _, err := Open(data, "x"); o.MAC != NoMAC && !errors.Is(err, ErrPassword) {
					t.Error(err)
				}
				mustSet(t, s, "again", newIdentity(t, "again", nil).certificate())
			}
		}
	}
}
