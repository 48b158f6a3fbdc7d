package javacert

import (
	"net/netip"
	"regexp"
)

// maxHostName is the most characters of a host name (RFC 1035, section 2.3.4, in text).
const maxHostName = 253

// hostForm is a host name, or a wildcard for one label of it. There is no underscore: Java sends no such name to a server,
// and its URLs have no such host.
var hostForm = regexp.MustCompile(`^(\*\.)?[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)

// ServerName reports whether Java's clients can find name in the certificate of a server: a host name, a wildcard for one label
// of it, or an IP address without a zone. ip is valid for an IP address only.
func ServerName(name string) (ip netip.Addr, ok bool) {
	if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
		return ip.Unmap(), true
	}
	return netip.Addr{}, len(name) <= maxHostName && hostForm.MatchString(name)
}
