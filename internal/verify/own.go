package verify

import (
	"context"
	"errors"
	"net"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Probe asks the server in this container whether it works. It asks IS for the document in which IS names itself, and API-M
// for the health of its gateway, which comes last at a start. The server must present the certificate that its home holds: the
// config volume may hold a newer one, which waits for the peers' trust. While the server loads a certificate, it may still
// present the one before. See former.
func Probe(ctx context.Context, cfg config.Config) error {
	volume := cfg
	cfg.Server.ConfigDir = cfg.Server.Home
	cfg, err := server.AtStores(ctx, cfg)
	if err != nil {
		return err
	}
	own, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias)
	if err != nil {
		return err
	}
	cfg.IS.Host, cfg.AM.Host = "localhost", "localhost"
	err = ask(ctx, cfg, ownPins{own.Fingerprint()})
	if errors.Is(err, wso2.ErrNotPinned) {
		if before := former(ctx, cfg, volume); len(before) > 0 {
			err = ask(ctx, cfg, append(before, own.Fingerprint()))
		}
	}
	return err
}

// ProbeNextTo asks the server in another container whether it works. An error that wraps wso2.ErrNotPinned says that it
// works, and presents another certificate than the one that a start would read from the config volume.
func ProbeNextTo(ctx context.Context, cfg config.Config) error {
	cfg, err := server.AtStores(ctx, cfg)
	if err != nil {
		return err
	}
	own, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias)
	if err != nil {
		return err
	}
	other := ask(ctx, cfg, ownPins{own.Fingerprint()})
	if !errors.Is(other, wso2.ErrNotPinned) {
		return other
	}
	served, err := wso2.Served(ctx, ownAddress(cfg))
	if err == nil { // no secret is sent, and the answer only says whether it works
		err = ask(ctx, cfg, ownPins{served.Fingerprint()})
	}
	if err == nil {
		err = other
	}
	return err
}

// ownAddress is host:port of the own server.
func ownAddress(cfg config.Config) string {
	if cfg.Server.Product == config.AM {
		return net.JoinHostPort(cfg.AM.Host, strconv.Itoa(cfg.AM.Port))
	}
	return net.JoinHostPort(cfg.IS.Host, strconv.Itoa(cfg.IS.Port))
}

// ask asks the own server, which must present one of the certificates.
func ask(ctx context.Context, cfg config.Config, pins ownPins) error {
	client := wso2.NewHTTPClient(pins, nil)
	defer client.CloseIdleConnections()
	base := "https://" + ownAddress(cfg)
	if cfg.Server.Product == config.AM {
		return wso2.NewGateway(client, base, base, wso2.Credentials{}).Healthy(ctx)
	}
	_, err := wso2.NewIdentity(client, base, wso2.Credentials{}).Discovery(ctx)
	return err
}

// former returns the certificates that the server may have presented before the one in its home: what its truststore in the home has
// of the own server, which the server trusts since its start, and what the agent's copy of its last keystore has. The latter
// matters if the truststore only has the CA. What cannot be read is left out.
func former(ctx context.Context, home, volume config.Config) (before ownPins) {
	store := trust.Store{Path: home.TruststorePath(), Password: home.Truststore.Pass}
	names := []string{home.Server.Name}
	entries, _ := store.Entries(ctx, names)
	for _, e := range entries {
		if f, err := keystore.ParseFingerprint(e.Fingerprint); err == nil && trust.Owner(e, names) != "" {
			before = append(before, f)
		}
	}
	volume, err := server.AtStores(ctx, volume)
	if own, ok := identity.OwnOf(volume); err == nil && ok {
		if served := own.Read().Served; served != nil {
			before = append(before, served.Fingerprint())
		}
	}
	return before
}

// ownPins accept these certificates at every address.
type ownPins []keystore.Fingerprint

// Pinned returns their fingerprints.
func (p ownPins) Pinned(string) (fingerprints []keystore.Fingerprint, peer bool, err error) {
	return p, true, nil
}
