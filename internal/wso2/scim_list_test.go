package wso2

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestAllObjectsOfIdentityServerAreListed: the stand-in shows what it has in one page.
func TestAllObjectsOfIdentityServerAreListed(t *testing.T) {
	base, hc := identityServer(t)
	s, ctx := NewSCIM(hc, base, shipped), t.Context()
	_, err := s.Create(ctx, SCIMUsers, map[string]any{"userName": "ann", "password": "throwAway1!"}, "throwAway1!")
	must(t, err)
	_, err = s.Create(ctx, SCIMGroups, map[string]any{"displayName": "staff"})
	must(t, err)
	for _, tt := range []struct {
		kind SCIMKind
		name string
	}{{SCIMUsers, "ann"}, {SCIMGroups, "staff"}, {SCIMRoles, "everyone"}} {
		list, err := s.List(ctx, tt.kind)
		must(t, err)
		found := 0
		for _, o := range list {
			if strings.TrimPrefix(o.Name, primaryStore) == tt.name {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s stands %d times in %v", tt.name, found, list)
		}
	}
}

// TestAListHasAnEnd reads lists of several pages, and refuses one that does not end.
func TestAListHasAnEnd(t *testing.T) {
	total, asked := 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		start, _ := strconv.Atoi(r.FormValue("startIndex"))
		count, _ := strconv.Atoi(r.FormValue("count"))
		w.Header().Set("Content-Type", "application/scim+json")
		if total < 0 {
			fmt.Fprint(w, `{"Resources":[]}`)
			return
		}
		var all []string
		for i := start; i < start+count && i <= total; i++ {
			audience := `"organization"`
			if i%2 == 0 {
				audience = `"application"`
			}
			all = append(all, fmt.Sprintf(`{"id":"i%d","displayName":"role%d","audience":{"type":%s}}`, i, i, audience))
		}
		fmt.Fprintf(w, `{"totalResults":%d,"Resources":[%s]}`, total, strings.Join(all, ","))
	}))
	defer server.Close()
	s := NewSCIM(server.Client(), server.URL, shipped)
	for _, tt := range []struct{ total, want, asked int }{{0, 0, 1}, {1, 1, 1}, {100, 50, 1}, {101, 51, 2}, {250, 125, 3}} {
		total, asked = tt.total, 0
		list, err := s.List(t.Context(), SCIMRoles)
		if err != nil || len(list) != tt.want || asked != tt.asked {
			t.Errorf("of %d roles %d are listed with %d requests, %v", tt.total, len(list), asked, err)
		}
	}
	total = 1 << 30
	if list, err := s.List(t.Context(), SCIMRoles); err == nil || list != nil || !strings.HasPrefix(err.Error(), "list roles") {
		t.Errorf("an endless list has %d roles, %v", len(list), err)
	}
	total = -1
	if _, err := s.List(t.Context(), SCIMGroups); !errors.Is(err, errNoList) {
		t.Errorf("an answer without a list is %v", err)
	}
}
