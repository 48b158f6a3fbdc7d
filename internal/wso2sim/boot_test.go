package wso2sim

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAPIManagerComesUpInTheProductsOrder(t *testing.T) {
	p := newPair(t)
	step := time.Second
	am, err := StartAM(t.Context(), Options{Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Delays: Delays{
		AMPorts: step, AMVersion: 2 * step, AMHealth: 3 * step, AMPortal: 4 * step, AMREST: 6 * step, AMReady: 7 * step,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	_, err = insecure().Get(am.URL() + "/services/Version")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("before its ports are open the server answers with %v, want a refused connection", err)
	}
	health := "/api/am/gateway/v2/server-startup-healthcheck"
	var seen []string
	note := func(what string) {
		if !slices.Contains(seen, what) {
			seen = append(seen, what)
		}
	}
	eventually(t, "the health check is 200", func() bool {
		version, err := insecure().Get(am.URL() + "/services/Version")
		if err != nil {
			return false
		}
		version.Body.Close()
		note("version " + version.Status[:3])
		status := send(t, "GET", am.URL()+health, anonymous, nil).status
		note("health " + http.StatusText(status))
		note("portal " + http.StatusText(send(t, "GET", am.URL()+"/publisher", anonymous, nil).status))
		return status == 200
	})
	want := "version 404, health Not Found, portal Not Found, version 200, health Internal Server Error, portal Found, health OK"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("seen %s\nwant %s", got, want)
	}
}

func TestTheNumberOfTheProcessIsLeftBehind(t *testing.T) {
	p := newPair(t)
	p.startIS()
	path := filepath.Join(p.isHome, "wso2carbon.pid")
	while := readFile(t, path)
	number, padding, _ := strings.Cut(string(while), "\n")
	if number != strconv.Itoa(os.Getpid()) || len(while) != 100 || strings.Trim(padding, "\x00") != "" {
		t.Errorf("the file holds %q", while)
	}
	if err := p.is.Close(); err != nil {
		t.Fatal(err)
	}
	if after := readFile(t, path); string(after) != string(while) {
		t.Errorf("after the stop it holds %q", after)
	}
}

func TestTheFirstRESTCallHangsUntilTheWebApplicationIsThere(t *testing.T) {
	p := newPair(t)
	am, err := StartAM(t.Context(), Options{Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0",
		Delays: Delays{AMREST: 500 * time.Millisecond, AMReady: 500 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	send(t, "GET", am.URL()+publisherPath+"/apis", admin, nil).want(t, 200)
	if up := am.uptime(); up < 500*time.Millisecond {
		t.Errorf("answered after %s", up)
	}
}

func TestISRefusesUntilItIsUpAndAnswersNonsenseWhileItStops(t *testing.T) {
	p := newPair(t)
	is, err := StartIS(t.Context(), Options{Home: p.isHome, Listen: "127.0.0.1:0", Delays: Delays{
		ISBoot: Span{2 * time.Second, 2 * time.Second}, ISStop: Span{time.Second, time.Second},
	}})
	if err != nil {
		t.Fatal(err)
	}
	discovery := is.URL() + "/oauth2/token/.well-known/openid-configuration"
	if _, err := insecure().Get(discovery); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("while it boots it answers with %v, want a refused connection", err)
	}
	p.wait(is)
	if got := send(t, "GET", discovery, anonymous, nil).want(t, 200); got.str("issuer") != is.Issuer() {
		t.Errorf("the issuer is %q, want %q", got.str("issuer"), is.Issuer())
	}
	closed := make(chan error)
	go func() { closed <- is.Close() }()
	eventually(t, "a redirect to the login page", func() bool { return send(t, "GET", discovery, anonymous, nil).status == 302 })
	eventually(t, "200 with nothing in it", func() bool {
		got := send(t, "GET", discovery, anonymous, nil)
		return got.status == 200 && got.text == ""
	})
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := insecure().Get(discovery); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed server answers with %v", err)
	}
}

func TestAPortThatSomebodyElseOpensFirstEndsTheStart(t *testing.T) {
	p := newPair(t)
	is, err := StartIS(t.Context(), Options{Home: p.isHome, Listen: "127.0.0.1:0", Delays: Delays{ISBoot: Span{2 * time.Second, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	defer is.Close()
	other, err := bind(is.port.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	l, err := other.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := is.Wait(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("waiting ends with %v, want an address in use", err)
	}
	if _, err := StartIS(t.Context(), Options{Home: p.isHome, Listen: l.Addr().String()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a start on a port in use ends with %v", err)
	}
}

func TestMisleadingProbesOfIS(t *testing.T) {
	p := newPair(t)
	p.startIS()
	if got := send(t, "GET", p.is.URL()+"/api/health-check/v1.0/health", anonymous, nil).want(t, 200); strings.TrimSpace(got.text) != `{"health":[]}` {
		t.Errorf("health is %s", got.text)
	}
	send(t, "GET", p.is.URL()+"/services/Version", anonymous, nil).want(t, 500)
	send(t, "GET", p.is.URL()+"/no/such/path", anonymous, nil).want(t, 302)
}

func TestTheHealthCheckTakesNoWrongCredentials(t *testing.T) {
	p := newPair(t)
	p.startAM()
	health := p.am.URL() + "/api/am/gateway/v2/server-startup-healthcheck"
	if got := send(t, "GET", health, anonymous, nil).want(t, 200); got.text != "" {
		t.Errorf("the body is %q", got.text)
	}
	send(t, "GET", health, basic("admin", "nope"), nil).want(t, 401)
}

func TestScaledDelaysKeepTheirOrder(t *testing.T) {
	real, tenth := RealDelays(), RealDelays().Scale(0.1)
	if tenth.AMReady != real.AMReady/10 || tenth.Deploy.Max != real.Deploy.Max/10 {
		t.Errorf("a tenth is %+v", tenth)
	}
	order := []time.Duration{tenth.AMPorts, tenth.AMVersion, tenth.AMHealth, tenth.AMPortal, tenth.AMREST, tenth.AMReady}
	if !slices.IsSorted(order) || order[0] == 0 {
		t.Errorf("the steps come at %v", order)
	}
	if RealDelays().Scale(0) != (Delays{}) {
		t.Error("none of it is not none")
	}
}
