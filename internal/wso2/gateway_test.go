package wso2

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// oneAnswer is a server that always gives one answer, and notes the last request.
func oneAnswer(t *testing.T, status int, body string) (hc *http.Client, base string, asked *http.Request) {
	t.Helper()
	asked = new(http.Request)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, r.ParseForm())
		*asked = *r
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.Client(), s.URL, asked
}

func TestTheGatewaysEndpointsAreReadFromItsXML(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoints []string
		want      []string
	}{
		"none": {nil, nil},
		"both, as in the product's specification": {[]string{
			`<endpoint xmlns="http://ws.apache.org/ns/synapse" name="P--v1_APIproductionEndpoint"><http uri-template="https://a:1/x/"><timeout><responseAction>fault</responseAction></timeout></http><property name="ENDPOINT_ADDRESS" value="https://a:1/x/"/></endpoint>`,
			`<endpoint xmlns="http://ws.apache.org/ns/synapse" name="P--v1_APIsandboxEndpoint"><http uri-template="https://b:1/?a=1&amp;b=2"/></endpoint>`,
		}, []string{"https://a:1/x/", "https://b:1/?a=1&b=2"}},
		"the same twice":     {[]string{`<endpoint><http uri-template="http://a"/></endpoint>`, `<endpoint><http uri-template="http://a"/></endpoint>`}, []string{"http://a"}},
		"an address":         {[]string{`<endpoint><address uri="http://a"/></endpoint>`}, []string{"http://a"}},
		"several, balanced":  {[]string{`<endpoint><loadbalance><endpoint><http uri-template="http://a"/></endpoint><endpoint><http uri-template="http://b"/></endpoint></loadbalance></endpoint>`}, []string{"http://a", "http://b"}},
		"one without":        {[]string{`<endpoint><default/></endpoint>`}, nil},
		"what is no XML":     {[]string{`{"a":1}`}, nil},
		"what is cut off":    {[]string{`<endpoint><http uri-template="http://a"`}, nil},
		"an entity explodes": {[]string{`<!DOCTYPE x [<!ENTITY a "aaaa">]><endpoint><http uri-template="&a;"/></endpoint>`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"endpoints": tt.endpoints})
			must(t, err)
			hc, base, asked := oneAnswer(t, 200, string(body))
			got, err := NewGateway(hc, base, base, Credentials{User: "admin", Password: "pass"}).Endpoints(t.Context(), "Pizza & Co", "1.0")
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v", got, err)
			}
			user, _, _ := asked.BasicAuth()
			if asked.URL.Path != "/api/am/gateway/v2/end-points" || asked.Form.Get("apiName") != "Pizza & Co" || asked.Form.Get("version") != "1.0" || user != "admin" {
				t.Errorf("asked %s as %q", asked.URL, user)
			}
		})
	}
}

func TestAClientIsCheckedWithoutAToken(t *testing.T) {
	for name, tt := range map[string]struct {
		status    int
		body      string
		ok        bool
		permanent bool
	}{
		"IS 7.1 takes the client":          {400, `{"error_description":"Persisted access token data not found","error":"invalid_grant"}`, true, false},
		"the client may not refresh":       {400, `{"error_description":"…","error":"unauthorized_client"}`, true, false},
		"the server refreshes nothing":     {400, `{"error":"unsupported_grant_type"}`, true, false},
		"IS 7.1 does not know the client":  {401, `{"error_description":"Client credentials are invalid.","error":"invalid_client"}`, false, true},
		"some say so with 400":             {400, `{"error":"invalid_client"}`, false, true},
		"a request that is refused unread": {400, `{"error":"invalid_request"}`, false, true},
		"a token for nothing":              {200, `{"access_token":"t"}`, false, false},
		"a server that starts":             {503, ``, false, false},
		"the login page of one that stops": {302, ``, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			hc, base, asked := oneAnswer(t, tt.status, tt.body)
			err := CheckClient(t.Context(), hc, base+"/oauth2/token", "id", "s3cret")
			if (err == nil) != tt.ok || IsPermanent(err) != tt.permanent {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it shows the secret: %v", err)
			}
			if asked.Form.Get("grant_type") != "refresh_token" {
				t.Errorf("asked for %q, which may end a token", asked.Form.Get("grant_type"))
			}
		})
	}
}

