package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
	"wso2agent/internal/wso2sim"
)

// launch runs the command until the test ends it, and returns its ready line and a function that does, which gives
// the exit code.
func launch(t *testing.T, args ...string) (ready string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, in, io.Discard)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no ready line, exit code %d", <-code)
	}
	go io.Copy(io.Discard, out) // nothing more is expected
	return strings.TrimSpace(line), func() int { cancel(); return <-code }
}

// get asks a server whose certificate this test does not judge.
func get(t *testing.T, address string) int {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestAServerServesFromAFreshHomeUntilItIsToldToEnd(t *testing.T) {
	for product, path := range map[string]string{
		wso2sim.ProductIS: "/oauth2/token/.well-known/openid-configuration",
		wso2sim.ProductAM: "/services/Version",
	} {
		home := filepath.Join(t.TempDir(), "home")
		ready, end := launch(t, product, "--home", home)
		words := strings.Fields(ready)
		if len(words) < 3 || words[0] != "ready" || words[1] != product {
			t.Fatalf("the ready line is %q", ready)
		}
		if status := get(t, words[2]+path); status != http.StatusOK {
			t.Errorf("%s answers %d", product, status)
		}
		if product == wso2sim.ProductAM && (len(words) != 5 || words[3] != "gateway") {
			t.Errorf("the ready line %q does not name the gateway", ready)
		}
		if code := end(); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if log, err := os.ReadFile(filepath.Join(home, "start.log")); err != nil || !strings.Contains(string(log), " "+product+"\n") {
			t.Errorf("the start log is %q: %v", log, err)
		}
	}
}

func TestTheSameIsServedInClearTextWhereThatIsAskedFor(t *testing.T) {
	for product, path := range map[string]string{
		wso2sim.ProductIS: "/oauth2/token/.well-known/openid-configuration",
		wso2sim.ProductAM: "/services/Version",
	} {
		ready, end := launch(t, product, "--home", filepath.Join(t.TempDir(), "home"), "--plain", "127.0.0.1:0")
		_, at, named := strings.Cut(ready, " plain ")
		if !named || !strings.HasPrefix(at, "http://") {
			t.Fatalf("the ready line %q does not name the plain port", ready)
		}
		if status := get(t, at+path); status != http.StatusOK {
			t.Errorf("%s answers %d", product, status)
		}
		end()
	}
}

func TestAServerLoadsAnotherCertificateInATenthOfASecondWhereThatIsAskedFor(t *testing.T) {
	home, other := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "other")
	for _, folder := range []string{home, other} {
		if err := wso2sim.UnpackWith(folder, wso2sim.ProductAM, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	const template = "repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2"
	text, err := os.ReadFile(filepath.Join(home, template))
	if err == nil {
		const line = `<Listener className="org.apache.catalina.security.TLSCertificateReloadListener" checkPeriod="10" daysBefore="36500"/>`
		err = os.WriteFile(filepath.Join(home, template), []byte(strings.Replace(string(text), `configuration">`, `configuration">`+line, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ready, end := launch(t, "am", "--home", home, "--reload-scale", "0.01", "--events", "127.0.0.1:0", "--websocket", "127.0.0.1:0")
	defer end()
	words := strings.Fields(ready)
	if len(words) != 9 || words[5] != "events" || words[7] != "websocket" {
		t.Fatalf("the ready line %q does not name the ports", ready)
	}
	leaf := func(address string) string {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{InsecureSkipVerify: true}) // what is shown is looked at, not trusted
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old := leaf(words[2])
	const store = "repository/resources/security/wso2carbon.jks"
	if err := os.Rename(filepath.Join(other, store), filepath.Join(home, store)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); leaf(words[2]) == old; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) { // half of the product's own ten seconds
			t.Fatal("the certificate is the one of the start")
		}
	}
	if leaf(words[6]) != old || leaf(words[8]) == old {
		t.Error("the port of events or that of WebSockets presents the wrong certificate")
	}
}

func TestTheBackendRepeatsTheNonce(t *testing.T) {
	ready, end := launch(t, "backend")
	defer end()
	resp, err := http.Get(strings.Fields(ready)[2] + "/a?nonce=mine")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"nonce":"mine"`) {
		t.Errorf("got %s: %v", body, err)
	}
}

func TestMistakesEndWithALineAndACode(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := wso2sim.UnpackWith(broken, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(broken, "repository/resources/security/wso2carbon.p12")
	if err := os.Truncate(store, 100); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"no arguments", nil, exitUsage, "usage:"},
		{"an unknown server", []string{"esb", "--home", "x"}, exitUsage, `"esb"`},
		{"an unknown flag", []string{"is", "--nosuch"}, exitUsage, "nosuch"},
		{"a negative delay", []string{"is", "--delay-scale", "-1"}, exitUsage, "usage:"},
		{"no time between two reloads", []string{"is", "--reload-scale", "0"}, exitUsage, "usage:"},
		{"no home", []string{"is"}, exitFailed, "--home"},
		{"a store that is cut short", []string{"is", "--home", broken}, exitFailed, "wso2carbon.p12"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := run(t.Context(), tc.args, io.Discard, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(stderr.String(), tc.say) {
				t.Errorf("stderr does not say %q: %s", tc.say, stderr.String())
			}
		})
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"-h"}, {"am", "--help"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != exitOK || stdout.String() != usage || stderr.Len() > 0 {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, &stdout, &stderr)
		}
	}
}

// build makes the command, for tests that end it in ways that only a process has.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "wso2sim")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// lines starts a process and gives what it prints; it is killed when the test ends.
func lines(t *testing.T, bin string, args ...string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	said := make(chan string, 10)
	go func() {
		defer close(said)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			said <- scan.Text()
		}
	}()
	return cmd, said
}

func next(t *testing.T, said <-chan string) []string {
	t.Helper()
	select {
	case line, ok := <-said:
		if !ok {
			t.Fatal("it has ended")
		}
		return strings.Fields(line)
	case <-time.After(30 * time.Second):
		t.Fatal("it says nothing")
	}
	return nil
}

// post sends a body as the admin, and returns the status.
func post(t *testing.T, address, contentType, body string) int {
	t.Helper()
	req, err := http.NewRequest("POST", address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", contentType)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestAKilledProcessLosesNothingThatItAcknowledged(t *testing.T) {
	bin, home := build(t), filepath.Join(t.TempDir(), "home")
	cmd, said := lines(t, bin, "am", "--home", home)
	at := next(t, said)[2]
	const apps = "/api/am/devportal/v3/applications"
	if status := post(t, at+apps, "application/json", `{"name":"App","throttlingPolicy":"Unlimited"}`); status != 201 {
		t.Fatalf("status %d", status)
	}
	cmd.Process.Kill()
	cmd.Wait()
	_, said = lines(t, bin, "am", "--home", home)
	if status := post(t, next(t, said)[2]+apps, "application/json", `{"name":"App","throttlingPolicy":"Unlimited"}`); status != 409 {
		t.Errorf("status %d: the application is not there", status)
	}
}

func TestTheProcessRestartsInPlaceAndEndsAsItsServerDoes(t *testing.T) {
	bin, home := build(t), filepath.Join(t.TempDir(), "home")
	if err := wso2sim.UnpackWith(home, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(home, "repository/conf/deployment.toml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("[server]\n"), []byte("[server]\nenable_restart_from_api = true\n"), 1)
	if err := os.WriteFile(settings, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := lines(t, bin, "is", "--home", home, "--control", "127.0.0.1:0")
	control := next(t, said)
	if control[0] != "control" {
		t.Fatalf("it says %q", control)
	}
	ready := next(t, said)
	body := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a:restart xmlns:a="http://org.apache.axis2/xsd"/></e:Body></e:Envelope>`
	if status := post(t, ready[2]+"/services/ServerAdmin", "text/xml", body); status != 200 {
		t.Fatalf("status %d", status)
	}
	if again := next(t, said); strings.Join(again, " ") != strings.Join(ready, " ") {
		t.Errorf("first %q, then %q", ready, again)
	}
	if log, err := os.ReadFile(filepath.Join(home, "start.log")); err != nil || bytes.Count(log, []byte("\n")) != 2 {
		t.Errorf("the start log is %q: %v", log, err)
	}
	if resp, err := http.Post(control[1]+"/_wso2sim/crash", "application/json", nil); err == nil { // a crash need not answer
		resp.Body.Close()
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 137 {
		t.Errorf("exit code %d", code)
	}
}

func TestARefusedConfigurationEndsTheProcessWithALine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if err := wso2sim.UnpackWith(home, wso2sim.ProductAM, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(home, "repository/conf/deployment.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n[keystore]\nx = 1\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"am", "--home", home}, io.Discard, &stderr); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(stderr.String(), "[keystore] stands after its sub-table keystore.tls") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("stderr is %s", stderr.String())
	}
}

// The commands of docs/stand-ins.md print what the page shows, here with folders and ports of the test's own.
func TestTheDocumentedStandInsStart(t *testing.T) {
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	for _, command := range pages.Commands(t) {
		args, ok := strings.CutPrefix(command.Line, "go run ./cmd/wso2sim ")
		if !ok {
			t.Fatalf("%s is no command of the stand-ins", command.Line)
		}
		own := map[string]string{"/tmp/": t.TempDir() + "/"}
		for _, a := range address.FindAllString(args, -1) {
			own[a] = unused(t)
		}
		for documented, instead := range own {
			args, command.Output = strings.ReplaceAll(args, documented, instead), strings.ReplaceAll(command.Output, documented, instead)
		}
		ready, end := launch(t, strings.Fields(args)...)
		if !command.Prints(ready) {
			t.Errorf("%s: the first line is %q, want %q", command.Line, ready, command.Output)
		}
		if code := end(); code != exitOK {
			t.Errorf("%s: exit code %d", command.Line, code)
		}
	}
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
