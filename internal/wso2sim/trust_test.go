package wso2sim

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeysOfISNeedTrustThatTheRunningServerHasRead(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	km := p.keyManager("IS")
	p.generate(p.application("no exchange"), km).wantCode(t, 500, 900967)
	if !strings.Contains(p.amLog.String(), "PKIX path building failed") {
		t.Errorf("the log does not say why:\n%s", p.amLog)
	}

	p.exchange() // on disk, and nobody has read it
	p.generate(p.application("no restart"), km).wantCode(t, 500, 900967)

	p.startIS()
	p.startAM()
	keys := p.generate(p.application("both"), km).want(t, 200)
	if keys.str("token", "accessToken") == "" {
		t.Errorf("no first token in %s", keys.text)
	}
}

func TestTheGatewayTakesAKeyManagersTokenOnlyIfItCanFetchItsKeys(t *testing.T) {
	p := working(t)
	id := p.api("Payment API", "/payment")
	p.deploy(id)
	p.publish(id)
	app := p.application("App")
	p.subscribe(app, id)
	keys := p.generate(app, p.keyManager("IS")).want(t, 200)
	good := token(t, p.is.URL(), keys)

	t.Run("a token of IS gets through, and the backend's answer has the caller's nonce", func(t *testing.T) {
		got := p.invoke("/payment/1.0.0/hello?nonce=n-123", bearer(good)).want(t, 200)
		if got.str("nonce") != "n-123" || got.str("path") != "/hello" {
			t.Errorf("got %s", got.text)
		}
	})
	t.Run("without trust in IS the keys cannot be fetched and the call fails with 900900", func(t *testing.T) {
		p.am.mu.Lock()
		p.am.keySets = map[string]jwks{}
		trusted := p.am.connector.client
		p.am.connector.client = (&server{identity: identity{trust: newTruststore(nil)}}).caller(allowAll)
		p.am.mu.Unlock()
		defer func() { p.am.connector.client = trusted }()
		if got := p.invoke("/payment/1.0.0/hello", bearer(good)).want(t, 500); got.str("code") != "900900" {
			t.Errorf("got %s", got.text)
		}
	})
}

func TestTruststoreDecidesAsJavaDoes(t *testing.T) {
	p := newPair(t)
	p.startIS()
	expired := p.is.tls
	if expired.Leaf.NotAfter.After(p.is.started) {
		t.Fatal("the certificate of a fresh IS must have expired, as the real one has")
	}
	t.Run("an expired leaf that stands in the truststore itself is trusted", func(t *testing.T) {
		if !p.is.trust.trusts(expired) {
			t.Error("refused")
		}
	})
	t.Run("a leaf that stands in no truststore is refused", func(t *testing.T) {
		other := newPair(t)
		if err := other.unpackAnew(ProductAM); err != nil {
			t.Fatal(err)
		}
		other.startAM()
		if p.is.trust.trusts(other.am.tls) {
			t.Error("trusted")
		}
	})
}

func TestISSpeaksNothingAboveTLS12(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	for at, want := range map[string]uint16{p.is.URL(): tls.VersionTLS12, p.am.URL(): tls.VersionTLS13} {
		host := strings.TrimPrefix(at, "https://")
		conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().Version; got != want {
			t.Errorf("%s negotiated %x, want %x", at, got, want)
		}
		conn.Close()
	}
}

// callable is an application with a token of IS that the gateway takes.
func (p *pair) callable() (keys reply, tok string) {
	p.t.Helper()
	id := p.api("A", "/a")
	p.deploy(id)
	p.publish(id)
	app := p.application("App")
	p.subscribe(app, id)
	keys = p.generate(app, p.keyManager("IS")).want(p.t, 200)
	tok = token(p.t, p.is.URL(), keys)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(p.t, 200)
	return keys, tok
}

// revoke has IS revoke a token, which succeeds whether or not anybody is told.
func (p *pair) revoke(keys reply, tok string) {
	p.t.Helper()
	send(p.t, "POST", p.is.URL()+"/oauth2/revoke", basic(keys.str("consumerKey"), keys.str("consumerSecret")),
		url.Values{"token": {tok}}).want(p.t, 200)
}

