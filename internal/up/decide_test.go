package up

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/trust"
)

// certificate returns a new self-signed certificate.
func certificate(t *testing.T, name string, organization ...string) keystore.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: organization}, DNSNames: []string{strings.Trim(name, "\u202e")}, NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}
}

func TestTheStepsAreThoseThatAreLeft(t *testing.T) {
	is, am, old := certificate(t, "wso2is"), certificate(t, "wso2am"), certificate(t, "wso2am")
	entry := func(alias string, c keystore.Certificate) trust.Entry {
		return trust.Entry{Alias: alias, Fingerprint: c.Fingerprint().String()}
	}
	// own is a server that trusts itself, as both products do as shipped.
	own := func(name string, c keystore.Certificate, more ...trust.Entry) Side {
		return Side{Server: name, Certificate: c, Editable: true, Entries: append([]trust.Entry{entry("wso2carbon", c)}, more...), Start: "second"}
	}
	with := func(s Side, change func(*Side)) Side { change(&s); return s }
	newIS, newAM := own(nameIS, is), own(nameAM, am)
	doneIS, doneAM := own(nameIS, is, entry("wso2am", am)), own(nameAM, am, entry("wso2is", is))
	amLine := "trust wso2am " + short(am.Fingerprint().String())
	isLine := "trust wso2is " + short(is.Fingerprint().String())
	const restart = "restart, because the running server has not read its truststore"
	for name, c := range map[string]struct {
		is, am Side
		want   []string
	}{
		"servers as shipped":      {newIS, newAM, []string{"wso2is: " + amLine, "wso2am: " + isLine, "wso2is: " + restart, "wso2am: " + restart}},
		"everything is done":      {doneIS, doneAM, nil},
		"one import is done":      {newIS, doneAM, []string{"wso2is: " + amLine, "wso2is: " + restart}},
		"killed before a restart": {doneIS, with(doneAM, func(s *Side) { s.Unread = "second" }), []string{"wso2am: " + restart}},
		"killed after a restart":  {doneIS, with(doneAM, func(s *Side) { s.Unread = "first" }), nil},
		"killed while it wrote a truststore": {doneIS, with(doneAM, func(s *Side) { s.Cut = true }),
			[]string{"wso2am: write the truststore again, because an earlier run was stopped while it did", "wso2am: " + restart}},
		"another certificate under the alias": {own(nameIS, is, entry("WSO2AM", old)), doneAM,
			[]string{"wso2is: " + amLine + " in place of " + short(old.Fingerprint().String()), "wso2is: " + restart}},
		"trusted under an alias of somebody else": {own(nameIS, is, entry("gateway", am)), doneAM, []string{"wso2is: " + amLine}},
		"further certificates of an agent stay":   {own(nameIS, is, entry("wso2am", am), entry("wso2am-"+old.Fingerprint().Short(), old)), doneAM, nil},
		"a server that does not trust itself":     {with(doneIS, func(s *Side) { s.Entries = s.Entries[1:] }), doneAM, []string{"wso2is: " + isLine, "wso2is: " + restart}},
		"files that nobody can edit from here":    {with(newIS, func(s *Side) { s.Editable, s.Entries = false, nil }), newAM, []string{"wso2am: " + isLine, "wso2am: " + restart}},
	} {
		var got []string
		for _, s := range Decide(c.is, c.am) {
			got = append(got, s.Server+": "+s.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestOnlyAKeystoreAPinOrAPersonSaysWhoAServerIs(t *testing.T) {
	own, other, stock := certificate(t, "own"), certificate(t, "other"), certificate(t, "localhost", "WSO2")
	pin := func(c keystore.Certificate) []keystore.Fingerprint { return []keystore.Fingerprint{c.Fingerprint()} }
	for name, c := range map[string]struct {
		side    Side
		pins    []keystore.Fingerprint
		unknown bool
		err     string
	}{
		"its keystore has it": {Side{Certificate: own, Shown: own, Editable: true}, nil, false, ""},
		"everybody has its key, and nothing else shows who answers": {Side{Certificate: stock, Shown: stock, Editable: true}, nil, true, ""},
		"everybody has its key, and a pin":                          {Side{Certificate: stock, Shown: stock, Editable: true}, pin(stock), false, ""},
		"everybody has its key, and it is published there":          {Side{Certificate: stock, Shown: stock, Editable: true, Near: true}, nil, false, ""},
		"its keystore has another one":                              {Side{Certificate: own, Shown: other, Editable: true}, nil, false, "its keystore has"},
		"a pin does not help against that":                          {Side{Certificate: own, Shown: other, Editable: true}, pin(own), false, "its keystore has"},
		"its keystore has it, a pin another":                        {Side{Certificate: own, Shown: own, Editable: true}, pin(other), false, "not pinned"},
		"no keystore, and a pin":                                    {Side{Certificate: own, Shown: own}, pin(own), false, ""},
		"no keystore, and one of two pins":                          {Side{Certificate: own, Shown: own}, append(pin(other), pin(own)...), false, ""},
		"no keystore, and the pin of another":                       {Side{Certificate: own, Shown: own}, pin(other), false, "not pinned"},
		"no keystore and no pin: ask a person":                      {Side{Certificate: own, Shown: own}, nil, true, ""},
	} {
		unknown, err := Identify(c.side, c.pins)
		if unknown != c.unknown || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %t, %v", name, unknown, err)
		}
	}
}

func TestTheShippedCertificatesAreKnown(t *testing.T) {
	for name, want := range map[string]string{"is-7.1.0/wso2carbon.p12": "9bf78253", "apim-4.5.0/wso2carbon.jks": "1e1bcdeb"} {
		store, err := keystore.Open(read(t, testenv.Shared(t, "keystores", name)), "wso2carbon")
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := store.Leaf("wso2carbon")
		if err != nil || leaf.Fingerprint().Short() != want || !shipped(leaf) {
			t.Errorf("%s: %s, shipped %t, %v", name, leaf.Fingerprint().Short(), shipped(leaf), err)
		}
	}
	if shipped(certificate(t, "localhost")) || shipped(certificate(t, "is.example", "WSO2")) {
		t.Error("a certificate of somebody else counts as shipped")
	}
}

func TestAContainerThatPublishesThePortIsTheServerThere(t *testing.T) {
	box := boxed(t, "is", "is-1")
	o, _ := options(t, engine.Start(t, box))
	c, err := found(t, o, "is", "is-1")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"https://localhost:19443": true, "https://[::1]:19443": true, "https://localhost:19444": false, "https://10.0.0.5:19443": false} {
		if got := c.at(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	h := &home{}
	if !h.at("https://127.0.0.1:9443") || h.at("https://is.example:9443") {
		t.Error("a home is on this machine")
	}
}

func TestAPersonSeesTheCertificateBeforeAnythingIsTrusted(t *testing.T) {
	is, am := certificate(t, "is.example\u202e"), certificate(t, "am.example")
	remote := func(product string, c keystore.Certificate) side {
		target := Target{Product: product, URL: "https://" + product + ".example"}
		return side{Target: target, Side: Side{Server: target.name(), URL: target.URL, Certificate: c, Shown: c}}
	}
	var out strings.Builder
	var asked []Shown
	answer := func(err error) func([]Shown) error {
		return func(all []Shown) error { asked = all; return err }
	}
	run := func(confirm func([]Shown) error, pins map[string][]keystore.Fingerprint) error {
		asked = nil
		return Options{Confirm: confirm, Pins: pins, Out: &out}.identify(remote("is", is), remote("am", am))
	}
	if err := run(answer(nil), nil); err != nil || len(asked) != 2 || asked[0].Subject != "CN=is.example\u202e" || asked[1].Fingerprint != am.Fingerprint() || !slices.Equal(asked[1].Names, []string{"am.example"}) || asked[0].Expires.IsZero() {
		t.Errorf("%v, %+v", err, asked)
	}
	err := run(answer(fmt.Errorf("the input: %w", ErrNobody)), map[string][]keystore.Fingerprint{"am": {am.Fingerprint()}})
	if !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), `(CN=is.example\u202e, until`) || !strings.Contains(err.Error(), "--pin is="+is.Fingerprint().String()) || strings.Contains(err.Error(), "--pin am") {
		t.Errorf("nobody answers: %v", err)
	}
	if err := run(answer(errors.New("asked")), map[string][]keystore.Fingerprint{"am": {am.Fingerprint()}, "is": {is.Fingerprint()}}); err != nil {
		t.Errorf("both are pinned: %v", err)
	}
	if err := run(answer(errors.New("a no")), nil); err == nil || err.Error() != "a no" {
		t.Errorf("a no: %v", err)
	}
}
