package wso2sim

import (
	"net/http"
	"regexp"
	"time"
)

// cost is how long the real servers work on a request: the median in milliseconds on two cores that are idle and warm.
type cost struct {
	method string
	path   *regexp.Regexp
	ms     int
}

// costs are those of writes, as measured. The first one that matches counts.
var costs = []cost{
	{"POST", at(`/publisher/v4/apis/copy-api`), 73}, {"POST", at(`/publisher/v4/apis/import-[a-z-]+`), 62}, {"POST", at(`/publisher/v4/apis/change-lifecycle`), 40},
	{"POST", at(`/publisher/v4/apis/validate`), 8}, {"POST", at(`/publisher/v4/apis/[^/]+/revisions`), 24}, {"POST", at(`/publisher/v4/apis/[^/]+/deploy-revision`), 13},
	{"POST", at(`/publisher/v4/apis/[^/]+/undeploy-revision`), 16}, {"POST", at(`/publisher/v4/apis/[^/]+/documents`), 21},
	{"POST", at(`/publisher/v4/apis`), 32}, {"PUT", at(`/publisher/v4/apis/[^/]+`), 54}, {"PUT", at(`/publisher/v4/apis/[^/]+/swagger`), 91}, {"DELETE", at(`/publisher/v4/apis/[^/]+`), 21},
	{"POST", at(`/publisher/v4/scopes`), 35}, {"PUT", at(`/publisher/v4/scopes/[^/]+`), 30}, {"POST", at(`/publisher/v4/endpoint-certificates`), 9},
	{"POST", at(`/devportal/v3/applications/[^/]+/generate-keys`), 23}, {"PUT", at(`/devportal/v3/applications/[^/]+/oauth-keys/[^/]+`), 21},
	{"POST", at(`/devportal/v3/subscriptions`), 9}, {"PUT", at(`/devportal/v3/subscriptions/[^/]+`), 13}, {"POST", at(`/admin/v4/key-managers`), 6}, {"PUT", at(`/admin/v4/key-managers/[^/]+`), 15},
	{"POST", regexp.MustCompile(`^/scim2/Users$`), 12}, {"PATCH", regexp.MustCompile(`^/scim2/Users/`), 22}, {"POST", regexp.MustCompile(`^/api/identity/oauth2/dcr/`), 11},
}

func at(path string) *regexp.Regexp { return regexp.MustCompile(`^/api/am` + path + `$`) }

// costOf returns the cost of a request. Reads, calls of the gateway and cheap writes cost about the same.
func costOf(r *http.Request) time.Duration {
	for _, c := range costs {
		if c.method == r.Method && c.path.MatchString(r.URL.Path) {
			return time.Duration(c.ms) * time.Millisecond
		}
	}
	return 8 * time.Millisecond
}

// cores is how many requests a server works on at the same time. The others wait.
const cores = 2

// slow lets each request wait on its way, and work for what it costs on one of the server's cores.
func (s *server) slow(next http.Handler) http.Handler {
	if s.delays.Latency == 0 && s.delays.Cost == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.delays.Latency > 0 && !s.await(r, s.delays.Latency) {
			return
		}
		if work := scale(costOf(r), s.delays.Cost); work > 0 {
			select {
			case s.working <- struct{}{}:
			case <-r.Context().Done():
				return
			}
			done := s.await(r, work)
			<-s.working
			if !done {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
