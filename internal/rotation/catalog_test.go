package rotation

import (
	"errors"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

func mustIssue(t *testing.T, name string) identity.Identity {
	t.Helper()
	id, err := identity.Issue(identity.Spec{Names: []string{name}}, t0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestTheCatalogHasTheCertificatesOfASnapshot(t *testing.T) {
	a, b := mustIssue(t, "a"), mustIssue(t, "b")
	broken := keystore.Certificate{DER: []byte("x")}
	c := Catalog{}
	light := c.All([]keystore.Certificate{a.Leaf(), broken})
	if len(light) != 2 || light[0].Fingerprint != a.Leaf().Fingerprint().String() || !light[0].NotBefore.Equal(a.Certificate().NotBefore) || !light[0].NotAfter.Equal(a.Certificate().NotAfter) {
		t.Errorf("a certificate: %+v", light)
	}
	if light[1].Fingerprint != broken.Fingerprint().String() || !light[1].NotAfter.IsZero() {
		t.Errorf("one that Go cannot parse: %+v", light[1])
	}
	got := c.Certificates([]string{light[1].Fingerprint, light[0].Fingerprint})
	if len(got) != 2 || got[0].Fingerprint() != broken.Fingerprint() || got[1].Fingerprint() != a.Leaf().Fingerprint() {
		t.Errorf("the certificates again: %v", got)
	}
	if found := c.Find(light[0].Fingerprint); found == nil || found.Fingerprint() != a.Leaf().Fingerprint() {
		t.Errorf("one certificate again: %v", found)
	}
	if found := c.Find(b.Leaf().Fingerprint().String()); found != nil {
		t.Errorf("a certificate that nobody has read: %v", found)
	}
}

func TestWhatIsPublishedIsTakenAsFarAsItCounts(t *testing.T) {
	leaf, ca := mustIssue(t, "a").Leaf(), mustIssue(t, "ca").Leaf()
	fingerprint := func(c keystore.Certificate) string { return c.Fingerprint().String() }
	said := trust.Statement{Name: "a", Certificates: []keystore.Certificate{leaf}, CA: &ca, Trusts: trust.Trusts{Generation: "g"}, TrustsErr: errTest,
		Turn: trust.Turn{Wants: "g"}, TurnErr: errTest}
	noCA, badCA, silent, refused := said, said, trust.Statement{Name: "a", Err: trust.ErrNotPublished}, trust.Statement{Name: "a", Err: trust.ErrRefused}
	noCA.CA = nil
	badCA.CA, badCA.CAErr = nil, errTest

	for _, own := range []struct {
		name string
		s    trust.Statement
		ca   string
		err  error
	}{
		{"with a CA", said, fingerprint(ca), nil},
		{"without a CA", noCA, "", nil},
		{"with an unreadable CA", badCA, unreadable, nil},
		{"nothing", silent, "", nil},
		{"what cannot be read", refused, "", trust.ErrRefused},
	} {
		c := Catalog{}
		got := c.Own(own.s)
		if got.CA != own.ca || !errors.Is(got.Err, own.err) || len(got.Certificates) != len(own.s.Certificates) || got.Turn != own.s.Turn ||
			got.Trusts.Generation != own.s.Trusts.Generation || got.TrustsErr != own.s.TrustsErr {
			t.Errorf("the own server has published %s: %+v", own.name, got)
		}
		if own.s.CA != nil && c.Find(got.CA) == nil {
			t.Errorf("%s: the catalog lacks the CA", own.name)
		}
	}
	for _, peer := range []struct {
		name       string
		s          trust.Statement
		asCA       bool
		want       []string
		silent     bool
		caErr, err error
	}{
		{"with TRUST=leaf", said, false, []string{fingerprint(leaf)}, false, nil, nil},
		{"with TRUST=ca", said, true, []string{fingerprint(ca)}, false, nil, nil},
		{"with TRUST=ca and a bad CA", badCA, true, []string{fingerprint(leaf)}, false, errTest, nil},
		{"and nothing is there", silent, true, nil, true, nil, nil},
		{"and it is refused", refused, true, nil, false, nil, trust.ErrRefused},
	} {
		got := Catalog{}.Peer(peer.s, nil, peer.asCA)
		if !slices.Equal(fingerprints(got.Certificates), peer.want) || got.Silent != peer.silent || !errors.Is(got.CAErr, peer.caErr) || !errors.Is(got.Err, peer.err) ||
			got.TrustsErr != peer.s.TrustsErr || got.TurnErr != peer.s.TurnErr || got.Turn != peer.s.Turn || got.Trusts.Generation != peer.s.Trusts.Generation {
			t.Errorf("a peer is read %s: %+v", peer.name, got)
		}
	}
}

func TestAnIdentityIsStaleOnlyByTheSpecOfThisServer(t *testing.T) {
	installed, staged := mustIssue(t, "a"), mustIssue(t, "other")
	spec := &identity.Spec{Names: []string{"a"}, RenewBefore: time.Hour}
	held := identity.Held{Installed: &installed, Staged: &staged, Requested: true}
	read := func(found identity.Found) TLS {
		before := TLS{Named: true, IsStaged: true, Folder: "/tls"}
		Catalog{}.Identities(&before, found, "a", t0)
		if !before.Named || !before.IsStaged || before.Folder != "/tls" || before.Asked != found.Requested || before.Err != found.Err {
			t.Errorf("read as %+v", before)
		}
		return before
	}
	got := read(identity.Found{Held: held, Spec: spec})
	if i := got.Installed; i == nil || i.Leaf.Fingerprint != installed.Leaf().Fingerprint().String() || i.Chain != i.Leaf.Fingerprint || i.Issuer != "" ||
		i.Stale != "" || len(i.Missing) > 0 || !i.RenewAt.Equal(installed.RenewAt(time.Hour)) {
		t.Errorf("the installed one: %+v", i)
	}
	if i := got.Staged; i == nil || i.Stale != "lacks a" || !slices.Equal(i.Missing, []string{"a"}) {
		t.Errorf("the staged one: %+v", i)
	}
	if got.Files != nil {
		t.Errorf("one in files: %+v", got.Files)
	}
	got = read(identity.Found{Held: held, Err: errTest})
	if got.Staged == nil || got.Staged.Stale != "" || !got.Installed.RenewAt.IsZero() {
		t.Errorf("without a spec: %+v, %+v", got.Staged, got.Installed)
	}
	signed := staged
	signed.Chain = append(slices.Clone(staged.Chain), installed.Leaf())
	if i := read(identity.Found{Next: &signed}).Files; i.Issuer != installed.Leaf().Fingerprint().String() || i.Chain != i.Leaf.Fingerprint+i.Issuer {
		t.Errorf("one that a CA has signed: %+v", i)
	}
	if got = read(identity.Found{Held: held, Next: &staged}); got.Files == nil || got.Files.Leaf != got.Staged.Leaf {
		t.Errorf("one in files: %+v", got.Files)
	}
}

func TestASuccessorIsStaleByTheTimeOnlyIfItHadToBeReplacedAtOnce(t *testing.T) {
	now := time.Now()
	spec := identity.Spec{Names: []string{"a"}, Validity: time.Hour, RenewBefore: 10 * time.Minute}
	var held identity.Held
	for turn := range 2 {
		i, err := identity.Issue(spec, now, turn+1)
		if err != nil {
			t.Fatal(err)
		}
		held.Successors = append(held.Successors, &i)
	}
	read := func(found identity.Found, after time.Duration) (got TLS) {
		Catalog{}.Identities(&got, found, "a", now.Add(after))
		if len(got.Successors) != 2 {
			t.Fatalf("%d successors", len(got.Successors))
		}
		for n, i := range got.Successors {
			if want := held.Successors[n].Leaf().Fingerprint().String(); i.Leaf.Fingerprint != want || i.Chain != want {
				t.Errorf("successor %d is %+v", n, i)
			}
		}
		return got
	}
	found := identity.Found{Held: held, Spec: &spec}
	if got := read(found, 0); got.Successors[0].Stale != "" || got.Successors[1].Stale != "" {
		t.Errorf("at once: %q, %q", got.Successors[0].Stale, got.Successors[1].Stale)
	}
	if got := read(found, 111*time.Minute); got.Successors[0].Stale == "" || got.Successors[1].Stale != "" {
		t.Errorf("nine minutes before the end of the first: %q, %q", got.Successors[0].Stale, got.Successors[1].Stale)
	}
	if got := read(identity.Found{Held: held}, 10*time.Hour); got.Successors[0].Stale != "" {
		t.Errorf("without a spec: %q", got.Successors[0].Stale)
	}
	for _, c := range []struct{ requested, compromised, stolen bool }{{true, true, true}, {true, false, false}, {false, true, false}} {
		found.Requested, found.Compromised = c.requested, c.compromised
		if got := read(found, 0); got.Asked != c.requested || got.Stolen != c.stolen {
			t.Errorf("%+v is read as asked %t, stolen %t", c, got.Asked, got.Stolen)
		}
	}
}

func TestTheCertificatesOfTheOwnServerInTheTruststoreAreKnown(t *testing.T) {
	own, peers := mustIssue(t, "a").Leaf(), mustIssue(t, "b").Leaf()
	entry := func(alias string, c keystore.Certificate) trust.Entry {
		return trust.Entry{Alias: alias, Fingerprint: c.Fingerprint().String(), Certificate: &c}
	}
	c := Catalog{}
	got := c.Entries([]trust.Entry{{Alias: "somebody's", Fingerprint: "F1"}, entry("b", peers), entry("a-"+own.Fingerprint().Short(), own)}, "a")
	if len(got) != 1 || got[0].Fingerprint != own.Fingerprint().String() || got[0].NotAfter.IsZero() || len(c) != 2 {
		t.Errorf("of the own server: %+v; %d certificates in the catalog", got, len(c))
	}
}

func TestTheCopiesOfAKeystoreAreInTheCatalog(t *testing.T) {
	served, next := mustIssue(t, "a").Leaf(), mustIssue(t, "a").Leaf()
	c, k := Catalog{}, Keystore{Path: "/p"}
	c.Copies(&k, identity.Copies{Served: &served, Next: &next, NextErr: errTest, Fresh: true, IsBack: true, Mine: true})
	if k.Path != "/p" || k.Served.Fingerprint != served.Fingerprint().String() || k.Next.Fingerprint != next.Fingerprint().String() || k.NextErr != errTest ||
		!k.Fresh || !k.IsBack || !k.Mine || len(c) != 2 {
		t.Errorf("%+v, %d certificates", k, len(c))
	}
	k = Keystore{}
	if c.Copies(&k, identity.Copies{}); k != (Keystore{}) {
		t.Errorf("without copies: %+v", k)
	}
}

func TestTheSettingsThatDecisionsNeed(t *testing.T) {
	cfg := config.Config{Server: config.Server{Product: config.IS, Name: "a"}, Trust: config.Trust{Peers: []string{"b"}, Mode: "ca"}, Restart: config.Restart{Method: "exec", Max: 3, Window: time.Second}, TLS: config.TLS{Mode: "issue"}, Init: config.Init{OnTimeout: "start"}, Rotate: config.Rotate{Timeout: time.Hour, Grace: time.Minute}}
	got := SettingsOf(cfg)
	if got.Server != "a" || !slices.Equal(got.Peers, []string{"b"}) || !got.Supervised || got.TLSMode != "issue" || !got.TrustCA || !got.StartAnyway || !got.TellsClosing ||
		got.RotateTimeout != time.Hour || got.RotateGrace != time.Minute || got.Pace != PaceOf(3, time.Second) || got.Init {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		tls    config.TLS
		ahead  int
		reload bool
	}{
		{config.TLS{Mode: "issue", Successors: 3, Reload: "auto"}, 3, true},
		{config.TLS{Mode: "issue", Successors: 3, Reload: "off"}, 3, false},
		{config.TLS{Mode: "issue", Successors: 3, CACertFile: "/ca"}, 0, false},
		{config.TLS{Mode: "files", Successors: 3, Reload: "auto"}, 0, true},
		{config.TLS{Mode: "none", Successors: 3}, 0, false},
	} {
		if cfg.TLS = c.tls; SettingsOf(cfg).Successors != c.ahead || SettingsOf(cfg).Reload != c.reload {
			t.Errorf("with %+v: %+v", c.tls, SettingsOf(cfg))
		}
	}
	got = SettingsOf(config.Config{Server: config.Server{Product: config.AM}, Restart: config.Restart{Method: "none", Max: 1}, Trust: config.Trust{Mode: "leaf"}, Init: config.Init{OnTimeout: "fail"}})
	if got.Supervised || got.TrustCA || got.StartAnyway || got.TellsClosing {
		t.Errorf("of an API-M without anything: %+v", got)
	}
}

func TestOnlyAStatementAboutTheTurnIsAClaim(t *testing.T) {
	if (Decision{Actions: []Action{Install{}, Hold{}}}).Claims() || !(Decision{Actions: []Action{Install{}, SayTurn{}}}).Claims() {
		t.Error("a decision without a statement claims, or one with it does not")
	}
}
