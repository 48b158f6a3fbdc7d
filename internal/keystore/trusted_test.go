package keystore

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

func TestTrustedAreTheCertificatesThatJavaTrusts(t *testing.T) {
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	s := mustOpen(t, writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("Twice", one), jksTrusted("twice", two), jksTrusted("ONCE", one)), testPassword)
	want := map[string]Fingerprint{"twice": two.Fingerprint(), "once": one.Fingerprint()}
	if got := s.Trusted(); !maps.Equal(got, want) {
		t.Errorf("trusted are %v, want %v", got, want)
	}
	if s.HoldsKeys() || len(s.Leaves()) > 0 {
		t.Errorf("a truststore has keys: %v", s.Leaves())
	}
	for name, o := range quickStores() {
		mixed := mixedStore(t, o)
		if got := slices.Sorted(maps.Keys(mixed.Trusted())); !slices.Equal(got, []string{"doomed", "größe-日本-𝄞", "root", "stale"}) {
			t.Errorf("%s: trusted are %q", name, got)
		}
		var want []Fingerprint
		for _, alias := range []string{"server", "other"} {
			leaf, err := mixed.Leaf(alias)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, leaf.Fingerprint())
		}
		got := mixed.Leaves() // in the order of the file, which is JKS's own
		if len(got) == 2 && got[0] == want[1] {
			slices.Reverse(got)
		}
		if !mixed.HoldsKeys() || !slices.Equal(got, want) {
			t.Errorf("%s: the leaves are %v, want %v", name, got, want)
		}
	}
	if secret := (&Store{codec: entriesOnly{list: []Entry{{Alias: "s", Kind: SecretKey}}}}); !secret.HoldsKeys() || len(secret.Leaves()) > 0 {
		t.Error("a secret key is not found")
	}
	bare := mustOpen(t, jksWithKey([]byte("no key")), testPassword)
	if !bare.HoldsKeys() || len(bare.Leaves()) > 0 {
		t.Errorf("a key without a certificate: %t, %v", bare.HoldsKeys(), bare.Leaves())
	}
}

// entriesOnly is a store that can be listed and nothing else.
type entriesOnly struct {
	codec
	list []Entry
}

func (e entriesOnly) entries() []Entry { return e.list }

func TestATrustedCertificateIsCopiedWithItsDate(t *testing.T) {
	cert := newIdentity(t, "one", nil).certificate()
	from := mustOpen(t, writeJKS(2, javaPassword(testPassword), "X.509", jksTrusted("One", cert), jksTrusted("odd", Certificate{DER: []byte("no certificate")})), testPassword)
	for name, o := range quickStores() {
		s := mustNew(t, o)
		if err := s.CopyTrusted("one", from); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := mustOpen(t, mustEncode(t, s), testPassword)
		e, err := again.Entry("one")
		if err != nil || e.Chain[0].Fingerprint() != cert.Fingerprint() || o.Format == JKS && !e.Created.Equal(testTime()) {
			t.Errorf("%s: the copy is %v, %v", name, e, err)
		}
		if err := s.CopyTrusted("absent", from); !errors.Is(err, ErrAliasNotFound) {
			t.Errorf("%s: an alias that does not exist: %v", name, err)
		}
		before := mustEncode(t, s)
		if err := s.CopyTrusted("odd", from); err == nil || string(mustEncode(t, s)) != string(before) {
			t.Errorf("%s: what Java does not read was copied: %v", name, err)
		}
	}
}
