package doctor_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/doctor"
)

// unpack returns the files of a bundle.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	packed, err := gzip.NewReader(f)
	must(t, err)
	files := map[string]string{}
	for in := tar.NewReader(packed); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		data, err := io.ReadAll(in)
		must(t, err)
		files[header.Name] = string(data)
	}
}

func TestABundleHasNoSecret(t *testing.T) {
	s := newSite(t)
	const (
		admin    = `hunter<2&"x`
		database = "db-Pass-9!"
		listener = "notice-Pass-7"
		token    = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
		opaque   = "0b5a2b1c-7a11-3f3e-9c55-aa0000000001"
		loose    = "Zz-loose-9"
	)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("the bytes of a private key, which are long enough")}))
	basic := base64.StdEncoding.EncodeToString([]byte("admin:" + admin))
	settings(config.AM, func(text string) string {
		return text + "\n[database.apim_db.pool_options]\npassword = \"" + database + "\"\n# old_password = \"" + loose + "\"\n[[event_handler]]\nname = \"x\"\nproperties.secret = \"" + listener + "\"\n"
	})(t, s)
	line("user admin logs in with "+admin+" and "+database, "Authorization: Basic "+basic, "authorization: bearer "+opaque, "jwt "+token,
		`{"client_secret":"`+loose+`","password" : "`+loose+`"}`, "<Password>"+loose+"</Password>", "access_token="+loose+"&x=1", key,
		"PKIX path building failed for "+admin)(t, s)
	must(t, os.WriteFile(filepath.Join(s.exchange, "wso2is/holder.json"), []byte(key), 0o600))
	cfg := s.config(t, config.AM, map[string]string{"IS_DB_PASSWORD": database, "KEYSTORE_PASS": "wso2carbon"})
	cfg.IS.AdminPass = admin
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"path":%q,"message":"IS refuses %s, client_secret=%s"}`, r.URL.Path, database, loose)
	}))
	defer sidecar.Close()
	cfg.Report.ListenAddr = strings.TrimPrefix(sidecar.URL, "http://")
	seed := filepath.Join(s.volumeOfAM, ".agent/seed")
	must(t, os.MkdirAll(seed, 0o755))
	must(t, os.WriteFile(filepath.Join(seed, "product"), []byte("wso2am-4.5.0\n"), 0o600))
	keys, err := os.ReadFile(filepath.Join(s.path("output"), "keys.json"))
	must(t, err)
	_, consumer, _ := strings.Cut(string(keys), `"consumerSecret": "`)
	consumer, _, _ = strings.Cut(consumer, `"`)
	if len(consumer) < 8 {
		t.Fatalf("no secret in %s", keys)
	}
	must(t, os.WriteFile(filepath.Join(s.logs, "agent.log"), []byte("consumer "+consumer+"\n"), 0o600))
	r := s.reader(cfg)
	r.Logs = append(r.Logs, filepath.Join(s.logs, "agent.log"))
	facts := r.Read(t.Context())
	facts.Unread = append(facts.Unread, doctor.Unread{What: "x", Why: "refused " + admin})
	found := doctor.Diagnose(facts)
	path := filepath.Join(s.dir, "bundle.tar.gz")
	must(t, r.Bundle(t.Context(), path, "agent v1", facts, found))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	files := unpack(t, path)
	secrets := map[string]string{"a password": admin, "in JSON": `hunter\u003c2`, "in XML": "hunter&lt;2", "a database's password": database, "a nested secret": listener, "a JWT": token,
		"a token": opaque, "an assigned secret": loose, "Basic": basic, "a private key": "Ynl0ZXMgb2Y", "a consumer secret": consumer}
	for name, text := range files {
		if strings.ContainsRune(text, 0) {
			t.Errorf("%s has bytes of another part of the archive", name)
		}
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %s", name, what)
			}
		}
	}
	for name, has := range map[string]string{
		"version.txt": "agent v1\nAPI-M: WSO2 API Manager-4.5.0\nhome of the own server: " + cfg.Server.Home + "\nseed of the own server: wso2am-4.5.0\n",
		"status.json": `{"path":"/status","message":"IS refuses *****, client_secret=*****"}`, "settings.txt": "IS_ADMIN_PASS=*****", "facts.json": `"unread"`, "diagnoses.json": "trust.refused", "deployment.toml": `password = "*****"`,
		"exchange/wso2is/certs.pem": "BEGIN CERTIFICATE", "exchange/wso2is/holder.json": "*****", "logs/01-agent.log": "consumer *****", "logs/02-wso2carbon.log": "PKIX path building failed",
	} {
		if !strings.Contains(files["wso2agent/"+name], has) {
			t.Errorf("%s has no %q:\n%s", name, has, files["wso2agent/"+name])
		}
	}
	if !slices.ContainsFunc(slices.Collect(keysOf(files)), func(name string) bool {
		return strings.HasPrefix(name, "wso2agent/stores/") && strings.Contains(files[name], "wso2is")
	}) {
		t.Error("no list of a store")
	}
	before, err := os.ReadFile(path)
	must(t, err)
	if err := r.Bundle(t.Context(), path, "agent v1", facts, found); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that exists: %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file has changed")
	}
}

