package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim"
)

func TestMain(m *testing.M) {
	standIn := func(product string) func() {
		return func() {
			if err := standInMain(product); err != nil {
				log.Fatal(err)
			}
		}
	}
	resolveNames()
	testscript.Main(m, map[string]func(){
		"agent": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
		},
		"answering": func() { log.Fatal(answering()) },
		"bootstrapped": func() {
			if err := bootstrapped(os.Args[1]); err != nil {
				log.Fatal(err)
			}
		},
		"recorded": func() {
			if err := recorded(os.Args[1]); err != nil {
				log.Fatal(err)
			}
		},
		"wso2sim-is": standIn("is"),
		"wso2sim-am": standIn("am"),
	})
}

// answering serves 200 to every request at AM_PORT, with the certificate in CONFIG_DIR. A health check takes it for API-M.
func answering() error {
	data, err := os.ReadFile(filepath.Join(os.Getenv("CONFIG_DIR"), "repository/resources/security/wso2carbon.jks"))
	if err != nil {
		return err
	}
	store, err := keystore.Open(data, "wso2carbon")
	if err != nil {
		return err
	}
	key, err := store.PrivateKey("wso2carbon", "wso2carbon")
	if err != nil {
		return err
	}
	leaf, err := store.Leaf("wso2carbon")
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:      net.JoinHostPort("localhost", os.Getenv("AM_PORT")),
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.DER}, PrivateKey: key}}},
	}
	return server.ListenAndServeTLS("", "")
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"another-owner":           anotherOwner,
			"trusted-issuer":          trustedIssuer,
			"capture":                 capture,
			"backend-for":             backendFor,
			"exits":                   exits,
			"freeport":                freePort,
			"hide-keys":               hideKeys,
			"login":                   login,
			"mask":                    mask,
			"homes":                   homes,
			"mkstore":                 mkstore,
			"prints":                  prints,
			"refresh":                 refreshToken,
			"shown":                   shown,
			"standin-is":              standIn,
			"stable":                  stable,
			"standins":                standIns,
			"mkcert":                  mkcert,
			"waitfor":                 waitfor,
			"waitfor-listening":       waitforListening,
			"waitfor-same-generation": sameGeneration,
		},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values["faults of IS"] = wso2sim.NewFaults()
			return nil
		},
	})
}

// runID is the correlation id of a run in JSON.
var runID = regexp.MustCompile(`("run": ?")[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// exits CODE PROGRAM [ARG...] runs a program and expects this exit code. Its output goes to the files stdout.txt and stderr.txt, with ID in
// place of the correlation id, which differs from run to run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range append(environment, "PATH", "HOME", "TMPDIR") {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	var stdout bytes.Buffer
	stderr, err := os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	err = cmd.Run()
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), runID.ReplaceAll(stdout.Bytes(), []byte(`${1}ID"`)), 0o666))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run %v: %v", args[1:], err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		text, _ := os.ReadFile(ts.MkAbs("stderr.txt"))
		ts.Fatalf("%v exited with %d, want %d\n%s", args[1:], got, want, text)
	}
}

