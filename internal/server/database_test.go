package server

import (
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

func TestADatabaseIsNewOnlyIfThatCanBeSeen(t *testing.T) {
	earlier, later := time.Unix(1000, 0), time.Unix(2000, 0)
	for name, c := range map[string]struct {
		evidence DatabaseEvidence
		want     DatabaseState
	}{
		"nothing is known":                                     {DatabaseEvidence{}, UnknownDatabase},
		"the file is as shipped":                               {DatabaseEvidence{File: "a", Stock: "a"}, NewDatabase},
		"the file has changed":                                 {DatabaseEvidence{File: "b", Stock: "a"}, UsedDatabase},
		"nobody knows what was shipped":                        {DatabaseEvidence{File: "a"}, UsedDatabase},
		"a server has started, and its database is new again":  {DatabaseEvidence{File: "a", Stock: "a", Started: later}, NewDatabase},
		"a server has started":                                 {DatabaseEvidence{Started: later}, UsedDatabase},
		"the product ships a file, and the volume is not seen": {DatabaseEvidence{Stock: "a"}, UnknownDatabase},
		"the job found no administrator":                       {DatabaseEvidence{Recorded: "new", RecordedAt: earlier}, NewDatabase},
		"the job found none again, after a start":              {DatabaseEvidence{Recorded: "new", RecordedAt: later, Started: earlier}, NewDatabase},
		"the server has started since":                         {DatabaseEvidence{Recorded: "new", RecordedAt: earlier, Started: later}, UsedDatabase},
		"the job found an administrator":                       {DatabaseEvidence{Recorded: "used", RecordedAt: earlier}, UsedDatabase},
		"the job recorded something else":                      {DatabaseEvidence{Recorded: "?", RecordedAt: earlier}, UsedDatabase},
	} {
		if got := c.evidence.State(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTheEmbeddedDatabaseCountsOnlyWhereTheServerUsesIt(t *testing.T) {
	for text, want := range map[string]bool{
		string(shipped(t, config.IS)): true, string(shipped(t, config.AM)): true, "": true,
		"[database.shared_db]\ntype = \"mysql\"\n":                                    false,
		"[database.shared_db]\nurl = \"jdbc:h2:/elsewhere/WSO2SHARED_DB\"\n":          false,
		"[database.shared_db]\ntype = \"postgre\"\nurl = \"jdbc:postgresql://x/y\"\n": false,
		"[a]\n[a]\n": false,
	} {
		if got := UsesEmbedded([]byte(text)); got != want {
			t.Errorf("%v, want %v:\n%s", got, want, text)
		}
	}
}

// The section is that of product-is v7.2.0 and v7.3.0, modules/distribution/src/repository/resources/conf/deployment.toml.
func TestTheDatabaseOfAIAgentsIsSetUpForVersionsThatHaveIt(t *testing.T) {
	const stock = `
[datasource.AgentIdentity]
id = "AgentIdentity"
url = "jdbc:h2:./repository/database/WSO2AGENTIDENTITY_DB;DB_CLOSE_ON_EXIT=FALSE;LOCK_TIMEOUT=60000"
username = "wso2carbon"
password = "wso2carbon"
driver = "org.h2.Driver"
`
	for version, has := range map[string]bool{"7.0.0": false, "7.1.0": false, "7.2.0": true, "7.3.0": true} {
		for _, from := range []string{"", stock} {
			t.Setenv("PRODUCT", config.IS)
			t.Setenv("SERVER_HOME", "/home/wso2carbon/wso2is-"+version)
			t.Setenv("DATABASE", "postgres")
			t.Setenv("IS_DB_PASSWORD", "of-is")
			cfg, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			after, changes, _ := merge(t, NeedsOf(cfg), from, nil)
			doc, err := deployment.Parse([]byte(after))
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]any{
				"url":      "jdbc:postgresql://postgres:5432/agent_identity_db?currentSchema=wso2is",
				"username": "wso2is", "password": "of-is", "driver": "org.postgresql.Driver", "id": "AgentIdentity",
			} {
				v, there := doc.Get("datasource", "AgentIdentity", key)
				if has && (!there || v.Data != want) || !has && from == "" && there {
					t.Errorf("IS %s from %q: %s = %v, there %t, want %v, %t", version, from, key, v.Data, there, want, has)
				}
			}
			if v, there := doc.Get("datasource", "AgentIdentity", "pool_options", "maxActive"); there != has || has && v.Data != int64(agentsPool) {
				t.Errorf("IS %s: a pool of %v, there %t", version, v.Data, there)
			}
			for _, c := range changes {
				if c.Action == Kept {
					t.Errorf("IS %s: %s of the shipped file counts as somebody's", version, c.Setting)
				}
			}
		}
	}
}
