package wso2sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// sharedKey is the key of all homes of versions: making one takes longer than everything else.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// homeOf unpacks a home of a version.
func homeOf(t *testing.T, product, version string) string {
	t.Helper()
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "wso2"+product+"-"+version)
	if err := UnpackWith(home, product, UnpackOptions{Version: version, Rounds: 10, Key: key}); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestAHomeOfEveryVersionHasItsFilesAndStarts(t *testing.T) {
	for _, tc := range []struct {
		product, version, key, trust string
		format                       keystore.Format
		expired                      bool
		databases                    int
		tls                          uint16
	}{
		{ProductIS, "7.0.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, true, 3, tls.VersionTLS13},
		{ProductIS, "7.1.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, true, 3, tls.VersionTLS12},
		{ProductIS, "7.2.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, true, 4, tls.VersionTLS12},
		{ProductIS, "7.3.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, false, 4, tls.VersionTLS13},
		{ProductAM, "4.4.0", "wso2carbon.jks", "client-truststore.jks", keystore.PKCS12, false, 3, tls.VersionTLS13},
		{ProductAM, "4.5.0", "wso2carbon.jks", "client-truststore.jks", keystore.PKCS12, false, 3, tls.VersionTLS13},
		{ProductAM, "4.6.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, false, 3, tls.VersionTLS13},
		{ProductAM, "4.7.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, false, 3, tls.VersionTLS13},
	} {
		t.Run(tc.product+tc.version, func(t *testing.T) {
			home := homeOf(t, tc.product, tc.version)
			stores := filepath.Join(home, securityDir)
			keys, trust := open(t, filepath.Join(stores, tc.key)), open(t, filepath.Join(stores, tc.trust))
			if keys.Format() != tc.format || trust.Format() != tc.format {
				t.Errorf("the stores are %s and %s, want %s", keys.Format(), trust.Format(), tc.format)
			}
			leaf, err := keys.Leaf("wso2carbon")
			if err != nil {
				t.Fatal(err)
			}
			if cert, err := leaf.Parse(); err != nil || cert.NotAfter.Before(time.Now()) != tc.expired {
				t.Errorf("the certificate is good until %s (%v)", cert.NotAfter, err)
			}
			if found, _ := filepath.Glob(filepath.Join(home, databaseDir, "*.mv.db")); len(found) != tc.databases {
				t.Errorf("the databases are %s", found)
			}
			o := Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
			var s Server
			if tc.product == ProductIS {
				s, err = StartIS(t.Context(), o)
			} else {
				s, err = StartAM(t.Context(), o)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL(), "https://"), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.ConnectionState().Version; got != tc.tls {
				t.Errorf("%s, want %s", tls.VersionName(got), tls.VersionName(tc.tls))
			}
		})
	}
}

func TestAPIManagerNamesItsVersion(t *testing.T) {
	am, err := StartAM(t.Context(), Options{Home: homeOf(t, ProductAM, "4.7.0"), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	if err := am.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	resp, err := insecure().Get(am.URL() + "/services/Version")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "<return>WSO2 API Manager-4.7.0</return>") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestAVersionThatTheStandInDoesNotHaveIsRefused(t *testing.T) {
	for _, version := range []string{"6.1.0", "7", "7.x.0", "8.0.0"} {
		if _, err := BehaviourOf(ProductIS, version); err == nil || !strings.Contains(err.Error(), "7.0, 7.1, 7.2, 7.3") {
			t.Errorf("%s: %v", version, err)
		}
	}
	home := homeOf(t, ProductAM, "4.6.0")
	if err := os.WriteFile(filepath.Join(home, versionFile), []byte("WSO2 API Manager-3.2.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := StartAM(t.Context(), Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "3.2.0") {
		t.Errorf("a home of 3.2.0: %v", err)
	}
}
