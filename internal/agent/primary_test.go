package agent

import (
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
)

func TestAnotherPrimaryKeyIsToldOnceAndLoudly(t *testing.T) {
	p, is, _ := bothIssued(t)
	told := func() int { return strings.Count(p.log.String(), "the server's PRIMARY keystore has another key") }
	is.once()
	if told() != 0 {
		t.Fatal("a primary key that never changed is told of")
	}
	path := p.agent(config.IS).cfg.StorePaths("wso2carbon.p12")[0]
	p.set(config.IS, func(c *config.Config) { c.Keystore.File = "wso2carbon.p12" })
	if got := p.agent(config.IS).cfg.KeystorePaths()[0]; got != path {
		t.Fatalf("the primary keystore is %s", got)
	}
	p.replaceKey(config.IS, "another", time.Now().Add(time.Hour))
	is.once()
	is.once()
	if told() != 1 {
		t.Errorf("it is told %d times", told())
	}
	if is.restart() {
		t.Error("the server is restarted for it")
	}
}
