package verify

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// target is an API to verify.
type target struct {
	api    bootstrap.PublishedAPI
	method string
	path   string // at the gateway
	token  bool   // the call has a good token, for which the client needs a subscription; else a wrong one

	loaded   time.Time // when the agent first saw the deployed revision at the gateway
	check    Check
	finished bool
}

// Ends of the name of a check of one API.
const (
	calledThrough = " called through the gateway"
	knownTo       = " known to the gateway"
)

// subject returns the API that a check is about; empty for none.
func (c Check) subject() string {
	if c.API == "" {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(c.Name, calledThrough), knownTo)
}

// targets returns the APIs to verify. The agent calls each new or changed one, and one of the others, or all of them. It requests the rest
// with a wrong token, which shows that the gateway has them. Such a call reaches a backend only if the operation needs no token (auth None).
func targets(apis []bootstrap.PublishedAPI, resource string, all bool) []*target {
	sample := -1
	for i, api := range apis {
		if !api.Changed && !api.OnlyKnown && (sample < 0 || api.Subscribed && !apis[sample].Subscribed) {
			sample = i
		}
	}
	var list []*target
	for i, api := range apis {
		method, path, ok := readable(api.Operations, resource)
		t := &target{api: api, method: method, path: api.Path + path, token: ok,
			check: Check{API: api.ID, Called: true, Name: fmt.Sprintf("API %q %s", api.Name, api.Version) + calledThrough, Verdict: Fail, Evidence: "not tried", Remedy: "try again"}}
		if !ok || api.OnlyKnown || !all && !api.Changed && i != sample {
			t.onlyKnown()
		}
		list = append(list, t)
	}
	return list
}

// onlyKnown limits the check to whether the gateway has the API.
func (t *target) onlyKnown() {
	t.token, t.method, t.check.Called = false, http.MethodGet, false
	t.check.Name = fmt.Sprintf("API %q %s", t.api.Name, t.api.Version) + knownTo
}

// readable chooses how to call an API: with GET, or else HEAD, of a path without parameters that its definition declares. For /* it
// chooses resource, and for another path with a * at its end the path before the *. ok is false if the definition declares no such
// path. Then a GET with a wrong token is useful for any path, because the gateway answers it, except for an operation that needs no token.
func readable(operations []wso2.Operation, resource string) (method, path string, ok bool) {
	first := ""
	for _, verb := range []string{http.MethodGet, http.MethodHead} {
		for _, op := range operations {
			if strings.Contains(op.Target, "{") {
				continue
			}
			path := strings.TrimSuffix(op.Target, "*")
			if op.Target == "/*" {
				path = resource
			}
			if op.Verb == verb {
				return verb, path, true
			}
			first = cmp.Or(first, path)
		}
	}
	if len(operations) == 0 { // not known
		return http.MethodGet, resource, true
	}
	return http.MethodGet, cmp.Or(first, "/"), false
}

// loading is what the gateway's own list of endpoints says about an API.
type loading int

const (
	old     loading = iota // it sends calls to another backend
	current                // it sends calls to the right backend
	unknown                // it does not say
)

// loadingOf compares the addresses that the gateway shows with the wanted one. It ignores a path that the gateway appends.
func loadingOf(shown []string, want string) loading {
	if want == "" {
		return unknown
	}
	want = strings.TrimRight(want, "/")
	for _, address := range shown {
		rest, ok := strings.CutPrefix(strings.TrimRight(address, "/"), want)
		switch {
		case ok && (rest == "" || strings.ContainsRune("/?{", rune(rest[0]))):
		case strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://"):
			return old
		default: // a template of the gateway's
			return unknown
		}
	}
	if len(shown) == 0 {
		return unknown
	}
	return current
}

// otherThan returns the shown address that belongs to an earlier revision. It masks a password in the address, because somebody
// else may have written it.
func otherThan(shown []string, want string) string {
	for _, address := range shown {
		if loadingOf([]string{address}, want) != old {
			continue
		}
		if u, err := url.Parse(address); err == nil {
			return u.Redacted()
		}
	}
	return "another address"
}

// answered returns what an answer to a call says: has, whether the gateway has the API, and ok, whether the check passes. A gateway
// that throttles a call, or demands a scope, has accepted the API and the token.
func (t *target) answered(a wso2.Answer) (has, ok bool) {
	switch {
	case a.Code == wso2.GatewayUnknown:
		return false, false
	case !t.token:
		return true, a.Code != "" || a.Status < http.StatusInternalServerError
	case a.Code == wso2.GatewayNoScope, strings.HasPrefix(a.Code, "90080"):
		return true, true
	}
	return true, served(a)
}

// remedy returns what to do about an answer with which the check does not pass.
func (t *target) remedy(a wso2.Answer) string {
	if a.Status >= http.StatusInternalServerError && t.token {
		return fmt.Sprintf("the API is deployed, but its backend does not answer, or answers with an error: check that %s works from where API-M runs", cmp.Or(t.api.BackendURL, "backend_url"))
	}
	return remedyOf(a)
}
