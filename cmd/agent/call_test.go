package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// An answer may repeat the token: that of a blocked API has the caller's header, as recorded.
func TestCallMasksTheTokenAndCookies(t *testing.T) {
	a := wso2.Answer{Method: "GET", URL: "https://gw/x", Status: 200, Body: []byte("you sent t0k3n\n"), Header: http.Header{
		"X-Echo": {"Bearer t0k3n"}, "Set-Cookie": {"session=s3ss10n"}, "Authorization": {"Basic b4s1c"},
	}}
	for _, asJSON := range []bool{false, true} {
		for _, show := range []bool{false, true} {
			var b bytes.Buffer
			if err := (calling{show: show}).shown(a, "t0k3n").print(&b, asJSON); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"you sent t0k3n", "Bearer t0k3n", "s3ss10n", "b4s1c"} {
				if strings.Contains(b.String(), secret) != show {
					t.Errorf("with --show-secrets=%v --json=%v the output has %q: %v\n%s", show, asJSON, secret, !show, &b)
				}
			}
		}
	}
}

func TestCallMasksTheTokenInABodyThatIsNoText(t *testing.T) {
	for _, show := range []bool{false, true} {
		shown := (calling{show: show}).shown(wso2.Answer{Status: 200, Body: []byte("\x00t0k3n\xff")}, "t0k3n")
		want := "\x00(secret)\xff"
		if show {
			want = "\x00t0k3n\xff"
		}
		if body, err := base64.StdEncoding.DecodeString(shown.BodyBase64); err != nil || string(body) != want {
			t.Errorf("with --show-secrets=%v the body is %q, error %v; want %q", show, body, err, want)
		}
	}
}

func TestCallShowsOnlyTextAsText(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		cut  bool
		want string
	}{
		"a text":                      {"grün\tund\r\ngut\n", false, "\ngrün\tund\ngut\n"},
		"a second start of a line":    {"bad\rgood", false, "\nbad\\rgood\n"},
		"a turned direction":          {"a\u202eb\u2066c", false, "\na\\u202eb\\u2066c\n"},
		"no text where it is cut":     {"abcdefg\x1b[2J", true, "\n(11 bytes that are no text)\n(the rest is left out)\n"},
		"no UTF-8 where it is cut":    {"abcdefg\xff", true, "\n(8 bytes that are no text)\n(the rest is left out)\n"},
		"no text":                     {"\x1b[2Jboo", false, "\n(7 bytes that are no text)\n"},
		"no UTF-8":                    {"\xff\xfe", false, "\n(2 bytes that are no text)\n"},
		"a letter that is cut in two": {"abcdefgü"[:8], true, "\nabcdefg\n(the rest is left out)\n"},
		"a letter that is not cut":    {"abcdefgü", true, "\nabcdefgü\n(the rest is left out)\n"},
		"nothing":                     {"", false, "\n\n"},
	} {
		var b bytes.Buffer
		if err := (calling{}).shown(wso2.Answer{Status: 200, Body: []byte(tc.body), Cut: tc.cut}, "t0k3n").print(&b, false); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), tc.want) {
			t.Errorf("%s: %q, want %q at the end", name, &b, tc.want)
		}
	}
}

func TestAnAnswerOf400AndAboveIsAnError(t *testing.T) {
	for name, tc := range map[string]struct {
		answer     wso2.Answer
		want, hint string
	}{
		"a success":         {wso2.Answer{Status: 204}, "", ""},
		"the backend's own": {wso2.Answer{Status: 503}, "the API answers HTTP 503", ""},
		"a sandbox key":     {wso2.Answer{Status: 403, Code: "900901", Message: "Runtime Error"}, "the gateway answers HTTP 403, code 900901: Runtime Error", "the API has no endpoint for sandbox keys: use the key of type PRODUCTION"},
		"an endpoint that the gateway has suspended": {wso2.Answer{Status: 500, Code: "303001", Message: "Runtime Error"}, "the gateway answers HTTP 500, code 303001: Runtime Error",
			"the gateway has suspended the endpoint after failures: repair the backend, and wait some 30 seconds"},
		"a code that nobody knows": {wso2.Answer{Status: 500, Code: "1", Message: "no\x1b"}, "the gateway answers HTTP 500, code 1: \"no\\x1b\"", ""},
	} {
		err := refusedCall(tc.answer)
		if err == nil {
			if tc.want != "" {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if text, hints := remedy.Split(err); text != tc.want || strings.Join(hints, "") != tc.hint {
			t.Errorf("%s: %q, %q", name, text, hints)
		}
	}
}
