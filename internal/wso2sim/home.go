package wso2sim

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"wso2agent/internal/keystore"
)

// The two products, as Unpack and the command name them.
const (
	ProductIS = "is"
	ProductAM = "am"
)

const (
	defaultAlias    = "wso2carbon"
	defaultPassword = "wso2carbon" // of the stores and of the key, public in both products
	gatewayAlias    = "gateway_certificate_alias"
	securityDir     = "repository/resources/security"
	settingsFile    = "repository/conf/deployment.toml"
)

// UnpackOptions are what tests may want otherwise.
type UnpackOptions struct {
	Version string          // such as 7.3.0; "" is the recorded one
	Rounds  int             // of the MAC of IS's stores; 0 is 100,000, as the product has
	Key     *rsa.PrivateKey // of the server's certificate; nil is a new one, which takes longer than everything else
}

// Unpack makes home, which must not exist yet, as the product is when freshly unpacked: its stores, in its own format
// and with its own passwords but keys made for this home, and a small deployment.toml. The product is ProductIS or
// ProductAM. As in the real product of that version, the certificate of IS 7.1.0 has expired.
func Unpack(home, product string) error { return UnpackWith(home, product, UnpackOptions{}) }

// UnpackWith is Unpack with options.
func UnpackWith(home, product string, o UnpackOptions) error {
	if _, err := os.Stat(home); err == nil {
		return fmt.Errorf("unpack %s into %s: it is there already; remove it or choose another folder", product, home)
	}
	behaviour, err := BehaviourOf(product, o.Version)
	if err != nil {
		return fmt.Errorf("unpack into %s: %w", home, err)
	}
	stores, err := layoutOf(product, behaviour, o).stores(time.Now())
	if err != nil {
		return fmt.Errorf("unpack %s into %s: %w", product, home, err)
	}
	conf, err := confFiles(product)
	if err != nil {
		return fmt.Errorf("unpack %s into %s: %w", product, home, err)
	}
	maps.Copy(stores, conf)
	maps.Copy(stores, seeds(product, behaviour))
	stores[versionFile] = []byte(behaviour.name(product) + "\n")
	for path, data := range stores {
		if err := writeNew(filepath.Join(home, path), data); err != nil {
			return fmt.Errorf("unpack %s: %w", product, err)
		}
	}
	return nil
}

func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o640); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// layout is what tells the homes of the products apart.
type layout struct {
	keyFile, trustFile string
	format             keystore.Options
	key                *rsa.PrivateKey // of the certificate; nil is a new one
	notBefore          time.Duration   // of the certificate, relative to now
	notAfter           time.Duration
	otherKey           bool
	ownAliases         []string // under which the truststore has the server's own certificate
	settings           string
}

const day = 24 * time.Hour

func layoutOf(product string, b Behaviour, o UnpackOptions) layout {
	l := layout{
		keyFile: b.Keystore, trustFile: b.Truststore, key: o.Key, format: b.format(product, cmp.Or(o.Rounds, 100_000)),
		notBefore: -30 * day, notAfter: 600 * day, ownAliases: []string{defaultAlias}, settings: b.settings(product), otherKey: b.OtherKey,
	}
	if b.Expired {
		l.notBefore, l.notAfter = -400*day, -35*day // that of IS 7.1.0 and 7.2.0 did on 2026-01-08
	}
	if product == ProductAM {
		l.ownAliases = append(l.ownAliases, gatewayAlias)
	}
	return l
}

