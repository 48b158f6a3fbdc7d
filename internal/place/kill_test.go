package place

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/testenv"
)

// placeOnce places the keystore with the given certificate, by the settings in the environment.
func placeOnce(certificate string) int {
	cfg, err := config.Load()
	if err == nil {
		_, err = HomeOf(cfg, slog.New(slog.DiscardHandler)).Place(context.Background(), certificate)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestAKillLeavesAWholeKeystoreInTheHome kills a process before and after each change that it makes to the file system.
func TestAKillLeavesAWholeKeystoreInTheHome(t *testing.T) {
	program := filepath.Join(t.TempDir(), "place.test")
	if out, err := exec.CommandContext(t.Context(), testenv.Command(t, "go"), "test", "-c", "-tags", "killpoints", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build a process that can kill itself: %v\n%s", err, out)
	}
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	w := newWorld(t, first)
	old := w.get(w.home, keystoreFile)
	w.install(second)
	now := w.get(w.volume, keystoreFile)
	kept, replaced, temporary := 0, 0, false
	for at := 1; ; at++ {
		w.put(w.home, keystoreFile, old)
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = append(os.Environ(), "PLACE_ONCE="+fingerprint(second), "AGENT_KILL_AT="+strconv.Itoa(at))
		out, err := cmd.CombinedOutput()
		got := w.get(w.home, keystoreFile)
		switch {
		case bytes.Equal(got, now):
			replaced++
		case bytes.Equal(got, old):
			kept++
		default:
			t.Errorf("killed at %d: the home has a keystore of %d bytes\n%s", at, len(got), out)
		}
		if err == nil {
			break
		}
		if !strings.Contains(string(out), "killed at "+strconv.Itoa(at)) || at > 100 {
			t.Fatalf("%v\n%s", err, out)
		}
		temporary = temporary || len(w.left()) > 2
		if _, err := w.Place(t.Context(), fingerprint(second)); err != nil {
			t.Errorf("killed at %d: the next placing: %v", at, err)
		}
		if left := w.left(); !slices.Equal(left, []string{"listenerprofiles.xml", config.TLSStoreFile}) {
			t.Errorf("killed at %d: left %v", at, left)
		}
	}
	if !temporary {
		t.Error("no kill has left a temporary file in the folder of the keystore")
	}
	if kept < 5 || replaced < 3 {
		t.Errorf("killed %d times before the keystore was in place, and %d times after: there are more changes", kept, replaced-1)
	}
}
