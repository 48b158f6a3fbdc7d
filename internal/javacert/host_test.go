package javacert

import (
	"strings"
	"testing"
)

func TestANameOfAServerIsWhatJavaCanFindInACertificate(t *testing.T) {
	label := strings.Repeat("a", 63)
	for name, want := range map[string]struct {
		ip string
		ok bool
	}{
		"wso2am": {"", true}, "API.example.com": {"", true}, "1.example": {"", true}, "*.apis.example.com": {"", true}, label + ".example": {"", true},
		strings.Repeat("a.", 126) + "a": {"", true},
		"192.0.2.7":                     {"192.0.2.7", true}, "fd00::1": {"fd00::1", true}, "::ffff:192.0.2.7": {"192.0.2.7", true},
		"": {}, "https://wso2am": {}, "wso2am:9443": {}, "wso2_am": {}, "wso2..am": {}, ".wso2am": {}, "wso2am.": {}, "-wso2am": {}, "wso2am-": {}, "a b": {}, "wso2am\n": {},
		"*": {}, "a.*.example": {}, "*a.example": {}, "*.*.example": {}, label + "a": {}, strings.Repeat("a.", 127) + "a": {},
		"fe80::1%eth0": {}, "192.0.2.7/24": {}, "[fd00::1]": {}, "münchen": {},
	} {
		ip, ok := ServerName(name)
		if text := ip.String(); ok != want.ok || ip.IsValid() != (want.ip != "") || ip.IsValid() && text != want.ip {
			t.Errorf("%q: %s, %t, want %q, %t", name, ip, ok, want.ip, want.ok)
		}
	}
}
