// Package postgres_test runs databases.sh against a real PostgreSQL server.
package postgres_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/testenv/pages"
)

func TestDatabases(t *testing.T) {
	s := startServer(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *setup)
	}{
		{"the tables of both products stand side by side, each the product's own", sideBySide},
		{"a second run changes nothing", secondRun},
		{"a first run that was killed goes on", killed},
		{"two runs at once take turns", atOnce},
		{"tables of somebody else are refused, and nothing is changed", foreign},
		{"tables of somebody else are taken over as the page says", takenOver},
		{"a schema or a user that is named otherwise now is refused", renamed},
		{"a script that has changed is reported and not run", changedScript},
		{"a script that fails, or was copied in part, leaves nothing in use", brokenScript},
		{"a script that is missing is named before anything is made", missingScript},
		{"a password that changes in the settings changes in the server", changedPassword},
		{"passwords come from files", passwordFiles},
		{"a wrong password is named and not shown", wrongPassword},
		{"settings that could only go wrong are refused", badSettings},
		{"names and passwords may hold quotes, dollars, spaces and equals signs", oddNames},
		{"an administrator who is no superuser will do", plainAdministrator},
		{"a server with too few connections for the pools is reported", tooFewConnections},
		{"whether a server has used its database is recorded", recorded},
		{"an IS with AI agents gets a database for them, also after an upgrade", agents},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newSetup(t, s, strings.ToLower(test.name[2:5])+"_"+freePort(t)+"_")) })
	}

	log, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret-of-am", "secret-of-is"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("the server's log shows the password %s", secret)
		}
	}
}

// agents: IS 7.2 and later ship a script for a database of AI agents.
func agents(t *testing.T, c *setup) {
	c.succeeds(t)
	exists := "SELECT count(*) FROM pg_database WHERE datname = '" + c.env["IS_AGENT_DB_NAME"] + "'"
	if got := c.server.admin(t, "postgres", exists); got != "0" {
		t.Errorf("an IS without the script has %s databases of AI agents", got)
	}
	write(t, filepath.Join(c.scripts, "is/identity/agent/postgresql.sql"), "CREATE TABLE UM_USER (UM_NAME VARCHAR(255));\nINSERT INTO UM_USER VALUES ('an agent');\n")
	var waiting testenv.Buffer
	pod := c.await(t, "IS")
	pod.Stdout, pod.Stderr = &waiting, &waiting
	if err := pod.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- pod.Wait() }()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(waiting.String(), "kubectl delete job databases"); {
		select {
		case err := <-ended:
			t.Fatalf("the pod of IS does not wait for the database: %v\n%s", err, waiting.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the pod of IS does not say what to do:\n%s", waiting.String())
		}
	}
	c.awaits(t, "AM") // API-M has no part in it
	if said := c.succeeds(t); strings.Count(said, "made by") != 1 || !strings.Contains(said, "made by is/identity/agent/postgresql.sql") {
		t.Errorf("not only the new database is made:\n%s", said)
	}
	if err := <-ended; err != nil {
		t.Errorf("the pod of IS does not go on: %v\n%s", err, waiting.String())
	}
	c.complete(t)
	if got := c.is(t, "IS_AGENT_DB_NAME", "SELECT * FROM um_user"); got != "an agent" {
		t.Errorf("IS finds %q in the database of AI agents", got)
	}
	c.with(map[string]string{"IS_AGENT_DB_NAME": c.env["SHARED_DB_NAME"]}).fails(t, "IS_AGENT_DB_NAME, IS_DB_NAME and SHARED_DB_NAME must all differ")
	c.with(map[string]string{"IS_AGENT_DB_NAME": c.env["AM_DB_NAME"]}).fails(t, "IS_AGENT_DB_NAME and AM_DB_NAME must all differ")
}

func sideBySide(t *testing.T, c *setup) {
	if said := c.succeeds(t); strings.Contains(said, "an answer") || strings.Count(said, "made by") != 4 || !strings.HasSuffix(said, "databases: ready\n") {
		t.Errorf("does not tell of the four schemas, and of nothing else:\n%s", said)
	}
	c.complete(t)

	shared := c.env["SHARED_DB_NAME"]
	got := c.server.admin(t, shared, `SELECT nspname, relname, pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1, 2`)
	am, is := c.env["AM_DB_USER"], c.env["IS_DB_USER"]
	want := strings.Join([]string{am + "|um_user|" + am, am + "|wso2agent_scripts|" + am, is + "|um_user|" + is, is + "|wso2agent_scripts|" + is}, "\n")
	if got != want {
		t.Errorf("tables and owners in the shared database:\n%s\nwant\n%s", got, want)
	}

	for _, denied := range []struct{ database, statement string }{
		{shared, `SELECT * FROM "` + am + `".um_user`},
		{c.env["AM_DB_NAME"], "SELECT 1"},
	} {
		if answer, err := c.server.as(is, c.env["IS_DB_PASSWORD"], denied.database, denied.statement); err == nil {
			t.Errorf("Identity Server's user may %s in %s: %s", denied.statement, denied.database, answer)
		}
	}
}

