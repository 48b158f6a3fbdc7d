package identity

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// The names of the files in a Secret of type kubernetes.io/tls.
const (
	certFile = "tls.crt" // the certificate, then its issuers
	keyFile  = "tls.key"
	caFile   = "ca.crt" // may be missing
)

// maxCertificates is the most certificates that one file may hold.
const maxCertificates = 32

// attempts is how often ReadPEM reads files that do not fit together.
const attempts = 6

// PEMFiles returns the paths of the three files of an identity in dir.
func PEMFiles(dir string) []string {
	return []string{filepath.Join(dir, certFile), filepath.Join(dir, keyFile), filepath.Join(dir, caFile)}
}

// ReadPEM reads the identity in dir (TLS_FILES_DIR). Others write its files one after the other, or swap their folder. So it
// reads files that do not fit together up to 6 times, and pauses in between.
func ReadPEM(ctx context.Context, dir string, pause time.Duration) (Identity, error) {
	for attempt := 1; ; attempt++ {
		i, err := readPEM(dir)
		switch {
		case err == nil:
			return i, nil
		case errors.Is(err, fs.ErrPermission):
			return Identity{}, remedy.Add(fmt.Errorf("read the TLS certificate of TLS_FILES_DIR (%s): %w", dir, err),
				"the agent runs as %d:%d, which must own the file or have the right to read it", os.Geteuid(), os.Getegid())
		case !errors.Is(err, file.ErrBeingWritten) || attempt == attempts:
			return Identity{}, fmt.Errorf("read the TLS certificate of TLS_FILES_DIR (%s): %w", dir, err)
		}
		select {
		case <-ctx.Done():
			return Identity{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func readPEM(dir string) (Identity, error) {
	var data [3][]byte
	for i, path := range PEMFiles(dir) {
		content, err := file.Read(path, fileLimit)
		if err != nil && !(filepath.Base(path) == caFile && errors.Is(err, fs.ErrNotExist)) {
			return Identity{}, err
		}
		data[i] = content
	}
	// The CA of the next version with a certificate of the last version would leave the chain without its issuer, for good.
	if again, err := file.Read(filepath.Join(dir, certFile), fileLimit); err != nil || !bytes.Equal(again, data[0]) {
		return Identity{}, fmt.Errorf("%s changed while the agent read it (%w)", certFile, file.ErrBeingWritten)
	}
	return FromPEM(data[0], data[1], data[2])
}

// FromPEM makes an identity of the content of tls.crt, tls.key and ca.crt. The last may be empty. The key may be in PKCS#1,
// PKCS#8 or SEC 1, and the certificates in any order. From ca.crt, which may be a bundle, FromPEM takes only the issuers of the
// leaf.
//
// Errors name the file, the reason and the remedy, and never show a key. They wrap file.ErrBeingWritten if a file ends too soon
// or the key belongs to another certificate: read all three again.
func FromPEM(cert, key, ca []byte) (Identity, error) {
	id, err := fromPEM(cert, key, ca)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS identity: %w", err)
	}
	return id, nil
}

func fromPEM(cert, key, ca []byte) (Identity, error) {
	signer, err := parseKey(keyFile, key)
	if err != nil {
		return Identity{}, err
	}
	certs, err := parseChain(certFile, cert, keystore.PEM{Max: maxCertificates})
	if err != nil {
		return Identity{}, err
	}
	var known []*x509.Certificate
	if len(bytes.TrimSpace(ca)) > 0 {
		if known, err = parseChain(caFile, ca, keystore.PEM{Max: maxCertificates, Bundle: true}); err != nil {
			return Identity{}, err
		}
	}
	chain, left := assemble(signer, certs, known)
	switch refused := refusedIssuer(chain, known); {
	case refused != nil:
		return Identity{}, fmt.Errorf("%s holds a %w", caFile, javacert.Check(refused.Raw))
	case chain == nil:
		return Identity{}, remedy.Add(fmt.Errorf("%s is not the key of %s, whose certificate is %s (%w?)", keyFile, certFile, certs[0].Subject, file.ErrBeingWritten),
			"if this persists, put a key and its certificate there")
	case len(left) > 0:
		return Identity{}, remedy.Add(fmt.Errorf("in %s %s has signed none of the other certificates", certFile, left[0].Subject),
			"remove it, or add the certificates that link them")
	case !servesTLS(chain[0]):
		return Identity{}, remedy.Add(fmt.Errorf("the certificate %s in %s is not for servers (extended key usage)", chain[0].Subject, certFile), "have it issued with server auth")
	}
	return newIdentity(signer, chain), nil
}

// refusedIssuer returns the certificate of known that has the name of the issuer that the chain lacks and that Java does not
// read; nil if there is none. Other such certificates in a bundle do no harm.
func refusedIssuer(chain, known []*x509.Certificate) *x509.Certificate {
	if len(chain) == 0 {
		return nil
	}
	last := chain[len(chain)-1]
	if selfIssued(last) {
		return nil
	}
	for _, c := range known {
		if bytes.Equal(last.RawIssuer, c.RawSubject) && javacert.Check(c.Raw) != nil {
			return c
		}
	}
	return nil
}

// servesTLS reports whether clients accept the certificate from a server.
func servesTLS(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// parseChain reads certificates and nothing else. Errors begin with what, the name of the file.
func parseChain(what string, data []byte, rules keystore.PEM) (certs []*x509.Certificate, err error) {
	raw, err := rules.Certificates(data)
	if err != nil {
		return nil, pemError(what, err)
	}
	for _, c := range raw {
		parsed, err := c.Parse()
		if err != nil {
			return nil, remedy.Add(fmt.Errorf("%s holds a certificate that cannot be read: %w", what, err), "have it issued again")
		}
		certs = append(certs, parsed)
	}
	return certs, nil
}

// pemError adds the name of the file to an error of package keystore. It wraps file.ErrBeingWritten if the file is not complete.
func pemError(what string, err error) error {
	switch {
	case errors.Is(err, keystore.ErrPEMEmpty), errors.Is(err, keystore.ErrPEMTorn):
		return remedy.Add(fmt.Errorf("%s %w (%w?)", what, err, file.ErrBeingWritten), "if this persists, write it again")
	case errors.Is(err, keystore.ErrPEMKey):
		return remedy.Add(fmt.Errorf("%s %w", what, err), "remove it from there")
	}
	return fmt.Errorf("%s %w", what, err)
}
