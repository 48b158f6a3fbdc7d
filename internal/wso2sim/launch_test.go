package wso2sim

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launch starts a server under its start script, in a home of its own.
func launch(t *testing.T, product string, change func(home string, o *Options)) *Instance {
	t.Helper()
	o := Options{Home: newHome(t, product), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
	if change != nil {
		change(o.Home, &o)
	}
	i, err := Launch(t.Context(), product, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	if err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i
}

// allowRestart switches ServerAdmin on.
func allowRestart(t *testing.T, home string) {
	t.Helper()
	if err := replaceIn(filepath.Join(home, settingsFile), "[server]\n", "[server]\nenable_restart_from_api = true\n"); err != nil {
		t.Fatal(err)
	}
}

// tell calls an operation of ServerAdmin.
func tell(t *testing.T, at, operation string) reply {
	t.Helper()
	return send(t, "POST", at+"/services/ServerAdmin", func(r *http.Request) {
		admin(r)
		r.Header.Set("Content-Type", "text/xml")
	}, `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a:`+operation+` xmlns:a="http://org.apache.axis2/xsd"/></e:Body></e:Envelope>`)
}

func starts(t *testing.T, i *Instance) int {
	t.Helper()
	return strings.Count(string(readFile(t, filepath.Join(i.options.Home, "start.log"))), "\n")
}

func TestServerAdminRestartsInPlace(t *testing.T) {
	for product, path := range map[string]string{ProductIS: "/oauth2/jwks", ProductAM: "/services/Version"} {
		t.Run(product, func(t *testing.T) {
			volume := t.TempDir()
			i := launch(t, product, func(home string, o *Options) {
				allowRestart(t, home)
				if err := writeNew(filepath.Join(volume, "from-volume"), []byte("first")); err != nil {
					t.Fatal(err)
				}
				o.ConfigVolume, o.Plain = volume, "127.0.0.1:0"
				o.Delays = Delays{ISRestart: Span{time.Second, 0}, AMRestart: Span{time.Second, 0}}
			})
			if err := os.WriteFile(filepath.Join(volume, "from-volume"), []byte("second"), 0o600); err != nil {
				t.Fatal(err)
			}
			before, at, plain := i.Server(), i.URL(), i.Server().PlainURL()
			got := tell(t, at, "restartGracefully").want(t, 200)
			if !strings.Contains(got.text, "return>true<") {
				t.Errorf("the answer is %s", got.text)
			}
			send(t, "GET", at+path, anonymous, nil).want(t, 200) // it serves for a while yet
			if i.Server() != before {
				t.Error("it restarted at once")
			}
			eventually(t, "another server runs", func() bool { return i.Server() != before })
			if err := i.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i.URL() != at || i.Server().PlainURL() != plain {
				t.Errorf("it is at %s and %s now, and was at %s and %s", i.URL(), i.Server().PlainURL(), at, plain)
			}
			send(t, "GET", plain+path, anonymous, nil).want(t, 200)
			send(t, "GET", at+path, anonymous, nil).want(t, 200)
			if n := starts(t, i); n != 2 {
				t.Errorf("the start log has %d lines", n)
			}
			if text := string(readFile(t, filepath.Join(i.options.Home, "from-volume"))); text != "first" {
				t.Errorf("the volume was copied again: %s", text)
			}
		})
	}
}

func TestServerAdminShutsDownForGood(t *testing.T) {
	i := launch(t, ProductIS, func(home string, _ *Options) { allowRestart(t, home) })
	tell(t, i.URL(), "nonsense").want(t, 500)
	tell(t, i.URL(), "shutdownGracefully").want(t, 200)
	select {
	case <-i.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	if code, err := i.ExitCode(); code != ExitShutdown || err != nil {
		t.Errorf("ended with %d, %v", code, err)
	}
	if n := starts(t, i); n != 1 {
		t.Errorf("the start log has %d lines", n)
	}
}

func TestAServerEndsWith121WithoutAStartScript(t *testing.T) {
	home := newHome(t, ProductIS)
	allowRestart(t, home)
	is, err := StartIS(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer is.Close()
	tell(t, is.URL(), "restart").want(t, 200)
	if code := <-is.Exit(); code != 121 {
		t.Errorf("exit code %d", code)
	}
	if _, err := insecure().Get(is.URL()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("its port answers with %v", err)
	}
}

func TestARestartInPlaceThatFindsABrokenFileEndsTheScript(t *testing.T) {
	i := launch(t, ProductIS, func(home string, _ *Options) { allowRestart(t, home) })
	if err := os.Truncate(filepath.Join(i.options.Home, securityDir, "wso2carbon.p12"), 100); err != nil {
		t.Fatal(err)
	}
	tell(t, i.URL(), "restart").want(t, 200)
	<-i.Ended()
	if code, err := i.ExitCode(); code == 0 || err == nil || !strings.Contains(err.Error(), "wso2carbon.p12") {
		t.Errorf("ended with %d, %v", code, err)
	}
}

func TestRevocationNeedsTheHandlersLibrary(t *testing.T) {
	for name, tc := range map[string]struct {
		put   func(home string) error
		sends bool
		say   string
	}{
		"with it":    {WriteRevocationHandler, true, ""},
		"without it": {func(string) error { return nil }, false, "ClassNotFoundException"},
		"with a saved error page": {func(home string) error {
			return writeNew(filepath.Join(home, dropinsDir, handlerJar+"-2.0.5.jar"), []byte("<html>404</html>"))
		}, false, "is no jar"},
		"under another name": {func(home string) error {
			if err := WriteRevocationHandler(home); err != nil {
				return err
			}
			return os.Rename(filepath.Join(home, dropinsDir, handlerJar+"-2.0.5.jar"), filepath.Join(home, dropinsDir, "notification.jar"))
		}, false, "ClassNotFoundException"},
		"with another library of that name": {func(home string) error {
			var jar bytes.Buffer
			jar.WriteString("PK\x05\x06" + strings.Repeat("\x00", 18)) // an empty one
			return writeNew(filepath.Join(home, dropinsDir, handlerJar+".jar"), jar.Bytes())
		}, false, "it is not in"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.startAM()
			p.listener("WSO2-IS")
			if err := os.RemoveAll(filepath.Join(p.isHome, dropinsDir)); err != nil {
				t.Fatal(err)
			}
			if err := tc.put(p.isHome); err != nil {
				t.Fatal(err)
			}
			p.startIS()
			if (p.is.notices != nil) != tc.sends || !strings.Contains(p.isLog.String(), tc.say) {
				t.Errorf("it sends: %v; the log says %s", p.is.notices != nil, p.isLog)
			}
		})
	}
}

func TestRevocationNeedsCredentialsThatAPIManagerAccepts(t *testing.T) {
	p := newPair(t)
	p.exchange()
	p.startAM()
	p.listener("WSO2-IS")
	if err := replaceIn(filepath.Join(p.isHome, settingsFile), `password = "${admin.password}"`, `password = "other"`); err != nil {
		t.Fatal(err)
	}
	p.startIS()
	p.notRefused("401")
}

func TestTheProfileIsClosedToTokensWithoutARule(t *testing.T) {
	const rule = "\n[[resource.access_control]]\ncontext = \"(.*)/scim2/Me\"\nsecure = true\nhttp_method = \"GET\"\ncross_tenant = true\npermissions = []\nscopes = []\n"
	const strict = "\n[[resource.access_control]]\ncontext = \"(.*)/scim2/Me\"\nsecure = true\nhttp_method = \"GET\"\nscopes = [\"internal_login\"]\n"
	for name, tc := range map[string]struct {
		settings string
		status   int
	}{
		"no rule": {"", 403}, "a rule that asks for nothing": {rule, 200}, "the first one counts": {strict + rule, 403},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.appendSettings(p.isHome, tc.settings)
			p.startIS()
			tok := p.grant(p.client("c", "JWT"), map[string][]string{"grant_type": {"client_credentials"}}).want(t, 200).str("access_token")
			send(t, "GET", p.is.URL()+"/scim2/Me", bearer(tok), nil).want(t, tc.status)
		})
	}
}

func TestRolesWithTheSystemsPrefixNeedASetting(t *testing.T) {
	for settings, status := range map[string]int{"": 400, "\n[role_mgt]\nallow_system_prefix_for_role = true\n": 201} {
		p := newPair(t)
		p.appendSettings(p.isHome, settings)
		p.startIS()
		send(t, "POST", p.is.URL()+rolesPath, admin, object{"schemas": []string{}, "displayName": "system_x"}).want(t, status)
	}
}

func TestTheConfiguredAdminIsTheOneWhoGetsIn(t *testing.T) {
	p := newPair(t)
	if err := replaceIn(filepath.Join(p.amHome, settingsFile), `password = "admin"`, `password = "other"`); err != nil {
		t.Fatal(err)
	}
	p.startAM()
	send(t, "GET", p.admin("/key-managers"), admin, nil).want(t, 401)
	send(t, "GET", p.admin("/key-managers"), basic("admin", "other"), nil).want(t, 200)
}
