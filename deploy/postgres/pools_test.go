package postgres_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"wso2agent/internal/config"
	deployed "wso2agent/internal/server"
)

// reserve are the connections that no pool may have: three of superusers, those of databases.sh, of a backup, of people.
const reserve = 20

// TestThePoolsOfBothServersFitIntoTheServersConnections holds the files together that docs/postgres.md does the sum of. A server
// that has more connections to give costs nothing; one with fewer refuses requests of users.
func TestThePoolsOfBothServersFitIntoTheServersConnections(t *testing.T) {
	wanted := 0
	for product, manifest := range map[string]string{config.IS: "wso2is.yaml", config.AM: "wso2am.yaml"} {
		pools := 0
		for _, size := range numbers(t, settings(t, product), `(?m)^maxActive = (\d+)$`) {
			pools += size
		}
		replicas := numbers(t, read(t, "../kubernetes/base/"+manifest), `(?m)^  replicas: (\d+) `)
		if len(replicas) != 1 {
			t.Fatalf("replicas in %s: %v", manifest, replicas)
		}
		wanted += pools * replicas[0]
	}
	compose := numbers(t, read(t, "../../compose.postgres.yml"), `max_connections=\$\{POSTGRES_CONNECTIONS:-(\d+)\}`)
	if len(compose) != 1 {
		t.Fatalf("compose.postgres.yml sets max_connections to %v", compose)
	}
	if wanted+reserve > compose[0] {
		t.Errorf("the pools may have %d connections, %d more are kept for others, and PostgreSQL gives %d", wanted, reserve, compose[0])
	}
	if compose[0] > 100 {
		t.Errorf("compose.postgres.yml asks for %d: a server with PostgreSQL's own default, 100, would not do", compose[0])
	}
	page := read(t, "../../docs/postgres.md")
	if sum := strconv.Itoa(wanted) + " + " + strconv.Itoa(reserve) + " ≤ " + strconv.Itoa(compose[0]); !strings.Contains(page, sum) {
		t.Errorf("docs/postgres.md lacks the sum %q", sum)
	}
}

// settings is what the agent makes of an empty deployment.toml by default.
func settings(t *testing.T, product string) string {
	t.Helper()
	t.Setenv("PRODUCT", product)
	t.Setenv("DATABASE", "postgres")
	t.Setenv("AM_DB_PASSWORD", "secret")
	t.Setenv("IS_DB_PASSWORD", "secret")
	t.Setenv("AM_HOST", "wso2am")
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _, err := deployed.NeedsOf(cfg).Merge(nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// numbers are those that the pattern's group finds.
func numbers(t *testing.T, text, pattern string) (all []int) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func tooFewConnections(t *testing.T, c *setup) {
	if said := c.succeeds(t); strings.Contains(said, "warning") {
		t.Errorf("a server as it comes is too small:\n%s", said)
	}
	said := c.with(map[string]string{"DATABASE_POOL": "21"}).succeeds(t)
	for _, part := range []string{"warning", "100 connections", "4 pools of 21", "max_connections", "104", "DATABASE_POOL"} {
		if !strings.Contains(said, part) {
			t.Errorf("it does not say %q:\n%s", part, said)
		}
	}
	c.with(map[string]string{"DATABASE_POOL": "many"}).fails(t, `DATABASE_POOL is "many"`)
}
