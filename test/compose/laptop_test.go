//go:build compose

package compose

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
)

// laptop has both servers in plain containers, without an agent next to them, and a program agent on this machine.
type laptop struct {
	t              *testing.T
	dir, agent     string
	is, am, api    string // ports of this machine
	isHome, amHome string // in the containers
	env            []string
}

const (
	laptopName = "wso2agent-test-laptop"
	security   = "/repository/resources/security"
	onVolume   = "/home/wso2carbon/wso2-config-volume"
)

// imageOf is the image that a variable names, or another one.
func imageOf(variable, otherwise string) string { return cmp.Or(os.Getenv(variable), otherwise) }

// homeOf is the home of the server in a container: the one that its image names, or another one.
func (l *laptop) homeOf(name, otherwise string) string {
	l.t.Helper()
	for line := range strings.Lines(l.docker("inspect", "-f", "{{range .Config.Env}}{{println .}}{{end}}", laptopName+name)) {
		if home, is := strings.CutPrefix(strings.TrimSpace(line), "WSO2_SERVER_HOME="); is {
			return home
		}
	}
	return otherwise
}

func (l *laptop) docker(args ...string) string { l.t.Helper(); return run(l.t, "docker", args...) }

func (l *laptop) remove() {
	exec.Command("docker", "rm", "-fv", laptopName+"-is", laptopName+"-am", laptopName+"-backend").Run() // they may not be there
	exec.Command("docker", "volume", "rm", laptopName).Run()
	exec.Command("docker", "network", "rm", laptopName).Run()
}

