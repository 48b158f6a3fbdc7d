package wso2sim

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const notLoaded = "the certificate was not loaded again"

func TestTomcatLoadsItsCertificateAgain(t *testing.T) {
	for _, product := range []string{ProductIS, ProductAM} {
		t.Run(product, func(t *testing.T) {
			p := newPair(t)
			store := p.tlsStore(p.home(product))
			addListener(t, p.home(product), reloadLine)
			at := p.start(product)
			old := mustShow(t, at)

			established := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			ask := func(client *http.Client) *tls.ConnectionState {
				resp, err := client.Get(at + "/services/Version")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				return resp.TLS
			}
			resuming := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
				InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			}}}
			ask(established)
			ask(resuming)
			if !ask(resuming).DidResume {
				t.Fatal("the client does not resume its session, so it shows nothing")
			}

			next := makeStore(t, defaultAlias, defaultPassword)
			place(t, store, next.store)
			eventuallyShows(t, at, next.leaf)
			if !ask(established).PeerCertificates[0].Equal(old) {
				t.Error("the connection from before was not kept")
			}
			p.logs(product, certificateLogger) // the sessions end with a reload, and the first connection may be in the middle of one
			if state := ask(resuming); state.DidResume || !state.PeerCertificates[0].Equal(next.leaf) {
				t.Errorf("a session from before goes on, with %s", state.PeerCertificates[0].SerialNumber)
			}

			// Whether the file has changed does not matter: it is loaded again and again.
			p.logs(product, certificateLogger)
		})
	}
}

