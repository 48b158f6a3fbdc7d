// Package config holds every setting of the agent. Each is an environment variable, declared once, here, with its
// default, its rule and its sentence; the table in the README is made from these declarations.
package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"wso2agent/internal/file"
)

// Products that an agent can stand beside.
const (
	IS = "is"
	AM = "am"
)

// ResidentKeyManager is the name that API-M gives the key manager built into it. It cannot be renamed.
const ResidentKeyManager = "Resident Key Manager"

// Config is the settings of one agent. Tags: env is the variable, default what counts when it is unset or empty,
// rule what a value must be (see rules.go), secret marks a value that is never shown and has a twin NAME_FILE, shown
// is the README's wording of a default that depends on other settings, desc the README's sentence.
type Config struct {
	Product    string   `env:"PRODUCT" rule:"oneof is am" shown:"(required)" desc:"the server that this agent stands beside: is or am"`
	ServerName string   `env:"SERVER_NAME" rule:"name" shown:"wso2is / wso2am" desc:"its network name: folder on the exchange volume, alias in the peers' truststores"`
	Peers      []string `env:"PEERS" rule:"names" shown:"the other one" desc:"names of the peers whose certificates are imported, with commas between; none for no peer"`

	ExchangeDir    string `env:"EXCHANGE_DIR" default:"/exchange" rule:"path" desc:"the volume that all agents share"`
	ServerHome     string `env:"SERVER_HOME" rule:"path" shown:"the image's home" desc:"home of the server, read only"`
	ConfigDir      string `env:"CONFIG_DIR" default:"/home/wso2carbon/wso2-config-volume" rule:"path" desc:"where the server's stores and settings are edited; its entrypoint copies them over its home at every start"`
	KeystoreFile   string `env:"KEYSTORE_FILE" rule:"path" shown:"what deployment.toml names" desc:"the keystore of the server's TLS listeners; relative to repository/resources/security below CONFIG_DIR, or where it is not there, SERVER_HOME"`
	KeystoreAlias  string `env:"KEYSTORE_ALIAS" shown:"what deployment.toml names, else the only key" desc:"alias of the server's TLS key in it"`
	KeystorePass   string `env:"KEYSTORE_PASS" default:"wso2carbon" secret:"true" desc:"password of the keystore; unset, the one that deployment.toml has counts"`
	TruststoreFile string `env:"TRUSTSTORE_FILE" rule:"path" shown:"what deployment.toml names" desc:"the own truststore; relative to repository/resources/security below CONFIG_DIR"`
	TruststorePass string `env:"TRUSTSTORE_PASS" default:"wso2carbon" secret:"true" desc:"password of the truststore; likewise"`

	Settings         string `env:"SETTINGS" default:"merge" rule:"oneof merge override none" desc:"what is done with the server's deployment.toml: merge (make the needed settings, keep what somebody set otherwise), override, or none"`
	SecretsEnv       bool   `env:"SECRETS_ENV" rule:"bool" default:"false" desc:"write passwords into deployment.toml as $env{NAME}, which the server's container must then have in its environment, and not in clear"`
	TokensSideBySide bool   `env:"TOKENS_SIDE_BY_SIDE" rule:"bool" default:"false" desc:"let a new token leave the same client's one before it valid"`
	GatewayEventWait string `env:"GATEWAY_EVENT_WAIT" default:"100ms" rule:"wait" desc:"how long API-M's gateway waits before it takes up each deployment, one after another: a time, or product (leave the product's own, 5s)"`
	ServerAdmin      bool   `env:"SERVER_ADMIN" rule:"bool" default:"false" desc:"turn on restarts through the server's web service ServerAdmin, for people; the agent does not use it"`
	Database         string `env:"DATABASE" default:"embedded" rule:"oneof embedded postgres" desc:"the server's databases: embedded (H2, in its home) or postgres"`
	DBRecordDir      string `env:"DATABASE_RECORD_DIR" default:"/record" rule:"path" desc:"where the databases job records whether the servers have used PostgreSQL: only on new databases the agent sets the administrator's password"`
	DBHost           string `env:"PGHOST" default:"postgres" rule:"host" desc:"PostgreSQL's host"`
	DBPort           int    `env:"PGPORT" default:"5432" rule:"port" desc:"PostgreSQL's port"`
	DatabasePool     int    `env:"DATABASE_POOL" default:"20" rule:"count" desc:"the most connections to PostgreSQL of each of the four pools, two in each server; PostgreSQL must allow 20 more than all of them together (max_connections)"`
	AMDBName         string `env:"AM_DB_NAME" default:"apim_db" desc:"API-M's own database there"`
	ISDBName         string `env:"IS_DB_NAME" default:"identity_db" desc:"IS's own database there"`
	SharedDBName     string `env:"SHARED_DB_NAME" default:"shared_db" desc:"the database that both have a schema in"`
	AMDBUser         string `env:"AM_DB_USER" default:"wso2am" desc:"API-M's user there"`
	ISDBUser         string `env:"IS_DB_USER" default:"wso2is" desc:"IS's user there"`
	AMDBSchema       string `env:"AM_DB_SCHEMA" default:"wso2am" desc:"schema of API-M's tables in both its databases"`
	ISDBSchema       string `env:"IS_DB_SCHEMA" default:"wso2is" desc:"schema of IS's tables in both its databases"`
	AMDBPassword     string `env:"AM_DB_PASSWORD" secret:"true" shown:"none" desc:"password of API-M's user there"`
	ISDBPassword     string `env:"IS_DB_PASSWORD" secret:"true" shown:"none" desc:"password of IS's user there"`

	Trust          string        `env:"TRUST" default:"leaf" rule:"oneof leaf ca" desc:"what is trusted of a peer: leaf (its certificates themselves), or ca (the CA that has signed them, where there is one, so that a renewal restarts the peer alone)"`
	PeerPins       Pins          `env:"PEER_PINS" rule:"pins" shown:"none" desc:"fingerprints that a peer's certificates must have, name=SHA-256 with commas between, several for a name where it rotates; a peer with none is believed as it publishes"`
	TLSMode        string        `env:"TLS_MODE" default:"none" rule:"oneof none issue files" desc:"where the server's TLS certificate comes from: none (from its own keystore, as it is), issue (the agent makes it), or files (from TLS_FILES_DIR)"`
	TLSNames       []string      `env:"TLS_NAMES" rule:"sans" shown:"none" desc:"names and IP addresses of an issued certificate beside SERVER_NAME and localhost, with commas between"`
	TLSKey         string        `env:"TLS_KEY" default:"ecdsa-p256" rule:"oneof ecdsa-p256 rsa-2048 rsa-3072 rsa-4096" desc:"kind of its key"`
	TLSValidity    time.Duration `env:"TLS_VALIDITY" default:"8760h" rule:"positive" desc:"how long it lasts, a year; never longer than its CA"`
	TLSRenewBefore time.Duration `env:"TLS_RENEW_BEFORE" default:"720h" rule:"positive" desc:"how long before its end it is issued anew"`
	TLSCACertFile  string        `env:"TLS_CA_CERT_FILE" rule:"path" shown:"none, self-signed" desc:"PEM file of the CA that signs it, its own issuers behind it"`
	TLSCAKeyFile   string        `env:"TLS_CA_KEY_FILE" rule:"path" shown:"none" desc:"PEM file of that CA's private key"`
	TLSFilesDir    string        `env:"TLS_FILES_DIR" default:"/tls" rule:"path" desc:"folder of tls.crt, tls.key and, if need be, ca.crt, as cert-manager leaves them"`

	InitTimeout   time.Duration `env:"INIT_TIMEOUT" default:"15m" rule:"positive" desc:"how long init waits for the stores and for every peer's certificate"`
	InitOnTimeout string        `env:"INIT_ON_TIMEOUT" default:"fail" rule:"oneof fail start" desc:"what init does then: fail, or start the server without the missing peers"`

	Restart       string        `env:"RESTART" default:"auto" rule:"oneof auto exec none" desc:"way of restarting the server: exec (through agent exec), none (by hand); auto is exec"`
	DatabaseWait  time.Duration `env:"DATABASE_TIMEOUT" default:"10m" rule:"positive" desc:"how long agent exec waits before a start of the server until PostgreSQL answers; then it fails"`
	StartTimeout  time.Duration `env:"START_TIMEOUT" default:"10m" rule:"positive" desc:"how long the server may take to open its port (IS_PORT or AM_PORT), from when its database answers; then agent exec restarts it"`
	StopTimeout   time.Duration `env:"STOP_TIMEOUT" default:"60s" rule:"positive" desc:"how long agent exec waits between TERM and KILL; API-M takes some 15 s"`
	MaxRestarts   int           `env:"MAX_RESTARTS" default:"5" rule:"count" desc:"how often agent exec restarts the server within RESTART_WINDOW; a further restart waits"`
	RestartWindow time.Duration `env:"RESTART_WINDOW" default:"10m" rule:"positive" desc:"the time in which they are counted"`
	QuietMin      time.Duration `env:"QUIET_MIN" default:"500ms" rule:"positive" desc:"how long files must not change before a change is acted on"`
	QuietMax      time.Duration `env:"QUIET_MAX" default:"5s" rule:"positive" desc:"how long that may put it off"`
	Poll          time.Duration `env:"POLL_INTERVAL" default:"10s" rule:"positive" desc:"how often watched folders are looked at where a volume sends no events"`

	RotateTimeout time.Duration `env:"ROTATE_TIMEOUT" default:"10m" rule:"positive" desc:"how long a server that has a new certificate waits for its peers to trust it, before it switches all the same"`
	RotateGrace   time.Duration `env:"ROTATE_GRACE" default:"10m" rule:"positive" desc:"how long the old one stays published after the switch"`

	Artifacts         string `env:"ARTIFACTS" default:"default" rule:"oneof default none" desc:"files that init puts on the artifact volume before those of ARTIFACTS_FILE: default (what the stock image lacks) or none"`
	ArtifactsFile     string `env:"ARTIFACTS_FILE" rule:"path" shown:"none" desc:"a list of more of them, or of other versions"`
	ArtifactDir       string `env:"ARTIFACT_DIR" default:"/home/wso2carbon/wso2-artifact-volume" rule:"path" desc:"the artifact volume; the server's entrypoint copies it over its home at every start, after CONFIG_DIR"`
	ArtifactSourceDir string `env:"ARTIFACT_SOURCE_DIR" rule:"path" shown:"none" desc:"a folder, in the agent's container, with such files to use in place of the network, each under the last part of its address"`

	AMHost      string `env:"AM_HOST" default:"localhost" rule:"host" shown:"localhost, and the peer's name next to IS" desc:"API-M's host, as seen by the agent"`
	AMPort      int    `env:"AM_PORT" default:"9443" rule:"port" desc:"API-M's port of the REST APIs"`
	AMAdminUser string `env:"AM_ADMIN_USER" default:"admin" desc:"API-M's administrator"`
	AMAdminPass string `env:"AM_ADMIN_PASS" default:"admin" secret:"true" desc:"its password"`
	GWHost      string `env:"GW_HOST" rule:"host" shown:"${AM_HOST}" desc:"the gateway's host, as seen by the agent"`
	GWPort      int    `env:"GW_PORT" default:"8243" rule:"port" desc:"the gateway's HTTPS port"`
	VHost       string `env:"VHOST" default:"localhost" rule:"host" desc:"virtual host of the gateway on which the APIs are deployed"`
	ISHost      string `env:"IS_HOST" default:"wso2is" rule:"host" desc:"IS's host, as seen by the agent and by API-M"`
	ISPort      int    `env:"IS_PORT" default:"9443" rule:"port" desc:"IS's port"`
	ISAdminUser string `env:"IS_ADMIN_USER" default:"admin" desc:"IS's administrator"`
	ISAdminPass string `env:"IS_ADMIN_PASS" default:"admin" secret:"true" desc:"its password"`
	ISContainer string `env:"IS_CONTAINER" default:"innover-wso2is-1" desc:"IS's container, named in advice about a restart by hand"`
	AMContainer string `env:"AM_CONTAINER" default:"innover-wso2am-1" desc:"API-M's container, likewise"`

	AgentCommand string `env:"AGENT_COMMAND" default:"agent" desc:"how people call this agent from where they are, named in advice on how to try an API"`

	KMName          string `env:"KM_NAME" default:"WSO2-IS" desc:"name under which IS is registered as key manager"`
	KeyManagerName  string `env:"KEY_MANAGER_NAME" default:"Resident Key Manager" desc:"key manager that issues the application's keys: KM_NAME's value for IS, or API-M's own"`
	KMTokenEndpoint string `env:"KM_TOKEN_ENDPOINT" default:"https://wso2is:9443/oauth2/token" rule:"https" desc:"where tokens of that key manager come from; not used with API-M's own"`

	Scopes         string        `env:"SCOPES" default:"authorize" rule:"oneof authorize all" desc:"how API-M's applications get the scopes of APIs in IS: authorize (the agent authorizes each application), or all ([oauth] authorize_all_scopes, with which any API subscriber can administer IS)"`
	ScopesAt       string        `env:"SCOPES_AT" default:"is" rule:"oneof is am" desc:"the server next to which the agent authorizes applications: is, or am if IS has no agent"`
	ScopesInterval time.Duration `env:"SCOPES_INTERVAL" default:"2s" rule:"interval" desc:"how often the agent reads new applications and scopes; 0: only after a start of IS"`
	ScopesClients  []string      `env:"SCOPES_CLIENTS" rule:"clients" shown:"none" desc:"ids of further clients of IS that the agent authorizes, with commas between: clients that somebody mapped to applications of API-M"`

	ISPublicURL  string `env:"IS_PUBLIC_URL" rule:"https" shown:"KM_TOKEN_ENDPOINT's" desc:"address of IS that people and browsers use, without a path; the Developer Portal shows it"`
	AMPublicHost string `env:"AM_PUBLIC_HOST" rule:"host" shown:"API-M's own setting" desc:"host name of API-M that people and browsers use, behind a reverse proxy"`
	ProxyPort    int    `env:"PROXY_PORT" rule:"port" shown:"none" desc:"port of the reverse proxy in front of the server, which its own addresses then have"`

	Reconcile        time.Duration `env:"RECONCILE_INTERVAL" default:"30s" rule:"positive" desc:"how often run looks whether both servers serve and still have what was made, by four requests; a change that a peer causes is verified no more often either"`
	Bootstrap        bool          `env:"BOOTSTRAP" rule:"bool" shown:"true beside API-M" desc:"whether run also keeps the desired state"`
	BootstrapTimeout time.Duration `env:"BOOTSTRAP_TIMEOUT" default:"30m" rule:"positive" desc:"how long agent bootstrap tries; run never gives up"`
	APIConfig        string        `env:"API_CONFIG" default:"/config/api-config.yaml" rule:"path" desc:"the desired state: APIs, application, subscriptions"`
	KeysFile         string        `env:"KEYS_FILE" default:"/output/application-keys.json" rule:"path" desc:"where the application's keys are written, mode 0600"`

	TLSCAFile  string `env:"TLS_CA_FILE" rule:"path" shown:"the system's roots" desc:"PEM file of the CAs for addresses that are no peer"`
	ListenAddr string `env:"LISTEN_ADDR" default:"127.0.0.1:9990" rule:"address" desc:"where run serves /livez, /readyz, /status and /metrics"`
	LogLevel   string `env:"LOG_LEVEL" default:"info" rule:"oneof debug info warn error" desc:"least level that is logged"`
	LogFormat  string `env:"LOG_FORMAT" rule:"oneof text json" shown:"text on a terminal, else json" desc:"form of the log"`

	SecretFiles []string // paths of the files that hold secrets, in the order of the settings

	given map[string]bool // the variables that are set, directly or by their file
}

