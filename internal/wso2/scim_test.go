package wso2

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestUsersGroupsAndRolesAreManaged(t *testing.T) {
	base, hc := identityServer(t)
	s, ctx := NewSCIM(hc, base, shipped), t.Context()
	find := func(kind SCIMKind, name string) Object {
		t.Helper()
		o, ok, err := s.Find(ctx, kind, name)
		if err != nil || !ok {
			t.Fatalf("find %s: %v, %v", name, ok, err)
		}
		return o
	}
	user := map[string]any{
		"userName": "ann", "password": "throwAway1!", "name": map[string]any{"givenName": "Ann"}, "emails": []any{"ann@example.com"},
	}
	id, err := s.Create(ctx, SCIMUsers, user, "throwAway1!")
	must(t, err)
	if _, err := s.Create(ctx, SCIMUsers, user); !HasStatus(err, http.StatusConflict) || !IsPermanent(err) || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("create again: %v", err)
	}
	ann := find(SCIMUsers, "ann")
	if ann.ID != id || ann.Name != "ann" || ann.Fields["name"].(map[string]any)["givenName"] != "Ann" {
		t.Errorf("user %+v", ann)
	}
	must(t, s.Patch(ctx, SCIMUsers, ann, []Change{{Op: "replace", Path: "name.givenName", Value: "Anna"}}))
	if read, err := s.Read(ctx, SCIMUsers, id); err != nil || read.Fields["name"].(map[string]any)["givenName"] != "Anna" {
		t.Errorf("user %+v, %v", read, err)
	}

	group, err := s.Create(ctx, SCIMGroups, map[string]any{"displayName": "staff"})
	must(t, err)
	must(t, s.Patch(ctx, SCIMGroups, find(SCIMGroups, "staff"), []Change{{Op: "add", Value: map[string]any{"members": []any{map[string]any{"value": id, "display": "ann"}}}}}))
	if read, err := s.Read(ctx, SCIMGroups, group); err != nil || len(read.Fields["members"].([]any)) != 1 {
		t.Errorf("group %+v, %v", read, err)
	}

	role, err := s.Create(ctx, SCIMRoles, map[string]any{"displayName": "clerk", "users": []any{map[string]any{"value": id}}})
	must(t, err)
	must(t, s.Patch(ctx, SCIMRoles, find(SCIMRoles, "clerk"), []Change{{Op: "add", Path: "groups", Value: []any{map[string]any{"value": group}}}}))
	read, err := s.Read(ctx, SCIMRoles, role)
	if err != nil || len(read.Fields["users"].([]any)) != 1 || len(read.Fields["groups"].([]any)) != 1 {
		t.Errorf("role %+v, %v", read, err)
	}

	for _, o := range []struct {
		kind SCIMKind
		Object
	}{{SCIMRoles, read}, {SCIMGroups, find(SCIMGroups, "staff")}, {SCIMUsers, ann}} {
		must(t, s.Delete(ctx, o.kind, o.Object))
		if _, ok, err := s.Find(ctx, o.kind, o.Name); ok || err != nil {
			t.Errorf("after the deletion of %s: %v, %v", o.Name, ok, err)
		}
		if err := s.Delete(ctx, o.kind, o.Object); err != nil {
			t.Errorf("delete %s again: %v", o.Name, err)
		}
	}
}

// IS would delete its only administrator, and then refuse everybody until it is restarted.
func TestTheAgentsOwnUserIsNotDeleted(t *testing.T) {
	sent := false
	base, hc := serve(t, func(http.ResponseWriter, *http.Request) { sent = true })
	s := NewSCIM(hc, base, admin)
	for _, name := range []string{"admin", "ADMIN", "PRIMARY/admin"} {
		if err := s.Delete(t.Context(), SCIMUsers, Object{ID: "1", Name: name}); !errors.Is(err, ErrOwnUser) || !IsPermanent(err) || !strings.Contains(err.Error(), "IS_ADMIN_USER") || sent {
			t.Errorf("%s: sent %v, %v", name, sent, err)
		}
	}
	if err := s.Delete(t.Context(), SCIMRoles, Object{Name: "x"}); !errors.Is(err, errNoID) || sent {
		t.Errorf("a role without id: sent %v, %v", sent, err)
	}
	if err := s.Patch(t.Context(), SCIMUsers, Object{ID: "1"}, nil); err != nil || sent {
		t.Errorf("no change: sent %v, %v", sent, err)
	}
}

func TestOfSeveralObjectsTheRightOneIsFound(t *testing.T) {
	tests := []struct {
		name, find string
		kind       SCIMKind
		body, id   string
	}{
		{"no match has no list", "x", SCIMUsers, `{"totalResults":0}`, ""},
		{"a name in other letter case", "ANN", SCIMUsers, `{"totalResults":1,"Resources":[{"id":"1","userName":"ann"}]}`, "1"},
		{"the store before the name", "staff", SCIMGroups, `{"totalResults":1,"Resources":[{"id":"1","displayName":"PRIMARY/staff"}]}`, "1"},
		{"another store", "staff", SCIMGroups, `{"totalResults":1,"Resources":[{"id":"1","displayName":"LDAP/staff"}]}`, ""},
		{"a role of an application", "admin", SCIMRoles, `{"totalResults":2,"Resources":[{"id":"1","displayName":"admin","audience":{"type":"application"}},{"id":"2","displayName":"admin","audience":{"type":"organization"}}]}`, "2"},
		{"a role in other letter case", "Admin", SCIMRoles, `{"totalResults":1,"Resources":[{"id":"2","displayName":"admin","audience":{"type":"organization"}}]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, hc := serve(t, answering(200, tt.body))
			o, ok, err := NewSCIM(hc, base, admin).Find(t.Context(), tt.kind, tt.find)
			if err != nil || ok != (tt.id != "") || o.ID != tt.id {
				t.Errorf("%+v, %v, %v", o, ok, err)
			}
		})
	}
	base, hc := serve(t, answering(200, `{}`))
	if _, _, err := NewSCIM(hc, base, admin).Find(t.Context(), SCIMUsers, "x"); !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
		t.Errorf("an answer that says nothing: %v", err)
	}
}

func TestANameInAFilterStaysAName(t *testing.T) {
	var filter string
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		filter = r.FormValue("filter")
		io.WriteString(w, `{"totalResults":0}`)
	})
	_, _, err := NewSCIM(hc, base, admin).Find(t.Context(), SCIMUsers, `a" or userName sw "\`)
	if want := `userName eq "a\" or userName sw \"\\"`; err != nil || filter != want {
		t.Errorf("filter %s, want %s, %v", filter, want, err)
	}
}