// varying are texts that differ from run to run, with what mask puts in their place.
var varying = []struct {
	text *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`), "$1:PORT"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`(nonce[^0-9a-f]+)[0-9a-f]{32}`), "${1}NONCE"},
	{regexp.MustCompile(`[0-9A-F]{2}(:[0-9A-F]{2}){3}:…`), "FINGERPRINT"},
	{regexp.MustCompile(`key [A-Za-z0-9_-]{12}…`), "key ID"},
	{regexp.MustCompile(`"seconds": [0-9.e-]+`), `"seconds": TIME`},
	{regexp.MustCompile(`time="[0-9.e-]+"`), `time="TIME"`},
	{regexp.MustCompile(`\b[0-9.]+m?s after`), "TIME after"},
	{regexp.MustCompile(`\b(1h0m0|59m\d+)s\b`), "TIME"},
	{regexp.MustCompile(`time=\S+ `), "time=TIME "},
	{regexp.MustCompile(`run=\S+ `), "run=ID "},
}

// mask FILE replaces what differs from run to run.
func mask(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	for _, v := range varying {
		data = v.text.ReplaceAll(data, []byte(v.mask))
	}
	ts.Check(os.WriteFile(path, data, 0o666))
}

// unstable are the parts of an output that differ from run to run, and what stands for them.
var unstable = []struct {
	text *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "HOST:PORT"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]+Z)?\b`), "DATE"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{8}\b`), "FINGERPRINT"},
}

// stable FILE replaces what differs from run to run in a file, so that the script can compare the whole of it.
func stable(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "WORK")
	for _, c := range unstable {
		text = c.text.ReplaceAllString(text, c.by)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}

// freePort NAME sets a variable to a TCP port that nobody uses.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// environment are the agent's variables that scripts set.
var environment = []string{"PRODUCT", "PEERS", "RESTART", "RESTART_COMMAND", "RESTART_URL", "RESTART_URL_SECRET", "RESTART_FILE", "SERVER_NAME", "EXCHANGE_DIR", "CONFIG_DIR", "SERVER_HOME", "INIT_TIMEOUT", "INIT_ON_TIMEOUT",
	"KEYSTORE_PASS", "TRUSTSTORE_PASS", "TRUSTSTORE_PASS_FILE", "AM_HOST", "AM_PORT", "GW_HOST", "GW_PORT", "TLS_MODE", "SETTINGS", "LOG_FORMAT", "STOP_TIMEOUT", "API_CONFIG", "KEYS_FILE",
	"BOOTSTRAP_TIMEOUT", "BOOTSTRAP", "LISTEN_ADDR", "AM_ADMIN_PASS", "AM_ADMIN_PASS_FILE", "POLL_INTERVAL", "KEY_MANAGER_NAME", "BACKEND", "TLS_CA_FILE", "TLS_CA_CERT_FILE", "TLS_CA_KEY_FILE",
	"IS_HOST", "IS_PORT", "IS_ADMIN_PASS", "KM_TOKEN_ENDPOINT", "SCOPES_CLIENTS", "DATABASE", "PGHOST", "PGPORT", "IS_DB_PASSWORD", "DATABASE_TIMEOUT", "PRUNE", "KM_SERVICE_USER", "IS_CONTAINER", "AM_CONTAINER", "DOCKER_HOST", "MAINTENANCE_WINDOWS", "MAINTENANCE_APPROVAL", "SECRETS_ENV", "ENCRYPTION_KEY"}

func self(ts *testscript.TestScript, name string) (keystore.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	return keystore.Certificate{DER: der}, key
}

// mkstore FORMAT FILE [key] makes a keystore with a certificate under users-ca and, with key, a key under wso2carbon. Its
// password is wso2carbon.
func mkstore(ts *testscript.TestScript, _ bool, args []string) {
	store, err := keystore.New(keystore.Options{Format: keystore.Format(args[0]), Password: "wso2carbon"})
	ts.Check(err)
	ca, _ := self(ts, "users-ca")
	ts.Check(store.SetTrusted("users-ca", ca, time.Now()))
	if len(args) > 2 {
		leaf, key := self(ts, "localhost")
		ts.Check(store.SetKey("wso2carbon", key, []keystore.Certificate{leaf}, "wso2carbon", time.Now()))
	}
	data, err := store.Encode()
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o640))
}

// mkcert FILE writes a new certificate in PEM.
func mkcert(ts *testscript.TestScript, _ bool, args []string) {
	c, _ := self(ts, "peer")
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}), 0o644))
}

// waitfor FILE TEXT waits until the file holds the text.
func waitfor(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0]+" holds "+args[1], func() bool {
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		return strings.Contains(string(data), args[1])
	})
}

// waitforListening ADDRESS waits until something listens there.
func waitforListening(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "something listens on "+args[0], func() bool {
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// sameGeneration FILE FILE waits until both files, JSON, name the same generation.
func sameGeneration(ts *testscript.TestScript, _ bool, args []string) {
	generation := func(path string) string {
		var v struct{ Generation string }
		data, _ := os.ReadFile(ts.MkAbs(path))
		_ = json.Unmarshal(data, &v) // no file, or half of one: empty
		return v.Generation
	}
	until(ts, "both name the same generation", func() bool {
		first := generation(args[0])
		return first != "" && first == generation(args[1])
	})
}

// until waits for what other processes bring about.
func until(ts *testscript.TestScript, what string, holds func() bool) {
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("not within 20 s: %s", what)
		}
	}
}
