package config

import "time"

// Server is the server that the agent runs next to.
type Server struct {
	Product   string `env:"PRODUCT" rule:"oneof is am" shown:"none: it is required" desc:"The server that this agent runs next to: is or am."`
	Name      string `env:"SERVER_NAME" rule:"name" shown:"wso2is next to IS, wso2am next to API-M" desc:"Network name of this server. Its folder on the exchange volume and its alias in the truststores of its peers have the same name."`
	Home      string `env:"SERVER_HOME" rule:"path" shown:"the home folder in the image" desc:"Home folder of the server. Only agent exec writes to it: it places or repairs the TLS keystore while the server runs. With RELOAD=off it removes what an earlier start has left there for the reload."`
	ConfigDir string `env:"CONFIG_DIR" default:"/home/wso2carbon/wso2-config-volume" rule:"path" desc:"Config volume, on which the agent edits the stores and the settings of the server. At every start, the entrypoint of the server copies this volume over SERVER_HOME."`
}

// Trust says whose certificates the agent trusts and how it exchanges them.
type Trust struct {
	ExchangeDir string   `env:"EXCHANGE_DIR" default:"/exchange" rule:"path" desc:"Exchange volume, which all agents share."`
	Peers       []string `env:"PEERS" rule:"names" shown:"wso2am next to IS, wso2is next to API-M" desc:"Names of the peers whose certificates the agent imports, separated by commas. The value none means no peer."`
	Mode        string   `env:"TRUST" default:"leaf" rule:"oneof leaf ca" desc:"What the agent imports for a peer. leaf: the certificates of the peer. ca: the CA that signed them, if there is one. With ca, no renewal by the same CA needs a restart."`
	Pins        Pins     `env:"PEER_PINS" rule:"pins" desc:"SHA-256 fingerprints that the certificates of a peer must have, as name=fingerprint, separated by commas. A name may appear several times, for a rotation. For a peer without a pin, the agent accepts the certificates that the peer publishes. Without PRODUCT and PEERS the names are wso2is and wso2am."`
	ConnectTo   Routes   `env:"CONNECT_TO" rule:"routes" desc:"Addresses that the agent reaches at another one, as host:port=host:port, separated by commas, such as wso2is:9443=localhost:9443 for a port that a container publishes. The server must have the certificate of the first address. agent up writes this setting for other commands."`
	CAFile      string   `env:"TLS_CA_FILE" rule:"path" shown:"the CAs of the system" desc:"PEM file with the CAs that the agent trusts for addresses that belong to no peer."`
}

// Keystore is the keystore of the TLS listeners of the server.
type Keystore struct {
	File  string `env:"KEYSTORE_FILE" rule:"path" shown:"what deployment.toml names" desc:"Keystore of the TLS listeners of the server. A relative path starts in repository/resources/security below CONFIG_DIR. If the file is not there, the agent looks below SERVER_HOME."`
	Alias string `env:"KEYSTORE_ALIAS" shown:"what deployment.toml names, else the only key" desc:"Alias of the TLS key in the keystore."`
	Pass  string `env:"KEYSTORE_PASS" default:"wso2carbon" secret:"true" shown:"the password in deployment.toml, else wso2carbon" desc:"Password of the keystore."`
}

// Truststore is the truststore of the server, which the agent edits.
type Truststore struct {
	File string `env:"TRUSTSTORE_FILE" rule:"path" shown:"what deployment.toml names" desc:"Truststore of the server. A relative path starts in repository/resources/security below CONFIG_DIR."`
	Pass string `env:"TRUSTSTORE_PASS" default:"wso2carbon" secret:"true" shown:"the password in deployment.toml, else wso2carbon" desc:"Password of the truststore."`
}

