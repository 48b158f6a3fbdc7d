package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// answers is a stand-in of a key manager without a network: it answers requests in turn, and notes them.
type answers struct {
	t     *testing.T
	list  []answer
	asked []asked
}

type answer struct {
	status int // 0: no answer
	body   string
}

type asked struct {
	path string
	form url.Values
	at   time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	a.asked = append(a.asked, asked{r.URL.Path, form, time.Now()})
	if len(a.asked) > len(a.list) {
		a.t.Fatalf("request %d: %s %v", len(a.asked), r.URL, form)
	}
	next := a.list[len(a.asked)-1]
	if next.status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: next.status, Body: io.NopCloser(strings.NewReader(next.body)), Header: http.Header{}}, nil
}

func newClient(t *testing.T, list ...answer) (Client, *answers) {
	a := &answers{t: t, list: list}
	return Client{HTTP: &http.Client{Transport: a}, ID: "app", Secret: "s3cret", TokenEndpoint: "https://km.example/oauth2/token"}, a
}

const token = `{"access_token":"at","refresh_token":"rt","expires_in":3600,"scope":"a b"}`

func TestTheFormOfEachGrant(t *testing.T) {
	for grant, tc := range map[string]struct {
		parameters url.Values
		want       string
	}{
		"client_credentials": {nil, "grant_type=client_credentials&scope=a+b"},
		"password":           {url.Values{"username": {"ann"}, "password": {"pw"}}, "grant_type=password&password=pw&scope=a+b&username=ann"},
		"refresh_token":      {url.Values{"refresh_token": {"rt"}}, "grant_type=refresh_token&refresh_token=rt&scope=a+b"},
		"jwt-bearer":         {url.Values{"assertion": {"j"}}, "assertion=j&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=a+b"},
		"token-exchange":     {url.Values{"subject_token": {"j"}}, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&scope=a+b&subject_token=j"},
	} {
		c, a := newClient(t, answer{200, token})
		got, err := c.Token(t.Context(), grant, []string{"a", "b"}, tc.parameters)
		if err != nil || got.AccessToken != "at" || got.RefreshToken != "rt" || got.ExpiresIn != time.Hour || !slices.Equal(got.Scopes, []string{"a", "b"}) {
			t.Errorf("%s: %v, %v", grant, got, err)
		}
		if form := a.asked[0].form.Encode(); form != tc.want {
			t.Errorf("%s: sent %s, want %s", grant, form, tc.want)
		}
	}
}

func TestAClientThatMayNotUseAGrantLearnsWhereToAllowIt(t *testing.T) {
	c, _ := newClient(t, answer{400, `{"error":"unauthorized_client","error_description":"no"}`})
	_, err := c.Token(t.Context(), "device_code", nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	if _, hints := remedy.Split(err); len(hints) != 1 || !strings.HasPrefix(hints[0], "add urn:ietf:params:oauth:grant-type:device_code to grant_types") {
		t.Errorf("%v", err)
	}
}

func TestNoErrorShowsWhatWasSent(t *testing.T) {
	for _, name := range []string{"password", "refresh_token", "assertion", "subject_token", "code", "code_verifier"} {
		c, _ := newClient(t, answer{400, `{"error":"invalid_grant","error_description":"cannot use t0p/s3cr3t and s3cret"}`})
		_, err := c.Token(t.Context(), "password", nil, url.Values{name: {"t0p/s3cr3t"}})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPublicClientSendsItsIDAlone(t *testing.T) {
	c, a := newClient(t, answer{200, token})
	c.Secret = ""
	if _, err := c.Token(t.Context(), "refresh_token", nil, url.Values{"refresh_token": {"rt"}}); err != nil {
		t.Fatal(err)
	}
	if got := a.asked[0].form.Get("client_id"); got != "app" {
		t.Errorf("client_id %q", got)
	}
}

const deviceBegun = `{"device_code":"dc","user_code":"AbC","interval":5,"expires_in":600,"verification_uri":"https://km.example/device"}`

// refused is an error of the token endpoint.
func refused(code string) answer {
	return answer{400, `{"error":"` + code + `","error_description":"Forbidden"}`}
}

func TestADeviceAsksAsOftenAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newClient(t, answer{200, deviceBegun}, refused("authorization_pending"), refused("slow_down"), refused("authorization_pending"), answer{}, answer{200, token})
		var shown wso2.DeviceCode
		got, err := c.Device(t.Context(), []string{"openid"}, time.Hour, func(d wso2.DeviceCode) { shown = d })
		if err != nil || got.AccessToken != "at" || shown.UserCode != "AbC" || shown.Page != "https://km.example/device" {
			t.Fatalf("%v, %v, %v", got, err, shown)
		}
		if first := a.asked[0]; first.path != "/oauth2/device_authorize" || first.form.Get("scope") != "openid" || first.form.Get("client_id") != "app" {
			t.Errorf("asked first: %v", first)
		}
		var waits []time.Duration
		for i := range a.asked[1:] {
			waits = append(waits, a.asked[i+1].at.Sub(a.asked[i].at))
		}
		// slow_down adds 5 s for good, and no answer doubles.
		if want := []time.Duration{5 * time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second, 20 * time.Second}; !slices.Equal(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
	})
}

func TestADeviceStopsAsking(t *testing.T) {
	for code, hint := range map[string]string{"expired_token": "nobody has logged in with the code AbC in time: try again", "access_denied": "the person has refused"} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newClient(t, answer{200, deviceBegun}, refused(code))
			_, err := c.Device(t.Context(), nil, time.Hour, func(wso2.DeviceCode) {})
			if err == nil || !strings.HasSuffix(err.Error(), hint) {
				t.Errorf("%s: %v", code, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, answer{200, deviceBegun}, refused("authorization_pending"))
		if _, err := c.Device(t.Context(), nil, 8*time.Second, func(wso2.DeviceCode) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the time is up: %v", err)
		}
	})
}
