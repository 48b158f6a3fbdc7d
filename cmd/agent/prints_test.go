package main

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
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

// anotherOwner APP OWNER gives an application to another user, as the Admin Portal does.
func anotherOwner(ts *testscript.TestScript, _ bool, args []string) {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // of the script's own stand-in
	base := "https://" + net.JoinHostPort(ts.Getenv("AM_HOST"), ts.Getenv("AM_PORT")) + "/api/am/admin/v4/applications"
	ask := func(method, address string, into any) {
		req, err := http.NewRequest(method, address, nil)
		ts.Check(err)
		req.SetBasicAuth("admin", "admin")
		resp, err := client.Do(req)
		ts.Check(err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			ts.Fatalf("%s %s: HTTP %d", method, address, resp.StatusCode)
		}
		if into != nil {
			ts.Check(json.NewDecoder(resp.Body).Decode(into))
		}
	}
	var found struct {
		List []struct{ ApplicationID string }
	}
	ask(http.MethodGet, base+"?name="+url.QueryEscape(args[0]), &found)
	if len(found.List) != 1 {
		ts.Fatalf("%d applications %s", len(found.List), args[0])
	}
	ask(http.MethodPost, base+"/"+found.List[0].ApplicationID+"/change-owner?owner="+url.QueryEscape(args[1]), nil)
}