func keysOf(files map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}
}

// What doctor prints and what the bundle has know the same secrets: here that of deployment.toml, in a line that is evidence.
func TestEvidenceHasNoSecretOfDeploymentTOML(t *testing.T) {
	s := newSite(t)
	settings(config.AM, func(text string) string { return text + "\n[database.x]\npassword = \"Zz-known-9\"\n" })(t, s)
	line("Key Mappings already exists for Zz-known-9")(t, s)
	found, facts := s.diagnose(t, config.AM, nil)
	if text := fmt.Sprint(found, facts); !strings.Contains(text, "already exists for *****") || strings.Contains(text, "Zz-known-9") {
		t.Errorf("found %v", found)
	}
}

// A log has a password as the server reads it, or in the form of a JSON document. deployment.toml has it in the form of TOML.
func TestASecretIsKnownInEveryForm(t *testing.T) {
	s := newSite(t)
	settings(config.AM, func(text string) string {
		return text + "\n[database.x]\npassword = \"Zz\\\"9<\\u0041&\"\n[database.y]\nurl = \"jdbc:mysql://u:Yy-url-9@host/db\"\n"
	})(t, s)
	line(`plain Zz"9<A&`, `json Zz\"9<A&`, `escaped Zz\"9\u003cA\u0026`, "inside Yy-url-9", "end")(t, s)
	path := filepath.Join(s.dir, "forms.tar.gz")
	r := s.reader(s.config(t, config.AM, nil))
	facts := r.Read(t.Context())
	must(t, r.Bundle(t.Context(), path, "v", facts, nil))
	text := unpack(t, path)["wso2agent/logs/01-wso2carbon.log"]
	for _, want := range []string{"plain *****", "json *****", "escaped *****", "inside *****"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the log has no %q:\n%s", want, text)
		}
	}
}

// Every server writes to the exchange volume. A link there must not take a file of this machine into the archive.
func TestABundleFollowsNoLinkOnTheExchangeVolume(t *testing.T) {
	s := newSite(t)
	foreign := filepath.Join(s.dir, "foreign")
	must(t, os.Mkdir(foreign, 0o700))
	must(t, os.WriteFile(filepath.Join(foreign, "ca.pem"), []byte("a foreign file"), 0o600))
	must(t, os.Mkdir(filepath.Join(s.exchange, "evil"), 0o700))
	must(t, os.Symlink(filepath.Join(foreign, "ca.pem"), filepath.Join(s.exchange, "evil/certs.pem")))
	must(t, os.WriteFile(filepath.Join(s.exchange, "other"), []byte("a foreign file"), 0o600))
	must(t, os.Symlink("../other", filepath.Join(s.exchange, "evil/turn.json")))
	must(t, os.Symlink(foreign, filepath.Join(s.exchange, "linked")))
	path := filepath.Join(s.dir, "links.tar.gz")
	must(t, s.reader(s.config(t, config.AM, nil)).Bundle(t.Context(), path, "v", doctor.Facts{}, nil))
	files := unpack(t, path)
	for name, text := range files {
		if strings.Contains(text, "a foreign file") {
			t.Errorf("%s is a foreign file", name)
		}
	}
	if !strings.Contains(files["wso2agent/left-out.txt"], "evil/certs.pem is no regular file") || files["wso2agent/exchange/wso2is/certs.pem"] == "" {
		t.Errorf("the archive has %q, left out is\n%s", slices.Sorted(keysOf(files)), files["wso2agent/left-out.txt"])
	}
}

