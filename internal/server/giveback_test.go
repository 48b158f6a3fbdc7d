package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"

	"wso2agent/internal/file"
)

func TestGivingBackLeavesTheFileAsItWas(t *testing.T) {
	for name, before := range map[string]string{
		"of IS, as a person has it": "# our settings\n[server]\nhostname = \"localhost\" # for now\nnode_ip = \"127.0.0.1\"\n\n[oauth]\nauthorize_all_scopes = true\n\n[role_mgt]\nallow_system_prefix_for_role = false\n\n" +
			"# the rule of the shop\n[[resource.access_control]]\ncontext = \"(.*)/shop\"\nsecure = false\nhttp_method = \"all\"\n",
		"without any of the tables":         "[server]\nnode_ip = \"127.0.0.1\"\n",
		"with the ends of lines of Windows": "[server]\r\nhostname = \"localhost\"\r\n\r\n[[event_listener]]\r\nid = \"mine\"\r\norder = 2\r\n",
	} {
		n := isNeeds()
		after, _, record := merge(t, n, before, nil)
		if after == before {
			t.Fatalf("%s: nothing is merged", name)
		}
		if after, _, record = merge(t, n, after, record); after == before { // as every later pass does
			t.Fatalf("%s: nothing is left", name)
		}
		back, changes, err := GiveBack([]byte(after), record)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := string(back)
		if got != before {
			t.Errorf("%s: %s", name, diff.Diff("before", []byte(before), "after", []byte(got)))
		}
		for _, c := range changes {
			if c.Action != Removed {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

func TestWhatIsNotTheAgentsAnyMoreStays(t *testing.T) {
	n := isNeeds()
	n.Password = "chosen-with-care"
	before := "[super_admin]\nusername = \"admin\"\npassword = \"admin\"\n\n[[event_listener]]\nid = \"token_revocation\"\norder = 1\n[event_listener.properties]\nusername = \"me\"\n"
	after, _, record := merge(t, n, before, nil)
	changed := strings.Replace(after, `hostname = "wso2is"`, `hostname = "sso.example"`, 1)
	changed = strings.Replace(changed, `http_method = "all"`, `http_method = "GET, POST"`, 1)
	if strings.Count(changed, "sso.example") != 1 || !strings.Contains(changed, "GET, POST") {
		t.Fatalf("the test changes nothing:\n%s", changed)
	}
	back, changes, err := GiveBack([]byte(changed), record)
	if err != nil {
		t.Fatal(err)
	}
	text, kept := string(back), map[string]bool{}
	for _, c := range changes {
		if c.Action == Kept {
			kept[c.Setting] = true
			if strings.HasSuffix(c.Setting, "password") != c.Secret {
				t.Errorf("%+v", c)
			}
		}
	}
	for setting, has := range map[string]string{
		"server.hostname":      `hostname = "sso.example"`,
		"super_admin.password": `password = "chosen-with-care"`,
		"resource.access_control[(.*)/wso2/scim(.*)].http_method":                 `http_method = "GET, POST"`,
		"event_listener[token_revocation].name":                                   `name = "org.wso2.is.notification.ApimOauthEventInterceptor"`,
		"event_listener[token_revocation].properties.'header.X-WSO2-KEY-MANAGER'": `'header.X-WSO2-KEY-MANAGER' = "WSO2-IS"`,
	} {
		if !kept[setting] || !strings.Contains(text, has) {
			t.Errorf("%s: reported %t", setting, kept[setting])
		}
	}
	if strings.Contains(text, "(.*)/scim2/Me") || strings.Contains(text, "allow_system_prefix_for_role") {
		t.Errorf("the agent's own settings stay:\n%s", text)
	}
	if t.Failed() {
		t.Logf("kept %v\n%s", kept, text)
	}
}

func TestAFileIsGivenBackByTheRecordNextToIt(t *testing.T) {
	dir := t.TempDir()
	f := SettingsFile{Path: filepath.Join(dir, "deployment.toml"), WorkDir: filepath.Join(dir, file.WorkDir)}
	const before = "[server]\nhostname = \"localhost\"\n\n[role_mgt]\nallow_system_prefix_for_role = false\n\n[oauth]\nauthorize_all_scopes = false\n"
	if err := os.WriteFile(f.Path, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	if changes, err := f.GiveBack(t.Context()); err != nil || len(changes) > 0 {
		t.Errorf("without a record: %v, %v", changes, err)
	}
	if _, _, err := f.Apply(t.Context(), isNeeds(), false); err != nil {
		t.Fatal(err)
	}
	_, planned, err := f.PlanBack(t.Context())
	if err != nil || len(planned) == 0 {
		t.Fatalf("%v, %v", planned, err)
	}
	if changes, err := f.GiveBack(t.Context()); err != nil || len(changes) != len(planned) {
		t.Errorf("%v, %v, planned %v", changes, err, planned)
	}
	got, err := os.ReadFile(f.Path)
	if err != nil || string(got) != before {
		t.Errorf("%v\n%s", err, got)
	}
	if changes, err := f.GiveBack(t.Context()); err != nil || len(changes) > 0 {
		t.Errorf("a second time: %v, %v", changes, err)
	}
	if err := os.WriteFile(f.Path, []byte("[server\nhostname = 1\n[a]\n[b]\n[c]\n[d]\n[e]\n[f]\n[g]\n[h]\n[i]\n[j]\n[k]\n[l]\n[m]\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := f.GiveBack(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("a file that the server refuses: %v", err)
	}
}

// TestAnElementOfSomebodyElseGetsItsValuesBack: the agent has replaced one of them on request, and added the others.
func TestAnElementOfSomebodyElseGetsItsValuesBack(t *testing.T) {
	const before = "[[event_listener]]\nid = \"token_revocation\"\n[event_listener.properties]\nusername = \"me\"\n"
	after, _, record, err := isNeeds().Merge([]byte(before), nil, true)
	if err != nil || strings.Contains(string(after), `"me"`) {
		t.Fatalf("%v\n%s", err, after)
	}
	back, changes, err := GiveBack(after, record)
	if err != nil || !strings.Contains(string(back), before[:35]) || !strings.Contains(string(back), "username = \"me\"\n") {
		t.Errorf("%v\n%s", err, back)
	}
	for _, c := range changes {
		if c.Setting == "event_listener[token_revocation].properties.username" && (c.Action != Removed || c.Now != `"me"`) {
			t.Errorf("%+v", c)
		}
	}
}
