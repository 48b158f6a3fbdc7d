package wso2sim

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask sends a request that may fail.
func ask(method, address string) (*http.Response, error) {
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("admin", "admin")
	client := insecure()
	client.Timeout = 3 * time.Second
	return client.Do(req)
}

func (i *Instance) fault(t *testing.T, f Fault) string {
	t.Helper()
	id, err := i.Faults().Add(f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFaultsOnDemand(t *testing.T) {
	i := launch(t, ProductAM, nil)
	at := i.URL() + devportalPath + "/applications"
	t.Run("429 with Retry-After, as often as it is told", func(t *testing.T) {
		i.fault(t, Fault{Kind: FaultStatus, Status: 429, RetryAfter: 7, Count: 2})
		for _, want := range []int{429, 429, 200} {
			got := send(t, "GET", at, admin, nil).want(t, want)
			if want == 429 && (got.header.Get("Retry-After") != "7" || got.code() != 429) {
				t.Errorf("Retry-After %q, body %s", got.header.Get("Retry-After"), got.text)
			}
		}
	})
	t.Run("500, 502 and 503", func(t *testing.T) {
		for _, status := range []int{500, 502, 503} {
			i.fault(t, Fault{Kind: FaultStatus, Status: status, Count: 1})
			send(t, "GET", at, admin, nil).want(t, status)
		}
	})
	t.Run("latency", func(t *testing.T) {
		i.fault(t, Fault{Kind: FaultDelay, Delay: Duration(300 * time.Millisecond), Count: 1})
		began := time.Now()
		send(t, "GET", at, admin, nil).want(t, 200)
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("a reset before anything is done", func(t *testing.T) {
		i.fault(t, Fault{Kind: FaultReset, Method: "DELETE", Count: 1})
		id := send(t, "POST", at, admin, object{"name": "A", "throttlingPolicy": "Unlimited"}).want(t, 201).str("applicationId")
		if resp, err := ask("DELETE", at+"/"+id); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("got %v, %v", resp, err)
		}
		send(t, "GET", at+"/"+id, admin, nil).want(t, 200)
	})
	t.Run("a reset when it is done", func(t *testing.T) {
		id := send(t, "POST", at, admin, object{"name": "B", "throttlingPolicy": "Unlimited"}).want(t, 201).str("applicationId")
		i.fault(t, Fault{Kind: FaultReset, Method: "DELETE", After: true, Count: 1})
		if resp, err := ask("DELETE", at+"/"+id); err == nil {
			t.Errorf("got %v", resp)
		}
		send(t, "GET", at+"/"+id, admin, nil).want(t, 404)
	})
	t.Run("half an answer", func(t *testing.T) {
		i.fault(t, Fault{Kind: FaultHalf, Count: 1})
		resp, err := ask("GET", at)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || resp.ContentLength <= int64(len(body)) {
			t.Errorf("read %d of %d bytes: %v", len(body), resp.ContentLength, err)
		}
	})
	t.Run("a hang that ends with the client's patience", func(t *testing.T) {
		i.fault(t, Fault{Kind: FaultHang, Count: 1})
		began := time.Now()
		_, err := ask("GET", at)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) < 2*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
	t.Run("an outage, and its end", func(t *testing.T) {
		i.Faults().SetOutage(true)
		for _, url := range []string{i.URL(), i.GatewayURL()} {
			if _, err := ask("GET", url); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("during an outage: %v", err)
			}
		}
		i.Faults().SetOutage(false)
		send(t, "GET", at, admin, nil).want(t, 200)
		send(t, "GET", i.GatewayURL()+"/none", admin, nil).want(t, 404)
	})
}

func TestWhichRequestsAFaultHits(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault Fault
		hits  string // of GET /a/b, POST /a/b, GET /a/b/c, GET /x, four times over
	}{
		{"all", Fault{}, "1111 1111 1111 1111"},
		{"a method", Fault{Method: "POST"}, "0100 0100 0100 0100"},
		{"a path", Fault{Path: "/a/b"}, "1100 1100 1100 1100"},
		{"a path with a segment of any name", Fault{Path: "/a/*"}, "1100 1100 1100 1100"},
		{"a path with anything below", Fault{Path: "/a/**"}, "1110 1110 1110 1110"},
		{"a path and a method", Fault{Path: "/**/b", Method: "GET"}, "1000 1000 1000 1000"},
		{"a dot is a dot", Fault{Path: "/a.b"}, "0000 0000 0000 0000"},
		{"a number of them", Fault{Path: "/x", Count: 2}, "0001 0001 0000 0000"},
		{"not the first", Fault{Path: "/x", Skip: 1, Count: 2}, "0000 0001 0001 0000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			faults := NewFaults()
			tc.fault.Kind = FaultHang
			if _, err := faults.Add(tc.fault); err != nil {
				t.Fatal(err)
			}
			var rounds []string
			for range 4 {
				round := ""
				for _, target := range []string{"GET /a/b", "POST /a/b", "GET /a/b/c", "GET /x"} {
					method, path, _ := strings.Cut(target, " ")
					if faults.strike(httptest.NewRequest(method, path, nil)) != nil {
						round += "1"
					} else {
						round += "0"
					}
				}
				rounds = append(rounds, round)
			}
			if got := strings.Join(rounds, " "); got != tc.hits {
				t.Errorf("hits %s, want %s", got, tc.hits)
			}
		})
	}
	t.Run("by chance, and the same in every run", func(t *testing.T) {
		hits := func() int {
			faults := NewFaults()
			if _, err := faults.Add(Fault{Kind: FaultHang, Probability: 0.25}); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				faults.strike(httptest.NewRequest("GET", "/", nil))
			}
			return faults.List()[0].Hits
		}
		if n := hits(); n < 200 || n > 300 || n != hits() {
			t.Errorf("%d of 1000", n)
		}
	})
	t.Run("what makes no sense is refused", func(t *testing.T) {
		for _, f := range []Fault{
			{}, {Kind: "flood"}, {Kind: FaultStatus}, {Kind: FaultStatus, Status: 200}, {Kind: FaultDelay},
			{Kind: FaultHang, Probability: 2}, {Kind: FaultHang, Count: -1},
		} {
			if _, err := NewFaults().Add(f); err == nil {
				t.Errorf("taken: %+v", f)
			}
		}
	})
}