// TLS says where the TLS certificate of the server comes from.
type TLS struct {
	Mode        string        `env:"TLS_MODE" default:"none" rule:"oneof none issue files" desc:"Source of the TLS certificate of the server. none: the server keeps the one in its own keystore. issue: the agent issues it. files: the agent reads it from TLS_FILES_DIR."`
	Names       []string      `env:"TLS_NAMES" rule:"sans" desc:"Host names and IP addresses in an issued certificate, separated by commas. The agent always adds SERVER_NAME and localhost."`
	Key         string        `env:"TLS_KEY" default:"ecdsa-p256" rule:"oneof ecdsa-p256 rsa-2048 rsa-3072 rsa-4096" desc:"Type of the key of an issued certificate: ecdsa-p256, rsa-2048, rsa-3072 or rsa-4096."`
	Validity    time.Duration `env:"TLS_VALIDITY" default:"8760h" rule:"positive" desc:"How long an issued certificate is valid (8760h is one year). It never outlives its CA."`
	RenewBefore time.Duration `env:"TLS_RENEW_BEFORE" default:"720h" rule:"positive" desc:"How long before its expiry the agent renews an issued certificate."`
	Successors  int           `env:"TLS_SUCCESSORS" default:"3" rule:"spares" desc:"How many further certificates the agent issues in advance (0 to 12), so that peers trust them before they start. A rotation then switches to one of them without a restart. A CA (TLS_CA_CERT_FILE) needs none."`
	Reload      string        `env:"RELOAD" default:"auto" rule:"oneof auto off" desc:"Whether the server loads a new certificate while it runs. auto: it does so under agent exec. off: a new certificate needs a restart."`
	CACertFile  string        `env:"TLS_CA_CERT_FILE" rule:"path" shown:"none: certificates are self-signed" desc:"PEM file with the certificate of the CA that signs issued certificates. The certificates of its own issuers follow in the file."`
	CAKeyFile   string        `env:"TLS_CA_KEY_FILE" rule:"path" desc:"PEM file with the private key of the CA in TLS_CA_CERT_FILE."`
	FilesDir    string        `env:"TLS_FILES_DIR" default:"/tls" rule:"path" desc:"Folder with tls.crt, tls.key and, optionally, ca.crt. cert-manager writes these files."`
}

// Rotate has the deadlines of a rotation of the certificate of the server.
type Rotate struct {
	Timeout time.Duration `env:"ROTATE_TIMEOUT" default:"10m" rule:"positive" desc:"How long a server with a new certificate waits until its peers trust it. Then the server switches to the new certificate anyway."`
	Grace   time.Duration `env:"ROTATE_GRACE" default:"10m" rule:"positive" desc:"How long the agent continues to publish the old certificate after the switch."`
}

// Settings says what the agent changes in deployment.toml.
type Settings struct {
	Mode             string `env:"SETTINGS" default:"merge" rule:"oneof merge override none" desc:"What the agent does with deployment.toml. merge: it adds the settings that the server needs, and keeps different values that somebody else set. override: it also replaces those values. none: it does not change the file."`
	SecretsEnv       bool   `env:"SECRETS_ENV" default:"false" rule:"bool" desc:"Whether the agent writes passwords into deployment.toml as $env{NAME} instead of in clear text. The container of the server must then have these variables in its environment."`
	EncryptionKey    string `env:"ENCRYPTION_KEY" secret:"true" desc:"Key with which the server encrypts secrets in its database, if its release has one: 32, 48 or 64 hexadecimal digits. The agent makes one for a new database. The value new makes one for a database that may be a used one."`
	TokensSideBySide bool   `env:"TOKENS_SIDE_BY_SIDE" default:"false" rule:"bool" desc:"Whether the previous token of a client stays valid when the client requests a new token."`
	GatewayEventWait string `env:"GATEWAY_EVENT_WAIT" default:"100ms" rule:"wait" desc:"How long the gateway of API-M waits before each deployment. It processes deployments one after the other. The value product keeps the delay of the product, 5s."`
	ServerAdmin      bool   `env:"SERVER_ADMIN" default:"false" rule:"bool" desc:"Whether the server restarts on a request to its web service ServerAdmin. The agent uses it only with RESTART=carbon."`
}

// Public has the addresses that people and browsers use, for example those of a reverse proxy.
type Public struct {
	ISURL     string `env:"IS_PUBLIC_URL" rule:"https" shown:"the one in KM_TOKEN_ENDPOINT" desc:"Address of IS that people and browsers use, without a path. The Developer Portal shows it."`
	AMHost    string `env:"AM_PUBLIC_HOST" rule:"host" shown:"the setting of API-M" desc:"Host name of API-M that people and browsers use if API-M is behind a reverse proxy."`
	ProxyPort int    `env:"PROXY_PORT" rule:"port" desc:"Port of the reverse proxy in front of the server. The server puts this port into its own addresses."`
}