// stores are the files of a fresh home by their path in it.
func (l layout) stores(now time.Time) (map[string][]byte, error) {
	key := l.key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	leaf, err := selfSigned(key, now.Add(l.notBefore), now.Add(l.notAfter))
	if err != nil {
		return nil, err
	}
	keys, err := keystore.New(l.format)
	if err == nil {
		err = keys.SetKey(defaultAlias, key, []keystore.Certificate{leaf}, defaultPassword, now)
	}
	if err == nil && l.otherKey {
		var other keystore.Certificate
		if other, err = selfSigned(key, now.Add(-900*day), now.Add(-810*day)); err == nil {
			err = keys.SetKey("newkey", key, []keystore.Certificate{other}, defaultPassword, now)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fill %s: %w", l.keyFile, err)
	}
	trusted, err := keystore.New(l.format)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", l.trustFile, err)
	}
	for _, alias := range l.ownAliases {
		if err := trusted.SetTrusted(alias, leaf, now); err != nil {
			return nil, fmt.Errorf("fill %s: %w", l.trustFile, err)
		}
	}
	for n := range 3 {
		authority, err := throwAwayCA(fmt.Sprintf("Stand-in Root CA %d", n+1), now)
		if err == nil {
			err = trusted.SetTrusted(fmt.Sprintf("standinrootca%d", n+1), authority, now)
		}
		if err != nil {
			return nil, fmt.Errorf("fill %s: %w", l.trustFile, err)
		}
	}
	files := map[string][]byte{settingsFile: []byte(l.settings)}
	for name, store := range map[string]*keystore.Store{l.keyFile: keys, l.trustFile: trusted} {
		if files[filepath.Join(securityDir, name)], err = store.Encode(); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	return files, nil
}

// selfSigned is a server certificate as the products ship it: CN=localhost, that name alone, and no CA.
func selfSigned(key *rsa.PrivateKey, from, until time.Time) (keystore.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return keystore.Certificate{}, fmt.Errorf("choose a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: from, NotAfter: until, DNSNames: []string{"localhost"},
		Subject:     pkix.Name{CommonName: "localhost", Organization: []string{"Stand-in"}},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return keystore.Certificate{}, fmt.Errorf("make the server's certificate: %w", err)
	}
	return keystore.Certificate{DER: der}, nil
}

// throwAwayCA is an authority whose key nobody has: the products' truststores are full of other people's.
func throwAwayCA(name string, now time.Time) (keystore.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keystore.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-100 * day), NotAfter: now.Add(3000 * day),
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return keystore.Certificate{}, fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	return keystore.Certificate{DER: der}, nil
}

const isSettings = `[server]
hostname = "localhost"
node_ip = "127.0.0.1"
base_path = "https://$ref{server.hostname}:${carbon.management.port}"

[super_admin]
username = "admin"
password = "admin"
create_admin_account = true

[user_store]
type = "database_unique_id"

[database.identity_db]
type = "h2"
url = "jdbc:h2:./repository/database/WSO2IDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"
username = "wso2carbon"
password = "wso2carbon"

[database.shared_db]
type = "h2"
url = "jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"
username = "wso2carbon"
password = "wso2carbon"

[keystore.primary]
file_name = "wso2carbon.p12"
password = "wso2carbon"
type = "PKCS12"

[truststore]
file_name = "client-truststore.p12"
password = "wso2carbon"
type = "PKCS12"
`

const amSettings = `[server]
hostname = "localhost"
base_path = "${carbon.protocol}://${carbon.host}:${carbon.management.port}"
server_role = "default"

[super_admin]
username = "admin"
password = "admin"
create_admin_account = true

[user_store]
type = "database_unique_id"

[database.apim_db]
type = "h2"
url = "jdbc:h2:./repository/database/WSO2AM_DB;DB_CLOSE_ON_EXIT=FALSE"
username = "wso2carbon"
password = "wso2carbon"

[database.shared_db]
type = "h2"
url = "jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE"
username = "wso2carbon"
password = "wso2carbon"

[keystore.tls]
file_name = "wso2carbon.jks"
type = "JKS"
password = "wso2carbon"
alias = "wso2carbon"
key_password = "wso2carbon"

[[apim.gateway.environment]]
name = "Default"
type = "hybrid"
gateway_type = "Regular"
https_endpoint = "https://localhost:${https.nio.port}"

[database.local]
url = "jdbc:h2:./repository/database/WSO2CARBON_DB;DB_CLOSE_ON_EXIT=FALSE"

[[event_listener]]
id = "token_revocation"
type = "org.wso2.carbon.identity.core.handler.AbstractIdentityHandler"
name = "org.wso2.is.notification.ApimOauthEventInterceptor"
order = 1
[event_listener.properties]
notification_endpoint = "https://localhost:${mgt.transport.https.port}/internal/data/v1/notify"
username = "${admin.username}"
password = "${admin.password}"
'header.X-WSO2-KEY-MANAGER' = "default"
`
