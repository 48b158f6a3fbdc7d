package config

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTheHelpOnSettingsHasAllThatTheTableHas(t *testing.T) {
	var b strings.Builder
	if err := WriteSettings(&b, ""); err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(b.String()), " ")
	at := 0
	for _, s := range settings() {
		name := s.name
		if s.secret {
			name += ", " + s.name + "_FILE"
		}
		entry := name + " " + s.sentence + " Default: " + s.defaultInWords()
		i := strings.Index(flat, entry)
		if i < at {
			t.Errorf("not there, or not in the order of the table: %s", entry)
		}
		at = max(at, i)
		if strings.Count(b.String(), "\n"+s.group+"\n") != 1 {
			t.Errorf("the heading %q is not there once", s.group)
		}
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > width {
			t.Errorf("longer than %d characters: %s", width, line)
		}
	}
}

func TestTheHelpOnOneSetting(t *testing.T) {
	for name, want := range map[string][]string{
		"TLS_MODE":           {"TLS_MODE (Certificate of the server)\n", "  Default: none\n", "  Allowed: none, issue or files\n"},
		"am_port":            {"AM_PORT (API Manager)\n", "  Default: 9443\n", "  Allowed: a port, 1 to 65535\n"},
		"KEYSTORE_PASS":      {"  KEYSTORE_PASS_FILE: the path of a file with the value"},
		"Keystore_Pass_File": {"KEYSTORE_PASS (", "the password in deployment.toml, else wso2carbon"},
		"PRODUCT":            {"  Default: none: it is required\n", "  Allowed: is or am\n"},
		"BOOTSTRAP":          {"  Allowed: true or false\n"},
	} {
		var b strings.Builder
		if err := WriteSettings(&b, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("the help on %s lacks %q:\n%s", name, part, b.String())
			}
		}
		if strings.Contains(b.String(), "EXCHANGE_DIR") {
			t.Errorf("the help on %s has other settings:\n%s", name, b.String())
		}
	}
}

func TestTheHelpSuggestsTheSettingThatSomebodyMayMean(t *testing.T) {
	for name, want := range map[string]string{
		"TLS_MOD":         `unknown setting "TLS_MOD"; did you mean TLS_MODE?`,
		"am-port":         `unknown setting "am-port"; did you mean AM_PORT?`,
		"AM_PORT_FILE":    `unknown setting "AM_PORT_FILE"`, // only a secret has a file
		"quite-different": `unknown setting "quite-different"; agent help settings lists all settings`,
	} {
		var b strings.Builder
		if err := WriteSettings(&b, name); !errors.Is(err, ErrUnknownSetting) || !strings.HasPrefix(err.Error(), want) || b.Len() > 0 {
			t.Errorf("error = %v, want %s; written: %q", err, want, b.String())
		}
	}
}

func TestTheHelpReportsThatItCannotBeWritten(t *testing.T) {
	for _, name := range []string{"", "TLS_MODE"} {
		r, w := io.Pipe()
		r.Close()
		if err := WriteSettings(w, name); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%q: error = %v", name, err)
		}
	}
}
