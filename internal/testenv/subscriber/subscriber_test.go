package subscriber

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWhatIsARefusal(t *testing.T) {
	for _, tc := range []struct {
		name           string
		token, gateway int
		scope          string
		want           Outcome
	}{
		{"all is granted", 200, 200, "a b", Good},
		{"one scope is not granted", 200, 200, "a", Refused},
		{"no scope is granted", 200, 200, "", Refused},
		{"the client is refused", 401, 200, "a b", Refused},
		{"the grant is refused", 400, 200, "a b", Refused},
		{"the token is refused", 200, 401, "a b", Refused},
		{"the call is refused", 200, 403, "a b", Refused},
		{"IS is not up yet", 503, 200, "a b", Down},
		{"the gateway has no APIs yet", 200, 404, "a b", Down},
		{"the gateway cannot reach IS", 200, 500, "a b", Down},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/token" {
					w.WriteHeader(tc.gateway)
					return
				}
				w.WriteHeader(tc.token)
				fmt.Fprintf(w, `{"access_token": "t", "scope": %q}`, tc.scope)
			}))
			defer server.Close()
			c := Client{IS: server.Client(), Gateway: server.Client(), TokenEndpoint: server.URL + "/token", Scopes: []string{"a", "b"}, Calls: []string{server.URL + "/call"}}
			if got, why := c.Try(t.Context()); got != tc.want || (why == "") != (got == Good) {
				t.Errorf("it is %s (%s), want %s", got, why, tc.want)
			}
		})
	}
}

func TestOnlyAServerThatIsGoneIsDown(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	other := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is trusted by its own client alone
	defer other.Close()
	for address, want := range map[string]Outcome{gone.URL: Down, other.URL: Refused} {
		c := Client{IS: http.DefaultClient, TokenEndpoint: address}
		if got, why := c.Try(t.Context()); got != want {
			t.Errorf("it is %s (%s), want %s", got, why, want)
		}
	}
}

func TestARecordKeepsWhenCallsWereGood(t *testing.T) {
	var r Record
	began := time.Now()
	for i, o := range []Outcome{Good, Down, Good, Refused, Good} {
		r.add(began.Add(time.Duration(i)*time.Second), o, "why")
	}
	if good, down, refused := r.Counts(); good != 3 || down != 1 || refused != 1 || !strings.HasSuffix(r.Refusals()[0], " why") {
		t.Errorf("it counts %d, %d and %d; %v", good, down, refused, r.Refusals())
	}
	if n := r.Between(began, began.Add(4*time.Second)); n != 1 {
		t.Errorf("%d good calls between the first and the last, want 1", n)
	}
}
