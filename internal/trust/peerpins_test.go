package trust

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/keystore"
)

func TestOnlyPinnedCertificatesOfAPinnedPeerAreAccepted(t *testing.T) {
	a, b, evil := certificate(t, "wso2is"), certificate(t, "wso2is"), certificate(t, "wso2is")
	pins := PeerPins{"wso2is": {a.Fingerprint(), b.Fingerprint()}, "gw": nil}
	list := func(certs ...keystore.Certificate) []keystore.Certificate { return certs }
	for name, c := range map[string]struct {
		peer              string
		certs, want, evil []keystore.Certificate
	}{
		"all are pinned":            {"wso2is", list(b, a), list(b, a), nil},
		"one is not":                {"wso2is", list(evil, a), list(a), list(evil)},
		"none is":                   {"wso2is", list(evil), nil, list(evil)},
		"several are not":           {"wso2is", list(evil, a, certificate(t, "x")), list(a), list(evil)},
		"nothing published":         {"wso2is", nil, nil, nil},
		"a peer without pins":       {"wso2am", list(evil), list(evil), nil},
		"a peer with an empty list": {"gw", list(evil), list(evil), nil},
	} {
		got, err := pins.Check(c.peer, c.certs)
		if !slices.EqualFunc(got, c.want, func(x, y keystore.Certificate) bool { return x.Fingerprint() == y.Fingerprint() }) {
			t.Errorf("%s: %d accepted, want %d", name, len(got), len(c.want))
		}
		if (err != nil) != (c.evil != nil) || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		for _, e := range c.evil {
			if !strings.Contains(err.Error(), "add wso2is="+e.Fingerprint().String()+" to PEER_PINS") {
				t.Errorf("%s: %v does not name the remedy", name, err)
			}
		}
	}
}
