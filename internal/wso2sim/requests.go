package wso2sim

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is one that a server has got. There is no query in it, and no header: they may hold secrets.
type Request struct {
	Time      time.Time     `json:"time"`
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	Operation string        `json:"operation"` // method and path template; "GET gateway" for a call of an API
	Status    int           `json:"status"`    // 0 where there was no answer
	Took      time.Duration `json:"took_ns"`
}

// maxRequests bounds what a log remembers in full; the counts go on.
const maxRequests = 20_000

// RequestLog has what a server was asked, for tests that say how many calls something may take. It outlives the
// server's restarts in place.
type RequestLog struct {
	mu     sync.Mutex
	last   []Request
	counts map[string]int
}

// NewRequestLog is empty.
func NewRequestLog() *RequestLog { return &RequestLog{counts: map[string]int{}} }

// Counts are the requests so far, by operation.
func (l *RequestLog) Counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// List are the last requests, at most 20,000, in the order in which they were answered.
func (l *RequestLog) List() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}

// Reset forgets everything.
func (l *RequestLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.counts = nil, map[string]int{}
}

func (l *RequestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) >= maxRequests {
		l.last = slices.Delete(l.last, 0, maxRequests/2)
	}
	l.last = append(l.last, r)
	l.counts[r.Operation]++
}

// operationKey is where the context of a request has room for the operation that it turns out to be.
type operationKey struct{}

// logged notes requests, those that met a fault included.
func (s *server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pattern := ""
		seen := &statusWriter{ResponseWriter: w}
		began := time.Now()
		defer func() { // a broken answer is a panic
			operation := pattern
			if operation == "" {
				operation = r.Method + " unknown"
			}
			s.requests.add(Request{began, r.Method, r.URL.Path, operation, seen.status, time.Since(began)})
		}()
		next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), operationKey{}, &pattern)))
	})
}

// named tells the log which operation a request was.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if pattern, ok := r.Context().Value(operationKey{}).(*string); ok {
			*pattern = r.Pattern
		}
	})
}

// gatewayCalls gives every call of an API one name.
func gatewayCalls(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next(w, r)
		r.Pattern = r.Method + " gateway"
	})
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the first status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is a 200 where nothing else was said before.
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
