package wso2sim

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/wso2sim/speccheck"
)

// reply is an answer of a server.
type reply struct {
	status int
	header http.Header
	text   string
	body   any // decoded, if JSON
}

// at digs into the body: a name for an object, a number for a list.
func (r reply) at(path ...any) any {
	v := r.body
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func (r reply) str(path ...any) string {
	s, _ := r.at(path...).(string)
	return s
}

// code is the number in an error of API Manager.
func (r reply) code() int {
	n, _ := r.at("code").(float64)
	return int(n)
}

// insecure is a client that takes any certificate: trust is what the servers are tested for, not the test.
func insecure() *http.Client {
	return &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type auth func(*http.Request)

func basic(user, password string) auth {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func bearer(token string) auth {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func anonymous(*http.Request) {}

var admin = basic("admin", "admin")

// wrong is the admin, who sends what the specifications forbid, on purpose.
func wrong(r *http.Request) {
	admin(r)
	r.Header.Set(speccheck.WrongHeader, "yes")
}

// send sends a request: a string or url.Values as it is, anything else as JSON.
func send(t *testing.T, method, address string, who auth, body any) reply {
	t.Helper()
	contentType := "application/json"
	var payload io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(body)
	case url.Values:
		payload, contentType = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, payload)
	if err != nil {
		t.Fatal(err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", contentType)
	}
	who(req)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) reply {
	t.Helper()
	resp, err := insecure().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body) // what is no JSON stays nil
	return r
}

// want fails the test unless the status is as said.
func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d; body %s", r.status, status, r.text)
	}
	return r
}

// wantCode fails the test unless status and error code are as said.
func (r reply) wantCode(t *testing.T, status, code int) {
	t.Helper()
	if r.status != status || r.code() != code {
		t.Fatalf("answer %d/%d, want %d/%d; body %s", r.status, r.code(), status, code, r.text)
	}
}

// eventually polls until what is asked for is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never so: %s", what)
		}
	}
}
