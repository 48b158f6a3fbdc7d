package wso2

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tokens is a server on which a client has one token at a time: another one ends it.
type tokens struct {
	expires string // the field expires_in of an answer, with a comma; may be empty
	scope   string // that a token gets
	refuses bool   // any token
	absent  bool   // what is asked for
	made    int
}

func (s *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/oauth2/token" {
		s.made++
		return answered(200, fmt.Sprintf(`{"access_token":"token %d",%s"scope":"%s"}`, s.made, s.expires, s.scope)), nil
	}
	if s.refuses || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token %d", s.made) {
		return answered(401, `{"code":900902,"message":"Unclassified Authentication Failure"}`), nil
	}
	if s.absent {
		return answered(401, ""), nil
	}
	return answered(200, `{}`), nil
}

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// read sends one request as a run with a client.
func (s *tokens) read(t *testing.T, client *ReadingClient) error {
	t.Helper()
	cred := Credentials{Reading: client, Source: "AM_CLIENT_ID and AM_CLIENT_SECRET"}
	return caller{&http.Client{Transport: s}, "https://am.example", &cred}.call(t.Context(), request{op: "read", method: http.MethodGet, path: "/x"}, nil)
}

func newReader() *ReadingClient {
	return &ReadingClient{TokenEndpoint: "https://am.example/oauth2/token", ID: "ci", Secret: "throwAway1", Scopes: []string{"apim:api_view"}}
}

// TestTwoRunsWithOneReadingClientGoOn although each ends the token of the other.
func TestTwoRunsWithOneReadingClientGoOn(t *testing.T) {
	s := &tokens{expires: `"expires_in":3600,`, scope: "apim:api_view"}
	first, second := newReader(), newReader()
	for i := range 6 {
		if err := s.read(t, []*ReadingClient{first, second}[i%2]); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if s.made != 6 {
		t.Errorf("%d tokens for 6 requests in turn", s.made)
	}
}

// TestARefusedTokenIsReplacedOnce and not at all if it lacks a scope: another one lacks it too. Further requests of the next minute get no
// token, and fail in the same way.
func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for scope, made := range map[string]int{"apim:api_view": 2, "default": 1} {
			s, client := &tokens{expires: `"expires_in":3600,`, scope: scope, refuses: true}, newReader()
			for range 3 {
				err := s.read(t, client)
				if !HasStatus(err, 401) || s.made != made || !strings.Contains(err.Error(), "give each pipeline a client of its own") {
					t.Errorf("with the scope %s, %d tokens: %v", scope, s.made, err)
				}
				if lacks := scope == "default"; IsPermanent(err) != lacks {
					t.Errorf("with the scope %s, the error is permanent: %t", scope, !lacks)
				}
			}
			s.refuses = false
			time.Sleep(refusalLife)
			for range 2 {
				if err := s.read(t, client); err != nil || s.made != made+1 {
					t.Errorf("with the scope %s, a minute later there are %d tokens: %v", scope, s.made, err)
				}
			}
		}
	})
}

// TestATokenThatWasAcceptedIsReplacedEachTimeItIsRefused: another run has ended it.
func TestATokenThatWasAcceptedIsReplacedEachTimeItIsRefused(t *testing.T) {
	s, client := &tokens{expires: `"expires_in":3600,`, scope: "apim:api_view"}, newReader()
	for range 2 * tokenTries {
		if err := s.read(t, client); err != nil {
			t.Error(err)
		}
		s.made++ // the other run's
	}
}

// TestAnEmptyRefusalIsNoWordAboutTheToken: IS has no such client.
func TestAnEmptyRefusalIsNoWordAboutTheToken(t *testing.T) {
	s, client := &tokens{expires: `"expires_in":3600,`, scope: "apim:api_view", absent: true}, newReader()
	for range 3 {
		if err := s.read(t, client); !isAbsent(err) || s.made != 1 {
			t.Errorf("%d tokens: %v", s.made, err)
		}
	}
}

// TestATokenIsUsedAsLongAsItIsValid: for a minute if the server does not say how long.
func TestATokenIsUsedAsLongAsItIsValid(t *testing.T) {
	for expires, life := range map[string]time.Duration{"": time.Minute, `"expires_in":-1,`: time.Minute, `"expires_in":10,`: 9 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, client := &tokens{expires: expires, scope: "apim:api_view"}, newReader()
			for _, made := range []int{1, 1, 2} {
				if err := s.read(t, client); err != nil || s.made != made {
					t.Errorf("with %q: %d tokens: %v", expires, s.made, err)
				}
				time.Sleep(life/2 + time.Millisecond)
			}
		})
	}
}
