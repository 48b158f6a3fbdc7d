package apply

import (
	"strings"
	"testing"
)

// API-M subscribes whoever has subscribed to older versions to one that is published. A version that is only published on its way to
// another state gets no subscriptions, as if the file made all at once. One that stays published gets them.
func TestAVersionThatIsOutdatedFromItsStartGetsNoSubscriptions(t *testing.T) {
	s := start(t, nil)
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	const first = `
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}
applications: [{name: Shop, subscriptions: [Orders]}]
`
	s.allMade(s.apply(s.read(first, t.TempDir()), Options{}))
	want := s.read(strings.Replace(first, "applications:", `
  - {name: Orders, version: "2", context: /orders, backend_url: "http://a:1", lifecycle: DEPRECATED}
  - {name: Orders, version: "3", context: /orders, backend_url: "http://a:1"}
applications:`, 1), t.TempDir())
	s.allMade(s.apply(want, Options{}))
	have := s.have(want)
	subscribed := have.Applications["Shop"].Subscriptions
	for _, v := range have.Versions {
		if got := subscribed[v.ID] != nil; got != (v.Version != "2") {
			t.Errorf("version %s is %s, and subscribed: %v", v.Version, v.State, got)
		}
	}
	if len(have.Versions) != 3 {
		t.Errorf("%d versions", len(have.Versions))
	}
}
