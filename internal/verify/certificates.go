package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// trustStore looks for the certificate that the peer presents now, or for the CA that has signed it, in the truststore on the config
// volume.
func (i *inspection) trustStore(ctx context.Context) Check {
	cfg := i.subject.Config
	peer, address := "IS", cfg.ISAddress()
	switch cfg.Server.Product {
	case "":
		return skipped("", "the agent does not run next to a server (PRODUCT)")
	case config.IS:
		peer, address = "API-M", cfg.AMAddress()
	}
	if i.subject.Settings.SkipKeyManager {
		return skipped("", withoutIS)
	}
	cfg, err := server.AtStores(ctx, cfg)
	if err != nil {
		return i.withoutVolume(err)
	}
	store := trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
	_, entries, err := store.List(ctx)
	if err != nil {
		return i.withoutVolume(err)
	}
	leaf, err := wso2.Served(ctx, cfg.Trust.ConnectTo.To(address))
	if err != nil {
		return broken(err, "check that "+peer+" runs")
	}
	alias, expired := trustedBy(leaf, entries)
	switch {
	case alias == "":
		return failed("", fmt.Sprintf("%s has no entry for %s, which %s presents", store.Path, short(leaf.Fingerprint().String()), peer),
			"run agent init or agent run next to this server, which import it")
	case expired:
		return Check{Verdict: Warn, Evidence: fmt.Sprintf("%s presents %s, alias %s, which has expired", peer, short(leaf.Fingerprint().String()), alias),
			Remedy: "give " + peer + " a new certificate: TLS_MODE=issue next to it"}
	}
	return passed("%s presents %s: alias %s", peer, short(leaf.Fingerprint().String()), alias)
}

// withoutVolume skips a check of files that are not here. Any other error is a failure.
func (i *inspection) withoutVolume(err error) Check {
	if errors.Is(err, fs.ErrNotExist) {
		return skipped("", "the volume of the server is not mounted here: "+i.subject.Config.Server.ConfigDir)
	}
	return broken(err, "check CONFIG_DIR")
}

// trustedBy returns the alias of the certificate, or of the CA that has signed it, and reports whether the certificate has expired. Java
// trusts an entry without regard to its dates.
func trustedBy(leaf keystore.Certificate, entries []keystore.Entry) (alias string, expired bool) {
	parsed, err := leaf.Parse()
	for _, e := range entries {
		for _, c := range e.Chain {
			ca, caErr := c.Parse()
			if c.Fingerprint() == leaf.Fingerprint() || err == nil && caErr == nil && ca.IsCA && parsed.CheckSignatureFrom(ca) == nil {
				return e.Alias, err == nil && parsed.NotAfter.Before(time.Now())
			}
		}
	}
	return "", false
}

// trustAM has API-M itself read IS's discovery document, at the address that the key manager has. API-M verifies IS's certificate with
// the truststore that it has loaded, and not with the one on the disk. It compares no name.
func (i *inspection) trustAM(ctx context.Context) Check {
	address := i.manager.WellKnown
	if address == "" {
		return failed("", "the key manager has no well-known address", "run agent bootstrap, which sets it")
	}
	var err error
	if i.document, err = i.Admin.Discover(ctx, address); err != nil {
		return broken(err, "API-M must reach IS at this address, and trust its certificate: look for PKIX in API-M's log, and at the conditions trust and restart of the agent next to API-M")
	}
	return passed("API-M itself has read %s (key-managers/discover)", address)
}

// trustIS compares the certificate that API-M presents with those that IS's agent says the running IS trusts. IS has no REST API that
// calls API-M, so only a revoked token shows more.
func (i *inspection) trustIS(ctx context.Context) Check {
	cfg := i.subject.Config
	name := trust.NameOf(cfg, config.IS, cfg.IS.Host)
	if name == "" {
		return skipped("", "IS is not on the exchange volume (PEERS)")
	}
	trusts, err := trust.ExchangeOf(cfg).Trusts(ctx, name)
	switch {
	case err != nil:
		return broken(err, "check EXCHANGE_DIR")
	case trusts.Generation == "" && len(trusts.Fingerprints) == 0:
		return skipped("", noReport)
	}
	leaf, err := wso2.Served(ctx, cfg.Trust.ConnectTo.To(cfg.AMAddress()))
	if err != nil {
		return broken(err, "check that API-M runs")
	}
	f := leaf.Fingerprint().String()
	ca, isCA, _ := trust.ExchangeOf(cfg).CA(ctx, trust.NameOf(cfg, config.AM, cfg.AM.Host), leaf)
	if !slices.Contains(trusts.Fingerprints, f) && !(isCA && slices.Contains(trusts.Fingerprints, ca.Fingerprint().String())) {
		return failed("", "API-M presents "+short(f)+", and the agent next to IS says that the running IS does not trust it",
			"restart IS, or look at the conditions trust and restart of the agent next to IS")
	}
	return passed("API-M presents %s, and the agent next to IS says that the running IS trusts it", short(f))
}

// trustName verifies the name of API-M in its certificate, as IS does when it reports a revoked token: IS refuses a certificate without
// the name, whatever its truststore has. API-M compares no name in IS's certificate.
func (i *inspection) trustName(ctx context.Context) Check {
	cfg := i.subject.Config
	name := cfg.AM.Host
	switch {
	case cfg.Server.Product == config.AM:
		name = cfg.Server.Name // AM_HOST is how the agent in the same pod reaches it
	case cfg.Server.Product == "" && isLoopback(name):
		return skipped("", "the name by which IS calls API-M is not known here: set AM_HOST to it, or PRODUCT next to a server")
	}
	leaf, err := wso2.Served(ctx, cfg.Trust.ConnectTo.To(cfg.AMAddress()))
	if err != nil {
		return broken(err, "check that API-M runs")
	}
	parsed, err := leaf.Parse()
	if err != nil {
		return failed("", "API-M's certificate cannot be read: "+err.Error(), "give API-M another certificate")
	}
	if !names(parsed, name) {
		return failed("", fmt.Sprintf("IS calls API-M %s, and the certificate names %s", name, namesIn(parsed)),
			"give API-M a certificate with this name: TLS_MODE=issue next to API-M, or a DNS name in the certificate of TLS_FILES_DIR")
	}
	return passed("IS calls API-M %s; the certificate names %s", name, namesIn(parsed))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || host == "localhost"
}

// names reports whether a certificate is valid for a name. The strict verifier of Apache's HttpClient takes the common name if there are
// no subject alternative names.
func names(c *x509.Certificate, name string) bool {
	if len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 {
		return strings.EqualFold(c.Subject.CommonName, name)
	}
	return c.VerifyHostname(name) == nil
}

func namesIn(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return c.Subject.CommonName
	}
	return strings.Join(all, ", ")
}
