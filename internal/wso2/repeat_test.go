package wso2

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestOnlyReadsThatCanSucceedAreRepeated(t *testing.T) {
	var count atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := count.Add(1)
		if r.URL.Path == "/empty" && n < ReadTries {
			return
		}
		if n == ReadTries && r.URL.Path != "/busy" {
			_, _ = w.Write([]byte(`{"id": "1"}`))
			return
		}
		status := http.StatusServiceUnavailable
		if r.URL.Path == "/never" {
			status = http.StatusForbidden
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	c := caller{server.Client(), server.URL, nil}
	for _, tt := range []struct {
		name, method, path string
		repeats            bool
		want               int32
		fails              bool
	}{
		{"a read that succeeds at last", "GET", "/late", true, ReadTries, false},
		{"a read with empty answers until then", "GET", "/empty", true, ReadTries, false},
		{"a read with an empty answer of which nobody said so", "GET", "/empty", false, 1, true},
		{"a read that does not", "GET", "/busy", true, ReadTries, true},
		{"a refused one", "GET", "/never", true, 1, true},
		{"a write", "PUT", "/late", true, 1, true},
		{"a read of which nobody said so", "GET", "/late", false, 1, true},
	} {
		ctx := context.Context(t.Context())
		if tt.repeats {
			ctx = RepeatReads(ctx)
		}
		one := request{op: "try", method: tt.method, path: tt.path}
		for what, do := range map[string]func() error{
			"a document": func() error { return c.call(ctx, one, &struct{}{}) },
			"an object":  func() error { _, err := c.object(ctx, one, byID); return err },
		} {
			count.Store(0)
			err := do()
			if got := count.Load(); got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%s of %s: %d requests, %v", tt.name, what, got, err)
			}
		}
	}
}