// securityDir is where the products keep their stores, below their home and below the config volume alike.
const securityDir = "repository/resources/security"

// For returns the settings of an agent next to another product: those that nobody has set get its defaults.
func (c Config) For(product string) Config {
	for name, field := range map[string]*string{"SERVER_NAME": &c.ServerName, "SERVER_HOME": &c.ServerHome, "KEYSTORE_FILE": &c.KeystoreFile,
		"TRUSTSTORE_FILE": &c.TruststoreFile, "GW_HOST": &c.GWHost} {
		if !c.given[name] {
			*field = ""
		}
	}
	if !c.given["AM_HOST"] {
		c.AMHost = "localhost"
	}
	c.Product = product
	c.complete()
	return c
}

// complete sets the defaults that depend on other settings.
func (c *Config) complete() {
	type byProduct struct{ name, peer, home, keystore, truststore string }
	p := map[string]byProduct{
		IS: {"wso2is", "wso2am", "/home/wso2carbon/wso2is-7.1.0", "wso2carbon.p12", "client-truststore.p12"},
		AM: {"wso2am", "wso2is", "/home/wso2carbon/wso2am-4.5.0", "wso2carbon.jks", "client-truststore.jks"},
	}[c.Product]
	fill := func(value *string, otherwise string) {
		if *value == "" {
			*value = otherwise
		}
	}
	fill(&c.ServerName, p.name)
	fill(&c.ServerHome, p.home)
	fill(&c.KeystoreFile, p.keystore)
	fill(&c.TruststoreFile, p.truststore)
	switch {
	case !c.given["PEERS"] && p.peer != "":
		c.Peers = []string{p.peer}
	case len(c.Peers) == 1 && c.Peers[0] == "none":
		c.Peers = nil
	}
	// Next to IS localhost would be IS itself.
	if c.Product == IS && !c.given["AM_HOST"] {
		c.AMHost = p.peer
		if len(c.Peers) == 1 {
			c.AMHost = c.Peers[0]
		}
	}
	fill(&c.GWHost, c.AMHost)
	if !c.given["BOOTSTRAP"] {
		c.Bootstrap = c.Product == AM
	}
}

