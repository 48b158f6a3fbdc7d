package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

func TestFilesOfEveryWriterMakeAnIdentity(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	between := newCA(t, "between", &root, nil)
	other := newCA(t, "other", nil, nil)
	ec, rsaID, self := mustIssue(t, between.spec(t), "wso2am"), mustIssue(t, Spec{Key: RSA2048}, "wso2am"), mustIssue(t, Spec{}, "wso2am")
	leaf := certPEM(ec.Leaf().DER)
	key := keyPEM(t, "PRIVATE KEY", ec.key)
	edKey, edLeaf := keyPair(t, template("ed25519"))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	mislabelled := bytes.ReplaceAll(keyPEM(t, "RSA PRIVATE KEY", rsaID.key), []byte("RSA PRIVATE"), []byte("PRIVATE"))
	for name, c := range map[string]struct {
		cert, key, ca []byte
		want          [][]byte // the chain
	}{
		"PKCS#8":                      {certPEM(self.Leaf().DER), keyPEM(t, "PRIVATE KEY", self.key), nil, [][]byte{self.Leaf().DER}},
		"SEC 1":                       {certPEM(self.Leaf().DER), keyPEM(t, "EC PRIVATE KEY", self.key), nil, [][]byte{self.Leaf().DER}},
		"SEC 1 behind its curve":      {certPEM(self.Leaf().DER), join(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}), keyPEM(t, "EC PRIVATE KEY", self.key)), nil, [][]byte{self.Leaf().DER}},
		"PKCS#1":                      {certPEM(rsaID.Leaf().DER), keyPEM(t, "RSA PRIVATE KEY", rsaID.key), nil, [][]byte{rsaID.Leaf().DER}},
		"PKCS#1 under a wrong label":  {certPEM(rsaID.Leaf().DER), mislabelled, nil, [][]byte{rsaID.Leaf().DER}},
		"Ed25519":                     {certPEM(edLeaf.DER), keyPEM(t, "PRIVATE KEY", edKey), nil, [][]byte{edLeaf.DER}},
		"itself as CA":                {certPEM(self.Leaf().DER), keyPEM(t, "PRIVATE KEY", self.key), certPEM(self.Leaf().DER), [][]byte{self.Leaf().DER}},
		"a leaf alone":                {leaf, key, nil, [][]byte{ec.Leaf().DER}},
		"a leaf and its issuer":       {join(leaf, between.certPEM), key, nil, [][]byte{ec.Leaf().DER, between.cert.Raw}},
		"with the root as CA":         {join(leaf, between.certPEM), key, root.certPEM, [][]byte{ec.Leaf().DER, between.cert.Raw, root.cert.Raw}},
		"the wrong way round":         {join(root.certPEM, between.certPEM, leaf), key, nil, [][]byte{ec.Leaf().DER, between.cert.Raw, root.cert.Raw}},
		"with doubles":                {join(leaf, between.certPEM, leaf, between.certPEM), key, nil, [][]byte{ec.Leaf().DER, between.cert.Raw}},
		"a bundle of CAs":             {leaf, key, join(other.certPEM, root.certPEM, between.certPEM), [][]byte{ec.Leaf().DER, between.cert.Raw, root.cert.Raw}},
		"a CA that is another's":      {leaf, key, other.certPEM, [][]byte{ec.Leaf().DER}},
		"openssl's text in between":   {join([]byte("subject=CN = wso2am\n"), leaf, []byte("\nissuer\n")), key, []byte("\n"), [][]byte{ec.Leaf().DER}},
		"line ends of another system": {bytes.ReplaceAll(leaf, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n")), nil, [][]byte{ec.Leaf().DER}},
	} {
		id, err := FromPEM(c.cert, c.key, c.ca)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var chain [][]byte
		for _, raw := range id.Chain {
			chain = append(chain, raw.DER)
		}
		if !slices.EqualFunc(chain, c.want, bytes.Equal) || !keystore.Belongs(id.key, id.Certificate()) {
			t.Errorf("%s: a chain of %d, want %d", name, len(chain), len(c.want))
		}
	}
}

