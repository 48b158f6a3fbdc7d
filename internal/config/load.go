package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"wso2agent/internal/file"
)

// ErrInvalid is wrapped by every error about a setting.
var ErrInvalid = errors.New("invalid settings")

// secretLimit is the most that a file with a secret may hold, in bytes.
const secretLimit = 4096

// Load reads the settings from the environment. All mistakes are told in one error that wraps ErrInvalid, a line each,
// with the variable's name and the remedy and never with the value of a secret. The variables named in required must
// be given.
//
// An empty variable counts as unset, since that is what Compose makes of a reference to an unset one. envconfig cannot
// tell, so an empty variable of the agent's own is taken out of the environment first.
func Load(required ...string) (Config, error) {
	var c Config
	var mistakes []error
	for f := range settings() {
		if err := f.check(slices.Contains(required, f.name)); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s %w", f.name, err))
		}
		if value, set := os.LookupEnv(f.name); set && value == "" {
			os.Unsetenv(f.name)
		}
	}
	if len(mistakes) == 0 {
		// Every value was checked by the same rules as envconfig's, so that its one-at-a-time errors, which show
		// secrets, do not come up.
		if err := envconfig.Process("", &c); err != nil {
			return Config{}, fmt.Errorf("%w: the environment cannot be read", ErrInvalid)
		}
		mistakes = c.readSecrets()
	}
	if len(mistakes) > 0 {
		return Config{}, fmt.Errorf("%w:\n  %w", ErrInvalid, joined(mistakes))
	}
	c.complete(func(name string) bool { _, set := os.LookupEnv(name); return set })
	return c, c.contradictions()
}

// setting is one field of Config.
type setting struct {
	name  string
	field reflect.StructField
}

// settings are the fields of Config in their order.
func settings() func(yield func(setting) bool) {
	return func(yield func(setting) bool) {
		t := reflect.TypeFor[Config]()
		for i := range t.NumField() {
			f := t.Field(i)
			if name := f.Tag.Get("envconfig"); name != "" && !yield(setting{name, f}) {
				return
			}
		}
	}
}

func (s setting) secret() bool { return s.field.Tag.Get("secret") == "true" }

// check returns what is wrong with the variable's value, worded to follow its name.
func (s setting) check(required bool) error {
	value := os.Getenv(s.name)
	if s.secret() {
		if twin := os.Getenv(s.name + "_FILE"); twin != "" && value != "" {
			return fmt.Errorf("and %s_FILE are both set: keep one of them", s.name)
		}
		return nil
	}
	if value == "" {
		if required {
			return fmt.Errorf("is not set; it is %s", s.field.Tag.Get("desc"))
		}
		return nil
	}
	return checkRule(s.name, s.field.Type, s.field.Tag.Get("rule"), value)
}

// readSecrets takes the value of each secret whose twin NAME_FILE is set from that file, without a last line end.
func (c *Config) readSecrets() (mistakes []error) {
	for s := range settings() {
		twin := s.name + "_FILE"
		path := os.Getenv(twin)
		if !s.secret() || path == "" {
			continue
		}
		data, err := file.Read(path, secretLimit)
		data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
		switch {
		case err != nil:
			mistakes = append(mistakes, fmt.Errorf("%s cannot be used: %w", twin, err))
		case len(data) == 0:
			mistakes = append(mistakes, fmt.Errorf("%s names %s, which is empty: put the secret into it", twin, path))
		default:
			reflect.ValueOf(c).Elem().FieldByIndex(s.field.Index).SetString(string(data))
		}
	}
	return mistakes
}

