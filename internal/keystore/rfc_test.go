package keystore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors of RFC 2268, section 5.
func TestRC2GivesTheVectorsOfItsRFC(t *testing.T) {
	for _, v := range []struct {
		bits              int
		key, plain, crypt string
	}{
		{63, "0000000000000000", "0000000000000000", "ebb773f993278eff"},
		{64, "ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"},
		{64, "3000000000000000", "1000000000000001", "30649edf9be7d2c2"},
		{64, "88", "0000000000000000", "61a8a244adacccf0"},
		{64, "88bca90e90875a", "0000000000000000", "6ccf4308974c267f"},
		{64, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "1a807d272bbe5db1"},
		{128, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"},
		{129, "88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e", "0000000000000000", "5b78d3a43dfff1f1"},
	} {
		block := newRC2(unhex(t, v.key), v.bits)
		got := make([]byte, rc2BlockSize)
		block.Encrypt(got, unhex(t, v.plain))
		if hex.EncodeToString(got) != v.crypt {
			t.Errorf("key %s of %d bits: %x, want %s", v.key, v.bits, got, v.crypt)
		}
		block.Decrypt(got, got)
		if hex.EncodeToString(got) != v.plain {
			t.Errorf("key %s of %d bits decrypts to %x", v.key, v.bits, got)
		}
	}
}

// The files of RFC 9579, appendix A: three that are valid, three that are not.
func TestPBMAC1GivesTheVectorsOfItsRFC(t *testing.T) {
	for file, want := range map[string]error{
		"a1.p12": nil,        // HMAC and PRF with SHA-256
		"a2.p12": nil,        // HMAC with SHA-256, PRF with SHA-512
		"a3.p12": nil,        // HMAC and PRF with SHA-512
		"a4.p12": ErrDamaged, // a wrong number of rounds: the password decrypts, the MAC does not match
		"a5.p12": ErrDamaged, // a wrong salt
		"a6.p12": ErrDamaged, // no size of the key
	} {
		data, err := os.ReadFile("testdata/rfc9579/" + file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(data, "1234")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", file, err, want)
		}
		if _, err := Open(data, "12345"); want == nil && !errors.Is(err, ErrPassword) {
			t.Errorf("%s with a wrong password: %v", file, err)
		}
		if want == nil && err == nil {
			checkPBMAC1Edit(t, file, s)
		}
	}
}

// checkPBMAC1Edit proves that what is written has a MAC of the same kind, which the tested reader accepts.
func checkPBMAC1Edit(t *testing.T, file string, s *Store) {
	t.Helper()
	before := s.codec.(*pkcs12).mac
	want := viewOf(s.Entries())
	cert := newIdentity(t, "one", nil).certificate()
	mustSet(t, s, "one", cert)
	again := mustOpen(t, mustEncode(t, s), "1234")
	if d := diff(want.with("one", TrustedCertificate, cert), viewOf(again.Entries())); d != "" {
		t.Errorf("%s after an edit:\n%s", file, d)
	}
	after := again.codec.(*pkcs12).mac
	if after.pbmac1 == nil || after.pbmac1.rounds != before.pbmac1.rounds || after.pbmac1.keySize != before.pbmac1.keySize ||
		!bytes.Equal(after.pbmac1.prfRaw, before.pbmac1.prfRaw) || !bytes.Equal(after.scheme, before.scheme) ||
		!bytes.Equal(after.tail, before.tail) || bytes.Equal(after.pbmac1.salt, before.pbmac1.salt) {
		t.Errorf("%s: the MAC is of another kind after an edit", file)
	}
	if _, err := again.PrivateKey("", "1234"); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
