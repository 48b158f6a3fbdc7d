package server

import (
	"slices"
	"strings"
	"time"

	"wso2agent/internal/deployment"
)

// DatabaseState says whether a server has made its administrator in its database.
type DatabaseState string

// States of a database.
const (
	NewDatabase     DatabaseState = "new"     // as shipped, or without an administrator
	UsedDatabase    DatabaseState = "used"    // a server has started on it
	UnknownDatabase DatabaseState = "unknown" // counts as used: what is wrongly taken for new breaks a server
)

// DatabaseEvidence is what can be seen of a server's database.
type DatabaseEvidence struct {
	File, Stock string    // digests of the embedded database's file, and of the one that the product ships; empty: not seen
	Recorded    string    // what the job that makes databases in PostgreSQL recorded: "new" or "used"; empty: nothing
	RecordedAt  time.Time // when it did
	Started     time.Time // when agent exec last started the server; zero: never, as far as is known
}

// State says whether the database is new. The database itself decides: a server that has started before may have lost it.
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
