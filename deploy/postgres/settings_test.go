package postgres_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func changedPassword(t *testing.T, c *setup) {
	c.succeeds(t)
	other := c.with(map[string]string{"AM_DB_PASSWORD": "another-one"})
	other.succeeds(t)
	other.complete(t)
	if _, err := c.server.as(c.env["AM_DB_USER"], c.env["AM_DB_PASSWORD"], c.env["AM_DB_NAME"], "SELECT 1"); err == nil {
		t.Error("the old password still works")
	}
}

func passwordFiles(t *testing.T, c *setup) {
	dir := t.TempDir()
	files := map[string]string{}
	for name, end := range map[string]string{"PGPASSWORD": "", "AM_DB_PASSWORD": "\n", "IS_DB_PASSWORD": "\r\n"} {
		path := filepath.Join(dir, name)
		write(t, path, c.env[name]+end)
		files[name], files[name+"_FILE"] = "", path
	}
	c.with(files).succeeds(t)
	c.complete(t)

	c.with(map[string]string{"PGPASSWORD_FILE": files["PGPASSWORD_FILE"]}).fails(t, "PGPASSWORD and PGPASSWORD_FILE are both set")
	c.with(map[string]string{"PGPASSWORD": "", "PGPASSWORD_FILE": dir + "/none"}).fails(t, "PGPASSWORD_FILE: "+dir+"/none cannot be read")
}

func wrongPassword(t *testing.T, c *setup) {
	c.with(map[string]string{"PGPASSWORD": "a-wrong-one"}).fails(t, `password authentication failed for user "postgres"`, "PGPASSWORD_FILE")
	c.with(map[string]string{"PGPASSWORD": ""}).fails(t, "no password supplied", "PGPASSWORD_FILE")
}

func badSettings(t *testing.T, c *setup) {
	for _, test := range []struct {
		name    string
		changes map[string]string
		says    []string
	}{
		{"one database for two purposes", map[string]string{"AM_DB_NAME": c.env["SHARED_DB_NAME"]}, []string{"AM_DB_NAME, IS_DB_NAME and SHARED_DB_NAME must all differ"}},
		{"one schema for both products", map[string]string{"AM_DB_SCHEMA": c.env["IS_DB_SCHEMA"]}, []string{"AM_DB_SCHEMA and IS_DB_SCHEMA must all differ"}},
		{"the administrator as a product's user", map[string]string{"IS_DB_USER": admin}, []string{"IS_DB_USER and PGUSER must all differ"}},
		{"a name that PostgreSQL would cut", map[string]string{"IS_DB_SCHEMA": strings.Repeat("é", 32)}, []string{"IS_DB_SCHEMA", "63 bytes"}},
		{"no password for a product", map[string]string{"IS_DB_PASSWORD": ""}, []string{"IS_DB_PASSWORD_FILE", c.env["IS_DB_USER"]}},
		{"a time that is none", map[string]string{"DB_TIMEOUT": "2m"}, []string{`DB_TIMEOUT is "2m"`}},
		{"a server that is not there", map[string]string{"PGPORT": freePort(t), "DB_TIMEOUT": "1"}, []string{"no PostgreSQL server answers at 127.0.0.1 port", "after 1 s"}},
		{"a name that PostgreSQL keeps for itself", map[string]string{"AM_DB_SCHEMA": "pg_mine"}, []string{"unacceptable schema name", c.env["SHARED_DB_NAME"]}},
	} {
		t.Run(test.name, func(t *testing.T) { c.with(test.changes).fails(t, test.says...) })
	}
}

func oddNames(t *testing.T, c *setup) {
	odd := func(name string) string { return name + ` it's "$HOME" :user \x host=h` }
	changes := map[string]string{}
	for name := range c.env {
		if strings.HasPrefix(name, "AM_DB_") || strings.HasPrefix(name, "IS_DB_") || name == "SHARED_DB_NAME" {
			changes[name] = odd(name)
		}
	}
	c = c.with(changes)
	c.succeeds(t)
	c.complete(t)
	before := c.server.content(t, c.databases()...)
	c.succeeds(t)
	if after := c.server.content(t, c.databases()...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func plainAdministrator(t *testing.T, c *setup) {
	c.server.admin(t, "postgres", "SET log_statement = 'none'; SET log_min_duration_statement = -1; CREATE ROLE plain LOGIN CREATEDB CREATEROLE PASSWORD 'plain-secret'")
	// The server logs what a plain administrator says, passwords too: these are not those that the log is searched for.
	c = c.with(map[string]string{"PGUSER": "plain", "PGPASSWORD": "plain-secret", "AM_DB_PASSWORD": "logged-am", "IS_DB_PASSWORD": "logged-is"})
	c.succeeds(t)
	c.complete(t)
	c.succeeds(t)
}
