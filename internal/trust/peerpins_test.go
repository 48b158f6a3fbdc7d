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

func TestTheAgentsOwnConnectionsTakeOnlyWhatIsPinnedWithTRUSTcaToo(t *testing.T) {
	pinnedCA, otherCA := newCA(t, "root"), newCA(t, "other")
	good, evil := pinnedCA.issue(t, "wso2is"), otherCA.issue(t, "wso2is")
	self := certificate(t, "wso2is")
	for name, c := range map[string]struct {
		pin       keystore.Certificate
		published keystore.Certificate
		ca        *keystore.Certificate
		byCA      bool // TRUST=ca
		want      bool
	}{
		"a leaf of a pinned CA":                     {pinnedCA.own, good, &pinnedCA.own, true, true},
		"a leaf that is pinned itself":              {self, self, nil, true, true},
		"an attacker's leaf, without a CA":          {pinnedCA.own, self, nil, true, false},
		"an attacker's leaf beside the pinned CA":   {pinnedCA.own, evil, &pinnedCA.own, true, false},
		"an attacker's leaf with the attacker's CA": {pinnedCA.own, evil, &otherCA.own, true, false},
		"with TRUST=leaf a CA's pin is no leaf's":   {pinnedCA.own, good, &pinnedCA.own, false, false},
		"with TRUST=leaf an attacker's leaf":        {self, evil, nil, false, false},
		"with TRUST=leaf the leaf that is pinned":   {self, self, nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			theirs := Exchange{Dir: dir, Name: "wso2is"}
			if _, err := theirs.PublishCA(c.ca); err != nil {
				t.Fatal(err)
			}
			if _, err := theirs.Publish([]keystore.Certificate{c.published}); err != nil {
				t.Fatal(err)
			}
			pins := Pins{Exchange: Exchange{Dir: dir, Name: "wso2am"}, Names: []string{"wso2is"}, CA: c.byCA, Peers: PeerPins{"wso2is": {c.pin.Fingerprint()}}}
			got, peer, err := pins.Pinned("wso2is:9443")
			if !peer || (len(got) == 1) != c.want || (err == nil) != c.want {
				t.Errorf("%d accepted, peer %v, %v; want %v", len(got), peer, err, c.want)
			}
		})
	}
}

func TestACAInThePlaceOfAServersCertificateIsRefusedUnlessItIsPinned(t *testing.T) {
	leaf := certificate(t, "wso2is")
	ca := newCA(t, "wso2is").own
	certs := []keystore.Certificate{ca, leaf}
	got, err := PeerPins{}.WithoutCAs("wso2is", certs)
	if len(got) != 1 || got[0].Fingerprint() != leaf.Fingerprint() || !errors.Is(err, ErrRefused) {
		t.Errorf("%d accepted, %v", len(got), err)
	}
	if err == nil || !strings.Contains(err.Error(), "add wso2is="+ca.Fingerprint().String()+" to PEER_PINS") || !strings.Contains(err.Error(), "TRUST=ca") {
		t.Errorf("the remedy is missing: %v", err)
	}
	if got, err := (PeerPins{"wso2is": {ca.Fingerprint()}}).WithoutCAs("wso2is", certs); len(got) != 2 || err != nil {
		t.Errorf("pinned: %d accepted, %v", len(got), err)
	}
	if got, err := (PeerPins{"wso2am": {ca.Fingerprint()}}).WithoutCAs("wso2is", certs); len(got) != 1 || err == nil {
		t.Errorf("pinned for another peer: %d accepted, %v", len(got), err)
	}
}
