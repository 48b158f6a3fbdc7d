package wso2sim

import "testing"

func TestCallbacksAreWhatJavaReadsAsURI(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.example/cb": true, "https://app.example:8443/a/b?x=1&y=[2]#z": true, "com.example.app:/cb": true, "a:b": true, "http://[::1]:80/x": true,
		"https://app.example/%41": true, "http://über.example/ü": true, "/relative": true, "urn:ietf:wg:oauth:2.0:oob": true, "http:///x": true,
		"https://app.example/a b": false, "https://app.example/%4": false, "https://app.example/{x}": false, "https://app.example/a|b": false, "http://": false,
		"https://app.example/[x]": false, `https://app.example/"x"`: false, "http://a\u3000b": false, "a:": false, "1a:b": false, "": false,
		"regexp=(https://a.example/cb|https://b.example/cb)": false,
	} {
		if got := isRedirect(uri); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
}
