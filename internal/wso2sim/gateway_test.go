package wso2sim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTheGatewayRefuses(t *testing.T) {
	p := working(t)
	id := p.api("A", "/a")
	app, km := p.application("App"), p.keyManager("IS")
	keys := p.generate(app, km).want(t, 200)
	good := token(t, p.is.URL(), keys)
	refused := func(path string, who auth, status int, code string) reply {
		t.Helper()
		got := p.invoke(path, who).want(t, status)
		if got.str("code") != code {
			t.Errorf("code %q, want %q; body %s", got.str("code"), code, got.text)
		}
		return got
	}
	refused("/a/1.0.0/x", bearer(good), 404, "404") // no deployed revision
	p.publish(id)
	refused("/a/1.0.0/x", bearer(good), 404, "404") // published, and still not deployed
	p.deploy(id)
	refused("/a/1.0.0/x", bearer(good), 403, "900908") // not subscribed
	p.subscribe(app, id)
	p.invoke("/a/1.0.0/x", bearer(good)).want(t, 200)

	missing := refused("/a/1.0.0/x", anonymous, 401, "900902")
	if missing.header.Get("WWW-Authenticate") == "" {
		t.Error("a missing token is answered without WWW-Authenticate")
	}
	refused("/a/1.0.0/x", bearer("nope"), 401, "900901")
	refused("/a/1.0.0/x", bearer(good[:len(good)-6]+"AAAAAA"), 401, "900901")
	refused("/a/2.0.0/x", bearer(good), 404, "404")
	refused("/nosuch/1.0.0/x", bearer(good), 404, "404")

	t.Run("a token of a foreign signer under the right issuer", func(t *testing.T) {
		refused("/a/1.0.0/x", bearer(forge(t, good)), 401, "900901")
	})
	t.Run("an expired token", func(t *testing.T) {
		old, err := p.is.signer.sign("at+jwt", object{
			"iss": p.is.Issuer(), "azp": keys.str("consumerKey"), "exp": time.Now().Add(-time.Minute).Unix(), "jti": "y",
		})
		if err != nil {
			t.Fatal(err)
		}
		refused("/a/1.0.0/x", bearer(old), 401, "900901")
	})
	t.Run("an undeployed revision", func(t *testing.T) {
		rev := send(t, "GET", p.publisher("/apis/"+id+"/revisions?query=deployed:true"), admin, nil).str("list", 0, "id")
		send(t, "POST", p.publisher("/apis/"+id+"/undeploy-revision?revisionId="+rev), admin,
			[]object{{"name": "Default", "vhost": "localhost"}}).want(t, 201)
		refused("/a/1.0.0/x", bearer(good), 404, "404")
	})
}

// forge is a token with the claims that count, signed by somebody else.
func forge(t *testing.T, good string) string {
	t.Helper()
	other := newPair(t)
	if err := other.unpackAnew(ProductIS); err != nil {
		t.Fatal(err)
	}
	other.startIS()
	parsed, err := parseJWT(good)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.is.signer.sign("at+jwt", object{
		"iss": parsed.claims.Issuer, "azp": parsed.claims.Azp, "exp": time.Now().Add(time.Hour).Unix(), "jti": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

func TestTheGatewayServesTheDeployedRevisionAndNotTheAPI(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	p.publish(id)
	app := p.application("App")
	p.subscribe(app, id)
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))
	p.deploy(id)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)

	before := send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{}).want(t, 201).str("id")
	body := send(t, "GET", p.publisher("/apis/"+id), admin, nil).body.(map[string]any)
	body["operations"] = []object{{"target": "/only", "verb": "GET"}}
	send(t, "PUT", p.publisher("/apis/"+id), admin, body).want(t, 200)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	send(t, "POST", p.publisher("/apis/"+id+"/deploy-revision?revisionId="+before), admin,
		[]object{{"name": "Default", "vhost": "localhost"}}).want(t, 201)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200) // a revision is the API as it was
	p.am.mu.Lock()
	p.am.delays.Deploy = Span{time.Second, time.Second}
	p.am.mu.Unlock()
	p.deploy(id)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200) // until the gateway has it
	eventually(t, "the new revision is on the gateway", func() bool { return p.invoke("/a/1.0.0/x", bearer(tok)).status == 404 })
	p.invoke("/a/1.0.0/only", bearer(tok)).want(t, 200)
}

