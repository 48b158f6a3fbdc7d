package trust

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

// Severity says how bad a finding is.
type Severity string

// The severities of findings.
const (
	Error   Severity = "error"   // a server or a client will fail with this store
	Warning Severity = "warning" // it works today, or in part
	Info    Severity = "info"    // worth knowing
)

// Finding is something about a store that a person should know.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`           // the name of the rule, which does not change
	Alias    string   `json:"alias,omitempty"` // empty if it is about the whole store
	Message  string   `json:"message"`
}

// Report is the result of Lint.
type Report struct {
	Store    string          `json:"store"`
	Format   keystore.Format `json:"format,omitempty"`
	Entries  int             `json:"entries"`
	Findings []Finding       `json:"findings"` // those about the whole store first
}

// Failed reports whether there is a finding of severity Error.
func (r Report) Failed() bool {
	for _, f := range r.Findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

// Lint looks for what is wrong with a store, or probably is. A store that does not open is a finding. The error is for a file that
// cannot be read at all.
func (s Store) Lint(ctx context.Context, now time.Time) (Report, error) {
	l := linter{Report{Store: s.Path, Findings: []Finding{}}, now}
	store, err := s.open(ctx)
	if err != nil {
		check := openCheck(err)
		if check == "" {
			return Report{}, err
		}
		l.add(Error, check, "", "%v", err)
		return l.Report, nil
	}
	entries := store.Entries()
	l.Format, l.Entries = store.Format(), len(entries)
	l.name(s.Path)
	for _, e := range entries {
		if e.Kind == keystore.KeyEntry {
			l.key(store, e, s)
		}
		l.java(e)
		l.validity(e)
	}
	l.doubles(entries)
	l.anchors(entries)
	return l.Report, nil
}

// openCheck returns the rule for an error that prevents a store from being opened. It is empty if the store is not the cause.
func openCheck(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{
		{keystore.ErrPassword, "password"}, {keystore.ErrTorn, "torn"}, {keystore.ErrDamaged, "damaged"},
		{keystore.ErrFormat, "format"}, {keystore.ErrTooLarge, "too-large"}, {file.ErrTooLarge, "too-large"},
	} {
		if errors.Is(err, c.err) && !errors.Is(err, fs.ErrPermission) {
			return c.name
		}
	}
	return ""
}

type linter struct {
	Report
	now time.Time
}

func (l *linter) add(s Severity, check, alias, format string, args ...any) {
	l.Findings = append(l.Findings, Finding{s, check, alias, fmt.Sprintf(format, args...)})
}

// name compares the name of a file with its content. Java reads both formats under both names, many other tools do not. API-M
// itself ships PKCS#12 in files named .jks.
func (l *linter) name(path string) {
	switch extension := strings.ToLower(filepath.Ext(path)); {
	case extension == ".jks" && l.Format != keystore.JKS:
		l.add(Info, "name", "", "the file is named %s and holds %s; Java reads it anyway", extension, l.Format)
	case (extension == ".p12" || extension == ".pfx") && l.Format != keystore.PKCS12:
		l.add(Warning, "name", "", "the file is named %s and holds %s; Java reads it anyway, other programs do not", extension, l.Format)
	}
}

// key opens a private key as a server does, with the store's password, and compares it with its certificate.
func (l *linter) key(store *keystore.Store, e keystore.Entry, s Store) {
	if len(e.Chain) == 0 {
		l.add(Error, "key", e.Alias, "the private key has no certificate")
		return
	}
	key, err := store.PrivateKey(e.Alias, s.Password)
	switch {
	case errors.Is(err, keystore.ErrPassword) && store.Format() == keystore.JKS:
		l.add(Warning, "password", e.Alias, "the private key has another password than the store, so the agent cannot compare it with its certificate")
		return
	case errors.Is(err, keystore.ErrPassword):
		l.add(Error, "password", e.Alias, "the password does not open the private key; set %s or %s_FILE to the password of the store, or give the key the same password", s.Setting, s.Setting)
		return
	case errors.Is(err, keystore.ErrFormat):
		l.add(Info, "key", e.Alias, "the agent cannot compare the private key with its certificate: %v", err)
		return
	case err != nil:
		l.add(Error, "key", e.Alias, "%v", err)
		return
	}
	leaf, err := e.Chain[0].Parse()
	if err != nil {
		return // validity reports it
	}
	if !keystore.Belongs(key, leaf) {
		l.add(Error, "key", e.Alias, "the private key does not belong to its certificate, %s: every handshake fails", leaf.Subject)
	}
}

// java reports certificates that prevent Java from loading the whole store, and those that some versions of Java may not read.
func (l *linter) java(e keystore.Entry) {
	for _, c := range e.Chain {
		switch err := javacert.Check(c.DER); {
		case errors.Is(err, javacert.ErrRefused):
			l.add(Error, "java", e.Alias, "%v; the whole store does not load until this entry is gone", err)
		case err != nil:
			l.add(Warning, "java", e.Alias, "%v", err)
		}
	}
}

// validity reports certificates that are not valid now, or will not be soon. With an expired certificate of a key, every handshake
// fails with a client that does not trust exactly that certificate. Java accepts an expired one that is in its truststore itself.
func (l *linter) validity(e keystore.Entry) {
	severity := Warning
	for i, raw := range e.Chain {
		if e.Kind == keystore.KeyEntry {
			severity = Error
		}
		c, err := raw.Parse()
		if err != nil {
			l.add(Info, "unreadable", e.Alias, "the agent cannot judge certificate %d of its chain: %v; Java may read it", i+1, err)
			continue
		}
		which := "its certificate"
		if i > 0 {
			which = fmt.Sprintf("certificate %d of its chain, %s,", i+1, c.Subject)
		}
		switch PhaseOf(c.NotBefore, c.NotAfter, l.now) {
		case Expired:
			l.add(severity, "expired", e.Alias, "%s expired on %s", which, c.NotAfter.UTC().Format(time.DateOnly))
		case Early:
			l.add(severity, "not-yet-valid", e.Alias, "%s is not valid before %s", which, c.NotBefore.UTC().Format(time.RFC3339))
		case Expiring:
			l.add(Warning, "expires-soon", e.Alias, "%s expires on %s", which, c.NotAfter.UTC().Format(time.DateOnly))
		}
	}
}

// doubles reports a certificate under two aliases, which is still trusted after one of them is deleted, and two entries with one
// alias, of which Java sees the last.
func (l *linter) doubles(entries []keystore.Entry) {
	first := map[keystore.Fingerprint]string{}
	seen := map[string]bool{}
	for _, e := range entries {
		alias := strings.ToLower(e.Alias)
		if seen[alias] && e.Kind != keystore.Other {
			l.add(Warning, "alias-twice", e.Alias, "several entries have this alias; Java sees the last one")
		}
		seen[alias] = seen[alias] || e.Kind != keystore.Other
		if e.Kind != keystore.TrustedCertificate {
			continue
		}
		f := e.Chain[0].Fingerprint()
		if other, ok := first[f]; ok {
			l.add(Info, "same-certificate", e.Alias, "the same certificate is also trusted as %q", other)
			continue
		}
		first[f] = e.Alias
	}
}

// anchors reports trusted certificates that Java refuses as issuers.
//
// Java trusts a certificate that is in the truststore itself, whatever it is. For any other one it looks for a trusted certificate
// with the name of the issuer, and refuses it if that is not a CA (JDK, PKIXValidator.verifyTrustAnchor). So the old self-signed
// certificate of a server blocks its new one, which has the same name, until the new one is trusted too.
func (l *linter) anchors(entries []keystore.Entry) {
	issued := map[string][]issuedBy{} // by the issuer's name
	trusted := map[keystore.Fingerprint]bool{}
	for _, e := range entries {
		for _, raw := range e.Chain {
			trusted[raw.Fingerprint()] = trusted[raw.Fingerprint()] || e.Kind == keystore.TrustedCertificate
			if c, err := raw.Parse(); err == nil {
				issued[string(c.RawIssuer)] = append(issued[string(c.RawIssuer)], issuedBy{e.Alias, c, raw.Fingerprint()})
			}
		}
	}
	for _, e := range entries {
		if e.Kind != keystore.TrustedCertificate {
			continue
		}
		c, err := e.Chain[0].Parse()
		if err != nil {
			continue
		}
		switch key, isRSA := c.PublicKey.(*rsa.PublicKey); {
		case isRSA && key.N.BitLen() < minRSA:
			l.add(Warning, "anchor", e.Alias, "Java refuses every certificate that it has issued: its RSA key has %d bits, less than %d", key.N.BitLen(), minRSA)
		case c.Version < 3: // Java accepts those as CAs
		case c.IsCA && c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
			l.add(Warning, "anchor", e.Alias, "Java refuses every certificate that it has issued: its key usage does not allow it to sign certificates")
		case !c.IsCA:
			l.noCA(e.Alias, c, issued[string(c.RawSubject)], trusted)
		}
	}
}

// minRSA is the least size of an RSA key in a certification path, in bits (JDK, jdk.certpath.disabledAlgorithms).
const minRSA = 1024

// issuedBy is a certificate of the store that names an issuer.
type issuedBy struct {
	alias       string
	cert        *x509.Certificate
	fingerprint keystore.Fingerprint
}

// noCA reports a trusted certificate that is not a CA if another one names it, or a certificate of the same name, as its issuer.
func (l *linter) noCA(alias string, c *x509.Certificate, issued []issuedBy, trusted map[keystore.Fingerprint]bool) {
	for _, other := range issued {
		switch {
		case other.cert.Equal(c):
		case trusted[other.fingerprint]:
			l.add(Info, "anchor", alias, "it is not a CA certificate and has the name of the issuer of %q, which Java accepts only because that is trusted itself; delete this entry if it is stale", other.alias)
			return
		default:
			l.add(Warning, "anchor", alias, "it is not a CA certificate and has the name of the issuer of %q, which Java therefore refuses; if this entry is stale, delete it and trust the other one", other.alias)
			return
		}
	}
}
