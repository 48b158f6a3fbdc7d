package server

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/remedy"
)

// Needs is what deployment.toml must contain for the two products to work together.
type Needs struct {
	Product  string // config.IS or config.AM
	Hostname string // of IS: the network name in its issuer and its endpoints

	User, Password     string // the administrator of the server
	Used               bool   // its database may have an administrator already, so [super_admin] stays as it is
	AMHost             string // where IS reports revoked tokens to API-M
	AMPort             int
	AMUser, AMPassword string // the administrator of API-M
	// KeepListener keeps the name and password with which IS calls API-M, because API-M has not accepted the new ones yet.
	KeepListener bool

	PublicHost string // of API-M: the host name for people and browsers; empty: no change
	ProxyPort  int    // of the reverse proxy in front of the server; 0: none

	SideBySide  bool          // a new token does not revoke the previous one
	EventWait   time.Duration // the wait of API-M's gateway before each deployment, in whole milliseconds; 0: no change
	ServerAdmin bool          // the web service of the server may restart it

	AllScopes bool // of IS: every client gets every scope, also those of IS's own administration
	// KeepAllScopes keeps AllScopes on for now, where it is on and not needed. Otherwise applications that nobody has
	// authorized yet lose their scopes at the next start.
	KeepAllScopes bool

	// Reload makes the gateway of API-M load a new TLS certificate while it runs.
	Reload bool
	// KeepReload leaves the settings for Reload as they are for now, made or not: a running server would have to restart for them.
	KeepReload bool

	EncryptionKey string // [encryption] key; empty: it stays as it is

	SecretsEnv bool // the server's environment holds the passwords, and the file names the variables
	Database   *Database
	TLS        *TLSKeystore
}

// Database is a PostgreSQL server and the account of the product there.
type Database struct {
	Host           string
	Port           int
	Pool           int    // maximum number of connections of each of the server's two pools
	Own, Shared    string // names of the databases
	Agents         string // name of the database with the identities of AI agents; empty: the version of the server has none
	Schema         string // of the product's tables in both databases
	User, Password string
	PasswordEnv    string // the variable with the password in the server's environment, see Needs.SecretsEnv
}

// TLSKeystore is a separate keystore for the TLS listeners of the server. The primary keystore, which signs tokens and
// encrypts secrets, stays.
type TLSKeystore struct {
	File, Type, Password, Alias, KeyPassword string
}

// need is one setting, several settings that belong together, or one table of an array of tables.
type need struct {
	array    []string // path of the array of tables; empty for settings outside such an array
	match    int      // the number of first settings that identify the element
	first    bool     // a new element goes before the others, because the server takes the first that matches
	ahead    bool     // the element also moves back there if another one stands before it
	settings []want
	whole    bool // if one of the settings has another value from somebody else, the merge changes none of them
	still    bool // the settings stay as they are for now, and nothing is missing; a value of somebody else is reported
}

// want is one needed setting.
type want struct {
	path   []string
	data   any
	stock  []any // values that the product ships; the merge replaces them
	unsaid bool  // where nothing is set, the first value of stock applies
	secret bool
	later  bool  // a value that must change stays for now
	fixed  bool  // the present value stays for good
	same   []any // other forms of data
	xml    bool  // data is encoded for XML
	refers bool  // data refers to another setting
}

// id is the name of a setting in logs and in the record.
func id(n need, w want) string {
	name := deployment.Path(w.path...)
	if n.array == nil {
		return name
	}
	return n.element() + "." + name
}

// element is the name of a table of an array, with the value that identifies it.
func (n need) element() string {
	return fmt.Sprintf("%s[%v]", deployment.Path(n.array...), n.settings[0].data)
}

