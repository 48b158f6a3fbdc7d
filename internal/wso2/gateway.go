package wso2

import (
	"context"
	"encoding/json"
	"net/http"
)

// Gateway is API-M's gateway: its own REST API v2 on the management port, and the traffic port that serves APIs.
type Gateway struct {
	management caller
	traffic    caller
}

// NewGateway makes the client of the API-M at base, such as https://wso2am:9443, and of its gateway at traffic, such
// as https://wso2am:8243.
func NewGateway(hc *http.Client, base, traffic string) *Gateway {
	return &Gateway{
		management: caller{http: hc, base: base + "/api/am/gateway/v2"},
		traffic:    caller{http: hc, base: traffic},
	}
}

// Healthy asks whether the gateway has loaded its APIs and policies: 500 until then. It sends no credentials, since
// wrong ones would be answered by 401.
func (g *Gateway) Healthy(ctx context.Context) error {
	return g.management.call(ctx, request{
		op: "ask whether API-M's gateway is up", method: http.MethodGet, path: "/server-startup-healthcheck", anonymous: true,
	}, nil)
}

// Answer is what the gateway, or the backend behind it, answered to a call.
type Answer struct {
	URL     string
	Status  int
	Body    []byte
	Code    string // of the gateway's own error, "900901" for instance; empty for a backend's answer
	Message string // of the gateway's own error
}

// Codes of the gateway's own errors.
const (
	GatewayInvalidToken  = "900901"
	GatewayNotSubscribed = "900908"
	GatewayUnknown       = "404" // no API, or no such resource, at this path
)

// Get calls an API with a token. Any answer is a result; only where none came there is an error.
func (g *Gateway) Get(ctx context.Context, path string, token Secret) (Answer, error) {
	r := request{op: "call an API through the gateway", method: http.MethodGet, path: path}
	req, err := g.traffic.build(ctx, r)
	if err != nil {
		return Answer{}, g.traffic.failed(r, &Error{Err: err, local: true})
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := g.traffic.http.Do(req)
	if err != nil {
		return Answer{}, g.traffic.failed(r, &Error{Err: reason(err)})
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body)
	if err != nil {
		return Answer{}, g.traffic.failed(r, &Error{Status: resp.StatusCode, Err: err})
	}
	a := Answer{URL: g.traffic.base + path, Status: resp.StatusCode, Body: body}
	a.Code, a.Message = gatewayError(resp.StatusCode, body)
	return a, nil
}

// gatewayError recognises the gateway's own error: a JSON object of a code, which is a text, and a message.
func gatewayError(status int, body []byte) (code, message string) {
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if status < 400 || json.Unmarshal(body, &e) != nil || e.Message == "" {
		return "", ""
	}
	return e.Code, e.Message
}
