package desired

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// dump returns a line for each value of a model, with its place.
func dump(f *File) string {
	var b strings.Builder
	f.Walk(func(path string, at Place, null bool, value any) bool {
		kind := reflect.TypeOf(value).Kind()
		secret, isSecret := value.(Secret)
		switch {
		case null:
			fmt.Fprintf(&b, "%s: reset (%d:%d)\n", path, at.Line, at.Column)
		case isSecret:
			fmt.Fprintf(&b, "%s: %s from %s (%d:%d)\n", path, secret, secret.From(), at.Line, at.Column)
		case kind != reflect.Struct && kind != reflect.Slice && kind != reflect.Map:
			fmt.Fprintf(&b, "%s: %v (%d:%d)\n", path, value, at.Line, at.Column)
		}
		return true
	})
	return b.String()
}

// shapes are the examples of all shapes.
func shapes(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/shapes/*.yaml")
	if err != nil || len(paths) != 5 {
		t.Fatalf("there are %d examples, %v", len(paths), err)
	}
	return paths
}

// systemWith has the files of this machine, and some variables.
func systemWith() Source {
	return FromSystem(func(name string) (string, bool) {
		return "Hunter2hunter", strings.HasSuffix(name, "_PASSWORD")
	}, nil)
}

func TestEachShapeLoadsIntoTheSameModel(t *testing.T) {
	for _, path := range shapes(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Load(systemWith(), path)
			if err != nil {
				t.Fatal(err)
			}
			golden, got := strings.TrimSuffix(path, ".yaml")+".golden", dump(f)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the model is\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(got, "unter2") {
				t.Error("the model shows a secret")
			}
		})
	}
}

func TestWhatAShapeSaysIsMappedOrRefused(t *testing.T) {
	const apiOf = "apis: [{name: A, version: '1', context: /a, backend_url: 'http://a', subscription_tier: Gold}]\n"
	for _, c := range []struct {
		name, text string
		want       string // a part of the model, or of the error
	}{
		{"a tier without a list of subscriptions subscribes", apiOf + "application: {name: App}\n", "applications[0].subscriptions[0].throttling_policy: Gold (1:89)"},
		{"a tier next to a list without the API is offered", apiOf + "application: {name: App}\nsubscriptions: []\n", "apis[0].policies[0]: Gold"},
		{"a tier without an application is offered", apiOf, "apis[0].policies[0]: Gold"},
		{"a tier that contradicts", apiOf + "application: {name: App}\nsubscriptions: [{api_name: A, throttling_policy: Bronze}]\n", "f:1:89: subscription_tier is Gold, and the subscription to the API has the policy Bronze (f:3:50): keep one of them"},
		{"subscriptions of nobody", "subscriptions: []\n", "f:1:1: section application is missing"},
		{"subscriptions of one of two", "applications: [{name: A}, {name: B}]\nsubscriptions: []\n", "f:2:16: subscriptions does not say which of the 2 applications subscribes"},
		{"two lists of subscriptions", "application: {name: A, subscriptions: []}\nsubscriptions: []\n", "f:2:16: the only application has subscriptions too (f:1:39)"},
		{"a timeout without a backend", "apis: [{name: A, version: '1', context: /a, timeout: 3}]\n", "timeout is for a backend, and the API has none"},
		{"an API's own field stays", "apis: [{name: A, version: '1', context: /a, backend_url: 'http://a', visibility: PRIVATE, timeout: 1s}]\ndefaults: {visibility: PUBLIC, endpoint_config: {timeout: 2s, retry_count: 4}}\n", "apis[0].endpoints.production.timeout: 1s (1:100)\napis[0].endpoints.production.retries: 4 (2:76)\napis[0].visibility: PRIVATE"},
		{"a sandbox", "apis: [{name: A, version: '1', context: /a, sandbox_url: 'http://a'}]\n", "apis[0].endpoints.sandbox.url: http://a"},
		{"a backend that is taken away", "apis: [{name: A, version: '1', context: /a, lifecycle: created, backend_url: }]\n", "apis[0].endpoints.production: reset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parse(c.text)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = dump(f)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("no %q in\n%s", c.want, got)
			}
		})
	}
}
