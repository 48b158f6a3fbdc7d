package verify

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"wso2agent/internal/wso2"
)

// wrongTokenRefused calls an API with a token whose signature is not the issuer's. The API has accepted the right token before.
func (r *run) wrongTokenRefused(ctx context.Context) Check {
	if r.called == "" {
		return skipped("", "no API that asks for a token could be called with the right one")
	}
	a, err := r.Gateway.Get(ctx, r.called, tampered(r.token.AccessToken))
	switch {
	case err != nil:
		return failed("", err.Error(), "check GW_HOST and GW_PORT")
	case refused(a):
		r.refuses = true
		return passed("%s", evidenceOf(a))
	}
	return failed("", evidenceOf(a), "the gateway does not check tokens for this API: check its security schemes and operations in the Publisher")
}

// refused reports whether the gateway refuses the token.
func refused(a wso2.Answer) bool { return a.Status == http.StatusUnauthorized && a.Code != "" }

// said returns the text of err, or otherwise if err is nil.
func said(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// served reports whether the answer comes from a backend that works. Its content does not matter.
func served(a wso2.Answer) bool { return a.Code == "" && a.Status < 500 }

// jwt is a JSON Web Token. A backend that echoes its requests shows the token of the call, or the gateway's X-JWT-Assertion.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*`)

// bodyless describes an answer without the backend's text, which says nothing about an answer that passes, and goes into CI's files.
func bodyless(a wso2.Answer) string {
	a.Body = nil
	return evidenceOf(a)
}

// evidenceOf describes an answer: its status, and the gateway's own error or the beginning of the backend's text, without tokens.
func evidenceOf(a wso2.Answer) string {
	text := fmt.Sprintf("%s %s: HTTP %d", a.Method, a.URL, a.Status)
	switch {
	case a.Code != "":
		text += fmt.Sprintf(", gateway code %s: %s", a.Code, a.Message)
	case len(a.Body) > 0:
		text += ": " + beginning(a.Body)
	}
	return strings.TrimSpace(text) // messages of the gateway end with a blank
}

// beginning returns the first 200 bytes of a text without tokens, on one line.
func beginning(body []byte) string {
	body = jwt.ReplaceAll(body, []byte("*****"))
	if len(body) > 200 {
		body = body[:200]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
}

// remedyOf returns what to do about an answer that is not the backend's.
func remedyOf(a wso2.Answer) string {
	switch {
	case a.Code == wso2.GatewayUnknown:
		return "the gateway does not have the API: look for its deployment in the Publisher, and for errors in API-M's log"
	case a.Code == wso2.GatewayInvalidToken:
		return "the gateway does not accept the token: make API-M trust the key manager's certificate, restart it, and let nobody else request tokens with the same keys meanwhile"
	case a.Code == wso2.GatewayNotSubscribed:
		return "the gateway does not know the subscription: look for it in the DevPortal, and for another key manager with the same issuer in the Admin Portal"
	case a.Status >= 500:
		return "the backend does not work, or the gateway cannot reach it: check backend_url from where API-M runs"
	}
	return "look up the gateway's code in API-M's documentation of error codes"
}

// tampered changes one character of the signature, the last part of a JWT.
func tampered(token wso2.Secret) wso2.Secret {
	text := []byte(token)
	i := strings.LastIndexByte(string(text), '.') + 1
	switch {
	case i >= len(text):
		return "x" + token
	case text[i] == 'A':
		text[i] = 'B'
	default:
		text[i] = 'A'
	}
	return wso2.Secret(text)
}
