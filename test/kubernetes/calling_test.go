//go:build kubernetes

package kubernetes

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/testenv"
)

// forward reaches a port of a Service from this machine, until close is called.
func (w *world) forward(service string, port int) (base string, close func()) {
	w.t.Helper()
	cmd := exec.Command("kubectl", "--namespace", namespace, "port-forward", "service/"+service, ":"+strconv.Itoa(port))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	close = func() { cmd.Process.Kill(); cmd.Wait() }
	_, rest, ok := strings.Cut(line, "127.0.0.1:")
	local, _, _ := strings.Cut(rest, " ")
	if err != nil || !ok {
		close()
		return "", nil
	}
	return "https://127.0.0.1:" + local, close
}

// ask calls do with a client and an address for a port of a Service; it is done again until it succeeds.
func (w *world) ask(what, service string, port int, do func(client *http.Client, base string) error) {
	w.t.Helper()
	var err error
	defer func() {
		if w.t.Failed() && err != nil {
			w.t.Logf("%s: %v", what, err)
		}
	}()
	w.eventually(time.Minute, what, func() bool {
		base, close := w.forward(service, port)
		if close == nil {
			return false
		}
		defer close()
		err = do(w.client(), base)
		return err == nil
	})
}

// client trusts the certificate that API-M's agent has in place, as a person does with curl --cacert.
func (w *world) client() *http.Client {
	w.t.Helper()
	pool := x509.NewCertPool()
	if pem := w.must("exec", "wso2am-0", "-c", "agent", "--", "/agent", "certs", "export", "--alias", "tls",
		"--keystore", "/home/wso2carbon/wso2-config-volume/repository/resources/security/wso2agent-tls.p12"); !pool.AppendCertsFromPEM([]byte(pem)) {
		w.t.Fatalf("no certificate of API-M's: %s", pem)
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "wso2am"}, DisableKeepAlives: true,
	}}
}

// works makes sure that an API answers through the gateway with a token of IS.
func (w *world) works() {
	w.t.Helper()
	nonce := strconv.FormatInt(time.Now().UnixNano(), 36)
	w.ask("an API answers", "gateway", 8243, func(client *http.Client, base string) error {
		token, err := w.try("exec", "wso2am-0", "-c", "agent", "--", "/agent", "token")
		if err != nil {
			return fmt.Errorf("agent token: %v: %s", err, token)
		}
		req, err := http.NewRequest("GET", base+"/payments/1.0.0/pay?nonce="+nonce, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), nonce) || !strings.Contains(string(body), `"path":"/pay"`) {
			return fmt.Errorf("HTTP %d, %v: %s", resp.StatusCode, err, body)
		}
		return nil
	})
}

// made is everything that bootstrap makes, by id.
func (w *world) made() (things []string) {
	w.t.Helper()
	w.ask("API-M tells what it has", "wso2am", 9443, func(client *http.Client, base string) (err error) {
		things, err = testenv.Made(client, base, "admin")
		if testenv.Count(things, "application wso2agent-verify-") > 0 {
			return errors.New("a verification is under way")
		}
		return err
	})
	return things
}

// wantMade makes sure that nothing was made twice, or anew.
func (w *world) wantMade(want []string) {
	w.t.Helper()
	if got := w.made(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("made before:\n%s\nand now:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// wantComplete makes sure that everything of the example is there once.
func (w *world) wantComplete() {
	w.t.Helper()
	made := w.made()
	for what, want := range map[string]int{"API ": 6, "revision ": 6, "subscription ": 5, "manager of keys ": 2, "application ": 2, "key ": 1} {
		if got := testenv.Count(made, what); got != want {
			w.t.Errorf("%d of %q, want %d:\n%s", got, what, want, strings.Join(made, "\n"))
		}
	}
}
