package agent

import (
	"context"
	"net"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// ProbeServer asks the own server, from within its container, whether it works: IS for the document in which it names
// itself, API-M for its gateway's health, which comes last. It must show the certificate that its home holds, which is what
// it has read at its start: the config volume may have a newer one, whose turn comes when the peers trust it.
func (a Agent) ProbeServer(ctx context.Context) error {
	a.cfg.ConfigDir = a.cfg.ServerHome
	a, err := a.atStores(ctx)
	if err != nil {
		return err
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if err != nil {
		return err
	}
	client := wso2.NewHTTPClient(ownPin{own}, nil)
	base := func(port int) string { return "https://" + net.JoinHostPort("localhost", strconv.Itoa(port)) }
	if a.cfg.Product == config.AM {
		return wso2.NewGateway(client, base(a.cfg.AMPort), base(a.cfg.GWPort), wso2.Credentials{}).Healthy(ctx)
	}
	_, err = wso2.NewIdentity(client, base(a.cfg.ISPort), wso2.Credentials{}).Discovery(ctx)
	return err
}

// ownPin accepts one certificate, whatever the address.
type ownPin struct{ certificate keystore.Certificate }

// Pinned returns the fingerprint of that certificate.
func (p ownPin) Pinned(string) (fingerprints []keystore.Fingerprint, peer bool, err error) {
	return []keystore.Fingerprint{p.certificate.Fingerprint()}, true, nil
}
