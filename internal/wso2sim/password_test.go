package wso2sim

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// setAdministrator gives settings a password of the administrator, as it is to stand in the file, and more settings.
func setAdministrator(t *testing.T, home, password, more string) {
	t.Helper()
	path := filepath.Join(home, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := administrator.ReplaceAllLiteralString(string(text), "[super_admin]\nusername = \"admin\"\npassword = \""+password+"\"\n") + more
	if changed == string(text) {
		t.Fatal("the file has no administrator, or that one")
	}
	if err := os.WriteFile(path, []byte(changed), 0o640); err != nil {
		t.Fatal(err)
	}
}

var administrator = regexp.MustCompile(`\[super_admin]\nusername = "admin"\npassword = ".*"\n`)

func startedAM(t *testing.T, home string) *AM {
	t.Helper()
	am, err := StartAM(t.Context(), Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { am.Close() })
	if err := am.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return am
}

func startedIS(t *testing.T, home string) *IS {
	t.Helper()
	is, err := StartIS(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { is.Close() })
	if err := is.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return is
}

func TestADatabaseKeepsTheAdministratorsPasswordThatItWasMadeWith(t *testing.T) {
	home := newHome(t, ProductAM)
	setAdministrator(t, home, "first", "")
	start := func() *AM { return startedAM(t, home) }
	path := "/api/am/publisher/v4/apis?limit=1"
	health := "/api/am/gateway/v2/server-startup-healthcheck"
	am := start()
	send(t, "GET", am.URL()+path, basic("admin", "first"), nil).want(t, 200)
	send(t, "GET", am.URL()+health, anonymous, nil).want(t, 200)
	if err := am.Close(); err != nil {
		t.Fatal(err)
	}
	setAdministrator(t, home, "second", "")
	am = start()
	send(t, "GET", am.URL()+path, basic("admin", "second"), nil).want(t, 401)
	send(t, "GET", am.URL()+path, basic("admin", "first"), nil).want(t, 200)
	send(t, "GET", am.URL()+health, anonymous, nil).want(t, 500) // its calls to itself have the password of the settings
	if err := am.Close(); err != nil {
		t.Fatal(err)
	}
	setAdministrator(t, home, "first", "")
	send(t, "GET", start().URL()+health, anonymous, nil).want(t, 200)
}

func TestIdentityServersDatabaseKeepsItToo(t *testing.T) {
	home := newHome(t, ProductIS)
	setAdministrator(t, home, "First-1234", "")
	start := func() *IS { return startedIS(t, home) }
	is := start()
	send(t, "GET", is.URL()+usersPath, basic("admin", "First-1234"), nil).want(t, 200)
	if err := is.Close(); err != nil {
		t.Fatal(err)
	}
	setAdministrator(t, home, "Second-1234", "")
	is = start()
	send(t, "GET", is.URL()+usersPath, basic("admin", "Second-1234"), nil).want(t, 401)
	send(t, "GET", is.URL()+usersPath, basic("admin", "First-1234"), nil).want(t, 200)
}

func TestValuesAreReadOutOfTheXMLThatIsMadeWithThem(t *testing.T) {
	for written, want := range map[string]string{
		"a&amp;b": "a&b", "&#36;{x}": "${x}", "&#92;&#123;": `\{`, "<![CDATA[a&<b]]>": "a&<b", "plain": "plain",
	} {
		s, err := readSettingsOf(t, "[super_admin]\npassword = \""+written+"\"\n")
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if _, got := s.credentials(); got != want {
			t.Errorf("%s is read as %q, want %q", written, got, want)
		}
	}
}

func TestTheMessageBrokerReadsThePasswordFromAnAddress(t *testing.T) {
	for name, c := range map[string]struct {
		more string
		want int
	}{
		"as it stands for XML": {"", 500},
		"in its own form":      {"\n[apim.throttling.jms]\nusername = \"admin\"\npassword = \"a%26b\"\n", 200},
	} {
		home := newHome(t, ProductAM)
		setAdministrator(t, home, "a&amp;b", c.more)
		am := startedAM(t, home)
		send(t, "GET", am.URL()+"/api/am/publisher/v4/apis?limit=1", basic("admin", "a&b"), nil).want(t, 200)
		if got := send(t, "GET", am.URL()+"/api/am/gateway/v2/server-startup-healthcheck", anonymous, nil).status; got != c.want {
			t.Errorf("%s: the gateway's health is %d, want %d", name, got, c.want)
		}
	}
}
