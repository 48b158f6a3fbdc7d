package bootstrap

import (
	"context"
	"fmt"

	"wso2agent/internal/config"
	"wso2agent/internal/product"
	"wso2agent/internal/trust"
)

// mapsCertificates reports whether IS is known to take a client certificate only for the user that it is mapped to: next to IS by its
// version, elsewhere by what the agent next to IS states.
func mapsCertificates(ctx context.Context, c config.Config) bool {
	if c.Server.Product == config.IS {
		return c.Release.Known && c.Release.CertificateUser
	}
	name := trust.NameOf(c, config.IS, c.IS.Host)
	if name == "" {
		return false
	}
	statement, _, err := trust.ExchangeOf(c).Closing(ctx, name)
	return err == nil && statement.CertificateUser
}

// CertificateRisk says what is wrong with a key manager that calls IS by mutual TLS, and the remedy; empty if IS is known to map
// certificates to users. Sources: [product.Facts.CertificateUser] in docs/versions.md.
func (s Settings) CertificateRisk(ctx context.Context) (risk, remedy string) {
	if s.MapsCertificates != nil && s.MapsCertificates(ctx) {
		return "", ""
	}
	since := product.Since(product.IS, func(f product.Facts) bool { return f.CertificateUser })
	return fmt.Sprintf("the key manager calls IS by mutual TLS, and IS before %s lets everybody whose certificate it trusts act as any user", since),
		fmt.Sprintf("give the key manager a username and a password, unless IS is %s or later and maps the certificate to a user", since)
}