// notRefused revokes a token and waits for a line in the log of IS, after which the gateway still takes the token.
func (p *pair) notRefused(inLog string) {
	p.t.Helper()
	keys, tok := p.callable()
	p.revoke(keys, tok)
	eventually(p.t, "the log of IS says "+inLog, func() bool { return strings.Contains(p.isLog.String(), inLog) })
	p.invoke("/a/1.0.0/x", bearer(tok)).want(p.t, 200)
}

func TestRevocationAtISReachesTheGateway(t *testing.T) {
	t.Run("with all of them the token is refused with 900901", func(t *testing.T) {
		p := working(t)
		keys, tok := p.callable()
		p.revoke(keys, tok)
		eventually(t, "the token is refused", func() bool {
			got := p.invoke("/a/1.0.0/x", bearer(tok))
			return got.status == 401 && got.str("code") == "900901"
		})
	})
	t.Run("a new token revokes the one before it", func(t *testing.T) {
		p := working(t)
		keys, first := p.callable()
		second := token(t, p.is.URL(), keys)
		eventually(t, "the first token is refused", func() bool { return p.invoke("/a/1.0.0/x", bearer(first)).status == 401 })
		p.invoke("/a/1.0.0/x", bearer(second)).want(t, 200)
	})
	t.Run("another header value is answered with 200 and does nothing", func(t *testing.T) {
		p := working(t)
		_, tok := p.callable()
		parsed, err := parseJWT(tok)
		if err != nil {
			t.Fatal(err)
		}
		notify := func(header string, who auth) reply {
			return send(t, "POST", p.am.URL()+"/internal/data/v1/notify", func(r *http.Request) {
				who(r)
				r.Header.Set("X-WSO2-KEY-MANAGER", header)
			}, object{"accessToken": parsed.claims.ID, "type": "token_revocation"})
		}
		notify("WSO2-IS-7", admin).want(t, 200)
		notify("WSO2-IS", basic("admin", "nope")).want(t, 401)
		p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
		notify("WSO2-IS", admin).want(t, 200)
		p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 401)
	})
}

func TestRevocationAtISDoesNotReachTheGateway(t *testing.T) {
	t.Run("without the listener nobody is told", func(t *testing.T) {
		p := newPair(t)
		p.exchange()
		p.startAM()
		p.startIS()
		if p.is.notices != nil {
			t.Error("IS has a listener without configuration")
		}
		keys, tok := p.callable()
		p.revoke(keys, tok)
		p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	})
	t.Run("without trust in API Manager the notice fails in the log alone", func(t *testing.T) {
		p := newPair(t)
		isStores, amStores := filepath.Join(p.isHome, securityDir), filepath.Join(p.amHome, securityDir)
		importLeaf(t, filepath.Join(isStores, "wso2carbon.p12"), filepath.Join(amStores, "client-truststore.jks"), "wso2is")
		p.startAM()
		p.listener("WSO2-IS")
		p.startIS()
		p.notRefused("PKIX path building failed")
	})
	t.Run("under a name that the certificate lacks the strict verifier refuses", func(t *testing.T) {
		p := newPair(t)
		p.exchange()
		p.startAM()
		p.am.hostname = "127.0.0.1" // what the listener will call; the certificate is for localhost
		p.listener("WSO2-IS")
		p.am.hostname = "localhost"
		p.startIS()
		p.notRefused("subject alternative names: [localhost]")
	})
}

func TestAServerThatDoesNotTrustItselfGetsNoAPIs(t *testing.T) {
	p := newPair(t)
	path := filepath.Join(p.amHome, securityDir, "client-truststore.jks")
	store := open(t, path)
	for _, alias := range []string{defaultAlias, gatewayAlias} {
		if err := store.Delete(alias); err != nil {
			t.Fatal(err)
		}
	}
	data, err := store.Encode()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.startAM()
	send(t, "GET", p.am.URL()+"/api/am/gateway/v2/server-startup-healthcheck", anonymous, nil).want(t, 500)
	id := p.api("A", "/a")
	p.deploy(id)
	p.invoke("/a/1.0.0/x", anonymous).want(t, 404)
}