// needs are the settings in detail. Names, values and reasons come from WSO2's documentation of IS 7 as key manager, from the
// products' templates and, for PostgreSQL, from docs/postgres.md.
func (n Needs) needs() ([]need, error) {
	var out []need
	plain := func(w ...want) { out = append(out, need{settings: w}) }
	plain(n.administrator()...)
	if n.Product == config.IS {
		is, err := n.identityServer()
		if err != nil {
			return nil, err
		}
		out = append(out, is...)
	}
	if n.Product == config.AM && n.PublicHost != "" {
		plain(want{path: []string{"server", "hostname"}, data: n.PublicHost, stock: []any{"localhost"}, unsaid: true})
	}
	if n.ProxyPort > 0 { // WSO2's documentation of both products, "Configuring the proxy server and the load balancer"
		plain(want{path: []string{"transport", "https", "properties", "proxyPort"}, data: n.ProxyPort})
	}
	if n.SideBySide {
		table := []string{"oauth", "jwt", "renew_token_without_revoking_existing"}
		plain(
			want{path: append(slices.Clone(table), "enable"), data: true, stock: []any{false}},
			want{path: append(slices.Clone(table), "allowed_grant_types"), data: []string{"client_credentials"}})
	}
	if n.Product == config.AM && n.EventWait > 0 { // EventWaitingTime of api-manager.xml; 5000 where nothing is set
		plain(want{path: []string{"apim", "sync_runtime_artifacts", "gateway", "event_waiting_time"}, data: int(n.EventWait.Milliseconds())})
	}
	if n.ServerAdmin {
		plain(want{path: []string{"server", "enable_restart_from_api"}, data: true, stock: []any{false}})
	}
	if n.EncryptionKey != "" {
		plain(want{path: encryptionKey, data: n.EncryptionKey, secret: true})
	}
	if n.TLS != nil {
		out = append(out, need{settings: n.TLS.wants(), whole: true})
	}
	if n.Product == config.AM && n.Reload {
		out = append(out, n.gateway()...)
	}
	if n.Database != nil {
		plain(n.database()...)
	}
	return out, n.check(out)
}

func (n Needs) identityServer() ([]need, error) {
	if isLoopback(n.AMHost) && !isLoopback(n.Hostname) {
		return nil, remedy.Add(fmt.Errorf("AM_HOST is %s: IS would report revoked tokens to itself and not to API-M", n.AMHost),
			"set AM_HOST to API-M's network name")
	}
	user, password := any(n.AMUser), any(xmlText(n.AMPassword))
	if n.SecretsEnv {
		password = "$env{AM_ADMIN_PASS}"
	}
	properties := func(key string) []string { return []string{"properties", key} }
	return []need{
		{settings: []want{
			{path: []string{"server", "hostname"}, data: n.Hostname, stock: []any{"localhost"}, unsaid: true},
			{path: allScopes, data: n.AllScopes, stock: []any{false}, unsaid: true, later: n.KeepAllScopes && !n.AllScopes},
			{path: []string{"role_mgt", "allow_system_prefix_for_role"}, data: true, stock: []any{false}},
		}},
		{array: []string{"resource", "access_control"}, match: 2, first: true, settings: []want{
			{path: []string{"context"}, data: "(.*)/scim2/Me"},
			{path: []string{"http_method"}, data: "GET"},
			{path: []string{"secure"}, data: true},
			{path: []string{"cross_tenant"}, data: true},
			{path: []string{"permissions"}, data: []string{}},
			{path: []string{"scopes"}, data: []string{}},
		}},
		// This need follows the one above, so its element stands before that one in the file: the first match wins. The list
		// of IS leaves SCIM 1.1 to the service, which takes any client's token for the owner of the client. No client gets
		// both of these scopes, so tokens get 403; an administrator's password still works.
		{array: []string{"resource", "access_control"}, match: 2, first: true, ahead: true, settings: []want{
			{path: []string{"context"}, data: scim11},
			{path: []string{"http_method"}, data: "all"},
			{path: []string{"secure"}, data: true},
			{path: []string{"scopes"}, data: []string{"internal_user_mgt_create", "internal_login"}},
		}},
		{array: []string{"event_listener"}, match: 1, settings: []want{
			{path: []string{"id"}, data: "token_revocation"},
			{path: []string{"type"}, data: "org.wso2.carbon.identity.core.handler.AbstractIdentityHandler"},
			{path: []string{"name"}, data: "org.wso2.is.notification.ApimOauthEventInterceptor"},
			{path: []string{"order"}, data: 1},
			{path: properties("notification_endpoint"), data: "https://" + net.JoinHostPort(n.AMHost, strconv.Itoa(n.AMPort)) + "/internal/data/v1/notify"},
			{path: properties("username"), data: user, later: n.KeepListener},
			{path: properties("password"), data: password, secret: true, xml: true, later: n.KeepListener},
			// The type of the handler; the name of the key manager does not matter. Without quotes the key would become a
			// property "header".
			{path: properties("header.X-WSO2-KEY-MANAGER"), data: "WSO2-IS"},
		}},
	}, nil
}

// wants are all five keys, because the server takes a missing one from the primary keystore.
func (k TLSKeystore) wants() []want {
	key := func(name, data string, stock ...any) want {
		return want{path: []string{"keystore", "tls", name}, data: data, stock: stock}
	}
	// The stock values are those of API-M; IS has the table only in comments.
	wants := []want{
		key("file_name", k.File, "wso2carbon.jks"), key("type", k.Type, "JKS"), key("password", k.Password, "wso2carbon"),
		key("alias", k.Alias, "wso2carbon"), key("key_password", k.KeyPassword, "wso2carbon")}
	wants[2].secret, wants[4].secret = true, true
	return wants
}