// Database says where the servers have their databases.
type Database struct {
	Kind       string        `env:"DATABASE" default:"embedded" rule:"oneof embedded postgres" desc:"Databases of the server. embedded: H2, in the home folder of the server. postgres: PostgreSQL."`
	Timeout    time.Duration `env:"DATABASE_TIMEOUT" default:"10m" rule:"positive" desc:"How long agent exec waits for PostgreSQL before a start of the server. Then agent exec fails."`
	RecordDir  string        `env:"DATABASE_RECORD_DIR" default:"/record" rule:"path" desc:"Folder in which the databases job records whether a server has used PostgreSQL. The agent sets the password of the administrator only in a new database."`
	Host       string        `env:"PGHOST" default:"postgres" rule:"host" desc:"Host name or IP address of PostgreSQL."`
	Port       int           `env:"PGPORT" default:"5432" rule:"port" desc:"Port of PostgreSQL."`
	Pool       int           `env:"DATABASE_POOL" default:"20" rule:"count" desc:"Maximum number of connections in each of the four pools to PostgreSQL. Each server has two pools. PostgreSQL must allow the connections of all pools and 20 more (max_connections)."`
	ISName     string        `env:"IS_DB_NAME" default:"identity_db" desc:"PostgreSQL database that only IS uses."`
	AMName     string        `env:"AM_DB_NAME" default:"apim_db" desc:"PostgreSQL database that only API-M uses."`
	AgentsName string        `env:"IS_AGENT_DB_NAME" default:"agent_identity_db" desc:"PostgreSQL database in which IS keeps the identities of AI agents, if its version has them."`
	SharedName string        `env:"SHARED_DB_NAME" default:"shared_db" desc:"PostgreSQL database that both servers use. Each server has its own schema in it."`
	ISUser     string        `env:"IS_DB_USER" default:"wso2is" desc:"PostgreSQL user of IS."`
	AMUser     string        `env:"AM_DB_USER" default:"wso2am" desc:"PostgreSQL user of API-M."`
	ISPassword string        `env:"IS_DB_PASSWORD" secret:"true" desc:"Password of IS_DB_USER."`
	AMPassword string        `env:"AM_DB_PASSWORD" secret:"true" desc:"Password of AM_DB_USER."`
	ISSchema   string        `env:"IS_DB_SCHEMA" default:"wso2is" desc:"Schema of the tables of IS in both of its databases."`
	AMSchema   string        `env:"AM_DB_SCHEMA" default:"wso2am" desc:"Schema of the tables of API-M in both of its databases."`
}

// Init says how long init waits for the peers.
type Init struct {
	Timeout   time.Duration `env:"INIT_TIMEOUT" default:"15m" rule:"positive" desc:"How long init waits for the stores of the server and for the certificate of every peer."`
	OnTimeout string        `env:"INIT_ON_TIMEOUT" default:"fail" rule:"oneof fail start" desc:"What init does after INIT_TIMEOUT. fail: it exits with an error. start: the server starts without the missing peers."`
}

