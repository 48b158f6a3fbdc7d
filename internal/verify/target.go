package verify

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

// target is an API to verify, by one kind of call.
type target struct {
	api    bootstrap.PublishedAPI
	method string
	path   string // at the gateway; empty: no call with a wrong token would end at the gateway
	token  bool   // the call has a good token, for which the client needs a subscription; else a wrong one
	open   bool   // the operation takes any token, and none

	loaded   time.Time // when the agent first saw the deployed revision at the gateway
	once     bool      // one try has to do
	missing  bool      // the gateway does not have the API
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

// targets returns the APIs to verify. The agent calls each new or changed one with a good token, and one of the others, or all of them, if
// that is possible without a method that writes.
func targets(apis []bootstrap.PublishedAPI, all bool) []*target {
	sample := -1
	for i, api := range apis {
		if !api.Changed && !api.OnlyKnown && (sample < 0 || api.Subscribed && !apis[sample].Subscribed) {
			sample = i
		}
	}
	var list []*target
	for i, api := range apis {
		op, ok := readable(api.Operations)
		list = append(list, &target{api: api, method: op.Verb, path: api.Path + callPath(op), open: op.Open,
			token: ok && !api.OnlyKnown && (all || api.Changed || i == sample),
			check: Check{API: cmp.Or(api.ID, api.Name), Name: fmt.Sprintf("API %q %s", api.Name, api.Version) + calledThrough, Verdict: Fail, Evidence: "not tried", Remedy: "try again"}})
	}
	return list
}

// accepted reports whether the API has answered to a good token, which it asks for.
func (t *target) accepted() bool { return t.token && !t.open && t.check.Verdict == Pass }

// known returns the target of a call with a wrong token, which the gateway answers if it has the API.
func (t *target) known() *target {
	k := &target{api: t.api, method: http.MethodGet, check: t.check}
	k.check.Name = fmt.Sprintf("API %q %s", t.api.Name, t.api.Version) + knownTo
	if path, ok := Guarded(t.api.Operations); ok {
		k.path = t.api.Path + path
	}
	return k
}

// readable chooses the operation with which to call an API: GET, or else HEAD, of a path without parameters that its definition declares.
// One that asks for a token comes first. ok is false if there is none.
func readable(operations []wso2.Operation) (op wso2.Operation, ok bool) {
	for _, verb := range []string{http.MethodGet, http.MethodHead} {
		for _, open := range []bool{false, true} {
			for _, op := range operations {
				if op.Verb == verb && op.Open == open && !strings.Contains(op.Target, "{") {
					return op, true
				}
			}
		}
	}
	return wso2.Operation{Verb: http.MethodGet, Target: "/"}, len(operations) == 0 // not known
}

// callPath returns a path of an operation without parameters. For one with a * at its end that is the path before the *.
func callPath(op wso2.Operation) string { return strings.TrimSuffix(op.Target, "*") }

// noResource is a path that no API declares.
const noResource = "/wso2agent/no/such/resource"

// Guarded chooses the path of a GET with a wrong token that reaches no back end: the operation asks for a token, or the API has no such
// operation, so that the gateway answers 405 or 404. ok is false if every path has a GET that asks for none.
func Guarded(operations []wso2.Operation) (path string, ok bool) {
	var paths []string
	if op, ok := readable(operations); ok && op.Verb == http.MethodGet {
		paths = append(paths, callPath(op))
	}
	for _, op := range operations {
		if !strings.Contains(op.Target, "{") {
			paths = append(paths, callPath(op))
		}
	}
	for _, path := range append(paths, "/", noResource) {
		if !slices.ContainsFunc(operations, func(op wso2.Operation) bool { return op.Open && op.Verb == http.MethodGet && covers(op.Target, path) }) {
			return path, true
		}
	}
	return "", false
}

// covers reports whether the target of an operation may stand for a path: {id} stands for one part of it, and * for the rest.
func covers(target, path string) bool {
	want, have := strings.Split(strings.Trim(target, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for n, part := range want {
		switch {
		case part == "*":
			return true
		case n >= len(have) || part != have[n] && !strings.Contains(part, "{"):
			return false
		}
	}
	return len(want) == len(have)
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
		return masked(address)
	}
	return "another address"
}

// masked returns an address without its password.
func masked(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "another address"
}

// answered returns what an answer to a call says: has, whether the gateway has the API, and ok, whether the check passes. A gateway
// that throttles a call, or demands a scope, has accepted the API and the token.
func (t *target) answered(a wso2.Answer) (has, ok bool) {
	switch {
	case a.NoAPI(), a.Code == wso2.GatewayUnknown && t.token:
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
