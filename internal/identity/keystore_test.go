package identity

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

func TestAnIdentityComesBackFromItsKeystore(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	between := newCA(t, "between", &root, nil)
	for _, o := range []Spec{{}, {Key: RSA2048}, between.spec(t)} {
		for _, format := range []keystore.Format{keystore.PKCS12, keystore.JKS} {
			id := mustIssue(t, o, "wso2am")
			data, err := id.Encode(format, "tls", password)
			if err != nil {
				t.Fatal(err)
			}
			for _, alias := range []string{"tls", "TLS", ""} {
				got, err := FromKeystore(data, password, alias)
				if err != nil || !keystore.Belongs(got.key, id.leaf) || !got.SameChain(id) || !Same(&got, &id) {
					t.Errorf("%s: a chain of %d, %v", format, len(got.Chain), err)
				}
				if reason := got.Stale(Spec{Names: []string{"wso2am"}, Key: o.Key, CA: o.CA, RenewBefore: time.Hour}, day()); reason != "" {
					t.Errorf("%s: stale: %s", format, reason)
				}
			}
			if _, err := FromKeystore(data, "wrong", "tls"); !errors.Is(err, keystore.ErrPassword) {
				t.Errorf("%s with a wrong password: %v", format, err)
			}
			if _, err := FromKeystore(data, password, "other"); !errors.Is(err, keystore.ErrAliasNotFound) {
				t.Errorf("%s under another alias: %v", format, err)
			}
			if _, err := FromKeystore(data[:len(data)/2], password, "tls"); err == nil {
				t.Errorf("half of a %s store is read", format)
			}
		}
	}
	if _, err := mustIssue(t, Spec{}, "a").Encode("BKS", "tls", password); !errors.Is(err, keystore.ErrFormat) {
		t.Errorf("a format unknown: %v", err)
	}
}

func TestALoadedKeyMustBeThatOfItsCertificate(t *testing.T) {
	store := plainStore(t, keystore.PKCS12)
	key, leaf := keyPair(t, template("key"))
	_, other := keyPair(t, template("key"))
	if err := store.SetKey("tls", key, []keystore.Certificate{leaf}, password, day()); err != nil {
		t.Fatal(err)
	}
	data := bytes.ReplaceAll(encode(t, store), leaf.DER, other.DER)
	if _, err := FromKeystore(data, password, "tls"); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("error = %v", err)
	}
}