// The words of diagnoses survive masking: paths and endpoints are no secrets.
func TestWhatIsNoSecretStays(t *testing.T) {
	m := doctor.MaskerOf(config.Config{})
	for _, text := range []string{
		`"issuer": "https://wso2is:9443/oauth2/token"`, "https://wso2is:9443/oauth2/token: HTTP 401", "TLS_KEY=ecdsa-p256", "tokenEndpoint: https://wso2is:9443/oauth2/token",
		"unable to find valid certification path to requested target", `id = "token_revocation"`, "SHA-256 AA:BB:CC",
		"Invalid OAuth Token : Invalid Access Token. ACTIVE access token is not found.", "status code: 401, errorCode=900901, code=401",
		"GET https://wso2is:9443/api/server/v1/applications answers 404", `password = ""`, `{\"password\":\"\"}`, "application 0b5a2b1c-7a11-3f3e-9c55-aa0000000001 is missing",
	} {
		if got := m.Text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"password=x1": "password=*****", `{"client_secret": "abc"}`: `{"client_secret": "*****"}`, "KEYSTORE_PASS=abc": "KEYSTORE_PASS=*****",
		"Error while retrieving token information for token: 0b5a2b1c-7a11-3f3e-9c55-aa0000000001": "Error while retrieving token information for token: *****", `"access_token":"x"`: `"access_token":"*****"`,
		"-----BEGIN RSA PRIVATE KEY-----\nAAAA": "*****",
		"amqp://bob:S3c@ret@clientid/carbon":    "amqp://bob:*****@clientid/carbon", "https://svc:x@host:9443/y": "https://svc:*****@host:9443/y",
		`url = "jdbc:mysql://u:x@host/db?a=b"`: `url = "jdbc:mysql://u:*****@host/db?a=b"`, `db_pwd = "my x"`: `db_pwd = "*****"`, "hash_salt = 'x y'": "hash_salt = '*****'", "pwd=x": "pwd=*****", "passwd: x": "passwd: *****",
		`password = "my secret \" phrase" # why`: `password = "*****" # why`, `{\"password\":\"my x\",\"a\":\"b\"}`: `{\"password\":\"*****\",\"a\":\"b\"}`,
		"<Password>my secret phrase</Password>": "<Password>*****</Password>", `<p:password type="x">my phrase</p:password>`: `<p:password type="x">*****</p:password>`,
		"Cookie: JSESSIONID=9A1B; commonAuthId=5c-x": "Cookie: JSESSIONID=*****; commonAuthId=*****", "/login.do?sessionDataKey=a-1&x=y": "/login.do?sessionDataKey=*****&x=y",
		"/callback?code=0b5a2b1c-7a11-3f3e-9c55-aa0000000001&state=1":         "/callback?code=*****&state=1",
		"Access token 0b5a2b1c-7a11-3f3e-9c55-aa0000000001 is inactive\nnext": "Access token ***** is inactive\nnext",
		"curl -k -u admin:x https://h":                                        "curl -k -u admin:***** https://h", `curl -u "admin:x y" https://h`: `curl -u "admin:*****" https://h`, "curl --user=admin:x": "curl --user=admin:*****", "curl -u 'admin:x y'": "curl -u 'admin:*****'",
	} {
		if got := m.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		// A value in facts.json is masked once more, as a part of the file.
		inJSON, err := json.Marshal(want)
		must(t, err)
		if got := m.Text(string(inJSON)); !json.Valid([]byte(got)) {
			t.Errorf("%s becomes %s, which is no JSON", inJSON, got)
		}
	}
}

// A long log costs a bounded amount of memory, and its end counts. What begins in the part that is left out is left out.
func TestTheEndOfALongLogCounts(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.logs, "wso2carbon.log")
	f, err := os.Create(path)
	must(t, err)
	filler := strings.Repeat("x", 1023) + "\n"
	for range 9 << 10 { // 9 MiB
		_, err = f.WriteString(filler)
		must(t, err)
	}
	_, err = f.WriteString(strings.Repeat("y", 2<<20) + "\nKey Mappings already exists\n")
	must(t, err)
	must(t, f.Close())
	found, facts := s.diagnose(t, config.AM, nil)
	if got := ids(found); !slices.Equal(got, []string{"keys.half-made"}) {
		t.Errorf("found %q", got)
	}
	cfg := s.config(t, config.AM, nil)
	bundle := filepath.Join(s.dir, "long.tar.gz")
	must(t, s.reader(cfg).Bundle(t.Context(), bundle, "v", facts, found))
	if text := unpack(t, bundle)["wso2agent/logs/01-wso2carbon.log"]; len(text) > 1<<20+1000 || !strings.HasSuffix(text, "Key Mappings already exists\n") {
		t.Errorf("the bundle has %d bytes of the log, at the end %q", len(text), text[max(0, len(text)-60):])
	}
}
