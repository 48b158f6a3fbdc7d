package trust

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

func TestAStatementHasWhatAServerHasPublished(t *testing.T) {
	dir := t.TempDir()
	is, am := Exchange{Dir: dir, Name: "wso2is"}, Exchange{Dir: dir, Name: "wso2am"}
	if s := am.Statement(t.Context(), "wso2is"); !errors.Is(s.Err, ErrNotPublished) || s.CA != nil || s.CAErr != nil || s.TrustsErr != nil || s.TurnErr != nil {
		t.Errorf("of a server that has published nothing: %+v", s)
	}
	root := newCA(t, "root")
	leaf, next := root.issue(t, "wso2is"), certificate(t, "wso2is")
	turn := Turn{Wants: "g", Since: time.Unix(1000, 0).UTC()}
	_, published := is.Publish([]keystore.Certificate{leaf, next})
	_, publishedCA := is.PublishCA(&root.own)
	_, acknowledged := is.Acknowledge(Trusts{Generation: "g", Fingerprints: []string{"F"}})
	if err := errors.Join(published, publishedCA, acknowledged, is.SayTurn(turn)); err != nil {
		t.Fatal(err)
	}
	s := am.Statement(t.Context(), "wso2is")
	if s.Name != "wso2is" || s.Err != nil || len(s.Certificates) != 2 || s.Certificates[0].Fingerprint() != leaf.Fingerprint() {
		t.Errorf("its certificates: %+v", s)
	}
	if s.CAErr != nil || s.CA == nil || s.CA.Fingerprint() != root.own.Fingerprint() || s.Trusts.Generation != "g" || s.Turn != turn {
		t.Errorf("its CA, trust and turn: %+v", s)
	}
	other := newCA(t, "other")
	if _, err := is.PublishCA(&other.own); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{trustsFile, turnFile} {
		if err := os.WriteFile(filepath.Join(dir, "wso2is", base), []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = am.Statement(t.Context(), "wso2is")
	if s.Err != nil || len(s.Certificates) != 2 || s.CA != nil || !errors.Is(s.CAErr, ErrRefused) || s.TrustsErr == nil || s.TurnErr == nil {
		t.Errorf("with files that do not count: %+v", s)
	}
}

func TestAPeerIsBelievedAsFarAsItsPinsAllow(t *testing.T) {
	root := newCA(t, "root")
	leaf, self := root.issue(t, "wso2is"), certificate(t, "wso2is")
	refused := errors.New("the test refuses it")
	list := func(certs ...keystore.Certificate) []keystore.Certificate { return certs }
	pin := func(c keystore.Certificate) PeerPins { return PeerPins{"wso2is": {c.Fingerprint()}} }
	for _, c := range []struct {
		name       string
		s          Statement
		pins       PeerPins
		asCA       bool
		want       []keystore.Certificate
		caErr, err error
	}{
		{"nothing published", Statement{Err: ErrNotPublished}, nil, true, nil, nil, ErrNotPublished},
		{"leaves", Statement{Certificates: list(leaf, self)}, nil, false, list(leaf, self), nil, nil},
		{"a CA in place of a leaf", Statement{Certificates: list(leaf, root.own)}, nil, false, list(leaf), nil, ErrRefused},
		{"a pinned CA in place of a leaf", Statement{Certificates: list(root.own)}, pin(root.own), false, list(root.own), nil, nil},
		{"another leaf than the pinned one", Statement{Certificates: list(self, leaf)}, pin(leaf), false, list(leaf), nil, ErrRefused},
		{"TRUST=leaf and a CA", Statement{Certificates: list(leaf), CA: &root.own}, nil, false, list(leaf), nil, nil},
		{"TRUST=leaf and a CA that does not count", Statement{Certificates: list(leaf), CAErr: refused}, nil, false, list(leaf), nil, nil},
		{"TRUST=ca and a CA", Statement{Certificates: list(leaf), CA: &root.own}, nil, true, list(root.own), nil, nil},
		{"TRUST=ca and a pinned CA", Statement{Certificates: list(leaf), CA: &root.own}, pin(root.own), true, list(root.own), nil, nil},
		{"TRUST=ca and another CA than the pinned one", Statement{Certificates: list(leaf), CA: &root.own}, pin(self), true, nil, nil, ErrRefused},
		{"TRUST=ca and no CA", Statement{Certificates: list(self)}, nil, true, list(self), nil, nil},
		{"TRUST=ca and a CA that does not count", Statement{Certificates: list(leaf), CAErr: refused}, nil, true, list(leaf), refused, nil},
	} {
		c.s.Name = "wso2is"
		got, caErr, err := c.s.Believed(c.pins, c.asCA)
		if !slices.EqualFunc(got, c.want, func(x, y keystore.Certificate) bool { return x.Fingerprint() == y.Fingerprint() }) {
			t.Errorf("%s: %d certificates, want %d", c.name, len(got), len(c.want))
		}
		if !errors.Is(caErr, c.caErr) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, caErr, err, c.caErr, c.err)
		}
	}
}
