package wso2sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	gatewayFailed = "Error reloading dynamic SSL configurations for Listeners"
	gatewayLoaded = "the gateway has loaded its certificate again"
)

// gatewaySettings has the gateway look once a minute, without or with the store that it can fall back on.
const (
	gatewaySettings = "\n[transport.passthru_https.listener]\nssl_profile_interval = \"60000\"\n"
	fallback        = `
[transport.passthru_https.listener.key_store]
location = "repository/resources/security/wso2carbon.jks"
type = "JKS"
password = "wso2carbon"
key_password = "wso2carbon"
`
)

// gateway starts API Manager with a store for TLS alone and more settings, and returns that store's path.
func (p *pair) gateway(more string) (store string) {
	p.t.Helper()
	store = p.tlsStore(p.amHome)
	p.appendSettings(p.amHome, more)
	p.start(ProductAM)
	return store
}

// failsToReload waits for the first failure.
func (p *pair) failsToReload() {
	p.t.Helper()
	eventually(p.t, "a reload of the gateway fails", func() bool { return strings.Contains(p.amLog.String(), gatewayFailed) })
}

func TestTheGatewayLoadsItsCertificateWhenItsProfilesBecomeYounger(t *testing.T) {
	p := newPair(t)
	store := p.gateway(gatewaySettings)
	at := p.am.GatewayURL()
	old := mustShow(t, at)
	next := makeStore(t, defaultAlias, defaultPassword)
	place(t, store, next.store)
	stays := func(why string) {
		t.Helper()
		time.Sleep(3 * p.am.period(profilesMinInterval))
		if !mustShow(t, at).Equal(old) {
			t.Errorf("another certificate is presented, %s", why)
		}
	}
	stays("though the store alone has changed")
	profiles := filepath.Join(p.amHome, profilesFile)
	if err := os.Chtimes(profiles, time.Now(), p.am.started.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	stays("though its profiles have become older")
	touch(t, p.amHome)
	eventuallyShows(t, at, next.leaf)
	if !mustShow(t, p.am.URL()).Equal(old) {
		t.Error("the management port, whose template has no listener, has another certificate too")
	}
}

func TestTheGatewayLooksAtItsProfilesEverySoOften(t *testing.T) {
	for _, tc := range []struct {
		name, setting string
		want          time.Duration
	}{
		{"ten minutes without the setting", "", 10 * time.Minute},
		{"a minute", `ssl_profile_interval = "60000"`, time.Minute},
		{"a number without quotes", `ssl_profile_interval = 90000`, 90 * time.Second},
		{"less than a minute is a minute", `ssl_profile_interval = "1000"`, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				s, c := watched(t, ProductAM, &log)
				am := &AM{server: s}
				tree, err := decodeTOML("[" + listenerTable + "]\n" + tc.setting)
				if err == nil {
					am.profilesInterval, err = readProfilesInterval(settings{tree: tree})
				}
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(am.home, profilesFile)
				began := time.Now()
				touched := func(at time.Time) {
					if err := os.Chtimes(path, at, at); err != nil {
						t.Fatal(err)
					}
				}
				touched(began.Add(-time.Hour))
				am.pollProfiles(c)
				synctest.Wait()
				touched(began.Add(time.Second))
				time.Sleep(tc.want - time.Second)
				synctest.Wait()
				if strings.Contains(log.String(), gatewayLoaded) {
					t.Error("loaded too early")
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if !strings.Contains(log.String(), gatewayLoaded) {
					t.Errorf("not loaded in time:\n%s", log.String())
				}
				am.cancel(nil)
				am.work.Wait()
			})
		})
	}
	t.Run("no number ends the start", func(t *testing.T) {
		p := newPair(t)
		p.appendSettings(p.amHome, "\n["+listenerTable+"]\nssl_profile_interval = \"60s\"\n")
		_, err := StartAM(t.Context(), Options{Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
		if err == nil || !strings.Contains(err.Error(), "NumberFormatException") {
			t.Errorf("the start says %v", err)
		}
	})
}

func TestABadStoreLeavesTheGatewaysCertificate(t *testing.T) {
	good := makeStore(t, "any alias", defaultPassword)
	for name, bad := range map[string][]byte{
		"half-written": good.store[:len(good.store)/2], "empty": {}, "missing": nil,
		"a wrong password": makeStore(t, defaultAlias, "another").store,
	} {
		for _, tc := range []struct {
			name, more string
			recovers   bool
		}{
			{"without a store to fall back on no reload counts any more", "", false},
			{"with one the next good store is taken", fallback, true},
		} {
			t.Run(name+", "+tc.name, func(t *testing.T) {
				p := newPair(t)
				store := p.gateway(gatewaySettings + tc.more)
				at := p.am.GatewayURL()
				old := mustShow(t, at)
				if bad == nil {
					if err := os.Remove(store); err != nil {
						t.Fatal(err)
					}
				} else {
					place(t, store, bad)
				}
				touch(t, p.amHome)
				p.failsToReload()
				if !mustShow(t, at).Equal(old) {
					t.Error("another certificate is presented")
				}
				place(t, store, good.store)
				touch(t, p.amHome)
				if tc.recovers {
					eventuallyShows(t, at, good.leaf)
					return
				}
				before := p.amLog.String()
				time.Sleep(3 * p.am.period(profilesMinInterval))
				touch(t, p.amHome)
				time.Sleep(3 * p.am.period(profilesMinInterval))
				if !mustShow(t, at).Equal(old) || strings.Contains(strings.TrimPrefix(p.amLog.String(), before), "SSL") {
					t.Errorf("it was loaded again, or says so:\n%s", p.amLog.String())
				}
				// The management port names its key, so the store for the restart has that alias.
				final := makeStore(t, defaultAlias, defaultPassword)
				place(t, store, final.store)
				p.startAM()
				if !mustShow(t, p.am.GatewayURL()).Equal(final.leaf) {
					t.Error("a restart does not help")
				}
				again := makeStore(t, defaultAlias, defaultPassword)
				place(t, store, again.store)
				touch(t, p.amHome)
				eventuallyShows(t, p.am.GatewayURL(), again.leaf)
			})
		}
	}
}

func TestTheStoreToFallBackOnNeedsAllItsValues(t *testing.T) {
	for _, tc := range []struct {
		name, from, to string
		want           bool
	}{
		{"complete", "", "", true},
		{"no location", "location =", "place =", false},
		{"no type", "type =", "kind =", false},
		{"no password", "\npassword =", "\npasswort =", false},
		{"no password of the key", "key_password =", "key_passwort =", false},
		{"a wrong password of the key", `key_password = "wso2carbon"`, `key_password = "wrong"`, false},
		{"a file that is not there", "wso2carbon.jks", "other.jks", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := watched(t, ProductAM, os.Stderr)
			tree, err := decodeTOML(strings.Replace(fallback, tc.from, tc.to, 1))
			if err != nil {
				t.Fatal(err)
			}
			s.settings = settings{tree: tree}
			if got := (&AM{server: s}).fallsBack(); got != tc.want {
				t.Errorf("it falls back: %t", got)
			}
		})
	}
}

