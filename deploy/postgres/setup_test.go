package postgres_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/testenv"
)

// scripts are small likenesses of what the products ship: both shared ones begin with DROP and have tables of the same
// names and other columns; API Manager's own has BEGIN, COMMIT and a function that says BEGIN and END itself, and cannot
// be run on its own tables again; the others leave transactions to whoever runs them.
var scripts = map[string]string{
	"am/postgresql.sql": `
DROP TABLE IF EXISTS UM_USER;
DROP SEQUENCE IF EXISTS UM_USER_PK_SEQ;
CREATE SEQUENCE UM_USER_PK_SEQ;
CREATE TABLE UM_USER (UM_ID INTEGER DEFAULT NEXTVAL('UM_USER_PK_SEQ'), UM_NAME VARCHAR(255) NOT NULL, PRIMARY KEY (UM_ID));
CREATE INDEX UM_USER_NAME ON UM_USER (UM_NAME);
INSERT INTO UM_USER (UM_NAME) VALUES ('of API Manager');
`,
	"am/apimgt/postgresql.sql": `BEGIN TRANSACTION;

DROP TABLE IF EXISTS AM_API;
CREATE SEQUENCE AM_API_SEQUENCE START WITH 1 INCREMENT BY 1;
CREATE TABLE AM_API (API_ID INTEGER DEFAULT nextval('AM_API_SEQUENCE'), NAME VARCHAR(200), CHANGED TIMESTAMP, PRIMARY KEY (API_ID));
DROP TABLE IF EXISTS AM_REVISION;
CREATE TABLE AM_REVISION (API_ID INTEGER, FOREIGN KEY (API_ID) REFERENCES AM_API (API_ID));

CREATE OR REPLACE FUNCTION update_changed()
RETURNS TRIGGER AS $$
BEGIN
    NEW.CHANGED = now();
    INSERT INTO AM_REVISION VALUES (NEW.API_ID);
    RETURN NEW;
END;
$$ language 'plpgsql';
CREATE TRIGGER CHANGED BEFORE UPDATE ON AM_API FOR EACH ROW EXECUTE PROCEDURE update_changed();

commit;

`,
	"is/postgresql.sql": `
DROP TABLE IF EXISTS UM_USER;
DROP SEQUENCE IF EXISTS UM_USER_PK_SEQ;
CREATE SEQUENCE UM_USER_PK_SEQ;
CREATE TABLE UM_USER (UM_ID INTEGER DEFAULT NEXTVAL('UM_USER_PK_SEQ'), UM_USER_ID CHAR(36), UM_NAME VARCHAR(255), PRIMARY KEY (UM_ID));
CREATE INDEX UM_USER_NAME ON UM_USER (UM_NAME);
INSERT INTO UM_USER (UM_NAME) VALUES ('of Identity Server');
`,
	"is/identity/postgresql.sql": `
DROP TABLE IF EXISTS IDN_BASE_TABLE;
CREATE TABLE IDN_BASE_TABLE (PRODUCT_NAME VARCHAR(20), PRIMARY KEY (PRODUCT_NAME));
INSERT INTO IDN_BASE_TABLE values ('WSO2 Identity Server');
`,
	"is/consent/postgresql.sql": `
DROP TABLE IF EXISTS CM_PURPOSE;
CREATE TABLE CM_PURPOSE (NAME VARCHAR(255) NOT NULL);
SELECT 'an answer that is nobody''s';
INSERT INTO CM_PURPOSE VALUES ('DEFAULT');
`,
}

// setup is the script's settings for one test: names of its own on a server that all tests share.
type setup struct {
	server  *server
	env     map[string]string
	scripts string // DBSCRIPTS
}

// newSetup names databases, users and schemas after the test, and lays the products' scripts out.
func newSetup(t *testing.T, s *server, name string) *setup {
	t.Helper()
	c := &setup{server: s, scripts: filepath.Join(t.TempDir(), "db scripts"), env: map[string]string{
		"PGHOST": "127.0.0.1", "PGPORT": s.port, "PGUSER": admin, "PGPASSWORD": adminPassword,
		"AM_DB_NAME": name + "apim", "IS_DB_NAME": name + "identity", "SHARED_DB_NAME": name + "shared", "IS_AGENT_DB_NAME": name + "agents",
		"AM_DB_USER": name + "am", "IS_DB_USER": name + "is", "AM_DB_PASSWORD": "secret-of-am", "IS_DB_PASSWORD": "secret-of-is",
		"AM_DB_SCHEMA": name + "am", "IS_DB_SCHEMA": name + "is",
	}}
	for path, script := range scripts {
		write(t, filepath.Join(c.scripts, path), script)
	}
	return c
}

