package wso2sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

// crowd is API Manager with many APIs, applications and subscriptions, asked without a network between.
type crowd struct {
	t      testing.TB
	am     *AM
	routes http.Handler
	apis   []string
	apps   []string
}

func newCrowd(t testing.TB, home string) *crowd {
	t.Helper()
	am, err := StartAM(t.Context(), Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { am.Close() })
	return &crowd{t: t, am: am, routes: am.routes()}
}

// ask sends a request and returns the body of the answer.
func (c *crowd) ask(method, path string, body any, status int) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(text))
	r.SetBasicAuth("admin", "admin")
	w := httptest.NewRecorder()
	c.routes.ServeHTTP(w, r)
	if w.Code != status {
		c.t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	return w.Body.Bytes()
}

func (c *crowd) made(method, path string, body any, id string) string {
	var answer map[string]any
	if err := json.Unmarshal(c.ask(method, path, body, 201), &answer); err != nil {
		c.t.Fatal(err)
	}
	return answer[id].(string)
}

// api creates, deploys and publishes one.
func (c *crowd) api() {
	n := len(c.apis)
	id := c.made("POST", publisherPath+"/apis", object{
		"name": fmt.Sprintf("api %d", n), "version": "1.0.0", "context": fmt.Sprintf("/api%d", n), "policies": []string{"Unlimited"},
		"endpointConfig": object{"endpoint_type": "http", "production_endpoints": object{"url": "http://127.0.0.1:1"}},
		"operations":     []object{{"target": "/*", "verb": "GET"}},
	}, "id")
	rev := c.made("POST", publisherPath+"/apis/"+id+"/revisions", object{"description": ""}, "id")
	c.ask("POST", publisherPath+"/apis/"+id+"/deploy-revision?revisionId="+rev, []object{{"name": "Default", "vhost": "localhost"}}, 201)
	c.ask("POST", publisherPath+"/apis/change-lifecycle?action=Publish&apiId="+id, nil, 200)
	c.apis = append(c.apis, id)
}

// application makes one with keys of the Resident Key Manager, and subscribes it to five of the APIs.
func (c *crowd) application() {
	n := len(c.apps)
	id := c.made("POST", devportalPath+"/applications", object{"name": fmt.Sprintf("app %d", n), "throttlingPolicy": "Unlimited"}, "applicationId")
	c.apps = append(c.apps, id)
	for i := range 5 {
		c.made("POST", devportalPath+"/subscriptions", object{
			"applicationId": id, "apiId": c.apis[(n*5+i)%len(c.apis)], "throttlingPolicy": "Unlimited",
		}, "subscriptionId")
	}
}

// keys of an application cost a signature, which would hide everything else.
func (c *crowd) keys(app string) {
	c.ask("POST", devportalPath+"/applications/"+app+"/generate-keys", object{
		"keyType": "PRODUCTION", "grantTypesToBeSupported": []string{"password"}, "callbackUrl": "",
	}, 200)
}

func (c *crowd) grow(apis, apps int) {
	for len(c.apis) < apis {
		c.api()
	}
	for len(c.apps) < apps {
		c.application()
		c.keys(c.apps[len(c.apps)-1])
	}
}

// steps are what tests do again and again; none may become slower with what is there.
func (c *crowd) steps() map[string]func() {
	last := func() (string, string) { return c.apis[len(c.apis)-1], c.apps[len(c.apps)-1] }
	return map[string]func(){
		"read an API":            func() { api, _ := last(); c.ask("GET", publisherPath+"/apis/"+api, nil, 200) },
		"find an API by name":    func() { c.ask("GET", publisherPath+`/apis?query=name:"api%2017"`, nil, 200) },
		"list a page of APIs":    func() { c.ask("GET", publisherPath+"/apis?limit=5&offset=10", nil, 200) },
		"DevPortal's APIs":       func() { c.ask("GET", devportalPath+"/apis?limit=5&offset=10", nil, 200) },
		"applications":           func() { c.ask("GET", devportalPath+"/applications?limit=5", nil, 200) },
		"its subscriptions":      func() { _, app := last(); c.ask("GET", devportalPath+"/subscriptions?applicationId="+app, nil, 200) },
		"an API's subscriptions": func() { c.ask("GET", publisherPath+"/subscriptions?apiId="+c.apis[0]+"&limit=1", nil, 200) },
		"its keys":               func() { _, app := last(); c.ask("GET", devportalPath+"/applications/"+app+"/oauth-keys", nil, 200) },
		"publish again": func() {
			api, _ := last()
			c.ask("POST", publisherPath+"/apis/change-lifecycle?action=Block&apiId="+api, nil, 200)
			c.ask("POST", publisherPath+"/apis/change-lifecycle?action=Re-Publish&apiId="+api, nil, 200)
		},
		"subscribe and unsubscribe": func() {
			api, app := c.apis[3], c.apps[len(c.apps)-1]
			id := c.made("POST", devportalPath+"/subscriptions", object{"applicationId": app, "apiId": api, "throttlingPolicy": "Unlimited"}, "subscriptionId")
			c.ask("DELETE", devportalPath+"/subscriptions/"+id, nil, 200)
		},
		"create and delete an API": func() {
			body := object{"name": "one more", "version": "1", "context": "/one-more"}
			c.ask("DELETE", publisherPath+"/apis/"+c.made("POST", publisherPath+"/apis", body, "id"), nil, 200)
		},
		"create and delete an application": func() {
			body := object{"name": "one more", "throttlingPolicy": "Unlimited"}
			c.ask("DELETE", devportalPath+"/applications/"+c.made("POST", devportalPath+"/applications", body, "applicationId"), nil, 200)
		},
		"route a call": func() {
			r := httptest.NewRequest("GET", "/api17/1.0.0/x", nil)
			if _, fault := c.am.route(r); fault != nil {
				c.t.Fatal(fault)
			}
		},
	}
}

