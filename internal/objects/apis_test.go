package objects

import (
	"slices"
	"testing"

	"wso2agent/internal/wso2"
)

func TestPlacesKeepsTheHostThatAnAPIHas(t *testing.T) {
	host := func(name string) any { return map[string]any{"host": name} }
	environments := []wso2.Object{
		{Name: "Default", Fields: map[string]any{"vhosts": []any{host("first.example"), host("second.example")}}},
		{Name: "Edge", Fields: map[string]any{"vhosts": []any{host("edge.example")}}},
		{Name: "Empty", Fields: map[string]any{"vhosts": []any{}}},
	}
	now := []wso2.Deployment{{Environment: "Default", VHost: "second.example"}}
	for _, tc := range []struct {
		what  string
		names []string
		want  []wso2.Deployment // nil: an error
	}{
		{"deployed there", []string{"Default"}, now},
		{"named twice", []string{"Default", "Default"}, now},
		{"not deployed there", []string{"Edge"}, []wso2.Deployment{{Environment: "Edge", VHost: "edge.example", DisplayOnDevPortal: true}}},
		{"no host", []string{"Empty"}, nil},
		{"unknown", []string{"Other"}, nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			to, err := places(tc.names, now, environments)
			if (err != nil) != (tc.want == nil) || !slices.Equal(to, tc.want) {
				t.Errorf("%v, error %v, want %v", to, err, tc.want)
			}
		})
	}
}

func TestTheBackendIsShownWithoutItsPassword(t *testing.T) {
	api := func(endpoints any) map[string]any {
		return map[string]any{"endpointConfig": map[string]any{"production_endpoints": endpoints}}
	}
	for want, o := range map[string]map[string]any{
		"http://ann:xxxxx@a:1/b": api(map[string]any{"url": "http://ann:s3cret@a:1/b"}),
		"":                       api([]any{map[string]any{"url": "http://a:1"}}),
	} {
		if got := backend(o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
