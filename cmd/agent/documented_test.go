package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
	"wso2agent/internal/wso2sim"
)

// installation is two stand-ins and their agents, in which the documented commands run as they stand.
type installation struct {
	t     *testing.T
	dir   string
	env   map[string][]string // by product
	tried []string            // the command lines that have run
	codes map[string]int      // those that have failed, with their exit codes
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, dir: t.TempDir(), env: map[string][]string{}, codes: map[string]int{}}
	backend, err := wso2sim.StartBackend("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	apis, err := os.ReadFile("../../examples/api-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	i.write("api-config.yaml", string(regexp.MustCompile(`(?m)(backend_url: *)\S+`).ReplaceAll(apis, []byte("${1}"+backend.URL()))))
	i.write("am-admin", "admin\n")
	// The entrypoint of the image, which runs the server in the foreground.
	i.write("docker-entrypoint.sh", "#!/bin/sh\nexec \"$STANDIN\"\n")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]string{}
	for _, name := range []string{"AM_PORT", "IS_PORT", "GW_PORT"} {
		ports[name] = unused(t)
	}
	for _, product := range []string{"is", "am"} {
		home, volume := filepath.Join(i.dir, product, "home"), filepath.Join(i.dir, product, "volume")
		if err := wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(volume, "repository"), os.DirFS(filepath.Join(home, "repository"))); err != nil {
			t.Fatal(err)
		}
		i.env[product] = []string{
			"PATH=" + filepath.Dir(i.link("bin/agent", exe)) + ":" + os.Getenv("PATH"), "STANDIN=" + i.link("bin/wso2sim-"+product, exe),
			"EXCHANGE_DIR=" + filepath.Join(i.dir, "exchange"), "CONFIG_DIR=" + volume, "SERVER_HOME=" + home, "ARTIFACTS=none",
			"AM_PORT=" + ports["AM_PORT"], "IS_PORT=" + ports["IS_PORT"], "GW_PORT=" + ports["GW_PORT"], "KM_TOKEN_ENDPOINT=https://wso2is:" + ports["IS_PORT"] + "/oauth2/token",
			"TLS_MODE=issue", "POLL_INTERVAL=200ms", "QUIET_MIN=50ms", "LISTEN_ADDR=127.0.0.1:0", "LOG_FORMAT=text",
			"API_CONFIG=" + filepath.Join(i.dir, "api-config.yaml"), "KEYS_FILE=" + filepath.Join(i.dir, "keys.json"), nameServer + "=" + serveNames(t),
		}
	}
	for _, volume := range []string{"exchange", "agent"} {
		if err := os.Mkdir(filepath.Join(i.dir, volume), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// link makes a link to a file, and returns its path.
func (i *installation) link(name, target string) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil && !os.IsExist(err) {
		i.t.Fatal(err)
	}
	return path
}

func (i *installation) write(name, content string) {
	i.t.Helper()
	if err := os.WriteFile(filepath.Join(i.dir, name), []byte(content), 0o755); err != nil {
		i.t.Fatal(err)
	}
}

// copy copies a file of a server's config volume to where the commands run.
func (i *installation) copy(product, path string) {
	i.t.Helper()
	data, err := os.ReadFile(filepath.Join(i.dir, product, "volume", path))
	if err != nil {
		i.t.Fatal(err)
	}
	i.write(filepath.Base(path), string(data))
}

// await waits for a file that a command makes.
func (i *installation) await(name string) {
	i.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(i.dir, name)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("not within 30 s: %s", name)
		}
	}
}