func secondRun(t *testing.T, c *setup) {
	c.succeeds(t)
	c.am(t, "SHARED_DB_NAME", "INSERT INTO um_user (um_name) VALUES ('ann')")
	c.is(t, "SHARED_DB_NAME", "DELETE FROM um_user")
	c.am(t, "AM_DB_NAME", "INSERT INTO am_api (name) VALUES ('orders'); UPDATE am_api SET name = 'bills'")
	before := c.server.content(t, c.databases()...)
	c.succeeds(t)
	if after := c.server.content(t, c.databases()...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// Killed while the script sleeps, at a place where its first tables are made.
func killed(t *testing.T, c *setup) {
	for _, path := range []string{"am/postgresql.sql", "am/apimgt/postgresql.sql", "is/consent/postgresql.sql"} {
		script := scripts[path]
		c := c.with(map[string]string{"AM_DB_NAME": "killed in " + path + " apim", "IS_DB_NAME": "killed in " + path + " identity", "SHARED_DB_NAME": "killed in " + path})
		half := strings.Index(script, ");\n") + len(");\n")
		write(t, filepath.Join(c.scripts, path), script[:half]+"SELECT pg_sleep(600);\n"+script[half:])

		var out testenv.Buffer
		cmd, _ := c.command(t, &out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.server.await(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'", "1")
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		// A session ends by itself only when what it runs has ended: here the sleep.
		c.server.admin(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
		write(t, filepath.Join(c.scripts, path), script)
		if strings.Contains(out.String(), "ready") {
			t.Errorf("%s: was not killed in the middle:\n%s", path, out.String())
		}

		c.succeeds(t)
		c.complete(t)
		if strings.Contains(c.server.content(t, c.databases()...), "wso2agent_new") {
			t.Errorf("%s: the half-made schema is still there", path)
		}
	}
}

func recorded(t *testing.T, c *setup) {
	dir := t.TempDir()
	c = c.with(map[string]string{"DATABASE_RECORD_DIR": dir})
	holds := func(when, am, is string) {
		t.Helper()
		for product, want := range map[string]string{"am": am, "is": is} {
			if got, err := os.ReadFile(filepath.Join(dir, product)); err != nil || string(got) != want+"\n" {
				t.Errorf("%s, %s is %q, %v, want %q", when, product, got, err, want)
			}
		}
	}
	c.succeeds(t)
	holds("with users in the tables", "used", "used") // the likenesses come with one
	c.am(t, "SHARED_DB_NAME", "DELETE FROM um_user")
	c.succeeds(t)
	holds("without a user of API Manager", "new", "used")
	c.is(t, "SHARED_DB_NAME", "DELETE FROM um_user")
	c.am(t, "SHARED_DB_NAME", "INSERT INTO um_user (um_name) VALUES ('admin')")
	c.awaits(t, "AM")
	holds("as API Manager's pod sees it", "used", "used")
	c.awaits(t, "IS")
	holds("as Identity Server's pod sees it", "used", "new")
	c.is(t, "SHARED_DB_NAME", "DROP TABLE um_user")
	c.succeeds(t)
	holds("with a user store somewhere else", "used", "used")
	if said := c.with(map[string]string{"DATABASE_RECORD_DIR": filepath.Join(dir, "none")}).succeeds(t); !strings.Contains(said, "warning: cannot record in "+dir) {
		t.Errorf("a folder that is not there is not told of:\n%s", said)
	}
}

// await is await.sh, which a pod's server waits for, ready to run.
func (c *setup) await(t *testing.T, product string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "sh", "await.sh")
	cmd.Env = []string{"PATH=" + c.server.bin + ":" + os.Getenv("PATH"), "PRODUCT=" + strings.ToLower(product), "DBSCRIPTS=" + c.scripts}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

func (c *setup) awaits(t *testing.T, product string) {
	t.Helper()
	if out, err := c.await(t, product).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
}

func atOnce(t *testing.T, c *setup) {
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if said, err := c.run(t); err != nil {
				t.Errorf("%v:\n%s", err, said)
			}
		})
	}
	both.Wait()
	c.complete(t)
}

func foreign(t *testing.T, c *setup) {
	am, shared := c.env["AM_DB_NAME"], c.env["SHARED_DB_NAME"]
	c.server.admin(t, "postgres", `CREATE DATABASE "`+am+`"`)
	c.server.admin(t, "postgres", `CREATE DATABASE "`+shared+`"`)
	for _, schema := range []string{"public", c.env["IS_DB_SCHEMA"]} {
		c.server.admin(t, shared, `CREATE SCHEMA IF NOT EXISTS "`+schema+`"; CREATE TABLE "`+schema+`".um_user AS SELECT 'precious' AS um_name`)
		before := c.server.content(t, am, shared)
		c.fails(t, shared, `"`+schema+`"`, "Nothing was changed")
		if after := c.server.content(t, am, shared); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		if got := c.server.admin(t, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = '"+c.env["AM_DB_USER"]+"'"); got != "0" {
			t.Error("a user was made")
		}
		c.server.admin(t, shared, `DROP TABLE "`+schema+`".um_user`)
	}
	c.succeeds(t) // an empty schema under the name is no hindrance
	c.complete(t)
}

// The page has names of its own: those that databases.sh has for API Manager by itself, and one for the owner so far.
func takenOver(t *testing.T, c *setup) {
	c = c.with(map[string]string{"AM_DB_NAME": "apim_db", "AM_DB_USER": "wso2am", "AM_DB_SCHEMA": "wso2am"})
	const owner = "the_user_so_far"
	c.server.admin(t, "postgres", "CREATE ROLE "+owner+" LOGIN PASSWORD 'p'")
	c.server.admin(t, "postgres", "CREATE DATABASE apim_db OWNER "+owner)
	for _, statement := range []string{scripts["am/apimgt/postgresql.sql"], "INSERT INTO am_api (name) VALUES ('orders')"} {
		if _, err := c.server.as(owner, "p", "apim_db", statement); err != nil {
			t.Fatal(err)
		}
	}
	c.fails(t, "apim_db", "public")

	c.server.admin(t, "postgres", "CREATE ROLE wso2am") // as the text in front of the block says
	for _, block := range pages.Blocks(t) {
		shell := exec.Command("sh", "-ec", block.Text)
		shell.Dir = c.scripts
		shell.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+c.server.port, "PGUSER="+admin, "PGPASSWORD="+adminPassword)
		if out, err := shell.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", block, err, out)
		}
	}
	if said := c.succeeds(t); !strings.Contains(said, "made before, by am/apimgt/postgresql.sql") || strings.Contains(said, "warning") {
		t.Errorf("the tables are not taken for those that are recorded:\n%s", said)
	}
	if got := c.am(t, "AM_DB_NAME", "DELETE FROM am_api RETURNING name"); got != "orders" {
		t.Errorf("the tables hold %q, want what was in them", got)
	}
	c.complete(t)
}

