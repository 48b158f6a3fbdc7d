package wso2sim

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// loadedAddresses are the backends that the gateway's own REST API shows of an API.
func (p *pair) loadedAddresses(name string) (addresses []string) {
	p.t.Helper()
	r := send(p.t, "GET", p.am.URL()+"/api/am/gateway/v2/end-points?apiName="+name+"&version=1.0.0", admin, nil).want(p.t, 200)
	for _, text := range r.body.(map[string]any)["endpoints"].([]any) {
		var e struct {
			HTTP struct {
				URI string `xml:"uri-template,attr"`
			} `xml:"http"`
		}
		if err := xml.Unmarshal([]byte(text.(string)), &e); err != nil {
			p.t.Fatal(err)
		}
		addresses = append(addresses, e.HTTP.URI)
	}
	return addresses
}

func TestTheGatewayTakesUpDeploymentsOneAfterAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		setting string
		each    time.Duration
	}{
		"as shipped": {"", 5 * time.Second},
		"a number":   {"event_waiting_time = 60000", time.Minute},
		"a text":     {`event_waiting_time = "90000"`, 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			path := filepath.Join(p.amHome, settingsFile)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, "\n[apim.sync_runtime_artifacts.gateway]\ngateway_labels = [\"Default\"]\n"+tc.setting+"\n"...)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			p.delays = Delays{EventWait: 1}
			p.startAM()
			var ids []string
			for i := range 3 {
				ids = append(ids, p.api(fmt.Sprintf("A%d", i), fmt.Sprintf("/a%d", i)))
			}
			var before time.Time
			for i, id := range ids { // each before the gateway has taken up the one before it: nothing waits here for that
				p.deploy(id)
				p.am.mu.Lock()
				from := p.am.apis[id].deployed.from
				p.am.mu.Unlock()
				if i > 0 && from.Sub(before) != tc.each {
					t.Errorf("API %d comes %s after the one before it, want %s", i, from.Sub(before), tc.each)
				}
				before = from
			}
		})
	}
}

func TestTheGatewayShowsTheEndpointsThatItRunsWith(t *testing.T) {
	p := newPair(t)
	p.startAM()
	if got := p.loadedAddresses("A"); len(got) != 0 {
		t.Errorf("of an API that it has not got: %q", got)
	}
	id := p.api("A", "/a")
	p.deploy(id)
	if got := p.loadedAddresses("A"); len(got) == 0 || got[0] != p.backend.URL() {
		t.Errorf("got %q, want %s", got, p.backend.URL())
	}
	body := send(t, "GET", p.publisher("/apis/"+id), admin, nil).body.(map[string]any)
	other := "http://other.example:8080/?a=1&b=<2>"
	body["endpointConfig"] = object{"endpoint_type": "http", "production_endpoints": object{"url": other}}
	send(t, "PUT", p.publisher("/apis/"+id), admin, body).want(t, 200)
	p.am.mu.Lock()
	p.am.delays.Deploy = Span{time.Second, time.Second}
	p.am.mu.Unlock()
	p.deploy(id)
	if got := p.loadedAddresses("A"); len(got) == 0 || got[0] != p.backend.URL() {
		t.Errorf("before it is taken up: %q", got)
	}
	eventually(t, "the new revision is shown", func() bool { return p.loadedAddresses("A")[0] == other })
	send(t, "GET", p.am.URL()+"/api/am/gateway/v2/end-points?apiName=A&version=1.0.0", anonymous, nil).want(t, 401)
}

func TestAMethodThatAnAPILacksIs405AndAPathThatItLacksIs404(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	body := send(t, "GET", p.publisher("/apis/"+id), admin, nil).body.(map[string]any)
	body["operations"] = []object{{"target": "/orders", "verb": "POST"}}
	send(t, "PUT", p.publisher("/apis/"+id), admin, body).want(t, 200)
	p.deploy(id)
	p.publish(id)
	for path, want := range map[string]struct {
		status  int
		message string
	}{"/a/1.0.0/orders": {405, "Runtime Error"}, "/a/1.0.0/other": {404, "Runtime Error"}, "/b/1.0.0/orders": {404, "Not Found"}} {
		if got := p.invoke(path, bearer("nope")).want(t, want.status); got.str("message") != want.message || got.str("code") != fmt.Sprint(want.status) {
			t.Errorf("%s: %s", path, got.text)
		}
	}
}