// What is allocated stands for the work: whatever walks over everything to build an answer allocates for everything.
// The growth of a slice of pointers is a handful of allocations more, no matter how long it becomes.
func TestNoStepAllocatesMoreWhereThereIsMore(t *testing.T) {
	testenv.WithoutRace(t)
	c := newCrowd(t, newHome(t, ProductAM))
	c.grow(40, 10)
	small := map[string]float64{}
	for name, step := range c.steps() {
		small[name] = testing.AllocsPerRun(20, step)
	}
	c.grow(640, 160)
	for name, step := range c.steps() {
		if large := testing.AllocsPerRun(20, step); large > 1.25*small[name]+25 {
			t.Errorf("%s: %.0f allocations with 640 APIs and 160 applications, %.0f with a sixteenth of it", name, large, small[name])
		}
	}
}

// The lookups answer from maps; whatever they leave out or leave behind shows beside a walk over everything.
func TestLookupsAgreeWithAWalkOverEverything(t *testing.T) {
	p := working(t)
	p.everything()
	t.Run("while they grow", func(t *testing.T) { compareLookups(t, p.am) })
	p.startAM()
	t.Run("read from disk", func(t *testing.T) { compareLookups(t, p.am) })
}

func compareLookups(t *testing.T, am *AM) {
	t.Helper()
	am.mu.Lock()
	defer am.mu.Unlock()
	now := time.Now()
	walked := newLookup()
	for _, a := range am.apis {
		walked.addAPI(a)
		if got, _, rest := am.lookup.deployedAt(fullContext(&a.dto)+"/x/y", now); a.onGateway(now) != nil && (got != a || rest != "/x/y") {
			t.Errorf("%s %s is not found", a.name(), a.version())
		}
	}
	for _, app := range am.applications {
		add(walked.appsByName, app.name, app)
		for _, m := range app.keys {
			add(walked.byClient, m.clientID, m)
		}
	}
	for _, s := range am.subscriptions {
		walked.addSubscription(s)
		if am.lookup.ofApplication[s.application][s.api] != s || am.lookup.ofAPI[s.api][s.application] != s {
			t.Error("a subscription is not found")
		}
	}
	for name, pair := range map[string][2]int{
		"names": {len(am.lookup.apisByName), len(walked.apisByName)}, "contexts": {len(am.lookup.apisByContext), len(walked.apisByContext)},
		"routes": {len(am.lookup.apisByRoute), len(walked.apisByRoute)}, "applications": {len(am.lookup.appsByName), len(walked.appsByName)},
		"clients": {len(am.lookup.byClient), len(walked.byClient)}, "subscriptions": {subscriptionsIn(am.lookup), subscriptionsIn(walked)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d, want %d", name, pair[0], pair[1])
		}
	}
}

func subscriptionsIn(l lookup) (n int) {
	for _, of := range l.ofApplication {
		n += len(of)
	}
	for _, of := range l.ofAPI {
		n += 1000 * len(of)
	}
	return n
}

// BenchmarkScale grows API Manager to 5,000 APIs and 1,000 applications with 5,000 subscriptions and their keys, and
// then does what tests do.
func BenchmarkScale(b *testing.B) {
	dir, err := homes()
	if err != nil {
		b.Fatal(err)
	}
	home := b.TempDir() + "/am"
	if err := copyTree(dir+"/"+ProductAM, home); err != nil {
		b.Fatal(err)
	}
	c := newCrowd(b, home)
	began := time.Now()
	c.grow(5000, 1000)
	b.Logf("%d APIs deployed and published, %d applications with keys: %s", len(c.apis), len(c.apps), time.Since(began).Round(time.Millisecond))
	for name, step := range c.steps() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				step()
			}
		})
	}
	b.Run("save the state", func(b *testing.B) {
		for b.Loop() {
			if err := c.am.SaveState(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("start again", func(b *testing.B) {
		for b.Loop() {
			if err := c.am.Close(); err != nil {
				b.Fatal(err)
			}
			if c.am, err = StartAM(b.Context(), Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}); err != nil {
				b.Fatal(err)
			}
		}
		c.am.Close()
	})
}