func TestEveryStartWritesTheProfilesOutOfTheConfiguration(t *testing.T) {
	p := newPair(t)
	path := filepath.Join(p.amHome, profilesFile)
	fresh := string(readFile(t, path))
	p.startAM()
	if got := string(readFile(t, path)); got != fresh {
		t.Errorf("the first start of a fresh home changes %s to\n%s", fresh, got)
	}
	p.tlsStore(p.amHome)
	place(t, path, []byte("what somebody has put there"))
	p.startAM()
	got := string(readFile(t, path))
	for _, want := range []string{"<Location>repository/resources/security/tls.p12</Location>", "<Type>PKCS12</Type>", "<KeyPassword>wso2carbon</KeyPassword>", "client-truststore.jks"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

func TestTheGatewayReadsTheStoresThatItsProfilesName(t *testing.T) {
	next := makeStore(t, defaultAlias, defaultPassword)
	for _, tc := range []struct {
		name, from, to, want string // want is a part of the error; empty: loaded
	}{
		{"another key store", "tls.p12", "other.p12", ""},
		{"a truststore that is not there", "client-truststore.jks", "none.jks", "none.jks"},
		{"no profile", "profile>", "profil>", "there is none"},
		{"no XML", "</parameter>", "", "unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			p.gateway(gatewaySettings)
			place(t, filepath.Join(p.amHome, securityDir, "other.p12"), next.store)
			path := filepath.Join(p.amHome, profilesFile)
			place(t, path, []byte(strings.ReplaceAll(string(readFile(t, path)), tc.from, tc.to)))
			touch(t, p.amHome)
			if tc.want == "" {
				eventuallyShows(t, p.am.GatewayURL(), next.leaf)
				return
			}
			p.failsToReload()
			if !strings.Contains(p.amLog.String(), tc.want) {
				t.Errorf("the log does not have %q:\n%s", tc.want, p.amLog.String())
			}
		})
	}
}

func TestTheGatewaysTablesAreTakenAsTheProductTakesThem(t *testing.T) {
	for _, tc := range []struct{ name, more, want string }{
		{"the table, and its sub-table behind it", gatewaySettings + fallback, ""},
		{"the sub-table first", fallback + gatewaySettings, "StackOverflowError"},
		{"a password that breaks the XML", strings.Replace(fallback, `password = "wso2carbon"`, `password = "a&b c"`, 1), "not well-formed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			p.appendSettings(p.amHome, tc.more)
			am, err := StartAM(t.Context(), Options{Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
			if err == nil {
				am.Close()
			}
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("the start says %v, want %q", err, tc.want)
			}
		})
	}
}

func TestSomePortsKeepTheCertificateOfTheStart(t *testing.T) {
	p := newPair(t)
	store := p.tlsStore(p.amHome)
	p.appendSettings(p.amHome, gatewaySettings)
	addListener(t, p.amHome, reloadLine)
	i, err := Launch(t.Context(), ProductAM, Options{
		Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Events: "127.0.0.1:0", WebSocket: "127.0.0.1:0", ReloadScale: fast,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	p.wait(i)
	events, socket := i.Server().EventsURL(), i.Server().WebSocketURL()
	old := mustShow(t, events)
	if !mustShow(t, socket).Equal(old) {
		t.Error("the two ports begin with different certificates")
	}

	next := makeStore(t, defaultAlias, defaultPassword)
	place(t, store, next.store)
	if !mustShow(t, socket).Equal(next.leaf) {
		t.Error("the port for WebSockets does not read its certificate for each connection")
	}
	touch(t, p.amHome)
	eventuallyShows(t, i.URL(), next.leaf)
	eventuallyShows(t, i.GatewayURL(), next.leaf)
	if !mustShow(t, events).Equal(old) {
		t.Error("the port of events has another certificate than at the start")
	}
	place(t, store, next.store[:100])
	if shown, err := shownBy(socket); err == nil {
		t.Errorf("with half a store the port for WebSockets presents %s", shown.SerialNumber)
	}
	place(t, store, next.store)

	if err := i.Server().Close(); err != nil {
		t.Fatal(err)
	}
	again, err := i.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	p.wait(again)
	if again.EventsURL() != events || again.WebSocketURL() != socket {
		t.Error("the ports are others after a restart in place: " + fmt.Sprint(again.EventsURL(), again.WebSocketURL()))
	}
	eventuallyShows(t, events, next.leaf)
}