func TestACrashInTheMiddleOfARequest(t *testing.T) {
	for name, after := range map[string]bool{"before it is done": false, "when it is done": true} {
		t.Run(name, func(t *testing.T) {
			i := launch(t, ProductAM, nil)
			at := i.URL() + devportalPath + "/applications"
			send(t, "POST", at, admin, object{"name": "Kept", "throttlingPolicy": "Unlimited"}).want(t, 201)
			i.fault(t, Fault{Kind: FaultCrash, Method: "POST", After: after})
			req, err := http.NewRequest("POST", at, strings.NewReader(`{"name":"Half","throttlingPolicy":"Unlimited"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("admin", "admin")
			req.Header.Set("Content-Type", "application/json")
			if resp, err := insecure().Do(req); err == nil {
				t.Errorf("answered %s", resp.Status)
			}
			<-i.Ended()
			if code, _ := i.ExitCode(); code != ExitCrash {
				t.Errorf("exit code %d", code)
			}
			again, err := Launch(t.Context(), ProductAM, Options{Home: i.options.Home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			for app, want := range map[string]bool{"Kept": true, "Half": after} {
				got := send(t, "GET", again.URL()+devportalPath+"/applications?query="+app, admin, nil).want(t, 200)
				if (got.at("count") == 1.0) != want {
					t.Errorf("%s is there: %v", app, got.at("count"))
				}
			}
		})
	}
}

func TestAnotherCertificateThanTheConfiguredOne(t *testing.T) {
	i := launch(t, ProductAM, nil)
	shown := func() *tls.Conn {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(i.URL(), "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	configured := shown().ConnectionState().PeerCertificates[0]
	if err := i.Faults().SetCertificate(CertificateExpired); err != nil {
		t.Fatal(err)
	}
	expired := shown().ConnectionState().PeerCertificates[0]
	if !expired.NotAfter.Before(time.Now()) || !bytes.Equal(expired.RawSubjectPublicKeyInfo, configured.RawSubjectPublicKeyInfo) {
		t.Errorf("the expired one lasts until %s", expired.NotAfter)
	}
	if err := i.Faults().SetCertificate(CertificateSwapped); err != nil {
		t.Fatal(err)
	}
	swapped := shown().ConnectionState().PeerCertificates[0]
	if bytes.Equal(swapped.RawSubjectPublicKeyInfo, configured.RawSubjectPublicKeyInfo) || swapped.VerifyHostname("localhost") != nil {
		t.Error("the swapped one has the configured key, or another name")
	}
	i.Faults().Clear()
	if !shown().ConnectionState().PeerCertificates[0].Equal(configured) {
		t.Error("the configured one does not come back")
	}
	if err := i.Faults().SetCertificate("torn"); err == nil {
		t.Error("an unknown kind was taken")
	}
}

func TestASlowBoot(t *testing.T) {
	i := launch(t, ProductIS, func(home string, _ *Options) { allowRestart(t, home) })
	i.Faults().SetBootDelay(1500 * time.Millisecond)
	before := i.Server()
	tell(t, i.URL(), "restart").want(t, 200)
	eventually(t, "another server runs", func() bool { return i.Server() != before })
	if err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if up := i.Server().(*IS).uptime(); up < 1500*time.Millisecond {
		t.Errorf("up after %s", up)
	}
}

func TestAWrongClockShowsInAnswers(t *testing.T) {
	i := launch(t, ProductIS, func(string, *Options) {})
	ahead := func() time.Duration {
		t.Helper()
		resp, err := insecure().Get(i.URL() + "/oauth2/jwks")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(date).Round(time.Minute)
	}
	i.Faults().SetClock(-time.Hour)
	if got := ahead(); got != -time.Hour {
		t.Errorf("the clock is %s ahead, want an hour behind", got)
	}
	i.Faults().Clear()
	if got := ahead(); got != 0 {
		t.Errorf("the clock is %s ahead, want none", got)
	}
}

func TestRequestsAreCountedByOperation(t *testing.T) {
	i := launch(t, ProductAM, func(_ string, o *Options) { o.Delays.Deploy = Span{time.Hour, time.Hour} })
	apis := i.URL() + publisherPath + "/apis"
	for range 3 {
		send(t, "GET", apis+"/none", admin, nil).want(t, 404)
	}
	send(t, "GET", apis+"?query=name:x", admin, nil).want(t, 200)
	i.fault(t, Fault{Kind: FaultReset, Path: "/oauth2/**"})
	if _, err := ask("POST", i.URL()+"/oauth2/token"); err == nil {
		t.Error("no reset")
	}
	send(t, "GET", i.GatewayURL()+"/none/1.0.0", anonymous, nil).want(t, 404)
	send(t, "GET", i.URL()+"/nowhere", anonymous, nil).want(t, 404)
	want := map[string]int{
		"GET /api/am/publisher/v4/apis/{id}": 3, "GET /api/am/publisher/v4/apis": 1, "POST unknown": 1, "GET gateway": 1, "GET unknown": 1,
	}
	eventually(t, "all are counted", func() bool { return len(i.Requests().List()) == 7 })
	counts := i.Requests().Counts()
	for operation, n := range want {
		if counts[operation] != n {
			t.Errorf("%s: %d, want %d, of %v", operation, counts[operation], n, counts)
		}
	}
	for _, r := range i.Requests().List() {
		if strings.Contains(r.Path, "query") || (r.Status == 0) != (r.Path == "/oauth2/token") {
			t.Errorf("the log has %+v", r)
		}
	}
	i.Requests().Reset()
	if len(i.Requests().Counts()) != 0 || len(i.Requests().List()) != 0 {
		t.Error("something is left")
	}
}

func TestTheControlEndpoint(t *testing.T) {
	i := launch(t, ProductAM, nil)
	control := httptest.NewServer(i.Control())
	defer control.Close()
	at := control.URL + "/_wso2sim"
	apps := i.URL() + devportalPath + "/applications"

	id := send(t, "POST", at+"/faults", anonymous, `{"kind":"status","status":503,"path":"/api/**","delay":"1.5s"}`).want(t, 201).str("id")
	send(t, "GET", apps, admin, nil).want(t, 503)
	if list := send(t, "GET", at+"/faults", anonymous, nil).want(t, 200); list.at(0, "hits") != 1.0 || list.str(0, "delay") != "1.5s" {
		t.Errorf("the faults are %s", list.text)
	}
	send(t, "DELETE", at+"/faults/"+id, anonymous, nil).want(t, 204)
	send(t, "DELETE", at+"/faults/"+id, anonymous, nil).want(t, 404)
	send(t, "GET", apps, admin, nil).want(t, 200)
	for path, body := range map[string]string{
		"/faults": `{"kind":"flood"}`, "/outage": `{"off":true}`, "/certificate": `{"kind":"torn"}`, "/boot": `{"delay":"soon"}`, "/clock": `{"ahead":"soon"}`, "/state": `{}`,
	} {
		method := "PUT"
		if path == "/faults" {
			method = "POST"
		}
		if got := send(t, method, at+path, anonymous, body).want(t, 400); got.str("error") == "" {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	if got := send(t, "GET", at+"/requests/counts", anonymous, nil).want(t, 200); got.at("GET /api/am/devportal/v3/applications") != 1.0 || got.at("GET unknown") != 1.0 {
		t.Errorf("the counts are %s", got.text)
	}

	state := send(t, "GET", at+"/state", anonymous, nil).want(t, 200)
	send(t, "POST", apps, admin, object{"name": "Later", "throttlingPolicy": "Unlimited"}).want(t, 201)
	send(t, "PUT", at+"/state", anonymous, state.text).want(t, 204)
	if got := send(t, "GET", apps+"?query=Later", admin, nil).want(t, 200); got.at("count") != 0.0 {
		t.Errorf("after the state came back: %s", got.text)
	}
	send(t, "PUT", at+"/outage", anonymous, `{"on":true}`).want(t, 204)
	if _, err := ask("GET", apps); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("during an outage: %v", err)
	}
	send(t, "DELETE", at+"/faults", anonymous, nil).want(t, 204)
	send(t, "GET", apps, admin, nil).want(t, 200)
	send(t, "GET", i.URL()+"/_wso2sim/state", anonymous, nil).want(t, 404) // never on the product's own ports
	send(t, "POST", at+"/crash", anonymous, nil).want(t, 204)
	<-i.Ended()
}

func TestDurationsAreTextInJSON(t *testing.T) {
	text, err := json.Marshal(Fault{Kind: FaultHang, Delay: Duration(90 * time.Second)})
	if err != nil || !strings.Contains(string(text), `"delay":"1m30s"`) {
		t.Errorf("written as %s: %v", text, err)
	}
}
