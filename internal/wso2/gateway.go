package wso2

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Gateway is API-M's gateway: its own REST API v2 on the management port, and the traffic port that serves APIs.
type Gateway struct {
	management caller
	traffic    caller
	notices    caller
}

// NewGateway makes the client of the API-M at base, such as https://wso2am:9443, and of its gateway at traffic, such
// as https://wso2am:8243. The credentials are API-M's administrator's; without them it can only call APIs and ask for health.
func NewGateway(hc *http.Client, base, traffic string, cred Credentials) *Gateway {
	return &Gateway{
		management: caller{http: hc, base: base + "/api/am/gateway/v2", cred: &cred},
		traffic:    caller{http: hc, base: traffic},
		notices:    caller{http: hc, base: base + "/internal/data/v1/notify", cred: &cred},
	}
}

// Healthy asks whether the gateway has loaded its APIs and policies: 500 until then. It sends no credentials, since
// wrong ones would be answered by 401.
func (g *Gateway) Healthy(ctx context.Context) error {
	return g.management.call(ctx, request{
		op: "ask whether API-M's gateway is up", method: http.MethodGet, path: "/server-startup-healthcheck", anonymous: true,
	}, nil)
}

// Endpoints are the backends' addresses of an API in the configuration that the gateway runs with, whatever the Publisher has
// by now: production and sandbox, each once. There are none of an API that the gateway has not loaded.
func (g *Gateway) Endpoints(ctx context.Context, name, version string) ([]string, error) {
	var answer struct {
		Endpoints []string `json:"endpoints"` // XML of Synapse
	}
	err := g.management.call(ctx, request{
		op: "ask API-M's gateway for the endpoints of API " + name + " " + version, method: http.MethodGet, path: "/end-points",
		query: url.Values{"apiName": {name}, "version": {version}},
	}, &answer)
	var addresses []string
	for _, text := range answer.Endpoints {
		addresses = append(addresses, endpointAddresses(text)...)
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), err
}

// endpointAddresses are the addresses in the XML of an endpoint: of http in uri-template, of address in uri.
func endpointAddresses(text string) (addresses []string) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil { // the end, or no XML: then nothing is known of it
			return addresses
		}
		element, ok := token.(xml.StartElement)
		if !ok || element.Name.Local != "http" && element.Name.Local != "address" {
			continue
		}
		for _, a := range element.Attr {
			if a.Name.Local == "uri-template" || a.Name.Local == "uri" {
				addresses = append(addresses, a.Value)
			}
		}
	}
}

// Answer is what the gateway, or the backend behind it, answered to a call.
type Answer struct {
	Method  string
	URL     string
	Status  int
	Body    []byte // its beginning
	Code    string // of the gateway's own error, "900901" for instance; empty for a backend's answer
	Message string // of the gateway's own error
}

// Codes of the gateway's own errors.
const (
	GatewayInvalidToken  = "900901"
	GatewayNotSubscribed = "900908"
	GatewayNoScope       = "900910"
	GatewayUnknown       = "404" // no API, or no such resource, at this path
	GatewayNoMethod      = "405" // the API's resource at this path lacks the method
)

// answerBeginning is how much is read of an answer to a call: enough for the gateway's own errors. A backend's document may have
// any size, and several are called at once.
const answerBeginning = 64 << 10

// Get calls an API with a token. Any answer is a result; only where none came there is an error.
func (g *Gateway) Get(ctx context.Context, path string, token Secret) (Answer, error) {
	return g.Call(ctx, http.MethodGet, path, token)
}

// Call is Get with another method.
func (g *Gateway) Call(ctx context.Context, method, path string, token Secret) (Answer, error) {
	r := request{op: "call an API through the gateway", method: method, path: path}
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBeginning))
	if err != nil && resp.StatusCode >= 400 { // a success is one whatever follows: the answer may be a stream
		return Answer{}, g.traffic.failed(r, &Error{Status: resp.StatusCode, Err: fmt.Errorf("read the answer: %w", reason(err))})
	}
	a := Answer{Method: method, URL: g.traffic.base + path, Status: resp.StatusCode, Body: body}
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
