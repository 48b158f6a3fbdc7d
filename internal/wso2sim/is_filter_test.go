package wso2sim

import "testing"

func TestFiltersTakeQuotedValuesWhole(t *testing.T) {
	get := func(has string) func(string) string { return func(string) string { return has } }
	for _, tt := range []struct {
		filter, has string
		want        bool
	}{
		{`name eq "it's \"so\""`, `it's "so"`, true},
		{`name eq "a\\b"`, `a\b`, true},
		{`name eq "this or that"`, "this or that", true},
		{`name eq "a  b"`, "a  b", true},
		{`name eq a b`, "a b", true},
		{`name eq x or name eq "y"`, "y", true},
		{`name sw x and name ew y`, "x", false},
		{`name eq ""`, "", true},
	} {
		c, fault := parseFilter(tt.filter, "name")
		if fault != nil {
			t.Errorf("%s: %v", tt.filter, fault)
		} else if got := c(get(tt.has)); got != tt.want {
			t.Errorf("%s: %q fits: %v", tt.filter, tt.has, got)
		}
	}
	for _, filter := range []string{"name eq", "name", "", "other eq x", "name gt x", "name eq x or"} {
		if _, fault := parseFilter(filter, "name"); fault == nil {
			t.Errorf("%q is a filter", filter)
		}
	}
}
