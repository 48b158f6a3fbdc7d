package identity

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/config"
)

func TestWhatTheModeAsksForIsFound(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	inFiles := mustIssue(t, root.spec(t), "wso2am")
	for name, c := range map[string]struct {
		mode         string
		cert, key    []byte // in TLS_FILES_DIR, or of the issuing CA
		spec, next   bool
		withCA, fail bool
	}{
		"a self-signed one is issued":        {mode: "issue", spec: true},
		"one of a CA is issued":              {mode: "issue", cert: root.certPEM, key: keyPEM(t, "PRIVATE KEY", root.key), spec: true, withCA: true},
		"the issuing CA cannot be read":      {mode: "issue", cert: root.certPEM, key: []byte("rubbish"), fail: true},
		"it is in files":                     {mode: "files", cert: certPEM(inFiles.Leaf().DER), key: keyPEM(t, "PRIVATE KEY", inFiles.key), next: true},
		"it should be in files, and is none": {mode: "files", fail: true},
	} {
		dir := t.TempDir()
		cfg := config.Config{Server: config.Server{ConfigDir: filepath.Join(dir, "volume"), Name: "wso2am"}, TLS: config.TLS{Names: []string{"am.example.com"}, Mode: c.mode, FilesDir: dir, Key: "rsa-2048", Validity: time.Hour, RenewBefore: time.Minute}}
		writePEM(t, dir, c.cert, c.key)
		if c.mode == "issue" && c.cert != nil {
			cfg.TLS.CACertFile, cfg.TLS.CAKeyFile = PEMFiles(dir)[0], PEMFiles(dir)[1]
		}
		f := FilesOf(cfg, password)
		staged := mustIssue(t, Spec{}, "wso2am")
		if err := f.Stage(staged); err != nil {
			t.Fatal(err)
		}
		found, err := Find(t.Context(), cfg, f)
		if err != nil || !Same(found.Staged, &staged) || found.Installed != nil {
			t.Errorf("%s: %+v, %v", name, found.Held, err)
		}
		if (found.Err != nil) != c.fail || (found.Spec != nil) != c.spec || (found.Next != nil) != c.next {
			t.Errorf("%s: spec %+v, next %v, %v", name, found.Spec, found.Next, found.Err)
		}
		if s := found.Spec; s != nil && (!slices.Equal(s.Names, []string{"wso2am", "am.example.com"}) || s.Key != RSA2048 || s.Validity != time.Hour ||
			s.RenewBefore != time.Minute || (s.CA != nil) != c.withCA) {
			t.Errorf("%s: the spec is %+v", name, s)
		}
	}
}

func TestTheOwnKeystoreIsWatchedOnTheConfigVolumeOnly(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Config{Server: config.Server{ConfigDir: filepath.Join(dir, "volume"), Home: filepath.Join(dir, "home")}, Keystore: config.Keystore{File: "own.p12", Pass: password, Alias: "a"}}
	if own, ok := OwnOf(cfg); ok {
		t.Errorf("a keystore that is missing: %+v", own)
	}
	elsewhere := filepath.Join(dir, "elsewhere.p12")
	for _, path := range []string{cfg.KeystorePaths()[0], elsewhere} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := Own{Path: cfg.KeystorePaths()[0], WorkDir: filepath.Join(cfg.Server.ConfigDir, ".agent"), Password: password, Alias: "a"}
	if own, ok := OwnOf(cfg); !ok || own != want {
		t.Errorf("%+v, %t, want %+v", own, ok, want)
	}
	cfg.Keystore.File = elsewhere
	if own, ok := OwnOf(cfg); ok {
		t.Errorf("a keystore elsewhere: %+v", own)
	}
}
