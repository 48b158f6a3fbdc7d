package artifact

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestTheLogOfAnArtifactThatSomebodyMustRemoveHasARemedy(t *testing.T) {
	for name, c := range map[string]struct {
		outcome Outcome
		remedy  string
	}{
		"another file than the list's":      {Outcome{Artifact: Artifact{SHA256: "aa"}, State: Kept, Found: "bb"}, "remove it, and the agent fetches the expected one"},
		"another version in the same place": {Outcome{State: Present, Others: []string{"listener-0.9.jar"}}, "remove them"},
	} {
		var log bytes.Buffer
		c.outcome.Log(slog.New(slog.NewTextHandler(&log, nil)))
		if want := `remedy="` + c.remedy + `"`; strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("%s: the log lacks %s:\n%s", name, want, log.String())
		}
	}
}