func TestFilesThatMakeNoIdentityAreNamedWithTheReason(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	id, other := mustIssue(t, root.spec(t), "wso2am"), mustIssue(t, root.spec(t), "next")
	cert, key := certPEM(id.Leaf().DER), keyPEM(t, "PRIVATE KEY", id.key)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	mail := template("mail")
	mail.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	legacy := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	block := func(label string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: []byte("rubbish")})
	}
	for name, c := range map[string]struct {
		cert, key, ca []byte
		want          string
		torn          bool
	}{
		"the key of the next":           {cert, keyPEM(t, "PRIVATE KEY", other.key), nil, "tls.key is not the key of tls.crt, whose certificate is CN=wso2am", true},
		"a key of another kind":         {cert, keyPEM(t, "PRIVATE KEY", ed), nil, "tls.key is not the key of tls.crt", true},
		"no certificate yet":            {nil, key, nil, "tls.crt is empty", true},
		"no key yet":                    {cert, []byte("\n"), nil, "tls.key is empty", true},
		"half a certificate":            {cert[:len(cert)/2], key, nil, "tls.crt is cut off", true},
		"half a key":                    {cert, key[:len(key)/2], nil, "tls.key is cut off", true},
		"a second one that is cut off":  {slices.Concat(cert, root.certPEM[:100]), key, nil, "tls.crt is cut off", true},
		"a key that is not PEM":         {cert, []byte("c2VjcmV0c2VjcmV0c2VjcmV0"), nil, "tls.key is not PEM", false},
		"half a CA":                     {cert, key, root.certPEM[:100], "ca.crt is cut off", true},
		"DER":                           {id.Leaf().DER, key, nil, "tls.crt is not PEM", false},
		"a key among the certificates":  {slices.Concat(cert, key), key, nil, "tls.crt holds a private key", false},
		"a key as CA":                   {cert, key, key, "ca.crt holds a private key", false},
		"a certificate as key":          {cert, cert, nil, "tls.key must hold one private key", false},
		"two keys":                      {cert, slices.Concat(key, key), nil, "tls.key must hold one private key", false},
		"an encrypted key":              {cert, block("ENCRYPTED PRIVATE KEY"), nil, "without a passphrase", false},
		"an encrypted key, the old way": {cert, legacy, nil, "without a passphrase", false},
		"no key under its label":        {cert, block("PRIVATE KEY"), nil, "holds no private key in PKCS#1, PKCS#8 or SEC 1", false},
		"no certificate under its":      {block("CERTIFICATE"), key, nil, "tls.crt holds a certificate SHA-256", false},
		"no certificate in the bundle":  {cert, key, block("CERTIFICATE"), "ca.crt holds a certificate that cannot be read", false},
		"a short key":                   {cert, keyPEM(t, "PRIVATE KEY", short), nil, "RSA key of 1024 bits", false},
		"a curve that Java has not":     {cert, keyPEM(t, "PRIVATE KEY", p224), nil, "P-224", false},
		"a stranger in the chain":       {slices.Concat(cert, certPEM(other.Leaf().DER)), key, nil, "in tls.crt CN=next has signed none", false},
		"a certificate for mail":        {nil, nil, nil, "", false},
		"far too much":                  {slices.Concat(cert, bytes.Repeat([]byte(" "), 64<<10)), key, nil, "more than 65536", false},
		"far too many":                  {bytes.Repeat(cert, maxCertificates+1), key, nil, "holds 33 certificates, more than 32", false},
	} {
		if name == "a certificate for mail" {
			k := newKey(t)
			c.cert, c.key, c.want = certPEM(sign(t, mail, k, nil, nil).DER), keyPEM(t, "EC PRIVATE KEY", k), "is not for servers"
		}
		_, err := FromPEM(c.cert, c.key, c.ca)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, file.ErrBeingWritten) != c.torn {
			t.Errorf("%s: error = %v, want %q, being written %t", name, err, c.want, c.torn)
			continue
		}
		if showsKey(err.Error(), c.key) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

// showsKey reports whether text contains a line of the content of a PEM file, or the decoded content.
func showsKey(text string, key []byte) bool {
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) > 16 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
			return true
		}
	}
	block, _ := pem.Decode(key)
	return block != nil && len(block.Bytes) > 4 && strings.Contains(text, string(block.Bytes))
}

func FuzzFromPEM(f *testing.F) {
	root := newCA(f, "root", nil, nil)
	for _, o := range []Spec{root.spec(f), {}, {Key: RSA2048}} {
		id := mustIssue(f, o, "wso2am")
		f.Add(certPEM(id.Leaf().DER), keyPEM(f, "PRIVATE KEY", id.key), root.certPEM)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----"), []byte(nil))
	f.Fuzz(func(t *testing.T, cert, key, ca []byte) {
		id, err := FromPEM(cert, key, ca)
		if err != nil {
			if showsKey(err.Error(), key) {
				t.Errorf("the error shows the key: %v", err)
			}
			return
		}
		if !keystore.Belongs(id.key, id.Certificate()) || len(id.Chain) == 0 || !bytes.Equal(id.Leaf().DER, id.Certificate().Raw) {
			t.Error("an identity without its certificate")
		}
		for i := range id.Chain[1:] {
			c, _ := id.Chain[i].Parse()
			issuer, _ := id.Chain[i+1].Parse()
			if !javacert.Signed(c, issuer) {
				t.Errorf("the certificate %d was not signed by the one behind it", i)
			}
		}
		data, err := id.Encode("PKCS12", "tls", "changeit")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromKeystore(data, "changeit", "tls"); err != nil {
			t.Error(err)
		}
	})
}