func TestTomcatLoadsNothingAgainUnlessItsTemplateSaysSo(t *testing.T) {
	for _, tc := range []struct{ name, line string }{
		{"no listener", ""},
		{"a certificate that ends later than daysBefore", `<Listener className="` + reloadListenerClass + `" checkPeriod="1" daysBefore="200"/>`},
		{"a listener of another class", `<Listener className="org.apache.catalina.core.JreMemoryLeakPreventionListener" checkPeriod="1"/>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			store := p.tlsStore(p.isHome)
			if tc.line != "" {
				addListener(t, p.isHome, tc.line)
			}
			at := p.start(ProductIS)
			old := mustShow(t, at)
			addListener(t, p.isHome, reloadLine) // after the start: nobody reads it
			place(t, store, makeStore(t, defaultAlias, defaultPassword).store)
			time.Sleep(10 * p.is.period(tomcatStep))
			if !mustShow(t, at).Equal(old) {
				t.Error("another certificate is presented")
			}
		})
	}
}

// watched is a server without ports whose reloads a test counts, in the time of synctest.
func watched(t *testing.T, product string, log io.Writer, l ...reloadListener) (*server, *secured) {
	t.Helper()
	home := newHome(t, product)
	var err error
	s := &server{home: home, reloadListeners: l, reloadScale: 1, log: slog.New(slog.NewTextHandler(log, nil)), faults: NewFaults()}
	if s.settings, err = readSettings(home); err == nil {
		s.identity, err = readIdentity(home, s.settings, recordedBehaviour(product))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.ctx, s.cancel = context.WithCancelCause(t.Context())
	return s, s.secure(tls.VersionTLS12)
}

func TestReloadsAreCountedAsTomcatDoes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		period time.Duration
		want   string // the seconds since the start of the reloads of two minutes
	}{
		{"a second is rounded up to Tomcat's ten", time.Second, "10 20 30 40 50 60 70 80 90 100 110 120"},
		{"twenty-five seconds", 25 * time.Second, "10 30 60 80 110"},
		{"a minute", time.Minute, "10 70"},
		{"the default of a day", 24 * time.Hour, "10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log logBuffer
			synctest.Test(t, func(t *testing.T) {
				s, c := watched(t, ProductIS, &log, reloadListener{tc.period, 36500})
				began := time.Now()
				s.reloadAsTomcat(c)
				var got []string
				for time.Since(began) < 2*time.Minute {
					before := log.String()
					time.Sleep(time.Second)
					synctest.Wait()
					if strings.Contains(strings.TrimPrefix(log.String(), before), certificateLogger) {
						got = append(got, fmt.Sprint(int(time.Since(began).Seconds())))
					}
				}
				s.cancel(nil)
				s.work.Wait()
				if text := strings.Join(got, " "); text != tc.want {
					t.Errorf("reloads after %s seconds, want %s", text, tc.want)
				}
			})
		})
	}
}

func TestABadStoreLeavesTheCertificateThatIsPresented(t *testing.T) {
	good := makeStore(t, defaultAlias, defaultPassword)
	for _, tc := range []struct {
		name string
		data []byte // nil: the file is gone
	}{
		{"half-written", good.store[:len(good.store)/2]},
		{"empty", []byte{}},
		{"missing", nil},
		{"a wrong password", makeStore(t, defaultAlias, "another").store},
		{"a wrong alias", makeStore(t, "another", defaultPassword).store},
	} {
		for _, product := range []string{ProductIS, ProductAM} {
			t.Run(product+", "+tc.name, func(t *testing.T) {
				p := newPair(t)
				store := p.tlsStore(p.home(product))
				addListener(t, p.home(product), reloadLine)
				at := p.start(product)
				old := mustShow(t, at)
				if tc.data == nil {
					if err := os.Remove(store); err != nil {
						t.Fatal(err)
					}
				} else {
					place(t, store, tc.data)
				}
				p.logs(product, notLoaded)
				if !mustShow(t, at).Equal(old) {
					t.Error("another certificate is presented")
				}
				place(t, store, good.store)
				eventuallyShows(t, at, good.leaf)
			})
		}
	}
}

func TestATruststoreThatCannotBeReadLeavesTheCertificate(t *testing.T) {
	p := newPair(t)
	store := p.tlsStore(p.isHome)
	addListener(t, p.isHome, reloadLine)
	at := p.start(ProductIS)
	old := mustShow(t, at)
	place(t, filepath.Join(p.isHome, securityDir, "client-truststore.p12"), []byte("half"))
	place(t, store, makeStore(t, defaultAlias, defaultPassword).store)
	p.logs(ProductIS, notLoaded)
	p.logs(ProductIS, notLoaded)
	if !mustShow(t, at).Equal(old) {
		t.Error("another certificate is presented")
	}
}

func TestAKeyThatDoesNotFitItsCertificateIsLoadedAndEveryHandshakeFails(t *testing.T) {
	unfit, good := makeUnfit(t), makeStore(t, defaultAlias, defaultPassword)
	for _, product := range []string{ProductIS, ProductAM} {
		t.Run(product, func(t *testing.T) {
			p := newPair(t)
			store := p.tlsStore(p.home(product))
			addListener(t, p.home(product), reloadLine)
			ports := []string{p.start(product)}
			if product == ProductAM {
				ports = append(ports, p.am.GatewayURL())
				for _, at := range ports {
					mustShow(t, at)
				}
			}
			place(t, store, unfit.store)
			if product == ProductAM {
				touch(t, p.amHome)
			}
			for _, at := range ports {
				eventually(t, at+" refuses handshakes", func() bool {
					_, err := shownBy(at)
					return err != nil
				})
				for range 5 {
					if shown, err := shownBy(at); err == nil {
						t.Errorf("%s still makes a connection, with %s", at, shown.SerialNumber)
					}
				}
			}
			place(t, store, good.store)
			if product == ProductAM {
				touch(t, p.amHome)
			}
			for _, at := range ports {
				eventuallyShows(t, at, good.leaf)
			}
		})
	}
}

func TestReloadsOfTomcatAreLoggedUnlessItsLoggersAreSetToError(t *testing.T) {
	loggers := "\nlogger.agent-a.name = " + certificateLogger + "\nlogger.agent-a.level = ERROR\n" +
		"logger.agent-b.name = " + trustLogger + "\nlogger.agent-b.level = ERROR\n"
	for _, tc := range []struct {
		name        string
		file        func(string) string
		info, warns bool
	}{
		{"the file of the product", func(s string) string { return s }, true, true},
		{"two loggers that the list does not name", func(s string) string { return s + loggers }, true, true},
		{"two loggers in the list", func(s string) string {
			return strings.Replace(s, "loggers = ", "loggers = agent-a, agent-b, ", 1) + loggers
		}, false, false},
		{"one of them in the list", func(s string) string { return strings.Replace(s, "loggers = ", "loggers = agent-a, ", 1) + loggers }, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			store := p.tlsStore(p.isHome)
			addListener(t, p.isHome, reloadLine)
			path := filepath.Join(p.isHome, loggingFile)
			place(t, path, []byte(tc.file(string(readFile(t, path)))))
			at := p.start(ProductIS)
			next := makeStore(t, defaultAlias, defaultPassword)
			place(t, store, next.store)
			eventuallyShows(t, at, next.leaf)
			p.is.Close()
			log := p.isLog.String()
			info, warns := strings.Count(log, "level=INFO msg=\"the certificate was loaded"), strings.Count(log, "level=WARN msg=\"a trusted certificate is not valid\"")
			if (info > 0) != tc.info || (warns > 0) != tc.warns {
				t.Errorf("%d lines of a reload and %d of an expired certificate:\n%s", info, warns, log)
			}
			// The truststore of a fresh IS has one certificate that has expired: its own.
			if tc.info && tc.warns && info != warns {
				t.Errorf("%d reloads and %d warnings", info, warns)
			}
		})
	}
}

func TestTrustStaysAsItWasReadAtTheStart(t *testing.T) {
	p := newPair(t)
	isStore, amStore := p.tlsStore(p.isHome), p.tlsStore(p.amHome)
	addListener(t, p.isHome, reloadLine)
	addListener(t, p.amHome, reloadLine)
	isTrust, amTrust := filepath.Join(p.isHome, securityDir, "client-truststore.p12"), filepath.Join(p.amHome, securityDir, "client-truststore.jks")
	announced := map[string]made{ProductIS: makeStore(t, defaultAlias, defaultPassword), ProductAM: makeStore(t, defaultAlias, defaultPassword)}
	surprise := map[string]made{ProductIS: makeStore(t, defaultAlias, defaultPassword), ProductAM: makeStore(t, defaultAlias, defaultPassword)}
	importCert(t, isTrust, "wso2am-next", announced[ProductAM].leaf)
	importCert(t, amTrust, "wso2is-next", announced[ProductIS].leaf)
	p.start(ProductAM)
	p.start(ProductIS)

	calls := func(to string, from *server, leaf made) error {
		t.Helper()
		place(t, map[string]string{ProductIS: isStore, ProductAM: amStore}[to], leaf.store)
		at := map[string]string{ProductIS: p.is.URL(), ProductAM: p.am.URL()}[to]
		eventuallyShows(t, at, leaf.leaf)
		resp, err := from.caller(allowAll).Get(at + "/services/Version")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for to, from := range map[string]*server{ProductIS: p.am.server, ProductAM: p.is.server} {
		if err := calls(to, from, announced[to]); err != nil {
			t.Errorf("a certificate that was trusted before the start, at %s: %v", to, err)
		}
		trust := map[string]string{ProductIS: amTrust, ProductAM: isTrust}[to]
		importCert(t, trust, "late", surprise[to].leaf)
		p.logs(from.product, certificateLogger) // it has read that truststore since, for its own port
		p.logs(from.product, certificateLogger)
		if err := calls(to, from, surprise[to]); err == nil || !strings.Contains(err.Error(), errPKIX.Error()) {
			t.Errorf("a certificate that came into the truststore after the start, at %s: %v", to, err)
		}
	}
}

func TestAServerThatDoesNotTrustItsNewCertificateGetsNoMoreDeployments(t *testing.T) {
	p := newPair(t)
	store := p.tlsStore(p.amHome)
	addListener(t, p.amHome, reloadLine)
	trust := filepath.Join(p.amHome, securityDir, "client-truststore.jks")
	importLeaf(t, store, trust, "wso2am")
	announced, surprise := makeStore(t, defaultAlias, defaultPassword), makeStore(t, defaultAlias, defaultPassword)
	importCert(t, trust, "wso2am-next", announced.leaf)
	p.start(ProductAM)
	deployed := func(name, context string) {
		id := p.api(name, context)
		p.deploy(id)
		p.publish(id)
	}
	deployed("Before", "/before")
	p.invoke("/before/1.0.0/x", anonymous).want(t, 401)

	place(t, store, announced.store)
	eventuallyShows(t, p.am.URL(), announced.leaf)
	deployed("Trusted", "/trusted")
	p.invoke("/trusted/1.0.0/x", anonymous).want(t, 401)

	place(t, store, surprise.store)
	eventuallyShows(t, p.am.URL(), surprise.leaf)
	importCert(t, trust, "wso2am-late", surprise.leaf)
	deployed("Missed", "/missed")
	p.invoke("/missed/1.0.0/x", anonymous).want(t, 404)
	p.invoke("/before/1.0.0/x", anonymous).want(t, 401)
	send(t, "GET", p.am.URL()+"/api/am/gateway/v2/server-startup-healthcheck", anonymous, nil).want(t, 200)

	p.startAM()
	p.invoke("/missed/1.0.0/x", anonymous).want(t, 401)
}
