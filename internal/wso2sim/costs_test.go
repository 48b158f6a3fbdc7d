package wso2sim

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsTakeTheirTimeOnTwoCores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{ctx: t.Context(), delays: Delays{Latency: 50 * time.Millisecond, Cost: 2}, working: make(chan struct{}, cores)}
		began, took := time.Now(), make(chan time.Duration, 3)
		h := s.slow(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { took <- time.Since(began) }))
		for range 3 {
			go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/api/am/publisher/v4/apis", nil))
		}
		synctest.Wait()
		var all []time.Duration
		for range 3 {
			all = append(all, <-took)
		}
		slices.Sort(all)
		if want := []time.Duration{114 * time.Millisecond, 114 * time.Millisecond, 178 * time.Millisecond}; !slices.Equal(all, want) {
			t.Errorf("three creations took %v, and should take %v", all, want)
		}
	})
}

func TestTheCostOfARequest(t *testing.T) {
	for request, want := range map[string]time.Duration{
		"GET /api/am/publisher/v4/apis": 8, "POST /api/am/publisher/v4/apis": 32, "PUT /api/am/publisher/v4/apis/x": 54, "PUT /api/am/publisher/v4/apis/x/swagger": 91,
		"POST /api/am/publisher/v4/apis/x/revisions": 24, "POST /api/am/publisher/v4/apis/x/deploy-revision": 13, "POST /api/am/publisher/v4/apis/change-lifecycle": 40,
		"POST /scim2/Users": 12, "GET /orders/1.0.0": 8,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := costOf(httptest.NewRequest(method, path, nil)); got != want*time.Millisecond {
			t.Errorf("%s costs %v, and should cost %d ms", request, got, want)
		}
	}
}