// Restart says how the agent restarts the server, and how often.
type Restart struct {
	Method       string        `env:"RESTART" default:"auto" rule:"oneof auto exec signal docker kubernetes carbon command webhook file none" desc:"Who restarts the server. exec: agent exec. signal, docker, kubernetes, carbon, command, webhook and file are ways without agent exec: see docs/restart.md. none: a person. auto: agent exec, or if that does not run the server, the first possible one of docker and kubernetes."`
	Command      string        `env:"RESTART_COMMAND" desc:"Program that restarts the server, and its arguments, separated by spaces (RESTART=command). No shell reads them."`
	URL          string        `env:"RESTART_URL" secret:"true" desc:"Address that begins with https://, to which the agent sends a signed POST request when a restart is due (RESTART=webhook)."`
	Secret       string        `env:"RESTART_URL_SECRET" secret:"true" desc:"Secret with which the agent signs this request."`
	File         string        `env:"RESTART_FILE" rule:"path" desc:"File that the agent replaces when a restart is due (RESTART=file)."`
	StartTimeout time.Duration `env:"START_TIMEOUT" default:"10m" rule:"positive" desc:"How long the server may take to open its port (IS_PORT or AM_PORT) after its database answers. Then agent exec restarts the server. With other values of RESTART, a restart has failed if the server does not serve after this time and STOP_TIMEOUT."`
	StopTimeout  time.Duration `env:"STOP_TIMEOUT" default:"60s" rule:"positive" desc:"How long agent exec waits after SIGTERM until the server stops. Then agent exec sends SIGKILL. API-M takes about 15 s to stop."`
	Max          int           `env:"MAX_RESTARTS" default:"5" rule:"count" desc:"How often the agent restarts the server within RESTART_WINDOW. A further restart waits."`
	Window       time.Duration `env:"RESTART_WINDOW" default:"10m" rule:"positive" desc:"Period for which MAX_RESTARTS is the limit."`
	Windows      string        `env:"MAINTENANCE_WINDOWS" rule:"windows" shown:"none: a restart may happen at any time" desc:"Times of a week in which the agent restarts the server by itself, separated by semicolons: days such as Sat, Mon-Fri or Mon,Wed, a time and a zone, as in Sat 22:00-02:00 Europe/Berlin. Outside of them a restart waits, unless a certificate is about to expire."`
	Approval     string        `env:"MAINTENANCE_APPROVAL" default:"auto" rule:"oneof auto manual" desc:"Who approves a restart. auto: nobody needs to. manual: a person, with agent restart approve; until then it waits, unless a certificate is about to expire."`
}

// Hooks are what the user wants to happen when something has happened.
type Hooks struct {
	Certificate string `env:"ON_CERTIFICATE_CHANGED" rule:"hook" desc:"Program that agent run starts, or https address to which it sends a POST request, when the server's certificate changes, or that of a peer. Spaces separate the arguments of the program. See docs/restart.md."`
	Restart     string `env:"ON_RESTART" rule:"hook" desc:"The same when the server runs with what is on disk after a restart."`
	Failure     string `env:"ON_FAILURE" rule:"hook" desc:"The same when an error keeps certificates out of step, once for each text of an error."`
	Secret      string `env:"HOOK_SECRET" secret:"true" desc:"Secret with which the agent signs these requests, as those to RESTART_URL."`
}

// Watch says how the agent notices that files change.
type Watch struct {
	QuietMin time.Duration `env:"QUIET_MIN" default:"500ms" rule:"positive" desc:"How long files must stay unchanged before the agent acts on a change."`
	QuietMax time.Duration `env:"QUIET_MAX" default:"5s" rule:"positive" desc:"How long the agent waits at most before it acts, if files continue to change."`
	Poll     time.Duration `env:"POLL_INTERVAL" default:"10s" rule:"positive" desc:"How often the agent checks its folders for changes, because some volumes send no events."`
}

// Artifacts are the files that stock images lack.
type Artifacts struct {
	Base      string `env:"ARTIFACTS" default:"default" rule:"oneof default none" desc:"Files that init puts on the artifact volume before those of ARTIFACTS_FILE. default: the files that the stock image lacks. none: no files."`
	File      string `env:"ARTIFACTS_FILE" rule:"path" desc:"List of further artifacts, or of other versions of the default artifacts."`
	Dir       string `env:"ARTIFACT_DIR" default:"/home/wso2carbon/wso2-artifact-volume" rule:"path" desc:"Artifact volume. At every start, the entrypoint of the server copies this volume over SERVER_HOME, after CONFIG_DIR."`
	SourceDir string `env:"ARTIFACT_SOURCE_DIR" rule:"path" desc:"Folder in the container of the agent from which the agent takes artifacts instead of downloading them. The name of each file is the last part of its URL."`
}

