package verify

import (
	"context"
	"net"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Probe asks the server in this container whether it works. It asks IS for the document in which IS names itself, and API-M
// for the health of its gateway, which comes last at a start. The server must present the certificate that its home holds, which
// it has read at its start. The config volume may hold a newer one, which waits for the peers' trust.
func Probe(ctx context.Context, cfg config.Config) error {
	cfg.Server.ConfigDir = cfg.Server.Home
	cfg, err := server.AtStores(ctx, cfg)
	if err != nil {
		return err
	}
	own, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias)
	if err != nil {
		return err
	}
	client := wso2.NewHTTPClient(ownPin{own}, nil)
	base := func(port int) string { return "https://" + net.JoinHostPort("localhost", strconv.Itoa(port)) }
	if cfg.Server.Product == config.AM {
		return wso2.NewGateway(client, base(cfg.AM.Port), base(cfg.Gateway.Port), wso2.Credentials{}).Healthy(ctx)
	}
	_, err = wso2.NewIdentity(client, base(cfg.IS.Port), wso2.Credentials{}).Discovery(ctx)
	return err
}

// ownPin accepts one certificate at every address.
type ownPin struct{ certificate keystore.Certificate }

// Pinned returns the fingerprint of that certificate.
func (p ownPin) Pinned(string) (fingerprints []keystore.Fingerprint, peer bool, err error) {
	return []keystore.Fingerprint{p.certificate.Fingerprint()}, true, nil
}
