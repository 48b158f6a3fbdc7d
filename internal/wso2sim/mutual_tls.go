package wso2sim

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// How the connector of IS 7 authenticates itself from API-M 4.6 on: WSO2IS7ConnectorConfiguration of apim-km-wso2is v2.0.8.
const (
	authenticationProperty = "Authentication"
	basicAuthentication    = "BasicAuth"
	mutualTLS              = "MutualTLS"
	mutualTLSOptions       = "MutualTLSOptions" // ServerWide, or TenantWide with a certificate, which the stand-in does not have
	identityUser           = "IdentityUser"

	identityUserHeader = "WSO2-Identity-User"
)

// authentication gives the additional properties that are required with the chosen authentication, out of those for a password. A body
// without the choice means the password.
func (dto *keyManagerDTO) authentication(required []string) []string {
	if dto.AdditionalProperties[authenticationProperty] == nil && dto.AdditionalProperties != nil {
		dto.AdditionalProperties[authenticationProperty] = basicAuthentication
	}
	if dto.AdditionalProperties[authenticationProperty] != mutualTLS {
		return required
	}
	others := slices.DeleteFunc(slices.Clone(required), func(name string) bool { return name == "Username" || name == "Password" })
	return append(others, mutualTLSOptions, identityUser)
}

// presentingItself is the client of calls with a certificate: that of the primary key store, whatever [keystore.tls] says
// (WSO2IS7KeyManager.getMutualTLSHttpClient). It is nil where the connector has none.
func (am *AM) presentingItself() *http.Client {
	if !am.behaviour.MutualTLS {
		return nil
	}
	client := am.caller(allowAll)
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{{
		Certificate: [][]byte{am.signer.cert.Raw}, PrivateKey: am.signer.key, Leaf: am.signer.cert,
	}}
	return client
}

// byCertificate finds the user that a client certificate stands for; nil if there is none. The header names the user. From 7.3 on the
// certificate also needs an entry that allows it to be that user (deployment-overlay.toml of product-apim, integration-v2). The lock is held.
func (is *IS) byCertificate(chain []*x509.Certificate, name string) *caller {
	if is.trust.verify(chain) != nil || name == "" {
		return nil
	}
	if is.behaviour.MappedCertificate && !is.mapped(chain[0], name) {
		return nil
	}
	u := is.userNamed(name)
	if u == nil || u.shut() {
		return nil
	}
	return &caller{user: u}
}

// mapped reports whether deployment.toml allows a certificate to be a user.
func (is *IS) mapped(leaf *x509.Certificate, name string) bool {
	const table = "client_certificate_based_authentication"
	sum := sha256.Sum256(leaf.Raw)
	return is.settings.flag(table+".enable") && slices.ContainsFunc(is.settings.tables(table+".user_thumbprint_mapping"), func(entry settings) bool {
		return entry.text("trusted_issuer", "") == sortedName(leaf.Issuer) && (entry.text("allowed_username", "") == name || slices.Contains(entry.texts("allowed_username"), name)) &&
			strings.ReplaceAll(entry.text("cert_thumbprint", ""), ":", "") == strings.ToUpper(hex.EncodeToString(sum[:]))
	})
}

// sortedName writes a name as IS does: the attributes in the order of their types.
func sortedName(name pkix.Name) string {
	short := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
	var parts []string
	for _, a := range name.Names {
		text, _ := a.Value.(string)
		parts = append(parts, cmp.Or(short[a.Type.String()], a.Type.String())+"="+text)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
