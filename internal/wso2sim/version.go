package wso2sim

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/keystore"
)

// The versions that a stand-in has the behaviour of where nobody asks for another: those of the recordings.
const (
	defaultVersionIS = "7.1.0"
	defaultVersionAM = "4.5.0"
)

// The stores of every version of API-M.
const (
	amKeystore   = "wso2carbon.jks"
	amTruststore = "client-truststore.jks"
)

// Behaviour is what a version of a product does otherwise than other versions. Only that of IS 7.1.0 and API-M 4.5.0 was recorded. The
// rest was read in sources, which docs/stand-ins.md names.
type Behaviour struct {
	Version string // such as 7.1.0

	// Files of a fresh home.
	Keystore, Truststore string // their names, in repository/resources/security
	JKS                  bool   // the stores are JKS, else PKCS#12, whatever their names say
	Expired              bool   // the server's certificate has expired
	OtherKey             bool   // the key store has a second key, "newkey", which nothing uses
	Java                 int    // major version in the image

	// IS.
	AgentDatabase     bool   // a further database, [datasource.AgentIdentity]
	TLS               uint16 // the highest version that the listener offers, such as tls.VersionTLS12
	OSGi              string // version of the package org.osgi.service that the framework exports, such as 1.2
	AllScopes         AllScopes
	ScopeArray        bool // the claim scope of a token is an array
	MappedCertificate bool // a client certificate is a user only by [client_certificate_based_authentication]; else WSO2-Identity-User says who

	// API-M.
	MakesKey       bool // the start script writes [encryption] key into a deployment.toml that has none, and secrets are encrypted with it
	SecretsOnce    bool // the Resident Key Manager has several secrets for a client, and shows each only in the answer that makes it
	SecretsOnceIS7 bool // the same for clients in IS 7, which was not tried: no version does it by itself
	MutualTLS      bool // the connector of IS 7 has Authentication=MutualTLS
	ReloadsTrust   bool // outgoing calls trust what the truststore has now

	// Both.
	TokensNotStored bool // JWTs are in no database, so that a new one leaves the one before it alone
}

// AllScopes is what [oauth] authorize_all_scopes of IS covers.
type AllScopes int

// What authorize_all_scopes covers.
const (
	AllOfThem      AllScopes = iota // IS's own scopes too
	AllOrOwn                        // not IS's own; an application with an authorized API has the scopes of that, and no others
	AllButInternal                  // not IS's own
)

// behaviours are those of each product by minor version.
func behaviours(product string) map[string]Behaviour {
	if product == ProductIS {
		p12 := Behaviour{Keystore: "wso2carbon.p12", Truststore: "client-truststore.p12", Expired: true, Java: 21, TLS: tls.VersionTLS12, OSGi: "1.2"}
		v70, v72 := p12, p12
		v70.Keystore, v70.Truststore, v70.JKS, v70.OtherKey, v70.Java, v70.TLS = "wso2carbon.jks", "client-truststore.jks", true, true, 11, tls.VersionTLS13
		v72.AgentDatabase, v72.AllScopes = true, AllOrOwn
		v73 := v72
		v73.Expired, v73.TLS, v73.OSGi, v73.AllScopes, v73.ScopeArray, v73.MappedCertificate, v73.TokensNotStored = false, tls.VersionTLS13, "1.3", AllButInternal, true, true, true
		return map[string]Behaviour{"7.0": v70, "7.1": p12, "7.2": v72, "7.3": v73}
	}
	v44 := Behaviour{Keystore: amKeystore, Truststore: amTruststore, Java: 21, TLS: tls.VersionTLS13}
	v46 := v44
	v46.JKS, v46.MutualTLS, v46.ReloadsTrust = true, true, true
	v47 := v46
	v47.Java, v47.MakesKey, v47.SecretsOnce, v47.TokensNotStored = 25, true, true, true
	return map[string]Behaviour{"4.4": v44, "4.5": v44, "4.6": v46, "4.7": v47}
}

// BehaviourOf returns that of a version, such as 7.3.0; "" is the recorded one. The error lists the versions.
func BehaviourOf(product, version string) (Behaviour, error) {
	if product != ProductIS && product != ProductAM {
		return Behaviour{}, fmt.Errorf("unknown product %q, want %s or %s", product, ProductIS, ProductAM)
	}
	version = cmp.Or(version, map[string]string{ProductIS: defaultVersionIS, ProductAM: defaultVersionAM}[product])
	known := behaviours(product)
	parts := strings.Split(version, ".")
	if len(parts) >= 2 {
		if b, ok := known[parts[0]+"."+parts[1]]; ok {
			b.Version = version
			return b, nil
		}
	}
	return Behaviour{}, fmt.Errorf("version %q of %s: the stand-in has the minor versions %s, with a patch version behind them", version, product,
		strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}

// versionFile is in every home of both products (bin.xml of product-is and product-apim). Its words are not those of the products.
const versionFile = "bin/version.txt"

// homeBehaviour returns the behaviour of the version that a home has. A home without the file has the recorded version.
func homeBehaviour(product, home string) (Behaviour, error) {
	text, err := os.ReadFile(filepath.Join(home, versionFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Behaviour{}, fmt.Errorf("read the version of the home: %w", err)
	}
	version := strings.TrimSpace(string(text))
	return BehaviourOf(product, version[strings.LastIndexAny(version, " -v")+1:])
}

// name is how the product calls itself, such as "WSO2 API Manager-4.5.0".
func (b Behaviour) name(product string) string {
	if product == ProductIS {
		return "WSO2 Identity Server-" + b.Version
	}
	return "WSO2 API Manager-" + b.Version
}

// format is the format of the stores of a fresh home.
func (b Behaviour) format(product string, rounds int) keystore.Options {
	switch {
	case b.JKS:
		return keystore.Options{Format: keystore.JKS, Password: defaultPassword}
	case product == ProductIS:
		return keystore.Options{
			Format: keystore.PKCS12, Password: defaultPassword, MAC: keystore.MACSHA1, MACRounds: rounds,
			Certificates: keystore.RC2With40, CertificateRounds: rounds / 2,
		}
	}
	return keystore.Options{Format: keystore.PKCS12, Password: defaultPassword, MAC: keystore.NoMAC, Certificates: keystore.Clear}
}

// settings is the deployment.toml of a fresh home.
func (b Behaviour) settings(product string) string {
	if product == ProductAM {
		return amSettings
	}
	text := isSettings
	if b.AgentDatabase {
		text = strings.Replace(text, "[keystore.primary]", agentSettings+"[keystore.primary]", 1)
	}
	if !strings.HasSuffix(b.Keystore, ".p12") {
		text = strings.NewReplacer("wso2carbon.p12", b.Keystore, "client-truststore.p12", b.Truststore, `"PKCS12"`, `"JKS"`).Replace(text)
	}
	return text
}

// agentSettings is in deployment.toml of IS from 7.2.0 on (product-is, modules/distribution/src/repository/resources/conf).
const agentSettings = `[datasource.AgentIdentity]
id = "AgentIdentity"
url = "jdbc:h2:./repository/database/WSO2AGENTIDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"
username = "wso2carbon"
password = "wso2carbon"
driver = "org.h2.Driver"

`
