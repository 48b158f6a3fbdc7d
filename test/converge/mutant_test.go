package converge

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/plan"
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

// excused are the refusals that no validation can foresee, by what the agent says: only the servers know what they have. Whatever else a
// server refuses is a mistake of validation.
var excused = []struct{ says, what string }{
	{"the file names subscription policy ", "API-M lists its policies"},
	{"the file names policy of an operation ", "API-M knows its policies"},
	{"the file names category ", "somebody makes categories in the Admin Portal"},
	{"the file names environment ", "somebody makes environments in the Admin Portal"},
	{"the file names virtual host ", "an environment has its virtual hosts"},
	{"the file names visible role ", "API-M has its roles"},
	{"the file names role of the access control ", "API-M has its roles"},
	{"the file names role of a scope ", "API-M has its roles"},
	{"the file names role of the permissions ", "API-M has its roles"},
	{"the file names key manager ", "API-M has key managers that no file makes"},
	{"API-M has no application policy ", "API-M lists its policies"},
	{"IS has no user ", "IS has users that no file makes"},
	{"IS has no group ", "IS has groups that no file makes"},
	{"IS has no role ", "IS has roles that no file makes"},
	{"IS has no client ", "IS has clients that no file makes"},
	{"Invalid user store name", "IS has user stores that no file makes"},
	{"correct copy_of at ", "API-M has versions that no file makes"},
	{"does not know the grant type ", "somebody can add grant types to a key manager"},
}

// about reports whether a server refuses a change because of what it has, and not because of the form of the file.
func about(err error) bool {
	for _, e := range excused {
		if strings.Contains(err.Error(), e.says) {
			return true
		}
	}
	return false
}

// TestWhatIsValidIsNotRefused makes one mistake in a random desired state. Validation refuses it, or the servers take it: they refuse
// nothing for its form that validation accepts.
func TestWhatIsValidIsNotRefused(t *testing.T) {
	w := start(t)
	random, valid, total := rand.New(rand.NewPCG(uint64(seed(t)), 4)), 0, number(t, "MUTANTS", 20)
	for i := range total {
		s, what := mutate(randomState(uint64(seed(t)+i), w.clients), random)
		if _, err := w.parse(s); err != nil {
			continue
		}
		valid++
		t.Run(what, func(t *testing.T) {
			w := w.in(t)
			w.load(w.empty)
			f, _ := w.parse(s)
			want, err := actual.Want(t.Context(), f, w.settings)
			if err != nil && strings.Contains(err.Error(), "fetch ") {
				t.Skip("nobody can read the address of a definition:", err)
			}
			must(t, err)
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

// needs reports whether a change fails because another one has failed. API-M answers HTTP 500 to a subscription to an API that is not
// published.
func needs(report apply.Report, o apply.Outcome) bool {
	return strings.Contains(o.Err.Error(), "it needs an object that is missing") || slices.ContainsFunc(report.Outcomes, func(of apply.Outcome) bool {
		return o.Change.Kind == plan.KindSubscription && of.Change.Kind == plan.KindAPI && of.Err != nil && strings.HasSuffix(o.Change.Name, of.Change.Name)
	})
}