// command prepares a command line as it stands in a page, but for the folders, which are those of a container.
func (i *installation) command(product, line string) (*exec.Cmd, *bytes.Buffer) {
	i.tried = append(i.tried, line)
	here := strings.NewReplacer("/run/secrets/", i.dir+"/", "/agent/agent ", i.dir+"/agent/agent ", "install /agent", "install "+i.dir+"/agent", "/home/wso2carbon/", i.dir+"/")
	cmd := exec.Command("sh", "-c", "exec env "+here.Replace(line))
	cmd.Dir, cmd.Env = i.dir, i.env[product]
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run runs a command to its end, which is to be code and to have said text.
func (i *installation) run(product string, code int, text, line string) {
	i.t.Helper()
	cmd, out := i.command(product, line)
	err := cmd.Run()
	if cmd.ProcessState == nil {
		i.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(out.String(), text) {
		i.t.Fatalf("%s: exit code %d, want %d and %q in\n%s", line, got, code, text, out)
	}
	if code != 0 {
		i.codes[line] = code
	}
}

// start starts a command that stays until stop, which wants it to end with 0, having said text.
func (i *installation) start(product, line string) (stop func(text string)) {
	i.t.Helper()
	cmd, out := i.command(product, line)
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	i.t.Cleanup(func() {
		if !stopped {
			cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			i.t.Logf("%s:\n%s", line, out)
		}
	})
	return func(text string) {
		i.t.Helper()
		cmd.Process.Signal(syscall.SIGTERM)
		err := <-ended
		stopped = true
		if err != nil || !strings.Contains(out.String(), text) {
			i.t.Fatalf("%s: %v, want 0 and %q in\n%s", line, err, text, out)
		}
	}
}

// wantKeysAsShown compares the file of the application's keys with the README, which shows its mode and the names in it.
func (i *installation) wantKeysAsShown() {
	i.t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		i.t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "with mode 0600:\n\n```json\n")
	shown, _, _ = strings.Cut(shown, "```")
	path := filepath.Join(i.dir, "keys.json")
	written, err := os.ReadFile(path)
	if err != nil {
		i.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		i.t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		i.t.Errorf("the keys' file has mode %o, and the README says 0600", mode)
	}
	if got, want := names(i.t, written), names(i.t, []byte(shown)); !slices.Equal(got, want) {
		i.t.Errorf("the keys' file has the names %q, and the README shows %q", got, want)
	}
}

// names are the names of a JSON object and of the objects in it, with dots between.
func names(t *testing.T, object []byte) (all []string) {
	t.Helper()
	var values map[string]json.RawMessage
	if err := json.Unmarshal(object, &values); err != nil {
		t.Fatalf("%v in %s", err, object)
	}
	for name, value := range values {
		all = append(all, name)
		if bytes.HasPrefix(value, []byte("{")) {
			for _, inner := range names(t, value) {
				all = append(all, name+"."+inner)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Every command line of the agent in README and docs runs, as it stands there, in one installation from its first start on.
func TestDocumentedCommands(t *testing.T) {
	i := newInstallation(t)
	documented := pages.Commands(t)
	for _, c := range documented {
		if variable, ok := strings.CutPrefix(c.Line, "export "); ok {
			i.env["is"], i.env["am"] = append(i.env["is"], variable), append(i.env["am"], variable)
			i.tried = append(i.tried, c.Line)
		}
	}
	i.copy("is", "repository/conf/deployment.toml") // as the product ships it

	amInit, _ := i.command("am", "PRODUCT=am AM_HOST=wso2am agent init")
	if err := amInit.Start(); err != nil {
		t.Fatal(err)
	}
	i.run("is", 0, "ready for the server's start", "PRODUCT=is agent init")
	if err := amInit.Wait(); err != nil {
		t.Fatal("init next to API-M:", err)
	}
	i.run("is", 0, "", "agent install /agent")
	stopIS := i.start("is", "/agent/agent exec -- /home/wso2carbon/docker-entrypoint.sh")
	stopAM := i.start("am", "/agent/agent exec -- /home/wso2carbon/docker-entrypoint.sh")
	i.await("is/volume/.agent/started.json")
	i.await("am/volume/.agent/started.json")
	stopISAgent := i.start("is", "PRODUCT=is agent run")
	i.run("am", 0, "everything works", "PRODUCT=am IS_HOST=wso2is AM_HOST=wso2am API_CONFIG=api-config.yaml KEYS_FILE=keys.json agent bootstrap")
	i.wantKeysAsShown()
	before := i.env["am"]
	i.env["am"] = append(slices.Clone(before), "PRODUCT=am", "AM_HOST=wso2am")
	i.run("am", 0, "plan: no differences", "agent plan api-config.yaml")
	i.run("am", 0, `"update": 0`, "agent plan --json api-config.yaml")
	i.run("am", 0, "plan: no differences", "agent plan --out plan.json api-config.yaml")
	i.run("am", 0, "apply: nothing to change", "agent apply api-config.yaml")
	i.run("am", 0, "apply: nothing to change", "agent apply --full api-config.yaml")
	i.run("am", 0, "apply: nothing to change", "agent apply --plan plan.json")
	i.run("am", 0, "- name: NotificationAPI", "agent dump")
	i.run("am", 0, "", "agent dump --out state --identity")
	i.run("am", 0, "- name: NotificationAPI", "agent dump --api NotificationAPI")
	i.run("am", 0, "failed: 0", "agent verify")
	i.run("am", 0, "failed: 0", "agent verify --write --junit junit.xml")
	i.run("am", 0, "km.jwks", "agent verify --only km,trust.am")
	i.run("am", 0, "km.jwks", "agent verify --only km")
	i.run("am", 0, `"failed": 0`, "agent verify --write --json")
	i.run("am", 0, "gateway.revoked", "agent verify --list")
	i.run("am", 0, "another password in IS and in API-M", "agent km rotate-password")
	i.run("am", 0, "clients: 0, owned by the administrator of IS: 0", "agent km clients")
	i.run("am", 0, "found: 0, of these agent doctor --fix repairs: 0, not examined: 0", "agent doctor")
	i.run("am", 0, "km.disabled", "agent doctor --list")
	i.run("am", 0, "wrote support.tar.gz (mode 0600): found: 0, not examined: 0", "agent doctor bundle support.tar.gz")
	i.toolkit()
	i.run("am", 0, "apply: ", "agent apply api-config.yaml") // makes again what the toolkit has deleted
	i.tokens()
	i.env["am"] = before
	stopAMAgent := i.start("am", "PRODUCT=am AM_HOST=wso2am KEY_MANAGER_NAME=WSO2-IS AM_ADMIN_PASS_FILE=/run/secrets/am-admin agent run")

	i.env["is"] = append(i.env["is"], "PRODUCT=is")
	i.run("is", 0, "applications: ", "agent scopes sync")
	i.run("is", 0, `"applications"`, "agent scopes sync --json")
	i.run("is", 0, "applications: ", "agent scopes status")
	i.run("is", 0, `"applications"`, "agent scopes status --json")

	i.write("client-truststore.jks", "no store")
	i.run("am", 1, "error", "agent certs check --store client-truststore.jks")
	i.copy("am", "repository/resources/security/client-truststore.jks")
	i.run("am", 0, "wso2is", "agent certs list --store client-truststore.jks")
	i.run("am", 0, `"alias": "wso2is"`, "agent certs list --store client-truststore.jks --json")
	i.run("am", 0, "wso2is", "agent certs show --store client-truststore.jks --alias wso2is")
	i.run("am", 0, "0 errors", "agent certs check --store client-truststore.jks")
	i.run("am", 0, `"findings"`, "agent certs check --store client-truststore.jks --json")
	i.run("am", 0, "BEGIN CERTIFICATE", "agent certs export --store client-truststore.jks --alias wso2is")
	pem, err := os.ReadFile(filepath.Join(i.dir, "exchange/wso2am/certs.pem"))
	if err != nil {
		t.Fatal(err)
	}
	i.write("wso2is.pem", string(pem)) // another one than that of the alias
	i.run("am", 1, "--replace", "agent certs import --store client-truststore.jks --alias wso2is --cert wso2is.pem")
	i.run("am", 0, "wso2is", "agent certs import --store client-truststore.jks --alias wso2is --cert wso2is.pem --replace")
	i.run("am", 0, "wso2is", "agent certs delete --store client-truststore.jks --alias wso2is")

	i.run("am", 0, "no mistakes", "agent validate api-config.yaml")
	i.run("am", 0, "[]", "agent validate --json api-config.yaml")
	i.run("am", 0, "json-schema.org", "agent schema")

	i.run("is", 2, "+", "agent config diff --product is --file deployment.toml")
	i.run("is", 0, "", "agent config apply --product is --file deployment.toml")
	i.run("is", 0, "", "agent config diff --product is --file deployment.toml")

	stopISAgent("agent stopped")
	i.env["is"] = append(i.env["is"], "SERVER_NAME=wso2is")
	i.run("is", 0, "next rotations without a restart", "agent certs list --pool")
	i.run("is", 0, "is requested", "agent certs rotate")
	i.run("is", 0, "throws the successors away", "agent certs rotate --compromised")
	stopAMAgent("agent stopped")
	stopAM("server started")
	stopIS("server started")

	for _, c := range documented {
		line := strings.Join(strings.Fields(c.Line), " ")
		if !slices.Contains(i.tried, line) {
			t.Errorf("this test does not run this command of README or docs:\n%s", line)
		}
		if code, failed := i.codes[line]; failed && !regexp.MustCompile(fmt.Sprintf(`(exit code|exits with|ends with) %d\b`, code)).MatchString(c.Comment) {
			t.Errorf("the comment behind this command does not name its exit code %d: %s\n%s", code, c.Comment, line)
		}
	}
}

// toolkit runs the commands for single objects.
func (i *installation) toolkit() {
	i.t.Helper()
	for _, c := range []struct {
		code       int
		text, line string
	}{
		{0, "WSO2-IS", "agent km list"},
		{0, "issuer:", "agent km show WSO2-IS"},
		{0, "registered", "agent km register"},
		{0, "disabled", "agent km disable WSO2-IS --yes"},
		{0, "enabled", "agent km enable WSO2-IS"},
		{4, `no key manager "Okta"`, "agent km delete Okta --yes"},
		{0, "NotificationAPI", "agent apis list"},
		{0, "PUBLISHED", "agent apis show NotificationAPI:1.0.0"},
		{0, "deployed in Default", "agent apis deploy NotificationAPI"},
		{0, "deployed in Default", "agent apis deploy NotificationAPI --env Default"},
		{0, "BLOCKED, was PUBLISHED", "agent apis lifecycle NotificationAPI blocked"},
		{0, "PUBLISHED, was BLOCKED", "agent apis lifecycle NotificationAPI published"},
		{0, "application Shop: created", `agent apps create Shop --description "The web shop"`},
		{0, "subscribed", "agent subscriptions add Shop NotificationAPI"},
		{0, "NotificationAPI", "agent subscriptions list --app Shop"},
		{0, "Shop", "agent subscriptions list --api NotificationAPI"},
		{0, "(secret)", "agent apps keys Shop --generate --key-manager WSO2-IS"},
		{0, "SANDBOX", "agent apps keys Shop --generate --sandbox --key-manager WSO2-IS"},
		{0, `"consumerSecret"`, "agent apps keys Shop --show-secrets --json"},
		{4, "has no production key", "agent apps secrets Shop --key-manager 'Resident Key Manager'"},
		{0, "The web shop", "agent apps show Shop"},
		{0, "Shop", "agent apps list"},
		{0, "Shop", "agent apps list --all-users"},
		{0, "Shop (PRODUCTION)", "agent clients list"},
		{0, `"application": "Shop (SANDBOX)"`, "agent clients list --json"},
		{0, "deleted the sandbox key", "agent apps keys Shop --delete --sandbox --key-manager WSO2-IS --yes"},
		{4, `no client "reporting"`, "agent clients show reporting"},
		{4, `no client "reporting"`, "agent clients delete reporting --yes"},
		{0, "deleted the subscription", "agent subscriptions delete Shop NotificationAPI --yes"},
		{0, "deleted application Shop", "agent apps delete Shop --yes"},
		{0, "deleted API NotificationAPI:1.0.0", "agent apis delete NotificationAPI --with-subscriptions --yes"},
	} {
		i.run("am", c.code, c.text, c.line)
	}
}

// tokens runs the commands for tokens, calls, users and roles.
func (i *installation) tokens() {
	i.t.Helper()
	i.write("password", "aB3aB3aB3\n")
	i.run("am", 0, "password, shown only now: ", "agent users create ann --email ann@example.com")
	i.run("am", 0, "user bob: created", "agent users create bob --password-stdin < password")
	i.run("am", 0, "ann@example.com", "agent users list")
	i.run("am", 0, "its tokens have ended", "agent users password ann")
	i.run("am", 0, "deleted user ann", "agent users delete ann --yes")
	i.run("am", 0, "role Clerk: created", "agent roles create Clerk")
	i.run("am", 0, "role Clerk: assigned to bob", "agent roles assign Clerk bob")
	i.run("am", 0, "everyone", "agent roles list")
	i.run("am", 0, "role Clerk: taken from bob", "agent roles unassign Clerk bob")
	i.run("am", 0, "deleted role Clerk", "agent roles delete Clerk --yes")
	i.run("am", 0, "", "KEY_MANAGER_NAME=WSO2-IS agent apply api-config.yaml") // so that the users of IS get tokens
	i.run("am", 0, "eyJ", "agent token")
	i.run("am", 0, "warning: not granted: openid", "agent token --app 'Agent Application' --scope openid")
	i.run("am", 0, "eyJ", "agent token --key-manager 'Resident Key Manager'")
	i.run("am", 0, "expires in", "agent token --decode")
	i.run("am", 0, `"access_token": "eyJ`, "agent token --json --show-secrets")
	i.run("am", 0, "eyJ", "agent token --grant password --user bob --password-stdin < password")
	i.run("am", 0, "", "agent token > token.txt")
	i.run("am", 0, "verified, RS256", "agent token inspect token.txt")
	i.run("am", 0, "not verified", "agent token inspect --offline token.txt")
	i.run("am", 0, `"active": true`, "agent token introspect --json token.txt")
	i.run("am", 0, "revocation accepted: a token of application Agent Application", "agent token revoke token.txt")
	i.run("am", 1, "the token is not active", "agent token introspect token.txt")
	i.run("am", 0, "200 OK", "agent call NotificationAPI")
	i.run("am", 0, "200 OK", "agent call 'Payment API:1.0.0' '/payments?limit=5' --header 'X-Trace: 1'")
	i.run("am", 0, `"status": 200`, "agent call /payments/1.0.0/ --json")
	i.run("am", 0, "200 OK", "agent token | agent call NotificationAPI --token-stdin")
}

// nameServer is the variable that names the address of [serveNames] to this program's commands.
const nameServer = "TEST_NAME_SERVER"

// serveNames answers every question for the address of a name with 127.0.0.1, so that servers may have the names that the
// documentation gives them. It returns its own address.
func serveNames(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		question := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			if answer := localhostFor(question[:n]); answer != nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// localhostFor is the answer of RFC 1035 to one question: 127.0.0.1 to that for an A record, nothing to any other.
func localhostFor(question []byte) []byte {
	const header, typeA = 12, 1
	end := header + bytes.IndexByte(question[min(header, len(question)):], 0) + 5 // behind the name, type and class
	if end < header+5 || end > len(question) {
		return nil
	}
	answer := []byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}
	answer = append(answer, question[header:end]...)
	if question[end-3] == typeA {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return answer
}

// resolveNames makes this process ask the name server of a test, if there is one.
func resolveNames() {
	if address := os.Getenv(nameServer); address != "" {
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", address)
		}}
	}
}

// standInMain runs a stand-in as the product's image does, in the foreground until TERM.
func standInMain(product string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listen := func(port string) string { return net.JoinHostPort("127.0.0.1", os.Getenv(port)) }
	o := wso2sim.Options{Home: os.Getenv("SERVER_HOME"), ConfigVolume: os.Getenv("CONFIG_DIR"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	var server interface {
		Wait(context.Context) error
		Close() error
	}
	var err error
	if product == "is" {
		o.Listen = listen("IS_PORT")
		server, err = wso2sim.StartIS(ctx, o)
	} else {
		o.Listen, o.Gateway = listen("AM_PORT"), listen("GW_PORT")
		server, err = wso2sim.StartAM(ctx, o)
	}
	if err != nil {
		return fmt.Errorf("start the stand-in: %w", err)
	}
	<-ctx.Done()
	return server.Close()
}

// unused is a TCP port that nobody uses.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
