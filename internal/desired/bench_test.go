package desired

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
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

// repeat writes a line for each number from 0, with the number in the place of each #.
func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(line, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// TestFourTimesTheFileTakesFourTimesTheWork counts allocations and their bytes. A comparison of all entries with all others allocates
// sixteen times as much as soon as it makes a text or copies an entry.
func TestFourTimesTheFileTakesFourTimesTheWork(t *testing.T) {
	testenv.WithoutRace(t)
	const app = "applications:\n  - name: App\n    subscriptions:\n"
	const wrong = "apis:\n  - {name: A, version: '1', context: /a, backend_url: 'http://a'}\n"
	for name, text := range map[string]func(n int) string{
		"APIs":                 func(n int) string { return many(n, 0) },
		"APIs with operations": func(n int) string { return many(n, 10) },
		"operations":           func(n int) string { return many(1, n) },
		"APIs with one context": func(n int) string {
			return "apis:\n" + repeat(n, "  - {name: A#, version: '1', context: /a, backend_url: 'http://a'}\n")
		},
		"APIs with one path": func(n int) string {
			return "apis:\n" + repeat(n, "  - {name: A#, version: v#, context: '/{version}/#', backend_url: 'http://a'}\n")
		},
		"versions of an API": func(n int) string {
			return "apis:\n" + repeat(n, "  - {name: A, version: v#, context: /a, backend_url: 'http://a'}\n") + app + "      - A\n"
		},
		"versions with other contexts": func(n int) string {
			return "apis:\n" + repeat(n, "  - {name: A, version: v#, context: '/a#', backend_url: 'http://a'}\n")
		},
		"an API that stands often": func(n int) string {
			return "apis:\n" + repeat(n, "  - {name: A, version: v, context: /a, backend_url: 'http://a#'}\n")
		},
		"unknown keys":                   func(n int) string { return "apis:\n" + repeat(n, "  - nam: A#\n") },
		"unknown keys in one line":       func(n int) string { return "apis: [" + repeat(n, "{nam: A#}, ") + "]\n" },
		"subscriptions to unknown APIs":  func(n int) string { return many(n, 0) + repeat(n, "      - Other thing #\n") },
		"subscriptions that stand twice": func(n int) string { return many(n, 0) + repeat(n, "      - API #\n") },
		"scopes that nobody declares":    func(n int) string { return strings.ReplaceAll(many(n, 1), "scopes: [read]\n", "scopes: [write]\n") },
		"shared scopes":                  func(n int) string { return many(n, 1) + "scopes:\n" + repeat(n, "  - {name: s#}\n") },
		"shared scopes that stand twice": func(n int) string { return wrong + "scopes:\n" + repeat(n, "  - {name: s, roles: [r#]}\n") },
		"tags":                           func(n int) string { return api("tags: [" + repeat(n, "t#, ") + "]") },
		"one tag":                        func(n int) string { return api("tags: [" + repeat(n, "t, ") + "]") },
		"tiers": func(n int) string {
			return strings.ReplaceAll(many(n, 0), "    tags", "    subscription_tier: Gold\n    tags")
		},
		"tiers that subscribe": func(n int) string {
			return strings.Split(strings.ReplaceAll(many(n, 0), "    tags", "    subscription_tier: Gold\n    tags"), "    subscriptions")[0]
		},
		"applications": func(n int) string { return many(n, 0) + repeat(n, "  - {name: B#, subscriptions: [API #]}\n") },
		"applications that stand twice": func(n int) string {
			return wrong + "applications:\n" + repeat(n, "  - {name: B, subscriptions: [A]}\n")
		},
		"documents of one name": func(n int) string {
			return api("documents: [" + repeat(n, "{name: D, summary: s, content: x}, ") + "]")
		},
		"key managers": func(n int) string { return "key_managers:\n" + repeat(n, "  - {name: K#, issuer: 'https://i'}\n") },
		"users, groups and roles": func(n int) string {
			return "identity_server:\n  users:\n" + repeat(n, "  - {username: user#}\n") + "  groups:\n" + repeat(n, "  - {name: g#}\n") + "  roles:\n" + repeat(n, "  - {name: r}\n")
		},
	} {
		work := func(n int) (allocations, bytes uint64) {
			data := []byte(text(n))
			for i := range 3 { // the counters are those of the process, in which others work too
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := Parse(testSource(), Input{"f", data})
				if err != nil {
					_ = err.Error()
				}
				runtime.ReadMemStats(&after)
				made, size := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
				if i == 0 {
					allocations, bytes = made, size
				}
				allocations, bytes = min(allocations, made), min(bytes, size)
			}
			return allocations, bytes
		}
		// Slices and maps grow in steps. Bytes also depend on what sync.Pool still has. Work that grows with the square would be
		// 16 times.
		const n, slack, slackBytes = 100, 1.25, 2
		work(n)
		small, smallBytes := work(n)
		large, largeBytes := work(4 * n)
		if float64(large) > 4*slack*float64(small) || float64(largeBytes) > 4*slackBytes*float64(smallBytes) {
			t.Errorf("%s: %d take %d allocations and %d bytes, and %d take %d and %d", name, n, small, smallBytes, 4*n, large, largeBytes)
		}
	}
}
