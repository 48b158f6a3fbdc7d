package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

// Needs is what deployment.toml has to say for the two products to work together.
type Needs struct {
	Product  string // config.IS or config.AM
	Hostname string // of IS: the network name that its issuer and endpoints follow

	User, Password     string // the own server's administrator
	Used               bool   // its database may have an administrator already, so that [super_admin] stays as it is
	AMHost             string // where IS tells API-M of revoked tokens
	AMPort             int
	AMUser, AMPassword string // API-M's administrator
	// KeepListener leaves the name and password with which IS calls API-M as they are: API-M has not accepted these yet.
	KeepListener bool

	PublicHost string // of API-M: the host name that people and browsers use; empty: as it is
	ProxyPort  int    // of the reverse proxy in front of the server; 0: none

	SideBySide  bool          // a new token leaves the one before it alone
	EventWait   time.Duration // of API-M's gateway before each deployment, in whole milliseconds; 0: as it is
	ServerAdmin bool          // a restart by the server's own web service

	AllScopes bool // of IS: every client gets every scope, those of IS's own administration too
	// KeepAllScopes leaves AllScopes on for now where it is on and has to go: applications that nobody has authorized yet
	// would lose their scopes with the next start.
	KeepAllScopes bool

	SecretsEnv bool // passwords stand in the server's environment, and the file names their variables
	Database   *Database
	TLS        *TLSKeystore
}

// Database is a PostgreSQL server and the own product's account there.
type Database struct {
	Host           string
	Port           int
	Pool           int    // the most connections of each of the server's two pools
	Own, Shared    string // names of the databases
	Schema         string // of the product's tables in both
	User, Password string
	PasswordEnv    string // the variable that holds the password in the server's environment, see SecretsEnv
}

// TLSKeystore is a keystore of its own for the server's TLS listeners. The primary one signs tokens and encrypts
// secrets, and stays.
type TLSKeystore struct {
	File, Type, Password, Alias, KeyPassword string
}

// need is one setting, or one table of an array of tables, that has to be there.
type need struct {
	array    []string // path of the array of tables; none for settings outside of such
	match    int      // how many of the first settings tell the element from others
	first    bool     // a new element goes before the others: the server takes the first that matches
	ahead    bool     // and it is put back there where it was made and another one has got before it
	settings []want
	whole    bool // somebody's value for one of the settings keeps all of them away: they only work together
}

type want struct {
	path   []string
	data   any
	stock  []any // values that the product ships, which give way without a word
	unsaid bool  // the first of stock counts where nothing is set
	secret bool
	later  bool  // a value that has to give way stays for now
	fixed  bool  // the value stays for good, whatever it is
	same   []any // further forms of data
	xml    bool  // data is encoded for XML
}

// needs are the settings in detail. The names, values and reasons are those of WSO2's documentation of IS 7 as key manager,
// the products' templates and, for PostgreSQL, docs/postgres.md.
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
	if n.TLS != nil {
		out = append(out, need{settings: n.TLS.wants(), whole: true})
	}
	if n.Database != nil {
		plain(n.database()...)
	}
	return out, n.check(out)
}

func (n Needs) identityServer() ([]need, error) {
	if isLoopback(n.AMHost) && !isLoopback(n.Hostname) {
		return nil, fmt.Errorf("AM_HOST is %s: IS would tell itself and not API-M of revoked tokens; set AM_HOST to API-M's network name", n.AMHost)
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
		// Behind the one above, and so before it in the file: the first match wins. IS's own list leaves SCIM 1.1 to the
		// service, which takes any client's token for the client's owner. With these two scopes, of which no client gets both,
		// tokens get 403; an administrator's password still works.
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
			// The handler's type, whatever the key manager's name. Unquoted, the key would become a property "header".
			{path: properties("header.X-WSO2-KEY-MANAGER"), data: "WSO2-IS"},
		}},
	}, nil
}

// allScopes is where IS reads whether every client gets every scope.
var allScopes = []string{"oauth", "authorize_all_scopes"}

// AllScopesSetting names it in the log, in a Change and in a Record.
const AllScopesSetting = "oauth.authorize_all_scopes"

// Closed says what a deployment.toml of IS keeps API subscribers out of, once it is read.
type Closed struct {
	Scopes bool // not every client gets every scope
	SCIM11 bool // SCIM 1.1 takes no tokens
}

