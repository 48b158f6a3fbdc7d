package trust

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// nameless is a certificate that Java does not read.
func nameless(t *testing.T) keystore.Certificate {
	t.Helper()
	der, _ := testenv.NamelessCA(t)
	return keystore.Certificate{DER: der}
}

// TestWhatJavaRefusesEntersNowhere has every way by which a certificate comes into a store, or to peers.
func TestWhatJavaRefusesEntersNowhere(t *testing.T) {
	bad := nameless(t)
	hugeDER, leafDER, _ := testenv.HugeCA(t)
	huge, leaf := keystore.Certificate{DER: hugeDER}, keystore.Certificate{DER: leafDER}
	good := certificate(t, "wso2is")
	e := Exchange{Dir: t.TempDir(), Name: "wso2is"}
	published := func(base string, certs ...keystore.Certificate) error {
		t.Helper()
		dir := filepath.Join(e.Dir, "peer")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var data []byte
		for _, c := range certs {
			data = append(data, certPEM(c.DER)...)
		}
		if err := os.WriteFile(filepath.Join(dir, base), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if base == certsFile {
			got, err := e.Certificates(t.Context(), "peer")
			if err != nil && got != nil {
				t.Error("certificates and an error")
			}
			return err
		}
		_, _, err := e.CA(t.Context(), "peer", leaf)
		return err
	}
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, certPEM(bad.DER), 0o600); err != nil {
		t.Fatal(err)
	}
	second := func(_ any, err error) error { return err }
	store := place(t, encode(t, lintStore(t, keystore.PKCS12)))
	before, _ := os.ReadFile(store.Path)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"published by a peer":       {published(certsFile, bad), "refused: it holds a certificate SHA-256"},
		"second of a peer":          {published(certsFile, good, bad), "its issuer has no name"},
		"a peer's CA":               {published(caFile, huge), "its RSA key has 300000 bits"},
		"a CA of another place":     {CheckCA(leaf, huge), "it has not signed the leaf"},
		"published by this server":  {second(e.Publish([]keystore.Certificate{good, bad})), "publish a certificate of this server"},
		"the CA of this server":     {second(e.PublishCA(&bad)), "publish the CA of this server"},
		"read for a person":         {second(ReadCertificate(file)), file},
		"imported by a person":      {second(editorOf(store).Set(t.Context(), "peer", bad, true)), "its issuer has no name"},
		"imported, whoever read it": {thirdError(importPeers(t.Context(), store, peerCerts{"wso2is": {bad}}, "own", []string{"wso2is"}, workDir(store))), store.Path},
	} {
		wraps := errors.Is(c.err, javacert.ErrRefused) || name == "a CA of another place" // which says no more than that
		if c.err == nil || !wraps || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	if after, _ := os.ReadFile(store.Path); !bytes.Equal(before, after) {
		t.Error("the store has changed")
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "wso2is")); len(left) > 0 {
		t.Errorf("published anyway: %v", left)
	}
}

func thirdError(_ map[string]string, _ []Change, err error) error { return err }

