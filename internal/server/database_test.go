package server

import (
	"testing"
	"time"

	"wso2agent/internal/config"
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
