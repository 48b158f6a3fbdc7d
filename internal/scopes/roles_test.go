package scopes

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"wso2agent/internal/wso2"
)

func TestARoleOfAPIMHasTheNameThatTheConnectorGives(t *testing.T) {
	for role, want := range map[string]string{"admin": "system_primary_admin", "clerk": "system_primary_clerk", "Internal/creator": "creator"} {
		if got := RoleInIS(role, true); got != want {
			t.Errorf("%s: %s", role, got)
		}
	}
}

func TestRolesGetTheScopesThatAPIMBindsAndLoseOnlyThose(t *testing.T) {
	scopes := []wso2.Scope{{Name: "a:read"}, {Name: "a:write"}}
	role := func(name string, permissions ...string) Role {
		return Role{ID: "id-" + name, Name: name, Scopes: permissions}
	}
	for _, tt := range []struct {
		name  string
		bound map[string][]string
		roles []Role
		want  string // name +added -removed, in order
	}{
		{"a role that IS lacks", map[string][]string{"a:read": {"clerk"}}, nil, "system_primary_clerk(new) +a:read"},
		{"a role that IS has", map[string][]string{"a:read": {"clerk"}}, []Role{role("system_primary_clerk")}, "system_primary_clerk +a:read"},
		{"a role that has the scope", map[string][]string{"a:read": {"clerk"}}, []Role{role("system_primary_clerk", "a:read")}, ""},
		{"a role of API-M itself", map[string][]string{"a:read": {"Internal/creator"}}, nil, "creator(new) +a:read"},
		{"two scopes of one role", map[string][]string{"a:read": {"clerk"}, "a:write": {"clerk", "clerk"}}, nil, "system_primary_clerk(new) +a:read +a:write"},
		{"a role that API-M has taken away", map[string][]string{"a:read": {}}, []Role{role("system_primary_clerk", "a:read", "a:write")}, "system_primary_clerk -a:read"},
		{"another role instead", map[string][]string{"a:read": {"boss"}}, []Role{role("system_primary_clerk", "a:read")}, "system_primary_boss(new) +a:read; system_primary_clerk -a:read"},
		{"a scope that API-M does not know", nil, []Role{role("system_primary_clerk", "a:read")}, ""},
		{"a scope that IS does not have", map[string][]string{"b:read": {"clerk"}}, nil, ""},
		{"a hand-made role with the scope", map[string][]string{"a:read": {}}, []Role{role("tellers", "a:read")}, ""},
		{"a role of API-M itself that was taken away", map[string][]string{"a:read": {}}, []Role{role("creator", "a:read")}, ""},
		{"the other name that the connector gives", map[string][]string{"a:read": {"Internal/creator"}}, []Role{role("system_primary_creator", "a:read"), role("creator", "a:read")}, ""},
		{"rights of IS's own", map[string][]string{"a:read": {}}, []Role{role("system_primary_clerk", "internal_user_mgt_list")}, ""},
		{"the administrator's role", map[string][]string{"a:read": {"Internal/admin"}}, []Role{role("admin")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range DecideRoles(tt.bound, scopes, tt.roles, true) {
				text := a.Role.Name
				if a.Role.ID == "" {
					text += "(new)"
				}
				for _, s := range a.Add {
					text += " +" + s
				}
				for _, s := range a.Remove {
					text += " -" + s
				}
				got = append(got, text)
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("actions %q, want %q", text, tt.want)
			}
		})
	}
}

