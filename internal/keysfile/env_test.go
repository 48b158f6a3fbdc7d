package keysfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/remedy"
	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2"
)

// values are texts that some reader takes for more than a text.
var values = []string{
	"", "plain_Value-1.2@host:80/a,b=c+d%20", "a b", " a ", "$HOME ${HOME} $(id) `id`", `'"\`, "it's", "''", `\n`, "#", "a #b", "~", "a:~root", "*", "?[a]", "!", "a;b&c|d<e>f(g)", "{a,b}",
	"\t", "\u00fc\u4e16", "-n", "export", "\u00a0", `"quoted"`, "a\\", "=", "%s", "\x7f",
}

// keyOf is a key with a consumer secret.
func keyOf(secret string) Key {
	return Key{"Orders App", "1", "PRODUCTION", "WSO2-IS", "key", wso2.Secret(secret), "https://is:9443/oauth2/token", "m"}
}

// want are the variables of keyOf.
func want(secret string) map[string]string {
	const prefix = "ORDERS_APP_PRODUCTION_"
	return map[string]string{prefix + "CONSUMER_KEY": "key", prefix + "CONSUMER_SECRET": secret, prefix + "TOKEN_ENDPOINT": "https://is:9443/oauth2/token"}
}

// shellReads sources a file in a shell that exports what it reads, and returns the variables.
func shellReads(t *testing.T, file []byte) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.env")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), testenv.Command(t, "sh"), "-euc", `set -a; . "$1"; exec env -0`, "sh", path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/wrong"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sh cannot read it: %v\n%s", err, file)
	}
	got := map[string]string{}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.Contains(name, "_PRODUCTION_") {
			got[name] = value
		}
	}
	return got
}

// dockerReads is a stand-in for the reader of docker run --env-file (docker/cli, pkg/kvfile): a line is NAME=value as it is.
func dockerReads(file []byte) (map[string]string, error) {
	got := map[string]string{}
	for scanner, first := bufio.NewScanner(bytes.NewReader(file)), true; scanner.Scan(); first = false {
		line := scanner.Bytes()
		if !utf8.Valid(line) {
			return nil, errors.New("invalid UTF-8")
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		text := strings.TrimLeftFunc(string(line), unicode.IsSpace)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("no variable: %q", text)
		}
		got[name] = value
	}
	return got, nil
}

func TestAShellReadsEveryValueAsItIs(t *testing.T) {
	for _, value := range append(slices.Clone(values), "a\nb", "\r\n", "a\nEVIL_PRODUCTION_X=1\n") {
		file, err := Env([]Key{keyOf(value)}, Shell)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got := shellReads(t, file); !maps.Equal(got, want(value)) {
			t.Errorf("%q: sh reads %q of\n%s", value, got, file)
		}
	}
}

func TestDockerReadsEveryValueAsItIs(t *testing.T) {
	for _, value := range values {
		file, err := Env([]Key{keyOf(value)}, Docker)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got, err := dockerReads(file); err != nil || !maps.Equal(got, want(value)) {
			t.Errorf("%q: docker reads %q, %v of\n%s", value, got, err, file)
		}
	}
}

// TestMostFilesSuitBoth: the servers make keys of letters and digits.
func TestMostFilesSuitBoth(t *testing.T) {
	sh, err := Env(several, Shell)
	docker, err2 := Env(several, Docker)
	if err != nil || err2 != nil || !bytes.Equal(sh, docker) {
		t.Errorf("%v, %v\n%s\n%s", err, err2, sh, docker)
	}
	const want = `# The agent writes this file. It has secrets in clear.

# application "Orders App", SANDBOX, key manager "WSO2-IS"
ORDERS_APP_SANDBOX_CONSUMER_KEY=k-sand
ORDERS_APP_SANDBOX_CONSUMER_SECRET=s-sand
ORDERS_APP_SANDBOX_TOKEN_ENDPOINT=https://is/oauth2/token

# application "Orders App", PRODUCTION, key manager "WSO2-IS"
ORDERS_APP_PRODUCTION_CONSUMER_KEY=k-prod
ORDERS_APP_PRODUCTION_CONSUMER_SECRET=s-prod
ORDERS_APP_PRODUCTION_TOKEN_ENDPOINT=https://is/oauth2/token

# application "Orders App", PRODUCTION, key manager "Resident Key Manager"
ORDERS_APP_PRODUCTION_RESIDENT_KEY_MANAGER_CONSUMER_KEY=k-res
ORDERS_APP_PRODUCTION_RESIDENT_KEY_MANAGER_CONSUMER_SECRET=s-res
ORDERS_APP_PRODUCTION_RESIDENT_KEY_MANAGER_TOKEN_ENDPOINT=https://am/oauth2/token

# application "2nd & last", PRODUCTION, key manager "WSO2-IS"
_2ND_LAST_PRODUCTION_CONSUMER_KEY=k-last
_2ND_LAST_PRODUCTION_CONSUMER_SECRET=
_2ND_LAST_PRODUCTION_TOKEN_ENDPOINT=https://is/oauth2/token
`
	if string(sh) != want {
		t.Errorf("got\n%s", sh)
	}
}

func TestAValueThatAFormatCannotHoldIsRefused(t *testing.T) {
	for _, c := range []struct {
		format              Format
		value, want, remedy string
	}{
		{Shell, "SHH\x00", "ORDERS_APP_PRODUCTION_CONSUMER_SECRET: the value has a NUL byte", ""},
		{Docker, "SHH\x00", "ORDERS_APP_PRODUCTION_CONSUMER_SECRET: the value has a NUL byte", ""},
		{Docker, "SHH\nX=1", "ORDERS_APP_PRODUCTION_CONSUMER_SECRET: the value has a line break", "set KEYS_ENV_FORMAT=sh"},
		{Docker, "SHH\r", "ORDERS_APP_PRODUCTION_CONSUMER_SECRET: the value has a line break", "set KEYS_ENV_FORMAT=sh"},
	} {
		file, err := Env([]Key{keyOf(c.value)}, c.format)
		if err == nil || file != nil || strings.Contains(err.Error(), "SHH") {
			t.Errorf("%q as %s: %v\n%s", c.value, c.format, err, file)
			continue
		}
		text, remedies := remedy.Split(err)
		if !strings.HasPrefix(text, c.want) || strings.Join(remedies, " ") != c.remedy {
			t.Errorf("%q as %s: %v", c.value, c.format, err)
		}
	}
}

// TestNoNameBreaksOutOfItsLine: names of applications and key managers are free texts.
func TestNoNameBreaksOutOfItsLine(t *testing.T) {
	k := keyOf("s")
	k.Application, k.KeyManager, k.Type = "Orders\nEVIL_PRODUCTION_X=1\nApp\u2028", "a\r\nEVIL_PRODUCTION_Y=1", "PRODUCTION"
	const prefix = "ORDERS_EVIL_PRODUCTION_X_1_APP_PRODUCTION_"
	names := []string{prefix + "CONSUMER_KEY", prefix + "CONSUMER_SECRET", prefix + "TOKEN_ENDPOINT"}
	file, err := Env([]Key{k}, Shell)
	if err != nil {
		t.Fatal(err)
	}
	docker, err := dockerReads(file)
	if got := slices.Sorted(maps.Keys(docker)); err != nil || !slices.Equal(got, names) {
		t.Errorf("docker reads %q, %v of\n%s", got, err, file)
	}
	if got := slices.Sorted(maps.Keys(shellReads(t, file))); !slices.Equal(got, names) {
		t.Errorf("sh reads %q of\n%s", got, file)
	}
}

func TestNamesOfVariables(t *testing.T) {
	for name, want := range map[string]string{
		"Orders App": "ORDERS_APP", "orders": "ORDERS", "a--b  c": "A_B_C", " a ": "A", "2go": "_2GO", "\u00fcber": "BER", "App (old)": "APP_OLD", "\u4e16\u754c": "", "_x_": "X", "x_9": "X_9",
	} {
		if got := variableName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestTwoNamesThatLeadToOneVariableAreRefused: a client would get the key of the other application.
func TestTwoNamesThatLeadToOneVariableAreRefused(t *testing.T) {
	named := func(application, manager string) Key {
		k := keyOf("SHH")
		k.Application, k.KeyManager = application, manager
		return k
	}
	for _, c := range []struct {
		name string
		keys []Key
		want string // in the error; empty: none
	}{
		{"blank and hyphen", []Key{named("a b", "x"), named("a-b", "x")}, `applications "a b" and "a-b" both need the variable A_B_PRODUCTION_CONSUMER_KEY`},
		{"no letter of ASCII", []Key{named("\u4e16", "x"), named("\u754c", "x")}, "both need the variable _PRODUCTION_CONSUMER_KEY"},
		{"two further key managers", []Key{named("a", "x"), named("a", "y z"), named("a", "y-z")}, "both need the variable A_PRODUCTION_Y_Z_CONSUMER_KEY"},
		{"two key managers", []Key{named("a", "x"), named("a", "y")}, ""},
		{"an application with the name of a key manager", []Key{named("a", "x"), named("a", "y"), named("a production y", "x")}, ""},
	} {
		file, err := Env(c.keys, Shell)
		manifest, err2 := Manifest(c.keys, "n", "")
		if c.want == "" {
			if err != nil || err2 != nil {
				t.Errorf("%s: %v, %v", c.name, err, err2)
			}
			continue
		}
		if err == nil || err2 == nil || err.Error() != err2.Error() || file != nil || manifest != nil {
			t.Errorf("%s: %v, %v", c.name, err, err2)
			continue
		}
		if text, remedies := remedy.Split(err); !strings.Contains(text, c.want) || len(remedies) != 1 || strings.Contains(text, "SHH") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTheManifestHasTheVariablesForEveryValue(t *testing.T) {
	// The base64 of the last ones is "null", "true", "1234" and "0x1F", which YAML takes for other types without quotes.
	for _, value := range append(slices.Clone(values), "a\nb", "\x00", "\xff", "\x9e\xe9\x65", "\xb6\xbb\x9e", "\xd7\x6d\xf8", "\xd3\x1d\x45") {
		for _, namespace := range []string{"", "wso2"} {
			text, err := Manifest([]Key{keyOf(value)}, "123", namespace)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				APIVersion string `yaml:"apiVersion"`
				Kind, Type string
				Metadata   map[string]any
				Data       map[string]any
			}
			decoder := yaml.NewDecoder(bytes.NewReader(text))
			decoder.KnownFields(true)
			if err := decoder.Decode(&got); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			metadata := map[string]any{"name": "123"}
			if namespace != "" {
				metadata["namespace"] = namespace
			}
			if got.APIVersion != "v1" || got.Kind != "Secret" || got.Type != "Opaque" || !maps.Equal(got.Metadata, metadata) {
				t.Errorf("got\n%s", text)
			}
			data := map[string]string{}
			for name, encoded := range got.Data {
				quoted, _ := encoded.(string)
				value, err := base64.StdEncoding.DecodeString(quoted)
				if err != nil {
					t.Error(err)
				}
				data[name] = string(value)
			}
			if !maps.Equal(data, want(value)) {
				t.Errorf("%q: got %q of\n%s", value, data, text)
			}
		}
	}
	if text, err := Manifest(nil, "n", ""); err != nil || yaml.Unmarshal(text, &map[string]any{}) != nil {
		t.Errorf("without keys: %v\n%s", err, text)
	}
}
