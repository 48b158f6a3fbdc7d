package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"time"

	"wso2agent/internal/keystore"
)

// entryOf finds the entry that --alias names.
func entryOf(ctx context.Context, word string, args []string) (keystore.Entry, error) {
	flags := newCertsFlags(word).withAlias()
	if err := flags.parse(args); err != nil {
		return keystore.Entry{}, err
	}
	store, _, err := flags.open()
	if err != nil {
		return keystore.Entry{}, err
	}
	return store.Entry(ctx, flags.alias)
}

func certsShow(ctx context.Context, args []string, stdout, _ io.Writer) error {
	entry, err := entryOf(ctx, "show", args)
	if err != nil {
		return err
	}
	created := "not recorded"
	if !entry.Created.IsZero() {
		created = entry.Created.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(stdout, "alias:    %s\nkind:     %s\ncreated:  %s\n", printable(entry.Alias), entry.Kind, created)
	for i, c := range entry.Chain {
		fmt.Fprintf(stdout, "\ncertificate %d of %d\n", i+1, len(entry.Chain))
		showCertificate(stdout, c)
	}
	return nil
}

func showCertificate(w io.Writer, raw keystore.Certificate) {
	line := func(name, value string) { fmt.Fprintf(w, "  %-9s %s\n", name+":", value) }
	defer func() { line("SHA-256", raw.Fingerprint().String()) }()
	c, err := raw.Parse()
	if err != nil {
		line("unreadable", "by Go, though perhaps by Java")
		return
	}
	line("subject", printable(c.Subject.String()))
	line("issuer", printable(c.Issuer.String()))
	line("names", printable(alternativeNames(c)))
	validity := c.NotBefore.UTC().Format(time.RFC3339) + " to " + c.NotAfter.UTC().Format(time.RFC3339)
	if time.Now().After(c.NotAfter) {
		validity += ", expired"
	}
	line("valid", validity)
	line("serial", fmt.Sprintf("%x", c.SerialNumber))
	line("key", keyType(c))
}

// alternativeNames are those by which clients recognise a server.
func alternativeNames(c *x509.Certificate) string {
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, "DNS:"+n)
	}
	for _, ip := range c.IPAddresses {
		names = append(names, "IP:"+ip.String())
	}
	for _, mail := range c.EmailAddresses {
		names = append(names, "email:"+mail)
	}
	for _, uri := range c.URIs {
		names = append(names, "URI:"+uri.String())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func keyType(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// certsExport prints certificates alone: a private key leaves its store only through keytool, in a person's own hands.
func certsExport(ctx context.Context, args []string, stdout, _ io.Writer) error {
	entry, err := entryOf(ctx, "export", args)
	if err != nil {
		return err
	}
	if len(entry.Chain) == 0 {
		return fmt.Errorf("export %q: it is a %s without a certificate, and nothing else is exported", entry.Alias, entry.Kind)
	}
	for _, c := range entry.Chain {
		if err := pem.Encode(stdout, &pem.Block{Type: "CERTIFICATE", Bytes: c.DER}); err != nil {
			return err
		}
	}
	return nil
}
