package desired

import (
	"fmt"
	"strings"
	"testing"
)

// many is a file with APIs, each with operations, and one application that subscribes to all of them.
func many(apis, operations int) string {
	var b strings.Builder
	b.WriteString("apis:\n")
	for i := range apis {
		fmt.Fprintf(&b, "  - name: API %d\n    version: 1.0.0\n    context: /a%d\n    backend_url: http://b%d:8080\n    description: What API %d is for\n    tags: [a, b%d]\n", i, i, i, i, i)
		if operations > 0 {
			b.WriteString("    scopes: [read]\n    operations:\n")
		}
		for o := range operations {
			fmt.Fprintf(&b, "      - {target: /o%d, verb: GET, scopes: [read]}\n", o)
		}
	}
	b.WriteString("applications:\n  - name: App\n    subscriptions:\n")
	for i := range apis {
		fmt.Fprintf(&b, "      - API %d\n", i)
	}
	return b.String()
}

func BenchmarkValidate(b *testing.B) {
	for _, size := range []struct{ apis, operations int }{{500, 10}, {2000, 0}} {
		text := []byte(many(size.apis, size.operations))
		b.Run(fmt.Sprintf("%d APIs with %d operations", size.apis, size.operations), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(testSource(), Input{"f", text}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
