package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

func TestWhatSomebodyMadeOtherwiseIsKeptAndReportedOrOverriddenOnRequest(t *testing.T) {
	before := "[server]\nhostname = \"login.example.com\" # public\n\n[[event_listener]]\nid = \"token_revocation\"\norder = 1\n[event_listener.properties]\nusername = \"${admin.username}\"\n"
	after, changes, record := merge(t, isNeeds(), before, nil)
	if !strings.Contains(after, `hostname = "login.example.com" # public`) || !strings.Contains(after, `username = "${admin.username}"`) {
		t.Errorf("somebody's settings are gone:\n%s", after)
	}
	kept := map[string]Change{}
	for _, c := range changes {
		if c.Action == Kept {
			kept[c.Setting] = c
		}
	}
	want := map[string]Change{
		"server.hostname": {"server.hostname", 2, `"login.example.com"`, `"wso2is"`, Kept, false},
		"event_listener[token_revocation].properties.username": {"event_listener[token_revocation].properties.username", 8, `"${admin.username}"`, `"admin"`, Kept, false},
	}
	if !maps.Equal(kept, want) {
		t.Errorf("kept: %+v, want %+v", kept, want)
	}
	if !strings.Contains(after, "'header.X-WSO2-KEY-MANAGER' = \"WSO2-IS\"") || strings.Count(after, "[[event_listener]]") != 1 {
		t.Errorf("the rest of the listener is not as needed:\n%s", after)
	}
	overridden, _, _, err := isNeeds().Merge([]byte(after), record, true)
	if err != nil || !strings.Contains(string(overridden), `hostname = "wso2is" # public`) || !strings.Contains(string(overridden), `username = "admin"`) {
		t.Errorf("overridden: %v\n%s", err, overridden)
	}
}

func TestATLSKeystoreOfSomebodysIsKeptWhole(t *testing.T) {
	for name, before := range map[string]string{
		"API-M's table with another file": "[keystore.tls]\nfile_name = \"company.jks\"\ntype = \"JKS\"\npassword = \"wso2carbon\"\nalias = \"wso2carbon\"\nkey_password = \"wso2carbon\"\n",
		"a table that leaves keys out":    "[keystore.tls]\nfile_name = \"company.p12\"\npassword = \"x\"\n",
	} {
		n := amNeeds()
		n.TLS = withAll(amNeeds()).TLS
		after, changes, record := merge(t, n, before, nil)
		if after != before || len(record) > 0 {
			t.Errorf("%s: it became\n%s", name, after)
		}
		if len(changes) == 0 || changes[0].Action != Kept {
			t.Errorf("%s: nothing is told: %+v", name, changes)
		}
		overridden, _, _, err := n.Merge([]byte(before), nil, true)
		if err != nil || !strings.Contains(string(overridden), `"wso2agent-tls.p12"`) {
			t.Errorf("%s: overridden: %v\n%s", name, err, overridden)
		}
	}
}

func TestTheAgentsOwnSettingsFollowItsSettings(t *testing.T) {
	first, _, record := merge(t, isNeeds(), string(shipped(t, config.IS)), nil)
	moved := isNeeds()
	moved.AMHost, moved.Hostname = "gateway", "login"
	second, changes, record := merge(t, moved, first, record)
	if !strings.Contains(second, `"https://gateway:9443/internal`) || !strings.Contains(second, `hostname = "login"`) {
		t.Errorf("after a change: %+v\n%s", changes, second)
	}
	back, _, _ := merge(t, isNeeds(), second, record)
	if back != first {
		t.Errorf("after the change back:\n%s", diff.Diff("first", []byte(first), "back", []byte(back)))
	}
	theirs := strings.Replace(second, `hostname = "login"`, `hostname = "theirs"`, 1)
	kept, _, _ := merge(t, isNeeds(), theirs, record)
	if !strings.Contains(kept, `hostname = "theirs"`) {
		t.Errorf("what somebody changed after the agent was replaced:\n%s", kept)
	}
}

