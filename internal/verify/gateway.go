package verify

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"wso2agent/internal/wso2"
)

// callAPI calls the first API that the application is subscribed to. The gateway learns of APIs and clients some
// seconds late, so it is asked again until it answers with the backend's words.
func (r *run) callAPI(ctx context.Context) Check {
	name := "API called through the gateway"
	if r.token.AccessToken == "" {
		return skipped(name, "there is no token")
	}
	path := ""
	for _, api := range r.result.APIs {
		if api.Subscribed {
			path = api.Path + r.Resource
			name = fmt.Sprintf("API %q %s called through the gateway", api.Name, api.Version)
			break
		}
	}
	if path == "" {
		return skipped(name, "the application is subscribed to no API")
	}
	var a wso2.Answer
	var err error
	r.poll(ctx, name, func() (bool, string) {
		a, err = r.Gateway.Get(ctx, path, r.token.AccessToken)
		return err == nil && served(a) || wso2.IsPermanent(err), said(err, evidence(a))
	})
	switch {
	case err != nil:
		return Check{name, Fail, err.Error(), "check GW_HOST and GW_PORT"}
	case !served(a):
		return Check{name, Fail, evidence(a), remedy(a)}
	}
	r.called = path
	return Check{Name: name, Verdict: Pass, Evidence: evidence(a)}
}

// wrongToken calls the same API with a token whose signature is not the issuer's.
func (r *run) wrongToken(ctx context.Context) Check {
	const name = "wrong token refused"
	if r.called == "" {
		return skipped(name, "no API could be called with the right one")
	}
	a, err := r.Gateway.Get(ctx, r.called, tampered(r.token.AccessToken))
	switch {
	case err != nil:
		return Check{name, Fail, err.Error(), "check GW_HOST and GW_PORT"}
	case a.Status == http.StatusUnauthorized && a.Code != "":
		return Check{Name: name, Verdict: Pass, Evidence: evidence(a)}
	}
	return Check{name, Fail, evidence(a), "the gateway does not check tokens for this API: look at its security schemes and operations in the Publisher"}
}

// said is what is known of a try: its error, or else what came back.
func said(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// served: the answer is the backend's, whatever it says, unless it or the way to it is broken.
func served(a wso2.Answer) bool { return a.Code == "" && a.Status < 500 }

// evidence tells of an answer: status, the gateway's own error, or the beginning of the backend's words.
func evidence(a wso2.Answer) string {
	text := fmt.Sprintf("GET %s: HTTP %d", a.URL, a.Status)
	switch {
	case a.Code != "":
		text += fmt.Sprintf(", gateway code %s: %s", a.Code, a.Message)
	case len(a.Body) > 0:
		text += ": " + beginning(a.Body)
	}
	return text
}

// beginning is the first 200 bytes of a text, on one line.
func beginning(body []byte) string {
	if len(body) > 200 {
		body = body[:200]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
}

func remedy(a wso2.Answer) string {
	switch {
	case a.Code == wso2.GatewayUnknown:
		return "the gateway has not got the API: look for its deployment in the Publisher, and for errors in API-M's log"
	case a.Code == wso2.GatewayInvalidToken:
		return "the gateway does not accept the token: API-M must trust the key manager's certificate (and be restarted after that), and nobody else may fetch tokens with the same keys meanwhile"
	case a.Code == wso2.GatewayNotSubscribed:
		return "the gateway does not know the subscription: look for it in the DevPortal, and for another key manager with the same issuer in the Admin Portal"
	case a.Status >= 500:
		return "the backend does not work, or the gateway cannot reach it: check backend_url from where API-M runs"
	}
	return "look at the gateway's code in API-M's documentation of error codes"
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
