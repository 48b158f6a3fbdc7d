package wso2sim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// forward passes the request on to the backend, without the token. Where the API has others to fail over to, the next
// one is asked if one cannot be reached.
func (am *AM) forward(w http.ResponseWriter, r *http.Request, route apiRoute, sandbox bool) {
	kind := "production"
	if sandbox || route.dto.endpoint("production_endpoints") == "" {
		kind = "sandbox"
	}
	base := route.dto.endpoint(kind + "_endpoints")
	if sandbox && base == "" {
		errNoSandbox.write(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the caller has gone
	}
	var resp *http.Response
	for _, at := range append([]string{base}, route.dto.endpoints(kind+"_failovers")...) {
		if resp, err = am.ask(r, &route, at, body); err == nil {
			break
		}
	}
	if err != nil {
		am.backendFailed(w, err)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	allowOrigin(w, r, &route.dto)
	w.Header().Del("Content-Length")
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // one of the two has gone; the other notices
}

// ask sends a request to one address of a backend.
func (am *AM) ask(r *http.Request, route *apiRoute, base string, body []byte) (*http.Response, error) {
	target, err := url.Parse(strings.TrimSuffix(base, "/") + route.path)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("the endpoint %q of %s is no address", base, route.api.name())
	}
	target.RawQuery = r.URL.RawQuery
	req, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	req.Header.Del(value(route.dto.AuthorizationHeader))
	return am.backends.Do(req)
}

func (am *AM) backendFailed(w http.ResponseWriter, err error) {
	am.log.Error("backend not reached", "error", err)
	writeAs(w, http.StatusInternalServerError, "application/json; charset=UTF-8", object{
		"code": "101503", "type": "Status report", "message": "Runtime Error", "description": "Error connecting to the back end",
	})
}
