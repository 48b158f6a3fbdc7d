package trust

import (
	"reflect"
	"testing"
	"time"
)

func TestAPoolLastsAsLongAsItsSuccessorsThatAllServersTrust(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(1_800_000_000, 0).AddDate(0, 0, n) }
	const month = 30 * 24 * time.Hour
	three := []Successor{{Fingerprint: "A", NotAfter: day(730)}, {Fingerprint: "B", NotAfter: day(1095)}, {Fingerprint: "C", NotAfter: day(1460)}}
	both := func(is, am []string) []Trusting { return []Trusting{{"wso2is", is}, {"wso2am", am}} }
	all := []string{"A", "B", "C", "another"}
	for name, c := range map[string]struct {
		successors []Successor
		servers    []Trusting
		now        time.Time
		rotations  int
		until      time.Time
		next       string // empty for none
	}{
		"none":                          {nil, both(all, all), day(0), 0, time.Time{}, ""},
		"all trust all":                 {three, both(all, all), day(0), 3, day(1430), "A"},
		"no server has said anything":   {three, both(nil, nil), day(0), 0, time.Time{}, "A"},
		"a server lacks the last one":   {three, both(all, all[:2]), day(0), 2, day(1065), "A"},
		"a server lacks the first one":  {three, both(all[1:], all), day(0), 2, day(1430), "B"},
		"each server lacks another one": {three, both(all[1:], []string{"A", "C"}), day(0), 1, day(1430), "C"},
		"no peer":                       {three, []Trusting{{"wso2is", all[:1]}}, day(0), 1, day(700), "A"},
		"the first one has ended":       {three, both(all, all), day(731), 2, day(1430), "A"},
	} {
		pool := PoolOf(c.successors, c.servers, month, c.now)
		if pool.Rotations != c.rotations || !pool.Until.Equal(c.until) || len(pool.Successors) != len(c.successors) {
			t.Errorf("%s: %d rotations until %s with %d successors, want %d until %s", name, pool.Rotations, pool.Until, len(pool.Successors), c.rotations, c.until)
		}
		next, ok := pool.Next()
		if next.Fingerprint != c.next || ok != (c.next != "") {
			t.Errorf("%s: the next one is %q, %v, want %q", name, next.Fingerprint, ok, c.next)
		}
	}
	got := PoolOf(three[:2], both(all, all[:1]), month, day(0)).Successors
	want := []Successor{{"A", day(730), []string{"wso2is", "wso2am"}, []string{}}, {"B", day(1095), []string{"wso2is"}, []string{"wso2am"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the rows are %+v, want %+v", got, want)
	}
}
