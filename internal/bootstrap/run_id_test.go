package bootstrap

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestEachRunOfAKeeperHasItsOwnID(t *testing.T) {
	var text bytes.Buffer
	k := Keeper{Log: slog.New(slog.NewTextHandler(&text, nil))}
	var runs []string
	for range 2 {
		end := k.begin()
		k.Log.Info("within")
		runs = append(runs, k.connection.Run)
		if !strings.Contains(text.String(), "msg=within run="+k.connection.Run) {
			t.Errorf("the log is %s", &text)
		}
		end()
	}
	text.Reset()
	k.Log.Info("after")
	if runs[0] == "" || runs[0] == runs[1] || k.connection.Run != "" || strings.Contains(text.String(), "run=") {
		t.Errorf("runs %q, then %q: %s", runs, k.connection.Run, &text)
	}
}
