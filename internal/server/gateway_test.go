package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/config"
)

const (
	gatewayInterval = "[transport.passthru_https.listener]\nssl_profile_interval = \"60000\"\n"
	gatewayStore    = `[transport.passthru_https.listener.key_store]
location = "repository/resources/security/$ref{keystore.primary.file_name}"
type = "$ref{keystore.primary.type}"
password = "$ref{keystore.primary.password}"
key_password = "$ref{keystore.primary.key_password}"
`
	gatewayDone = "[server]\nx = 1\n\n" + gatewayInterval + "\n" + gatewayStore
	without     = "[server]\nx = 1\n"
	headers     = without + "\n[transport.passthru_https.listener]\n\n[transport.passthru_https.listener.key_store]\n"
)

// summary is each change with its setting, without the common part of their names.
func summary(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %s", strings.TrimPrefix(c.Setting, "transport.passthru_https.listener."), c.Action))
	}
	return strings.Join(out, ", ")
}

func TestTheGatewaysSettingsForTheReloadFollowTheAgentsSetting(t *testing.T) {
	const (
		all     = "ssl_profile_interval added, key_store.location added, key_store.type added, key_store.password added, key_store.key_password added"
		back    = "key_store.key_password taken back, key_store.location taken back, key_store.password taken back, key_store.type taken back, ssl_profile_interval taken back"
		mine    = without + "[transport.passthru_https.listener]\nssl_profile_interval = 120000\nkey_store.location = \"mine.jks\"\n"
		minePut = "ssl_profile_interval kept, key_store.location kept"
	)
	for _, test := range []struct {
		name     string
		reload   bool
		keep     bool
		override bool
		ours     bool // the text is what the agent has made
		text     string
		want     string
		changes  string
	}{
		{"they are made", true, false, false, false, without, gatewayDone, all},
		{"next to a running server they are not made", true, true, false, false, without, without, ""},
		{"they stay", true, false, false, true, gatewayDone, gatewayDone, ""},
		{"next to a running server they stay", true, true, false, true, gatewayDone, gatewayDone, ""},
		{"they go", false, false, false, true, gatewayDone, headers, back},
		{"next to a running server they do not go", false, true, false, true, gatewayDone, gatewayDone, ""},
		{"those of a person do not go", false, false, false, false, gatewayDone, gatewayDone, ""},
		{"a person's own stay", true, false, false, false, mine, mine, minePut},
		{"next to a running server a person's own stay", true, true, false, false, mine, mine, minePut},
		{"a person's own are nobody's business without the reload", false, true, false, false, mine, mine, ""},
		{"next to a running server nothing is replaced", true, true, true, false, mine, mine, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := amNeeds()
			var record Record
			if test.ours {
				n.Reload = true
				_, _, record = merge(t, n, without, nil)
			}
			n.Reload, n.KeepReload = test.reload, test.keep
			out, changes, next, err := n.Merge([]byte(test.text), record, test.override)
			if err != nil || string(out) != test.want || summary(changes) != test.changes {
				t.Errorf("%v, %s\n%s\nwant %s\n%s", err, summary(changes), out, test.changes, test.want)
			}
			if test.keep && len(next) != len(record) {
				t.Errorf("the record next to a running server: %v, before %v", next, record)
			}
			again, changes, _, err := n.Merge(out, next, test.override)
			if err != nil || string(again) != string(out) || slices.ContainsFunc(changes, Change.Made) {
				t.Errorf("a second merge: %v, %s\n%s", err, summary(changes), again)
			}
			n.Reload, n.KeepReload = true, false
			if test.want == headers {
				if out, _, _ := merge(t, n, headers, next); out != without+"\n"+gatewayInterval+"\n"+gatewayStore {
					t.Errorf("made once more:\n%s", out)
				}
			}
		})
	}
}

func TestOneValueOfAPersonsStoreKeepsTheOthersOut(t *testing.T) {
	n := amNeeds()
	n.Reload = true
	text := without + "[transport.passthru_https.listener.key_store]\npassword = \"mine\"\n"
	out, changes, _ := merge(t, n, text, nil)
	if want := "ssl_profile_interval added, key_store.password kept"; summary(changes) != want || strings.Contains(out, "$ref") {
		t.Errorf("%s, want %s\n%s", summary(changes), want, out)
	}
	if c := changes[len(changes)-1]; !c.Secret || c.Attributes() != nil {
		t.Errorf("a person's password comes into the log: %+v", c)
	}
}

func TestOnlyAPIManagersGatewayNeedsSettingsForTheReload(t *testing.T) {
	for _, test := range []struct {
		product, reload, mode string
		want                  bool
	}{
		{config.AM, "auto", "issue", true}, {config.AM, "auto", "files", true}, {config.AM, "auto", "none", false}, {config.AM, "off", "issue", false},
		{config.IS, "auto", "issue", false},
	} {
		var cfg config.Config
		cfg.Server.Product, cfg.TLS.Reload, cfg.TLS.Mode = test.product, test.reload, test.mode
		n := NeedsOf(cfg)
		if n.Reload != test.want || n.KeepReload {
			t.Errorf("%+v: Reload %t, KeepReload %t", test, n.Reload, n.KeepReload)
		}
	}
	n := isNeeds()
	n.Reload = true
	if out, _, _ := merge(t, n, without, nil); strings.Contains(out, "passthru") {
		t.Errorf("IS has no gateway:\n%s", out)
	}
}