func TestASubscriptionlessAPILetsEveryValidTokenIn(t *testing.T) {
	p := working(t)
	id := p.api("A", "/a")
	p.publish(id)
	body := send(t, "GET", p.publisher("/apis/"+id), admin, nil).body.(map[string]any)
	body["policies"] = []any{}
	send(t, "PUT", p.publisher("/apis/"+id), admin, body).want(t, 200)
	p.deploy(id)
	tok := token(t, p.is.URL(), p.generate(p.application("App"), p.keyManager("IS")).want(t, 200))
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
}

func TestResidentTokensAreIssuedByAPIManagerUnderItsHostName(t *testing.T) {
	p := newPair(t)
	p.startAM()
	keys := p.generate(p.application("App"), "").want(t, 200)
	parsed, err := parseJWT(token(t, p.am.URL(), keys))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.claims.Issuer != p.am.url(p.am.port)+"/oauth2/token" || !strings.HasPrefix(parsed.claims.Issuer, "https://localhost:") {
		t.Errorf("the issuer is %q", parsed.claims.Issuer)
	}
	if keys.str("keyManager") != residentName {
		t.Errorf("keys without a key manager are of %q", keys.str("keyManager"))
	}
}

func TestTheGatewayForwardsEverythingButTheToken(t *testing.T) {
	p := newPair(t)
	p.startAM()
	seen := make(chan *http.Request, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(readAll(t, r.Body)))
		seen <- r
		w.WriteHeader(http.StatusTeapot)
	}))
	defer backend.Close()
	body := p.apiBody("A", "/a")
	body["endpointConfig"] = object{"endpoint_type": "http", "production_endpoints": object{"url": backend.URL + "/base/"}}
	id := send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201).str("id")
	p.deploy(id)
	p.publish(id)
	app := p.application("App")
	p.subscribe(app, id)
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))
	send(t, "POST", p.am.GatewayURL()+"/a/1.0.0/x?q=1", func(r *http.Request) {
		bearer(tok)(r)
		r.Header.Set("X-Own", "kept")
	}, "payload").want(t, http.StatusTeapot)
	got := <-seen
	if got.URL.String() != "/base/x?q=1" || got.Method != "POST" || got.Header.Get("X-Own") != "kept" || readAll(t, got.Body) != "payload" {
		t.Errorf("the backend got %s %s %v", got.Method, got.URL, got.Header)
	}
	if got.Header.Get("Authorization") != "" {
		t.Error("the backend got the token")
	}
	backend.Close()
	if gone := p.invoke("/a/1.0.0/x", bearer(tok)); gone.status != 500 || gone.str("code") != "101503" {
		t.Errorf("without a backend: %d %s", gone.status, gone.text)
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestTargetsOfOperations(t *testing.T) {
	for _, tc := range []struct {
		target, path string
		want         bool
	}{
		{"/*", "/a/b", true}, {"/*", "", true}, {"/a", "/a", true}, {"/a", "/a/b", false}, {"/a", "/b", false},
		{"/a/{id}", "/a/7", true}, {"/a/{id}", "/a", false}, {"/a/*", "/a/b/c", true}, {"/a/{id}/c", "/a/7/d", false},
	} {
		if got := matchesTarget(tc.target, tc.path); got != tc.want {
			t.Errorf("%s matches %s: %v, want %v", tc.target, tc.path, got, tc.want)
		}
	}
}