func TestWhatIsNoLongerNeededGoesBackToWhatItWas(t *testing.T) {
	stock := string(shipped(t, config.AM))
	with, _, record := merge(t, withAll(amNeeds()), stock, nil)
	without, changes, record := merge(t, amNeeds(), with, record)
	for _, c := range changes {
		if c.Secret && !strings.Contains(c.Setting, "password") || !c.Secret && strings.Contains(c.Setting, "password") {
			t.Errorf("%s: secret is %v", c.Setting, c.Secret)
		}
	}
	was, now := values(t, stock), values(t, without)
	if !maps.Equal(was, now) {
		t.Errorf("settings are left:\n%s", diff.Diff("stock", []byte(stock), "now", []byte(without)))
	}
	if again, changes, _ := merge(t, amNeeds(), without, record); again != without || len(changes) > 0 {
		t.Errorf("a further merge changes %+v", changes)
	}
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	doc, err := deployment.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for path, v := range doc.Settings() {
		out[path] = fmt.Sprint(v.Data)
	}
	return out
}

func TestWhatTheServerWouldRefuseIsNamedAndNotTouched(t *testing.T) {
	for text, reason := range map[string]string{
		"[oauth.x]\na = 1\n[oauth]\n":     "line 3: the table [oauth] stands after a part of it in line 1",
		"event_listener = [{id = 1}]\n":   "line 1: event_listener is written as one value",
		"[server]\nhostname = \"a\tb\"\n": "line 2: a text in double quotes contains a tab",
	} {
		_, _, _, err := isNeeds().Merge([]byte(text), nil, false)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: error %v, want %q", text, err, reason)
		}
	}
	if _, _, _, err := isNeeds().Merge([]byte("[a]\n[a]\n"), nil, false); !errors.Is(err, ErrRefused) {
		t.Errorf("error %v is not ErrRefused", err)
	}
}

// FuzzMerge holds that whatever parses still parses after a merge, with every other value as it was, that a second merge
// changes nothing, and that the way back ends where it began.
func FuzzMerge(f *testing.F) {
	for _, text := range edited {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, all bool) {
		doc, err := deployment.Parse([]byte(text))
		if err != nil {
			return
		}
		n := isNeeds()
		if all {
			n = withAll(n)
		}
		merged, _, record, err := n.Merge([]byte(text), nil, false)
		if err != nil {
			return // somebody's setting is in the way, by name
		}
		after, err := deployment.Parse(merged)
		if err != nil {
			t.Fatalf("%v in\n%s", err, merged)
		}
		needed := map[string]bool{}
		needs, _ := n.needs()
		for _, need := range needs {
			for _, w := range need.settings {
				needed[deployment.Path(w.path...)] = need.array == nil
			}
		}
		now := after.Settings()
		for path, v := range doc.Settings() {
			if !needed[path] && fmt.Sprint(now[path].Data) != fmt.Sprint(v.Data) {
				t.Fatalf("%s was %v and is %v in\n%s", path, v.Data, now[path].Data, merged)
			}
		}
		again, changes, _, err := n.Merge(merged, record, false)
		if err != nil || string(again) != string(merged) || slices.ContainsFunc(changes, func(c Change) bool { return c.Action != Kept }) {
			t.Fatalf("a second merge: %v, %+v\n%s", err, changes, diff.Diff("first", merged, "second", again))
		}
	})
}

func TestTheBehaviourOfAFormerVersionIsReportedAndNeverWritten(t *testing.T) {
	n, before := isNeeds(), "[preserve_previous_product_behaviour]\nversion = \"IS_7.1.0\"\n"
	reported := func(changes []Change, action Action) bool {
		return slices.ContainsFunc(changes, func(c Change) bool {
			return c.Setting == "preserve_previous_product_behaviour.version" && c.Action == action && c.Line == 2
		})
	}
	if text, changes, _, err := n.Merge([]byte(before), nil, false); err != nil || !strings.Contains(string(text), "IS_7.1.0") || !reported(changes, Kept) {
		t.Errorf("%v, %+v:\n%s", err, changes, text)
	}
	if text, changes, _, err := n.Merge([]byte(before), nil, true); err != nil || strings.Contains(string(text), "IS_7.1.0") || !reported(changes, Removed) {
		t.Errorf("SETTINGS=override: %v, %+v:\n%s", err, changes, text)
	}
	if text, _, _, err := n.Merge(nil, nil, true); err != nil || strings.Contains(string(text), "previous") {
		t.Errorf("%v:\n%s", err, text)
	}
}
