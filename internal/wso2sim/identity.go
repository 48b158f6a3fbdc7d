package wso2sim

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"wso2agent/internal/keystore"
)

// identity is what a server reads from its stores, once, at its start.
type identity struct {
	tls    tls.Certificate // of every listener
	signer *signer         // of tokens: always the primary key store's
	trust  *truststore     // of every outgoing call

	listener, trusted storeSettings // where the listeners' key store and the truststore are
}

// storeSettings say where a store is and how it opens.
type storeSettings struct{ file, password, alias, keyPassword string } // the file relative to the home

// keyStores are the primary key store and the one of the listeners, which falls back to the primary, field by field
// for alias and key password. The type in the configuration means nothing: the JDK looks into the file.
func keyStores(s settings, defaultFile string) (primary, listener storeSettings) {
	read := func(table string, d storeSettings) storeSettings {
		return storeSettings{
			file: storeFile(s, table, d.file), password: s.text(table+".password", d.password),
			alias: s.text(table+".alias", d.alias), keyPassword: s.text(table+".key_password", d.keyPassword),
		}
	}
	primary = read("keystore.primary", storeSettings{filepath.Join(securityDir, defaultFile), defaultPassword, defaultAlias, defaultPassword})
	return primary, read("keystore.tls", primary)
}

func trustStore(s settings, defaultFile string) storeSettings {
	return storeSettings{
		file:     storeFile(s, "truststore", filepath.Join(securityDir, defaultFile)),
		password: s.text("truststore.password", defaultPassword),
	}
}

// storeFile is where a table has its store, which is in one folder always.
func storeFile(s settings, table, otherwise string) string {
	if name := s.text(table+".file_name", ""); name != "" {
		return filepath.Join(securityDir, name)
	}
	return otherwise
}

func readIdentity(home string, s settings, b Behaviour) (identity, error) {
	primary, listener := keyStores(s, b.Keystore)
	leaf, key, err := readKey(home, primary)
	if err != nil {
		return identity{}, err
	}
	rsaKey, ok := key.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return identity{}, fmt.Errorf("sign tokens with %s: the key %q is no RSA key, and RS256 needs one", primary.file, primary.alias)
	}
	id := identity{signer: &signer{key: rsaKey, cert: leaf}, listener: listener, trusted: trustStore(s, b.Truststore)}
	if _, id.tls, err = readKey(home, listener); err != nil {
		return identity{}, err
	}
	certs, err := readTrusted(home, id.trusted)
	if err != nil {
		return identity{}, err
	}
	id.trust = newTruststore(certs)
	return id, nil
}

// readTrusted reads the certificates of a truststore.
func readTrusted(home string, s storeSettings) ([]*x509.Certificate, error) {
	store, err := openStore(home, s)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, e := range store.Entries() {
		if e.Kind != keystore.TrustedCertificate {
			continue
		}
		// Go refuses some old authorities' certificates that Java takes; no server here presents one of them.
		if parsed, err := e.Chain[0].Parse(); err == nil {
			certs = append(certs, parsed)
		}
	}
	return certs, nil
}

func openStore(home string, s storeSettings) (*keystore.Store, error) {
	path := filepath.Join(home, s.file)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	store, err := keystore.Open(data, s.password)
	if err != nil {
		return nil, fmt.Errorf("read the store %s: %w", path, err)
	}
	return store, nil
}

func readKey(home string, s storeSettings) (*x509.Certificate, tls.Certificate, error) {
	store, err := openStore(home, s)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	key, err := store.PrivateKey(s.alias, s.keyPassword)
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the key of %s: %w", s.file, err)
	}
	entry, err := store.Entry(s.alias)
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the certificate of %s: %w", s.file, err)
	}
	if len(entry.Chain) == 0 {
		return nil, tls.Certificate{}, fmt.Errorf("read the certificate of %s: the key %q has none", s.file, s.alias)
	}
	leaf, err := entry.Chain[0].Parse()
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the certificate of %s: %w", s.file, err)
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: leaf}
	for _, c := range entry.Chain {
		pair.Certificate = append(pair.Certificate, c.DER)
	}
	return leaf, pair, nil
}
