// Package speccheck holds what clients and stand-ins say to each other against the products' own REST specifications.
// It serves tests alone. Where the specifications themselves are wrong, exceptions.go says so, each by name.
package speccheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"wso2agent/internal/testenv"
)

// WrongHeader marks a request that is wrong on purpose. Its answer is checked all the same.
const WrongHeader = "X-Wrong-On-Purpose"

var loaded sync.Map // folder to func() ([]*api, error)

// loadOnce reads the specifications once for all tests of a process: they have more than a megabyte.
func loadOnce(folder string) ([]*api, error) {
	once, _ := loaded.LoadOrStore(folder, sync.OnceValues(func() ([]*api, error) { return load(folder) }))
	return once.(func() ([]*api, error))()
}

// Wrap gives what to put around the handler of a stand-in: every request that a specification covers is held against
// it, and the answer too. What violates it fails the test, at the latest when it ends. Nothing is checked, and a line
// in the test's log says so, where the specifications are not at hand; in CI that fails.
func Wrap(t testing.TB) func(http.Handler) http.Handler {
	t.Helper()
	wrap, take := Collect(t)
	t.Cleanup(func() {
		for _, problem := range take() {
			t.Error(problem)
		}
	})
	return wrap
}

// Collect is [Wrap] for a test whose requests may violate a specification: take returns what has done so since the last call.
func Collect(t testing.TB) (wrap func(http.Handler) http.Handler, take func() []string) {
	t.Helper()
	folder, ok := testenv.Find(t, "openapi")
	if !ok {
		return func(h http.Handler) http.Handler { return h }, func() []string { return nil }
	}
	apis, err := loadOnce(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{apis: apis}
	return c.wrap, c.take
}

// checker collects violations: a handler may outlive the test that it served, and must not report to it then.
type checker struct {
	apis []*api

	mu       sync.Mutex
	problems []string
}

func (c *checker) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.problems
	c.problems = nil
	return out
}

func (c *checker) report(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var covering *api
		for _, a := range c.apis {
			rest, ok := strings.CutPrefix(r.URL.Path, a.base)
			if !ok || !strings.HasPrefix(rest, "/") {
				continue
			}
			if _, op, _ := a.operation(r.Method, rest); op != nil || covering == nil {
				covering = a
			}
			if _, op, _ := covering.operation(r.Method, rest); op != nil { // several specifications may share a base
				break
			}
		}
		if covering == nil {
			next.ServeHTTP(w, r)
			return
		}
		c.check(covering, strings.TrimPrefix(r.URL.Path, covering.base), next, w, r)
	})
}

// check validates request and answer; the answer reaches the client when all has been said about it, so that a test
// cannot end before.
func (c *checker) check(a *api, path string, next http.Handler, w http.ResponseWriter, r *http.Request) {
	template, op, params := a.operation(r.Method, path)
	what := r.Method + " " + a.base + template
	if op == nil {
		if !unspecified.MatchString(r.Method + " " + r.URL.Path) {
			c.report("%s %s: %s has no such operation", r.Method, r.URL.Path, a.file)
		}
		next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{what: what, input: &openapi3filter.RequestValidationInput{
		Request: r.Clone(context.WithoutCancel(r.Context())), PathParams: params, Options: options(),
		Route: &routers.Route{Spec: a.doc, Path: template, PathItem: a.doc.Paths.Value(template), Method: r.Method, Operation: op},
	}}
	if problem := x.request(body); problem != "" && r.Header.Get(WrongHeader) == "" {
		c.report("the request %s violates %s: %s\nit was %.2000s", what, a.file, problem, r.URL.RawQuery+" "+string(body))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &recorder{header: http.Header{}}
	next.ServeHTTP(answer, r)
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	if problem := x.answer(answer); problem != "" {
		c.report("the answer %d to %s violates %s: %s\nit was %.2000s", answer.status, what, a.file, problem, answer.body.String())
	}
	answer.copyTo(w)
}

// options let through what no specification can say: who the caller is. Read-only fields may be sent, as in what was
// read and is written back; the servers do not look at them.
func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true,
		ExcludeReadOnlyValidations: true, SkipSettingDefaults: true,
	}
}

// exchange is a request with its answer.
type exchange struct {
	what  string // method and path template
	input *openapi3filter.RequestValidationInput
}

// request says what is wrong with the request, or nothing.
func (x *exchange) request(body []byte) string {
	if readBack(x.what) {
		body = withoutNulls(body)
	}
	if strings.Contains(x.input.Request.Header.Get("Content-Type"), "json") {
		x.input.Request.Header.Set("Content-Type", "application/json") // +json and charset are no other format
	}
	x.input.Request.Body = io.NopCloser(bytes.NewReader(body))
	x.input.Request.ContentLength = int64(len(body))
	return x.describe(openapi3filter.ValidateRequest(x.input.Request.Context(), x.input), 0)
}

// answer says what is wrong with the answer, or nothing.
func (x *exchange) answer(r *recorder) string {
	body, header := r.body.Bytes(), r.header.Clone()
	if strings.Contains(header.Get("Content-Type"), "json") {
		body = withoutNulls(body)
		header.Set("Content-Type", "application/json")
	}
	if x.input.Route.Operation.Responses.Status(r.status) == nil && isUnlisted(x.what, r.status) {
		return x.commonError(body)
	}
	return x.describe(openapi3filter.ValidateResponse(x.input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: x.input, Status: r.status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: options(),
	}), r.status)
}

// commonError holds an answer against the schema that all errors of a specification of API Manager share.
func (x *exchange) commonError(body []byte) string {
	if !strings.Contains(x.what, " /api/am/") {
		return ""
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "an error without JSON: " + err.Error()
	}
	schema := x.input.Route.Spec.Components.Schemas["Error"]
	return x.describe(schema.Value.VisitJSON(v, openapi3.MultiErrors()), 0)
}

// describe joins what was found, without what is excepted. status is 0 for a request.
func (x *exchange) describe(err error, status int) string {
	var lines []string
	for _, found := range flatten(err) {
		line := strings.Join(strings.Fields(found), " ")
		if !excepted(x.what, status, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n  ")
}

// flatten takes errors apart: one line for each violation, with the place in the body.
func flatten(err error) []string {
	var many openapi3.MultiError
	var schema *openapi3.SchemaError
	var request *openapi3filter.RequestError
	var response *openapi3filter.ResponseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many) && len(many) > 0:
		var out []string
		for _, e := range many {
			out = append(out, flatten(e)...)
		}
		return out
	case errors.As(err, &schema):
		parameter := ""
		if errors.As(err, &request) && request.Parameter != nil {
			parameter = "parameter " + request.Parameter.Name + " "
		}
		return []string{parameter + "/" + strings.Join(schema.JSONPointer(), "/") + ": " + schema.Reason}
	case errors.As(err, &response) && response.Err != nil:
		return []string{response.Reason + ": " + response.Err.Error()}
	}
	return []string{err.Error()}
}

// recorder holds an answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recorder) copyTo(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes()) // the client has gone; nobody is left to tell
}
