package desired

import "testing"

func TestAMessageShowsNoPasswordOfAnAddress(t *testing.T) {
	for value, want := range map[string]string{
		"http://backend:8080/path":         "http://backend:8080/path",
		"http://user:pw@backend":           "http://(hidden)@backend",
		"http://user:p/w@backend/path":     "http://(hidden)@backend/path",
		"http://user:p@w@backend":          "http://(hidden)@backend",
		"user:pw@backend":                  "(hidden)@backend",
		"user:p/w@backend":                 "(hidden)@backend",
		"me@example.com":                   "me@example.com",
		"see http://a:b@c and mail me@x.y": "see http://(hidden)@c and mail me@x.y",
		"http:user:pw@backend":             "(hidden)@backend",
	} {
		if got := Shown(value); got != want {
			t.Errorf("%q is shown as %q, want %q", value, got, want)
		}
	}
}
