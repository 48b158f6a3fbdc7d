package identity

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

func TestACertificateIsRenewedOnceAndForAReason(t *testing.T) {
	root, other := newCA(t, "root", nil, nil), newCA(t, "other", nil, nil)
	dying := newCA(t, "dying", nil, func(c *x509.Certificate) { c.NotAfter = day().AddDate(0, 0, 10) })
	renewed := newCA(t, "dying", nil, nil)
	self, rsa := Spec{}, Spec{Key: RSA2048}
	names := []string{"wso2am", "10.0.0.7", "*.example.com"}
	days := func(n int) time.Time { return day().AddDate(0, 0, n) }
	for name, c := range map[string]struct {
		was, is Spec
		names   []string
		now     time.Time
		want    string
	}{
		"just issued":                          {self, self, names, days(0), ""},
		"issued with RSA":                      {rsa, rsa, names, days(0), ""},
		"issued by a CA":                       {root.spec(t), root.spec(t), names, days(0), ""},
		"a name too many":                      {self, self, names[:1], days(0), ""},
		"a new name":                           {self, self, append(names, "b"), days(0), "lacks b"},
		"another kind of key":                  {self, rsa, names, days(0), "has a key of another kind than rsa-2048"},
		"a CA from now on":                     {self, root.spec(t), names, days(0), "does not come from the CA that is set, CN=root"},
		"another CA":                           {other.spec(t), root.spec(t), names, days(0), "does not come from the CA"},
		"no CA any more":                       {root.spec(t), self, names, days(0), "was signed by a CA, and no CA is set any more"},
		"a moment before it is time":           {self, self, names, days(335).Add(-time.Second), ""},
		"time":                                 {self, self, names, days(335), "expires on 2028-01-15"},
		"expired":                              {self, self, names, days(400), "expires on 2028-01-15"},
		"a clock that went back":               {self, self, names, days(-100), ""},
		"a CA that dies with it":               {dying.spec(t), dying.spec(t), names, days(8), ""},
		"a CA that was renewed at last":        {dying.spec(t), renewed.spec(t), names, days(8), "does not come from the CA"},
		"a short life, of which half is to go": {Spec{Validity: 24 * time.Hour}, self, names, days(0).Add(11 * time.Hour), ""},
	} {
		id := mustIssue(t, c.was, names...)
		c.is.Names, c.is.RenewBefore = c.names, 30*24*time.Hour
		reason := id.Stale(c.is, c.now)
		if reason == "" && c.want != "" || !strings.HasPrefix(reason, c.want) || c.want == "" && reason != "" {
			t.Errorf("%s: %q, want %q", name, reason, c.want)
		}
	}
}