func TestWithoutRolesOfTheConnectorNamesStayAndOnlyRolesThatExistGetScopes(t *testing.T) {
	bound := map[string][]string{"a:read": {"tellers", "clerk", "Internal/creator", "admin"}}
	roles := []Role{{ID: "1", Name: "tellers"}, {ID: "2", Name: "system_primary_boss", Scopes: []string{"a:read"}}, {ID: "3", Name: "creator"}, {ID: "4", Name: "admin"}}
	got := DecideRoles(bound, []wso2.Scope{{Name: "a:read"}}, roles, false)
	if want := []RoleAction{{Role: roles[0], Add: []string{"a:read"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("actions %+v, want %+v", got, want)
	}
}

func TestASecondDecisionAboutRolesIsEmpty(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var scopes []wso2.Scope
		bound := map[string][]string{}
		names := []string{"clerk", "boss", "Internal/creator", "Internal/admin", "admin"}
		for i := range r.IntN(5) {
			name := fmt.Sprintf("s:%d", i)
			if r.IntN(4) > 0 {
				scopes = append(scopes, wso2.Scope{Name: name})
			}
			if r.IntN(4) > 0 {
				bound[name] = names[:r.IntN(len(names)+1)]
			}
		}
		var roles []Role
		for _, name := range []string{"admin", "tellers", "creator", "system_primary_clerk", "system_primary_old"} {
			role := Role{ID: name, Name: name, Scopes: []string{"internal_login"}}
			for _, s := range scopes {
				if r.IntN(2) == 0 {
					role.Scopes = append(role.Scopes, s.Name)
				}
			}
			if r.IntN(3) > 0 {
				roles = append(roles, role)
			}
		}
		after := slices.Clone(roles)
		for _, a := range DecideRoles(bound, scopes, roles, true) {
			i := slices.IndexFunc(after, func(have Role) bool { return have.Name == a.Role.Name })
			if i < 0 {
				after = append(after, Role{ID: "new", Name: a.Role.Name})
				i = len(after) - 1
			}
			after[i].Scopes = slices.DeleteFunc(append(slices.Clone(after[i].Scopes), a.Add...), func(s string) bool { return slices.Contains(a.Remove, s) })
		}
		if again := DecideRoles(bound, scopes, after, true); len(again) > 0 {
			t.Fatalf("seed %d: a second decision is %+v", seed, again)
		}
		for i, before := range roles {
			if (before.Name == "admin" || before.Name == "tellers") && !reflect.DeepEqual(before, after[i]) {
				t.Fatalf("seed %d: role %s was touched", seed, before.Name)
			}
			if !slices.Contains(after[i].Scopes, "internal_login") {
				t.Fatalf("seed %d: role %s lost a right of IS's own", seed, before.Name)
			}
		}
		for _, s := range scopes {
			if slices.Contains(bound[s.Name], "clerk") && !slices.ContainsFunc(after, func(have Role) bool {
				return have.Name == "system_primary_clerk" && slices.Contains(have.Scopes, s.Name)
			}) {
				t.Fatalf("seed %d: the clerk lacks %s", seed, s.Name)
			}
		}
	}
}

func TestAnAPIResourceThatAnotherAgentMakesMeanwhileIsFound(t *testing.T) {
	s := newServer(t)
	var once sync.Once
	made := ""
	s.meanwhile(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			once.Do(func() { s.meanwhile(nil); made = s.resource() })
		}
		return false
	})
	if id, err := MakeResource(t.Context(), s.authorization()); err != nil || id != made || id == "" {
		t.Errorf("id %q, want %q: %v", id, made, err)
	}
}

// apiM answers like API-M with two APIs. It counts the reads of each, and fails those of one.
type apiM struct {
	mu    sync.Mutex
	reads map[string]int
	fails string
}

func (a *apiM) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := httptest.NewRecorder()
	switch id := path.Base(r.URL.Path); {
	case id == "apis":
		fmt.Fprint(w, `{"count":2,"list":[{"id":"a","updatedTime":"1"},{"id":"b","updatedTime":"1"}]}`)
	case id == "scopes":
		fmt.Fprint(w, `{"count":0,"list":[]}`)
	case id == a.fails:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		a.reads[id]++
		fmt.Fprintf(w, `{"id":%q,"name":%q,"scopes":[]}`, id, id)
	}
	return w.Result(), nil
}

func TestAFailedReadingKeepsWhatItHasRead(t *testing.T) {
	a := &apiM{reads: map[string]int{}, fails: "b"}
	k := Roles{}
	p := wso2.NewPublisher(&http.Client{Transport: a}, "https://am.example:9443", wso2.Credentials{})
	for failed := 0; failed < 3; {
		if _, err := k.bound(t.Context(), p, nil); err == nil {
			t.Fatal("no error")
		}
		if a.reads["a"] > 0 {
			failed++
		}
	}
	a.fails = ""
	if _, err := k.bound(t.Context(), p, nil); err != nil || a.reads["a"] != 1 {
		t.Errorf("reads %v, %v", a.reads, err)
	}
}