// newLaptop starts the servers. IS has its stores and settings on a config volume, API-M in its container alone.
func newLaptop(t *testing.T) *laptop {
	t.Helper()
	l := &laptop{t: t, dir: t.TempDir(), is: freePort(t), am: freePort(t), api: freePort(t)}
	l.agent = filepath.Join(l.dir, "agent")
	run(t, "go", "build", "-o", l.agent, "./cmd/agent")
	l.remove()
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"-is", "-am"} {
				out, _ := exec.Command("docker", "logs", "--tail", "40", laptopName+name).CombinedOutput()
				t.Logf("%s:\n%s", name, out)
			}
		}
		l.remove()
	})
	l.docker("network", "create", laptopName)
	l.docker("volume", "create", laptopName)
	l.docker("create", "--name", laptopName+"-is", "--network", laptopName, "-p", "127.0.0.1:"+l.is+":9443", "-v", laptopName+":"+onVolume, "--stop-timeout", "60", imageOf("IS_IMAGE", "wso2/wso2is:7.1.0"))
	l.docker("create", "--name", laptopName+"-am", "--network", laptopName, "-p", "127.0.0.1:"+l.am+":9443", "-p", "127.0.0.1:"+l.api+":8243", "--stop-timeout", "60", imageOf("AM_IMAGE", "wso2/wso2am:4.5.0"))
	l.isHome, l.amHome = l.homeOf("-is", "/home/wso2carbon/wso2is-7.1.0"), l.homeOf("-am", "/home/wso2carbon/wso2am-4.5.0")
	l.docker("run", "-d", "--name", laptopName+"-backend", "--network", laptopName, imageOf("AGENT_IMAGE", "wso2agent:latest"), "backend", ":8080")
	// With the host name that the guide sets, since both servers have the same issuer as shipped. Archives keep the owner.
	toml := filepath.Join(l.dir, "deployment.toml")
	l.docker("cp", laptopName+"-is:"+l.isHome+"/repository/conf/deployment.toml", toml)
	text, err := os.ReadFile(toml)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(l.dir, "volume/repository/conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`hostname = "localhost"`), []byte(`hostname = "wso2is"`), 1)
	if err := os.WriteFile(filepath.Join(l.dir, "volume/repository/conf/deployment.toml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	l.docker("cp", filepath.Join(l.dir, "volume")+"/.", laptopName+"-is:"+onVolume)
	run(t, "sh", "-c", "mkdir "+l.dir+"/r && docker cp "+laptopName+"-is:"+l.isHome+"/repository/resources - | tar -C "+l.dir+"/r -xf - && "+
		"tar -C "+l.dir+"/r --owner=802 --group=802 -cf - resources | docker cp -a - "+laptopName+"-is:"+onVolume+"/repository")
	l.docker("start", laptopName+"-is", laptopName+"-am")
	if real() { // else agent up may restart a server whose first start then never comes to its end
		l.await("the first start of both servers", func() bool { return l.starts("-is") == 1 && l.starts("-am") == 1 })
	}
	file := filepath.Join(l.dir, "api-config.yaml")
	desired := "rest_apis:\n- {name: Payments, context: /payments, version: 1.0.0, backend_url: 'http://" + laptopName + "-backend:8080'}\n" +
		"application: {name: Shop, throttling_policy: Unlimited}\nsubscriptions:\n- {api_name: Payments, throttling_policy: Unlimited}\n"
	if err := os.WriteFile(file, []byte(desired), 0o644); err != nil {
		t.Fatal(err)
	}
	l.env = append(os.Environ(), "IS_CONTAINER="+laptopName+"-is", "AM_CONTAINER="+laptopName+"-am", "KEY_MANAGER_NAME=WSO2-IS", "GW_PORT="+l.api, "LOG_FORMAT=text")
	return l
}

// command runs the agent on this machine, which must succeed, and returns what it prints.
func (l *laptop) command(args ...string) string {
	l.t.Helper()
	cmd := exec.Command(l.agent, args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("agent %v: %v\n%s\n%s", args, err, out, stderr.String())
	}
	return string(out)
}

// shell runs a block of the pages, with the ports and the names of this test.
func (l *laptop) shell(b pages.Block) string {
	l.t.Helper()
	text := strings.NewReplacer("localhost:9443", "localhost:"+l.is, "localhost:9444", "localhost:"+l.am, "shop-wso2is-1", laptopName+"-is", "shop-wso2am-1", laptopName+"-am", "'Payment API'", "Payments").Replace(b.Text)
	cmd := exec.Command("sh", "-e", "-c", text)
	cmd.Dir, cmd.Env = l.dir, append(l.env, "PATH="+l.dir+":"+os.Getenv("PATH"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s\n%s", text, err, out, stderr.String())
	}
	return string(out)
}

func (l *laptop) up() string {
	l.t.Helper()
	return l.command("up", "--is", "https://localhost:"+l.is, "--am", "https://localhost:"+l.am)
}

// starts counts the starts of a server. Of a real server it counts those that have come to their end.
func (l *laptop) starts(name string) int {
	l.t.Helper()
	if real() {
		log, err := exec.Command("docker", "logs", laptopName+name).CombinedOutput()
		if err != nil {
			l.t.Fatal(err)
		}
		return strings.Count(string(log), startedReal)
	}
	return strings.Count(l.docker("exec", laptopName+name, "cat", "/home/wso2carbon/start.log"), "\n") + 1
}

// await waits for what containers bring about by themselves.
func (l *laptop) await(what string, holds func() bool) {
	l.t.Helper()
	limit := patience(time.Minute)
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			l.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// aliases are the lines of a truststore in a container.
func (l *laptop) aliases(container, path string) string {
	l.t.Helper()
	to := filepath.Join(l.dir, "store")
	l.docker("cp", laptopName+container+":"+path, to)
	return l.command("certs", "list", "--store", to)
}

func (l *laptop) stat(container, path string) string {
	return l.docker("exec", laptopName+container, "stat", "-c", "%u:%g %a", path)
}

// call calls the API with a token for the keys that up has written. The servers are this test's own, so it verifies no certificate.
func (l *laptop) call() (status int, body string) {
	l.t.Helper()
	var keys struct {
		Production struct{ ConsumerKey, ConsumerSecret string }
	}
	text, err := os.ReadFile(filepath.Join(l.dir, "application-keys.json"))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	client := &http.Client{Timeout: patience(30 * time.Second), Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // of this test's own servers
	do := func(req *http.Request, err error) (int, []byte) {
		l.t.Helper()
		if err != nil {
			l.t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			l.t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			l.t.Fatal(err)
		}
		return resp.StatusCode, text
	}
	req, err := http.NewRequest(http.MethodPost, "https://localhost:"+l.is+"/oauth2/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err == nil {
		req.SetBasicAuth(keys.Production.ConsumerKey, keys.Production.ConsumerSecret)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if status, text := do(req, err); json.Unmarshal(text, &token) != nil || token.AccessToken == "" {
		l.t.Fatalf("no token: %d, %s", status, text)
	}
	if req, err = http.NewRequest(http.MethodGet, "https://localhost:"+l.api+"/payments/1.0.0/pay", nil); err == nil {
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	}
	status, answer := do(req, err)
	return status, string(answer)
}

// TestServersInPlainContainersAreConnectedFromALaptop: both servers without an agent, and agent up on this machine.
func TestServersInPlainContainersAreConnectedFromALaptop(t *testing.T) {
	l := newLaptop(t)
	isStore, amStore := onVolume+"/repository/resources/security/client-truststore.p12", l.amHome+security+"/client-truststore.jks"
	isOwner, amOwner := l.stat("-is", isStore), l.stat("-am", amStore)
	documented := pages.Blocks(t) // to connect the servers, to use them, and to take it back
	out := l.shell(documented[0])
	for _, part := range []string{
		"IS in container " + laptopName + "-is: trust wso2am ", "API-M in container " + laptopName + "-am: trust wso2is ",
		"IS in container " + laptopName + "-is: restart", "API-M in container " + laptopName + "-am: restart", "up: 4 steps, 5 changes on the servers, keys in application-keys.json; ",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in\n%s", part, out)
		}
	}
	if out := l.shell(documented[1]); !strings.Contains(out, "Shop ") || !strings.Contains(out, "\n200 OK in ") {
		t.Errorf("the other commands:\n%s", out)
	}
	if status, body := l.call(); status != 200 || !strings.Contains(body, `"path":"/pay"`) {
		t.Errorf("the API answers %d, %s", status, body)
	}
	if is, am := l.stat("-is", isStore), l.stat("-am", amStore); is != isOwner || am != amOwner || !strings.HasPrefix(is, "802:802 ") || !strings.HasPrefix(am, "10001:10001 ") {
		t.Errorf("the truststores belong to %s and %s, before to %s and %s", is, am, isOwner, amOwner)
	}
	if got := l.aliases("-is", l.isHome+security+"/client-truststore.p12"); !strings.Contains(got, "wso2am ") { // the entrypoint has copied it
		t.Errorf("the home of IS has\n%s", got)
	}
	if is, am := l.starts("-is"), l.starts("-am"); is != 2 || am != 2 {
		t.Errorf("%d and %d starts", is, am)
	}
	if out := l.up(); !strings.Contains(out, "no certificate to import, no server to restart\n") || !strings.Contains(out, "up: 0 steps, 0 changes on the servers") {
		t.Errorf("a second run:\n%s", out)
	}
	if is, am := l.starts("-is"), l.starts("-am"); is != 2 || am != 2 {
		t.Errorf("%d and %d starts after a second run", is, am)
	}
	if out := l.shell(documented[2]); !strings.Contains(out, "no longer trust wso2am") || strings.Count(out, ": restarted\n") != 2 || !strings.Contains(out, "  API Payments 1.0.0\n") {
		t.Errorf("uninstall:\n%s", out)
	}
	if is, am := l.aliases("-is", isStore), l.aliases("-am", amStore); strings.Contains(is, "wso2am ") || strings.Contains(am, "wso2is ") || !strings.Contains(is, "wso2carbon ") {
		t.Errorf("the truststores have\n%s\n%s", is, am)
	}
	l.await("the third start of both servers", func() bool { return l.starts("-is") == 3 && l.starts("-am") == 3 }) // uninstall does not wait until they serve
}
