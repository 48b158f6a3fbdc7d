package product

// Facts are what differs between the minor versions of a product. docs/versions.md has the source of each fact, and how sure it is.
type Facts struct {
	Minor string // such as 7.1

	// Files of the image.
	Keystore, Truststore string // the stores that the stock settings name, in repository/resources/security
	StoreType            string // of both, as default.json of the product names it; the files can be of another type that Java reads
	JDK                  int    // major version of Java in the image
	StopsByTERM          bool   // the entrypoint traps TERM and stops the server; that of API-M then exits with 0, that of IS with 143

	// Behaviour of both products.
	AgentDatabase     bool // IS: has the database AgentIdentity
	EncryptionKey     bool // encrypts with [encryption] key; without one, a default that everybody knows (IS), or one made at each start (API-M)
	EncryptionKeyMade bool // API-M: its start script makes the key if deployment.toml has none
	// KeyDigits is how many hexadecimal digits the longest key has. 48 and 64 digits are read as 24 and 32 bytes, and 32 digits as 32
	// characters (SymmetricKeyInternalCryptoProvider of carbon-crypto-service); IS 7.0 reads characters only (docs-is, "Symmetric
	// encryption": longer keys "7.1.0 onwards").
	KeyDigits int

	// API-M.
	SecretsShownOnce bool // consumer secrets are in the answer that makes them only; regenerate-secret is refused
	ReloadsTrust     bool // the client of outgoing calls reads the truststore again without a restart
	KeyManagerByTLS  bool // a key manager can have Authentication=MutualTLS
	TokensNotStored  bool // JWTs of its own key manager (API-M), or of IS, are not stored

	// IS.
	HandlerVersions string    // versions of the revocation handler that the OSGi framework resolves with the Java of the image, for people
	HandlerOSGi     string    // version of the exported package org.osgi.service that decides it, such as 1.2
	Handler         string    // version of the handler to install
	CertificateUser bool      // a client certificate needs a mapping to a user, see [client_certificate_based_authentication]
	AllScopes       AllScopes // what authorize_all_scopes covers
	ScopeArray      bool      // the claim scope of a token may be an array
	TLS13           bool      // the listener offers TLS 1.3 with stock settings
}

// AllScopes says what [oauth] authorize_all_scopes of IS covers.
type AllScopes int

// What authorize_all_scopes covers. Updates of the older versions may have the behaviour of the newer ones, so the running server decides.
const (
	AllWithInternal AllScopes = iota // IS's own scopes too: an administrator's rights for everybody
	AllUnlessOwn                     // not IS's own, but an application with an authorized API of its own loses all other scopes
	AllButInternal                   // not IS's own scopes
)

// table has the facts of each minor version, the oldest first.
var table = map[string][]Facts{
	IS: {
		{Minor: "7.0", Keystore: "wso2carbon.jks", Truststore: "client-truststore.jks", StoreType: "JKS", JDK: 11, EncryptionKey: true, KeyDigits: 32,
			HandlerVersions: "up to 2.0.11", HandlerOSGi: "1.2", Handler: "2.0.5", TLS13: true},
		{Minor: "7.1", Keystore: "wso2carbon.p12", Truststore: "client-truststore.p12", StoreType: "PKCS12", JDK: 21, EncryptionKey: true, KeyDigits: 64,
			HandlerVersions: "up to 2.0.11, or from 2.1.2 on", HandlerOSGi: "1.2", Handler: "2.0.5"},
		{Minor: "7.2", Keystore: "wso2carbon.p12", Truststore: "client-truststore.p12", StoreType: "PKCS12", JDK: 21, EncryptionKey: true, KeyDigits: 64, StopsByTERM: true, AgentDatabase: true,
			HandlerVersions: "up to 2.0.11, or from 2.1.2 on", HandlerOSGi: "1.2", Handler: "2.0.5", AllScopes: AllUnlessOwn},
		{Minor: "7.3", Keystore: "wso2carbon.p12", Truststore: "client-truststore.p12", StoreType: "PKCS12", JDK: 21, EncryptionKey: true, KeyDigits: 64, StopsByTERM: true, AgentDatabase: true,
			HandlerVersions: "2.0.12 or later", HandlerOSGi: "1.3", Handler: "2.1.2", AllScopes: AllButInternal, CertificateUser: true,
			TokensNotStored: true, ScopeArray: true, TLS13: true},
	},
	AM: {
		{Minor: "4.4", Keystore: "wso2carbon.jks", Truststore: "client-truststore.jks", StoreType: "JKS", JDK: 21},
		{Minor: "4.5", Keystore: "wso2carbon.jks", Truststore: "client-truststore.jks", StoreType: "JKS", JDK: 21},
		{Minor: "4.6", Keystore: "wso2carbon.jks", Truststore: "client-truststore.jks", StoreType: "JKS", JDK: 21, ReloadsTrust: true, KeyManagerByTLS: true},
		{Minor: "4.7", Keystore: "wso2carbon.jks", Truststore: "client-truststore.jks", StoreType: "JKS", JDK: 25, StopsByTERM: true, EncryptionKey: true, KeyDigits: 64,
			EncryptionKeyMade: true, SecretsShownOnce: true, ReloadsTrust: true, KeyManagerByTLS: true, TokensNotStored: true},
	},
}