// IdentityServer says how the agent reaches IS.
type IdentityServer struct {
	Host         string `env:"IS_HOST" default:"wso2is" rule:"host" desc:"Host name or IP address at which the agent and API-M reach IS."`
	Port         int    `env:"IS_PORT" default:"9443" rule:"port" desc:"Port of IS."`
	AdminUser    string `env:"IS_ADMIN_USER" default:"admin" desc:"User name of the administrator of IS."`
	AdminPass    string `env:"IS_ADMIN_PASS" default:"admin" secret:"true" desc:"Password of the administrator of IS."`
	ClientID     string `env:"IS_CLIENT_ID" desc:"OAuth client of IS with which agent plan and agent dump read IS instead of the administrator."`
	ClientSecret string `env:"IS_CLIENT_SECRET" secret:"true" desc:"Secret of this client."`
	Container    string `env:"IS_CONTAINER" default:"innover-wso2is-1" desc:"Container of IS. agent up edits the truststore in it and restarts it, and RESTART=docker restarts it. Other commands name it when they advise a restart by hand."`
}

// APIManager says how the agent reaches API-M.
type APIManager struct {
	Host         string `env:"AM_HOST" default:"localhost" rule:"host" shown:"localhost; next to IS, the name of the peer" desc:"Host name or IP address at which the agent reaches API-M."`
	Port         int    `env:"AM_PORT" default:"9443" rule:"port" desc:"Port of the REST APIs of API-M."`
	AdminUser    string `env:"AM_ADMIN_USER" default:"admin" desc:"User name of the administrator of API-M."`
	AdminPass    string `env:"AM_ADMIN_PASS" default:"admin" secret:"true" desc:"Password of the administrator of API-M."`
	ClientID     string `env:"AM_CLIENT_ID" desc:"OAuth client of API-M with which agent plan and agent dump read API-M instead of the administrator."`
	ClientSecret string `env:"AM_CLIENT_SECRET" secret:"true" desc:"Secret of this client."`
	Container    string `env:"AM_CONTAINER" default:"innover-wso2am-1" desc:"Container of API-M. agent up edits the truststore in it and restarts it, and RESTART=docker restarts it. Other commands name it when they advise a restart by hand."`
}

// Gateway says how the agent reaches the gateway, and where it deploys APIs.
type Gateway struct {
	Host  string `env:"GW_HOST" rule:"host" shown:"the value of AM_HOST" desc:"Host name or IP address at which the agent reaches the gateway."`
	Port  int    `env:"GW_PORT" default:"8243" rule:"port" desc:"HTTPS port of the gateway."`
	VHost string `env:"VHOST" default:"localhost" rule:"host" desc:"Virtual host of the gateway on which the agent deploys the APIs."`
}

// KeyManager says which key managers API-M has.
type KeyManager struct {
	ISName        string `env:"KM_NAME" default:"WSO2-IS" desc:"Name under which the agent registers IS as a key manager of API-M."`
	KeysFrom      string `env:"KEY_MANAGER_NAME" default:"Resident Key Manager" desc:"Key manager that issues the keys of the application: the value of KM_NAME for IS, or Resident Key Manager for the one in API-M."`
	TokenEndpoint string `env:"KM_TOKEN_ENDPOINT" default:"https://wso2is:9443/oauth2/token" rule:"https" desc:"Token endpoint of IS as a key manager. The agent does not use it if KEY_MANAGER_NAME is the key manager in API-M."`
	ServiceUser   string `env:"KM_SERVICE_USER" shown:"create for a new key manager; an existing one keeps its user" desc:"User of IS with which API-M calls IS. create: the agent makes a user with few rights. admin: the administrator, IS_ADMIN_USER. Any other value: the name of a user that somebody else has made."`
	ServicePass   string `env:"KM_SERVICE_PASS" secret:"true" desc:"Password of the user that KM_SERVICE_USER names. The agent chooses the password of a user that it makes itself."`
	Rights        string `env:"KM_RIGHTS" default:"least" rule:"oneof least roles" desc:"Rights of that user. least: what API-M needs for clients and scopes; the agent binds scopes to roles. roles: API-M binds scopes to roles by itself, with a right that equals the administrator."`
}

// Scopes says how applications of API-M get the scopes of APIs in IS.
type Scopes struct {
	Mode     string        `env:"SCOPES" default:"authorize" rule:"oneof authorize all" desc:"How applications of API-M get the scopes of APIs in IS. authorize: the agent authorizes each application. all: IS grants every scope ([oauth] authorize_all_scopes), so that any API subscriber can administer IS."`
	At       string        `env:"SCOPES_AT" default:"is" rule:"oneof is am" desc:"Server whose agent authorizes applications. Use am only if IS has no agent."`
	Interval time.Duration `env:"SCOPES_INTERVAL" default:"2s" rule:"interval" desc:"How often the agent reads new applications and scopes. With 0, it reads them only after a start of IS."`
	Clients  []string      `env:"SCOPES_CLIENTS" rule:"clients" desc:"Ids of further clients of IS that the agent authorizes, separated by commas. These are clients that somebody mapped to applications of API-M."`
}

