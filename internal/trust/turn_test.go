package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestATurnIsSaidToTheOthersAndAnUnreadableOneIsNamed(t *testing.T) {
	dir := t.TempDir()
	is, am := Exchange{Dir: dir, Name: "wso2is"}, Exchange{Dir: dir, Name: "wso2am"}
	if said, err := am.Turn(t.Context(), "wso2is"); err != nil || said != (Turn{}) {
		t.Errorf("an agent that has said nothing: %+v, %v", said, err)
	}
	turn := Turn{Wants: "g", Has: true, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := is.SayTurn(turn); err != nil {
		t.Fatal(err)
	}
	if said, err := am.Turn(t.Context(), "wso2is"); err != nil || said != turn {
		t.Errorf("%+v, %v", said, err)
	}
	for range 2 {
		if err := is.SayTurn(Turn{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "wso2is", "turn.json")); err == nil {
		t.Error("a turn that nobody wants is left")
	}
	if err := os.WriteFile(filepath.Join(dir, "wso2is", "turn.json"), []byte("no JSON"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := am.Turn(t.Context(), "wso2is"); err == nil || !strings.Contains(err.Error(), "wso2is") {
		t.Errorf("error = %v", err)
	}
}
