package wso2sim

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

func TestUnpackedHomesHaveTheProductsFormats(t *testing.T) {
	for _, tc := range []struct {
		product, key, trust string
		expired             bool
		aliases             []string
	}{
		{ProductIS, "wso2carbon.p12", "client-truststore.p12", true, []string{"wso2carbon"}},
		{ProductAM, "wso2carbon.jks", "client-truststore.jks", false, []string{"wso2carbon", "gateway_certificate_alias"}},
	} {
		t.Run(tc.product, func(t *testing.T) {
			stores := filepath.Join(newHome(t, tc.product), securityDir)
			keys, trust := open(t, filepath.Join(stores, tc.key)), open(t, filepath.Join(stores, tc.trust))
			if keys.Format() != keystore.PKCS12 || trust.Format() != keystore.PKCS12 {
				t.Errorf("formats are %s and %s", keys.Format(), trust.Format())
			}
			leaf, err := keys.Leaf("wso2carbon")
			if err != nil {
				t.Fatal(err)
			}
			cert, err := leaf.Parse()
			if err != nil {
				t.Fatal(err)
			}
			if cert.Subject.CommonName != "localhost" || strings.Join(cert.DNSNames, ",") != "localhost" || cert.NotAfter.Before(time.Now()) != tc.expired {
				t.Errorf("the certificate is for %s %v until %s", cert.Subject, cert.DNSNames, cert.NotAfter)
			}
			for _, alias := range tc.aliases {
				if entry, err := trust.Entry(alias); err != nil || entry.Chain[0].Fingerprint() != leaf.Fingerprint() {
					t.Errorf("the truststore does not have the own certificate under %s: %v", alias, err)
				}
			}
			if n := len(trust.Entries()) - len(tc.aliases); n < 2 {
				t.Errorf("the truststore has %d other certificates", n)
			}
		})
	}
}

func TestOnlyISStoresHaveAMAC(t *testing.T) {
	_, err := keystore.Open(readFile(t, filepath.Join(newHome(t, ProductIS), securityDir, "wso2carbon.p12")), "wrong")
	if err == nil {
		t.Error("IS's key store opens with a wrong password, so it has no MAC")
	}
	if _, err := keystore.Open(readFile(t, filepath.Join(newHome(t, ProductAM), securityDir, "wso2carbon.jks")), "wrong"); err != nil {
		t.Errorf("API Manager's has neither MAC nor encrypted certificates, and yet: %v", err)
	}
}