func renamed(t *testing.T, c *setup) {
	c.succeeds(t)
	c.with(map[string]string{"IS_DB_SCHEMA": "other"}).fails(t, c.env["IS_DB_SCHEMA"], `"other"`, "Nothing was changed")
	c.with(map[string]string{"AM_DB_SCHEMA": "other", "AM_DB_USER": "other"}).fails(t, c.env["AM_DB_SCHEMA"], `"other"`, "Nothing was changed")
	c.with(map[string]string{"IS_DB_USER": "other"}).fails(t, c.env["IS_DB_USER"], `"other"`, "Nothing was changed")
	c.complete(t)
}

func changedScript(t *testing.T, c *setup) {
	c.succeeds(t)
	c.is(t, "IS_DB_NAME", "UPDATE cm_purpose SET name = 'mine'")
	before := c.server.content(t, c.databases()...)
	write(t, filepath.Join(c.scripts, "is/consent/postgresql.sql"), scripts["is/consent/postgresql.sql"]+"CREATE TABLE NEWER ();")
	if said := c.succeeds(t); !strings.Contains(said, "warning") || !strings.Contains(said, "have changed since its tables were made (is/consent/postgresql.sql)") {
		t.Errorf("does not report the script that has changed, and that alone:\n%s", said)
	}
	if after := c.server.content(t, c.databases()...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func brokenScript(t *testing.T, c *setup) {
	path := filepath.Join(c.scripts, "am/apimgt/postgresql.sql")
	whole := scripts["am/apimgt/postgresql.sql"]
	for name, broken := range map[string]struct{ script, says string }{
		"cut between statements": {whole[:strings.Index(whole, "commit")], "ends inside a transaction"},
		"cut in a statement":     {whole[:strings.Index(whole, "AM_REVISION (API_ID")], "syntax error"},
		"wrong":                  {whole + "CREATE TABLE AM_API ();", "already exists"},
	} {
		write(t, path, broken.script)
		c.fails(t, broken.says, c.env["AM_DB_NAME"])
		if got := c.server.admin(t, c.env["AM_DB_NAME"], "SELECT to_regnamespace('"+c.env["AM_DB_SCHEMA"]+"')"); got != "" {
			t.Errorf("%s: schema %s is there", name, got)
		}
	}
	write(t, path, whole)
	c.succeeds(t)
	c.complete(t)
}

func missingScript(t *testing.T, c *setup) {
	path := filepath.Join(c.scripts, "is/consent/postgresql.sql")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	c.fails(t, path)
	if err := os.RemoveAll(c.scripts); err != nil {
		t.Fatal(err)
	}
	c.fails(t, c.scripts, "DBSCRIPTS")
	if got := c.server.admin(t, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = '"+c.env["AM_DB_USER"]+"'"); got != "0" {
		t.Error("a user was made")
	}
}
