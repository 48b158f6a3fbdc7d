package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"wso2agent/internal/wso2sim"
)

// changing are the parts of outputs that differ from run to run, and what shown puts in their place.
var changing = []struct {
	what *regexp.Regexp
	in   string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "JWT"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+`), "$1:PORT"},
	{regexp.MustCompile(`(127\.0\.0\.1|localhost)%3A\d+`), "$1%3APORT"},
	{regexp.MustCompile(`[A-Z2-7]{26}-[a-z2-7]{8}-a0A`), "PASSWORD"},
	{regexp.MustCompile(`((?:state|code_challenge|client_id)=)[\w-]+`), "${1}VALUE"},
	{regexp.MustCompile(`("(?:kid|x5t)": )"[^"]+"`), `$1"KEY"`},
	{regexp.MustCompile(`[\w-]{80,}_RS256`), "KEY"},
	{regexp.MustCompile(`[\w-]{27}a\b`), "CLIENT"},
	{regexp.MustCompile(`user_code=\w+|the code [0-9a-f]{6}`), "USER CODE"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIMESTAMP"},
	{regexp.MustCompile(`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ GMT`), "DATE"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(s|ms|µs)\b`), "TIME"},
	{regexp.MustCompile(`("milliseconds": )\d+`), "${1}0"},
	{regexp.MustCompile(`\b1[7-9]\d{8}\b`), "SECONDS"},
}

// shown FILE GOLDEN compares an output with the expected one, in which words stand for what differs from run to run.
func shown(ts *testscript.TestScript, neg bool, args []string) {
	got := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "WORK")
	for _, c := range changing {
		got = c.what.ReplaceAllString(got, c.in)
	}
	if want := ts.ReadFile(args[1]); got != want {
		ts.Fatalf("%s is\n%s\nand not, as %s has it,\n%s", args[0], got, args[1], want)
	}
}

// backendFor FILE starts a backend, and writes its address into the file in place of http://BACKEND.
func backendFor(ts *testscript.TestScript, _ bool, args []string) {
	backend, err := wso2sim.StartBackend("127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { backend.Close() })
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "http://BACKEND", backend.URL())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// refreshToken FILE OUT writes the refresh token of an answer of a key manager to a file.
func refreshToken(ts *testscript.TestScript, _ bool, args []string) {
	var answer struct {
		Token string `json:"refresh_token"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &answer))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(answer.Token+"\n"), 0o600))
}

// login USER PASSWORD CODE PROGRAM [ARG...] runs a program that prints an address on stderr, at which a person logs in with a browser. It
// expects this exit code. Output goes to files as that of exits.
func login(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	path, err := exec.LookPath(args[3])
	ts.Check(err)
	cmd := exec.Command(path, args[4:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range append(environment, "PATH", "HOME", "TMPDIR") {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	for lines := bufio.NewScanner(io.TeeReader(pipe, &stderr)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "https://") {
			if err := logIn(lines.Text(), args[0], args[1]); err != nil {
				cmd.Process.Kill()
				ts.Fatalf("log in at %s: %v", lines.Text(), err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run %v: %v", args[3:], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), stdout.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), stderr.Bytes(), 0o644))
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%v exited with %d, want %d\n%s", args[3:], got, want, &stderr)
	}
}

// logIn does what a person does in a browser at the pages of the stand-in of IS: enter the code of a device, log in, and follow every
// redirect to the end.
func logIn(address, user, password string) error {
	browser := http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // the person has accepted the certificate
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	at := func(path string) string { return "https://" + u.Host + path }
	next, form := address, url.Values(nil)
	if code := u.Query().Get("user_code"); code != "" {
		next, form = at("/oauth2/device"), url.Values{"user_code": {code}}
	}
	for range 10 {
		resp, err := func() (*http.Response, error) {
			if form != nil {
				return browser.PostForm(next, form)
			}
			return browser.Get(next)
		}()
		if err != nil {
			return err
		}
		resp.Body.Close()
		to, err := resp.Location()
		if err != nil { // the end
			return nil
		}
		next, form = to.String(), nil
		switch {
		case to.Query().Get("authFailure") != "":
			return fmt.Errorf("the stand-in refuses the password of %s", user)
		case strings.HasSuffix(to.Path, "/login.do"):
			next, form = at("/commonauth"), url.Values{"username": {user}, "password": {password}, "sessionDataKey": {to.Query().Get("sessionDataKey")}}
		case strings.HasSuffix(to.Path, "/device_success.do"):
			return nil
		}
	}
	return errors.New("the redirects do not end")
}