func TestKeytoolReadsTheStores(t *testing.T) {
	keytool := testenv.Command(t, "keytool")
	for product, names := range map[string][]string{
		ProductIS: {"wso2carbon.p12", "client-truststore.p12"}, ProductAM: {"wso2carbon.jks", "client-truststore.jks"},
	} {
		stores := filepath.Join(newHome(t, product), securityDir)
		for _, name := range names {
			out, err := exec.Command(keytool, "-list", "-keystore", filepath.Join(stores, name), "-storepass", defaultPassword).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "wso2carbon, ") {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}

func TestUnpackOverwritesNothing(t *testing.T) {
	home := newHome(t, ProductIS)
	if err := Unpack(home, ProductIS); err == nil {
		t.Error("a home that is there was unpacked again")
	}
	if err := Unpack(filepath.Join(t.TempDir(), "x"), "esb"); err == nil || !strings.Contains(err.Error(), "esb") {
		t.Errorf("an unknown product: %v", err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAHomeThatCannotBeUsedEndsTheStart(t *testing.T) {
	stores := func(home, name string) string { return filepath.Join(home, securityDir, name) }
	for _, tc := range []struct {
		name  string
		spoil func(home string) error
		say   string
	}{
		{"the truststore is no store", func(home string) error {
			return os.WriteFile(stores(home, "client-truststore.p12"), []byte("nonsense"), 0o600)
		}, "client-truststore.p12"},
		{"the key store is cut short", func(home string) error { return os.Truncate(stores(home, "wso2carbon.p12"), 900) }, "wso2carbon.p12"},
		{"the key store is missing", func(home string) error { return os.Remove(stores(home, "wso2carbon.p12")) }, "wso2carbon.p12"},
		{"the password is wrong", func(home string) error {
			return replaceIn(filepath.Join(home, settingsFile), `password = "wso2carbon"`, `password = "wrong"`)
		}, "wrong password"},
		{"the configuration is no TOML", func(home string) error {
			return os.WriteFile(filepath.Join(home, settingsFile), []byte("[server\n"), 0o600)
		}, "deployment.toml"},
		{"the configuration has an unset variable", func(home string) error {
			return replaceIn(filepath.Join(home, settingsFile), `hostname = "localhost"`, `hostname = "$env{NO_SUCH_VARIABLE_HERE}"`)
		}, "NO_SUCH_VARIABLE_HERE"},
		{"the home is missing", os.RemoveAll, "no folder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := newHome(t, ProductIS)
			if err := tc.spoil(home); err != nil {
				t.Fatal(err)
			}
			is, err := StartIS(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"})
			if err == nil {
				is.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tc.say) {
				t.Errorf("the error %q does not say %q", err, tc.say)
			}
		})
	}
}

func replaceIn(path, from, to string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o600)
}

func TestTheConfiguredHostNameGoesIntoTheIssuer(t *testing.T) {
	p := newPair(t)
	if err := replaceIn(filepath.Join(p.isHome, settingsFile), `hostname = "localhost"`, `hostname = "wso2is"`); err != nil {
		t.Fatal(err)
	}
	p.startIS()
	if !strings.HasPrefix(p.is.Issuer(), "https://wso2is:") {
		t.Errorf("the issuer is %q", p.is.Issuer())
	}
}

func TestAKeyStoreForTLSLeavesTheSigningKeyAlone(t *testing.T) {
	p := newPair(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := UnpackWith(other, ProductIS, UnpackOptions{Rounds: 1000}); err != nil {
		t.Fatal(err)
	}
	tls := readFile(t, filepath.Join(other, securityDir, "wso2carbon.p12"))
	if err := os.WriteFile(filepath.Join(p.isHome, securityDir, "tls.p12"), tls, 0o600); err != nil {
		t.Fatal(err)
	}
	p.appendSettings(p.isHome, "\n[keystore.tls]\nfile_name = \"tls.p12\"\npassword = \"wso2carbon\"\ntype = \"PKCS12\"\n")
	p.startIS()
	if p.is.tls.Leaf.Equal(p.is.signer.cert) {
		t.Error("the listeners have the signing key")
	}
}

func TestStartsAreCountedInTheStartLog(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startIS()
	lines := strings.Split(strings.TrimSpace(string(readFile(t, filepath.Join(p.isHome, "start.log")))), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 starts", len(lines))
	}
	stamp, product, _ := strings.Cut(lines[1], " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil || product != ProductIS {
		t.Errorf("the line is %q", lines[1])
	}
}

func TestTheConfigurationVolumeIsCopiedAsTheEntrypointsDo(t *testing.T) {
	files := func(t *testing.T, names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := writeNew(filepath.Join(dir, name), []byte("new")); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	t.Run("dot files at the top stay behind, deeper ones come along, nothing is deleted", func(t *testing.T) {
		volume := files(t, ".top", "a/b", "a/.deep")
		home := files(t, "a/kept")
		if err := copyVolume(volume, home); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{".top": false, "a/b": true, "a/.deep": true, "a/kept": true} {
			if _, err := os.Stat(filepath.Join(home, name)); (err == nil) != want {
				t.Errorf("%s is there: %v, want %v", name, err == nil, want)
			}
		}
	})
	t.Run("a link is followed", func(t *testing.T) {
		volume, home := files(t, "real"), files(t)
		if err := os.Symlink("real", filepath.Join(volume, "link")); err != nil {
			t.Fatal(err)
		}
		if err := copyVolume(volume, home); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(filepath.Join(home, "link")); err != nil || !info.Mode().IsRegular() {
			t.Errorf("it is %v: %v", info, err)
		}
	})
	t.Run("an empty or missing volume is no error", func(t *testing.T) {
		for _, volume := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
			if err := copyVolume(volume, t.TempDir()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a volume of dot files alone ends the start", func(t *testing.T) {
		if err := copyVolume(files(t, ".only"), t.TempDir()); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a link to nothing ends the start", func(t *testing.T) {
		volume := files(t)
		if err := os.Symlink("nowhere", filepath.Join(volume, "link")); err != nil {
			t.Fatal(err)
		}
		if err := copyVolume(volume, t.TempDir()); err == nil {
			t.Error("no error")
		}
	})
}

func TestTheProductsOwnFilesStartTheStandIns(t *testing.T) {
	for product, dir := range map[string]string{ProductIS: "is-7.1.0", ProductAM: "apim-4.5.0"} {
		home := t.TempDir()
		for _, from := range []string{testenv.Shared(t, "keystores", dir), testenv.Shared(t, "conf", dir)} {
			below := securityDir
			if strings.Contains(from, "conf") {
				below = filepath.Dir(settingsFile)
			}
			if err := os.MkdirAll(filepath.Join(home, below), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(filepath.Join(home, below), os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		}
		for path, data := range seeds(product, recordedBehaviour(product)) {
			if err := writeNew(filepath.Join(home, path), data); err != nil {
				t.Fatal(err)
			}
		}
		o := Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
		var err error
		var s interface{ Close() error }
		if product == ProductIS {
			s, err = StartIS(t.Context(), o)
		} else {
			s, err = StartAM(t.Context(), o)
		}
		if err != nil {
			t.Fatalf("%s: %v", product, err)
		}
		s.Close()
	}
}

func TestUnpackedHomesHaveTheFilesThatReloadsNeed(t *testing.T) {
	for _, product := range []string{ProductIS, ProductAM} {
		home := newHome(t, product)
		for file, want := range map[string]string{
			catalinaTemplate: "\n<Server port=\"8005\" shutdown=\"SHUTDOWN\" xmlns:svns=\"http://org.wso2.securevault/configuration\">\n",
			loggingFile:      "\nloggers = AUDIT_LOG, trace-messages, org-apache-coyote, ",
		} {
			if text := string(readFile(t, filepath.Join(home, file))); !strings.Contains(text, want) {
				t.Errorf("%s of %s lacks %q:\n%s", file, product, want, text)
			}
		}
		if levels, err := readLogLevels(home); err != nil || levels.of(trustLogger).String() != "INFO" || levels.of(reloadListenerClass).String() != "ERROR" {
			t.Errorf("the levels of %s are %v: %v", product, levels, err)
		}
	}
}
