package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

func TestARotationIsRememberedAndADamagedMemoryIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".agent")
	if err := (Rotation{}).Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("where there is no rotation something was written")
	}
	want := Rotation{Announced: "aa", Since: time.Now().UTC().Round(0), Retired: map[string]time.Time{"bb": time.Now().UTC().Round(0)}}
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRotation(dir)
	if err != nil || got.Announced != want.Announced || !got.Since.Equal(want.Since) || !got.Retired["bb"].Equal(want.Retired["bb"]) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := (Rotation{}).Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadRotation(dir); err != nil || got.Announced != "" || len(got.Retired) != 0 {
		t.Errorf("after the end: %+v, %v", got, err)
	}
	os.WriteFile(filepath.Join(dir, rotationFile), []byte("{"), 0o600)
	if _, err := LoadRotation(dir); err == nil || !strings.Contains(err.Error(), "remove "+filepath.Join(dir, rotationFile)) {
		t.Errorf("a damaged one: %v", err)
	}
}

func TestOnlyAdditionsToTheTruststoreMakeAnotherEdition(t *testing.T) {
	s := truststore(t, keystore.PKCS12)
	old, next := certificate(t, "old"), certificate(t, "next")
	step := func(what string, want int, certs ...keystore.Certificate) {
		t.Helper()
		if _, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": certs}, "wso2am", []string{"wso2is", "wso2am"}, workDir(s)); err != nil {
			t.Fatal(err)
		}
		if got, err := Edition(workDir(s)); got != want || err != nil {
			t.Errorf("%s: edition %d, %v, want %d", what, got, err, want)
		}
	}
	step("the first", 1, old)
	step("one is announced beside it", 2, old, next)
	step("the aliases change places", 2, next, old)
	step("the old one goes", 2, next)
	step("nothing", 2, next)
	step("it comes back", 3, next, old)
}

func TestAServerTrustsItselfUnlessItDoesAlready(t *testing.T) {
	s := truststore(t, keystore.PKCS12)
	own := certificate(t, "own")
	all := []string{"wso2is", "wso2am"}
	m, changes, err := importPeers(t.Context(), s, peerCerts{"wso2am": {own}}, "wso2am", all, workDir(s))
	if err != nil || m["wso2am"] != own.Fingerprint().String() || len(changes) != 1 {
		t.Errorf("%v, %v, %v", m, changes, err)
	}
	_, entries, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // one that is somebody else's
		if Owner(Entry{Alias: e.Alias, Fingerprint: e.Chain[0].Fingerprint().String()}, all) == "" {
			m, changes, err := importPeers(t.Context(), s, peerCerts{"wso2am": {e.Chain[0]}}, "wso2am", all, workDir(s))
			if _, managed := m["wso2am"]; managed || err != nil || len(changes) != 1 || changes[0].Action != "removed" {
				t.Errorf("trusted by another entry: %v, %v, %v", m, changes, err)
			}
			return
		}
	}
	t.Fatal("the store has no entry of its own")
}
