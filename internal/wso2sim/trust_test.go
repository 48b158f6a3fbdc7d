package wso2sim

import (
	"crypto/tls"
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
	keys := p.generate(p.application("both"), p.keyManager("IS")).want(t, 200)
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

func TestRevocationAtISReachesTheGatewayOnlyWithListenerHeaderAndTrust(t *testing.T) {
	call := func(t *testing.T, p *pair) (keys reply, tok string) {
		id := p.api("A", "/a")
		p.deploy(id)
		p.publish(id)
		app := p.application("App")
		p.subscribe(app, id)
		keys = p.generate(app, p.keyManager("IS")).want(t, 200)
		tok = token(t, p.is.URL(), keys)
		p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
		return keys, tok
	}
	revoke := func(t *testing.T, p *pair, keys reply, tok string) {
		send(t, "POST", p.is.URL()+"/oauth2/revoke", basic(keys.str("consumerKey"), keys.str("consumerSecret")),
			url.Values{"token": {tok}}).want(t, 200)
	}
	t.Run("with all of them the token is refused with 900901", func(t *testing.T) {
		p := working(t)
		keys, tok := call(t, p)
		revoke(t, p, keys, tok)
		eventually(t, "the token is refused", func() bool {
			got := p.invoke("/a/1.0.0/x", bearer(tok))
			return got.status == 401 && got.str("code") == "900901"
		})
	})
	t.Run("a new token revokes the one before it", func(t *testing.T) {
		p := working(t)
		keys, first := call(t, p)
		second := token(t, p.is.URL(), keys)
		eventually(t, "the first token is refused", func() bool { return p.invoke("/a/1.0.0/x", bearer(first)).status == 401 })
		p.invoke("/a/1.0.0/x", bearer(second)).want(t, 200)
	})
	stays := func(t *testing.T, p *pair, inLog string) {
		t.Helper()
		keys, tok := call(t, p)
		revoke(t, p, keys, tok)
		if inLog != "" {
			eventually(t, "the log of IS says "+inLog, func() bool { return strings.Contains(p.isLog.String(), inLog) })
		}
		p.is.Close() // waits for the notice that may be on its way
		p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	}
	t.Run("without the listener the gateway never learns of it", func(t *testing.T) {
		p := newPair(t)
		p.exchange()
		p.startAM()
		p.startIS()
		stays(t, p, "")
	})
	t.Run("another header value is answered with 200 and does nothing", func(t *testing.T) {
		p := newPair(t)
		p.exchange()
		p.startAM()
		p.listener("WSO2-IS-7")
		p.startIS()
		stays(t, p, "")
	})
	t.Run("without trust in API Manager the notice fails in the log alone", func(t *testing.T) {
		p := newPair(t)
		isStores, amStores := filepath.Join(p.isHome, securityDir), filepath.Join(p.amHome, securityDir)
		importLeaf(t, filepath.Join(isStores, "wso2carbon.p12"), filepath.Join(amStores, "client-truststore.jks"), "wso2is")
		p.startAM()
		p.listener("WSO2-IS")
		p.startIS()
		stays(t, p, "PKIX path building failed")
	})
	t.Run("under a name that the certificate lacks the strict verifier refuses", func(t *testing.T) {
		p := newPair(t)
		p.exchange()
		p.startAM()
		p.am.hostname = "127.0.0.1" // what the listener will call; the certificate is for localhost
		p.listener("WSO2-IS")
		p.am.hostname = "localhost"
		p.startIS()
		stays(t, p, "subject alternative names: [localhost]")
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
