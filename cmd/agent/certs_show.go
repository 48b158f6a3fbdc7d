package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/keystore"
)

func certsShowCommand() *cobra.Command {
	var f certsFlags
	return f.withAlias(f.on(&cobra.Command{
		Use:   "show --alias NAME",
		Short: "Show one entry completely",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showEntry(cmd.Context(), f, cmd.OutOrStdout())
		},
	}))
}

// entry returns the entry that --alias names.
func (f *certsFlags) entry(ctx context.Context) (keystore.Entry, error) {
	store, _, err := f.open()
	if err != nil {
		return keystore.Entry{}, err
	}
	return store.Entry(ctx, f.alias)
}

// showEntry prints one entry with all its certificates.
func showEntry(ctx context.Context, f certsFlags, stdout io.Writer) error {
	entry, err := f.entry(ctx)
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

// alternativeNames returns the names by which clients recognize a server.
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
