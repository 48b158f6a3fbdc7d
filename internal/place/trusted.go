package place

import (
	"bytes"
	"context"
	"crypto/x509"

	"wso2agent/internal/config"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// maxTrusts is how many fingerprints trusted returns at most. Each takes about 110 bytes in every report of agent exec.
const maxTrusts = 500

// trusted returns the fingerprints of certificates that a server trusts if it starts now: the agent's entries in the
// truststore, and the entries of others that are no CA or that have signed leaf. leaf is the server's own certificate, nil if it is
// not known. Entries of others count for two reasons. The agent adds no entry for a certificate that the truststore has already.
// And a container that has only some of the agent's settings does not know the names of the agent's entries. Without an error the
// list is not nil. It has the agent's entries first.
func trusted(ctx context.Context, cfg config.Config, leaf *x509.Certificate) ([]string, error) {
	store := trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
	_, entries, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	names := append([]string{cfg.Server.Name}, cfg.Trust.Peers...)
	for name := range trust.LoadHistories(cfg.WorkDir()) {
		names = append(names, name)
	}
	own, others := []string{}, []string{}
	for _, e := range entries {
		if e.Kind != keystore.TrustedCertificate {
			continue
		}
		fingerprint := e.Chain[0].Fingerprint().String()
		switch {
		case trust.Owner(trust.Entry{Alias: e.Alias, Fingerprint: fingerprint}, names) != "":
			own = append(own, fingerprint)
		case isOfServers(e.Chain[0], leaf):
			others = append(others, fingerprint)
		}
	}
	all := append(own, others...)
	return all[:min(len(all), maxTrusts)], nil
}

// isOfServers reports whether a certificate is no CA, or the one that has signed leaf. It is false for a certificate that Go does
// not read.
func isOfServers(c keystore.Certificate, leaf *x509.Certificate) bool {
	parsed, err := c.Parse()
	if err != nil {
		return false
	}
	return !parsed.IsCA || leaf != nil && bytes.Equal(parsed.RawSubject, leaf.RawIssuer) && javacert.Signed(leaf, parsed)
}
