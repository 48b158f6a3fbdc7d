package trust

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/keystore"
)

// volume is a file system of its own, with a truststore on it.
func volume(t *testing.T, options string) (dir string, s Store) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	data, err := os.ReadFile(truststore(t, keystore.PKCS12).Path)
	if err != nil {
		t.Fatal(err)
	}
	s = Store{Path: filepath.Join(dir, "repository/resources/security/client-truststore.jks"), Password: password, Setting: "TRUSTSTORE_PASS"}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func noTemporaries(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFullDiskLosesNothingAndTheNextImportGoesOn(t *testing.T) {
	dir, s := volume(t, "size=128k")
	before, err := os.ReadFile(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	f.Close()
	peers := peerCerts{"wso2is": {certificate(t, "is")}}
	for range 2 {
		_, _, err = importPeers(t.Context(), s, peers, "own", []string{"wso2is"}, workDir(s))
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), s.Path) {
			t.Errorf("error = %v", err)
		}
		assertUntouched(t, s, before)
		noTemporaries(t, workDir(s))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if _, changes, err := importPeers(t.Context(), s, peers, "own", []string{"wso2is"}, workDir(s)); err != nil || len(changes) != 1 {
		t.Errorf("with room again: %v, %v", changes, err)
	}
	// The original that was to be kept must not be half of it.
	if kept, err := os.ReadFile(filepath.Join(workDir(s), "client-truststore.jks.original")); err != nil || string(kept) != string(before) {
		t.Errorf("the kept original is another: %v", err)
	}
}

func TestAReadOnlyTruststoreIsNamedAndMattersOnlyForAWrite(t *testing.T) {
	dir, s := volume(t, "size=1m")
	peers := peerCerts{"wso2is": {certificate(t, "is")}}
	if _, _, err := importPeers(t.Context(), s, peers, "own", []string{"wso2is"}, workDir(s)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	before, _ := os.ReadFile(s.Path)
	if _, changes, err := importPeers(t.Context(), s, peers, "own", []string{"wso2is"}, workDir(s)); err != nil || len(changes) > 0 {
		t.Errorf("nothing to write: %v, %v", changes, err)
	}
	peers["wso2is"] = append(peers["wso2is"], certificate(t, "next"))
	_, _, err := importPeers(t.Context(), s, peers, "own", []string{"wso2is"}, workDir(s))
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), s.Path) {
		t.Errorf("error = %v", err)
	}
	assertUntouched(t, s, before)
}
