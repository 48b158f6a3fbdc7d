package server

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

// DatabaseState says whether a server has created its administrator in its database.
type DatabaseState string

// States of a database.
const (
	NewDatabase     DatabaseState = "new"     // as shipped, or without an administrator
	UsedDatabase    DatabaseState = "used"    // a server has started on it
	UnknownDatabase DatabaseState = "unknown" // counts as used, because new settings on a used database break a server
)

// DatabaseEvidence is what the agent can see of a server's database.
type DatabaseEvidence struct {
	File, Stock string    // digests of the file of the embedded database, and of the one that the product ships; empty: not seen
	Recorded    string    // what the job that makes databases in PostgreSQL recorded: "new" or "used"; empty: nothing
	RecordedAt  time.Time // when the job recorded it
	Started     time.Time // when agent exec last started the server; zero: no start is known
}

// State says whether the database is new. The database itself decides, because a server that has started before may have
// lost it.
func (e DatabaseEvidence) State() DatabaseState {
	switch {
	case e.File != "":
		if e.File == e.Stock {
			return NewDatabase
		}
		return UsedDatabase
	case e.Recorded == string(NewDatabase) && e.RecordedAt.After(e.Started):
		return NewDatabase
	case e.Recorded != "", !e.Started.IsZero():
		return UsedDatabase
	}
	return UnknownDatabase
}

// EmbeddedDatabase is the file of the embedded database with the server's users, below its home.
const EmbeddedDatabase = "repository/database/WSO2SHARED_DB.mv.db"

// UsesEmbedded reports whether the server has its users in EmbeddedDatabase, by the text of its deployment.toml.
func UsesEmbedded(text []byte) bool {
	doc, err := deployment.Parse(text)
	if err != nil {
		return false
	}
	stock := stockURLs("shared_db")
	for _, key := range []string{"type", "url"} {
		v, there := doc.Get("database", "shared_db", key)
		if !there {
			continue
		}
		value, isText := v.Data.(string)
		if !isText || key == "type" && !strings.EqualFold(value, "h2") || key == "url" && !slices.Contains(stock, any(value)) {
			return false
		}
	}
	return true
}

// database are the settings of the two databases of a product in PostgreSQL.
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
			key("type", "postgre", "h2"), // the products know no other spelling
			key("url", d.url(db.name), stockURLs(db.setting)...),
			key("username", d.User, "wso2carbon"),
			key("password", password, "wso2carbon"))
		wants[len(wants)-1].secret = true
		option := func(name string, data any) {
			wants = append(wants, want{path: []string{"database", db.setting, "pool_options", name}, data: data})
		}
		option("maxActive", d.Pool) // the products' default is 50, and four such pools exceed the limit of PostgreSQL
		if n.Product == config.IS { // API-M has a query of its own
			option("validationQuery", "SELECT 1")
		}
	}
	if d.Agents != "" {
		wants = append(wants, d.agents(password)...)
	}
	return wants
}

// agentsPool is the maximum number of connections to the database of AI agents. It is small, so that the pools of both servers and
// the connections of others still fit into the limit of PostgreSQL. See docs/postgres.md.
const agentsPool = 5

// agents are the settings of the database in which IS keeps the identities of AI agents (product-is v7.2.0 and later,
// modules/distribution/src/repository/resources/conf/deployment.toml; WSO2's documentation "Change the default datasource for agent
// identities"). This data source takes a driver and no type.
func (d *Database) agents(password string) (wants []want) {
	for _, s := range [...]struct{ key, data, stock string }{
		{"id", "AgentIdentity", "AgentIdentity"},
		{"url", d.url(d.Agents), "jdbc:h2:./repository/database/WSO2AGENTIDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"},
		{"username", d.User, "wso2carbon"},
		{"password", password, "wso2carbon"},
		{"driver", "org.postgresql.Driver", "org.h2.Driver"},
	} {
		wants = append(wants, want{path: []string{"datasource", "AgentIdentity", s.key}, data: s.data, stock: []any{s.stock}, secret: s.key == "password"})
	}
	pool := []string{"datasource", "AgentIdentity", "pool_options"}
	return append(wants, want{path: append(pool[:3:3], "maxActive"), data: agentsPool}, want{path: append(pool[:3:3], "validationQuery"), data: "SELECT 1"})
}

// url is the address of one of the databases for the driver.
func (d *Database) url(name string) string {
	return "jdbc:postgresql://" + net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) + "/" + name + "?currentSchema=" + d.Schema
}

// stockURLs are the addresses of a database in the stock settings of both products.
func stockURLs(setting string) []any {
	files := map[string][]any{
		"apim_db":     {"jdbc:h2:./repository/database/WSO2AM_DB;DB_CLOSE_ON_EXIT=FALSE"},
		"identity_db": {"jdbc:h2:./repository/database/WSO2IDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"},
		"shared_db": {"jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE",
			"jdbc:h2:./repository/database/WSO2SHARED_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"},
	}
	return files[setting]
}