// Given reports whether a variable is set, directly or by its file. A variable with its default only is not.
func (c Config) Given(name string) bool { return c.given[name] }

// KeystorePaths are the places where the own keystore is looked for, in order: as edited on the config volume, then
// as the server was shipped.
func (c Config) KeystorePaths() []string { return c.StorePaths(c.KeystoreFile) }

// StorePaths are those places for any store of the server's.
func (c Config) StorePaths(name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	return []string{
		filepath.Join(c.ConfigDir, securityDir, name),
		filepath.Join(c.ServerHome, securityDir, name),
	}
}

// TruststorePath is the own truststore, the one that is edited.
func (c Config) TruststorePath() string {
	if filepath.IsAbs(c.TruststoreFile) {
		return c.TruststoreFile
	}
	return filepath.Join(c.ConfigDir, securityDir, c.TruststoreFile)
}

// WithStores returns the settings with the stores that the server's own settings name, where no variable says otherwise.
// An empty alias stands for the only key.
func (c Config) WithStores(keystore, keystorePass, alias, truststore, truststorePass string) Config {
	fill := func(value *string, name, otherwise string) {
		if !c.given[name] {
			*value = otherwise
		}
	}
	fill(&c.KeystoreFile, "KEYSTORE_FILE", keystore)
	fill(&c.KeystorePass, "KEYSTORE_PASS", keystorePass)
	fill(&c.KeystoreAlias, "KEYSTORE_ALIAS", alias)
	fill(&c.TruststoreFile, "TRUSTSTORE_FILE", truststore)
	fill(&c.TruststorePass, "TRUSTSTORE_PASS", truststorePass)
	return c
}