// Bootstrap says what the agent brings API-M and IS to, and when it checks that.
type Bootstrap struct {
	Enabled  bool          `env:"BOOTSTRAP" rule:"bool" shown:"true next to API-M, false next to IS" desc:"Whether agent run also keeps the desired state."`
	Timeout  time.Duration `env:"BOOTSTRAP_TIMEOUT" default:"30m" rule:"positive" desc:"How long agent bootstrap and agent apply try before they fail. agent run has no such limit."`
	Look     time.Duration `env:"LOOK_INTERVAL" default:"30s" rule:"positive" desc:"How often agent run checks, with four requests, that both servers answer and still have what the agent made. After changes by a peer, it verifies at most this often."`
	Compare  time.Duration `env:"RECONCILE_INTERVAL" default:"5m" rule:"interval" desc:"How often agent run compares both servers with the desired state, give or take a tenth. It reads an API again only if the list of APIs shows a change, and everything every tenth time. With 0, it does not compare."`
	Drift    string        `env:"DRIFT" default:"report" rule:"oneof report fix" desc:"What agent run does with differences that it finds. report: it logs them, and shows them in the condition drift and in a metric. fix: it also makes the changes that agent plan shows."`
	File     string        `env:"API_CONFIG" default:"/config/api-config.yaml" rule:"path" desc:"File or folder with the desired state: APIs, applications, subscriptions and more."`
	KeysFile string        `env:"KEYS_FILE" default:"/output/application-keys.json" rule:"path" desc:"File to which the agent writes the keys of applications. A new file has mode 0600. The agent keeps its lock and its record in the folder .agent next to it. If it makes the key manager's user, it keeps the password of that user in km-user.json next to it."`

	KeysEnvFile         string `env:"KEYS_ENV_FILE" rule:"path" desc:"File to which the agent also writes the keys as variables, such as ORDERS_APP_PRODUCTION_CONSUMER_KEY, with mode 0600."`
	KeysEnvFormat       string `env:"KEYS_ENV_FORMAT" default:"sh" rule:"oneof sh docker" desc:"How the agent writes values with special characters to KEYS_ENV_FILE. sh: in quotes, for a shell and for env_file of Compose. docker: without quotes, for docker run --env-file."`
	KeysSecretFile      string `env:"KEYS_SECRET_FILE" rule:"path" desc:"File to which the agent also writes the keys as a manifest of a Kubernetes Secret with these variables, with mode 0600."`
	KeysSecretName      string `env:"KEYS_SECRET_NAME" default:"application-keys" rule:"label" desc:"Name of the Secret in KEYS_SECRET_FILE."`
	KeysSecretNamespace string `env:"KEYS_SECRET_NAMESPACE" rule:"label" desc:"Namespace of the Secret in KEYS_SECRET_FILE. Without one, kubectl chooses it."`

	Prune string `env:"PRUNE" default:"off" rule:"oneof off owned" desc:"What agent apply does with objects that it has made or adopted and that the file no longer names. off: it keeps them, and agent plan lists them. owned: it removes them. agent run removes them only with DRIFT=fix, and agent bootstrap removes nothing."`
}

// Report says how the agent reports what it does.
type Report struct {
	ListenAddr   string `env:"LISTEN_ADDR" default:"127.0.0.1:9990" rule:"address" desc:"Address on which agent run serves /livez, /readyz, /status and /metrics."`
	LogLevel     string `env:"LOG_LEVEL" default:"info" rule:"oneof debug info warn error" desc:"Lowest level of the messages in the log: debug, info, warn or error."`
	LogFormat    string `env:"LOG_FORMAT" rule:"oneof text json" shown:"text on a terminal, else json" desc:"Format of the log: text or json."`
	AgentCommand string `env:"AGENT_COMMAND" default:"agent" desc:"Command with which people run this agent. The agent names it in advice on how to try an API."`
}
