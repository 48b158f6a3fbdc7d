package main

import (
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// differing is what differs from run to run in an output, and what prints puts in its place.
var differing = []struct {
	text *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`(127\.0\.0\.1|localhost):[0-9]+`), "HOST"},
	{regexp.MustCompile(`(?m)([ "(]|^)[A-Za-z0-9_-]{28}([ "),]|$)`), "${1}KEY${2}"},    // a consumer key
	{regexp.MustCompile(`(?m)([ "(]|^)[A-Za-z0-9_-]{44}([ "),]|$)`), "${1}SECRET${2}"}, // a consumer secret
}

// prints FILE WANT compares an output of exits with a file of the script, without what differs from run to run.
func prints(ts *testscript.TestScript, neg bool, args []string) {
	got := ts.ReadFile(args[0])
	for _, d := range differing {
		got = d.text.ReplaceAllString(got, d.name)
	}
	if want := ts.ReadFile(args[1]); (got == want) == neg {
		ts.Fatalf("%s is\n%s\nand %s is\n%s", args[0], got, args[1], want)
	}
}

// capture NAME FILE PATTERN sets a variable to the first group of a regular expression in an output of exits.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) < 2 {
		ts.Fatalf("no %s in %s", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}