// TLSStoreFile is the keystore that the agent makes with TLS_MODE=issue and files.
const TLSStoreFile = "wso2agent-tls.p12"

// TLSStorePath is where it lies on the config volume.
func (c Config) TLSStorePath() string { return filepath.Join(c.ConfigDir, securityDir, TLSStoreFile) }

// DeploymentTOML is the server's settings file on the config volume.
func (c Config) DeploymentTOML() string {
	return filepath.Join(c.ConfigDir, "repository/conf/deployment.toml")
}

// AMAddress, ISAddress and GatewayAddress are host:port.
func (c Config) AMAddress() string      { return address(c.AMHost, c.AMPort) }
func (c Config) ISAddress() string      { return address(c.ISHost, c.ISPort) }
func (c Config) GatewayAddress() string { return address(c.GWHost, c.GWPort) }

// EventWait is GATEWAY_EVENT_WAIT; 0 leaves the product's own.
func (c Config) EventWait() time.Duration {
	wait, _ := time.ParseDuration(c.GatewayEventWait) // by its rule a time or "product"
	return wait
}

// DatabaseAddress is host:port of the database that the server needs in order to start; empty where it has its own.
func (c Config) DatabaseAddress() string {
	if c.Database != "postgres" {
		return ""
	}
	return address(c.DBHost, c.DBPort)
}

// Container is the name of the own server's container, for advice to people.
func (c Config) Container() string {
	if c.Product == IS {
		return c.ISContainer
	}
	return c.AMContainer
}

func address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// WorkDir holds the agent's own files: at the top of the config volume or, for a truststore that lies elsewhere, beside
// it. It must be on the truststore's file system.
func (c Config) WorkDir() string {
	if dir := c.VolumeWorkDir(c.TruststorePath()); dir != "" {
		return dir
	}
	return filepath.Join(filepath.Dir(c.TruststorePath()), file.WorkDir)
}

// VolumeWorkDir is WorkDir for a store anywhere: empty if it does not lie on the config volume.
func (c Config) VolumeWorkDir(store string) string {
	volume, err := filepath.Abs(c.ConfigDir)
	if err != nil {
		return ""
	}
	path, err := filepath.Abs(store)
	if err != nil {
		return ""
	}
	if rel, err := filepath.Rel(volume, path); err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.Join(c.ConfigDir, file.WorkDir)
}
