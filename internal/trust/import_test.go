package trust

import (
	"context"
	"strings"

	"wso2agent/internal/keystore"
)

// peerCerts are the certificates that peers publish, by the peer's name, the one in use first.
type peerCerts map[string][]keystore.Certificate

// importPeers reads the entries of a truststore, plans and makes the changes, as a pass does. managed are the agent's own entries
// afterwards: fingerprints by alias.
func importPeers(ctx context.Context, s Store, peers peerCerts, own string, configured []string, workDir string) (managed map[string]string, changes []Change, err error) {
	published, certificates := map[string][]string{}, map[string]keystore.Certificate{}
	for name, certs := range peers {
		published[name] = []string{}
		for _, c := range certs {
			f := c.Fingerprint().String()
			published[name], certificates[f] = append(published[name], f), c
		}
	}
	entries, err := s.Entries(ctx, configured)
	if err != nil {
		return nil, nil, err
	}
	if changes = PlanImport(entries, published, own, configured); len(changes) > 0 {
		if err := Import(ctx, s, changes, certificates, workDir); err != nil {
			return nil, nil, err
		}
		if entries, err = s.Entries(ctx, configured); err != nil {
			return nil, nil, err
		}
	}
	managed = map[string]string{}
	for _, e := range entries {
		if Owner(e, configured) != "" {
			managed[strings.ToLower(e.Alias)] = e.Fingerprint
		}
	}
	return managed, changes, nil
}