func mustParse(t *testing.T, c keystore.Certificate) *x509.Certificate {
	t.Helper()
	parsed, err := c.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestAStoreThatJavaDoesNotLoadIsReportedAndKept: the agent's own entries go, a person's stay, and nothing is imported next to
// them.
func TestAStoreThatJavaDoesNotLoadIsReportedAndKept(t *testing.T) {
	bad := nameless(t)
	other, peer := certificate(t, "users-ca"), certificate(t, "wso2is")
	data := testenv.JKS(password, map[string][]byte{"users-ca": other.DER, "broken": bad.DER})
	found, report := lint(t, "store.jks", data, password)
	if !slices.Contains(found, "error java broken") || !report.Failed() {
		t.Errorf("certs check finds %q", found)
	}
	s := place(t, data)
	_, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": {peer}}, "own", []string{"wso2is"}, workDir(s))
	if !errors.Is(err, javacert.ErrRefused) || !strings.Contains(err.Error(), `"broken": certificate SHA-256`) || !strings.Contains(err.Error(), "agent certs delete") {
		t.Errorf("the import says %v", err)
	}
	if after, _ := os.ReadFile(s.Path); !bytes.Equal(after, data) {
		t.Error("the store has changed")
	}
	if _, err := OwnLeaf(t.Context(), []string{s.Path}, password, ""); !errors.Is(err, javacert.ErrRefused) && !errors.Is(err, keystore.ErrAliasNotFound) {
		t.Errorf("the own leaf: %v", err)
	}
	if _, err := editorOf(s).Delete(t.Context(), "broken"); err != nil {
		t.Errorf("the remedy does not work: %v", err)
	}

	s = place(t, testenv.JKS(password, map[string][]byte{"users-ca": other.DER, "wso2is": bad.DER}))
	m, changes, err := importPeers(t.Context(), s, peerCerts{}, "own", []string{"wso2is"}, workDir(s))
	if err != nil || len(m) != 0 || len(changes) != 1 || changes[0].Action != "removed" || changes[0].Alias != "wso2is" {
		t.Errorf("the agent's own entry: %v, %v, %v", m, changes, err)
	}
	if got := entries(t, s); len(got) != 1 || !strings.HasSuffix(got["users-ca"], other.Fingerprint().String()) {
		t.Errorf("left are %v", got)
	}
}

// TestWhatAPeerPublishesMakesNoLongErrors: they are logged at every pass.
func TestWhatAPeerPublishesMakesNoLongErrors(t *testing.T) {
	e := Exchange{Dir: t.TempDir(), Name: "own"}
	if err := os.Mkdir(filepath.Join(e.Dir, "peer"), 0o755); err != nil {
		t.Fatal(err)
	}
	url := template("peer")
	url.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: generalName(6, "http://["+strings.Repeat("a", 20_000))}}
	for name, c := range map[string]struct {
		base string
		data []byte
	}{
		"a label":                {certsFile, pem.EncodeToMemory(&pem.Block{Type: strings.Repeat("A", 30_000), Bytes: []byte("x")})},
		"a URL in a certificate": {certsFile, certPEM(self(t, url).DER)},
		"a number":               {trustsFile, []byte(`{"generation": ` + strings.Repeat("1", 50_000) + `}`)},
		"a name of a file":       {closingFile, []byte(`{"allScopes": ` + strings.Repeat("1", 50_000) + `}`)},
	} {
		path := filepath.Join(e.Dir, "peer", c.base)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		var err error
		switch c.base {
		case certsFile:
			_, err = e.Certificates(t.Context(), "peer")
		case trustsFile:
			_, err = e.Trusts(t.Context(), "peer")
		default:
			_, _, err = e.Closing(t.Context(), "peer")
		}
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: %.100v... has %d bytes", name, err, len(err.Error()))
		}
		if c.base == certsFile && name == "a label" && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %.100v is not wrapped", name, err)
		}
	}
}

// generalName is a SEQUENCE of one name.
func generalName(tag byte, text string) []byte {
	name, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: int(tag), Bytes: []byte(text)})
	all, _ := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: name})
	return all
}

// TestACertificateOfVersion1IsACAForJava, which makes no demands on it (JDK, PKIXValidator.verifyTrustAnchor).
func TestACertificateOfVersion1IsACAForJava(t *testing.T) {
	old := keystore.Certificate{DER: version1(t)}
	if mustParse(t, old).Version != 1 || javacert.Check(old.DER) != nil {
		t.Fatalf("not a good certificate of version 1: %v", javacert.Check(old.DER))
	}
	got, err := PeerPins{}.WithoutCAs("wso2is", []keystore.Certificate{old})
	if len(got) != 0 || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "X.509 version 1") || !strings.Contains(err.Error(), "PEER_PINS") {
		t.Errorf("%d accepted, %v", len(got), err)
	}
	if got, err := (PeerPins{"wso2is": {old.Fingerprint()}}).WithoutCAs("wso2is", []keystore.Certificate{old}); len(got) != 1 || err != nil {
		t.Errorf("pinned: %d accepted, %v", len(got), err)
	}
}

// version1 leaves the version out of a certificate without extensions.
func version1(t *testing.T) []byte {
	t.Helper()
	var whole struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(certificate(t, "wso2is").DER, &whole); err != nil {
		t.Fatal(err)
	}
	body, version := whole.TBS.Bytes, []byte{0xa0, 3, 2, 1, 2}
	if !bytes.HasPrefix(body, version) {
		t.Fatalf("%x begins otherwise", body[:5])
	}
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body[len(version):]})
	if err != nil {
		t.Fatal(err)
	}
	whole.TBS = asn1.RawValue{FullBytes: tbs}
	der, err := asn1.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
