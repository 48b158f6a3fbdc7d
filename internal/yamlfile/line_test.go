package yamlfile

import (
	"strings"
	"testing"
)

func TestASyntaxErrorIsToldWithTheLineAtWhichItIs(t *testing.T) {
	const head = `rest_apis:
  - name: Payment API
    context: /payments
    version: 1.0.0
    backend_url: http://payment:8080
  - name: Order API
    context: /orders
    version: 1.0.0
    backend_url: http://orders:8080
application:
  name: App
`
	tests := []struct {
		name, text, want string
	}{
		{"a key that is indented too little", head + "subscriptions:\n  - api_name: Payment API\n throttling_policy: Gold\n  - api_name: Order API\n", "line 14: "},
		{"in the middle of a list", strings.Replace(head, "    context: /orders", "   context: /orders", 1), "line 7: "},
		{"a tab", strings.Replace(head, "    context: /orders", "\tcontext: /orders", 1), "line 7: "},
		{"a second colon", strings.Replace(head, "name: App", "name: App: more", 1), "line 11: "},
		{"a quote that never ends begins here", strings.Replace(head, "http://orders", "\"http://orders", 1), "line 9: "},
		{"a list in brackets that never ends begins here", head + "tags: [a, b\nmore: x\n", "line 12: "},
		{"a list in brackets over several lines before the error", "a: [b,\n  c,\n  d]\nb:\n  - c\n - d\n", "line 6: "},
		{"the first line", "a: b: c\n", "line 1: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text), "something")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestALargeFileKeepsTheParsersLine(t *testing.T) {
	for _, comments := range []int{1, searchLimit / 4} {
		text := "a:\n  - b: x\n" + strings.Repeat("  #\n", comments) + " c: y\n"
		_, err := Parse([]byte(text), "something")
		if small := comments == 1; err == nil || strings.Contains(err.Error(), "in what begins at line") != small {
			t.Errorf("with %d comments: %v", comments, err)
		}
	}
}