func (c *setup) databases() []string {
	return []string{c.env["AM_DB_NAME"], c.env["IS_DB_NAME"], c.env["SHARED_DB_NAME"]}
}

// command is the script, ready to run. The psql that it finds writes every command line that it gets into a file.
func (c *setup) command(t *testing.T, out *testenv.Buffer) (cmd *exec.Cmd, commandLines string) {
	t.Helper()
	dir := t.TempDir()
	commandLines = filepath.Join(dir, "lines")
	psql := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'" + commandLines + "'\nexec '" + filepath.Join(c.server.bin, "psql") + "' \"$@\"\n"
	write(t, filepath.Join(dir, "psql"), psql)
	if err := os.Chmod(filepath.Join(dir, "psql"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("sh", "databases.sh")
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "DBSCRIPTS=" + c.scripts}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a test can kill it with its psql
	return cmd, commandLines
}

// run runs the script to its end and returns what it said. Secrets must be neither in that nor in a command line.
func (c *setup) run(t *testing.T) (said string, err error) {
	t.Helper()
	var out testenv.Buffer
	cmd, lines := c.command(t, &out)
	err = cmd.Run()
	c.holdSecrets(t, "the output", out.String())
	commandLines, _ := os.ReadFile(lines)
	c.holdSecrets(t, "a command line", string(commandLines))
	return out.String(), err
}

func (c *setup) holdSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, name := range []string{"PGPASSWORD", "AM_DB_PASSWORD", "IS_DB_PASSWORD"} {
		if value := c.env[name]; value != "" && strings.Contains(text, value) {
			t.Errorf("%s shows %s:\n%s", where, name, text)
		}
	}
}

// succeeds runs the script, which must end well.
func (c *setup) succeeds(t *testing.T) (said string) {
	t.Helper()
	said, err := c.run(t)
	if err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	return said
}

// fails runs the script, which must refuse with all of these words.
func (c *setup) fails(t *testing.T, words ...string) {
	t.Helper()
	said, err := c.run(t)
	if err == nil {
		t.Fatalf("ended well:\n%s", said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("does not say %q:\n%s", word, said)
		}
	}
}

// am and is run a statement as a product's server would.
func (c *setup) am(t *testing.T, database, statement string) string {
	t.Helper()
	return c.product(t, "AM", database, statement)
}

func (c *setup) is(t *testing.T, database, statement string) string {
	t.Helper()
	return c.product(t, "IS", database, statement)
}

func (c *setup) product(t *testing.T, product, database, statement string) string {
	t.Helper()
	answer, err := c.server.as(c.env[product+"_DB_USER"], c.env[product+"_DB_PASSWORD"], c.env[database], statement)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// with is a copy with other settings. An empty value unsets.
func (c *setup) with(changes map[string]string) *setup {
	other := *c
	other.env = maps.Clone(c.env)
	for name, value := range changes {
		other.env[name] = value
		if value == "" {
			delete(other.env, name)
		}
	}
	return &other
}

// complete asserts that every table is there, with what the scripts put into it, and works.
func (c *setup) complete(t *testing.T) {
	t.Helper()
	for _, check := range []struct{ product, database, statement, want string }{
		{"AM", "SHARED_DB_NAME", "SELECT * FROM um_user", "1|of API Manager"},
		{"IS", "SHARED_DB_NAME", "SELECT um_id, um_user_id, um_name FROM um_user", "1||of Identity Server"},
		{"AM", "AM_DB_NAME", "BEGIN; INSERT INTO am_api (name) VALUES ('a'); UPDATE am_api SET name = 'b' RETURNING name, changed IS NOT NULL; SELECT count(*) FROM am_revision; ROLLBACK", "b|t\n1"},
		{"IS", "IS_DB_NAME", "SELECT * FROM idn_base_table, cm_purpose", "WSO2 Identity Server|DEFAULT"},
	} {
		if got := c.product(t, check.product, check.database, check.statement); got != check.want {
			t.Errorf("%s in %s: %q answers %q, want %q", check.product, check.database, check.statement, got, check.want)
		}
	}
}