func TestATokenIsRevokedAsItsClient(t *testing.T) {
	hc, base, asked := oneAnswer(t, 200, "")
	must(t, RevokeToken(t.Context(), hc, base+"/oauth2/revoke", "id", "s3cret", "t0ken"))
	if user, password, _ := asked.BasicAuth(); user != "id" || password != "s3cret" || asked.Form.Get("token") != "t0ken" {
		t.Errorf("asked as %s with %v", user, asked.Form)
	}
	hc, base, _ = oneAnswer(t, 401, `{"error":"invalid_client","error_description":"t0ken of s3cret"}`)
	if err := RevokeToken(t.Context(), hc, base+"/oauth2/revoke", "id", "s3cret", "t0ken"); err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("got %v", err)
	}
}

func TestWhenARevisionWasMade(t *testing.T) {
	for text, want := range map[string]time.Time{
		`1795326364000`: time.UnixMilli(1795326364000), `"1795326364000"`: time.UnixMilli(1795326364000), `null`: {}, `"2026-11-27"`: {}, ``: {},
	} {
		if got := (Revision{CreatedTime: json.RawMessage(text)}).Created(); !got.Equal(want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// What a backend answers may be larger than anything of API-M's, and several are called at once.
func TestOfABackendsAnswerOnlyTheBeginningIsRead(t *testing.T) {
	for name, status := range map[string]int{"a success": 200, "an error": 404} {
		t.Run(name, func(t *testing.T) {
			hc, base, _ := oneAnswer(t, status, strings.Repeat("x", maxBody+1))
			a, err := NewGateway(hc, base, base, Credentials{}).Get(t.Context(), "/", "token")
			if err != nil || a.Status != status || a.Code != "" || len(a.Body) > 1<<16 {
				t.Errorf("HTTP %d, code %q, %d bytes, %v", a.Status, a.Code, len(a.Body), err)
			}
		})
	}
}

func TestACallSendsWhatItIsGiven(t *testing.T) {
	body := strings.Repeat("x", answerBeginning+10)
	var got string
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		must(t, err)
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("X-A") + " " + r.Header.Get("Authorization") + " " + string(sent)
		w.Header().Set("X-B", "b")
		io.WriteString(w, body)
	})
	call := Request{Method: "PUT", Path: "/a/1?q=1", Header: http.Header{"X-A": {"a"}}, Body: []byte("data"), Token: "t"}
	a, err := NewGateway(hc, base, base, Credentials{}).Send(t.Context(), call)
	must(t, err)
	if got != "PUT /a/1?q=1 a Bearer t data" {
		t.Errorf("sent %s", got)
	}
	if a.Status != 200 || a.Header.Get("X-B") != "b" || len(a.Body) != answerBeginning || !a.Cut || a.Took <= 0 || a.URL != base+"/a/1?q=1" {
		t.Errorf("answer: %d %v, %d bytes, cut %v, %s, %s", a.Status, a.Header, len(a.Body), a.Cut, a.Took, a.URL)
	}
	call.Token = ""
	if _, err := NewGateway(hc, base, base, Credentials{}).Send(t.Context(), call); err != nil || got != "PUT /a/1?q=1 a  data" {
		t.Errorf("without a token: sent %s, %v", got, err)
	}
}

func TestTheGatewaysOwnErrorsAreRecognised(t *testing.T) {
	for body, want := range map[string]string{
		`{"code":"900908","message":"Resource forbidden ","description":"x"}`: "900908 Resource forbidden ",
		`{"code":"700700","type":"API blocked","description":"x"}`:            "700700 API blocked", // it has no message, as recorded
		`{"code":"E1","type":"about:blank"}`:                                  " ",
		`{"message":"no"}`:                                                    " no",
		`no`:                                                                  " ",
	} {
		if code, message := gatewayError(503, []byte(body)); code+" "+message != want {
			t.Errorf("%s: %q %q", body, code, message)
		}
	}
}