// SecretFiles are the files that secrets are read from.
func SecretFiles() (paths []string) {
	for s := range settings() {
		if path := os.Getenv(s.name + "_FILE"); s.secret() && path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// contradictions returns an error for settings that are right each and wrong together.
func (c Config) contradictions() error {
	var mistakes []error
	if c.ServerName != "" && slices.Contains(c.Peers, c.ServerName) {
		mistakes = append(mistakes, fmt.Errorf("PEERS names %s, which is this server itself (SERVER_NAME): leave it out", c.ServerName))
	}
	mistakes = append(mistakes, aliasClashes(append(slices.Clone(c.Peers), c.ServerName))...)
	if c.QuietMax < c.QuietMin {
		mistakes = append(mistakes, fmt.Errorf("QUIET_MAX is %s, less than QUIET_MIN, %s: make it longer", c.QuietMax, c.QuietMin))
	}
	// A slip in the name would leave the peer unpinned, without a word.
	for _, name := range c.PeerPins.strangers(c.Peers) {
		mistakes = append(mistakes, fmt.Errorf("PEER_PINS names %s, which is no peer: correct it, or name it in PEERS", name))
	}
	mistakes = append(mistakes, c.tlsContradictions()...)
	if c.KMName == ResidentKeyManager {
		mistakes = append(mistakes, fmt.Errorf("KM_NAME is %q, the name of API-M's own key manager: give IS another name", c.KMName))
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n  %w", ErrInvalid, joined(mistakes))
}

// aliasClashes are names that are also an alias which a further certificate of another server gets: its name and the first 8
// digits of the fingerprint. Two servers would replace each other's certificate there at every pass.
func aliasClashes(names []string) (mistakes []error) {
	for _, name := range names {
		if m := furtherAlias.FindStringSubmatch(name); m != nil && slices.Contains(names, m[1]) {
			mistakes = append(mistakes, fmt.Errorf("PEERS or SERVER_NAME names %s, which is also an alias for a further certificate of %s: give that server another name", name, m[1]))
		}
	}
	return mistakes
}

var furtherAlias = regexp.MustCompile("^(.+)-[0-9a-f]{8}$")

// tlsContradictions are those about the server's TLS identity.
func (c Config) tlsContradictions() (mistakes []error) {
	if (c.TLSCACertFile == "") != (c.TLSCAKeyFile == "") {
		mistakes = append(mistakes, errors.New("TLS_CA_CERT_FILE and TLS_CA_KEY_FILE go together: set both, or neither for self-signed certificates"))
	}
	if c.TLSMode != "issue" && c.TLSCAKeyFile != "" {
		mistakes = append(mistakes, fmt.Errorf("TLS_CA_KEY_FILE is set, and TLS_MODE=%s issues nothing: set TLS_MODE=issue, or leave the CA out", c.TLSMode))
	}
	for _, name := range []string{"KEYSTORE_FILE", "KEYSTORE_ALIAS"} {
		if c.TLSMode != "none" && c.Given(name) {
			mistakes = append(mistakes, fmt.Errorf("%s is set, and with TLS_MODE=%s the agent makes the keystore of the TLS listeners itself: leave it out, or set TLS_MODE=none", name, c.TLSMode))
		}
	}
	if c.TLSMode != "files" && c.Given("TLS_FILES_DIR") {
		mistakes = append(mistakes, fmt.Errorf("TLS_FILES_DIR is set, and TLS_MODE=%s does not read it: set TLS_MODE=files, or leave it out", c.TLSMode))
	}
	if c.TLSMode == "issue" && c.TLSRenewBefore > c.TLSValidity/2 {
		mistakes = append(mistakes, fmt.Errorf("TLS_RENEW_BEFORE is %s, more than half of TLS_VALIDITY, %s: make it shorter, since every renewal restarts servers", c.TLSRenewBefore, c.TLSValidity))
	}
	return mistakes
}

// joined is errors.Join with lines indented to stand below a heading.
func joined(errs []error) error {
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	return errors.New(strings.Join(lines, "\n  "))
}

func itoa(n int) string { return strconv.Itoa(n) }

// Secret is the value of a secret's variable, by itself or from its file; ok is false for any other variable and where
// there is none.
func (c Config) Secret(name string) (value string, ok bool) {
	for s := range settings() {
		if s.name == name && s.secret() {
			value = reflect.ValueOf(c).FieldByIndex(s.field.Index).String()
			return value, value != ""
		}
	}
	return "", false
}