// ReadClosed reads that from the text of a deployment.toml. A text that the server would refuse is an error.
func ReadClosed(text []byte) (c Closed, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return c, err
	}
	entries, err := doc.Elements("resource", "access_control")
	if err != nil {
		return c, err
	}
	all, there := doc.Get(allScopes...)
	c.Scopes = !there || all.Data == false
	if len(entries) == 0 {
		return c, nil
	}
	is := func(data any, key string) bool { v, ok := entries[0].Get(key); return ok && v.Data == data }
	scopes, ok := entries[0].Get("scopes")
	list, isList := scopes.Data.([]any)
	c.SCIM11 = is(scim11, "context") && is("all", "http_method") && is(true, "secure") && ok && isList && len(list) > 0
	return c, nil
}

// scim11 is the context of the entry that closes SCIM 1.1.
const scim11 = "(.*)/wso2/scim(.*)"

// wants are all five keys: one that is missing would be taken from the primary keystore.
func (k TLSKeystore) wants() []want {
	key := func(name, data string, stock ...any) want {
		return want{path: []string{"keystore", "tls", name}, data: data, stock: stock}
	}
	// The stock values are API-M's; IS has the table in comments only.
	wants := []want{
		key("file_name", k.File, "wso2carbon.jks"), key("type", k.Type, "JKS"), key("password", k.Password, "wso2carbon"),
		key("alias", k.Alias, "wso2carbon"), key("key_password", k.KeyPassword, "wso2carbon")}
	wants[2].secret, wants[4].secret = true, true
	return wants
}

func (n Needs) database() []want {
	d := n.Database
	password := d.Password
	if n.SecretsEnv {
		password = "$env{" + d.PasswordEnv + "}"
	}
	own := "apim_db"
	if n.Product == config.IS {
		own = "identity_db"
	}
	var wants []want
	for _, db := range []struct{ setting, name string }{{own, d.Own}, {"shared_db", d.Shared}} {
		key := func(name string, data any, stock ...any) want {
			return want{path: []string{"database", db.setting, name}, data: data, stock: stock}
		}
		wants = append(wants,
			key("type", "postgre", "h2"), // the only spelling that the products know
			key("url", "jdbc:postgresql://"+net.JoinHostPort(d.Host, strconv.Itoa(d.Port))+"/"+db.name+"?currentSchema="+d.Schema, stockURLs(db.setting)...),
			key("username", d.User, "wso2carbon"),
			key("password", password, "wso2carbon"))
		wants[len(wants)-1].secret = true
		option := func(name string, data any) {
			wants = append(wants, want{path: []string{"database", db.setting, "pool_options", name}, data: data})
		}
		option("maxActive", d.Pool) // the products' own is 50, and four pools of that are more than PostgreSQL allows
		if n.Product == config.IS { // API-M has one of its own
			option("validationQuery", "SELECT 1")
		}
	}
	return wants
}

func stockURLs(setting string) []any {
	files := map[string][]any{
		"apim_db":     {"jdbc:h2:./repository/database/WSO2AM_DB;DB_CLOSE_ON_EXIT=FALSE"},
		"identity_db": {"jdbc:h2:./repository/database/WSO2IDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"},
		"shared_db": {"jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE",
			"jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"},
	}
	return files[setting]
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// check names the values that the server would not read as they are meant.
func (n Needs) check(needs []need) error {
	var mistakes []error
	for _, need := range needs {
		for _, w := range need.settings {
			if text, ok := w.data.(string); ok {
				if err := readable(text, w.xml); err != nil {
					mistakes = append(mistakes, fmt.Errorf("the value for %s in deployment.toml %w; choose another", id(need, w), err))
				}
			}
		}
	}
	if n.Database != nil && n.Database.Password == "" && !n.SecretsEnv {
		mistakes = append(mistakes, fmt.Errorf("the database's password is missing; set %s or %[1]s_FILE", n.Database.PasswordEnv))
	}
	mistakes = append(mistakes, n.checkEnvironment()...)
	return errors.Join(mistakes...)
}

// readable says why a text would not arrive: the products fill it into XML files without escaping it, by way of a
// template engine. An encoded text has nothing left of that. The text itself may be a secret.
func readable(text string, encoded bool) error {
	for _, part := range []string{"&", "<", "{{", "{%", "{#", "$ref{", "$sys{", "$secret{"} {
		if !encoded && strings.Contains(text, part) {
			return fmt.Errorf("has %s in it, which does not reach the server as it is written", part)
		}
	}
	for i := range len(text) {
		if text[i] < 0x20 || text[i] >= 0x7F {
			return fmt.Errorf("has the character 0x%02X in it, which does not reach the server as it is written", text[i])
		}
	}
	return nil
}

// id names a setting in the log and in the record.
func id(n need, w want) string {
	name := deployment.Path(w.path...)
	if n.array == nil {
		return name
	}
	return n.element() + "." + name
}

// element names a table of an array by what tells it from others.
func (n need) element() string {
	return fmt.Sprintf("%s[%v]", deployment.Path(n.array...), n.settings[0].data)
}
