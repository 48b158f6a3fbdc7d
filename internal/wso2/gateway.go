package wso2

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
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
	Header  http.Header
	Body    []byte        // its beginning
	Cut     bool          // the body has more than that
	Took    time.Duration // from the request to the end of what was read
	Code    string        // of the gateway's own error, "900901" for instance; empty for a backend's answer
	Message string        // of the gateway's own error
}

// Codes of the gateway's own errors.
const (
	GatewayInvalidToken  = "900901"
	GatewayNotSubscribed = "900908"
	GatewayNoScope       = "900910"
	GatewayBlocked       = "700700" // the API's lifecycle
	GatewayUnknown       = "404"    // no API, or no such resource, at this path
	GatewayNoMethod      = "405"    // the API's resource at this path lacks the method
)

// NoAPI reports whether the gateway has no API at the path. For a path that an API does not have it answers 404, too, with the message
// "Runtime Error" (API-M 4.5.0).
func (a Answer) NoAPI() bool { return a.Code == GatewayUnknown && a.Message != "Runtime Error" }

// answerBeginning is how much is read of an answer to a call: enough for the gateway's own errors. A backend's document may have
// any size, and several are called at once.
const answerBeginning = 64 << 10

// Get calls an API with a token. Any answer is a result; only where none came there is an error.
func (g *Gateway) Get(ctx context.Context, path string, token Secret) (Answer, error) {
	return g.Call(ctx, http.MethodGet, path, token)
}

// Call is Get with another method.
func (g *Gateway) Call(ctx context.Context, method, path string, token Secret) (Answer, error) {
	return g.Send(ctx, Request{Method: method, Path: path, Token: token})
}

// Request is a call of an API.
type Request struct {
	Method, Path string // the path may have a query
	Header       http.Header
	Body         []byte
	Token        Secret // for the header Authorization; empty: none is sent
}

// Send makes a call of an API. Any answer is a result, as in Get.
func (g *Gateway) Send(ctx context.Context, call Request) (Answer, error) {
	r := request{op: "call an API through the gateway", method: call.Method, path: call.Path}
	req, err := g.traffic.build(ctx, r)
	if err != nil {
		return Answer{}, g.traffic.failed(r, &Error{Err: err, local: true})
	}
	req.Header.Set("Accept", "*/*")
	maps.Copy(req.Header, call.Header)
	if call.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(call.Token))
	}
	if len(call.Body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(call.Body)), int64(len(call.Body))
	}
	begun := time.Now()
	resp, err := g.traffic.http.Do(req)
	if err != nil {
		return Answer{}, g.traffic.failed(r, &Error{Err: reason(err)})
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBeginning+1))
	if err != nil && resp.StatusCode >= 400 { // a success is one whatever follows: the answer may be a stream
		return Answer{}, g.traffic.failed(r, &Error{Status: resp.StatusCode, Err: fmt.Errorf("read the answer: %w", reason(err))})
	}
	a := Answer{Method: call.Method, URL: g.traffic.base + call.Path, Status: resp.StatusCode, Header: resp.Header, Took: time.Since(begun)}
	a.Body, a.Cut = body[:min(len(body), answerBeginning)], len(body) > answerBeginning
	a.Code, a.Message = gatewayError(resp.StatusCode, a.Body)
	return a, nil
}

// gatewayError recognises the gateway's own error: a JSON object of a code, which is a text, and a message.
func gatewayError(status int, body []byte) (code, message string) {
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Type    string `json:"type"`
	}
	if status < 400 || json.Unmarshal(body, &e) != nil {
		return "", ""
	}
	if e.Code == GatewayBlocked { // it has no message, as recorded
		return e.Code, e.Type
	}
	if e.Message == "" {
		return "", ""
	}
	return e.Code, e.Message
}
