package converge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/apply"
	"wso2agent/internal/wso2"
)

// place is a value in a file, and what puts another one there.
type place struct {
	path string
	set  func(any)
	drop func()
}

// places returns the values of a file.
func places(path string, v any) (all []place) {
	switch v := v.(type) {
	case tree:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = append(all, place{path + "." + key, func(x any) { v[key] = x }, func() { delete(v, key) }})
			all = append(all, places(path+"."+key, v[key])...)
		}
	case []any:
		for i := range v {
			all = append(all, place{fmt.Sprintf("%s[%d]", path, i), func(x any) { v[i] = x }, func() { v[i] = nil }})
			all = append(all, places(fmt.Sprintf("%s[%d]", path, i), v[i])...)
		}
	}
	return all
}

// mutate changes one value of a file, and returns what it did.
func mutate(s state, random *rand.Rand) (state, string) {
	var file tree
	if err := json.Unmarshal(s.text(), &file); err != nil {
		panic(err)
	}
	all := places("", file)
	p := all[random.IntN(len(all))]
	values := []any{
		"", " ", "a b", "a,b", "a/b", "x\ny", "Ärger & <co>", "%", "{", "it's \"so\"", "null", "true", "1.0", strings.Repeat("x", 61), strings.Repeat("y", 101), strings.Repeat("z", 300),
		strings.Repeat("ü", 40000), 0, -1, 1 << 40, 1.5, nil, []any{}, []any{"a", "a"}, tree{}, "http://h", "https://h:99999/x y", "ws://h", "/x", "/{version}/x", "GET", "admin", "Internal/creator",
		"RESTRICTED", "PUBLISHED", "CREATED", "GRAPHQL", "Unlimited", "Default", "Gold", "OTHER", "FILE", "*", "a:b", "-", "_", "ａ", "😀", "\t", ".", "..", "$", "a;b", "a@b", "default", "all",
	}
	if random.IntN(6) == 0 {
		p.drop()
		return state{file, s.files}, "without " + p.path
	}
	value := values[random.IntN(len(values))]
	p.set(value)
	return state{file, s.files}, fmt.Sprintf("%s: %.60q", p.path, fmt.Sprint(value))
}

// about reports whether a server refuses a change because of what it has, and not because of the form of the file: only the server knows
// its roles, policies, categories, environments, key managers, users, groups and clients.
func about(err error) bool {
	var e *wso2.Error
	if !errors.As(err, &e) {
		return true // the agent's own word, about what the servers have
	}
	if slices.Contains([]int{
		900305, // no such policy
		900345, // no such category
		900504, // no such environment
		900512, // no such virtual host
		900607, // no such role of a key manager
		900610, // no such role
		900967, // an application policy that does not exist, or a key whose client does not
		903250, // no such role of a scope
		901403, // no such key manager
		wso2.CodeNoPolicy,
	}, e.Code) {
		return true
	}
	return strings.Contains(err.Error(), "not found") // a permission, a user or a group of IS
}

// TestWhatIsValidIsNotRefused makes one mistake in a random desired state. Validation refuses it, or the servers take it: they refuse
// nothing for its form that validation accepts.
func TestWhatIsValidIsNotRefused(t *testing.T) {
	w := start(t)
	random, valid, total := rand.New(rand.NewPCG(uint64(seed(t)), 4)), 0, number(t, "MUTANTS", 100)
	for i := range total {
		s, what := mutate(randomState(uint64(seed(t)+i), w.clients), random)
		f, err := w.parse(s)
		if err != nil {
			continue
		}
		_ = f
		valid++
		t.Run(what, func(t *testing.T) {
			w := w.in(t)
			w.load(w.empty)
			want := w.want(s)
			report, err := w.run(t.Context(), want, w.client.Transport)
			if err != nil {
				t.Error(err)
			}
			for _, o := range report.Outcomes {
				if o.Err != nil && !about(o.Err) && !needs(report, o) {
					t.Errorf("%s %s: %v", o.Change.Kind, o.Change.Name, o.Err)
				}
			}
			if len(report.Problems) == 0 && report.Failed() == 0 {
				if lines := w.differences(want); len(lines) > 0 {
					t.Errorf("the second plan is\n%s", strings.Join(lines, "\n"))
				}
			}
		})
	}
	if valid == 0 || valid == total {
		t.Errorf("%d of %d files are valid", valid, total)
	}
	t.Logf("%d of %d files with a change are valid", valid, total)
}

func randomState(seed uint64, clients []client) state { return random(seed, false, clients) }

// needs reports whether a change fails because another one has failed.
func needs(report apply.Report, o apply.Outcome) bool {
	return strings.Contains(o.Err.Error(), "it needs an object that is missing")
}
