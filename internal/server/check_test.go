package server

import (
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/config"
)

func TestValuesThatWouldNotArriveAreNamedWithoutBeingShown(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Needs)
		reason string
	}{
		"an ampersand":                  {func(n *Needs) { n.User = "top&secret" }, "super_admin.username in deployment.toml contains &"},
		"a template":                    {func(n *Needs) { n.User = "top{{secret" }, "contains {{"},
		"a character":                   {func(n *Needs) { n.Password = "töp-secret" }, "super_admin.password in deployment.toml contains the character 0xC3"},
		"a dollar by name":              {func(n *Needs) { n.SecretsEnv = true; n.AMPassword = "top$secret" }, "AM_ADMIN_PASS contains $, which the server cannot read from its environment; choose another, or set SECRETS_ENV=false"},
		"an ampersand by name":          {func(n *Needs) { n.SecretsEnv = true; n.Password = "top&secret" }, "IS_ADMIN_PASS contains &"},
		"an address by name":            {func(n *Needs) { n.Product, n.SecretsEnv = config.AM, true; n.Password = "top@secret" }, "AM_ADMIN_PASS contains @"},
		"a database's password by name": {func(n *Needs) { *n = withAll(*n); n.Database.Password = "top<secret" }, "the database's password contains <, which the server cannot read from its environment; choose another"},
		"no password":                   {func(n *Needs) { *n = withAll(*n); n.SecretsEnv, n.Database.Password = false, "" }, "the database's password is missing; set IS_DB_PASSWORD or IS_DB_PASSWORD_FILE"},
		"localhost":                     {func(n *Needs) { n.AMHost = "localhost" }, "AM_HOST is localhost: IS would report revoked tokens to itself"},
		"the own address":               {func(n *Needs) { n.AMHost = "127.0.0.1" }, "AM_HOST is 127.0.0.1"},
	} {
		n := isNeeds()
		c.change(&n)
		_, _, _, err := n.Merge(nil, nil, false)
		if err == nil || !strings.Contains(err.Error(), c.reason) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %q and no secret", name, err, c.reason)
		}
	}
	both := isNeeds()
	both.AMHost, both.Hostname = "localhost", "localhost" // one network namespace
	if _, _, _, err := both.Merge(nil, nil, false); err != nil {
		t.Error(err)
	}
}

func TestSecretsCanStayInTheEnvironment(t *testing.T) {
	n := withAll(isNeeds())
	after, changes, record := merge(t, n, string(shipped(t, config.IS)), nil)
	for _, secret := range []string{"am-secret", "db-secret", "own-secret"} {
		if strings.Contains(after, secret) || strings.Contains(fmt.Sprint(record), secret) {
			t.Errorf("%s stands in the file or in the record", secret)
		}
	}
	for _, variable := range []string{"$env{AM_ADMIN_PASS}", "$env{IS_DB_PASSWORD}", "$env{IS_ADMIN_PASS}"} {
		if !strings.Contains(after, `"`+variable+`"`) {
			t.Errorf("%s is not referred to:\n%s", variable, after)
		}
	}
	for _, c := range changes {
		if strings.Contains(c.Setting, "password") && !c.Secret {
			t.Errorf("%s would be shown", c.Setting)
		}
	}
}
